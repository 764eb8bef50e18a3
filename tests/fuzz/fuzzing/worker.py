"""The process that reads cases: it says how each went, and may be killed by any of them.

`python worker.py '{"target": …, …}'` answers with a line of JSON a case, in order.
"""

import faulthandler
import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from fuzzing.target import MEBIBYTES, Target

MIB = 1 << 20
PATIENCE = 8  # times the limit, where a case is read again for the time that is its own
ADDRESS_SPACE = 4 << 30  # beyond what the worker starts with: a machine is not filled by a case


def work(order: dict) -> None:
    from denoisebench.data.intake.dicom import NotCT
    from denoisebench.errors import Unavailable, UsageError

    target = _target(order)
    scratch = Path(order["scratch"])
    scratch.mkdir(parents=True, exist_ok=True)
    seeds = [path.read_bytes() for path in sorted(Path(order["seeds"]).iterdir())]
    read = target.reader(scratch)
    out = os.dup(1)
    crashes = os.open(order["crashes"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    faulthandler.enable(crashes)
    start = _memory("VmRSS")
    bound = _memory("VmSize") + ADDRESS_SPACE
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    numbers = [None] if "replay" in order else order["numbers"]
    for number in numbers:
        if number is None:
            data = Path(order["replay"]).read_bytes()
        else:
            data = target.case(Random(f"{order['target']}/{order['seed']}/{number}"), seeds)
        outcome, reason = "result", ""
        began, waited = time.monotonic(), _waited()
        limit = target.seconds * (PATIENCE if order["patient"] else 1)
        faulthandler.dump_traceback_later(limit, exit=True, file=crashes)
        try:
            read(data)
        except (UsageError, Unavailable, NotCT) as answer:
            outcome, reason = "refused", str(answer)[:200]
        except BaseException:
            outcome, reason = "failed", traceback.format_exc()[-6000:]
        faulthandler.cancel_dump_traceback_later()
        seconds = time.monotonic() - began
        if order["patient"]:
            seconds -= _waited() - waited
            if seconds > target.seconds:
                outcome, reason = "failed", f"Timeout ({seconds:.1f} s of its own)"
        growth = _memory("VmHWM") - start
        if growth > MEBIBYTES * MIB:
            outcome, reason = "failed", f"grew by {growth // MIB} MiB"
        told = {
            "case": number,
            "outcome": outcome,
            "reason": reason,
            "seconds": seconds,
            "growth": growth,
        }
        os.write(out, json.dumps(told).encode() + b"\n")
        if growth > MEBIBYTES * MIB:
            return  # its peak would be the next case's


def _target(order: dict) -> Target:
    if order.get("broken"):
        from fuzzing.broken import broken

        return broken(order["target"], order["broken"])
    from fuzzing.targets import TARGETS

    return TARGETS[order["target"]]


def _waited() -> float:
    """Seconds for which other work on the machine kept this process from running."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


def _memory(name: str) -> int:
    """Bytes, as /proc tells: ru_maxrss would begin with the parent's peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
