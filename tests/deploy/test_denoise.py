"""Series as a whole: finished ones, begun ones, and places that are taken."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread

from denoisebench.deploy.denoise import denoise_series
from denoisebench.deploy.series import find_series
from denoisebench.errors import Unavailable, UsageError


@pytest.fixture
def denoise(method, tmp_path):
    def call(name: str = "blur(width=1.0)", output: str = "out", **how: Any) -> Any:
        found, _ = find_series(tmp_path / "in")
        return denoise_series(found, method(name), tmp_path / output, **how)

    return call


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob("*")) if path.is_file()}  # fmt: skip


def test_the_same_twice_is_the_same_to_the_byte(write_series, noisy, denoise, tmp_path):
    write_series(tmp_path / "in", noisy)
    denoise()
    denoise(output="again")
    assert list(contents(tmp_path / "out")) == ["0001.dcm", "0002.dcm", "0003.dcm"]
    assert contents(tmp_path / "out") == contents(tmp_path / "again")


def test_each_series_has_a_folder_called_by_its_new_uid(write_series, noisy, denoise, tmp_path):
    write_series(tmp_path / "in", noisy[:1], series="1.2.3.1")
    write_series(tmp_path / "in", noisy[1:], series="1.2.3.2")
    made = denoise()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {uid for uid, _ in made}
    for uid, change in made:
        files = list((tmp_path / "out" / uid).iterdir())
        assert len(files) == change.slices
        assert {dcmread(path).SeriesInstanceUID for path in files} == {uid}


def test_what_stands_there_is_never_touched(write_series, noisy, denoise, tmp_path):
    write_series(tmp_path / "in", noisy[:1])
    (tmp_path / "out").mkdir()
    denoise()  # an empty folder is a place like another
    before = contents(tmp_path / "out")
    with pytest.raises(UsageError, match="is there already"):
        denoise("blur(width=1.5)")
    assert contents(tmp_path / "out") == before
    assert not list(tmp_path.glob("*.unfinished"))


def test_an_interrupted_series_goes_on_and_ends_the_same(write_series, noisy, denoise, tmp_path):
    write_series(tmp_path / "in", noisy)
    denoise(output="undisturbed")
    seen: list[int] = []

    def stop() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(advance=stop)
    assert not (tmp_path / "out").exists()
    ((_, change),) = denoise()
    assert (change.slices, change.resumed) == (3, 2)
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_what_another_method_began_is_made_anew(write_series, noisy, denoise, tmp_path):
    write_series(tmp_path / "in", noisy)
    denoise(output="undisturbed")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise("blur(width=2.0)", advance=stop)
    ((_, change),) = denoise()
    assert change.resumed == 0
    assert contents(tmp_path / "out") == contents(tmp_path / "undisturbed")


def test_slices_that_left_the_series_leave_what_was_begun(write_series, noisy, denoise, tmp_path):
    paths = write_series(tmp_path / "in", noisy)

    def stop() -> None:
        if len(list((tmp_path / "out.unfinished").glob("*.dcm"))) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(advance=stop)
    paths[-1].unlink()
    denoise()
    assert list(contents(tmp_path / "out")) == ["0001.dcm", "0002.dcm"]


def test_a_file_that_is_damaged_in_what_was_begun_is_made_anew(
    write_series, noisy, denoise, tmp_path
):
    write_series(tmp_path / "in", noisy[:1])
    begun = tmp_path / "out.unfinished"
    begun.mkdir()
    (begun / "0001.dcm").write_bytes(b"half")
    (begun / "0001.dcm.99.writing").write_bytes(b"half")
    denoise()
    assert list(contents(tmp_path / "out")) == ["0001.dcm"]
    assert dcmread(tmp_path / "out" / "0001.dcm").Rows == 256


def test_slices_of_one_value_pass(write_series, noisy, denoise, tmp_path):
    """Scans may begin with slices of padding alone."""
    blank = np.full_like(noisy[0], -1024)
    write_series(tmp_path / "in", [blank, noisy[2]])
    ((_, change),) = denoise()
    assert change.slices == 2
    assert (dcmread(tmp_path / "out" / "0001.dcm").pixel_array == 0).all()


def test_a_full_disk_is_told_and_leaves_nothing_half(write_series, noisy, method, small_disk,
                                                     tmp_path):  # fmt: skip
    write_series(tmp_path / "in", noisy * 4)  # 12 times 131 kB
    found, _ = find_series(tmp_path / "in")
    with pytest.raises(Unavailable, match="No space left"):
        denoise_series(found, method(), small_disk / "out")
    assert not (small_disk / "out").exists()
    for path in (small_disk / "out.unfinished").glob("*.dcm"):
        assert dcmread(path).pixel_array.shape == (256, 256)


def test_pixels_that_are_no_numbers_end_it(write_series, noisy, denoise, tmp_path, method):
    """A denoiser that breaks is told; its slice is not written."""
    write_series(tmp_path / "in", noisy[:1])
    found, _ = find_series(tmp_path / "in")
    broken = method()

    class Broken(type(broken)):  # type: ignore[misc]
        def _denoiser(self) -> Any:
            from denoisebench.scoring.denoisers import Denoised

            return lambda shown: (Denoised(one * np.nan, 0.0) for one in shown)

    fields = {name: getattr(broken, name) for name in broken.__dataclass_fields__}
    with pytest.raises(Unavailable, match="not finite"):
        denoise_series(found, Broken(**fields), tmp_path / "out")
    assert not list((tmp_path / "out.unfinished").glob("*.dcm"))


def test_a_place_that_no_folder_can_take_is_refused_before_any_work(
    write_series, noisy, denoise, tmp_path, monkeypatch
):
    write_series(tmp_path / "in", noisy[:1])
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    monkeypatch.chdir(tmp_path / "empty")
    for place in ("link", "empty"):
        with pytest.raises(UsageError, match="cannot be replaced; name a folder in it"):
            denoise(output=place)
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "disk")
    (tmp_path / "disk").mkdir()
    with pytest.raises(UsageError, match=r"name a folder in it, such as .*disk/denoised"):
        denoise(output="disk")
    assert not list(tmp_path.glob("*.unfinished"))


def test_several_series_leave_nothing_of_another_method(write_series, noisy, denoise, tmp_path):
    write_series(tmp_path / "in", noisy[:2], series="1.2.3.1")
    write_series(tmp_path / "in", noisy[2:], series="1.2.3.2")

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise("blur(width=2.0)", advance=stop)
    made = denoise()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {uid for uid, _ in made}


def test_a_header_that_was_put_right_is_written_anew(write_series, noisy, denoise, tmp_path):
    """Else the first slices of one series would be of another patient than the rest."""
    paths = write_series(tmp_path / "in", noisy)
    seen: list[int] = []

    def stop() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        denoise(advance=stop)
    for path in paths:
        image = dcmread(path)
        image.PatientID = "P2"
        image.save_as(path)
    ((_, change),) = denoise()
    assert change.resumed == 0
    assert {dcmread(path).PatientID for path in (tmp_path / "out").iterdir()} == {"P2"}
