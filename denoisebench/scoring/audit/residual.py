"""The residual's z-map: where an output contradicts the noisy input it was made of.

What a faithful denoiser takes away is noise, and noise averages out. Where the smoothed residual
does not, structure went with it (removed) or stayed behind with the wrong sign (invented). No clean
slice is needed to look at one; validation slices are needed to calibrate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats
from scipy.special import ndtr

from denoisebench.scoring.audit.sites import Mask, choose
from denoisebench.task import Task
from denoisebench.task.noise import normal_deviates
from denoisebench.task.task import PEAK

WIDTHS = (3.0, 5.0, 8.0)  # of the Gaussians that smooth the residual, in pixels
GRADIENT_WIDTH = 1.5  # of the output's gradient, in pixels
BINS = 8  # of how busy the output is
END = 4.0  # grey levels from the window's ends: there a denoiser takes all of the noise away
FEW = 0.05  # share of such pixels nearby that calibration on tissue puts up with
LEAST = 0.5  # of white noise's deviation: a map of an output that keeps the noise is not blown up
RARE = 0.95  # share of slices in which noise alone stays below the threshold
PLACES, APART = 12, 20.0  # in even tissue of a slice, as many pixels apart
NORMAL_MAD = 0.6745  # median of |z| for a standard normal z

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """What a run's residuals look like where nothing is wrong.

    Attributes:
        busy: (widths, bins) how busy the output is at the middle of each bin.
        scale: (widths, bins) standard deviation of the smoothed residual there.
        anywhere: |z| that white noise exceeds somewhere in one of twenty slices.
        known: |z| that one of twenty untouched places in even tissue exceeds.
    """

    busy: NDArray[np.float64]
    scale: NDArray[np.float64]
    anywhere: float
    known: float


@dataclass(frozen=True)
class Sample:
    """A validation slice for `calibrate`.

    Attributes:
        digest: of the slice.
        residuals: (seeds, H, W), see `residual`.
        outputs: (seeds, H, W) grey levels.
        body, even: (H, W), see `sites`.
    """

    digest: str
    residuals: Image
    outputs: Image
    body: Mask
    even: Mask


def residual(task: Task, noisy: Image, output: Image) -> Image:
    """Subtract from a noisy slice what would be expected of it if the output were the truth.

    Args:
        task: whose noise; that of 8-bit tasks is clipped, so its mean and deviation depend on the
            grey level. Rounding is left out: 1/12 beside variances of hundreds.
        noisy, output: (…, H, W) grey levels.
    Returns:
        The same shape, in standard deviations of the noise; white where the output is the truth.
    Source: moments of a normal variable that is clipped at both ends (Greene, Econometric Analysis,
        sec. 19.3).
    """
    if not task.noise.eight_bit:
        return (noisy - output) / task.sigma
    sigma, level = task.channel_sigma, np.clip(output, 0, PEAK)
    low, high = -level / sigma, (PEAK - level) / sigma
    inside, over = ndtr(high) - ndtr(low), ndtr(-high)
    at_low, at_high = stats.norm.pdf(low), stats.norm.pdf(high)
    mean = level * inside + sigma * (at_low - at_high) + PEAK * over
    square = (level**2 + sigma**2) * inside + 2 * level * sigma * (at_low - at_high)
    square += sigma**2 * (low * at_low - high * at_high) + PEAK**2 * over
    deviation = np.sqrt((square - mean**2) / task.noise.channels)
    return np.asarray((noisy - mean) / deviation)


def calibrate(samples: Iterable[Sample], task: Task) -> Calibration:
    """Learn how large smoothed residuals are where nothing is wrong.

    A denoiser keeps some noise in its output, more of it where there is structure. So the scale is
    taken over noise seeds, as a function of how busy the output is; the median deviation, since the
    tail is what the audit is after. The references have noise of their own, which every denoiser
    takes away too: one factor, from even tissue, covers it.
    """
    data = list(samples)
    busy, scale = [], []
    slopes = [np.stack([_slope(output, task) for output in one.outputs]) for one in data]
    for width in WIDTHS:
        levels, spread, excess = _one_width(data, slopes, width)
        busy.append(levels)
        scale.append(spread * excess)
    draft = Calibration(np.stack(busy), np.stack(scale), 0.0, 0.0)
    quiet = [
        abs(float(z[place]))
        for one in data
        for z in (
            z_map(*seed, draft, task) for seed in zip(one.residuals, one.outputs, strict=True)
        )
        for place in choose(one.even, one.digest, PLACES, APART)
    ]
    known = float(np.quantile(quiet, RARE)) if quiet else float(stats.norm.ppf(0.975))
    return Calibration(draft.busy, draft.scale, _highest_by_chance(data), known)


def _one_width(
    data: Sequence[Sample], slopes: Sequence[Image], width: float
) -> tuple[Image, Image, float]:
    """Levels of busyness, deviation over seeds at each, and what even tissue adds."""
    all_busy, all_rest, even = [], [], []
    for one, slope in zip(data, slopes, strict=True):
        smooth = np.stack([_smooth(each, width) for each in one.residuals])
        busy = np.stack([ndimage.gaussian_filter(each, width) for each in slope])
        inside = np.stack([_at_the_ends(each, width) < FEW for each in one.outputs]) & one.body
        seeds = len(smooth)
        apart = (smooth - smooth.mean(axis=0)) * np.sqrt(seeds / (seeds - 1))
        all_busy.append(busy[inside])
        all_rest.append(np.abs(apart[inside]))
        even.append((busy[:, one.even].ravel(), np.abs(smooth[:, one.even]).ravel()))
    busy, rest = np.concatenate(all_busy), np.concatenate(all_rest)
    if not busy.size:  # slices of nothing but air
        return np.zeros(BINS), np.full(BINS, _white(width)), 1.0
    ends = np.quantile(busy, np.linspace(0, 1, BINS + 1))
    bins = [(busy >= a) & (busy <= b) for a, b in pairwise(ends)]
    levels = np.array([np.median(busy[each]) for each in bins])
    spread = np.array([np.median(rest[each]) / NORMAL_MAD for each in bins])
    spread = np.maximum(spread, LEAST * _white(width))
    rough, smooth = (np.concatenate(values) for values in zip(*even, strict=True))
    if not smooth.size:
        return levels, spread, 1.0
    excess = np.median(smooth / np.interp(rough, levels, spread)) / NORMAL_MAD
    return levels, spread, max(1.0, float(excess))


def _highest_by_chance(data: Sequence[Sample]) -> float:
    """The |z| of white noise that only one slice in twenty exceeds anywhere in the body."""
    highest = []
    for one in data:
        for seed in range(len(one.residuals)):
            noise = normal_deviates(one.digest, "audit null", seed, one.body.shape)
            z = [_smooth(noise, width) / _white(width) for width in WIDTHS]
            highest.append(float(np.abs(z)[:, one.body].max()))
    return float(stats.gumbel_r.ppf(RARE, *stats.gumbel_r.fit(highest)))


def z_map(rest: Image, output: Image, calibration: Calibration, task: Task) -> Image:
    """Standardise a smoothed residual; of the Gaussians, the one that says most at each pixel.

    Args:
        rest: (H, W), see `residual`.
        output: (H, W) grey levels.
        calibration: of the same run.
    Returns:
        (H, W): above 0 where the input is brighter than the output, below where it is darker.
    """
    maps, slope = [], _slope(output, task)
    for width, levels, spread in zip(WIDTHS, calibration.busy, calibration.scale, strict=True):
        tissue = np.interp(ndimage.gaussian_filter(slope, width), levels, spread)
        ends = _at_the_ends(output, width)
        scale = np.sqrt(ends * _white(width) ** 2 + (1 - ends) * tissue**2)
        maps.append(_smooth(rest, width) / scale)
    stack = np.stack(maps)
    strongest = np.abs(stack).argmax(axis=0)[None]
    return np.asarray(np.take_along_axis(stack, strongest, axis=0)[0])


def _smooth(rest: Image, width: float) -> Image:
    """Smooth a residual, with none beyond the border: a mirrored one would count twice."""
    return np.asarray(ndimage.gaussian_filter(rest, width, mode="constant"))


def _slope(output: Image, task: Task) -> Image:
    """Size of the output's gradient, in HU per pixel; smoothed, it says how busy the output is."""
    hu = output / task.grey_per_hu
    return np.asarray(ndimage.gaussian_gradient_magnitude(hu, GRADIENT_WIDTH))


def _at_the_ends(output: Image, width: float) -> Image:
    """Share of a smoothed residual's variance that comes from pixels at the window's ends."""
    ends = ((output < END) | (output > PEAK - END)).astype(np.float64)
    return np.asarray(ndimage.gaussian_filter(ends, width / np.sqrt(2)))  # a squared Gaussian


def _white(width: float) -> float:
    """Deviation of white noise of unit variance after a Gaussian."""
    return float(1 / (2 * width * np.sqrt(np.pi)))
