"""PatchGAN with spectral normalisation in place of InstanceNorm."""

from torch import nn

from denoisebench import discriminator

from ._patch import PatchGAN, bounded


@discriminator("patch3_sn", parameters=2_763_713)
def patch3_sn(*, width: int = 64, condition: bool = True) -> nn.Module:
    """`patch3` whose layers are 1-Lipschitz as matrices (Miyato et al., 2018, arXiv:1802.05957).

    (image, noisy), each (B, 1, H, W) in [-1, 1] → logits (B, 1, H/8 - 2, W/8 - 2).

    Each kernel, reshaped to (filters, rest), is divided by its largest singular value, the last
    layer's too. As in the paper there is no other norm; the layers have a bias instead.

    Knobs:
        width: channels of the first layer; the last has eight times as many.
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    return bounded(PatchGAN("patch3_sn", width=width, norm="none", condition=condition))
