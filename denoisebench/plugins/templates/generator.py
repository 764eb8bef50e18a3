"""my_plugin: a few convolutions. Say here what your network is, and from which paper."""

from torch import Tensor, nn

from denoisebench import UsageError, generator


class Convolutions(nn.Module):
    """Predicts the noise and subtracts it."""

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(1, width, 3, padding=1), nn.ReLU()]
        for _ in range(depth - 2):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(width, 1, 3, padding=1)]
        self.layers = nn.Sequential(*layers)

    def forward(self, noisy: Tensor) -> Tensor:
        """(B, 1, H, W) in [-1, 1] and, with noise, beyond → the same shape; nothing is clamped."""
        noise: Tensor = self.layers(noisy)
        return noisy - noise


# `parameters` is the exact count with default knobs; a contract counts them. A network that needs
# sides divisible by 8 adds `multiple=8`, and the evaluator pads by reflection.
@generator("my_plugin", parameters=19_105)
def my_plugin(*, width: int = 32, depth: int = 4) -> nn.Module:
    """Plain convolutions that predict the noise.

    Knobs:
        width: channels.
        depth: convolutions, at least two.
    """
    if width < 1 or depth < 2:
        raise UsageError(f"my_plugin needs width ≥ 1 and depth ≥ 2, got {width=}, {depth=}")
    return Convolutions(width, depth)
