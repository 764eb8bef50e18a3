"""VIF: how much of the target's information is left."""

import torch
from torch import Tensor

from denoisebench import UsageError, metric

from ._smooth import gaussian, smooth

WINDOWS = (17, 9, 5, 3)  # of the four scales; each is halved after its own window has smoothed it
SMALLEST = 41  # what leaves the coarsest scale a pixel
NOISE = 2.0  # variance of the eye's noise, grey levels²
NOTHING = 1e-8  # a variance below it is none: rounding of float64


@metric("vif", unit="", better="higher", version=1)
@torch.no_grad()
def vif(output: Tensor, target: Tensor) -> Tensor:
    """Visual information fidelity per slice, in its authors' version for the pixel domain.

    Sheikh and Bovik (2006, doi:10.1109/TIP.2005.859378). 1 for equal slices; above 1 where the
    output has more contrast than the target. A flat target holds no information, and noise on it
    loses none: such a slice scores 1.

    (output, target), each (B, 1, H, W) grey levels, not clipped, sides from 41 → (B,) float64.

    Differs from: piq (equal with data_range=255; wants values in [0, 255], and takes a hundred
    times as long in float64), scikit-video and others in the wavelet domain.
    """
    height, width = output.shape[-2:]
    if min(height, width) < SMALLEST:
        raise UsageError(f"vif needs sides of at least {SMALLEST}, got {height} × {width}")
    output, target = output.double(), target.double()
    left = held = NOTHING
    for scale, window in enumerate(WINDOWS):
        if scale:
            output, target = (blurred(each, window)[..., ::2, ::2] for each in (output, target))
        bits = information(output, target, window)
        left, held = left + bits[0], held + bits[1]
    return left / held


def information(output: Tensor, target: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """Return the information about the target in the output and in the target, (B,) each.

    The output is taken for gain · target + noise, with both fitted in each window.
    """
    moments = (output, target, output.square(), target.square(), output * target)
    first, second, first2, second2, product = (blurred(moment, window) for moment in moments)
    variance, signal = (first2 - first.square()).relu(), (second2 - second.square()).relu()
    covariance = product - first * second
    gain = covariance / (signal + NOTHING)
    gain = torch.where((signal < NOTHING) | (variance < NOTHING), 0.0, gain).relu()
    noise = torch.where(gain > 0, variance - gain * covariance, variance).clamp(min=NOTHING)
    signal = torch.where(signal < NOTHING, 0.0, signal)
    left = torch.log1p(gain.square() * signal / (noise + NOISE))
    return left.sum(dim=(1, 2, 3)), torch.log1p(signal / NOISE).sum(dim=(1, 2, 3))


def blurred(image: Tensor, window: int) -> Tensor:
    """Filter by a Gaussian of a fifth of the window, over the valid region."""
    return smooth(image, gaussian(window, window / 5))
