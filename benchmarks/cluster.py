"""A sweep of 12 runs on a Ray cluster of two nodes, one of which is killed in the middle.

    python benchmarks/cluster.py                      12 runs of 200 steps, 2 at once
    python benchmarks/cluster.py --runs 6 --steps 100

The nodes are processes on this machine and share no disk with the driver: checkpoints and results
come home through Ray. When a third of the runs are done, all processes of one node are killed
(SIGKILL); when another third is, so is one worker of the node that is left. The networks are tiny
and train on noise; a plug-in, which each node gets from the driver, notes each batch that it sees,
and by that the steps that each process did. Prints a line a run and a line a check; the exit code
is 1 where one fails.
"""

import argparse
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fleet" / "cluster"))

import psutil
from small_jobs import Stage, stage_in, textured
from two_nodes import ENVIRONMENT, TwoNodes, until

from denoisebench.fleet.cluster.executor import on_ray
from denoisebench.fleet.job import Job
from denoisebench.scoring.result import read_result
from denoisebench.training import log

RUNS = Path("/proc/self/cwd/runs")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def swept(folder: Path, runs: int, steps: int) -> bool:
    """Do the sweep in a folder, with its kills; say how it went."""
    stage = stage_in(folder, textured(folder / "discs"))
    jobs = [stage.job(seed=seed, steps=steps) for seed in range(runs)]
    nodes = TwoNodes(folder / "ray")
    killer = threading.Thread(target=kill, args=(nodes, stage, jobs), daemon=True)
    killer.start()
    began = time.monotonic()
    try:
        execute = on_ray(nodes.address, 2, home_seconds=0.5)
        execute(jobs, stage.setting(RUNS), tell=stage.tell, stopping=lambda: False)
        seconds = time.monotonic() - began
    finally:
        nodes.cluster.shutdown()
    killer.join(10)
    return reported(stage, jobs, seconds)


def kill(nodes: TwoNodes, stage: Stage, jobs: list[Job]) -> None:
    """Kill a node, and later a worker, each while it trains a run that can go on elsewhere."""
    third = len(jobs) // 3
    until(lambda: done(jobs) >= third, 600)
    worker = until(lambda: training(stage, jobs, nodes.processes(nodes.other)), 600)
    nodes.kill(nodes.other)
    say(f"after {done(jobs)} runs: killed the node of process {worker.pid}")
    until(lambda: done(jobs) >= 2 * third, 600)
    worker = until(lambda: training(stage, jobs, psutil.Process().children(recursive=True)), 600)
    worker.kill()
    say(f"after {done(jobs)} runs: killed process {worker.pid}")


def done(jobs: list[Job]) -> int:
    return sum((RUNS / job.name / "result.json").exists() for job in jobs)


def training(stage: Stage, jobs: list[Job], among: list[psutil.Process]) -> psutil.Process | None:
    """Find a process that trains a run whose checkpoint is at home and that is not done."""
    ours = {process.pid: process for process in among}
    for job in jobs:
        home = RUNS / job.name
        if (home / "checkpoint.pt").exists() and not (home / "result.json").exists():
            workers = [worker for worker in stage.workers(job) if worker in ours]
            if workers and len(log.read(home / "log.jsonl")) < 8:  # not at its very end
                return ours[workers[-1]]
    return None


def reported(stage: Stage, jobs: list[Job], seconds: float) -> bool:
    """Print a line a run and a line a check."""
    rows = restarts = repeated = total = 0
    from_zero, broken_logs = [], []
    for job in jobs:
        folder, sessions = RUNS / job.name, stage.sessions(job)
        result = read_result(folder / "result.json") if (folder / "result.json").exists() else None
        rows += result is not None and result.status == "done"
        trained = [f"{steps[0]}-{steps[-1]}" for steps in sessions]
        score = result.metrics.get("psnr") if result else None  # none where it diverged
        psnr = score.mean if score else None
        shown = f"{psnr:.2f} dB" if psnr is not None else stage.last(job).reason
        say(f"{job.name}  {stage.last(job).state}  {shown}  steps {', '.join(trained)}")
        restarts += len(sessions) - 1
        total += job.recipe.steps if job.recipe else 0
        repeated += sum(map(len, sessions)) - len({step for one in sessions for step in one})
        if any(steps[0] == 0 for steps in sessions[1:]):
            from_zero.append(job.name)
        logged = [record.step for record in log.read(folder / "log.jsonl")]
        covered = {step for steps in sessions for step in steps} == set(range(job.recipe.steps))
        if logged != sorted(set(logged)) or not covered:
            broken_logs.append(job.name)
    checks = {
        f"{rows} of {len(jobs)} rows": rows == len(jobs),
        f"{restarts} runs went on after a kill": restarts >= 2,
        f"{len(from_zero)} runs began twice from zero": not from_zero,
        f"{len(broken_logs)} logs or trainings with a gap or a repeat": not broken_logs,
    }
    for text, good in checks.items():
        say(f"{'yes' if good else 'NO '}  {text}")
    say(f"{repeated} of {total} steps were done again; {seconds:.0f} s on {os.cpu_count()} cores")
    return all(checks.values())


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--steps", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dbt", ignore_cleanup_errors=True) as place:
        folder = Path(place)
        (folder / "driver" / "runs").mkdir(parents=True)
        (folder / "ray").mkdir()
        os.environ |= ENVIRONMENT | {"DENOISEBENCH_HOME": str(folder / "home"), "RAY_TMPDIR": place}
        os.chdir(folder / "driver")
        return 0 if swept(folder, asked.runs, asked.steps) else 1


if __name__ == "__main__":
    sys.exit(main())
