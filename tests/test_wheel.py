"""The wheel is whole: installed outside the checkout it fits a model and renders a report."""

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FIT = """
import lmerbridge
from lmerbridge.setup.sources import r_directory
fit = lmerbridge.lmer("Reaction ~ Days + (Days | Subject)", lmerbridge.load_dataset("sleepstudy"))
print(lmerbridge.__file__, r_directory(), round(fit.criterion, 4), sep="\\n")
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def carried(folder, *endings):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name.endswith(endings)}


def test_the_wheel_carries_every_module_r_source_template_and_table(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    package = {
        f"lmerbridge/{path}" for path in carried(ROOT / "lmerbridge", ".py", ".toml", ".jinja", ".css", "py.typed")
    }
    sources = {f"lmerbridge/_r/{path}" for path in carried(ROOT / "r" / "R", ".R")}
    assert len(sources) >= 7
    assert package | sources <= inside
    top = {name.partition("/")[0] for name in inside}
    assert len(top) == 2
    assert "lmerbridge" in top  # and its dist-info


@pytest.mark.slow
def test_the_source_archive_holds_what_git_does_and_builds_the_same_wheel(wheel, tmp_path):
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (archive,), (other,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as ours, zipfile.ZipFile(other) as theirs:
        assert {name: ours.read(name) for name in ours.namelist()} == {n: theirs.read(n) for n in theirs.namelist()}
    with tarfile.open(archive) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert {path for path in listed.stdout.splitlines() if (ROOT / path).exists()} <= inside  # none outside of git
    assert {"tests/conftest.py", "r/tests/testthat.R", "reports/parity.json", ".github/CONTRIBUTING.md"} <= inside


@pytest.mark.slow
def test_the_installed_wheel_fits_a_model_outside_the_checkout(wheel, tmp_path):
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", FIT], capture_output=True, text=True, check=False, cwd=elsewhere, env=environment
    )
    assert done.returncode == 0, done.stderr
    module, sources, criterion = done.stdout.splitlines()
    assert Path(module).is_relative_to(site)
    assert Path(sources).is_relative_to(site)
    assert criterion == "1743.6283"  # Bates et al. 2015, section 5.2, print 1743.6
