"""What a classical baseline promises.

With `batched=True` on its card it takes (B, 1, H, W) tensors, otherwise (H, W) float64 arrays; the
contracts see slices as arrays either way.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.samples import SIGMA, grey, with_noise

Slice = NDArray[np.float64]
Baseline = Callable[[Any, float], Any]

_SHIFT = 10.0  # grey levels that the mean may move; an image scaled to [0, 1] moves it by 60

_AGAIN = 1e-3  # grey levels: BM3D's threads add float32 in another order, which moves 1e-4


def noisy(height: int = 32, width: int = 40) -> Slice:
    """Return one noisy slice in grey levels; its values leave 0–255 on both sides."""
    return with_noise(grey(1, height, width))[0, 0].double().numpy()


def denoised(baseline: Baseline, card: Card, image: Slice) -> Any:
    """Call a baseline on one slice; what comes is the baseline's, unchecked."""
    if not card.facts.get("batched"):
        return baseline(image, SIGMA)
    return baseline(torch.from_numpy(image)[None, None], SIGMA)[0, 0].numpy()


@contract("baseline", mend="return an array of the input's shape and of float64")
def keeps_shape_and_type(baseline: Baseline, card: Card) -> None:
    """A slice that is wider than high comes back as float64 of the same shape."""
    image = noisy()
    output = denoised(baseline, card, image)
    assert isinstance(output, np.ndarray), f"gives {type(output).__name__}, not an array"
    assert output.shape == image.shape, f"{image.shape} became {output.shape}"
    assert output.dtype == np.float64, f"float64 became {output.dtype}"


@contract("baseline", mend="pad inside, and crop what you return")
def takes_odd_sides(baseline: Baseline, card: Card) -> None:
    """Slices of odd and of prime sides are denoised at their size."""
    for height, width in ((33, 41), (31, 48)):
        output = denoised(baseline, card, noisy(height, width))
        assert output.shape == (height, width), f"{(height, width)} became {output.shape}"


@contract("baseline", mend="divide by nothing that can be zero")
def stays_finite(baseline: Baseline, card: Card) -> None:
    """Noise, a slice of one value and values far outside 0–255 give finite values."""
    image = noisy()
    cases = (("noise", image), ("air", np.zeros_like(image)), ("4 × the range", 4 * image - 300))
    for name, given in cases:
        output = denoised(baseline, card, given)
        bad = int((~np.isfinite(output)).sum())
        assert not bad, f"{name}: {bad} of {image.size} values are NaN or infinite"


@contract("baseline", mend="seed what you draw at random from the slice, or draw nothing")
def repeats_itself(baseline: Baseline, card: Card) -> None:
    """The same slice gives the same output."""
    first, second = (denoised(baseline, card, noisy()) for _ in range(2))
    difference = float(np.abs(first - second).max())
    assert difference <= _AGAIN, f"differs by {difference:.2g} grey levels"


@contract("baseline", mend="copy the slice before you write to it")
def leaves_its_input_alone(baseline: Baseline, card: Card) -> None:
    """No value of the input is edited."""
    image = noisy()
    before = image.copy()
    denoised(baseline, card, image)
    differing = float((image != before).mean())
    assert differing == 0, f"changed {differing:.1%} of its input's values"


@contract("baseline", mend="return a copy: noisy.copy()")
def gives_an_array_of_its_own(baseline: Baseline, card: Card) -> None:
    """What is returned shares no memory with the input, so that either may be edited."""
    image = noisy()
    output = np.asarray(denoised(baseline, card, image))
    assert not np.shares_memory(output, image), "returns its input or a view of it"


@contract(
    "baseline", mend="take and return grey levels: 255 is white, and sigma is in the same unit"
)
def keeps_the_grey_scale(baseline: Baseline, card: Card) -> None:
    """The mean of the slice stays where it is."""
    image = noisy()
    before, after = float(image.mean()), float(np.mean(denoised(baseline, card, image)))
    assert abs(after - before) <= _SHIFT, f"a mean of {before:.1f} became {after:.1f} grey levels"
