"""All targets by name, with their share of the cases."""

from importlib.util import find_spec

from fuzzing import dicom, grammar, nifti, prepared, resume, runs, text

TARGETS = {
    "dicom": dicom.FILE,
    "dicom folder": dicom.FOLDER,
    "prepared data": prepared.TARGET,
    "manifest": text.MANIFEST,
    "expression": text.EXPRESSION,
    "expression grammar": grammar.EXPRESSION,
    "toml": text.TOML,
    "toml grammar": grammar.TOML,
    "board": runs.BOARD,
    "page": runs.PAGE,
    "checkpoint": runs.CHECKPOINT,
    "resume": resume.TARGET,
    "weights": runs.WEIGHTS,
    "submission": runs.SUBMISSION,
}

SHARES = {
    "dicom": 300,
    "dicom folder": 10,
    "prepared data": 30,
    "manifest": 110,
    "expression": 190,
    "expression grammar": 60,
    "toml": 140,
    "toml grammar": 40,
    "board": 25,
    "page": 1,
    "checkpoint": 50,
    "resume": 10,
    "weights": 20,
    "submission": 14,
}
"""Per mille: most to what comes from strangers; little to what takes long."""


if find_spec("nibabel"):  # an extra
    TARGETS["nifti"], SHARES["nifti"] = nifti.TARGET, 60


def shared_out(cases: int) -> dict[str, int]:
    """Share cases out over the targets; `dicom folder` counts by files, whole folders of them."""
    counts = {name: cases * share // sum(SHARES.values()) for name, share in SHARES.items()}
    counts["dicom folder"] -= counts["dicom folder"] % TARGETS["dicom folder"].files
    counts["dicom"] += cases - sum(counts.values())
    return counts
