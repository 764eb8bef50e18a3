"""The bias of mean HU in a tissue: what a reader measures with a circle on the screen."""

import math
from typing import Literal

import torch
from torch import Tensor

from denoisebench import metric

# HU from, below. Fat and soft tissue as body composition on CT has them.
TISSUES = {
    "air": (-math.inf, -950.0),
    "lung": (-950.0, -500.0),
    "fat": (-190.0, -30.0),
    "soft": (-30.0, 150.0),
    "bone": (150.0, math.inf),
}
FEWEST = 50  # pixels: the mean of fewer is noise more than bias


@metric("hu_bias", unit="HU", better="lower", version=1)
@torch.no_grad()
def hu_bias(
    output: Tensor,
    target: Tensor,
    *,
    tissue: Literal["worst", "air", "lung", "fat", "soft", "bone"] = "worst",
    window_hu: tuple[float, float] = (-160.0, 240.0),
) -> Tensor:
    """Absolute error of the mean HU of a tissue, per slice; 0 for equal slices.

    Noise averages out; a wrong level does not, and a wrong level is what diagnoses by HU (fat in
    the liver, density of bone) suffer from. A tissue is where the target is within its range of HU
    on at least 50 pixels: fat -190 to -30, soft -30 to 150 (doi:10.1038/s41598-025-96238-6), bone
    from 150, lung -950 to -500, air below. Pixels at the window's floor or ceiling count only where
    all that they may stand for is that tissue. A slice without any tissue is judged as a whole; one
    without the tissue that was asked for has no value (NaN).

    (output, target), each (B, 1, H, W) grey levels, not clipped → (B,) float64.

    Differs from: a signed bias, which has no better direction and whose mean over slices cancels.

    Knobs:
        tissue: whose bias; "worst" is the largest of those in the slice.
        window_hu: the HU that grey levels 0 and 255 stand for; the task fills it in.
    """
    low, high = window_hu
    hu = target.double().flatten(1) * (high - low) / 255 + low
    error = (output.double() - target.double()).flatten(1) * (high - low) / 255
    names = TISSUES if tissue == "worst" else (tissue,)
    biases = torch.stack([bias(error, where(hu, name, window_hu)) for name in names])
    if tissue != "worst":
        return biases[0]
    largest = biases.nan_to_num(nan=-1.0).amax(dim=0)
    return torch.where(largest < 0, error.mean(dim=1).abs(), largest)


def bias(error: Tensor, mask: Tensor) -> Tensor:
    """Return the absolute mean error under a mask, (B, N) → (B,); NaN where it is too small."""
    count = mask.sum(dim=1)
    mean = (error * mask).sum(dim=1) / count
    return torch.where(count < FEWEST, math.nan, mean.abs())


def where(hu: Tensor, tissue: str, window_hu: tuple[float, float]) -> Tensor:
    """Return the mask of a tissue in a clean slice of HU that was clipped to the window."""
    start, stop = TISSUES[tissue]
    low, high = window_hu
    edge = 1e-6 * (high - low)  # HU → grey level → HU rounds
    inside = (hu >= start) & (hu < stop) & (hu > low + edge) & (hu < high - edge)
    if start == -math.inf and low < stop:
        inside |= hu <= low + edge
    if stop == math.inf and high >= start:
        inside |= hu >= high - edge
    return inside
