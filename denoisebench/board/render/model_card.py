"""A run as a Hugging Face model card: README.md with the metadata that the hub reads.

Source: https://huggingface.co/docs/hub/model-cards, where `model-index` holds evaluation results.
"""

import math
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from denoisebench.board.board import Board
from denoisebench.board.render.commonmark import escape, markdown
from denoisebench.board.render.plain import plain
from denoisebench.scoring.result import MetricResult, Result

TASK = "image-to-image"
TAGS = ["ct", "denoising", "medical-imaging", "image-restoration"]
LICENCES = ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-nc-4.0")
"""Licences that the hub has a name for; of any other it wants to hear the name."""


def model_card(board: Board) -> str:
    """Write the card of a board's only row; rank and comparison need a board of several."""
    (row,) = board.rows
    result = row.result
    data = ModelCardData(
        library_name="denoisebench",
        pipeline_tag=TASK,
        tags=[*TAGS, result.kind],
        model_name=plain(result.method),
        eval_results=[
            _evaluation(result, name, metric, value)
            for name, metric in result.metrics.items()
            if (value := _finite(metric)) is not None
        ]
        or None,
        **_licence(result),
    )
    body = "\n".join(
        [
            f"# {escape(plain(result.method))}",
            "",
            "A CT denoiser, scored by denoisebench. Not for diagnosis.",
            "",
            markdown([board]),
        ]
    )
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n{body}"))


def _evaluation(result: Result, name: str, metric: MetricResult, value: float) -> EvalResult:
    named = f"{name} ({metric.unit})" if metric.unit else name
    return EvalResult(
        task_type=TASK,
        task_name="CT denoising",
        dataset_type=plain(result.data),
        dataset_name=plain(f"{result.data}, {result.task} v{result.task_version}"),
        dataset_config=plain(result.task),
        dataset_split="test",
        dataset_revision=plain(result.data_digest),
        metric_type=plain(name),
        metric_name=plain(named),
        metric_config=f"v{metric.version}",
        metric_value=value,
        verified=False,
    )


def _finite(metric: MetricResult) -> float | None:
    mean = metric.mean
    return mean if mean is not None and math.isfinite(mean) else None


def _licence(result: Result) -> dict[str, Any]:
    """The licence of the method's code, where it states one; that of the weights is the owner's."""
    if not result.licence:
        return {}
    if result.licence.lower() in LICENCES:
        return {"license": result.licence.lower()}
    return {"license": "other", "license_name": plain(result.licence)}
