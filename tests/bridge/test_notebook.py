"""In a notebook fits are shown, what R says is not lost, and the stop button stops a fit but not R."""

import asyncio
from datetime import UTC, datetime

import nbformat
import pytest
from nbclient import NotebookClient

from tests.processes import work

pytestmark = pytest.mark.slow

SLOPES = "Reaction ~ Days + (Days | Subject)"
CELLS = {  # name: code
    "fit": """
import numpy, pandas
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
sleepstudy = load_dataset("sleepstudy")
fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
fit
""",
    "bits": "print(fit.theta.tobytes().hex())",
    "print": "print(fit)",
    "warning": 'lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2")).singular',
    "error": 'host.call("summary_text", handle="nothing")',
    "long": """
rng = numpy.random.default_rng(1)
data = pandas.DataFrame(rng.normal(size=(60000, 4)), columns=list("yxab")).assign(g=rng.integers(0, 2000, 60000))
worker = host.worker()
print("now", worker._process.pid, flush=True)
lmer("y ~ x + (x + a + b | g)", data)
""",
    "next": "print(lmer(fit.formula, sleepstudy).theta.tobytes().hex(), host.worker() is worker)",
}
SOON = 1.0  # seconds from the press: nobody waits for R, so this is what a busy machine adds
TRIES = 5  # of them one is soon, however busy the machine


class Reader(NotebookClient):
    """Somebody who presses the stop button when R is at work."""

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "stream" and msg["content"]["text"].startswith("now"):
            self.pressing = asyncio.ensure_future(self.press(int(msg["content"]["text"].split()[1]), cell))
        return super().process_message(msg, cell, cell_index)

    async def press(self, pid, cell):
        await asyncio.to_thread(work, pid)
        cell.metadata["pressed"] = datetime.now(UTC).isoformat()
        await self.km.interrupt_kernel()


@pytest.fixture(scope="module")
def cells():
    """The cells by name, run in a kernel of their own; what is stopped is tried again where that was late."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in CELLS.values()])
    reader = Reader(notebook, kernel_name="python3", timeout=300, startup_timeout=300, allow_errors=True)
    cells = dict(zip(CELLS, notebook.cells, strict=True))
    with reader.setup_kernel():
        for index, (name, cell) in enumerate(cells.items()):
            for _ in range(TRIES):
                reader.execute_cell(cell, index)
                if name != "long" or seconds(cell) < SOON:
                    break
    return cells


@pytest.fixture(scope="module")
def fit(fits):
    return fits(SLOPES, "sleepstudy")


def output(cell, kind):
    """Return the one output of a kind."""
    (found,) = (out for out in cell.outputs if out.get("name", out.output_type) == kind)
    return found


def seconds(cell):
    """Return how long after the press a cell ended."""
    times = cell.metadata["pressed"], cell.metadata["execution"]["shell.execute_reply"]
    pressed, ended = map(datetime.fromisoformat, times)
    return (ended - pressed).total_seconds()


def test_a_fit_shows_its_numbers(cells, fit):
    assert output(cells["fit"], "execute_result").data["text/plain"] == repr(fit)
    assert output(cells["fit"], "execute_result").data["text/html"] == fit._repr_html_()
    assert output(cells["bits"], "stdout").text.strip() == fit.theta.tobytes().hex()


def test_what_r_prints_warns_and_fails_with_is_in_the_notebook(cells, fit):
    assert output(cells["print"], "stdout").text == f"{fit}\n"
    assert "SingularFitWarning: boundary (singular) fit" in output(cells["warning"], "stderr").text
    assert output(cells["warning"], "execute_result").data["text/plain"] == "True"
    failure = output(cells["error"], "error")
    assert (failure.ename, failure.evalue.partition(" (in ")[0]) == ("RError", "object 'nothing' not found")


def test_the_stop_button_stops_a_fit_and_the_next_cell_is_right_in_the_same_r(cells, fit):
    assert output(cells["long"], "error").ename == "KeyboardInterrupt"
    assert 0 < seconds(cells["long"]) < SOON
    assert output(cells["next"], "stdout").text.split() == [fit.theta.tobytes().hex(), "True"]
