"""What the convolutional critics share: pix2pix's PatchGAN, its draw of weights, pairs, norms."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from denoisebench import UsageError

NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "batch": nn.BatchNorm2d,
    "none": lambda channels: nn.Identity(),
}


class PatchGAN(nn.Module):
    """Strided 4 × 4 convolutions that end in a map of logits, one a patch.

    Args:
        name: of the plug-in, for messages.
        width: channels of the first layer; they double up to eight times as many.
        norm: one of NORMS, on all layers but the first and the last.
        condition: judge the noisy slice and the image as two channels.
        layers: strided ones; two with stride 1 follow.
        padding: of each layer, 1 in pix2pix and 2 in pix2pixHD.
    """

    def __init__(
        self,
        name: str,
        *,
        width: int,
        norm: str,
        condition: bool,
        layers: int = 3,
        padding: int = 1,
    ) -> None:
        super().__init__()
        check(name, width=width, norm=norm)
        self.name, self.condition = name, condition
        # With padding 1 a layer halves, and the last two take one pixel each; with padding 2 only
        # InstanceNorm asks for something, the second pixel.
        self.smallest = 3 * 2**layers if padding == 1 else 2
        filters = [width * min(2**level, 8) for level in range(layers + 1)]
        stack = [
            nn.Conv2d(1 + condition, width, 4, stride=2, padding=padding),
            nn.LeakyReLU(0.2),
        ]
        for level in range(layers):
            stride = 2 if level + 1 < layers else 1
            stack += [
                nn.Conv2d(
                    filters[level], filters[level + 1], 4, stride, padding, bias=norm == "none"
                ),
                NORMS[norm](filters[level + 1]),
                nn.LeakyReLU(0.2),
            ]
        stack.append(nn.Conv2d(filters[-1], 1, 4, padding=padding))
        self.layers = nn.Sequential(*stack)
        self.apply(initialise)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W), beside the noisy slice of the same shape unless condition=False."""
        refuse_below(self.smallest, image, self.name)
        return self.layers(paired(image, condition, self.name, wanted=self.condition))


def check(name: str, *, width: int, norm: str = "none") -> None:
    """Refuse a width or a norm that no critic can have."""
    if norm not in NORMS:
        raise UsageError(f"no norm named {norm!r}; one of: {', '.join(NORMS)}")
    if width < 1:
        raise UsageError(f"{name} needs a width of at least 1, got {width}")


def refuse_below(smallest: int, image: Tensor, name: str) -> None:
    """Refuse slices with a side that the last layer would see nothing of."""
    height, width = image.shape[-2:]
    if min(height, width) < smallest:
        raise UsageError(
            f"{name} needs sides of at least {smallest}, got {height} × {width}; "
            "use a larger --patch"
        )


def paired(image: Tensor, condition: Tensor | None, name: str, *, wanted: bool) -> Tensor:
    """Return noisy slice and image as two channels; the image alone where no pair is wanted."""
    if not wanted:
        return image
    if condition is None:
        raise UsageError(
            f"{name} judges (noisy, image) pairs and was given no noisy slice; "
            f"{name}(condition=False) judges the image alone"
        )
    return torch.cat([condition, image], dim=1)


def initialise(module: nn.Module) -> None:
    """Draw as pix2pix does: convolutions from N(0, 0.02²), norm scales from N(1, 0.02²)."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.InstanceNorm2d | nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def bounded(network: nn.Module) -> nn.Module:
    """Divide each weight by its largest singular value (Miyato et al., 2018, arXiv:1802.05957).

    PyTorch's power iteration moves one step with each forward pass in training and stands still in
    eval mode; its vectors are buffers, so a checkpoint holds them and a resumed run is the same.
    """
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d | nn.Linear):
            spectral_norm(module)
    return network
