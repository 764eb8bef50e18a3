"""How often a board's 95 % intervals hold the truth, and how often the bootstrap's would.

    python benchmarks/coverage.py [--trials 2000]

Slices nested in patients, several seeds a slice; patients are normal, or skewed as scores can be.
"""

import argparse

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap

from denoisebench.scoring.statistics import by_patient, estimate

TRUTH = {"normal": 30.0, "gumbel": 30 + 2 * np.euler_gamma}


def scores(rng: np.random.Generator, draw: str, patients: int, seeds: int):
    """One value a slice, averaged over seeds, and whose slice it is."""
    counts = rng.integers(1, 7, patients)
    means = getattr(rng, draw)(30, 2, patients)
    noise = rng.normal(0, 1, (seeds, counts.sum())).mean(axis=0)
    names = np.repeat(np.arange(patients), counts).astype(str)
    return (np.repeat(means, counts) + noise).tolist(), names.tolist()


def coverage(draw: str, patients: int, seeds: int, trials: int) -> tuple[float, float]:
    """Shares of trials in which Student's interval and the bootstrap's (BCa) hold the truth."""
    rng = np.random.default_rng(0)
    student = resampled = 0
    for _ in range(trials):
        values, names = scores(rng, draw, patients, seeds)
        found = estimate(values, names)
        student += found.low <= TRUTH[draw] <= found.high
        means = by_patient(values, names)
        low, high = bootstrap(
            (means,), np.mean, n_resamples=1000, method="BCa", rng=rng
        ).confidence_interval
        resampled += low <= TRUTH[draw] <= high
    return student / trials, resampled / trials


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    table = Table(title=f"the truth is inside, of {trials} boards", title_justify="left")
    for name in ("patients", "seeds", "distribution", "Student's t", "bootstrap (BCa)"):
        table.add_column(name, justify="left" if name == "distribution" else "right")
    for patients in (5, 10, 20, 40):
        for seeds in (1, 3):
            for draw in TRUTH:
                shares = coverage(draw, patients, seeds, trials)
                table.add_row(str(patients), str(seeds), draw, *(f"{x:.1%}" for x in shares))
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
