"""How a cluster is divided."""

import pytest

from denoisebench.fleet.cluster.machines import Node, Share, fits, share


def machines(*sizes: tuple[int, int]) -> list[Node]:
    return [Node(str(place), cpus, gpus) for place, (cpus, gpus) in enumerate(sizes)]


@pytest.mark.parametrize(
    ("sizes", "jobs", "gpu", "cpus"),
    [
        ([(8, 0)], 2, False, 4),
        ([(8, 0)], 3, False, 2),
        ([(2, 0)], 5, False, 1),  # two run at once
        ([(8, 0), (8, 0)], 2, False, 8),
        ([(8, 0), (8, 0)], 3, False, 4),  # 16 // 3 = 5 would leave room for two
        ([(8, 0), (2, 0)], 2, False, 4),
        ([(16, 4)], 4, True, 4),
        ([(16, 4)], 9, True, 4),  # there are four GPUs
        ([(16, 4), (64, 0)], 4, True, 4),
        ([(16, 4)], 1, True, 16),
        ([(2, 8)], 8, True, 1),
        ([], 1, False, 1),
    ],
)
def test_jobs_get_as_many_cores_as_leave_room_for_all(sizes, jobs, gpu, cpus):
    given = share(machines(*sizes), jobs, gpu=gpu)
    assert given == Share(cpus, gpu)
    room = sum(
        min(node.cpus // cpus, node.gpus) if gpu else node.cpus // cpus for node in machines(*sizes)
    )
    wanted = min(jobs, sum(count for _, count in sizes) if gpu else sum(c for c, _ in sizes))
    assert room >= min(wanted, sum(min(c, g) if gpu else c for c, g in sizes))


def test_a_job_that_takes_a_gpu_fits_where_one_is():
    without, with_one = machines((8, 0), (8, 1))
    assert not fits(without, Share(2, True))
    assert fits(with_one, Share(2, True))
    assert not fits(with_one, Share(9, True))
