"""R lives in a process of its own: what that spares the user's process, and what happens when it dies."""

from pathlib import Path

import pytest

from lmerbridge.bridge import host
from lmerbridge.errors import ProtocolError, RError
from tests.processes import FIT, alive, run

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
CROSSED = """
from lmerbridge import lmer, load_dataset
fit = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"))
print((fit.theta.tobytes() + fit.fitted.to_numpy().tobytes()).hex())
"""


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


@pytest.mark.slow
def test_two_processes_give_the_same_bits():
    assert len({run(CROSSED) for _ in range(2)}) == 1


@pytest.mark.slow
def test_messages_are_in_english_whatever_the_user_s_language():
    script = FIT + "try: host.call('entry_of', handle='nothing')\nexcept Exception as error: print(error.text)"
    assert run(script, LANGUAGE="de", LANG="de_DE.UTF-8") == "object 'nothing' not found"


@pytest.mark.slow
def test_r_s_clock_shows_utc_whatever_the_user_s_time_zone():
    ask = """
asked = {"X": ["2024-07-01 12:00"], "FUN": "strftime", "simplify": False, "format": "%H %Z"}
(shown,) = host.call("call_named", fun="sapply", args=asked).values.values()
print(*shown, os.environ["TZ"])
"""
    assert run(FIT + ask, TZ="America/New_York") == "12 UTC America/New_York"


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


@pytest.mark.slow
@pytest.mark.parametrize("home", ["", "/nonexistent"])
def test_a_machine_without_r_is_told_where_to_look(home):
    script = FIT.replace("sleepstudy = ", "from lmerbridge.errors import SetupError\ntry:\n    call = ", 1).splitlines()
    tried = "\n".join(script[: 1 + next(i for i, line in enumerate(script) if "call = " in line)])
    told = run(tried + "\nexcept SetupError as error:\n    print(error)", PATH="/nonexistent", R_HOME=home)
    assert told.startswith("R could not be started (")
    assert told.endswith("`lmerbridge doctor` says what is wrong.")
    assert "Traceback" not in told
