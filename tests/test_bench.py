"""The clock of the bench, and how two sides are compared."""

import subprocess
import sys
import time
from itertools import count

import pytest

from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.__main__ import line, modules
from tests.bench.cpu import ratio
from tests.bench.row import Row

BUSY = "import time\nwhile time.process_time() < {}: pass"
LOOSE = 0.15  # seconds: a Python that starts takes some, and the kernel counts in ticks of 10 ms


def start(seconds: float) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", BUSY.format(seconds)])


def test_what_waits_takes_no_cpu_time() -> None:
    assert cpu_seconds(lambda: time.sleep(0.3)) < 0.05


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_process_below_counts_when_it_has_ended_and_while_it_runs() -> None:
    assert cpu_seconds(lambda: start(0.4).wait()) == pytest.approx(0.4, abs=LOOSE)
    worker = start(60.0)
    try:
        began = time.monotonic()
        used = cpu_seconds(lambda: time.sleep(0.5))
        assert 0.01 < used <= time.monotonic() - began
    finally:
        worker.kill()
        worker.wait()


def test_a_call_is_the_mean_of_several() -> None:
    calls = count()
    cpu_seconds(lambda: next(calls), times=7)
    assert next(calls) == 7


def test_sides_take_turns_and_are_compared_pair_by_pair() -> None:
    ours, theirs, order = iter((9.0, 2.0, 6.0, 30.0)), iter((9.0, 1.0, 2.0, 3.0)), list[str]()
    found = ratio(3, lambda: order.append("o") or next(ours), lambda: order.append("t") or next(theirs), warm=1)
    assert order == ["o", "t", "o", "t", "t", "o", "o", "t"]
    assert (found.median, found.ours, found.theirs, found.pairs) == (3.0, 6.0, 2.0, 3)
    assert (found.low, found.high) == (2.5, 6.5)


def test_a_row_tells_both_sides_and_whether_its_bar_is_met() -> None:
    row = Row.of("a thing", 1.5, ratio(2, lambda: 0.004, lambda: 0.002))
    assert line(row) == "| a thing | <= 1.5 | 2 (4 ms against 2 ms; quartiles 2 to 2 of 2) | **missed** |"


def test_every_module_with_rows_is_part_of_the_bench() -> None:
    assert {"tests.bench.fits", "tests.bench.parity"} < {module.__name__ for module in modules(())}
    assert [module.__name__ for module in modules(("parity",))] == ["tests.bench.parity"]
