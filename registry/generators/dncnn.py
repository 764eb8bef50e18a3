"""DnCNN: seventeen convolutions that predict the noise."""

from torch import Tensor, nn

from denoisebench import UsageError, generator


class Plain(nn.Module):
    """3 × 3 convolutions with BatchNorm and ReLU between; the output is noisy - predicted noise."""

    def __init__(self, *, depth: int, width: int) -> None:
        super().__init__()
        if depth < 2:
            raise UsageError(f"dncnn needs a depth of at least 2, got {depth}")
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [
                nn.Conv2d(width, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width, eps=1e-4),
                nn.ReLU(),
            ]
        layers.append(nn.Conv2d(width, 1, 3, padding=1, bias=False))
        self.layers = nn.Sequential(*layers)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                nn.init.orthogonal_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W) of any size, grey levels in [-1, 1]."""
        return noisy - self.layers(noisy)


@generator("dncnn", parameters=556_096)
def dncnn(*, depth: int = 17, width: int = 64) -> nn.Module:
    """DnCNN for one noise level (Zhang et al., 2017, arXiv:1608.03981, sec. III).

    (B, 1, H, W) in [-1, 1] → the same shape, any sides.

    Layers, biases, epsilon and start are those of the authors' PyTorch training code (cszn/DnCNN,
    TrainingCodes/dncnn_pytorch/main_train.py), whose default network has 556,096 parameters.
    Differs from it: BatchNorm's momentum is PyTorch's 0.1 (theirs, 0.95, keeps one batch).

    Knobs:
        depth: number of convolutions.
        width: channels between them.
    """
    return Plain(depth=depth, width=width)
