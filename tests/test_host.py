"""R lives in a process of its own: what that spares the user's process, and what happens when it dies."""

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lmerbridge import lmer
from lmerbridge.bridge import host
from lmerbridge.bridge.wire import PREFIX
from lmerbridge.errors import ProtocolError, RError, WorkerDied

FORMULA = "Reaction ~ Days + (1 | Subject)"
FOREIGN = ("rpy2", "statsmodels", "matplotlib", "patsy")
IMPORT = """
import sys
started = []
sys.addaudithook(lambda event, args: started.append(args[0]) if event in ("subprocess.Popen", "os.fork") else None)
import lmerbridge
dir(lmerbridge)
print(started, sorted({name.partition(".")[0] for name in sys.modules} & set(%r)))
"""
FIT = """
import os, signal, sys, threading, time
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host
sleepstudy = load_dataset("sleepstudy")
fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
bits = (fit.theta.tobytes() + fit.fitted.to_numpy().tobytes()).hex()
"""
CROSSED = """
from lmerbridge import lmer, load_dataset
fit = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"))
print((fit.theta.tobytes() + fit.fitted.to_numpy().tobytes()).hex())
"""
FORK = """
def is_right():
    return lmer(fit.formula, sleepstudy).theta.tobytes() == fit.theta.tobytes()

worker, pid = host.worker(), os.fork()
if pid == 0:
    right = is_right() and bool(str(fit))
    host.close()
    os._exit(0 if right else 1)
status = os.waitpid(pid, 0)[1]
print(status, host.worker() is worker, os.path.isdir(worker._folder), is_right())
"""
INTERRUPT = """
def press(after):
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGINT)

def interrupted(call, *presses):
    began = time.monotonic()
    for after in presses:
        threading.Thread(target=press, args=[after]).start()
    try:
        call()
    except KeyboardInterrupt:
        return time.monotonic() - began
    sys.exit("the call came to its end")

def long_fit():
    load = load_dataset("InstEval")
    lmer("y ~ service * dept + (1 | s) + (1 | d)", load)

process = host.worker()._process.pid
taken = interrupted(long_fit, 1.0)
same = host.worker()._process.pid == process
again = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
print(taken < 3.0, same, again.theta.tobytes() == fit.theta.tobytes())
"""
ALARM = """
class Alarm(Exception):
    pass

def ring(number, frame):
    raise Alarm

signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 1.0)
try:
    long_fit()
except Alarm:
    again = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    print(again.theta.tobytes() == fit.theta.tobytes())
"""
DEAF = """
os.kill(process, signal.SIGSTOP)  # a worker that answers nothing
taken = interrupted(lambda: host.call("session_facts"), 0.2, 0.6)
again = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
print(taken < 3.0, host.worker()._process.pid != process, again.theta.tobytes() == fit.theta.tobytes())
"""


def run(script, *, cwd=None, status=0, **environment):
    """Run a script in a fresh Python and return what it prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, cwd=cwd, env=os.environ | environment
    )
    assert done.returncode == status, done.stderr
    return done.stdout.strip()


def alive(pid):
    """Whether a process runs; one that has ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_importing_starts_no_process_and_imports_no_engine():
    assert run(IMPORT % (FOREIGN,)) == "[] []"


def test_a_fit_leaves_rpy2_out_of_the_user_s_process_and_no_trace_behind():
    script = (
        FIT + "print('rpy2' in sys.modules, os.environ == before, os.getcwd() == here, host.worker()._process.pid, "
    )
    script += "host.worker()._folder)"
    before = "import os; before, here = dict(os.environ), os.getcwd()\n"
    rpy2, environment, folder, pid, files = run(before + script).split()
    assert (rpy2, environment, folder) == ("False", "True", "True")
    assert not alive(int(pid))
    assert not Path(files).exists()


LONG = """
import numpy, pandas
rng = numpy.random.default_rng(1)
data = pandas.DataFrame(rng.normal(size=(60000, 4)), columns=list("yxab")).assign(g=rng.integers(0, 2000, 60000))
threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
lmer("y ~ x + (x + a + b | g)", data)
"""


@pytest.mark.parametrize("doing", ["os.kill(os.getpid(), signal.SIGKILL)", LONG], ids=["idle", "in a long fit"])
def test_a_worker_and_its_files_do_not_outlive_a_host_that_is_killed(doing):
    show = "print(host.worker()._process.pid, host.worker()._folder, flush=True)\n"
    pid, files = run(FIT + show + doing, status=-9).split()
    deadline = time.monotonic() + 5
    while alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(int(pid))
    assert not Path(files).exists()


def test_two_processes_give_the_same_bits():
    assert len({run(CROSSED) for _ in range(2)}) == 1


def test_files_of_other_people_s_folders_are_not_run(tmp_path):
    for name in ("socket.py", "rpy2.py", ".Rprofile"):
        (tmp_path / name).write_text("stop('run')" if name == ".Rprofile" else "raise SystemExit('run')")
    (tmp_path / "home").mkdir()
    script = FIT.replace("import os", "import sys; sys.path.remove(''); import os", 1)
    assert run(script + "print(fit.nobs)", cwd=tmp_path, TMPDIR=str(tmp_path), HOME=str(tmp_path)) == "180"


def test_messages_are_in_english_whatever_the_user_s_language():
    script = FIT + "try: host.call('kept', handle='nothing')\nexcept Exception as error: print(error.text)"
    assert run(script, LANGUAGE="de", LANG="de_DE.UTF-8") == "object 'nothing' not found"


def test_a_worker_that_was_killed_is_an_error_and_the_next_call_starts_another(sleepstudy):
    older = lmer(FORMULA, sleepstudy)
    text = str(lmer(FORMULA, sleepstudy))
    worker = host.worker()
    os.kill(worker._process.pid, signal.SIGSTOP)  # so that it dies while a call waits
    os.kill(worker._process.pid, signal.SIGKILL)
    with pytest.raises(WorkerDied, match=r"ended \(-9\); the next call starts another"):
        worker.call("session_facts")
    assert host.call("session_facts").values["name"][0] == "R"
    assert host.worker() is not worker
    assert str(older) == text


def test_what_a_dying_worker_said_is_in_the_error():
    worker = host.Worker()
    worker._channel._socket.sendall(PREFIX.pack(4, False) + b"oops")
    with pytest.raises(WorkerDied, match=r"ended \(1\)(.|\n)*JSONDecodeError"):
        worker.call("session_facts")
    worker.close()


def test_an_unknown_function_is_a_protocol_error_and_the_worker_lives_on():
    worker = host.worker()
    with pytest.raises(ProtocolError, match="KeyError"):
        host.call("no_such_function")
    assert host.worker() is worker


def test_an_error_of_r_carries_class_and_call():
    with pytest.raises(RError, match="object 'nothing' not found") as error:
        host.call("summary_text", handle="nothing")
    assert error.value.classes == ("simpleError", "error", "condition")
    assert error.value.call.startswith("get(handle")


def test_a_model_is_released_in_r_with_its_last_reference(sleepstudy):
    kept = lambda: int(host.call("release", handles=[]).values["kept"][0])  # noqa: E731  # the count in R
    fit = lmer(FORMULA, sleepstudy)
    before = kept()
    del fit
    gc.collect()
    assert kept() == before - 1


def test_a_fork_gets_a_worker_of_its_own():
    assert run(FIT + FORK) == "0 True True True"


def test_ctrl_c_comes_back_soon_and_the_next_fit_is_right():
    kept, alarm, replaced = run(FIT + INTERRUPT + ALARM + DEAF).splitlines()
    assert kept == "True True True"
    assert alarm == "True"
    assert replaced == "True True True"


def test_threads_share_one_worker(sleepstudy):
    worker, found = host.worker(), []
    fit = lambda: [found.append(lmer(FORMULA, sleepstudy).criterion) for _ in range(5)]  # noqa: E731  # a thread's work
    threads = [threading.Thread(target=fit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1
    assert host.worker() is worker


@pytest.mark.parametrize("home", ["", "/nonexistent"])
def test_a_machine_without_r_is_told_where_to_look(home):
    script = FIT.replace("sleepstudy = ", "from lmerbridge.errors import SetupError\ntry:\n    call = ", 1).splitlines()
    tried = "\n".join(script[: 1 + next(i for i, line in enumerate(script) if "call = " in line)])
    told = run(tried + "\nexcept SetupError as error:\n    print(error)", PATH="/nonexistent", R_HOME=home)
    assert told.startswith("R could not be started (")
    assert told.endswith("`lmerbridge doctor` says what is wrong.")
    assert "Traceback" not in told
