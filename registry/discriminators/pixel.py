"""PixelGAN: a critic of 1 × 1 convolutions, which sees no texture."""

from torch import Tensor, nn

from denoisebench import discriminator

from ._patch import NORMS, check, initialise, paired


class PixelGAN(nn.Module):
    """Three 1 × 1 convolutions: a logit for each pixel."""

    def __init__(self, *, width: int, norm: str, condition: bool) -> None:
        super().__init__()
        check("pixel", width=width, norm=norm)
        self.condition = condition
        self.layers = nn.Sequential(
            nn.Conv2d(1 + condition, width, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 1, bias=norm == "none"),
            NORMS[norm](2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1),
        )
        self.apply(initialise)

    def forward(self, image: Tensor, condition: Tensor | None = None) -> Tensor:
        """Judge (B, 1, H, W), beside the noisy slice of the same shape unless condition=False."""
        return self.layers(paired(image, condition, "pixel", wanted=self.condition))


@discriminator("pixel", parameters=8_769)
def pixel(*, width: int = 64, norm: str = "instance", condition: bool = True) -> nn.Module:
    """pix2pix's 1 × 1 PixelGAN (Isola et al., 2017, arXiv:1611.07004, appendix 6.1.2).

    (image, noisy), each (B, 1, H, W) in [-1, 1] → logits (B, 1, H, W).

    It judges grey levels, not texture: a pixel's logit knows its neighbours only through the
    norm's mean and variance, and with norm="none" not at all.

    Knobs:
        width: channels of the first layer; the second has twice as many.
        norm: "instance", "batch" or "none".
        condition: judge the image beside the noisy slice it came from, or by itself.
    """
    return PixelGAN(width=width, norm=norm, condition=condition)
