"""R may die in any way: the error says how, the next call works, and fits made before still answer."""

import copy
import os
import pickle
import re
import resource
import signal
import socket

import numpy as np
import pytest

from lmerbridge import lmer, time_limit
from lmerbridge.bridge import host
from lmerbridge.bridge.wire import PREFIX, Channel
from lmerbridge.errors import ProtocolError, RError, WorkerDied
from lmerbridge.models.kept import call_on
from tests.processes import FIT, in_r, run

SLOPES = "Reaction ~ Days + (Days | Subject)"
FATAL = {  # R code: the error's text
    "quit('no', status = 3)": r"the R process ended \(3\); the next call starts another",
    "cat('last words\n'); tools::pskill(Sys.getpid(), 9)": r"ended \(-9\)(.|\n)*last words",
    "cat('last words\n', file = stderr()); tools::pskill(Sys.getpid(), 11)": r"ended \(-11\)(.|\n)*last words",
}
SURVIVED = {  # R code: R's own error
    "f <- function(n) f(n + 1); f(1)": "infinite recursion|C stack usage",
    "f <- function(n) tryCatch(f(n + 1), finally = 0); f(1)": "infinite recursion|C stack usage",
    "eval(parse(text = strrep('(', 1e5)))": "contextstack overflow",
    "x <- quote(1); for (i in 1:1e5) x <- call('(', x); eval(x)": "nested too deeply|C stack usage",
    "numeric(1e12)": "cannot allocate vector of size 7450.6 Gb",
}
MB = 2**20
GARBAGE = {  # what a worker sends before it dies: the error, and its text
    b"": (WorkerDied, "the R process ended"),
    PREFIX.pack(100)[:2]: (WorkerDied, "the R process ended"),
    PREFIX.pack(100) + b'[{"list": [': (WorkerDied, "the R process ended"),
    PREFIX.pack(4) + b"oops": (ProtocolError, "b'oops' begins no message"),
    PREFIX.pack(3) + b"[1]": (ProtocolError, "b'\\[1\\]' begins no message"),
    PREFIX.pack(2) + b"\xff\xfe": (ProtocolError, "begins no message"),
    PREFIX.pack(26) + b'[1, null, [["<f8", 1000]]]' + bytes(7): (WorkerDied, "the R process ended"),
}
CAPPED = """
from lmerbridge.errors import RError
from tests.processes import in_r
try:
    in_r("numeric(1e8)")
except RError as error:
    print(error.text)
print(lmer(fit.formula, sleepstudy).theta.tobytes() == fit.theta.tobytes())
"""
UNPICKLED = """
import pickle, sys
from lmerbridge.bridge import host
from lmerbridge.errors import SetupError
fit = pickle.load(open("fit", "rb"))
print(fit.theta.tobytes().hex(), fit.fitted.to_numpy().tobytes().hex(), host._current is None)
try:
    print(ascii(str(fit)), fit.deviance_at(fit.theta).tobytes().hex())
except SetupError as error:
    print(error)
"""


@pytest.fixture
def is_right(fits, sleepstudy):
    """Whether a fit made now has the bits it should have."""
    theta = fits(SLOPES, "sleepstudy").theta.tobytes()
    return lambda: lmer(SLOPES, sleepstudy).theta.tobytes() == theta


@pytest.fixture
def started(monkeypatch):
    """The workers that were started since the test began."""
    workers, start = [], host.Worker
    monkeypatch.setattr(host, "Worker", lambda: workers.append(start()) or workers[-1])
    return workers


def kill(worker):
    worker._process.kill()
    worker._process.wait()


def capped(megabytes):
    """Let this process's worker have so much memory beyond what it has; return the worker."""
    worker = host.worker()
    in_r("1")  # R has started
    with open(f"/proc/{worker._process.pid}/statm") as statm:
        cap = int(statm.read().split()[0]) * resource.getpagesize() + megabytes * MB
    resource.prlimit(worker._process.pid, resource.RLIMIT_AS, (cap, cap))
    return worker


@pytest.mark.slow
@pytest.mark.parametrize("code", FATAL)
def test_a_death_of_r_is_an_error_with_what_it_said_and_the_next_call_works(code, is_right):
    with pytest.raises(WorkerDied, match=FATAL[code]), time_limit(30):
        in_r(code)
    assert is_right()


@pytest.mark.parametrize("code", SURVIVED)
def test_an_excess_is_an_error_of_r_and_the_same_process_goes_on(code, is_right):
    worker = host.worker()
    with pytest.raises(RError, match=SURVIVED[code]), time_limit(30):
        in_r(code)
    assert is_right()
    assert host.worker() is worker


def test_out_of_memory_under_the_system_s_cap_is_an_error_of_r(is_right):
    worker = capped(megabytes=200)
    with pytest.raises(RError, match=r"cannot allocate vector of size 762\.9 Mb"):
        in_r("numeric(1e8)")
    assert is_right()
    assert host.worker() is worker
    host.close()


@pytest.mark.slow
def test_out_of_memory_under_r_s_own_cap_is_an_error_of_r():
    text, right = run(
        f"import sys; sys.path.insert(0, {os.getcwd()!r})" + "\n" + FIT + CAPPED, R_MAX_VSIZE="300M"
    ).splitlines()
    assert re.match(r"vector memory (exhausted|limit of 300)|cannot allocate vector of size 762\.9 Mb", text)
    assert right == "True"


@pytest.mark.slow
def test_a_table_too_large_for_the_worker_is_an_error_and_the_next_call_works(is_right, sleepstudy):
    worker = capped(megabytes=100)
    with pytest.raises((RError, WorkerDied, ProtocolError), match="allocate"):
        host.call("session_facts", numbers=np.zeros(200 * MB // 8))
    assert is_right()
    worker.close()


def hears(worker, garbage):
    """Let a worker's host hear this and then the end, whatever the worker does."""
    worker._channel.close()
    ours, theirs = socket.socketpair()
    worker._channel = Channel(ours)
    theirs.sendall(garbage)
    theirs.shutdown(socket.SHUT_WR)
    return theirs


@pytest.mark.parametrize("garbage", GARBAGE)
def test_half_a_reply_is_an_error_of_ours(garbage):
    worker = host.Worker()
    worker._process.kill()  # R need not start for this
    error, text = GARBAGE[garbage]
    with hears(worker, garbage), pytest.raises(error, match=text):
        worker.call("session_facts")
    worker.close()


@pytest.mark.slow
def test_a_worker_that_talks_garbage_is_replaced(is_right):
    worker = host.worker()
    in_r("1")
    os.kill(worker._process.pid, signal.SIGSTOP)  # so that it does not end by itself
    with hears(worker, PREFIX.pack(4) + b"oops"), pytest.raises(ProtocolError, match="begins no message"):
        worker.call("session_facts")
    assert not worker.alive
    assert is_right()


@pytest.mark.slow
def test_a_worker_killed_while_it_sends_is_an_error_and_the_next_call_works(is_right, monkeypatch):
    worker = host.worker()
    in_r("1")
    receive = worker._channel._array
    monkeypatch.setattr(worker._channel, "_array", lambda *shape: kill(worker) or receive(*shape))
    with pytest.raises(WorkerDied, match=r"ended \(-9\)"):
        in_r("numeric(1e7)")  # more than the socket holds
    assert is_right()


@pytest.mark.slow
def test_fits_made_before_a_death_are_rebuilt_each_once_in_one_new_process(sleepstudy, started):
    slopes, intercepts = lmer(SLOPES, sleepstudy), lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)
    faces = [(str(fit), fit.deviance_at(fit.theta)[0], fit.design().x.tobytes()) for fit in (slopes, intercepts)]
    fresh = [pickle.loads(pickle.dumps(fit)) for fit in (slopes, intercepts)]
    for fit in fresh:
        assert fit._in_r.model is None
    kill(host.worker())
    started.clear()
    again = [(str(fit), fit.deviance_at(fit.theta)[0], fit.design().x.tobytes()) for fit in fresh]
    assert again == faces
    assert [slopes.deviance_at(slopes.theta)[0], intercepts.deviance_at(intercepts.theta)[0]] == [f[1] for f in faces]
    assert len(started) == 1


@pytest.mark.slow
def test_a_fit_whose_process_dies_while_it_answers_says_so_and_answers_the_next_time(sleepstudy):
    fit = lmer(SLOPES, sleepstudy)
    text = str(fit)
    os.kill(host.worker()._process.pid, signal.SIGSTOP)  # so that it dies while a call waits
    os.kill(host.worker()._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match=r"ended \(-9\)"):
        fit._in_r.model.call("summary_text")
    assert call_on(fit, "summary_text")["text"] == [text]


@pytest.mark.slow
def test_a_worker_that_dies_while_it_starts_does_not_stop_the_next_one(is_right):
    host.close()
    kill(host.worker())
    with pytest.raises(WorkerDied):
        host._current.call("session_facts")
    assert is_right()


@pytest.fixture(scope="module")
def pickled(fits, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pickled")
    (folder / "fit").write_bytes(pickle.dumps(fits(SLOPES, "sleepstudy")))
    return folder


def bits(fit):
    return f"{fit.theta.tobytes().hex()} {fit.fitted.to_numpy().tobytes().hex()} True"


@pytest.mark.slow
def test_a_pickled_fit_is_rebuilt_in_another_process(pickled, fits):
    fit = fits(SLOPES, "sleepstudy")
    face = f"{str(fit)!a} {fit.deviance_at(fit.theta).tobytes().hex()}"
    assert run(UNPICKLED, cwd=pickled) == f"{bits(fit)}\n{face}"


@pytest.mark.slow
def test_a_pickled_fit_has_its_numbers_without_r_and_says_why_it_has_no_more(pickled, fits):
    numbers, told = run(UNPICKLED, cwd=pickled, PATH="/nonexistent", R_HOME="").split("\n", 1)
    assert numbers == bits(fits(SLOPES, "sleepstudy"))
    assert told.startswith("R could not be started (")
    assert told.endswith("`lmerbridge doctor` says what is wrong.")


@pytest.mark.slow
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_has_the_same_numbers_and_a_model_of_its_own(copied, sleepstudy):
    fit = lmer(SLOPES, sleepstudy)
    other = copied(fit)
    assert bits(other) == bits(fit)
    assert (other.deviance_at(fit.theta), str(other)) == (fit.deviance_at(fit.theta), str(fit))
    assert other._in_r.model is not fit._in_r.model
