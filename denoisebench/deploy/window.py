"""What a denoiser is shown of a slice in HU, and what is taken of its answer.

A denoiser is trained on the task's window, clean slices clipped to it and noise added to that. It
knows what stands inside, and of air, lung, bone and metal that they lie beyond an end. So:

- inside, it is shown the slice as it is, noise and all, which may reach beyond the ends. Clipping
  it would move the mean of fat and muscle, since one half of the noise would be cut off;
- pixels that noise cannot have carried there from inside are shown as in training: the end of the
  window under the task's noise;
- its answer is taken, except where it says «the end of the window» and what it took away there is
  more than noise can explain. There the slice keeps the HU it came with, noise included.

Both changes fade in, so no seam is seen; and on either side of one stands something without bias:
the answer where the answer can be right, the slice itself elsewhere.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from denoisebench.task import Task
from denoisebench.task.noise import normal_deviates
from denoisebench.task.task import PEAK

POLICY = 1  # of this file; part of what new UIDs are made from
FAR = (4.5, 5.5)  # deviations of the noise beyond an end: none is surely inside, none surely not
SHOWN = 3.5  # deviations beyond an end; further out, the denoiser is shown the end itself
UNEXPLAINED = (4.0, 6.0)  # deviations of a mean of noise, likewise
WIDTH = 3.0  # pixels; of the Gaussian that the mean is taken with
EDGE = (0.2, 0.55)  # deviations from an end; nearer, an answer says «the end»

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Window:
    """A task's window, for slices that reach beyond it.

    Attributes:
        task: whose window; clipped where its noise is.
        sigma: of the noise that is to be removed, in grey levels.
    """

    task: Task
    sigma: float

    @property
    def sigma_hu(self) -> float:
        """Of the noise that is to be removed, in HU."""
        return self.sigma / self.task.grey_per_hu

    def shown(self, hu: Image, padding: NDArray[np.bool_], digest: str) -> Image:
        """Return what the denoiser is to be shown.

        Args:
            hu: (H, W).
            padding: (H, W), where nothing was measured.
            digest: of the slice, in hex; the noise beyond the window is a function of it.
        Returns:
            (H, W) grey levels, clipped only where the task clips.
        """
        grey = (hu - self.task.window_hu[0]) * self.task.grey_per_hu
        beyond = SHOWN * self.sigma
        noise = self.sigma * normal_deviates(digest, "beyond the window", 0, hu.shape)
        grey = np.where((grey < -beyond) | padding, noise, grey)
        grey = np.where(grey > PEAK + beyond, PEAK + noise, grey)
        return grey.clip(0, PEAK) if self.task.noise.eight_bit else grey

    def merged(self, hu: Image, padding: NDArray[np.bool_], answer: Image) -> Image:
        """Return the denoised slice.

        Args:
            hu, padding: see `shown`.
            answer: (H, W) grey levels, the denoiser's.
        Returns:
            (H, W) HU; those of the slice where `padding`.
        """
        given = (hu - self.task.window_hu[0]) * self.task.grey_per_hu
        own = padding.astype(np.float64)
        for sign, end in ((-1.0, 0.0), (1.0, PEAK)):
            # Deviations of the noise, positive outwards from this end of the window.
            outside, told = sign * (given - end) / self.sigma, sign * (answer - end) / self.sigma
            says_end = 1 - _rise(-told, EDGE)
            excess = outside - told.clip(max=0)  # a clean slice of the task ends with the window
            unexplained = _rise(_z(excess, says_end * ~padding), UNEXPLAINED)
            own = np.maximum(own, np.maximum(says_end * unexplained, _rise(outside, FAR)))
        # Not by way of grey levels: what is kept is kept to the last digit.
        denoised = answer / self.task.grey_per_hu + self.task.window_hu[0]
        return cast(Image, np.where(own == 1, hu, own * hu + (1 - own) * denoised))


def _z(excess: Image, share: Image) -> Image:
    """Average `excess` around each pixel over pixels that count by `share`, in its deviations.

    Args:
        excess: (H, W), of deviation 1 and mean 0 where it is white noise.
        share: (H, W), 0 to 1.
    Returns:
        (H, W), of deviation 1 where it is white noise; 0 where nothing counts.
    """
    total = gaussian_filter(excess * share, WIDTH, mode="constant")
    # The square of a Gaussian is one of 1/√2 the width, times 1/(4π width²).
    variance = gaussian_filter(share**2, WIDTH / np.sqrt(2), mode="constant")
    deviation = np.sqrt(variance.clip(0) / (4 * np.pi)) / WIDTH
    none = np.zeros_like(total)
    return cast(Image, np.divide(total, deviation, out=none, where=deviation > 1e-6))


def _rise(value: Image, between: tuple[float, float]) -> Image:
    """Rise smoothly from 0 to 1 between two values."""
    low, high = between
    place = ((value - low) / (high - low)).clip(0, 1)
    return cast(Image, place * place * (3 - 2 * place))
