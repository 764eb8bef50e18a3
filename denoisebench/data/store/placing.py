"""Which slice stands in which split: by the manifest, else by patient, else by blocks of a body.

Nothing here looks at a pixel but the search for copies, which is handed in.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from denoisebench.data import split
from denoisebench.data.intake import manifest
from denoisebench.data.intake.child import Facts
from denoisebench.data.intake.folder import shown
from denoisebench.data.split import SPLITS
from denoisebench.data.store.layout import SAME_BODY, Aside
from denoisebench.errors import UsageError

NO_PATIENT = (
    "no PatientID, so no split by patient can place it; "
    "a manifest.csv with columns path, patient, split does"
)


@dataclass(frozen=True, slots=True)
class Found:
    """A slice and where it came from.

    Attributes:
        file: number of its file in the order of paths.
        path: relative to the folder, as the system spells it.
        facts: see `child.Facts`.
        shard: number of the shard that has its pixels.
        row: of its thumbnail.
        licence: as the manifest says.
    """

    file: int
    path: str
    facts: Facts = field(repr=False)
    shard: int
    row: int
    licence: str = ""

    @property
    def place(self) -> str:
        """Name it for a person."""
        return shown(self.path) + (f" frame {self.facts.frame}" if self.facts.frame > 1 else "")

    def aside(self, reason: str, other: "Found | None" = None) -> Aside:
        """Set it aside, as a copy of another or for a reason of its own."""
        copied = None if other is None else (other.file, other.facts.frame)
        return Aside(file=self.file, frame=self.facts.frame, reason=reason, other=copied)


@dataclass
class Placement:
    """Slices by split, the rest with reasons, and what a reader of scores should know."""

    placed: list[tuple[str, Found]]
    aside: list[Aside]
    notes: list[str]


# Pairs that show the same slice, sought between slices of different groups.
Copies = Callable[[Sequence[Found], Sequence[object]], list[tuple[Found, Found]]]


def by_manifest(
    rows: Sequence[manifest.Row], found: Sequence[Found], refused: dict[str, str], copies: Copies
) -> Placement:
    """Place slices as a manifest says.

    Args:
        rows: of the manifest.
        found: what its files held.
        refused: reasons of the others, by path.
        copies: finds pairs.

    Raises:
        UsageError: files are missing or differ, or a patient or a slice is in two splits.
    """
    frames: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        frames[one.path].append(one)
    placed: list[tuple[str, Found]] = []
    splits_of: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        where = f"{manifest.NAME}, line {row.line}: '{shown(row.path)}'"
        reason = refused.get(row.path)
        if reason is not None and row.digest:
            raise UsageError(f"{where} cannot be read: {reason}; fetch the file again")
        if reason is None:
            placed += [(row.split, one) for one in _of_row(row, frames[row.path], where)]
            for one in frames[row.path]:
                splits_of[one.facts.patient_id].add(row.split)
    _one_split_a_patient(placed)
    placed, aside = _without_copies(placed)
    _no_copy_in_two_splits(placed, copies)
    torn = sum(bool(patient) and len(names) > 1 for patient, names in splits_of.items())
    notes = [f"{torn} PatientIDs of the files stand in several splits, under other names"]
    return Placement(placed, aside, notes if torn else [])


def _of_row(row: manifest.Row, frames: Sequence[Found], where: str) -> list[Found]:
    chosen = [one for one in frames if row.frame in (None, one.facts.frame)]
    if not chosen:
        raise UsageError(f"{where} has no frame {row.frame}; it has {len(frames)}")
    if row.digest and len(chosen) > 1:
        raise UsageError(
            f"{where} has {len(chosen)} frames and one pixel_sha256; list each frame on a line"
        )
    if row.digest and chosen[0].facts.digest != row.digest:
        raise UsageError(f"{where} has other pixels than its pixel_sha256; fetch the file again")
    patient = row.patient or chosen[0].facts.patient_id
    if not patient:
        raise UsageError(f"{where} has no PatientID; give {manifest.NAME} a patient column")
    return [
        replace(one, facts=replace(one.facts, patient_id=patient), licence=row.licence)
        for one in chosen
    ]


def _one_split_a_patient(placed: Iterable[tuple[str, Found]]) -> None:
    split_of: dict[str, str] = {}
    for name, one in placed:
        if split_of.setdefault(one.facts.patient_id, name) != name:
            raise UsageError(
                f"{manifest.NAME}: the patient of '{shown(one.path)}' is in "
                f"{split_of[one.facts.patient_id]} and in {name}; keep a patient in one split"
            )


def _no_copy_in_two_splits(placed: Sequence[tuple[str, Found]], copies: Copies) -> None:
    split_of = {id(one): name for name, one in placed}
    for one, other in copies([one for _, one in placed], [name for name, _ in placed]):
        raise UsageError(
            f"{manifest.NAME}: '{one.place}' in {split_of[id(one)]} and '{other.place}' in "
            f"{split_of[id(other)]} show the same slice; drop one, or keep both in one split"
        )


def by_patient(found: Sequence[Found], copies: Copies) -> Placement:
    """Place slices by PatientID; of one or two patients, by blocks of the body.

    PatientIDs that share a slice are one person's, and go to one split.

    Raises:
        UsageError: no slice has a PatientID, or one body is too short.
    """
    aside, notes = list[Aside](), list[str]()
    known = [one for one in found if one.facts.patient_id]
    nameless = [one for one in found if not one.facts.patient_id]
    if nameless:
        aside += [one.aside(NO_PATIENT) for one in nameless]
        notes.append(f"{len(nameless)} slices without PatientID were set aside")
    if not known:
        raise UsageError(f"no slice to split: {advice(aside)}")
    known, odd = _one_size_a_series(known)
    known, several = _one_name_a_person(known, copies)
    notes += several
    unplaced, copied = _without_copies([("", one) for one in known])
    slices = [one for _, one in unplaced]
    aside += [*odd, *copied]
    patients = {one.facts.patient_id for one in slices}
    if len(patients) >= split.FEWEST_PATIENTS:
        split_of = split.by_patient(patients)
        placed = [(split_of[one.facts.patient_id], one) for one in slices]
        return Placement(placed, aside, notes)
    placed, gaps = _by_blocks(slices)
    placed, similar = _no_copy_in_two_blocks(placed, copies)
    gaps += similar
    few = "one patient" if len(patients) == 1 else "two patients"
    notes.append(
        f"{few} only: {SAME_BODY}, with {len(gaps)} slices left out between them; "
        "scores say nothing about other patients"
    )
    return Placement(placed, [*aside, *gaps], notes)


def _one_name_a_person(slices: Sequence[Found], copies: Copies) -> tuple[list[Found], list[str]]:
    """Give PatientIDs that share a slice one of their names: the one of most slices."""
    count = Counter(one.facts.patient_id for one in slices)
    name = {patient: patient for patient in count}
    for one, other in copies(slices, [one.facts.patient_id for one in slices]):
        pair = {name[one.facts.patient_id], name[other.facts.patient_id]}
        main = max(pair, key=lambda patient: (count[patient], patient))
        name = {patient: main if now in pair else now for patient, now in name.items()}
    several = len(name) - len(set(name.values()))
    if not several:
        return list(slices), []
    renamed = [
        replace(one, facts=replace(one.facts, patient_id=name[one.facts.patient_id]))
        for one in slices
    ]
    return renamed, [f"{several} PatientIDs share slices with another: taken for one person"]


def _by_blocks(slices: Sequence[Found]) -> tuple[list[tuple[str, Found]], list[Aside]]:
    of_patient: dict[str, list[Found]] = defaultdict(list)
    for one in slices:
        of_patient[one.facts.patient_id].append(one)
    placed: list[tuple[str, Found]] = []
    aside: list[Aside] = []
    problem: UsageError | None = None
    for members in of_patient.values():
        placeable = [one for one in members if one.facts.position_mm is not None]
        reason = "no position along the patient, which a split by slice needs"
        aside += [one.aside(reason) for one in members if one.facts.position_mm is None]
        if not placeable:
            continue
        try:
            splits = split.by_blocks(
                [one.facts.position_mm or 0.0 for one in placeable],
                [one.facts.series_uid for one in placeable],
                max(one.facts.thickness_mm for one in placeable),
            )
        except UsageError as error:  # of two patients, one may still fill three blocks
            problem, splits = error, ["train"] * len(placeable)
        for name, one in zip(splits, placeable, strict=True):
            if name is None:
                aside.append(one.aside("left out between two blocks of the split"))
            else:
                placed.append((name, one))
    if problem is not None and not set(SPLITS) <= {name for name, _ in placed}:
        raise problem
    return placed, aside


def _no_copy_in_two_blocks(
    placed: Sequence[tuple[str, Found]], copies: Copies
) -> tuple[list[tuple[str, Found]], list[Aside]]:
    """Take slices out of later blocks that an earlier block shows as well."""
    split_of = {id(one): name for name, one in placed}
    groups: dict[int, list[Found]] = {}  # of each slice: all that show it, also by way of others
    for pair in copies([one for _, one in placed], [name for name, _ in placed]):
        group = [each for one in pair for each in groups.get(id(one), [one])]
        groups |= {id(each): group for each in group}
    original: dict[int, Found] = {}
    for name, one in placed:
        first = min(groups.get(id(one), [one]), key=lambda one: SPLITS.index(split_of[id(one)]))
        if split_of[id(first)] != name:
            original[id(one)] = first
    kept = [(name, one) for name, one in placed if id(one) not in original]
    aside = [
        one.aside("shows the same slice as", original[id(one)])
        for _, one in placed
        if id(one) in original
    ]
    return kept, aside


def _one_size_a_series(slices: Sequence[Found]) -> tuple[list[Found], list[Aside]]:
    """Keep each series' most frequent size; of equally frequent ones, the largest."""
    sizes: dict[tuple[str, str], Counter[tuple[int, int]]] = defaultdict(Counter)
    for one in slices:
        key = (one.facts.patient_id, one.facts.series_uid)
        sizes[key][one.facts.rows, one.facts.columns] += 1
    usual = {
        key: max(counter, key=lambda size: (counter[size], size))
        for key, counter in sizes.items()
    }  # fmt: skip
    kept, aside = [], []
    for one in slices:
        rows, columns = usual[one.facts.patient_id, one.facts.series_uid]
        if (one.facts.rows, one.facts.columns) == (rows, columns):
            kept.append(one)
        else:
            own = f"{one.facts.rows} × {one.facts.columns}"
            aside.append(one.aside(f"{own} pixels in a series of {rows} × {columns}"))
    return kept, aside


def _without_copies(
    placed: Sequence[tuple[str, Found]],
) -> tuple[list[tuple[str, Found]], list[Aside]]:
    """Keep the first of slices with equal pixels; one that is in two splits is an error."""
    first: dict[str, tuple[str, Found]] = {}
    aside = []
    for name, one in placed:
        before, original = first.setdefault(one.facts.digest, (name, one))
        if original is one:
            continue
        if before != name:
            raise UsageError(
                f"{manifest.NAME}: '{original.place}' in {before} and '{one.place}' in "
                f"{name} have the same pixels; drop one"
            )
        aside.append(one.aside("same pixels as", original))
    return list(first.values()), aside


def advice(aside: Sequence[Aside]) -> str:
    """Say why files were set aside, most frequent reason first, and what to do."""
    if not aside:
        return "the folder holds no file; give one with DICOM files"
    reason, count = Counter(one.reason for one in aside).most_common(1)[0]
    return f"{len(aside)} set aside, {count} of them as: {reason}"
