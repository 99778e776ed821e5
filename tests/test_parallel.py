"""A run on a real dask.distributed cluster of two worker processes: the same bytes as here."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from dask.distributed import Client, LocalCluster
from joblib import parallel_config
from typer.testing import CliRunner

from lmerbridge.cli import app
from lmerbridge.errors import InvalidArgument
from lmerbridge.parallel import backend
from lmerbridge.parity import cases, suite
from lmerbridge.report import describe, html, json_text, junit, markdown

FEW, ENGINE = "pastes_*", "statsmodels"  # six cases; one of them a finding


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


@pytest.fixture(scope="module")
def here():
    """The report of the same run without a cluster."""
    return describe(suite.collect(list(suite.run_cases(cases.pick(FEW), [ENGINE]))))


def runs_engines():
    """Whether the process it is called in has a child that runs engines."""
    children = Path(f"/proc/{os.getpid()}").glob("task/*/children")
    pids = [pid for path in children for pid in path.read_text().split()]
    return any("lmerbridge.parity.process" in Path(f"/proc/{pid}/cmdline").read_text() for pid in pids)


@pytest.mark.slow
def test_the_command_line_sends_a_run_to_a_cluster_and_writes_the_same_bytes(cluster, here, tmp_path):
    address = cluster.scheduler_address.replace("tcp://", "dask://")
    options = ["--case", FEW, "--engine", ENGINE, "--out", str(tmp_path), "--backend", address, "--no-cache"]
    done = CliRunner().invoke(app, ["parity", *options])
    assert done.exit_code == 1, done.output
    renderings = {"html": html, "md": markdown, "json": json_text, "xml": junit}
    written = {end: (tmp_path / f"parity.{end}").read_text() for end in renderings}
    assert written == {end: render(here) for end, render in renderings.items()}
    with Client(cluster, set_as_default=False) as client:
        assert [*client.run(runs_engines).values()] == [True, True]


@pytest.mark.slow
def test_a_hunt_on_a_cluster_finds_the_same_in_as_many_fits(cluster, tmp_path):
    address = cluster.scheduler_address.replace("tcp://", "dask://")
    found = []
    for name, more in {"here": [], "there": ["--backend", address]}.items():
        how = ["hunt", "--engine", "statsmodels", "--reference", "", "--fits", "30", "--out", str(tmp_path / name)]
        done = CliRunner().invoke(app, [*how, *more])
        assert done.exit_code == 1, done.output
        place = tmp_path / name / "statsmodels"
        log = json.loads((place / "hunt.json").read_text())
        files = {str(path.relative_to(place)): path.read_bytes() for path in place.glob("*/*")}
        found.append((log | {"seconds": 0}, files))
    assert found[0] == found[1]
    assert found[0][1]


@pytest.mark.slow
def test_a_run_follows_the_joblib_configuration_it_is_in(cluster, here):
    with Client(cluster, set_as_default=False) as client, parallel_config(backend="dask", client=client):
        results = list(suite.run_cases(cases.pick(FEW), [ENGINE]))
    assert json_text(describe(suite.collect(results))) == json_text(here)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nosuch", "the backend is 'nosuch'; dask://HOST:PORT or one of loky, threading, sequential is expected"),
        ("dask://", "dask:// cannot be reached"),
    ],
)
def test_a_backend_there_is_not_is_an_error(name, words):
    with pytest.raises(InvalidArgument, match=words), backend(name):
        pass


@pytest.mark.parametrize("jobs", [0, "2", 1.5])
def test_a_number_of_jobs_that_is_none_is_refused(jobs):
    with pytest.raises(InvalidArgument, match="a number of processes, -1 for one per core"), backend(None, jobs):
        pass


BAR = """
from lmerbridge.parallel import progress_bar
with progress_bar("replicates", 3, %s) as done:
    done(1)
"""


def shown_in(end, progress):
    """Run a bar in a Python of its own whose standard error is one end of something."""
    command = [sys.executable, "-c", BAR % progress]
    subprocess.run(command, stderr=end, check=True, env=os.environ | {"TERM": "xterm"})
    os.close(end)


def in_a_terminal(progress):
    """Return what a terminal gets of a bar."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    shown_in(theirs, progress)
    try:
        return os.read(ours, 1 << 16).decode()
    except (BlockingIOError, OSError):  # nothing, as Linux says it of a terminal whose other end is closed
        return ""
    finally:
        os.close(ours)


def in_a_pipe(progress):
    """Return what a pipe gets of a bar."""
    ours, theirs = os.pipe()
    shown_in(theirs, progress)
    with open(ours) as pipe:
        return pipe.read()


@pytest.mark.parametrize(("place", "progress"), [(in_a_terminal, False), (in_a_pipe, None), (in_a_pipe, False)])
def test_a_pipe_gets_nothing_of_a_bar_and_a_terminal_nothing_that_was_refused(place, progress):
    assert place(progress) == ""


@pytest.mark.parametrize("progress", [None, True])
def test_a_bar_is_shown_on_a_terminal_unless_it_is_refused(progress):
    assert "replicates" in in_a_terminal(progress)
