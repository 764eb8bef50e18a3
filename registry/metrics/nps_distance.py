"""Whether what is left in flat tissue, noise and fine texture, has the target's power spectrum."""

import torch
from torch import Tensor

from denoisebench import UsageError, metric

STEP = 2  # patches overlap by half
FEWEST = 4  # patches; a slice with fewer quiet ones is measured everywhere
ROUNDING = 1 / 12  # variance of rounding to whole grey levels: power below it is silence


@metric("nps_distance", unit="", better="lower", version=1)
@torch.no_grad()
def nps_distance(output: Tensor, target: Tensor, *, patch: int = 32) -> Tensor:
    """Distance of radial noise power spectra per slice: 0 where equal, towards 1 where unlike.

    Mean over spatial frequencies f of |P(f) - Q(f)| / (P(f) + Q(f)), with P of the output and Q of
    the target: a blurred output lacks power at high frequencies and a noisy one has too much, and
    each frequency counts alike. The spectra are measured as in CT physics (Siewerdsen et al., 2002,
    doi:10.1118/1.1513158): square patches in flat tissue, freed of a fitted surface of second
    order, squared Fourier transform, averaged over patches and over rings. Flat tissue is the
    quietest quarter of the patches in which the target nowhere touches the window's ends. Where
    fewer than 4 are left, all patches of the slice count.

    (output, target), each (B, 1, H, W) grey levels, not clipped, sides from `patch` → (B,) float64.

    Differs from: Solomon et al. (2012, doi:10.1118/1.4752209), who scale each spectrum to one
    integral and take the root mean square difference, and so compare texture without its strength.

    Knobs:
        patch: side of the patches in pixels.
    """
    height, width = output.shape[-2:]
    if not 8 <= patch <= min(height, width):
        raise UsageError(
            f"nps_distance needs a patch from 8 to the slice's short side, got {patch} on "
            f"{height} × {width}; use nps_distance(patch=16)"
        )
    values = []
    for pair in zip(output[:, 0].double(), target[:, 0].double(), strict=True):
        first, second = (patches(each, patch) for each in pair)
        quiet = flat(second)
        first, second = (radial_power(each[quiet]) for each in (first, second))
        apart = (first - second).abs() / (first + second + ROUNDING)
        values.append(apart.mean())
    return torch.stack(values)


def patches(image: Tensor, side: int) -> Tensor:
    """Return the half-overlapping (N, side, side) of an (H, W)."""
    step = side // STEP
    return image.unfold(0, side, step).unfold(1, side, step).reshape(-1, side, side)


def flat(clean: Tensor) -> Tensor:
    """Return the numbers of the patches that hold tissue and little structure."""
    usable = ((clean > 0) & (clean < 255)).all(dim=2).all(dim=1).nonzero()[:, 0]
    variance = detrended(clean[usable]).square().mean(dim=(1, 2))
    quiet = usable[variance.argsort()[: len(usable) // 4]]
    return quiet if len(quiet) >= FEWEST else torch.arange(len(clean), device=clean.device)


def detrended(patch: Tensor) -> Tensor:
    """Subtract from (N, S, S) the surface of second order that fits each best."""
    side = patch.shape[-1]
    along = torch.linspace(-1, 1, side, dtype=patch.dtype, device=patch.device)
    row, column = along[:, None].expand(side, side), along[None].expand(side, side)
    one = torch.ones_like(row)
    terms = (one, row, column, row * column, row.square(), column.square())
    basis = torch.linalg.qr(torch.stack([term.flatten() for term in terms], dim=1)).Q
    flattened = patch.flatten(1)
    return (flattened - (flattened @ basis) @ basis.T).view_as(patch)


def radial_power(patch: Tensor) -> Tensor:
    """Return the mean power of (N, S, S) at the frequencies 1, 2, … S/2 per patch, grey levels²."""
    side = patch.shape[-1]
    power = torch.fft.fft2(detrended(patch), norm="ortho").abs().square().mean(dim=0)
    frequency = torch.fft.fftfreq(side, 1 / side, dtype=patch.dtype, device=patch.device)
    ring = torch.hypot(frequency[:, None], frequency[None]).round().long()
    rings = torch.zeros(side, dtype=patch.dtype, device=patch.device)
    total = rings.index_add(0, ring.flatten(), power.flatten())
    count = rings.index_add(0, ring.flatten(), torch.ones_like(power).flatten())
    return (total / count)[1 : side // 2 + 1]
