"""Root mean square error in Hounsfield units."""

from torch import Tensor

from denoisebench import metric


@metric("rmse_hu", unit="HU", better="lower", version=1)
def rmse_hu(
    output: Tensor, target: Tensor, *, window_hu: tuple[float, float] = (-160.0, 240.0)
) -> Tensor:
    """Root mean square error per slice over the whole slice, in HU; 0 for equal slices.

    (output, target), each (B, 1, H, W) grey levels, not clipped → (B,) float64.

    Knobs:
        window_hu: the HU that grey levels 0 and 255 stand for; the task fills it in.
    """
    low, high = window_hu
    error = (output.double() - target.double()).square().mean(dim=(1, 2, 3))
    return error.sqrt() * (high - low) / 255
