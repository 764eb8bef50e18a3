"""PatchGAN with three strided layers: judges overlapping patches of 70 × 70."""

from torch import nn

from denoisebench import discriminator

from ._patch import PatchGAN


@discriminator("patch3", parameters=2_764_609)
def patch3(*, width: int = 64, norm: str = "instance", condition: bool = True) -> nn.Module:
    """pix2pix's PatchGAN for one channel (Isola et al., 2017, arXiv:1611.07004, appendix 6.1.2).

    (image, noisy), each (B, 1, H, W) in [-1, 1] → logits (B, 1, H/8 - 2, W/8 - 2).

    InstanceNorm and BatchNorm with scale and shift give the same count, and at pix2pix's batch of
    one they are the same function. InstanceNorm is the default because the logits of a slice then
    depend on no other slice of the batch, so several devices train as one does.

    Knobs:
        width: channels of the first layer; the last has eight times as many.
        norm: "instance", "batch" or "none".
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    return PatchGAN("patch3", width=width, norm=norm, condition=condition)
