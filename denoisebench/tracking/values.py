"""What of a run is a number over steps, and what is a score, by the names that trackers show."""

from denoisebench.scoring.result import Result
from denoisebench.training.log import Record


def curves(record: Record) -> dict[str, float]:
    """Return the numbers of a line of the log; what was not measured then is left out."""
    found = {f"loss/{name}": value for name, value in record.losses.items()}
    found["training/learning_rate"] = record.learning_rate
    found["training/images_per_second"] = record.images_per_second
    found["training/seconds"] = record.seconds
    if record.validation_psnr is not None:
        found["validation/psnr"] = record.validation_psnr
    for name, value in (record.health or {}).items():
        if isinstance(value, int | float):
            found[f"health/{name}"] = value
    return found


def scores(result: Result) -> dict[str, float]:
    """Return the means over the test patients; what could not be computed is left out."""
    means = {f"test/{name}": metric.mean for name, metric in result.metrics.items()}
    return {name: mean for name, mean in means.items() if mean is not None}
