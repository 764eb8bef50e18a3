"""`denoisebench`: the group of commands, and the one place where errors become exit codes.

A command's file imports what it needs when the command is called: `--help`, `list` and mistakes
answer at once because torch is not imported for them.
"""

import sys

import rich_click as click

from denoisebench import __version__
from denoisebench.cli.audit import audit
from denoisebench.cli.catalogue import info, list_
from denoisebench.cli.check import check
from denoisebench.cli.data import data
from denoisebench.cli.doctor import doctor
from denoisebench.cli.leaderboard import leaderboard
from denoisebench.cli.new import new
from denoisebench.cli.publish import publish
from denoisebench.cli.run import run
from denoisebench.cli.submit import submit
from denoisebench.cli.sweep import sweep
from denoisebench.cli.verify import verify
from denoisebench.cli.weights import weights
from denoisebench.errors import Unavailable, UsageError

PANELS = {
    "Train": ["run", "sweep"],
    "Look": ["list", "info", "leaderboard", "publish"],
    "Trust": ["audit", "verify", "submit"],
    "Write": ["new", "check"],
    "Set up": ["data", "weights", "doctor"],
}


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="denoisebench")
@click.rich_config(
    {
        "command_groups": {
            "denoisebench": [{"name": title, "commands": names} for title, names in PANELS.items()]
        },
        "max_width": 100,
    }
)
def group() -> None:
    """Train CT denoisers, score them beside BM3D on unseen patients, and rank them.

    `denoisebench run --gen unet7 --loss cgan+l1` trains the system of a 2017 study on an embedded
    phantom; `--data DIR` does the same on a folder of CT.
    """


COMMANDS = (
    run, sweep, list_, info, leaderboard, publish, audit, verify, submit, new, check, data, weights,
    doctor,
)  # fmt: skip
for command in COMMANDS:
    group.add_command(command)


def main() -> None:
    """Run the command line; a user's mistake is one line and exit code 2."""
    try:
        code = group.main(prog_name="denoisebench", standalone_mode=False)
    except UsageError as error:
        fail(str(error))
    except Unavailable as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "denoisebench"
        fail(f"{error.format_message()} See {command} --help")
    except click.ClickException as error:
        fail(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; nobody is left to tell.
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def fail(message: str) -> None:
    """Say what was asked wrongly, and leave."""
    click.echo(f"Error: {message}", err=True)
    sys.exit(2)
