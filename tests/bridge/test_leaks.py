"""Nothing grows however many models are fitted, and nothing is left behind however Python ends.

On a push a fifth of the models is fitted, in which heaps do not yet have their size: these are weighed at night.
"""

import gc
import json
import os
import signal
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lmerbridge import lmer
from lmerbridge.bridge import host
from lmerbridge.bridge.wire import Table
from lmerbridge.errors import WorkerDied
from tests.bench.transfer import resident
from tests.chance import FULL, amount
from tests.processes import FIT, PATIENCE, WORK, ends, left_in, run

THREADS = 8
FITS = amount(2000)
WARM = FITS // 2  # until caches and heaps have their size
MANY = f"""
import gc, json, os, resource, threading, time, weakref
import numpy
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host

def resident(pid):
    pages = int(open(f"/proc/{{pid}}/statm").read().split()[1])
    return pages * resource.getpagesize() / 2**20

def state():
    return {{
        "host": resident("self"),
        "worker": resident(host.worker()._process.pid),
        "models in R": int(host.call("release", handles=[]).values["kept"][0]),
        "open files": len(os.listdir("/proc/self/fd")),
        "open files of the worker": len(os.listdir(f"/proc/{{host.worker()._process.pid}}/fd")),
        "threads": threading.active_count() + len(os.listdir("/proc/self/task")),
        "temporary files": sum(len(files) for _, _, files in os.walk(host.worker()._folder)),
    }}

def counts(found):
    return {{name: found[name] for name in found if name not in ("host", "worker")}}

def settled():  # what has ended is gone a moment later
    deadline, before = time.monotonic() + {PATIENCE}, {{}}
    while (now := state())["models in R"] or counts(now) != before:
        if time.monotonic() > deadline:
            break
        before = counts(now)
        time.sleep(0.2)
    return now

slots = threading.Semaphore(64)  # so many fits, and no more, may wait for the collector, however slow it is

class Cycle:  # only the garbage collector frees what is in it
    def __init__(self, fit):
        self.fit, self.itself = fit, self
        weakref.finalize(self, slots.release)

def work(count):
    for _ in range(count):
        slots.acquire()
        fit = lmer("Yield ~ 1 + (1 | Batch)", data)
        found.add(numpy.concatenate([fit.theta, fit.fitted, [fit.criterion]]).tobytes())
        Cycle(fit)

def collect():
    while not done.is_set():
        gc.collect()
        time.sleep(0.01)

def fit(count):
    threads = [threading.Thread(target=work, args=[count // {THREADS}]) for _ in range({THREADS})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

data, found, done = load_dataset("Dyestuff"), set(), threading.Event()
gc.freeze()  # what has been imported is not looked through each time
gc.disable()  # it would run in any thread; now a ninth alone frees what the eight have fitted
collector = threading.Thread(target=collect)
collector.start()
fit({WARM})
warm = settled()
fit({FITS - WARM})
print(json.dumps([len(found), warm, settled()]))
done.set()
"""
LONG = """
import numpy, pandas
rng = numpy.random.default_rng(1)
data = pandas.DataFrame(rng.normal(size=(60000, 4)), columns=list("yxab")).assign(g=rng.integers(0, 2000, 60000))
pid = host.worker()._process.pid
threading.Thread(target=lambda: (work(pid), os.kill(os.getpid(), signal.SIGKILL))).start()
lmer("y ~ x + (x + a + b | g)", data)
"""
FORKED = """
pid = host.worker()._process.pid
if os.fork() == 0:
    os.closerange(0, 3)
    signal.alarm(180)  # longer than R's end is waited for
    while os.path.exists(f"/proc/{pid}"):
        time.sleep(0.05)
    os._exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""
ENDINGS = {  # how Python ends: what it does last, its status
    "an exception": ("1 / 0", 1),
    "killed in a long fit": (LONG, -signal.SIGKILL),
    "killed while a fork of it lives on": (FORKED, -signal.SIGKILL),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each script printed, and the folder it had for temporary files, as futures; two run at a time."""

    def fresh(folder, script, status):
        return json.loads(run(script, status=status, TMPDIR=str(folder))), folder

    show = FIT + WORK + "print(host.worker()._process.pid, flush=True)\n"
    scripts = {"many": (MANY, 0)} | {name: (show + last, status) for name, (last, status) in ENDINGS.items()}
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(fresh, tmp_path_factory.mktemp("fresh"), *script) for name, script in scripts.items()}


@pytest.mark.slow
@pytest.mark.parametrize("ending", ENDINGS)
def test_neither_process_nor_file_is_left_behind(ending, printed):
    process, folder = printed[ending].result()
    assert ends(process)
    assert left_in(folder) == []


def test_a_model_is_released_in_r_with_its_last_reference(sleepstudy):
    kept = lambda: int(host.call("release", handles=[]).values["kept"][0])  # noqa: E731  # the count in R
    fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)
    gc.collect()  # of other tests' models
    before = kept()
    del fit
    gc.collect()
    assert kept() == before - 1


@pytest.mark.slow
def test_fifty_workers_that_died_leave_no_open_file_and_no_folder(tmp_path, monkeypatch):
    host.close()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, died = len(os.listdir("/proc/self/fd")), []
    for _ in range(50):
        worker = host.worker()
        os.kill(worker._process.pid, signal.SIGKILL)
        with pytest.raises(WorkerDied):
            worker.call("session_facts")
        died.append(worker)  # as the fits do that it made
    host.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_many_fits_from_eight_threads_are_equal_and_nothing_grows(printed):
    (different, warm, after), folder = printed["many"].result()
    assert different == 1
    for process in ("host", "worker"):
        now, before = after.pop(process), warm.pop(process)
        assert now < 1.1 * before or not FULL
    assert after == warm
    assert warm["models in R"] == warm["temporary files"] == 0
    assert left_in(folder) == []


def test_r_holds_the_columns_of_one_request_only():
    sent = {"data": Table({"x": np.zeros(12_500_000)}, 12_500_000)}  # 100 MB
    host.close()
    host.call("collect")
    pid = host.worker()._process.pid
    before = resident(pid, "VmRSS")
    for _ in range(4):
        host.call("bytes_of", **sent)
    assert resident(pid, "VmHWM") - before < 150e6
