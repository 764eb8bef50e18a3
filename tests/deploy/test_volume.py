"""NIfTI in, NIfTI out: same header, same type, same order."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from denoisebench.data.intake import nifti
from denoisebench.deploy.volume import denoise_volume, is_volume, read_volume
from denoisebench.errors import UsageError

nib = pytest.importorskip("nibabel", reason="the extra nifti is not installed")

# From voxels to mm: as DICOM's axial slices lie, turned by 4° about the patient's axis.
AFFINE = np.array(
    [[-0.698, 0.049, 0, 90], [-0.049, -0.698, 0, 95], [0, 0, 3.0, -100], [0, 0, 0, 1.0]]
)


@pytest.fixture
def save(noisy, tmp_path):
    """Write the noisy slices as a volume."""

    def call(
        name: str = "in.nii",
        *,
        order: tuple[int, int, int] = (2, 1, 0),
        dtype: Any = np.int16,
        slope: float = 1,
        intercept: float = 0,
        voxels: Any = None,
    ) -> Path:
        hu = np.stack(noisy) if voxels is None else voxels
        stored = ((hu - intercept) / slope).transpose(order)
        stored = (np.rint(stored) if np.dtype(dtype).kind in "iu" else stored).astype(dtype)
        axes = [(2, 1, 0).index(axis) for axis in order]
        affine = AFFINE[:, [*axes, 3]]
        image = nib.Nifti1Image(stored, affine)
        image.header.set_xyzt_units("mm", "sec")
        image.header["descrip"] = b"before"
        image.header["cal_max"] = 240
        image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"a comment"))
        image.header.set_slope_inter(slope, intercept)
        nib.save(image, tmp_path / name)
        return tmp_path / name

    return call


def hu_of(path: Path) -> NDArray[np.float64]:
    return np.asarray(nib.load(path).get_fdata())


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"name": "in.nii.gz"},
        {"order": (1, 2, 0)},
        {"order": (0, 2, 1), "name": "in.nii.gz"},
        {"dtype": np.uint16, "intercept": -1024},
        {"dtype": np.float32},
        {"dtype": ">i2"},
        {"dtype": np.int16, "slope": 0.1},
    ],
    ids=str,
)
def test_geometry_header_and_hu_stay(save, method, tmp_path, how):
    given = save(**how)
    volume, wrong = read_volume(given)
    assert wrong == []
    output = tmp_path / given.name.replace("in", "out")
    change = denoise_volume(volume, method(), output)
    before, after = nib.load(given), nib.load(output)
    assert np.array_equal(after.affine, before.affine)
    for field in before.header:
        if field != "descrip":
            assert after.header[field].tobytes() == before.header[field].tobytes(), field
    assert b"not for diagnosis" in after.header["descrip"].tobytes()
    assert after.header.extensions[0].get_content() == b"a comment"
    difference = hu_of(output) - hu_of(given)
    assert abs(difference.mean()) < 1
    assert difference.std() > 20
    # both are sums of the same numbers in another order
    assert change.mean_hu == pytest.approx(difference.mean(), abs=1e-3)
    assert change.slices == 3


def test_a_volume_and_a_series_give_the_same_hu(save, method, write_series, noisy, tmp_path, clean):
    from pydicom import dcmread

    from denoisebench.deploy.denoise import denoise_series
    from denoisebench.deploy.series import find_series

    volume, _ = read_volume(save())
    denoise_volume(volume, method(), tmp_path / "out.nii")
    write_series(tmp_path / "in", noisy)
    denoise_series(find_series(tmp_path / "in")[0], method(), tmp_path / "out")
    for number in (1, 2, 3):
        image = dcmread(tmp_path / "out" / f"000{number}.dcm")
        dicom = image.pixel_array.astype(float) - 1024
        nifti = hu_of(tmp_path / "out.nii")[..., number - 1].T
        # The noise beyond the window that a denoiser is shown is drawn from another digest: what
        # it is beside differs, by less than the noise that is left.
        inside = np.abs(clean[number - 1]) < 100
        assert np.abs(dicom - nifti)[inside].mean() < 2


def test_voxels_that_are_no_numbers_stay(save, method, noisy, tmp_path):
    voxels = np.stack(noisy)
    voxels[:, :20] = np.nan
    volume, _ = read_volume(save(dtype=np.float32, voxels=voxels))
    denoise_volume(volume, method(), tmp_path / "out.nii")
    found = hu_of(tmp_path / "out.nii")
    assert np.array_equal(np.isnan(found), np.isnan(voxels.transpose(2, 1, 0)))


def test_the_same_twice_is_the_same_to_the_byte(save, method, tmp_path):
    volume, _ = read_volume(save("in.nii.gz"))
    for name in ("one.nii.gz", "two.nii.gz"):
        denoise_volume(volume, method(), tmp_path / name)
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()
    assert gzip.decompress((tmp_path / "one.nii.gz").read_bytes())[:4] == b"\x5c\x01\0\0"


def test_what_is_no_ct_is_told(save, noisy):
    _, wrong = read_volume(save(voxels=np.abs(np.stack(noisy)) + 5))
    assert len(wrong) == 1
    assert "values" in wrong[0]


def test_what_is_there_is_never_touched(save, method, tmp_path):
    volume, _ = read_volume(save())
    (tmp_path / "out.nii").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already"):
        denoise_volume(volume, method(), tmp_path / "out.nii")
    assert (tmp_path / "out.nii").read_bytes() == b"mine"


def test_volumes_are_told_by_their_names():
    assert is_volume(Path("A.NII.GZ"))
    assert not is_volume(Path("nii.dcm"))


def test_a_name_in_capitals_is_packed_as_it_says(save, method, tmp_path):
    volume, _ = read_volume(save())
    denoise_volume(volume, method(), tmp_path / "OUT.NII.GZ")
    assert nib.load(tmp_path / "OUT.NII.GZ").shape == nib.load(tmp_path / "in.nii").shape


def test_what_cannot_be_written_is_told_before_a_plane_is_denoised(save, method, tmp_path):
    volume, _ = read_volume(save())
    (tmp_path / "out.nii").mkdir()
    (tmp_path / "file").write_text("")
    for place in ("out.nii", "file/out.nii"):
        with pytest.raises(UsageError):
            denoise_volume(volume, method(), tmp_path / place, lambda: pytest.fail("too late"))


def test_what_was_denoised_is_no_reference(save, method, tmp_path):
    volume, _ = read_volume(save())
    denoise_volume(volume, method(), tmp_path / "out.nii")
    with pytest.raises(nifti.NotCT, match="denoised by denoisebench"):
        nifti.read(tmp_path / "out.nii")
