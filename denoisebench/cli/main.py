"""`denoisebench`: the group of commands, and the one place where errors become exit codes.

A command's file is imported when the command is called, and imports what it needs when it is at
work: `--help`, `list` and mistakes answer at once because torch is not imported for them.
"""

import sys
from importlib import import_module

import rich_click as click

from denoisebench import __version__
from denoisebench.errors import Unavailable, UsageError

PANELS = {
    "Train": {
        "run": "Train a network, or score a baseline, and print the board.",
        "sweep": "Train every combination of what is listed, and print the board.",
        "blend": "Score networks between a run without a GAN, FIRST, and one with it, SECOND.",
    },
    "Look": {
        "list": "List plug-ins, tasks and presets, or one kind of them.",
        "info": "Say all about one plug-in, task or preset.",
        "leaderboard": "Print the boards of all runs below RUNS.",
        "publish": "Write a page of all boards below --runs into DIR; it opens from there, and "
        "from any server.",
    },
    "Trust": {
        "audit": "Look for what a run's denoiser removes or invents; RUN is a folder, a name or a "
        "hash.",
        "verify": "Score a RUN again in a process that is shown noisy pixels only.",
        "submit": "Pack a RUN for somebody else's board, or check what somebody sent.",
    },
    "Use": {
        "denoise": "Denoise DICOM series, or a NIfTI volume, with a RUN; not for diagnosis.",
        "export": "Write a RUN's network as a model for another runtime; RUN is a folder, a name "
        "or a hash.",
    },
    "Write": {
        "new": "Write a working plug-in with comments, and its test.",
        "check": "Hold plug-ins to the contracts of their kind; say what fails, and how to mend "
        "it.",
    },
    "Set up": {
        "data": "Prepare, list, verify or fetch CT data.",
        "weights": "List, fetch or verify the weights of perceptual metrics.",
        "doctor": "Say what this machine has, and what is wrong with it.",
    },
}
"""Title → name of a command → how its help begins."""

PLACES = {"list": "catalogue:list_", "info": "catalogue:info"}
"""Commands that are not called as their file is."""


class _Group(click.RichGroup):
    """Knows its commands by name and sentence, and imports the one that is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and command else command, rest


def load(name: str) -> click.Command:
    """Import a command."""
    file, _, attribute = PLACES.get(name, name).partition(":")
    command: click.Command = getattr(import_module(f"denoisebench.cli.{file}"), attribute or file)
    return command


@click.group(
    cls=_Group,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "rich_help_config": {  # the decorator for this imports rich, even for a mistake
            "command_groups": {
                "denoisebench": [
                    {"name": title, "commands": list(names)} for title, names in PANELS.items()
                ]
            },
            "max_width": 100,
        },
    },
)
@click.version_option(__version__, prog_name="denoisebench")
def group() -> None:
    """Train CT denoisers, score them beside BM3D on unseen patients, and rank them.

    `denoisebench run --gen unet7 --loss cgan+l1` trains the system of a 2017 study on an embedded
    phantom; `--data DIR` does the same on a folder of CT.
    """


for sentences in PANELS.values():
    for name, sentence in sentences.items():
        group.add_command(click.RichCommand(name=name, help=sentence))


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
