"""Processes of every kind, each with an R of its own: the same bits, nothing left behind."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.processes import left_in, run

pytestmark = pytest.mark.slow

MODELS = {  # formula: data set
    "Reaction ~ Days + (Days | Subject)": "sleepstudy",
    "Yield ~ 1 + (1 | Batch)": "Dyestuff",
    "diameter ~ 1 + (1 | plate) + (1 | sample)": "Penicillin",  # crossed: its last digits are the hardest to repeat
    "strength ~ 1 + (1 | batch) + (1 | cask:batch)": "Pastes",
}
SCRIPT = f"""
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
import joblib
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host

def bits(fits):
    return [fit.theta.tobytes() + fit.fitted.to_numpy().tobytes() for fit in fits]

if __name__ == "__main__":
    models = [(formula, load_dataset(name)) for formula, name in {MODELS}.items()]
    serial = [lmer(*model) for model in models]
    worker = host.worker()
    WAY
    again = [lmer(*model) for model in models]
    print(bits(found) == bits(serial), bits(again) == bits(serial), host.worker() is worker)
    print([str(fit) for fit in found] == [str(fit) for fit in serial])
"""
WAYS = {
    "joblib": "found = joblib.Parallel(2)(joblib.delayed(lmer)(*model) for model in models)",
    "fork": "with multiprocessing.get_context('fork').Pool(2) as pool: found = pool.starmap(lmer, models)",
    "spawn": "with ProcessPoolExecutor(2, multiprocessing.get_context('spawn')) as pool: "
    "found = list(pool.map(lmer, *zip(*models)))",
}
TESTS = f"""
import pytest
from lmerbridge import lmer, load_dataset
from lmerbridge.bridge import host

@pytest.mark.parametrize(("formula", "name"), {MODELS}.items())
def test_bits(formula, name, worker_id):
    fit = lmer(formula, load_dataset(name))
    print("fitted", name, fit.theta.tobytes().hex(), worker_id, host.worker()._process.pid)
"""


def parallel(way, folder):
    """Run the script in one way, and return what it prints; its temporary files are in a folder of their own."""
    (folder / "script.py").write_text(SCRIPT.replace("WAY", WAYS[way]))
    (folder / "temporary").mkdir()
    environment = {"TMPDIR": str(folder / "temporary"), "PYTHONWARNINGS": "default::ResourceWarning"}
    return run(folder / "script.py", way="file", cwd=folder, **environment)


def xdist(folder):
    """Run the tests in two processes, and return what they print."""
    (folder / "test_bits.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        "2",
        "-W",
        "error",
        "-rP",
        "-p",
        "no:cacheprovider",
        "test_bits.py",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """What is run, and its folder, as futures; two at a time."""
    folders = {name: tmp_path_factory.mktemp("parallel") for name in [*WAYS, "xdist"]}
    with ThreadPoolExecutor(2) as pool:
        running = {way: pool.submit(parallel, way, folders[way]) for way in WAYS}
        running["xdist"] = pool.submit(xdist, folders["xdist"])
        yield {name: (job, folders[name]) for name, job in running.items()}


@pytest.mark.parametrize("way", WAYS)
def test_processes_give_the_bits_of_one_and_leave_its_worker_alone(way, jobs):
    job, folder = jobs[way]
    assert job.result().split() == ["True"] * 4
    assert left_in(folder / "temporary") == []


def test_each_process_of_pytest_xdist_has_an_r_of_its_own_and_the_same_bits(jobs, fits):
    job, _ = jobs["xdist"]
    fitted = [line.split()[1:] for line in job.result().splitlines() if line.startswith("fitted")]
    expected = {name: fits(formula, name).theta.tobytes().hex() for formula, name in MODELS.items()}
    assert {name: bits for name, bits, _, _ in fitted} == expected
    assert len({process for *_, process in fitted}) == len({tester for _, _, tester, _ in fitted}) == 2
