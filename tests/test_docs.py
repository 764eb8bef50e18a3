"""What README and docs tell users to type and to write."""

import re
import shlex
from itertools import pairwise
from pathlib import Path

import click
import pytest

from denoisebench.cli.main import group, load
from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.new import KINDS
from denoisebench.task import load_task

ROOT = Path(__file__).parents[1]
PAGES = [*(ROOT / place / "README.md" for place in (".", "registry", "benchmarks")),
         *sorted((ROOT / "docs").rglob("*.md"))]  # fmt: skip
OPTIONS = {
    "--gen": "generator",
    "--disc": "discriminator",
    "--loss": "loss",
    "--baseline": "baseline",
}
TYPED = re.compile(
    r"^\s*(?:\.venv/bin/)?(denoisebench .*)$"  # a line of a block
    r"|`(denoisebench [^`…\[]* [^`…\[]+)`",  # or in a sentence, with more than its name
    re.MULTILINE,
)
COMMANDS = sorted(
    {
        (line or words).strip()
        for page in PAGES
        for line, words in TYPED.findall(page.read_text(encoding="utf-8"))
        if (line or words).split()[1] in group.commands
    }
)


@pytest.mark.parametrize("what", KINDS)
def test_the_page_of_a_kind_shows_what_new_writes(what):
    template = f"denoisebench/plugins/templates/{what}.py"
    assert (ROOT / template).is_file()
    page = (ROOT / "docs/plugins" / f"{what}.md").read_text(encoding="utf-8")
    assert f'\n--8<-- "{template}"\n' in page  # with other blanks it would stand there as it is


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_understood(command):
    """Its options are those that there are; nothing is run."""
    name, *words = shlex.split(command, comments=True)[1:]
    asked: click.Command = load(name)
    while isinstance(asked, click.Group):
        name, *words = words
        asked = asked.commands[name]
    asked.make_context(name, words)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[1] == "run"])
def test_a_command_names_plugins_that_there_are(command):
    words = shlex.split(command, comments=True)
    for option, text in pairwise(words):
        if option in OPTIONS and "--plugin" not in words:
            assert resolve(text, OPTIONS[option], find())


def test_commands_were_found():
    assert len(COMMANDS) > 40


def test_a_task_on_a_page_is_one(tmp_path):
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        if "[noise]" in block
    ]
    assert blocks
    for block in blocks:
        (tmp_path / "task.toml").write_text(block, encoding="utf-8")
        task = load_task(str(tmp_path / "task.toml"))
        assert task.name in block
