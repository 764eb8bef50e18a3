"""Planted copies end in the split of their original, or the data are refused."""

import shutil
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from denoisebench.data.dataset import SPLITS, DataSet
from denoisebench.data.intake.dicom import read
from denoisebench.data.phantom import draw
from denoisebench.data.store import placing
from denoisebench.data.store import prepare as room
from denoisebench.data.store.prepare import prepare
from denoisebench.errors import UsageError
from tests.data.planted_leaks import Planted, plant

pytestmark = pytest.mark.usefixtures("own_home")


@pytest.fixture(scope="module")
def phantom(
    made: ModuleType, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Planted]]:
    """Ten patients at four levels, and twenty leaks of twenty others."""
    folder = tmp_path_factory.mktemp("phantom")
    for number in range(40):
        patient, level = divmod(number, 4)
        hu = draw(patient, level, size=256)
        made.write(folder / f"{number:02}.dcm", hu + 1024, PatientID=f"patient {patient}")
    return folder, plant(sorted(folder.glob("*.dcm")), folder, made)


def escaped(data: DataSet, planted: list[Planted]) -> set[str]:
    """Return the leaks that are in another split than what they copy."""
    split_of = {one.digest: name for name in SPLITS for one in data.slices(name)}

    def split(path: Path) -> str | None:
        return split_of.get(read(path)[0].digest)

    return {leak.name for leak in planted if split(leak.copy) not in (None, split(leak.original))}


def test_twenty_leaks_go_where_their_originals_are(
    phantom: tuple[Path, list[Planted]], tmp_path: Path
) -> None:
    folder, planted = phantom
    data = prepare(folder, tmp_path / "out")
    assert escaped(data, planted) == set()
    assert "20 PatientIDs share slices with another: taken for one person" in data.notes
    patients = [patient for name in SPLITS for patient in data.patients(name)]
    assert len(patients) == len(set(patients)) == 10


def test_without_the_search_the_same_leaks_escape(
    phantom: tuple[Path, list[Planted]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, planted = phantom
    monkeypatch.setattr(room, "near_copies", lambda *_: [])
    assert len(escaped(prepare(folder, tmp_path / "out"), planted)) >= 4


def test_a_manifest_that_parts_a_leak_from_its_original_is_refused_twenty_times(
    phantom: tuple[Path, list[Planted]], tmp_path: Path
) -> None:
    folder, planted = phantom
    names = sorted(path.name for path in folder.glob("[0-9]*.dcm"))
    split_of = {name: SPLITS[(int(name[:2]) // 4) % 3] for name in names}
    listed = folder / "manifest.csv"
    home = {leak.copy.name: split_of[leak.original.name] for leak in planted}
    try:
        for leak in planted:
            other = SPLITS[(SPLITS.index(home[leak.copy.name]) + 1) % 3]
            lines = {**split_of, **home, leak.copy.name: other}
            text = "\n".join(f"{name},{split}" for name, split in lines.items())
            listed.write_text(f"path,split\n{text}\n")
            with pytest.raises(UsageError) as refused:
                prepare(folder, tmp_path / "out")
            said = str(refused.value)
            assert f"'{leak.original.name}'" in said, leak.name
            assert f"'{leak.copy.name}'" in said, leak.name
            assert other in said
        text = "\n".join(f"{name},{split}" for name, split in {**split_of, **home}.items())
        listed.write_text(f"path,split\n{text}\n")
        assert escaped(prepare(folder, tmp_path / "out"), planted) == set()
    finally:
        listed.unlink()


def test_twenty_leaks_in_real_ct_go_where_their_originals_are(
    ct_folder: Path, tmp_path: Path, made: ModuleType
) -> None:
    folder = tmp_path / "ct"
    shutil.copytree(ct_folder, folder)
    (folder / "manifest.csv").unlink()
    before = prepare(folder, tmp_path / "before")
    assert before.notes == ()  # no false alarm
    planted = plant(sorted(folder.rglob("*.dcm")), folder, made)
    data = prepare(folder, tmp_path / "out")
    assert escaped(data, planted) == set()
    assert "20 PatientIDs share slices with another: taken for one person" in data.notes


def test_a_chain_of_copies_leaves_none_in_a_later_block() -> None:
    """Copies that are linked by way of a third are not reported as a pair of their own."""
    slices = {name: SimpleNamespace(aside=lambda *said: said) for name in ("train", "val", "test")}
    placed = list(slices.items())
    pairs = [(slices["val"], slices["test"]), (slices["train"], slices["test"])]
    kept, aside = placing._no_copy_in_two_blocks(placed, lambda found, groups: pairs)
    assert [name for name, _ in kept] == ["train"]
    assert [original for _, original in aside] == [slices["train"]] * 2
