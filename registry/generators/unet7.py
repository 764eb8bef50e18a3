"""The deck's generator: seven skip levels and a bottleneck, 54 million parameters."""

from torch import nn

from denoisebench import generator

from ._unet import UNet


@generator("unet7", multiple=256, parameters=54_407_809)
def unet7(
    *,
    width: int = 64,
    norm: str = "group",
    dropout: float = 0.0,
    residual: bool = True,
    upsample: str = "transpose",
    stem: str = "none",
) -> nn.Module:
    """pix2pix's `unet_256` for one channel (Isola et al., 2017, arXiv:1611.07004).

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 256.

    Every norm with scale and shift gives the same count. GroupNorm is the default because it treats
    each slice by itself at any batch size, and because its statistics mix channels, so that the
    mean grey level of a slice, which is HU, survives; InstanceNorm subtracts it.
    `unet7(norm="instance", dropout=0.5, residual=False)` is the network of the deck.

    Knobs:
        width: channels of the first level; the deepest levels have eight times as many.
        norm: "group", "instance", "batch" or "none".
        dropout: share of features dropped in three inner decoder blocks while training.
        residual: predict the noise and subtract it; otherwise predict the slice through a tanh.
        upsample: "transpose", or "resize" (nearest neighbour, then a 3 × 3 convolution), which
            cannot make checkerboards (Odena et al., 2016, doi:10.23915/distill.00003).
        stem: "full" adds a level of `width` maps at the slice's own size; "none" does not.
    """
    return UNet(
        "unet7",
        8,
        width=width,
        norm=norm,
        dropout=dropout,
        residual=residual,
        upsample=upsample,
        stem=stem,
    )
