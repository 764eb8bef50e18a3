"""What README and docs tell users to type and to write."""

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

from denoisebench.plugins.expression import resolve
from denoisebench.plugins.find import find
from denoisebench.plugins.new import KINDS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "registry/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
OPTIONS = {
    "--gen": "generator",
    "--disc": "discriminator",
    "--loss": "loss",
    "--baseline": "baseline",
}
COMMANDS = sorted(
    {
        line.partition(" #")[0].strip().removeprefix(".venv/bin/")
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.strip().removeprefix(".venv/bin/").startswith("denoisebench run ")
    }
)


@pytest.mark.parametrize("what", KINDS)
def test_the_page_of_a_kind_shows_what_new_writes(what):
    template = f"denoisebench/plugins/templates/{what}.py"
    assert (ROOT / template).is_file()
    page = (ROOT / "docs/plugins" / f"{what}.md").read_text(encoding="utf-8")
    assert f'\n--8<-- "{template}"\n' in page  # with other blanks it would stand there as it is


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_plugins_that_there_are(command):
    words = shlex.split(command)
    for option, text in pairwise(words):
        if option in OPTIONS and "--plugin" not in words:
            assert resolve(text, OPTIONS[option], find())


def test_commands_were_found():
    assert len(COMMANDS) > 5
