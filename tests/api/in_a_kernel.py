"""Work in a real Jupyter kernel as a person does, in the current folder; prints what came of it."""

import json
import sys
import time
from pathlib import Path

from jupyter_client.manager import start_new_kernel

SECONDS = 120


def ask(client, code: str, interrupt=None) -> dict:
    """Execute a cell; `interrupt` is called while it runs."""
    number = client.execute(code)
    if interrupt:
        interrupt()
    while True:
        message = client.get_shell_msg(timeout=SECONDS)
        if message["parent_header"].get("msg_id") == number:
            break
    reply = message["content"]
    shown = {"status": reply["status"], "error": reply.get("ename"), "says": reply.get("evalue")}
    shown |= {"text": "", "kinds": []}
    while True:
        message = client.get_iopub_msg(timeout=SECONDS)
        if message["parent_header"].get("msg_id") != number:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "status" and content["execution_state"] == "idle":
            return shown
        if kind == "stream":
            shown["text"] += content["text"]
        if kind == "execute_result":
            shown["text"] += content["data"]["text/plain"]
            shown["kinds"] = sorted(content["data"])


def main() -> None:
    """Train, press the stop button, go on, score on worker processes, look."""
    manager, client = start_new_kernel(kernel_name="python3")

    def stop() -> None:
        until = time.monotonic() + SECONDS
        while not list(Path("runs").glob("tiny-*/log.jsonl")) and time.monotonic() < until:
            time.sleep(0.05)
        manager.interrupt_kernel()

    train = "run = db.train('tiny', **fast{more}); run"
    try:
        cells = [
            ask(client, Path("first_cell.py").read_text()),
            ask(client, train.format(more=""), stop),
            ask(client, "6 * 7"),
            ask(client, train.format(more=", resume=True")),
            ask(client, "db.evaluate('nlm(h=0.4)', **small); db.leaderboard()"),
            ask(client, "import multiprocessing; multiprocessing.active_children()"),
        ]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    json.dump(cells, sys.stdout)


if __name__ == "__main__":
    main()
