"""One job after another, in this process."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from denoisebench.fleet.job import Executor, Job, News, Setting
from denoisebench.fleet.work import work


def one_by_one(looked_after: AbstractContextManager[object] | None = None) -> Executor:
    """Return an executor that does jobs in their order.

    Args:
        looked_after: entered around each training, which asks `stopping` before each step, and not
            around a baseline, which does not.
    """

    def execute(
        jobs: Sequence[Job],
        setting: Setting,
        *,
        tell: Callable[[News], None],
        stopping: Callable[[], bool],
    ) -> None:
        for job in jobs:
            if stopping():
                return
            with looked_after if looked_after and job.recipe else nullcontext():
                tell(work(job, setting, tell, stopping))

    return execute
