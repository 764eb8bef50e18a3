"""The deck's generator read literally: seven strided convolutions, 42 million parameters."""

from torch import nn

from denoisebench import generator

from ._unet import UNet


@generator("unet6", multiple=128, parameters=41_822_849)
def unet6(
    *,
    width: int = 64,
    norm: str = "group",
    dropout: float = 0.0,
    residual: bool = True,
    upsample: str = "transpose",
    stem: str = "none",
) -> nn.Module:
    """pix2pix's `unet_128` for one channel (Isola et al., 2017, arXiv:1611.07004).

    (B, 1, H, W) in [-1, 1] → the same shape; sides divisible by 128. Six skip levels and a
    bottleneck; all else as in `unet7`.

    Knobs:
        width: channels of the first level; the deepest levels have eight times as many.
        norm: "group", "instance", "batch" or "none".
        dropout: share of features dropped in two inner decoder blocks while training.
        residual: predict the noise and subtract it; otherwise predict the slice through a tanh.
        upsample: "transpose", or "resize" (nearest neighbour, then a 3 × 3 convolution), which
            cannot make checkerboards (Odena et al., 2016, doi:10.23915/distill.00003).
        stem: "full" adds a level of `width` maps at the slice's own size; "none" does not.
    """
    return UNet(
        "unet6",
        7,
        width=width,
        norm=norm,
        dropout=dropout,
        residual=residual,
        upsample=upsample,
        stem=stem,
    )
