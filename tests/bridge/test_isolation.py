"""Nothing of the user's folder or environment reaches R, and nothing of R reaches the user's process."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lmerbridge import lmer
from lmerbridge.bridge import host
from lmerbridge.bridge.boot import HEAP
from lmerbridge.setup.environment import environment
from tests.processes import in_r, run

pytestmark = pytest.mark.slow

MODEL = """
import numpy, pandas
from lmerbridge import lmer
rng = numpy.random.default_rng(1)
data = pandas.DataFrame({
    "größe": rng.normal(size=60),
    "тип": rng.choice(["b", "B", "ä", "中"], 60),
    "when": pandas.date_range("2024-03-30", periods=60, freq="h"),  # over a change to summer time
    "g": rng.choice(["ж", "z", "Z"], 60),
})
data["y"] = rng.normal(size=60) + data["größe"] + data["g"].map({"ж": 2, "z": 0, "Z": -2})
data.loc[3, "y"] = numpy.nan
fit = lmer("y ~ größe * тип + scale(when) + (1 | g)", data, na_action="omit")
print(ascii({name: value.hex() for name, value in fit.quantities().items()}))
print(ascii([fit.ranef["g"].index.tolist(), len(fit.residuals), fit.conditions, fit.provenance, str(fit)]))
"""
PROFILE = """
options(contrasts = c("contr.sum", "contr.poly"), na.action = "na.exclude", OutDec = ",", digits = 3)
RNGkind("Wichmann-Hill")
Sys.setenv(LC_ALL = "C", TZ = "America/New_York", OMP_NUM_THREADS = "8")
cat("this ran\\n")
writeLines("this ran", "ran")
"""
PLANTED = {  # file: its text; a folder and a home directory as hostile as can be
    ".Rprofile": PROFILE,
    ".Renviron": "R_LIBS=./lib\nR_DEFAULT_PACKAGES=NULL\nTZ=America/New_York\n",
    "lib/lme4/DESCRIPTION": "Package: lme4\nVersion: 9.9\nBuilt: R 4.2.2; ; 2020-01-01 00:00:00 UTC; unix\n",
    "socket.py": "raise SystemExit('this ran')",
    "rpy2.py": "raise SystemExit('this ran')",
}
WORKSPACE = "sd <- scale <- lmer <- call_named <- function(...) -1; save.image('.RData')"
DEFAULT_PACKAGES = ("stats", "graphics", "grDevices", "utils", "datasets", "methods")
STATE = """
import decimal, gc, json, locale, logging, os, random, resource, signal, sys, tempfile, threading, time, warnings
import numpy, pandas, scipy.sparse  # what they change is not ours

def children():
    tasks = (f"/proc/self/task/{task}/children" for task in os.listdir("/proc/self/task"))
    return sorted(pid for task in tasks for pid in open(task).read().split())

def open_files():
    links = [os.path.join("/proc/self/fd", fd) for fd in os.listdir("/proc/self/fd")]
    return sorted(os.readlink(link) for link in links if os.path.lexists(link))

def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask

def show():
    print(json.dumps({
        "environment": dict(os.environ),
        "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "blocked signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "timer": signal.getitimer(signal.ITIMER_REAL),
        "folder": os.getcwd(),
        "temporary folder": tempfile.gettempdir(),
        "umask": umask(),
        "locale": [locale.setlocale(getattr(locale, name)) for name in dir(locale) if name.startswith("LC_")],
        "time zone": time.tzname,
        "streams": [os.fstat(fd).st_ino for fd in (0, 1, 2)] + [id(sys.stdin), id(sys.stdout), id(sys.stderr)],
        "threads": [str(thread) for thread in threading.enumerate()] + [len(os.listdir("/proc/self/task"))],
        "hooks": [str(hook) for hook in (sys.excepthook, sys.displayhook, sys.unraisablehook, threading.excepthook)],
        "import path": sys.path + [str(finder) for finder in sys.meta_path],
        "warnings": str(warnings.filters),
        "loggers": str(logging.getLogger().handlers),
        "random numbers": [str(random.getstate()), str(numpy.random.get_state())],
        "arithmetic": [numpy.geterr(), str(decimal.getcontext())],
        "limits": [resource.getrlimit(getattr(resource, name)) for name in dir(resource) if "RLIMIT" in name],
        "garbage collection": [gc.isenabled(), gc.get_threshold(), gc.callbacks],
        "foreign modules": sorted({name.partition(".")[0] for name in sys.modules} & {"rpy2", "cffi", "statsmodels"}),
        "children": children(),
        "open files": open_files(),
    }))
"""
CALLS = """
show()
from lmerbridge import errors, lmer, load_dataset
from lmerbridge.bridge import host
sleepstudy, dyestuff = load_dataset("sleepstudy"), load_dataset("Dyestuff2")
fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
with warnings.catch_warnings(record=True):
    lmer("Yield ~ 1 + (1 | Batch)", dyestuff)
try:
    lmer("Reaction ~ Days + (1 | Subject)", sleepstudy, start=[1.0, 2.0])
except errors.LmerBridgeError:
    os.kill(host.worker()._process.pid, signal.SIGSTOP)  # so that it dies while a call waits
    os.kill(host.worker()._process.pid, signal.SIGKILL)
try:
    host.call("session_facts")
except errors.WorkerDied:
    text = str(fit)
show()
host.close()
show()
sys.exit(3)
"""
HOSTILE = {  # name: variables; FOLDER is the planted one, and where Python starts
    "the folder and the home directory": {"HOME": "FOLDER", "TMPDIR": "FOLDER"},
    "variables that tune R": {
        "R_PROFILE": "FOLDER/.Rprofile",
        "R_PROFILE_USER": ".Rprofile",
        "R_ENVIRON": "FOLDER/.Renviron",
        "R_ENVIRON_USER": ".Renviron",
        "R_DEFAULT_PACKAGES": "NULL",
        "R_SCRIPT_DEFAULT_PACKAGES": "base",
        "R_ENABLE_JIT": "0",
        "_R_CHECK_LENGTH_1_CONDITION_": "true",
        "OMP_NUM_THREADS": "8",
        "OPENBLAS_NUM_THREADS": "8",
    },
    "language, libraries and Python": {
        "R_LIBS": "lib",
        "R_LIBS_USER": "./lib",
        "R_LIBS_SITE": "lib:../lib",
        "LC_ALL": "C",
        "LANG": "de_DE.UTF-8",
        "LANGUAGE": "de",
        "TZ": "America/New_York",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
        "PYTHONSTARTUP": "FOLDER/rpy2.py",
        "PYTHONSAFEPATH": "1",
        "PYTHONWARNINGS": "error",
        "PYTHONOPTIMIZE": "2",
    },
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    for name, text in PLANTED.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(["Rscript", "--vanilla", "-e", WORKSPACE], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def printed(folder, tmp_path_factory):
    """What the model prints in each place, as futures; two run at a time."""
    script = tmp_path_factory.mktemp("elsewhere") / "model.py"  # beside a script is where Python itself imports from
    script.write_text(MODEL, encoding="utf-8")

    def fit(variables):
        planted = {name: text.replace("FOLDER", str(folder)) for name, text in variables.items()}
        return run(script, way="file", cwd=folder, **planted)

    with ThreadPoolExecutor(2) as pool:
        return {place: pool.submit(fit, variables) for place, variables in HOSTILE.items()}


def test_r_itself_falls_for_what_is_planted(folder):
    command = ["R", "--no-save", "-s", "-e", "cat(sd(1:3), scale(1))"]
    said = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert said == "this ran\n-1 -1"
    (folder / "ran").unlink()


@pytest.mark.parametrize("place", HOSTILE)
def test_a_fit_has_the_same_bits_and_names_in_a_hostile_place(place, printed, folder, capsys):
    exec(MODEL, {})
    assert printed[place].result() == capsys.readouterr().out.strip()
    assert not (folder / "ran").exists()


def test_an_absolute_library_was_chosen_and_a_relative_one_was_not(monkeypatch):
    monkeypatch.setenv("R_LIBS", "/opt/R:lib:~/R:./lib::%U")
    monkeypatch.setenv("R_LIBS_USER", "lib")
    assert environment()["R_LIBS"] == "/opt/R:~/R:%U"
    assert "R_LIBS_USER" not in environment()


def test_r_is_vanilla_in_unicode_and_has_nothing_of_ours_in_its_workspace(sleepstudy):
    host.close()  # other tests may have left their own things in that R
    fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    fit.update(". ~ . - Days").bootstrap(nsim=2, seed=1)
    fit.profile("sigma")
    theirs = "c('curWarnings', '.Random.seed')"  # lme4's, where an optimizer gives up; R's, once it has drawn
    workspace = f"setdiff(ls(globalenv(), all.names = TRUE), {theirs})"
    session = in_r(f"c(commandArgs()[-1], l10n_info()[['UTF-8']], Sys.timezone(), RNGkind(), {workspace})")
    arguments = ["--quiet", "--vanilla", "--no-echo", *HEAP]
    assert session == [*arguments, "TRUE", "UTC", "Mersenne-Twister", "Inversion", "Rejection"]
    assert in_r("search()")[1:-2] == [f"package:{name}" for name in DEFAULT_PACKAGES]


def test_what_the_user_s_process_is_stays_so_through_fits_errors_and_a_crash():
    before, during, after = map(json.loads, run(STATE + CALLS, status=3).splitlines())
    assert during == before | {"children": during["children"], "open files": during["open files"]}
    assert len(during["children"]) == 1
    assert after == before
