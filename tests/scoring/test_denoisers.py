import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from denoisebench import Unavailable
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers

BLUR = '''
import time

import numpy as np

from denoisebench import baseline


@baseline("blur")
def blur(noisy, sigma, *, wait: float = 0.0, crop: bool = False):
    """Average of four neighbours.

    Knobs:
        wait: seconds before it answers.
        crop: answer with another shape.
    """
    time.sleep(wait)
    parts = [np.roll(noisy, shift, axis) for shift in (-1, 1) for axis in (0, 1)]
    return sum(parts)[crop:] / 4


@baseline("halve", batched=True)
def halve(noisy, sigma):
    """Half of a (B, 1, H, W) tensor."""
    assert noisy.ndim == 4
    return noisy / 2
'''


@pytest.fixture
def blur(tmp_path, monkeypatch):
    monkeypatch.setenv("DENOISEBENCH_HOME", str(tmp_path / "home"))
    (tmp_path / "blur.py").write_text(BLUR)
    catalogue = find([tmp_path / "blur.py"])
    return lambda text: resolve(text, "baseline", catalogue)[0]


def images(count):
    return [np.random.default_rng(number).normal(size=(8, 8)) for number in range(count)]


def test_outputs_come_in_the_order_of_the_inputs(blur):
    slices = images(12)
    outputs = list(denoisers.baseline(blur("blur"), 50.0, workers=2)(iter(slices)))
    for noisy, denoised in zip(slices, outputs, strict=True):
        expected = sum(np.roll(noisy, s, a) for s in (-1, 1) for a in (0, 1)) / 4
        assert denoised.image == pytest.approx(expected, abs=1e-6)  # kept as float32


def test_a_slow_output_is_kept_and_equal_the_second_time(blur, monkeypatch):
    part, (noisy,) = blur("blur(wait=0.3)"), images(1)
    (first,) = denoisers.baseline(part, 50.0, workers=1)([noisy])
    assert first.seconds > 0.3

    def computed(*_):
        raise AssertionError("it was computed again")

    monkeypatch.setattr(denoisers, "_one", computed)
    (second,) = denoisers.baseline(part, 50.0, workers=1)([noisy])
    assert np.array_equal(first.image, second.image)
    assert second.seconds == first.seconds


def test_other_pixels_knobs_or_sigma_are_not_taken_from_the_cache(blur):
    part, (noisy, other) = blur("blur(wait=0.3)"), images(2)
    list(denoisers.baseline(part, 50.0, workers=1)([noisy]))
    assert denoisers.cached(part, 50.0, noisy) is not None
    assert denoisers.cached(part, 50.0, other) is None
    assert denoisers.cached(part, 25.0, noisy) is None
    assert denoisers.cached(blur("blur(wait=0.31)"), 50.0, noisy) is None


def test_a_damaged_file_in_the_cache_is_computed_again(blur, tmp_path):
    part, (noisy,) = blur("blur(wait=0.3)"), images(1)
    list(denoisers.baseline(part, 50.0, workers=1)([noisy]))
    (kept,) = (tmp_path / "home").rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:100])
    assert denoisers.cached(part, 50.0, noisy) is None


def test_a_batched_baseline_is_given_tensors(blur):
    (noisy,) = images(1)
    (denoised,) = denoisers.baseline(blur("halve"), 50.0, workers=1)([noisy])
    assert denoised.image == pytest.approx(noisy / 2, abs=1e-6)  # kept as float32


def test_on_a_gpu_slices_of_one_shape_go_in_batches_and_come_in_order(blur, monkeypatch):
    """Torch's meta device stands in for a GPU; what would run there is computed here."""
    sizes = []

    def batch(part, sigma, noisy, learned, keep, device):
        assert device.type == "meta"
        sizes.append(len(noisy))
        return [denoisers.Denoised(image / 2, 0.0) for image in noisy]

    monkeypatch.setattr(denoisers, "_batch", batch)
    slices = [*images(11), np.ones((4, 6)), *images(2)]
    denoiser = denoisers.baseline(blur("halve"), 50.0, device=torch.device("meta"))
    for noisy, denoised in zip(slices, denoiser(iter(slices)), strict=True):
        assert np.array_equal(denoised.image, noisy / 2)
    assert sizes == [8, 3, 1, 2]


def test_where_memory_ends_a_batch_is_halved_and_comes_in_order(blur, monkeypatch):
    sizes = []

    def batch(part, sigma, noisy, learned, keep, device):
        sizes.append(len(noisy))
        if len(noisy) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        return [denoisers.Denoised(image / 2, 0.0) for image in noisy]

    monkeypatch.setattr(denoisers, "_batch", batch)
    slices = images(8)
    denoiser = denoisers.baseline(blur("halve"), 50.0, device=torch.device("meta"))
    for noisy, denoised in zip(slices, denoiser(iter(slices)), strict=True):
        assert np.array_equal(denoised.image, noisy / 2)
    assert sizes == [8, 4, 2, 2, 4, 2, 2]


def test_a_slice_for_which_memory_ends_is_told(blur, monkeypatch):
    def batch(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(denoisers, "_batch", batch)
    with pytest.raises(Unavailable, match="halve ran out of memory on a slice of 8 × 8"):
        list(denoisers.baseline(blur("halve"), 50.0, device=torch.device("meta"))(images(2)))


def test_what_a_cpu_made_is_not_taken_for_a_gpus(blur, monkeypatch):
    """Its seconds are others; the meta device stands in for a GPU."""
    monkeypatch.setattr(denoisers, "WORTH_KEEPING_SECONDS", 0.0)
    part, (noisy,) = blur("halve"), images(1)
    list(denoisers.baseline(part, 50.0, device=torch.device("cpu"))([noisy]))
    assert denoisers.cached(part, 50.0, noisy) is not None
    assert denoisers.cached(part, 50.0, noisy, device=torch.device("cpu")) is not None
    assert denoisers.cached(part, 50.0, noisy, device=torch.device("meta")) is None


def test_each_slice_is_kept_as_it_comes(blur):
    """A board that is interrupted goes on where it was."""
    part, slices = blur("blur(wait=0.3)"), images(3)
    outputs = denoisers.baseline(part, 50.0, workers=1)(iter(slices))
    next(outputs)
    assert denoisers.cached(part, 50.0, slices[0]) is not None
    outputs.close()


THREADS = """
import numpy as np
from threadpoolctl import threadpool_info
from denoisebench import baseline

@baseline("threads")
def threads(noisy, sigma):
    \"\"\"The most threads that a numeric library takes.\"\"\"
    return np.full(noisy.shape, max(each["num_threads"] for each in threadpool_info()))
"""


def test_a_workers_numeric_libraries_take_one_core_and_this_process_keeps_its_own(
    tmp_path, monkeypatch
):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    (tmp_path / "threads.py").write_text(THREADS)
    (part,) = resolve("threads", "baseline", find([tmp_path / "threads.py"]))
    (denoised,) = denoisers.baseline(part, 50.0, workers=1)(images(1))
    assert denoised.image[0, 0] == 1
    assert os.environ["OPENBLAS_NUM_THREADS"] == "2"


def test_an_output_of_another_shape_names_the_baseline(blur):
    with pytest.raises(ValueError, match=r"blur gave \(7, 8\) for a slice of \(8, 8\)"):
        list(denoisers.baseline(blur("blur(crop=True)"), 50.0, workers=1)(images(1)))


WAITING = """
import os, sys, time
import numpy as np
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.scoring import denoisers
if __name__ == "__main__":
    (part,) = resolve("pid", "baseline", find([sys.argv[1]]))
    for denoised in denoisers.baseline(part, 50.0, workers=2)([np.zeros((8, 8))] * 2):
        print(int(denoised.image[0, 0]), flush=True)
        time.sleep(60)
"""
PID = """
import os
import numpy as np
from denoisebench import baseline

@baseline("pid")
def pid(noisy, sigma):
    \"\"\"The number of the process.\"\"\"
    return np.full(noisy.shape, os.getpid())
"""


def alive(process):
    """Whether a process runs still; a dead one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="no /proc to look processes up in")
def test_workers_end_when_their_parent_is_killed(tmp_path):
    (tmp_path / "pid.py").write_text(PID)
    (tmp_path / "run.py").write_text(WAITING)
    words = [sys.executable, tmp_path / "run.py", tmp_path / "pid.py"]
    # The pool stays open while its consumer holds the iterator between two outputs.
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        os.kill(parent.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while alive(worker) and time.monotonic() < until:
        time.sleep(0.05)
    assert not alive(worker)
