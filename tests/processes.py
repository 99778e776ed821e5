"""Scripts in a Python of their own, as a user runs them, and what is left of a process."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
        file.write(code)
        file.flush()
        return worker.call("call_named", fun="source", args={"file": file.name}).values["value"]


def alive(pid):
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid):
    """Whether a process ends soon."""
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)
