"""PatchGAN with three strided layers: judges overlapping patches of 70 × 70."""

import torch
from torch import Tensor, nn

from denoisebench import UsageError, discriminator

SMALLEST = 24  # below this side the last convolution has nothing left to look at
NORMS = {
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "batch": nn.BatchNorm2d,
    "none": lambda channels: nn.Identity(),
}


class PatchGAN(nn.Module):
    """Strided 4 × 4 convolutions that end in a map of logits, one a patch."""

    def __init__(self, *, width: int, norm: str, condition: bool) -> None:
        super().__init__()
        if norm not in NORMS:
            raise UsageError(f"no norm named {norm!r}; one of: {', '.join(NORMS)}")
        self.condition = condition
        bias = norm == "none"
        layers = [nn.Conv2d(1 + condition, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for level, stride in enumerate((2, 2, 1)):
            below, filters = width * 2**level, width * 2 ** (level + 1)
            layers += [
                nn.Conv2d(below, filters, 4, stride=stride, padding=1, bias=bias),
                NORMS[norm](filters),
                nn.LeakyReLU(0.2),
            ]
        layers.append(nn.Conv2d(8 * width, 1, 4, padding=1))
        self.layers = nn.Sequential(*layers)
        self.apply(initialise)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W), beside the noisy slice of the same shape unless condition=False."""
        if min(image.shape[-2:]) < SMALLEST:
            height, width = image.shape[-2:]
            raise UsageError(
                f"patch3 needs sides of at least {SMALLEST}, got {height} × {width}; "
                "use a larger --patch"
            )
        if not self.condition:
            return self.layers(image)
        if condition is None:
            raise UsageError(
                "patch3 judges (noisy, image) pairs and was given no noisy slice; "
                "patch3(condition=False) judges the image alone"
            )
        return self.layers(torch.cat([condition, image], dim=1))


def initialise(module: nn.Module) -> None:
    """Draw as pix2pix does: convolutions from N(0, 0.02²), norm scales from N(1, 0.02²)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


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
    return PatchGAN(width=width, norm=norm, condition=condition)
