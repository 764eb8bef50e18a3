"""What a generator promises beside what every network does."""

import torch
from torch.nn import Module
from torch.nn.functional import pad

from denoisebench.plugins.card import Card
from denoisebench.plugins.contracts import contract
from denoisebench.plugins.contracts.networks import inputs, multiple
from denoisebench.plugins.contracts.samples import finite, grey, scaled, side, with_noise


@contract("generator", mend="return (B, 1, H, W) float32 for (B, 1, H, W) float32, square or not")
@torch.no_grad()
def keeps_the_shape(generator: Module, card: Card) -> None:
    """The output has the input's shape and type, for one slice that is wider than high."""
    length = side(multiple(card))
    noisy = scaled(with_noise(grey(1, length, 2 * length)))
    output = generator(noisy)
    assert output.shape == noisy.shape, f"{tuple(noisy.shape)} became {tuple(output.shape)}"
    assert output.dtype == noisy.dtype, f"{noisy.dtype} became {output.dtype}"


@contract("generator", mend="say multiple=N in the mark: the sides of a slice must divide by it")
@torch.no_grad()
def takes_odd_sides_once_padded(generator: Module, card: Card) -> None:
    """A slice of odd sides, padded by reflection to `multiple`, can be denoised."""
    divisor = multiple(card)
    times = -(-32 // divisor) | 1  # odd, since networks that say too little need twice as much
    height, width = divisor * times - divisor // 3, divisor * times - divisor // 5
    noisy = scaled(with_noise(grey(1, height, width)))
    padded = pad(noisy, (0, -width % divisor, 0, -height % divisor), mode="reflect")
    size = f"{padded.shape[-2]} × {padded.shape[-1]}"
    try:
        output = generator(padded)
    except Exception as error:
        reason = f"{size} divides by {divisor} and is refused: {type(error).__name__}: {error}"
        raise AssertionError(reason) from None
    became = tuple(output.shape[-2:])
    assert became == padded.shape[-2:], f"{size} divides by {divisor} and became {became}"


@contract("generator", mend="divide by nothing that can be zero; bound what you exponentiate")
@torch.no_grad()
def stays_finite(generator: Module, card: Card) -> None:
    """Noise far outside [-1, 1] and a slice of nothing but air give finite values."""
    (noisy,) = inputs(card, batch=1)
    for name, image in (("3 × the range", 3 * noisy), ("air", torch.full_like(noisy, -1.0))):
        bad = finite(generator(image))
        assert not bad, f"{name}: {bad}"
