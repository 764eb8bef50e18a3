"""How others take a step: pix2pix's published order, deepinv's and ldct-benchmark's trainers.

deepinv 0.5 (BSD-3) and ldct-benchmark 0.0.15 (Apache-2.0) are imported where they are installed,
and asked for what they do themselves in a step; pix2pix (BSD-2) is written anew from the order in
which its `models/pix2pix_model.py` updates two networks, with Adam as that file constructs it.
"""

from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import BCEWithLogitsLoss, L1Loss, Module
from torch.utils.data import DataLoader, Dataset

from denoisebench.compat import prepare


class Published:
    """pix2pix's step: fake and real judged one after the other, each network by a plain Adam."""

    def __init__(self, generator: Module, critic: Module, *, rate: float, beta1: float) -> None:
        self.generator = self.averaged = generator
        self.critic = critic
        self.adam = torch.optim.Adam(generator.parameters(), lr=rate, betas=(beta1, 0.999))
        self.critic_adam = torch.optim.Adam(critic.parameters(), lr=rate, betas=(beta1, 0.999))
        self.judged_as, self.apart = BCEWithLogitsLoss(), L1Loss()

    @property
    def parameters(self) -> int:
        return sum(w.numel() for network in (self.generator, self.critic)
                   for w in network.parameters())  # fmt: skip

    def gan(self, logits: Tensor, real: float) -> Tensor:
        return self.judged_as(logits, torch.tensor(real).expand_as(logits))

    def step(self, clean: Tensor, noisy: Tensor) -> dict[str, Tensor]:
        output = self.generator(noisy)
        self.critic.requires_grad_(True)
        self.critic_adam.zero_grad()
        fake = self.gan(self.critic(output.detach(), noisy), 0.0)
        real = self.gan(self.critic(clean, noisy), 1.0)
        judged = (fake + real) * 0.5
        judged.backward()
        self.critic_adam.step()
        self.critic.requires_grad_(False)
        self.adam.zero_grad()
        losses = {
            "cgan": self.gan(self.critic(output, noisy), 1.0),
            "l1": self.apart(output, clean),
        }
        (losses["cgan"] + losses["l1"] * 100.0).backward()
        self.adam.step()
        return {name: loss.detach() for name, loss in (losses | {"critic": judged}).items()}


class Repeated(Dataset[Tensor]):
    """The crops of a batch over and over."""

    def __init__(self, clean: Tensor, count: int) -> None:
        self.clean, self.count = clean, count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        if index >= self.count:
            raise IndexError(index)
        return self.clean[index % len(self.clean)]


class Reconstructor(Module):
    """A denoiser as deepinv calls it: what was measured, and how."""

    def __init__(self, denoiser: Module) -> None:
        super().__init__()
        self.denoiser = denoiser

    def forward(self, measured: Tensor, physics: object, **knobs: object) -> Tensor:
        return self.denoiser(measured)


def deepinv_step(
    generator: Module, critic: Module, clean: Tensor, *, sigma: float, rate: float, steps: int
) -> Callable[[], object]:
    """Set up `AdversarialTrainer` as its demonstration does, without what is not training.

    L1 and least squares; no metrics of training images, no progress bar, no plots, nothing saved.
    What is called is the trainer's own step: batch from the loader, noise, both networks.
    """
    prepare()
    from deepinv.loss import SupLoss
    from deepinv.loss.adversarial import (
        SupAdversarialDiscriminatorLoss,
        SupAdversarialGeneratorLoss,
    )
    from deepinv.physics import Denoising, GaussianNoise
    from deepinv.training import AdversarialOptimizer, AdversarialTrainer

    loader = DataLoader(Repeated(clean, len(clean) * steps), batch_size=len(clean))
    trainer = AdversarialTrainer(
        model=Reconstructor(generator),
        D=critic,
        physics=Denoising(GaussianNoise(sigma)),
        train_dataloader=loader,
        online_measurements=True,
        losses=[SupLoss(metric=L1Loss()), SupAdversarialGeneratorLoss(device="cpu")],
        losses_d=SupAdversarialDiscriminatorLoss(device="cpu"),
        optimizer=AdversarialOptimizer(
            torch.optim.Adam(generator.parameters(), lr=rate, weight_decay=1e-8),
            torch.optim.Adam(critic.parameters(), lr=rate, weight_decay=1e-8),
        ),
        optimizer_step_multi_dataset=False,
        metrics=None,
        compute_train_metrics=False,
        verbose=False,
        show_progress_bar=False,
        save_path=None,
        device="cpu",
    )
    trainer.setup_train()
    trainer.current_train_iterators = [iter(loader)]
    trainer.model.train()
    taken = iter(range(steps))
    return lambda: trainer.step(0, None, train_ite=next(taken), train=True)


def ldct_trainer(folder: Path, *, batch: int, patch: int, rate: float, beta1: float) -> Any:
    """ldct-benchmark's trainer of its RED-CNN; its data set names files and opens none."""
    prepare()
    import wandb
    from ldctbench.methods.redcnn.Trainer import Trainer

    wandb.init(mode="disabled", dir=str(folder))
    settings = Namespace(
        seed=0, datafolder=str(folder), data_subset=1.0, patchsize=patch, data_norm="meanstd",
        mbs=batch, iterations_before_val=1000, num_workers=0, cuda=False, devices=0,
        optimizer="adam", lr=rate, adam_b1=beta1, adam_b2=0.999,
    )  # fmt: skip
    return Trainer(settings, torch.device("cpu"))


def by_layer(network: Module, *, decoder_backwards: bool) -> Iterator[Tensor]:
    """Weights of a RED-CNN in the order in which its layers run."""
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    up = [m for m in network.modules() if isinstance(m, torch.nn.ConvTranspose2d)]
    for layer in [*layers, *(reversed(up) if decoder_backwards else up)]:
        yield from (layer.weight, layer.bias)
