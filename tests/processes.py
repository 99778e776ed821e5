"""Scripts in a Python of their own, as a user runs them, and what is left of a process."""

import inspect
import os
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import pandas as pd

from lmerbridge.bridge import host

FIT = """
import os, signal, sys, threading, time
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
sleepstudy = load_dataset("sleepstudy")
fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
bits = (fit.theta.tobytes() + fit.fitted.to_numpy().tobytes()).hex()
"""


WAYS = {  # how Python gets a script: its arguments, its standard input
    "text": lambda script: (["-c", script], None),
    "file": lambda script: ([script], None),
    "stdin": lambda script: (["-"], script),
}

FORKS = "ignore:This process:DeprecationWarning"  # Python 3.12 and later advise against a fork beside any thread


def run(script, *, way="text", cwd=None, status=0, **environment):
    """Run a script in a fresh Python and return what it prints; nothing is to be said beside."""
    arguments, given = WAYS[way](script)
    done = subprocess.run(
        [sys.executable, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=cwd,
        env=os.environ | {"PYTHONWARNINGS": FORKS} | environment,
    )
    assert done.returncode == status, done.stderr
    assert status == 1 or not done.stderr, done.stderr  # 1 goes with a traceback
    return done.stdout.strip()


def in_r(code, worker=None):
    """Run R code of any kind in a worker, this process's unless told, and return its value."""
    worker = worker or host.worker()
    with tempfile.NamedTemporaryFile("w", suffix=".R") as file:
        file.write(f"local({{\n{code}\n}}, new.env(parent = globalenv()))")  # what it assigns goes with it
        file.flush()
        return worker.call("call_named", fun="source", args={"file": file.name}).values["value"]


@cache
def frame_in_r(code):
    """The data frame that R code ends with, whose seed is set where it draws."""
    return pd.DataFrame({name: _column_in_r(code, name) for name in in_r(f"names({{ {code} }})")})


def _column_in_r(code, name):
    at = f"d <- {{ {code} }}; x <- d[[{name!r}]]"
    values = in_r(f"{at}; if (is.factor(x)) as.character(x) else as.vector(x)")
    levels = in_r(f"{at}; if (is.factor(x)) levels(x) else character()")
    return pd.Categorical(values, levels) if levels else values


def alive(pid):
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


PATIENCE = 60  # seconds until what should have come is taken not to come; only a failure waits so long


def ends(pid):
    """Whether a process ends."""
    deadline = time.monotonic() + PATIENCE
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def left_in(folder):
    """Return what is left in a folder once those that clean it have had their time."""
    deadline = time.monotonic() + PATIENCE
    while (left := [path.name for path in folder.iterdir()]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def used(pid):
    """Return the seconds of a processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def work(pid, seconds=0.5):
    """Wait until a process has used so much of a processor: R is then in what it was called for."""
    begun = used(pid)
    while used(pid) < begun + seconds:
        time.sleep(0.01)


WORK = "from pathlib import Path\n" + inspect.getsource(used) + inspect.getsource(work)  # for scripts


def at_best(measure, enough, tries=5):
    """Return the least of several measurements, the last where one is enough: a busy machine adds to some of them."""
    least = measure()
    for _ in range(tries - 1):
        if least < enough:
            break
        least = min(least, measure())
    return least
