"""Does the audit's z-map find what it should? Discs are planted in real slices and looked for.

    python benchmarks/audit.py phantom runs/gaussian-0a1b2c3d
    python benchmarks/audit.py DIR RUN …             DIR: the DICOM folder the runs were scored on

A fake is a disc of 40–80 HU and 10 pixels that is added to an output though its input has none; a
deletion, one that stands in the input and that the output lacks. Half are darker than what
surrounds them. Everything that is tuned is tuned on validation patients; what is printed comes from
test patients. An untouched place that is called suspicious is a false alarm.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from denoisebench.data.dataset import DataSet
from denoisebench.data.named import open_data
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import Catalogue, find
from denoisebench.plugins.load import build
from denoisebench.scoring.audit import lesions, sites
from denoisebench.scoring.audit.audit import APART, calibrated, even_for_lesions
from denoisebench.scoring.audit.residual import (
    PLACES,
    Calibration,
    residual,
    z_map,
)
from denoisebench.scoring.audit.trials import by_turns, denoised, under_seeds
from denoisebench.scoring.denoisers import Denoiser
from denoisebench.scoring.opened import open_run
from denoisebench.task import Task

NEAR = 10.0  # pixels: a blind find this near to the disc's centre has found it
CONTROLS, BEYOND = 1, 2  # seeds of places: those left untouched, and those planted
Image = np.ndarray


@dataclass(frozen=True)
class Case:
    """A slice with one disc planted, seen by the z-map.

    Attributes:
        z: at the disc.
        blind: highest |z| near the disc; 0 where there is no peak.
        elsewhere: |z| of all peaks far from it.
        psnr, ssim: how much the disc moved them.
    """

    kind: str
    contrast_hu: float
    z: float
    blind: float
    highest: float
    elsewhere: list[float]
    psnr: float
    ssim: float


@dataclass(frozen=True)
class Validation:
    """All cases of a run, and |z| where nothing was planted.

    Attributes:
        places: |z| at untouched places in even tissue.
        highest: the highest |z| in the body of each untouched slice.
    """

    calibration: Calibration
    cases: list[Case]
    places: list[float]
    highest: list[float]

    def found(self, kind: str, contrast: float | None = None) -> list[bool]:
        return [abs(case.z) > self.calibration.known for case in self._of(kind, contrast)]

    def false_alarms(self) -> list[bool]:
        return [z > self.calibration.known for z in self.places]

    def one_false_place(self) -> float:
        """The |z| that one place a slice exceeds far from the disc, on average."""
        elsewhere = sorted((z for case in self.cases for z in case.elsewhere), reverse=True)
        return elsewhere[len(self.cases)]

    def blind(self, contrast: float) -> float:
        """Share of discs found by looking everywhere, at one false place a slice."""
        limit = self.one_false_place()
        return float(np.mean([c.blind > limit for c in self._of(None, contrast)]))

    def area(self, contrast: float | None = None) -> float:
        """Area under the ROC: slices with a disc against slices without, by their highest |z|."""
        ill = [case.highest for case in self._of(None, contrast)]
        truth = [1] * len(ill) + [0] * len(self.highest)
        return float(roc_auc_score(truth, ill + self.highest))

    def _of(self, kind: str | None, contrast: float | None) -> list[Case]:
        return [c for c in self.cases
                if kind in (None, c.kind) and contrast in (None, abs(c.contrast_hu))]  # fmt: skip


def validate(
    denoiser: Denoiser,
    dataset: DataSet,
    task: Task,
    catalogue: Catalogue,
    *,
    plants: int = 50,
    calibration_slices: int = 24,
    seeds: int = 4,
    advance: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Validation:
    """Plant `plants` fakes and as many deletions in test slices, one of each kind a slice."""
    calibration = calibrated(denoiser, dataset, task, calibration_slices, seeds, advance)
    measures = [build(part) for text in ("psnr", "ssim")
                for part in resolve(text, "metric", catalogue)]  # fmt: skip
    cases: list[Case] = []
    places: list[float] = []
    highest: list[float] = []
    chosen = by_turns(dataset.test, len(dataset.test))
    trials = (under_seeds(task, one, 1) for one in chosen)
    for number, (trial, outputs) in enumerate(denoised(denoiser, trials)):
        one, noisy, output = trial.slice, trial.noisy[0], outputs[0]
        inside, even = sites.body(one.hu), even_for_lesions(one, task)

        def seen(noisy: Image, output: Image, inside: Image = inside) -> tuple[Image, list]:
            z = z_map(residual(task, noisy, output), output, calibration, task)
            return z, sites.peaks(np.abs(z), inside, 0.0, APART)

        z, peaks = seen(noisy, output)
        places += [abs(z[p]) for p in sites.choose(even, one.digest, PLACES, 20, CONTROLS)]
        highest.append(peaks[0][1])
        for at in sites.choose(even, one.digest, 1, 0, BEYOND) if number < plants else []:
            # A step of 1 in the order of slices, of 3 in kind: each slice has both signs.
            for kind, turn in (("fake", 0), ("deletion", 3)):
                contrast = lesions.CONTRASTS_HU[(number + turn) % len(lesions.CONTRASTS_HU)]
                disc = lesions.drawn(z.shape, [lesions.Lesion(at, contrast)], task)
                is_fake = kind == "fake"
                z, peaks = seen(noisy, output + disc) if is_fake else seen(noisy + disc, output)
                pair = (output + disc, trial.clean) if is_fake else (output, trial.clean + disc)
                moved = [
                    _score(measure, *pair) - _score(measure, output, trial.clean)
                    for measure in measures
                ]
                away = [(score, np.hypot(*np.subtract(place, at))) for place, score in peaks]
                cases.append(
                    Case(
                        kind,
                        contrast,
                        float(z[at]),
                        max((score for score, far in away if far <= NEAR), default=0.0),
                        peaks[0][1],
                        [score for score, far in away if far > 2 * NEAR],
                        *moved,
                    )
                )
        advance("planting", number + 1, len(chosen))
    return Validation(calibration, cases, places, highest)


def _score(measure: Callable, output: Image, target: Image) -> float:
    pair = (torch.from_numpy(np.ascontiguousarray(image))[None, None] for image in (output, target))
    return float(measure(*pair)[0])


def report(name: str, found: Validation) -> str:
    """Return what a run's validation says, in lines."""
    lines = [
        name,
        f"  thresholds from validation patients: known place |z| > {found.calibration.known:.2f}, "
        f"anywhere |z| > {found.calibration.anywhere:.2f}",
        "  where the place is known",
    ]
    for kind in ("fake", "deletion"):
        by = ", ".join(
            f"{contrast:.0f} HU {_share(found.found(kind, contrast))}"
            for contrast in (40.0, 60.0, 80.0)
        )
        lines.append(f"    {kind + 's found':17} {_share(found.found(kind))}   ({by})")
    lines.append(f"    {'false alarms':17} {_share(found.false_alarms())}")
    lines.append("  anywhere in the slice, fakes and deletions together")
    lines += [
        f"    {contrast:.0f} HU: {100 * found.blind(contrast):.0f} % found at one false place "
        f"a slice; area under the ROC of slices {found.area(contrast):.3f}"
        for contrast in (40.0, 60.0, 80.0)
    ]
    beyond = np.mean([z > found.calibration.anywhere for z in found.highest])
    lines.append(f"    untouched slices with a place above the threshold: {100 * beyond:.0f} %")
    psnr = max(abs(case.psnr) for case in found.cases)
    ssim = max(abs(case.ssim) for case in found.cases)
    lines.append(f"  meanwhile PSNR moves by {psnr:.3f} dB and SSIM by {ssim:.5f} at most")
    return "\n".join(lines)


def _share(hits: Sequence[bool]) -> str:
    """Return a share with its 95 % interval (Clopper and Pearson)."""
    if not hits:
        return "none"
    between = binomtest(sum(hits), len(hits)).proportion_ci()
    return (f"{sum(hits)} of {len(hits)} = {100 * np.mean(hits):.1f} % "
            f"[{100 * between.low:.1f}, {100 * between.high:.1f}]")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", help="phantom, or a folder of DICOM")
    parser.add_argument("runs", nargs="+", type=Path, help="folders of runs scored on it")
    parser.add_argument("--plants", type=int, default=50, help="of each kind")
    words = parser.parse_args()
    dataset, catalogue = open_data(words.data), find()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for folder in words.runs:
        opened = open_run(folder, catalogue)
        opened.refuse_other(dataset)
        denoiser = opened.denoiser(device, dataset)
        found = validate(denoiser, dataset, opened.task, catalogue, plants=words.plants)
        sys.stdout.write(report(opened.result.method, found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
