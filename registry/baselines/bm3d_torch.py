"""BM3D in torch: batched, on any device, under a free licence."""

import torch
from torch import Tensor
from torch.nn.functional import pad

from denoisebench import UsageError, baseline

from ._bm3d import BLOCK, Search, biorthogonal, collaborate, cosine, hard_threshold, wiener
from ._clipped import unclipped

_MEMBERS = (16, 32)  # of a group, in the first and the second pass
_LIMIT = 400.0  # grey levels²: what a member may differ by in the second pass
_THRESHOLD = 2.7  # in units of sigma
_PIXELS_AT_ONCE = 2**21  # on a GPU: eight slices of 512², each of which takes 0.5 GB


@baseline("bm3d_torch", batched=True, licence="Apache-2.0")
def bm3d_torch(
    noisy: Tensor,
    sigma: float,
    *,
    search: int = 39,
    step: int = 3,
    debias: bool = False,
    channels: int = 1,
    eight_bit: bool = False,
) -> Tensor:
    """BM3D on batches on any device, with a free licence (Dabov 2007, doi:10.1109/TIP.2007.901238).

    (B, 1, H, W) grey levels on any device and their noise's standard deviation → the same, not
    clipped; float32 inside. Sides of 8 pixels or more.

    Two passes over groups of like blocks of 8 × 8: hard thresholds under bior1.5, then Wiener gains
    under the DCT; Haar along the group. The first pass takes the nearest blocks however far.

    Knobs:
        search: side of the square in which like blocks are looked for, in pixels, odd.
        step: between the blocks that they are looked for, in pixels, 1 to 8; 4 is a fifth faster,
            and 0.07 dB worse.
        debias: where the task clips noise to 8 bits, take off what clipping added to the mean
            (Foi 2009, doi:10.1016/j.sigpro.2009.04.035); nothing to take off elsewhere.
        channels: noisy copies that were averaged; filled from the task.
        eight_bit: whether each copy was clipped to 0-255; filled from the task.
    """
    height, width = noisy.shape[-2:]
    if min(height, width) < BLOCK:
        raise UsageError(f"bm3d_torch needs sides of {BLOCK} pixels, got {height} × {width}")
    if search < 3 or search % 2 == 0:
        raise UsageError(f"bm3d_torch needs an odd search of at least 3, got {search}; use 39")
    if not 1 <= step <= BLOCK:
        raise UsageError(f"bm3d_torch needs a step of 1 to {BLOCK}, got {step}; use 3")
    if sigma <= 0:
        return noisy.clone()
    first = Search(_MEMBERS[0], search // 2, step)
    second = Search(_MEMBERS[1], search // 2, step, _LIMIT)
    more = (0, -(width - BLOCK) % step, 0, -(height - BLOCK) % step)  # the grid ends on the border
    # On a CPU by itself, so that no digit depends on the batch.
    at_once = 1 if noisy.device.type == "cpu" else max(1, _PIXELS_AT_ONCE // (height * width))
    outputs = []
    with torch.no_grad():
        for part in noisy.split(at_once):
            given = pad(part.float(), more, mode="reflect")[:, 0]
            threshold = hard_threshold(_THRESHOLD * sigma)
            estimate = collaborate([given], biorthogonal(), threshold, first)
            estimate = collaborate([given, estimate], cosine(), wiener(sigma**2), second)
            outputs.append(estimate[:, None, :height, :width].to(noisy.dtype))
    output = torch.cat(outputs)
    if not (debias and eight_bit):
        return output
    # sigma is that of the average of the copies; clipping met each copy by itself
    clean = unclipped(output.double().cpu().numpy(), sigma * channels**0.5)
    return torch.from_numpy(clean).to(output)
