"""PatchGAN with a chosen number of strided layers: patches from 16 × 16 to 574 × 574."""

from torch import nn

from denoisebench import UsageError, discriminator

from ._patch import PatchGAN

MOST = 6


@discriminator("patchn", parameters=2_764_609)
def patchn(
    *, layers: int = 3, width: int = 64, norm: str = "instance", condition: bool = True
) -> nn.Module:
    """pix2pix's PatchGAN of any depth (Isola et al., 2017, arXiv:1611.07004, section 4.4).

    (image, noisy), each (B, 1, H, W) in [-1, 1] → logits (B, 1, H/2^layers - 2, W/2^layers - 2).

    One to six layers judge patches of 16, 34, 70, 142, 286 and 574 pixels a side; 16, 70 and 286
    (the whole crop, "ImageGAN") are the paper's. Three make `patch3`.

    Knobs:
        layers: strided ones, 1 to 6; the sides of a crop are at least 3 · 2^layers.
        width: channels of the first layer; they double up to eight times as many.
        norm: "instance", "batch" or "none".
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    if not 1 <= layers <= MOST:
        raise UsageError(
            f"patchn takes 1 to {MOST} layers, got {layers}; pixel judges each pixel by itself"
        )
    return PatchGAN("patchn", layers=layers, width=width, norm=norm, condition=condition)
