"""Every generator trains against every discriminator under every loss, and every baseline runs."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from denoisebench import UsageError
from denoisebench.data.dataset import DataSet
from denoisebench.data.scan import Slice
from denoisebench.plugins.contracts.samples import grey, scaled, side, with_noise
from denoisebench.plugins.expression import Part, resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.scoring.run import Bench, run_baseline
from denoisebench.task.task import load_task, task_names
from denoisebench.training.objective import Judge, Objective

CATALOGUE = find()
LARGEST = 512


def expression(loss):
    """A loss beside what it needs: every triple has a critic."""
    return loss.name if loss.adversarial else f"cgan + {loss.name}"


def two_steps(generator, critic, objective, size):
    """Train twice as the loop does; return the losses."""
    clean = scaled(grey(2, size, size))
    noisy = scaled(with_noise(grey(2, size, size)))
    optimisers = [torch.optim.Adam(network.parameters(), 1e-4) for network in (generator, critic)]
    judge, seen = Judge(objective, critic, critic, size), []
    for _ in range(2):
        output = generator(noisy)
        critic.requires_grad_(True)
        loss, penalties, real = judge(output, clean, noisy)
        optimisers[1].zero_grad()
        loss.backward()
        optimisers[1].step()
        critic.requires_grad_(False)
        terms = objective.generator_terms(output, clean, critic(output, noisy), real)
        optimisers[0].zero_grad()
        objective.total(terms).backward()
        optimisers[0].step()
        seen += [float(value.detach()) for value in (loss, *penalties.values(), *terms.values())]
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("critic", CATALOGUE.of("discriminator"), ids=lambda card: card.name)
@pytest.mark.parametrize("generator", CATALOGUE.of("generator"), ids=lambda card: card.name)
def test_every_loss_trains_this_pair_for_two_steps(generator, critic, lpips_weights):
    torch.manual_seed(0)
    networks = [build(Part(card, 1.0, {})).train() for card in (generator, critic)]
    before = [deepcopy(network.state_dict()) for network in networks]
    smallest = side(int(str(generator.facts.get("multiple", 1))))
    for loss in CATALOGUE.of("loss"):
        # Afresh for each loss: a critic that tells all apart already learns nothing from `hinge`.
        for network, state in zip(networks, before, strict=True):
            network.load_state_dict(state)
        objective = Objective(resolve(expression(loss), "loss", CATALOGUE))
        size = smallest
        while True:
            try:
                values = two_steps(*networks, objective, size)
                break
            except UsageError:  # too small for the critic or the loss
                size *= 2
                assert size <= LARGEST, loss.name
        assert np.isfinite(values).all(), (loss.name, values)
        for network, state in zip(networks, before, strict=True):
            name, parameter = next(network.named_parameters())
            assert not torch.equal(parameter, state[name]), loss.name


@pytest.mark.slow
@pytest.mark.parametrize("card", CATALOGUE.of("baseline"), ids=lambda card: card.name)
def test_every_baseline_stands_on_a_board_of_every_task(card, tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    clean = grey(8, 40, 44)[:, 0].numpy().astype(np.int16) - 100
    slices = [Slice(hu, f"patient {number}", "1.2") for number, hu in enumerate(clean)]
    data = DataSet("made", tuple(slices[:4]), tuple(slices[4:6]), tuple(slices[6:]))
    for name in task_names():
        task = load_task(name).model_copy(update={"metrics": ("psnr",)})
        bench = Bench(data, task, CATALOGUE, torch.device("cpu"), tmp_path / "runs")
        result, before = (run_baseline(bench, text) for text in (card.name, "noisy"))
        assert result.status == "done"
        gain = result.metrics["psnr"].mean - before.metrics["psnr"].mean
        assert gain > 3 or card.name == "noisy", (name, gain)
