"""RED-CNN: an encoder and a decoder of 5 × 5 convolutions with shortcuts, the classic of LDCT."""

from itertools import pairwise

from torch import Tensor, nn

from denoisebench import UsageError, generator

from ._checks import check_counts

DEPTH = 5  # convolutions, and as many transposed ones
SMALLEST = 4 * DEPTH + 1  # each convolution takes two pixels from every border


class EncoderDecoder(nn.Module):
    """Five convolutions and five transposed ones; every second map is added on the way back."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        check_counts("redcnn", width=width)
        channels = [1, *[width] * DEPTH]
        pairs = list(pairwise(channels))
        self.encoder = nn.ModuleList(nn.Conv2d(below, above, 5) for below, above in pairs)
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(above, below, 5) for below, above in pairs)
        for layer in (*self.encoder, *self.decoder):
            nn.init.normal_(layer.weight, 0.0, 0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, noisy: Tensor) -> Tensor:
        """Denoise (B, 1, H, W), sides of at least 21, grey levels in [-1, 1]."""
        height, width = noisy.shape[-2:]
        if min(height, width) < SMALLEST:
            raise UsageError(
                f"redcnn needs sides of at least {SMALLEST}, got {height} × {width}; "
                "give it a larger slice"
            )
        maps = [noisy]
        for layer in self.encoder:
            maps.append(layer(maps[-1]).relu())
        features = maps[DEPTH]
        for level in reversed(range(DEPTH)):
            features = self.decoder[level](features)
            if level % 2 == 0:  # the input, and what the second and fourth convolution made
                features = features + maps[level]
            if level:
                features = features.relu()
        return features


@generator("redcnn", parameters=1_848_865)
def redcnn(*, width: int = 96) -> nn.Module:
    """RED-CNN for low-dose CT (Chen et al., 2017, arXiv:1702.00288, fig. 1).

    (B, 1, H, W) in [-1, 1] → the same shape; any sides of at least 21. The last shortcut adds the
    input, so that the network predicts what to add to it: the noise, negated.

    No convolution is padded, as in the paper: the transposed ones give back what the others took.
    Weights start from N(0, 0.01²). Differs from the paper: no ReLU on the output, since half of the
    grey levels in [-1, 1] are negative.

    Knobs:
        width: channels of every map between the first and the last layer.
    """
    return EncoderDecoder(width=width)
