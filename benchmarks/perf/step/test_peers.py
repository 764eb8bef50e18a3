"""A training step beside those of others: the same networks, batch, crops and cores.

    python -m pytest benchmarks/perf/step/test_peers.py --benchmark-only

Neither side averages weights, since no peer does. Peers get their crops for nothing.
"""

from importlib.metadata import PackageNotFoundError, version

import pytest
import torch
from arithmetic import assert_same, batch, networks, ours, theirs
from peers import Published, by_layer, deepinv_step, ldct_trainer
from turns import OURS, Turns, by_turns, recipe_for

from denoisebench.data.dataset import DataSet
from denoisebench.task.task import PEAK

GAN = {"generator": "unet7", "batch": 2, "patch": 256, "steps": 24, "ema": 0.0}
TURN = 4
HOW = "pip install --no-deps {0}=={1}, and what its import misses: benchmarks/README.md"

pytestmark = pytest.mark.filterwarnings("ignore")  # peers' own


@pytest.fixture(scope="module")
def unvalidated(slices) -> DataSet:
    """No validation slices, which peers were not given either."""
    return DataSet("perf", slices, (), slices[:1], (), ())


def needs(package: str, tested: str) -> str:
    """Skip where a peer is not installed; return how to call it."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed: {HOW.format(package, tested)}")


def say(compared, turns: Turns, peer: str, name: str, target: float) -> None:
    compared(
        turns.ratio(peer, OURS),
        beside=name,
        target=target,
        seconds=turns.median(),
        spread=turns.spread(peer, OURS),
        of_means=turns.of_means(peer, OURS),
        peer_seconds=turns.median(peer),
    )


def test_unet7_and_patch3_beside_the_published_order(
    benchmark, compared, tmp_path, task, catalogue, unvalidated
):
    recipe = recipe_for(catalogue, task, unvalidated, loss="cgan+l1", **GAN)

    def published(generator, critic):
        return Published(generator, critic, rate=recipe.learning_rate, beta1=recipe.beta1)

    before, mine = ours(recipe, unvalidated, task, catalogue, tmp_path)
    its = theirs(recipe, unvalidated, task, catalogue, before, published)
    assert_same(mine, its, before["averaged"])
    peer = published(*networks(recipe, catalogue))
    clean, noisy = batch(recipe, unvalidated, task, 0)
    others = {"pix2pix": lambda: peer.step(clean, noisy)}
    (tmp_path / "timed").mkdir()
    turns = benchmark.pedantic(
        by_turns, (recipe, unvalidated, task, catalogue, tmp_path / "timed", others), {"turn": TURN}
    )
    say(compared, turns, "pix2pix", "pix2pix's published order, default Adam", 1.10)


def test_unet7_and_patch3_beside_deepinv(
    benchmark, compared, tmp_path, task, catalogue, unvalidated
):
    name = needs("deepinv", "0.5.0")
    recipe = recipe_for(
        catalogue,
        task,
        unvalidated,
        loss="lsgan+l1",
        discriminator="patch3(condition=False)",
        **GAN,
    )
    generator, critic = networks(recipe, catalogue)
    clean, _ = batch(recipe, unvalidated, task, 0)
    step = deepinv_step(
        generator,
        critic,
        clean,
        sigma=2 * task.sigma / PEAK,
        rate=recipe.learning_rate,
        steps=GAN["steps"],
    )
    turns = benchmark.pedantic(
        by_turns,
        (recipe, unvalidated, task, catalogue, tmp_path, {"deepinv": step}),
        {"turn": TURN},
    )
    say(compared, turns, "deepinv", f"{name}, AdversarialTrainer", 1.30)


def test_redcnn_beside_ldct_benchmark(benchmark, compared, tmp_path, task, catalogue, unvalidated):
    name = needs("ldct-benchmark", "0.0.15")
    recipe = recipe_for(
        catalogue, task, unvalidated, generator="redcnn", loss="mse", batch=2, patch=64, steps=40,
        ema=0.0,
    )  # fmt: skip
    trainer = ldct_trainer(
        tmp_path, batch=recipe.batch, patch=recipe.patch, rate=recipe.learning_rate,
        beta1=recipe.beta1,
    )  # fmt: skip
    clean, noisy = batch(recipe, unvalidated, task, 0)
    network, _ = networks(recipe, catalogue)
    mine, its = (
        by_layer(network, decoder_backwards=True),
        by_layer(trainer.model, decoder_backwards=False),
    )
    with torch.no_grad():
        for weight, other in zip(mine, its, strict=True):
            other.copy_(weight)
        # 1e-5 of [-1, 1]: the same layers in float32
        torch.testing.assert_close(trainer.model(noisy), network(noisy), atol=1e-5, rtol=0)
    turns = benchmark.pedantic(
        by_turns,
        (
            recipe, unvalidated, task, catalogue, tmp_path,
            {"ldct": lambda: trainer.train_step({"x": noisy, "y": clean})},
        ),
        {"turn": TURN},
    )  # fmt: skip
    # 3 %: at best equal, to within what a step varies by
    say(compared, turns, "ldct", f"{name}, its step on its RED-CNN", 0.97)
