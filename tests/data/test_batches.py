import numpy as np
import pytest
import torch

from denoisebench.data.batches import Batches
from denoisebench.data.patches import crops
from denoisebench.data.resident import Resident, fits
from denoisebench.data.scan import Slice
from denoisebench.task import load_task

CPU = torch.device("cpu")
TASKS = ("ct-sigma50", "ct-sigma50-rgb8")
SHAPES = [(48, 48), (64, 48), (40, 90), (20, 100), (17, 19), (33, 32), (96, 96)]


@pytest.fixture(scope="module")
def slices() -> list[Slice]:
    """Of many shapes, some smaller than a crop, with no two pixels alike."""
    random = np.random.default_rng(0)
    hu = [random.permutation(h * w).reshape(h, w).astype(np.int16) - 2000 for h, w in SHAPES]
    return [Slice(one, str(number), str(number)) for number, one in enumerate(hu)]


@pytest.mark.parametrize("patch", [8, 32])
def test_crops_cut_on_a_device_are_those_cut_here_bit_for_bit(slices, patch):
    task = load_task("ct-sigma50")
    resident = Resident(slices, task, patch, CPU)
    for step in range(40):  # 160 crops: each slice in each of the eight turns, all but surely
        here = crops(slices, task, seed=3, step=step, batch=4, patch=patch)
        there = resident.crops(3, step, 4)
        assert np.array_equal(there.numpy(), here)


@pytest.mark.parametrize("patch", [16, 17])  # torch draws in sixteens
@pytest.mark.parametrize("name", TASKS)
def test_a_batch_is_the_same_in_parts(slices, name, patch):
    """Whoever computes which rows: the crops and their noise are those of the whole batch."""
    task, facts = load_task(name), {"seed": 1, "batch": 6, "patch": patch, "device": CPU}
    whole = Batches(slices, task, **facts)
    wholes = [whole[step] for step in (5, 6, 7)]
    for rows in (range(2), range(2, 4), range(4, 6), range(3, 6)):
        part = Batches(slices, task, rows=rows, **facts)
        for step, (clean, noisy) in zip((5, 6, 7), wholes, strict=True):
            mine = part[step]
            assert torch.equal(mine[0], clean[rows.start : rows.stop])
            assert torch.equal(mine[1], noisy[rows.start : rows.stop])


@pytest.fixture(params=["thread", "several", "one"])
def way(request, monkeypatch):
    """How crops are cut ahead: by a thread, as for a GPU; for several small steps; not at all."""
    if request.param != "several":
        monkeypatch.setattr("denoisebench.data.batches.PIXELS_AT_ONCE", 1)
    made = []

    def batches(*given, **facts):
        made.append(Batches(*given, **facts))
        made[-1]._by_thread = request.param == "thread"
        return made[-1]

    return batches


def test_a_batch_does_not_depend_on_the_one_before(slices, way):
    """Cut ahead, asked for out of turn, or first of a resumed run: the same bits."""
    facts = {"seed": 1, "batch": 2, "patch": 16, "device": CPU}
    task = load_task("ct-sigma50")
    batches = way(slices, task, **facts)
    ahead = []
    for step in range(6):
        ahead.append(batches[step])
        batches.begin(step + 1)
        batches.begin(step + 1)  # of a batch in parts, once a part
    again = batches[2]
    resumed = way(slices, task, **facts)[4]
    assert all(map(torch.equal, again, ahead[2]))
    assert all(map(torch.equal, resumed, ahead[4]))
    assert not torch.equal(ahead[2][1], ahead[3][1])


def test_a_mistake_made_ahead_is_told_when_its_batch_is_asked_for(slices, way):
    class Torn(list):
        def __getitem__(self, place):
            raise OSError("the disk went away")

    facts = {"seed": 1, "batch": 2, "patch": 16, "device": CPU}
    batches = way(Torn(slices), load_task("ct-sigma50"), **facts)
    for step in (0, 1):
        batches.begin(step)
        with pytest.raises(OSError, match="went away"):
            batches[step]


def test_nothing_is_kept_on_a_cpu(slices):
    assert not fits(slices, 32, CPU)
