"""Do a sweep's jobs on Ray: several at once here, or on the machines of a cluster."""

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from denoisebench import lock
from denoisebench.errors import Unavailable, UsageError
from denoisebench.fleet.cluster import machines
from denoisebench.fleet.cluster.freight import Freight, Home, pack, showing
from denoisebench.fleet.cluster.machines import Share
from denoisebench.fleet.job import Executor, Job, News, Setting
from denoisebench.fleet.work import reason_of
from denoisebench.scoring.run import forget_failure

RETRIES = 3
"""How often a job begins again after its worker or its machine was lost."""
PLACE_SECONDS = 600.0
"""How long a job waits for a machine that could do it to come back."""
HOME_SECONDS = 30.0
HEAR_SECONDS = 0.5
CLOSE_SECONDS = 5.0


def on_ray(
    address: str | None, jobs_at_once: int | None, *, home_seconds: float = HOME_SECONDS
) -> Executor:
    """Return what does jobs on Ray.

    Args:
        address: of a running cluster, `host:port` or auto; None starts Ray on this machine.
        jobs_at_once: on all machines together; None for one a GPU, or one a machine without.
        home_seconds: at least, between two arrivals of a run's checkpoint from a machine that
            does not see the runs folder.
    """

    def execute(
        jobs: Sequence[Job],
        setting: Setting,
        *,
        tell: Callable[[News], None],
        stopping: Callable[[], bool],
    ) -> None:
        wants_gpu = _wants_gpu(setting.device)
        with machines.joined(address, jobs_at_once or 1), showing(setting.runs) as token:
            nodes = machines.nodes()
            gpus = sum(node.gpus for node in nodes)
            if wants_gpu and not gpus:
                raise UsageError("--device cuda: Ray finds no GPU; use --device auto or cpu")
            at_once = jobs_at_once or gpus or sum(node.cpus > 0 for node in nodes) or 1
            gpu = gpus > 0 and wants_gpu is not False
            sweep = _Sweep(setting, at_once, gpu, home_seconds)
            _do_all(sweep, pack(jobs, setting, token), tell, stopping)

    return execute


def refuse(address: str | None, device: str) -> None:
    """Raise UsageError where that is no address of a cluster, or no device that Ray could give."""
    if address is not None:
        machines.endpoint(address)
    _wants_gpu(device)


def _wants_gpu(device: str) -> bool | None:
    """Whether --device asks for a GPU; None where it leaves that open."""
    if device.startswith("cuda:"):
        raise UsageError(
            f"--device {device}: Ray chooses the GPU of each job; use --device cuda, and "
            "CUDA_VISIBLE_DEVICES to leave GPUs out"
        )
    choices = {"auto": None, "cpu": False, "cuda": True}
    if device not in choices:
        raise UsageError(f"no device named {device!r}; use cpu, cuda, or auto")
    return choices[device]


@dataclass
class _Sweep:
    """What the jobs of a sweep share.

    Attributes:
        misfits: for jobs of the same needs, machines that cannot do them, by their id, and why.
        stop: leave checkpoints and return.
        drop: leave at once.
    """

    setting: Setting
    at_once: int
    gpu: bool
    home_seconds: float
    misfits: dict[tuple[object, ...], dict[str, str]] = field(default_factory=dict)
    news: "queue.SimpleQueue[News]" = field(default_factory=queue.SimpleQueue)
    stop: threading.Event = field(default_factory=threading.Event)
    drop: threading.Event = field(default_factory=threading.Event)


class _Dropped(Exception):
    """The sweep ends at once."""


class _Stopped(Exception):
    """The sweep ends in good order before a job began."""


class _Misfit(Exception):
    """A machine cannot do the job though another may; the message says why."""


def _do_all(
    sweep: _Sweep,
    freights: Sequence[Freight],
    tell: Callable[[News], None],
    stopping: Callable[[], bool],
) -> None:
    """Let a thread see to each job that is under way; what is heard is told in this one."""
    with ThreadPoolExecutor(sweep.at_once, "sweep") as threads:
        todo = [threads.submit(_see_to, sweep, freight) for freight in freights]
        try:
            while wait(todo, 0.1).not_done:
                _tell_all(sweep, tell)
                if stopping():
                    sweep.stop.set()
            _tell_all(sweep, tell)
        except BaseException:
            sweep.drop.set()
            raise
    for one in todo:
        one.result()


def _tell_all(sweep: _Sweep, tell: Callable[[News], None]) -> None:
    with suppress(queue.Empty):
        while True:
            tell(sweep.news.get_nowait())


def _see_to(sweep: _Sweep, freight: Freight) -> None:
    """Do a job, elsewhere again where its machine is lost or cannot do it."""
    from ray.exceptions import RayError, RayTaskError

    name, lost = freight.job.name, 0
    while True:
        try:
            return sweep.news.put(_attempt(sweep, freight))
        except _Dropped:
            return None
        except _Misfit as reason:
            sweep.news.put(News(name, "waiting", reason=str(reason)))
        except (_Stopped, lock.Held) as reason:
            return sweep.news.put(News(name, "waiting", reason=str(reason)))
        except RayTaskError as error:  # of our own part there, such as a full disk
            return sweep.news.put(News(name, "failed", reason=_cause(error)))
        except RayError as error:
            lost += 1
            how = _how_lost(error)
            if lost > RETRIES:
                how = f"its worker was lost {lost} times; at last, {how}"
                return sweep.news.put(News(name, "failed", reason=how))
            sweep.news.put(News(name, "waiting", reason=f"{how}; it goes on elsewhere"))
        except Exception as error:  # whatever it is, it costs no other job
            return sweep.news.put(News(name, "failed", reason=reason_of(error)))


def _how_lost(error: Exception) -> str:
    """Say which of the few ways it was; what Ray says has many lines, with addresses and paths."""
    text = str(error)
    if "low on memory" in text:
        return "its machine ran out of memory"
    return (
        "its machine died" if "node has died" in text or "dead node" in text else "its process died"
    )


def _attempt(sweep: _Sweep, freight: Freight) -> News:
    """Do a job on one machine, from what of it is at home; return its last news."""
    from ray.exceptions import ActorDiedError, RayTaskError

    folder = sweep.setting.runs / freight.job.name
    misfits = sweep.misfits.setdefault(_needs(freight), {})
    with _worker(sweep, misfits) as (worker, given):
        try:
            opening = worker.open.remote(freight, given.cpus, given.gpu)
            ready = _placed(sweep, opening, given, misfits)
        except (RayTaskError, ActorDiedError) as error:
            if isinstance(error, ActorDiedError) and not error.actor_init_failed:
                raise  # it was lost
            # An import, a disk: the job had no part in it yet.
            raise _misfit(misfits, worker, f"a node cannot begin: {_cause(error)}") from None
        with _closing(worker):
            if ready.misfit:
                raise _misfit(misfits, worker, ready.misfit)
            if ready.shared:
                return _follow(sweep, worker, ready.where, None)
            with lock.alone(folder):
                forget_failure(folder)  # else it went there and came back
                home = Home(folder, sweep.home_seconds)
                for name, content in home.pieces():
                    _get(sweep, worker.take.remote(name, content))
                return _follow(sweep, worker, ready.where, home)


def _needs(freight: Freight) -> tuple[object, ...]:
    """What a machine may lack for one job and have for another."""
    recipe = freight.job.recipe
    return freight.weights, tuple(sorted(recipe.plugins.items())) if recipe else ()


def _misfit(misfits: dict[str, str], worker: Any, reason: str) -> _Misfit:
    """Leave the machine of a worker alone from here on."""
    misfits[machines.node_of(worker)] = reason
    return _Misfit(reason)


def _cause(error: Any) -> str:
    """Say what an error of Ray's wraps."""
    text = str(error)
    if "failed to import" in text or "No module named" in text:
        return "denoisebench cannot be imported there; install the same as here"
    cause = getattr(error, "cause", None)
    return reason_of(cause) if cause else "its process could not start"


def _placed(sweep: _Sweep, answer: Any, given: Share, misfits: dict[str, str]) -> Any:
    """Wait until a machine has room and is ready, as long as there is one that could be."""
    import ray

    until = time.monotonic() + PLACE_SECONDS
    while not ray.wait([answer], timeout=0.5)[0]:
        if sweep.drop.is_set():
            raise _Dropped
        if sweep.stop.is_set():
            raise _Stopped("stopped before it began")
        fitting = [node for node in machines.nodes() if machines.fits(node, given)]
        if any(node.id not in misfits for node in fitting):
            until = time.monotonic() + PLACE_SECONDS
        elif fitting:
            reasons = "; ".join(sorted({misfits[node.id] for node in fitting}))
            raise Unavailable(f"no machine of the cluster can do it: {reasons}")
        elif time.monotonic() > until:
            raise Unavailable("no machine of the cluster that could do it is left; sweep again")
    return ray.get(answer)


def _follow(sweep: _Sweep, worker: Any, where: str, home: Home | None) -> News:
    """Let a worker do its job, hear how it goes, and bring home what it has."""
    import ray

    def hear(seconds: float) -> None:
        for news in _get(sweep, worker.hear.remote(seconds)):
            sweep.news.put(replace(news, where=where))

    working, asked = worker.work.remote(), False
    while True:
        hear(HEAR_SECONDS)
        if ray.wait([working], timeout=0)[0]:
            break
        if sweep.stop.is_set() and not asked:
            asked = True
            worker.stop.remote()
        if home and home.due:
            _bring(sweep, worker, home, whole=False)
    last: News = _get(sweep, working)
    hear(0)
    if home:
        _bring(sweep, worker, home, whole=True)
    return replace(last, where=where)


def _bring(sweep: _Sweep, worker: Any, home: Home, *, whole: bool) -> None:
    known, sizes = _get(sweep, worker.offer.remote(whole=whole, known=home.known))

    def piece(name: str, offset: int) -> bytes:
        content: bytes = _get(sweep, worker.piece.remote(name, offset))
        return content

    home.receive(sizes, piece, whole=whole)
    home.known = known


@contextmanager
def _worker(sweep: _Sweep, misfits: dict[str, str]) -> Iterator[tuple[Any, Share]]:
    """Have a process on a machine that has room and is no misfit."""
    import ray

    from denoisebench.fleet.cluster.worker import THREADS, Worker

    if sweep.drop.is_set():
        raise _Dropped
    if sweep.stop.is_set():
        raise _Stopped("stopped before it began")
    given = machines.share(machines.nodes(), sweep.at_once, gpu=sweep.gpu)
    others = f"!in({','.join(misfits)})" if misfits else None
    remote: Any = ray.remote(Worker)
    worker = remote.options(
        num_cpus=given.cpus,
        num_gpus=int(given.gpu),
        max_concurrency=THREADS,
        label_selector={"ray.io/node-id": others} if others else None,
    ).remote()
    try:
        yield worker, given
    finally:
        ray.kill(worker)


@contextmanager
def _closing(worker: Any) -> Iterator[None]:
    """Let a worker remove what it wrote; one that was lost has left it to the next there."""
    import ray

    try:
        yield
    finally:
        with suppress(ray.exceptions.RayError):
            ray.get(worker.close.remote(), timeout=CLOSE_SECONDS)


def _get(sweep: _Sweep, answer: Any) -> Any:
    """Wait for an answer, for as long as the sweep goes on."""
    import ray

    while not ray.wait([answer], timeout=0.2)[0]:
        if sweep.drop.is_set():
            raise _Dropped
    return ray.get(answer)
