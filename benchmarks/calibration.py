"""Each metric beside another implementation of it, on one pair of slices.

    python benchmarks/calibration.py         a table
    python benchmarks/calibration.py --md    the table of docs/metrics.md

A row holds our value, theirs, the argument that makes them equal, and how far apart they may be.
The test tests/registry/test_calibration.py holds every row to that.
"""

import argparse
import hashlib
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from denoisebench.registry.metrics import nps_distance, swd
from denoisebench.registry.metrics.psnr_body import body
from torch import Tensor, nn

from denoisebench import Unavailable, compat, load_weights
from denoisebench.data.phantom import draw
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.load import build
from denoisebench.task import load_task
from denoisebench.task.noise import noisy_slice

Pair = tuple[Tensor, Tensor]
"""(output, target), each (1, 1, H, W) float64 grey levels."""


@dataclass(frozen=True)
class Row:
    """A metric, as a task names it, beside another implementation.

    `tolerance` is how far apart the two may be, and `reason` why they are not the same.
    """

    metric: str
    slices: Callable[[], Pair]
    theirs: Callable[[], float]
    library: str
    reconciled_by: str
    tolerance: float
    reason: str

    def ours(self) -> float:
        """Return the value of the built-in metric."""
        (part,) = resolve(self.metric, "metric", find())
        return float(build(part)(*self.slices()))


@dataclass(frozen=True)
class Calibrated:
    """The two values of a row; None with the reason where they cannot be had here."""

    row: Row
    ours: float | None
    theirs: float | None
    missing: str = ""

    @property
    def apart(self) -> float:
        """How far apart the two are; 0 where they are missing."""
        return 0.0 if self.ours is None or self.theirs is None else abs(self.ours - self.theirs)


@cache
def hu() -> np.ndarray:
    """Return the fixed slice: an abdomen of the phantom, (256, 256) HU."""
    return draw(3, 2, size=256)


@cache
def noisy() -> Pair:
    """Return the slice with the noise of ct-sigma50, and the slice."""
    task = load_task("ct-sigma50")
    clean = task.to_grey(hu())
    digest = hashlib.sha256(hu().astype("<i2").tobytes()).hexdigest()
    output = noisy_slice(task, clean, digest)
    return torch.from_numpy(output)[None, None], torch.from_numpy(clean)[None, None]


@cache
def clipped() -> Pair:
    """Return the same, clipped to 0–255 for libraries that take nothing else."""
    output, target = noisy()
    return output.clamp(0, 255), target


@cache
def white() -> Pair:
    """Return white noise of σ = 30, and other white noise of σ = 10."""
    random = np.random.default_rng(4)
    strong, weak = (128 + sigma * random.standard_normal((1, 1, 256, 256)) for sigma in (30, 10))
    return torch.from_numpy(strong), torch.from_numpy(weak)


def arrays(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair as (H, W) arrays."""
    output, target = (each[0, 0].numpy() for each in pair)
    return output, target


def rows() -> Iterator[Row]:
    """Yield every row of the table."""
    compat.prepare()  # piq, torchmetrics and lpips import torchvision
    for group in (of_pixels, of_structure, of_networks, of_distributions):
        yield from group()


SUMS = "float64 sums in another order"


def of_pixels() -> Iterator[Row]:
    """Yield the rows of what is computed from differences of pixels."""
    from skimage.metrics import mean_squared_error, peak_signal_noise_ratio

    output, target = arrays(noisy())
    inside = body(target, (-160.0, 240.0))
    yield Row(
        "psnr", noisy, lambda: peak_signal_noise_ratio(target, output, data_range=255),
        "skimage `peak_signal_noise_ratio`", "`data_range=255`", 1e-10, SUMS,
    )  # fmt: skip
    yield Row(
        "psnr_body", noisy,
        lambda: peak_signal_noise_ratio(target[inside], output[inside], data_range=255),
        "skimage `peak_signal_noise_ratio`", "`data_range=255`; the pixels of our mask",
        1e-10, SUMS,
    )  # fmt: skip
    yield Row(
        "rmse_hu", noisy,
        lambda: mean_squared_error(target * 400 / 255, output * 400 / 255) ** 0.5,
        "skimage `mean_squared_error`", "its root; images in HU", 1e-10, SUMS,
    )  # fmt: skip
    yield Row(
        "hu_bias(tissue='fat')", noisy, fat_bias, "worked by hand",
        "the mask from the phantom's own HU", 1e-9, SUMS,
    )  # fmt: skip


def fat_bias() -> float:
    """Work the bias of fat out from the phantom's whole numbers."""
    output, _ = arrays(noisy())
    fat = (hu() > -160) & (hu() < -30)  # what lies below the window's floor cannot be told from air
    return float(abs((output[fat] * 400 / 255 - 160).mean() - hu()[fat].mean()))


def of_structure() -> Iterator[Row]:
    """Yield the rows of what compares local structure."""
    import piq
    from skimage.metrics import structural_similarity
    from torchmetrics.functional import image

    output, target = arrays(noisy())
    wang2004 = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    window = "float64 sums of products of 121 weights, rounded otherwise"
    yield Row(
        "ssim", noisy, lambda: structural_similarity(target, output, data_range=255, **wang2004),
        "skimage `structural_similarity`",
        "`data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False`",
        1e-7, window,
    )  # fmt: skip
    yield Row(
        "ssim", clipped, lambda: piq.ssim(*clipped(), data_range=255, downsample=False),
        "piq `ssim`", "`data_range=255, downsample=False`", 1e-7, window,
    )  # fmt: skip
    yield Row(
        "ms_ssim", noisy, torchmetrics_ms_ssim,
        "torchmetrics `multiscale_structural_similarity_index_measure`",
        "`data_range=255.0`; the coarsest scale without its mirrored border", 1e-6,
        "its weights of the scales are float32",
    )  # fmt: skip
    yield Row(
        "ms_ssim", clipped, lambda: piq.multi_scale_ssim(*clipped(), data_range=255),
        "piq `multi_scale_ssim`", "`data_range=255`; sides that halve evenly", 1e-7, window,
    )  # fmt: skip
    yield Row(
        "vif", noisy, lambda: image.visual_information_fidelity(*noisy()),
        "torchmetrics `visual_information_fidelity`", "none", 1e-5,
        "what counts as no variance: below 1e-8 or 1e-10",
    )  # fmt: skip
    yield Row(
        "vif", clipped, lambda: piq.vif_p(*clipped(), data_range=255), "piq `vif_p`",
        "`data_range=255`", 1e-7, "windows in two passes of float64 in place of one",
    )  # fmt: skip
    yield Row(
        "haarpsi", clipped, lambda: piq.haarpsi(*clipped(), data_range=255), "piq `haarpsi`",
        "`data_range=255`; even sides", 1e-9,
        "a weight of 1e-6 on similarity 1, against a sum over 16,384 pixels",
    )  # fmt: skip
    yield Row(
        "gmsd", clipped, lambda: piq.gmsd(*clipped(), data_range=255), "piq `gmsd`",
        "`data_range=255`; even sides", 1e-9, SUMS,
    )  # fmt: skip


def torchmetrics_ms_ssim() -> float:
    """Return torchmetrics' value with its coarsest mean taken anew, where the window fits."""
    from torch.nn.functional import avg_pool2d
    from torchmetrics.functional import image

    value = image.multiscale_structural_similarity_index_measure(*noisy(), data_range=255.0)
    coarsest = (avg_pool2d(each, 16) for each in noisy())
    mean, similarity = image.structural_similarity_index_measure(
        *coarsest, data_range=255.0, return_full_image=True
    )
    return float(value * (similarity[..., 5:-5, 5:-5].mean() / mean) ** 0.1333)


def of_networks() -> Iterator[Row]:
    """Yield the rows of what networks see; both sides have the weights that were fetched."""
    convolutions = "float32 convolutions in another order"
    for name, network in (("lpips", "alex"), ("lpips_vgg", "vgg")):
        yield Row(
            name, noisy, lambda network=network: their_lpips(network),
            f"lpips `LPIPS(net={network!r})`", "clipped, mapped to [-1, 1], as RGB", 1e-5,
            convolutions,
        )  # fmt: skip
    yield Row(
        "dists", noisy, their_dists, "piq `DISTS`",
        "clipped, mapped to [0, 1], as RGB; sides to 256 (it resizes larger ones)", 1e-5,
        convolutions,
    )  # fmt: skip


def their_lpips(network: str) -> float:
    """Return the value of the package lpips, its own heads on our backbone."""
    import lpips as package

    model = package.LPIPS(net=network, pnet_rand=True, verbose=False)
    fill(model.net, load_weights(f"lpips-{network}"))
    images = (each.float().clamp(0, 255) / 127.5 - 1 for each in noisy())
    with torch.no_grad():
        return float(model(*(image.expand(-1, 3, -1, -1) for image in images)))


def their_dists() -> float:
    """Return the value of piq's DISTS, made without its constructor, which downloads weights."""
    import piq
    from torchvision.models.vgg import cfgs, make_layers

    heads, backbone = load_weights("dists-heads"), load_weights("lpips-vgg")
    channels = (3, 64, 128, 256, 512, 512)
    weights = [
        part.view(1, -1, 1, 1) for name in ("alpha", "beta") for part in heads[name].split(channels)
    ]
    model = piq.DISTS.__new__(piq.DISTS)
    piq.ContentLoss.__init__(
        model, fill(make_layers(cfgs["D"]), backbone), layers=("3", "8", "15", "22", "29"),
        weights=weights, replace_pooling=True, allow_layers_weights_mismatch=True,
    )  # fmt: skip
    images = (each.float().clamp(0, 255) / 255 for each in noisy())
    with torch.no_grad():
        return float(model(*(image.expand(-1, 3, -1, -1) for image in images)))


def fill(network: nn.Module, tensors: dict[str, Tensor]) -> nn.Module:
    """Put a backbone's weights into another library's network."""
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for index, layer in enumerate(layers):
            layer.weight.copy_(tensors[f"features.{index}.weight"])
            layer.bias.copy_(tensors[f"features.{index}.bias"])
    return network


def of_distributions() -> Iterator[Row]:
    """Yield the rows of what compares distributions and spectra."""
    yield Row(
        "swd", noisy, their_swd, "scipy `wasserstein_distance`",
        "our directions and places; pyramid by `scipy.ndimage`", 1e-9, SUMS,
    )  # fmt: skip
    yield Row(
        "nps_distance", white, lambda: (30**2 - 10**2) / (30**2 + 10**2), "worked by hand",
        "(30² - 10²) / (30² + 10²): flat spectra", 0.02,
        "patches are chosen where the target is quiet, 5 % below its mean power; rings to 2 %",
    )  # fmt: skip
    yield Row(
        "nps_distance", noisy, their_nps, "worked by hand",
        "our flat patches; `scipy.fft`, `scipy.ndimage`, `numpy.polynomial`", 1e-9, SUMS,
    )  # fmt: skip


def their_swd() -> float:
    """Return the sliced Wasserstein distance with each step by another library."""
    from scipy.ndimage import convolve
    from scipy.stats import wasserstein_distance

    along = np.array([1, 4, 6, 4, 1]) / 16
    kernel = np.outer(along, along)
    images = arrays(noisy())
    values = []
    while True:
        small, levels = [], []
        for image in images:
            half = convolve(image, kernel, mode="mirror")[::2, ::2]
            wide = np.zeros_like(image)
            wide[::2, ::2] = half
            levels.append(image - 4 * convolve(wide, kernel, mode="mirror"))
            small.append(half)
        last = min(images[0].shape) < 2 * swd.SMALLEST
        each = projections(*(images if last else levels))
        values.append(np.mean([wasserstein_distance(*one) for one in each]))
        if last:
            return float(np.mean(values))
        images = small


def projections(*levels: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield for each direction the projections of our patches of each image."""
    view = np.lib.stride_tricks.sliding_window_view
    patches = [view(level, (7, 7)).reshape(-1, 49) for level in levels]
    taken = swd.places(len(patches[0])).numpy()
    for direction in swd.directions().numpy():
        yield tuple(each[taken] @ direction for each in patches)


def their_nps() -> float:
    """Return the distance of radial spectra, with each step by another library."""
    from numpy.polynomial.polynomial import polyval2d, polyvander2d
    from scipy import fft, ndimage

    both = [nps_distance.patches(each[0, 0], 32) for each in noisy()]
    quiet = nps_distance.flat(both[1])
    row, column = np.mgrid[-1:1:32j, -1:1:32j]
    terms = np.array([[1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=bool)
    design = polyvander2d(row.ravel(), column.ravel(), [2, 2])[:, terms.ravel()]
    frequency = fft.fftfreq(32, 1 / 32)
    ring = np.rint(np.hypot(frequency[:, None], frequency[None]))
    spectra = []
    for patches in both:
        power = np.zeros((32, 32))
        for patch in patches[quiet].numpy():
            fitted = np.zeros((3, 3))
            fitted[terms] = np.linalg.lstsq(design, patch.ravel(), rcond=None)[0]
            power += np.abs(fft.fft2(patch - polyval2d(row, column, fitted))) ** 2
        power /= len(quiet) * 32 * 32
        spectra.append(ndimage.mean(power, ring, index=np.arange(1, 17)))
    first, second = spectra
    return float(np.mean(np.abs(first - second) / (first + second + 1 / 12)))


def calibrate(row: Row) -> Calibrated:
    """Compute both values of a row."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The parameter 'pretrained'", UserWarning)
            warnings.filterwarnings("ignore", "Arguments other than a weight enum", UserWarning)
            return Calibrated(row, row.ours(), float(row.theirs()))
    except (Unavailable, ImportError) as reason:
        return Calibrated(row, None, None, str(reason))


COLUMNS = ("metric", "slices", "ours", "theirs", "difference", "library", "reconciled by")


def cells(found: Calibrated) -> tuple[str, ...]:
    """Return what a line of the table shows."""
    row = found.row
    if found.ours is None or found.theirs is None:
        values = ("-", "-", found.missing)
    else:
        apart = f"{found.apart:.0e}" if found.apart > 1e-15 else "0"
        values = (f"{found.ours:.6f}", f"{found.theirs:.6f}", apart)
    return (f"`{row.metric}`", row.slices.__name__, *values, row.library, row.reconciled_by)


def main() -> int:
    """Print the table; 1 where a row is further apart than it may be."""
    parser = argparse.ArgumentParser(description="Calibrate each metric against another library.")
    parser.add_argument("--md", action="store_true", help="print Markdown")
    markdown = parser.parse_args().md
    found = [calibrate(row) for row in rows()]
    if markdown:
        lines = [COLUMNS, ["---"] * len(COLUMNS), *map(cells, found)]
        sys.stdout.writelines(f"| {' | '.join(line)} |\n" for line in lines)
    else:
        from rich.console import Console
        from rich.table import Table

        table = Table(*COLUMNS, title="Each metric beside another implementation")
        for each in found:
            table.add_row(*(cell.replace("`", "") for cell in cells(each)))
        console = Console()
        console.width = max(console.width, 150)
        console.print(table)
    apart = [each.row for each in found if not each.apart <= each.row.tolerance]
    for row in apart:
        sys.stderr.write(f"{row.metric} and {row.library} are over {row.tolerance:g} apart\n")
    return 1 if apart else 0


if __name__ == "__main__":
    sys.exit(main())
