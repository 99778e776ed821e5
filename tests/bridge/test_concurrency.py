"""Ctrl-C, time limits, threads, event loops and forks: a call ends when it should, and the next one is right."""

import asyncio
import inspect
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from lmerbridge import errors, lmer, time_limit
from lmerbridge.bridge import host
from tests.processes import FIT, FORKS, WORK, at_best, in_r, run

SLOPES = "Reaction ~ Days + (Days | Subject)"
LONG = "y ~ x + (x + a + b | g)"  # minutes with 2,000 groups; one deviance evaluation takes 0.1 s
SOON = 1.0  # seconds from the signal or the limit: nobody waits for R, so this is what a busy machine adds
INTERRUPT = f"""
SOON = {SOON}
{inspect.getsource(at_best)}{WORK}
import numpy, pandas
rng = numpy.random.default_rng(1)
data = pandas.DataFrame(rng.normal(size=(60000, 4)), columns=list("yxab")).assign(g=rng.integers(0, 2000, 60000))

def press(wait, pressed):
    wait()
    pressed.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

def interrupted(call, wait):  # seconds from the press
    pressed = []
    threading.Thread(target=press, args=[wait, pressed]).start()
    try:
        call()
    except KeyboardInterrupt:
        return time.monotonic() - pressed[0]
    sys.exit("the call came to its end")

def rung(call, after):  # seconds from the alarm
    began = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        call()
    except Alarm:
        return time.monotonic() - began - after
    sys.exit("the call came to its end")

def long_fit():
    lmer("y ~ x + (x + a + b | g)", data)

def is_right():
    again = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    return again.theta.tobytes() == fit.theta.tobytes()

class Alarm(Exception):
    pass

def ring(number, frame):
    raise Alarm

signal.signal(signal.SIGALRM, ring)
process = host.worker()._process
print(at_best(lambda: interrupted(long_fit, lambda: work(process.pid)), SOON), end=" ")
print(is_right(), host.worker()._process is process)
print(at_best(lambda: rung(long_fit, 1.0), SOON), is_right(), host.worker()._process is process)
os.kill(process.pid, signal.SIGSTOP)  # it answers nothing, and the user presses again
moment = lambda: time.sleep(0.5)
print(interrupted(lambda: host.call("session_facts"), moment), interrupted(is_right, moment), is_right(), end=" ")
print(host.worker()._process is process)
"""
FORK = """
def is_right():
    return lmer(fit.formula, sleepstudy).theta.tobytes() == fit.theta.tobytes()

def start():
    host._starting.enter(lambda: started.set() or time.sleep(0.5))

worker, started = host.worker(), threading.Event()
threading.Thread(target=start).start()  # a thread that starts R while another forks
started.wait()
pid = os.fork()
if pid == 0:
    del worker
    signal.alarm(30)  # rather than wait for ever
    right = is_right() and bool(str(fit))
    host.close()
    os._exit(0 if right else 1)
status = os.waitpid(pid, 0)[1]
print(status, host.worker() is worker, os.path.isdir(worker._folder), is_right())
"""


@pytest.fixture(scope="module")
def large():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(60_000, 4)), columns=list("yxab"))
    return frame.assign(g=rng.integers(0, 2000, 60_000))


@pytest.fixture
def is_right(fits, sleepstudy):
    """Whether a fit made now has the bits it should have."""
    theta = fits(SLOPES, "sleepstudy").theta.tobytes()
    return lambda: lmer(SLOPES, sleepstudy).theta.tobytes() == theta


def timed_out(seconds, call):
    """Run a call that is to take longer than its time limit; return how much more than that it took."""
    began = time.monotonic()
    with pytest.raises(errors.TimedOut, match=f"time limit of {seconds:g} s; the next call works"):
        call()
    return time.monotonic() - began - seconds


@pytest.mark.slow
def test_ctrl_c_comes_back_soon_and_the_next_fit_is_right():
    ctrl_c, alarm, deaf = (line.split() for line in run(FIT + INTERRUPT).splitlines())
    for seconds, *right_and_same in (ctrl_c, alarm):
        assert 0 < float(seconds) < SOON
        assert right_and_same == ["True", "True"]
    first, second, *right_and_same = deaf
    assert max(float(first), float(second)) < SOON
    assert right_and_same == ["True", "False"]  # it was killed


@pytest.mark.slow
def test_a_timeout_holds_while_r_is_starting(large, is_right):
    def late():
        host.close()
        return timed_out(0.2, lambda: lmer(LONG, large, timeout=0.2))

    assert at_best(late, SOON) < SOON
    assert is_right()


@pytest.mark.slow
def test_a_worker_that_stops_in_the_middle_of_a_reply_is_killed_when_the_time_is_up(is_right, monkeypatch):
    worker = host.worker()
    in_r("1")
    receive, stop = worker._channel._array, lambda: os.kill(worker._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(worker._channel, "_array", lambda *shape: stop() or receive(*shape))
    watch = threading.Timer(20, worker._process.kill)
    watch.start()
    with time_limit(3.0):  # in which a busy machine, too, begins to reply
        assert timed_out(3.0, lambda: in_r("numeric(1e7)")) < 3.0 + SOON  # more than the socket holds
    watch.cancel()
    assert not worker.alive
    assert is_right()


def test_a_call_whose_time_runs_out_while_another_thread_s_is_running_leaves_that_one_alone():
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(in_r, "Sys.sleep(1.5); 'undisturbed'")
        while host.worker()._turn.enter(int):  # nobody has it
            time.sleep(0.01)
        with time_limit(0.2):
            assert timed_out(0.2, lambda: in_r("1")) < SOON
        assert running.result() == ["undisturbed"]


def test_an_event_loop_goes_on_while_r_works_and_each_task_has_its_own_time_limit(sleepstudy, is_right):
    async def limited():
        with time_limit(0.5):
            await asyncio.to_thread(in_r, "Sys.sleep(30)")

    async def beat(beats):
        while True:
            beats.append(time.monotonic())
            await asyncio.sleep(0.01)

    async def main():
        beats = []
        heart = asyncio.create_task(beat(beats))
        tasks = [limited(), *(asyncio.to_thread(lmer, SLOPES, sleepstudy) for _ in range(5))]
        found = await asyncio.gather(*tasks, return_exceptions=True)
        heart.cancel()
        return found, beats

    (late, *fits), beats = asyncio.run(main())
    assert isinstance(late, errors.TimedOut)
    assert len({fit.theta.tobytes() for fit in fits}) == 1
    assert len(beats) > 20  # of 50 in the half second that the first call takes


@pytest.mark.slow
def test_a_fork_gets_a_worker_of_its_own():
    printed = run(FIT + FORK, way="stdin", PYTHONWARNINGS=f"default::ResourceWarning,{FORKS}")
    assert printed == "0 True True True"
