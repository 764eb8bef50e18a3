"""Check a submission that came from anywhere, and unpack it; nothing in it is run."""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from safetensors import SafetensorError, safe_open

from denoisebench import tomlfile
from denoisebench.bounded import ZipSource, read_json, refuse_header
from denoisebench.errors import UsageError
from denoisebench.scoring.opened import MODEL
from denoisebench.scoring.result import Finding, Verification, read_model, read_result, read_scores
from denoisebench.scoring.submission.contents import (
    CARD,
    CLAIMS,
    LIMITS,
    MOST_FILES,
    SCHEMA_VERSION,
    Submission,
    limit,
)
from denoisebench.scoring.submission.private import found_in, not_pseudonymous
from denoisebench.scoring.verify.books import contradiction
from denoisebench.training.recipe import Recipe

BLOCK = 1 << 20
NEEDED = (CARD, "result.json", "scores.csv")


@dataclass(frozen=True)
class Checked:
    """A submission that holds what it says.

    Attributes:
        sha256: of the zip.
        weights: whether it has them, as a network must to be verified.
        plugins: sources in it, to be read before they are named with --plugin.
        claims: what its sender measured; see `contents.CLAIMS`.
        folder: where it was unpacked, if it was.
    """

    submission: Submission
    sha256: str
    kind: str
    weights: bool
    plugins: tuple[str, ...]
    claims: tuple[str, ...]
    folder: Path | None = None


def check(path: Path, *, into: Path | None = None, own: Sequence[tuple[str, str]] = ()) -> Checked:
    """Check a zip, and unpack it where asked.

    Args:
        path: the zip.
        into: a folder; the run's own is made inside it, and must not be there yet.
        own: names that no text may hold, beside what nobody's may; see `private.own_names`.
    Raises:
        UsageError: it is no submission, or one that is damaged, dishonest or indiscreet; nothing
            is left behind.
    """
    if not path.is_file():
        raise UsageError(f"no file {str(path)!r}; give a zip that submit RUN wrote")
    if into is not None:
        into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".submission-", dir=into) as text:
        folder = Path(text) / "run"
        folder.mkdir()
        names = _unpack(path, folder)
        submission = _card(folder, names)
        kind = _consistent(folder, submission)
        _discreet(folder, names, own)
        target = None
        if into is not None:
            target = into / submission.run
            if target.exists():
                raise UsageError(f"{target} is there already; remove it, or give another --into")
            for claim in CLAIMS:
                (folder / claim).unlink(missing_ok=True)
            folder.rename(target)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Checked(
        submission,
        digest,
        kind,
        MODEL in names,
        tuple(name for name in names if name not in LIMITS),
        tuple(name for name in names if name in CLAIMS),
        target,
    )


def _unpack(path: Path, folder: Path) -> list[str]:
    """Write the files of a zip whose every claim about them is within bounds."""
    try:
        with ZipSource(path) as file, zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _refuse_odd(entries, path.stat().st_size)
            for entry in entries:
                _extract(archive, entry, folder / entry.filename)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path.name} is no zip that submit wrote, or is damaged") from None
    return sorted(entry.filename for entry in entries)


def _refuse_odd(entries: Sequence[zipfile.ZipInfo], size: int) -> None:
    if len(entries) > MOST_FILES:
        raise UsageError(f"a submission has at most {MOST_FILES} files, this zip {len(entries)}")
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        most = limit(name)  # names that are not listed are refused: no path can leave the folder
        if name in seen:
            raise UsageError(f"the zip has {name} twice")
        seen.add(name)
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise UsageError(f"{name} is compressed or encrypted in the zip; submit stores it")
        if entry.file_size != entry.compress_size or entry.file_size > most:
            raise UsageError(
                f"the zip says that {name} has {entry.file_size:,} bytes; at most {most:,} are read"
            )
    if sum(entry.file_size for entry in entries) > size:
        raise UsageError("the zip's files have more bytes than the zip")


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    with archive.open(entry) as content, place.open("wb") as file:
        left = entry.file_size
        while block := content.read(min(BLOCK, left + 1)):
            left -= len(block)
            if left < 0:
                raise UsageError(f"{entry.filename} has more bytes than the zip says")
            file.write(block)


def _card(folder: Path, names: Sequence[str]) -> Submission:
    """Read submission.json, and hold each file to its digest."""
    missing = [name for name in NEEDED if name not in names]
    if missing:
        raise UsageError(f"the zip has no {missing[0]}; pack it with submit RUN")
    try:
        values = read_json(folder / CARD)
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version != SCHEMA_VERSION:
            raise UsageError(
                f"{CARD} has schema version {version!r:.40}, this denoisebench reads "
                f"{SCHEMA_VERSION}"
            )
        submission = Submission.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{CARD}: {tomlfile.misfit(error)}") from None
    except UsageError as error:  # no path of this machine's temporary folder
        raise UsageError(str(error).replace(f"{folder}/", "")) from None
    odd = sorted({CARD, *submission.files} ^ set(names))
    if odd:
        raise UsageError(f"{odd[0]!r:.100} is in the zip or in {CARD}, and not in both")
    for name, told in submission.files.items():
        with (folder / name).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != told.sha256:
                raise UsageError(f"{name} is not the file whose digest {CARD} gives")
    return submission


def _consistent(folder: Path, submission: Submission) -> str:
    """Hold the files to each other; returns the kind of the method."""
    try:
        return _agree(folder, submission)
    except UsageError as error:  # no path of this machine's temporary folder
        raise UsageError(str(error).replace(f"{folder}/", "")) from None


def _agree(folder: Path, submission: Submission) -> str:
    result = read_result(folder / "result.json")
    if result.status != "done":
        raise UsageError(f"the run is {result.status}; only one that is done can rank")
    told = (submission.method, submission.recipe, submission.task, submission.data)
    if told != (result.method, result.recipe, result.task, result.data):
        raise UsageError(f"{CARD} is of another run than result.json")
    recipe = Recipe.read(folder / "recipe.toml") if result.kind == "network" else None
    scores = read_scores(folder / "scores.csv")
    problem = contradiction(result, recipe, scores) or not_pseudonymous(scores)
    if problem:
        raise UsageError(problem)
    for name in CLAIMS:
        if (folder / name).exists() and _claim(folder / name).recipe != result.recipe:
            raise UsageError(f"{name} is of another run than result.json")
    return result.kind


def _claim(path: Path) -> Verification | Finding:
    if path.name == "verification.json":
        return read_model(path, Verification)
    return read_model(path, Finding)


def _discreet(folder: Path, names: Sequence[str], own: Sequence[tuple[str, str]]) -> None:
    """Refuse what names a place, a person or an image."""
    for name in names:
        if name == MODEL:
            text = _metadata(folder / name)
        else:
            try:
                text = (folder / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                raise UsageError(f"{name} is not text") from None
        given_away = found_in(text, own)
        if given_away:
            raise UsageError(f"{name} holds {given_away}; take it out and pack again")


def _metadata(path: Path) -> str:
    """What weights say beside numbers: names of tensors, and notes."""
    try:
        refuse_header(path)
        with safe_open(path, "numpy") as weights:
            return json.dumps([sorted(weights.keys()), weights.metadata()])
    except UsageError:
        raise UsageError(f"{path.name} holds no safetensors that can be read") from None
    except (SafetensorError, OSError) as error:
        raise UsageError(f"{path.name} holds no safetensors: {error!s:.80}") from None
