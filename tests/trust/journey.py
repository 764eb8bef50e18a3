"""All commands, one after the other, in one process: what a user does in an afternoon.

Argument: a file of JSON, a list of commands. What each says and its exit code come to stdout as
JSON; a traceback counts as something said. Every connection that anybody here asks for is refused
and written down by `sitecustomize.py`, which lies beside it.
"""

import json
import os
import sys
import tempfile
import traceback

from denoisebench.cli import main as cli


def call(words: list[str]) -> dict[str, object]:
    """Run a command as the terminal would see it, C libraries' words included."""
    sys.argv, code = ["denoisebench", *words], 0
    saved = [os.dup(1), os.dup(2)]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        for number, file in ((1, out), (2, err)):
            os.dup2(file.fileno(), number)
        try:
            cli.main()
        except SystemExit as ended:
            code = ended.code or 0
        except BaseException:
            traceback.print_exc()
            code = "traceback"
        sys.stdout.flush()
        sys.stderr.flush()
        for number, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read().decode("utf-8", "backslashreplace"))
    return {"words": words, "code": code, "out": said[0], "err": said[1]}


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as asked:
        commands = json.load(asked)
    answers = [call(words) for words in commands]
    sys.stdout.write(json.dumps(answers))
