"""Time limits: R is stopped on time, whatever it does, and the next call is right."""

import os
import signal
import time

import pytest

from lmerbridge import lmer, load_dataset, time_limit
from lmerbridge.bridge import host, limit
from lmerbridge.errors import InvalidArgument, TimedOut
from lmerbridge.models.extract.objective import polish
from tests.processes import at_best

FORMULA = "Reaction ~ Days + (1 | Subject)"
CROSSED = "y ~ service + (1 | s) + (1 | d)"  # 3 s and more, 0.05 s and more an evaluation of the deviance
LATE = 1.0  # seconds a busy machine adds; what would be waited for, a fit or a deaf worker, takes 2 s and more


@pytest.fixture(scope="module")
def insteval(datasets):
    return datasets("InstEval")


def seconds_of_a_stopped(call):
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"after the time limit of 0\.5 s; the next call works"):
        call()
    return time.monotonic() - began


def test_a_fit_is_stopped_on_time_and_the_next_one_is_right(fits, sleepstudy, insteval):
    right = fits(FORMULA, "sleepstudy")
    for _ in range(2):  # the second waits for the end of the first
        taken = at_best(lambda: seconds_of_a_stopped(lambda: lmer(CROSSED, insteval, timeout=0.5)), 0.5 + LATE)
        assert 0.5 <= taken < 0.5 + LATE
        assert lmer(FORMULA, sleepstudy).theta.tobytes() == right.theta.tobytes()


@pytest.mark.slow
def test_every_call_inside_shares_one_limit(fits, insteval):
    fit = lmer(CROSSED, insteval, control={"optimizer": None}, na_action="omit")

    def calls():
        with time_limit(0.5):
            while True:
                fit.deviance_at(fit.theta)

    for stopped in (calls, lambda: polish(fit, fit.theta[None], timeout=0.5)):
        assert 0.5 <= at_best(lambda stopped=stopped: seconds_of_a_stopped(stopped), 0.5 + LATE) < 0.5 + LATE
    assert fit.deviance_at(fit.theta)[0] == pytest.approx(fit.criterion, rel=1e-13)  # the same code, perhaps rebuilt


def test_the_nearer_of_two_limits_holds():
    with time_limit(100), time_limit(50):
        assert 49 < limit.current.get().remaining <= 50
        with time_limit(200), time_limit(None):
            assert limit.current.get().remaining <= 50
    assert limit.current.get() == limit.Limit()


@pytest.mark.slow
def test_a_worker_that_hears_nothing_is_replaced(fits):
    right, deaf = fits(FORMULA, "sleepstudy"), host.worker()
    os.kill(deaf._process.pid, signal.SIGSTOP)
    assert seconds_of_a_stopped(lambda: right.deviance_at(right.theta, timeout=0.5)) < 0.5 + LATE
    assert right.deviance_at(right.theta)[0] == pytest.approx(right.criterion, rel=1e-13)  # rebuilt
    assert host.worker() is not deaf
    assert deaf._process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("seconds", [0, -1, "1", float("nan"), [1]])
def test_a_limit_that_is_none_is_an_error(seconds):
    with pytest.raises(InvalidArgument, match="a positive number of seconds"), time_limit(seconds):
        pass


@pytest.mark.slow
def test_a_data_set_is_waited_for_only_so_long_and_found_the_next_time():
    os.kill(host.worker()._process.pid, signal.SIGSTOP)
    assert seconds_of_a_stopped(lambda: load_dataset("Wheat2", "nlme", timeout=0.5)) < 0.5 + LATE
    assert load_dataset("Wheat2", "nlme").shape == (224, 5)  # no other test loads it
