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
    "board": runs.BOARD,
    "page": runs.PAGE,
    "checkpoint": runs.CHECKPOINT,
    "weights": runs.WEIGHTS,
    "submission": runs.SUBMISSION,
}

SHARES = {
    "dicom": 300,
    "dicom folder": 20,
    "manifest": 100,
    "expression": 160,
    "expression grammar": 50,
    "toml": 120,
    "toml grammar": 50,
    "board": 60,
    "page": 2,
    "checkpoint": 70,
    "weights": 38,
    "submission": 30,
}
"""Per mille: most to what comes from strangers; little to what takes long."""


def shared_out(cases: int) -> dict[str, int]:
    """Share cases out over the targets; `dicom folder` counts by files, whole folders of them."""
    counts = {name: cases * share // 1000 for name, share in SHARES.items()}
    counts["dicom folder"] -= counts["dicom folder"] % TARGETS["dicom folder"].files
    counts["dicom"] += cases - sum(counts.values())
    return counts
