"""What runs on a machine of a cluster: a process that does one job and hands its files over."""

import os
import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from denoisebench import __version__, lock
from denoisebench.errors import Unavailable, UsageError
from denoisebench.fleet.cluster import freight as freights
from denoisebench.fleet.cluster.freight import Freight, Offer
from denoisebench.fleet.job import News, Setting
from denoisebench.fleet.work import opened, reason_of, work
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import FOLDERS_VARIABLE, find
from denoisebench.scoring import run as runs
from denoisebench.scoring.classical import baseline_folder
from denoisebench.scoring.weights import store
from denoisebench.task import load_task
from denoisebench.tracking import find_trackers

THREADS = 4
"""The job, what is heard of it, its files, and one for a call that comes late."""
HELD_SECONDS = 60.0
"""How long a worker that died may keep a run folder that several machines see."""


@dataclass(frozen=True)
class Ready:
    """What a machine says of a job before it begins.

    Attributes:
        where: the machine and its device.
        shared: it sees the runs folder at home; no file needs to travel.
        misfit: why it cannot do the job though another machine may.
    """

    where: str
    shared: bool = False
    misfit: str | None = None


class Worker:
    """Does one job; an actor of Ray's, whose methods are called from another machine."""

    def __init__(self) -> None:
        self._news: list[News] = []
        self._lock = threading.Lock()
        self._over, self._stopping = threading.Event(), threading.Event()
        self._offer = Offer()
        self._exit = ExitStack()
        self._freight: Freight
        self._setting: Setting
        self._cores = 1

    def open(self, freight: Freight, cores: int, gpu: bool) -> Ready:
        """Get ready for a job: its plug-ins and its data are here and are the same.

        Args:
            freight: what came.
            cores: that this process was given.
            gpu: whether it was given one, which is then the only one that it sees.
        """
        os.environ.pop(FOLDERS_VARIABLE, None)  # all that matters there came along
        device = f"GPU {os.environ.get('CUDA_VISIBLE_DEVICES', '')}" if gpu else f"{cores} cores"
        where = f"{socket.gethostname()}, {device}"
        if freight.version != __version__:
            return Ready(where, misfit=_other_version(freight.version))
        folder = self._exit.enter_context(freights.scratch())
        setting = freights.unpack(freight, folder)
        try:
            _refuse_misfit(freight, setting)
        except (UsageError, Unavailable) as error:
            return Ready(where, misfit=reason_of(error))
        workers = min(cores, setting.workers or cores)
        self._freight, self._cores = freight, cores
        self._setting = replace(setting, device="cuda" if gpu else "cpu", workers=workers)
        shared = setting.runs == freight.setting.runs
        if shared:
            self._wait_for_the_dead()
        return Ready(where, shared)

    def take(self, name: str, content: bytes) -> None:
        """Add bytes to a file of the run folder, before the job begins."""
        freights.put(self._folder, name, content)

    def work(self) -> News:
        """Do the job; see `work.work`."""
        torch.set_num_threads(self._cores)  # here, since OpenMP counts by thread
        try:
            return work(self._freight.job, self._setting, self._tell, self._stopping.is_set)
        finally:
            self._over.set()

    def hear(self, seconds: float) -> list[News]:
        """Return what is new, after so long or when the job is over."""
        self._over.wait(seconds)
        with self._lock:
            news, self._news = self._news, []
        return news

    def stop(self) -> None:
        """Let the job leave a checkpoint and return."""
        self._stopping.set()

    def offer(self, *, whole: bool, known: int) -> tuple[int, dict[str, int]]:
        """Hold the run's files as they are; see `Offer.look`."""
        names = freights.names_in(self._folder) if whole else freights.UNFINISHED
        return self._offer.look(self._folder, names, known)

    def piece(self, name: str, offset: int) -> bytes:
        """Return the next bytes of a file that is held."""
        return self._offer.piece(name, offset)

    def close(self) -> None:
        """Remove what this process wrote outside the runs folder."""
        self._offer.close()
        self._exit.close()

    @property
    def _folder(self) -> Path:
        return self._setting.runs / self._freight.job.name

    def _tell(self, news: News) -> None:
        with self._lock:
            # Each line of the log is told, and each note; of what it is doing, the last.
            if self._news and self._news[-1].record is None and not self._news[-1].note:
                self._news.pop()
            self._news.append(news)

    def _wait_for_the_dead(self) -> None:
        until = time.monotonic() + HELD_SECONDS
        while time.monotonic() < until:
            try:
                return lock.refuse_held(self._folder)
            except lock.Held:
                time.sleep(0.5)
        return None


def _other_version(wanted: str) -> str:
    return f"a node has denoisebench {__version__}, and {wanted} is here; install the same there"


def _refuse_misfit(freight: Freight, setting: Setting) -> None:
    """Raise where this machine lacks what the job needs, and another may have it."""
    recipe = freight.job.recipe
    if recipe is not None:
        try:
            find_trackers(setting.track)
        except UsageError as error:
            raise UsageError(f"a node {error}") from None
        catalogue = find(setting.plugins)
        for text, digest in recipe.plugins.items():
            kind, name = text.split(" ", 1)
            if catalogue.get(kind, name).digest != digest:
                raise UsageError(
                    f"a node has another {kind} {name}; install the same denoisebench there"
                )
    present = {entry.name for entry in store.listing() if entry.present}
    for name in freight.weights:
        if name not in present:
            raise Unavailable(
                f"a node lacks the weights {name}; there: denoisebench weights fetch {name}"
            )
    try:
        dataset = opened(setting)
    except UsageError as error:
        raise UsageError(f"a node lacks the data: {error}") from None
    if freight.job.baseline is not None:  # its folder is called by its source and its package
        catalogue = find(setting.plugins)
        cpu = torch.device("cpu")
        bench = runs.Bench(dataset, load_task(setting.task), catalogue, cpu, setting.runs)
        (part,) = resolve(freight.job.baseline, "baseline", catalogue)
        if baseline_folder(bench, part).name != freight.job.name:
            raise UsageError(
                f"a node has another {part.card.name}, or another release of the package behind "
                "it; install the same there"
            )
