"""The commands that README and docs/ show are ones that there are, and those of the page on them run in their order."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from lmerbridge.cli import app
from tests.pages import DOCS, PAGES, ROOT

BLOCK = re.compile(r"^ *```(?:console|sh|yaml)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
SHOWN = (*PAGES, *sorted((ROOT / ".github").glob("*.md")))
STATUS = {"parity": (0, 1), "hunt": (0, 1), "setup": (0, 1)}  # each says something by it
PAGE = (DOCS / "command-line.md").read_text()


def commands(text):
    """Lines of a page that a shell is to run, without the prompt and what is remarked behind them."""
    for block in BLOCK.findall(text):
        for line in block.splitlines():
            yield from re.findall(r"^[ $-]*((?:\.venv/bin/)?(?:lmerbridge|python|printf) .*)", line)


def words(command):
    """The words of a command of ours: those before a sign of the shell; nothing for other programs."""
    told = shlex.split(command, comments=True)
    ends = [i for i, word in enumerate(told) if word in ("|", "||", "&&", ">")]
    return told[1 : min(ends, default=None)] if Path(told[0]).name == "lmerbridge" else []


def refusal(told):
    """Why the command line would not take some words; "" where it would."""
    try:
        get_command(app).make_context("lmerbridge", [*told]).close()
        name, *rest = told
        get_command(app).commands[name].make_context(name, rest).close()
    except Exception as error:  # click's, of which there are many
        return str(error)
    return ""


OURS = [(page.name, line) for page in SHOWN for line in commands(page.read_text()) if words(line)]


@pytest.mark.parametrize(("page", "line"), OURS, ids=[f"{name}: {line}" for name, line in OURS])
def test_a_command_on_a_page_is_one_that_there_is(page, line):
    assert "does not exist" in (told := refusal(words(line))) or told == ""  # but for files that are not here


@pytest.mark.parametrize("line", ["lmerbridge fits a b", "lmerbridge parity --engines nlme", "lmerbridge hunt --out a"])
def test_a_command_that_there_is_not_is_noticed(line):
    assert refusal(words(line)) != ""


@pytest.mark.slow
def test_the_commands_of_the_page_on_them_run_in_their_order(tmp_path):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    told = list(commands(PAGE))
    assert {line.split()[1] for line in told if words(line)} == {*get_command(app).commands}
    for line in told:
        done = subprocess.run(
            line, shell=True, cwd=tmp_path, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=False
        )
        assert done.returncode in STATUS.get(line.split()[1], (0,)), (line, done.stdout, done.stderr)
        assert done.stdout or "lmerbridge." in line or ">" in line
