"""Each contract holds for a sound plug-in and is broken, alone, by one that breaks its promise."""

from pathlib import Path
from textwrap import dedent

import pytest

from denoisebench.plugins.card import Card, read_cards
from denoisebench.plugins.contracts import ADVERSARIAL, PENALTY, check, contracts_for, names
from denoisebench.plugins.expression import Part

GENERATOR = '''
    """Two convolutions."""
    import torch
    from torch import nn
    from denoisebench import generator


    class Small(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first = nn.Conv2d(1, width, 3, padding=1)
            self.last = nn.Conv2d(width, 1, 3, padding=1)

        def forward(self, noisy):
            features = self.first(noisy).relu()
            return noisy - self.last(features)


    @generator("small", parameters=77)
    def small(*, width: int = 4):
        """Two convolutions that predict the noise.

        Knobs:
            width: channels between them.
        """
        return Small(width)
    '''

DISCRIMINATOR = '''
    """Two strided convolutions."""
    import torch
    from torch import nn
    from denoisebench import discriminator


    class Small(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(2, 4, 4, stride=2)
            self.last = nn.Conv2d(4, 1, 4, stride=2)

        def forward(self, image, condition=None):
            if condition is None:
                condition = torch.zeros_like(image)
            features = self.first(torch.cat([image, condition], dim=1)).relu()
            return self.last(features)


    @discriminator("small", parameters=197)
    def small():
        """Judge patches."""
        return Small()
    '''

LOSS = '''
    """Charbonnier."""
    from denoisebench import loss


    @loss("small")
    def small(output, target, *, eps: float = 1e-3):
        """Mean of sqrt(difference² + eps²) - eps.

        Knobs:
            eps: where the curve turns straight.
        """
        difference = output - target
        return (difference.square() + eps**2).sqrt().mean() - eps
    '''

GAN = '''
    """Least squares."""
    import torch
    from torch.nn.functional import logsigmoid
    from denoisebench import loss


    @loss("small", adversarial=True)
    class Small:
        """Least squares."""

        def critic(self, real, fake):
            return ((real - 1).square().mean() + fake.square().mean()) / 2

        def generator(self, fake, real):
            return (fake - 1).square().mean() / 2

        def penalty(self, discriminator, real, fake, condition):
            between = ((real + fake) / 2).requires_grad_()
            total = discriminator(between, condition).sum()
            (gradient,) = torch.autograd.grad(total, between, create_graph=True)
            return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    '''

FLAT = '''
    """A flat critic."""
    import torch
    from denoisebench import loss


    @loss("small", penalty=True, weight=10)
    def small(discriminator, real, fake, condition):
        """Mean squared slope at real slices."""
        image = real.detach().clone().requires_grad_()
        total = discriminator(image, condition).mean() * len(image)
        (gradient,) = torch.autograd.grad(total, image, create_graph=True)
        return gradient.flatten(1).square().sum(dim=1).mean()
    '''

BASELINE = '''
    """A box."""
    import numpy as np
    from scipy.ndimage import uniform_filter
    from denoisebench import baseline


    @baseline("small", tune={"side": [3, 5]})
    def small(noisy, sigma, *, side: int = 3):
        """Average over a square.

        Knobs:
            side: of the square, in pixels.
        """
        smooth = uniform_filter(noisy, side)
        return smooth
    '''

METRIC = '''
    """Root mean square error."""
    import torch
    from denoisebench import metric


    @metric("small", unit="HU", better="lower", version=1)
    def small(output, target):
        """Root mean square error per slice."""
        difference = output.double() - target.double()
        error = difference.square().mean(dim=(1, 2, 3)).sqrt()
        return error
    '''

SOUND = {
    "generator": GENERATOR,
    "discriminator": DISCRIMINATOR,
    "loss": LOSS,
    ADVERSARIAL: GAN,
    PENALTY: FLAT,
    "baseline": BASELINE,
    "metric": METRIC,
}

Edit = tuple[str, str]

FORWARD = "return noisy - self.last(features)"
BROKEN: dict[tuple[str, str], list[Edit]] = {
    ("loss", "has_a_summary"): [
        ('"""Charbonnier."""', ""),
        ('"""Mean of sqrt(difference² + eps²) - eps.\n', '"""\n'),
    ],
    ("loss", "documents_its_knobs"): [("eps: where", "epsilon: where")],
    ("loss", "accepts_its_own_defaults"): [("eps: float = 1e-3", "eps: int = 1e-3")],
    ("loss", "knows_contracts_that_exist"): [('"small"', '"small", known={"no_such": "why"}')],
    ("generator", "can_be_built"): [("return Small(width)", "return Small")],
    ("generator", "has_the_parameters_it_says"): [("parameters=77", "parameters=78")],
    ("generator", "lets_the_gradient_reach_every_parameter"): [
        ("super().__init__()", "super().__init__(); self.spare = nn.Conv2d(1, 1, 1)"),
        ("parameters=77", "parameters=79"),
    ],
    ("generator", "repeats_itself"): [
        ("super().__init__()", "super().__init__(); self.calls = 0"),
        (FORWARD, f"self.calls += 1; {FORWARD} + 1e-6 * (self.calls == 2)"),
    ],
    ("generator", "treats_each_slice_alone"): [(FORWARD, f"{FORWARD} + 0.01 * noisy.mean()")],
    ("generator", "leaves_its_input_alone"): [
        ("features = self", "noisy.clamp_(-1, 1); features = self")
    ],
    ("generator", "is_the_same_after_saving"): [
        (
            "super().__init__()",
            "super().__init__(); self.register_buffer('s', torch.rand(()), persistent=False)",
        ),
        (FORWARD, f"{FORWARD} * self.s"),
    ],
    ("generator", "works_on_another_device"): [(FORWARD, f"{FORWARD} + torch.zeros(noisy.shape)")],
    ("generator", "works_in_bfloat16"): [
        ("return noisy", "assert features.dtype == torch.float32\n            return noisy")
    ],
    ("generator", "sets_no_seed"): [("return Small(", "torch.manual_seed(0); return Small(")],
    ("generator", "keeps_the_shape"): [(FORWARD, f"{FORWARD.replace('noisy', 'noisy.double()')}")],
    ("generator", "takes_odd_sides_once_padded"): [
        (
            "return noisy",
            "features = features.reshape(*features.shape[:2], noisy.shape[2] // 2, 2, -1)\n"
            "            features = features.reshape(*features.shape[:2], *noisy.shape[2:])\n"
            "            return noisy",
        )
    ],
    ("generator", "stays_finite"): [
        (FORWARD, f"{FORWARD} / noisy.std(dim=(1, 2, 3), keepdim=True)")
    ],
    ("discriminator", "gives_finite_logits"): [
        (".relu()", ".relu() / image.std(dim=(1, 2, 3), keepdim=True)")
    ],
    ("discriminator", "gives_logits_not_probabilities"): [
        ("self.last(features)", "self.last(features).sigmoid()")
    ],
    ("discriminator", "takes_a_condition_or_none"): [
        ("condition = torch.zeros_like(image)", "pass")
    ],
    ("discriminator", "lets_the_gradient_reach_the_image"): [
        ("torch.cat([image", "torch.cat([image.detach()")
    ],
    ("loss", "gives_one_number"): [("mean() - eps", "mean() - 0.5")],
    ("loss", "is_least_at_equality"): [
        ("difference = output - target", "difference = (output - target).abs() - 0.02")
    ],
    ("loss", "grows_with_noise"): [
        ("return (", "return 1 - (-1000 * difference.square().mean()).exp()\n        return (")
    ],
    ("loss", "lets_the_gradient_reach_the_output"): [
        ("output - target", "output.detach() - target")
    ],
    ("loss", "has_a_finite_gradient_at_equality"): [
        ("return (", "return difference.square().mean().sqrt()\n        return (")
    ],
    ("loss", "stays_finite"): [
        ("return (", "return (10 * difference.abs()).exp().mean()\n        return (")
    ],
    ("loss", "leaves_its_inputs_alone"): [
        ("difference = output", "target.mul_(1.000001)\n        difference = output")
    ],
    ("loss", "averages_over_the_batch"): [(".mean() - eps", ".sum() / 1000 - eps")],
    ("loss", "repeats_itself"): [
        (".mean() - eps", ".mean() * (1 + 1e-5 * output.new_empty(()).uniform_()) - eps"),
        ("eps: float = 1e-3", "eps: float = 0.0"),
        ("(difference.square() + eps**2).sqrt()", "difference.abs()"),
    ],
    (ADVERSARIAL, "gives_one_number"): [
        ("return (fake - 1).square().mean()", "return (fake - 1).square().mean((1, 2, 3)).mean()")
    ],
    (ADVERSARIAL, "rewards_a_critic_that_is_right"): [
        ("(real - 1).square().mean() + fake.sq", "real.square().mean() + (fake - 1).sq")
    ],
    (ADVERSARIAL, "rewards_a_generator_that_convinces"): [
        ("return (fake - 1)", "return (fake + 1)")
    ],
    (ADVERSARIAL, "stays_finite_on_large_logits"): [
        ("return (fake - 1).square().mean()", "return -fake.sigmoid().log().mean()")
    ],
    (ADVERSARIAL, "lets_the_gradient_reach_the_logits"): [("((real - 1)", "((real.detach() - 1)")],
    (ADVERSARIAL, "leaves_its_inputs_alone"): [
        ("return ((real", "real.data.mul_(1.0001)\n            return ((real")
    ],
    (ADVERSARIAL, "averages_over_the_batch"): [
        ("fake - 1).square().mean()", "fake - 1).square().sum()")
    ],
    (ADVERSARIAL, "has_a_penalty_that_trains"): [("create_graph=True", "create_graph=False")],
    (PENALTY, "gives_one_number"): [("sum(dim=1).mean()", "sum(dim=1).mean() - 100")],
    (PENALTY, "trains_the_discriminator"): [("create_graph=True", "create_graph=False")],
    (PENALTY, "takes_an_unconditional_critic"): [("(image, condition)", "(image, condition * 1)")],
    (PENALTY, "leaves_its_inputs_alone"): [("real.detach().clone()", "real")],
    (PENALTY, "averages_over_the_batch"): [("sum(dim=1).mean()", "sum()")],
    ("baseline", "tunes_knobs_that_it_has"): [('tune={"side"', 'tune={"size"')],
    ("baseline", "keeps_shape_and_type"): [("return smooth", "return smooth.astype(np.float32)")],
    ("baseline", "takes_odd_sides"): [
        ("return smooth", "return smooth[: len(smooth) // 2 * 2]"),
    ],
    ("baseline", "stays_finite"): [
        ("return smooth", "return smooth * np.divide(noisy.std(), noisy.std())")
    ],
    ("baseline", "repeats_itself"): [
        ("return smooth", "return smooth + np.random.default_rng().normal(size=noisy.shape)")
    ],
    ("baseline", "leaves_its_input_alone"): [("smooth = ", "noisy *= 1.001\n        smooth = ")],
    ("baseline", "gives_an_array_of_its_own"): [("return smooth", "return noisy[:]")],
    ("baseline", "keeps_the_grey_scale"): [("return smooth", "return smooth / 255")],
    ("metric", "says_how_to_read_it"): [("version=1", 'version="1"')],
    ("metric", "gives_one_float64_a_slice"): [("return error", "return error.float()")],
    ("metric", "prefers_equality"): [("return error", "return error + 1000 * (error == 0)")],
    ("metric", "prefers_less_noise"): [("return error", "return error.clamp(max=40)")],
    ("metric", "scores_each_slice_alone"): [
        ("return error", "return error + 0.1 * target.double().mean()")
    ],
    ("metric", "leaves_its_inputs_alone"): [
        ("difference = output.double()", "difference = output.clamp_(0, 255).double()")
    ],
    ("metric", "repeats_itself"): [
        ("return error", "return error * (1 + 1e-9 * torch.rand((), dtype=torch.float64))")
    ],
    ("metric", "stays_finite"): [("return error", "return error + 1 / target.amax(dim=(1, 2, 3))")],
    ("metric", "has_an_absolute_unit"): [
        ("return error", "return error / (target.double().amax(dim=(1, 2, 3)) + 1e-9)")
    ],
}


def a_card(folder: Path, kind: str, edits: list[Edit]) -> Card:
    source = SOUND[kind]
    for old, new in edits:
        assert old in source, old
        source = source.replace(old, new)
    path = folder / "small.py"
    path.write_text(dedent(source), encoding="utf-8")
    (card,) = read_cards(path)
    return card


@pytest.mark.parametrize("kind", SOUND)
def test_a_sound_plugin_keeps_every_contract(tmp_path: Path, kind: str) -> None:
    outcomes = check(a_card(tmp_path, kind, []))
    assert [outcome.name for outcome in outcomes] == list(names(kind))
    assert [outcome for outcome in outcomes if outcome.status != "passed"] == []


@pytest.mark.parametrize(("kind", "name"), BROKEN, ids=lambda value: value)
def test_a_broken_plugin_breaks_exactly_one_contract(tmp_path: Path, kind: str, name: str) -> None:
    outcomes = check(a_card(tmp_path, kind, BROKEN[kind, name]))
    failed = [outcome for outcome in outcomes if not outcome.passed]
    assert [outcome.name for outcome in failed] == [name], failed
    assert failed[0].message
    assert failed[0].mend
    assert "\n" not in failed[0].message


def test_every_contract_has_its_broken_plugin() -> None:
    shared = set(names("generator")) & set(names("discriminator"))  # one function for both
    on_every_card = set.intersection(*(set(names(kind)) for kind in SOUND))
    for kind in SOUND:
        own = {name for broken_kind, name in BROKEN if broken_kind == kind}
        elsewhere = {name for _, name in BROKEN if name in on_every_card | shared}
        assert set(names(kind)) <= own | elsewhere, kind


def test_every_contract_says_what_it_promises_and_how_to_keep_it(tmp_path: Path) -> None:
    for kind in SOUND:
        for promise, _ in contracts_for(a_card(tmp_path, kind, [])):
            assert promise.promise.endswith("."), promise
            assert promise.mend, promise
            assert promise.kind == kind


def test_a_known_failure_is_known_with_its_reason(tmp_path: Path) -> None:
    known = '"small", known={"prefers_less_noise": "it saturates", "repeats_itself": "by luck"}'
    edits = [*BROKEN["metric", "prefers_less_noise"], ('"small"', known)]
    outcomes = {outcome.name: outcome for outcome in check(a_card(tmp_path, "metric", edits))}
    assert outcomes["prefers_less_noise"].status == "known"
    assert outcomes["prefers_less_noise"].passed
    assert "(it saturates)" in outcomes["prefers_less_noise"].message
    assert outcomes["repeats_itself"].status == "passed"
    assert "take it out of known" in outcomes["repeats_itself"].message
    assert outcomes["knows_contracts_that_exist"].status == "passed"


def test_what_is_unavailable_is_skipped_with_its_reason(tmp_path: Path) -> None:
    edits = [
        ("return error", "raise Unavailable('weights small are missing')"),
        ("import metric", "import Unavailable, metric"),
    ]
    outcomes = check(a_card(tmp_path, "metric", edits))
    skipped = [outcome for outcome in outcomes if outcome.status == "skipped"]
    assert "prefers_equality" in [outcome.name for outcome in skipped]
    assert {outcome.message for outcome in skipped} == {"weights small are missing"}
    assert all(outcome.passed for outcome in outcomes)


def test_a_plugin_that_cannot_be_imported_fails_once(tmp_path: Path) -> None:
    card = a_card(
        tmp_path, "loss", [("from denoisebench", "import nowhere\n    from denoisebench")]
    )
    outcomes = check(card)
    (failed,) = [outcome for outcome in outcomes if not outcome.passed]
    assert failed.name == "can_be_built"
    assert "No module named 'nowhere'" in failed.message
    assert {o.message for o in outcomes if o.status == "skipped"} == {"it cannot be built"}


def test_contracts_see_the_knobs_of_a_part(tmp_path: Path) -> None:
    card = a_card(
        tmp_path, "generator", [("return Small(width)", "assert width == 6; return Small(6)")]
    )
    assert not all(outcome.passed for outcome in check(card))
    assert all(outcome.passed for outcome in check(Part(card, 1.0, {"width": 6})))


def test_a_batched_baseline_is_called_with_tensors(tmp_path: Path) -> None:
    edits = [
        ('"small"', '"small", batched=True'),
        ("uniform_filter(noisy, side)", "torch.nn.functional.avg_pool2d(noisy, 3, 1, 1)"),
        ("import numpy as np", "import torch"),
    ]
    outcomes = check(a_card(tmp_path, "baseline", edits))
    assert [outcome for outcome in outcomes if outcome.status != "passed"] == []


def test_checking_leaves_pytorchs_random_numbers_where_they_were(tmp_path: Path) -> None:
    import torch

    before = torch.random.get_rng_state()
    check(a_card(tmp_path, "generator", BROKEN["generator", "sets_no_seed"]))
    assert torch.equal(torch.random.get_rng_state(), before)
