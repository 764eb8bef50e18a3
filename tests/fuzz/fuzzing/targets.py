"""All targets by name, with their share of the cases."""

from fuzzing import dicom, grammar, runs, text

TARGETS = {
    "dicom": dicom.FILE,
    "dicom folder": dicom.FOLDER,
    "manifest": text.MANIFEST,
    "expression": text.EXPRESSION,
    "expression grammar": grammar.EXPRESSION,
    "toml": text.TOML,
    "toml grammar": grammar.TOML,
    "run folder": runs.BOARD,
    "checkpoint": runs.CHECKPOINT,
    "weights": runs.WEIGHTS,
    "submission": runs.SUBMISSION,
}

SHARES = {
    "dicom": 30,
    "dicom folder": 4,
    "manifest": 8,
    "expression": 12,
    "expression grammar": 10,
    "toml": 10,
    "toml grammar": 4,
    "run folder": 8,
    "checkpoint": 6,
    "weights": 4,
    "submission": 4,
}
"""Per cent: most to what comes from strangers; little to what takes long."""


def shared_out(cases: int) -> dict[str, int]:
    """Share cases out over the targets; `dicom folder` counts by files, whole folders of them."""
    counts = {name: cases * share // 100 for name, share in SHARES.items()}
    counts["dicom folder"] -= counts["dicom folder"] % TARGETS["dicom folder"].files
    counts["dicom"] += cases - sum(counts.values())
    return counts
