import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from lmerbridge.setup import compat
from lmerbridge.setup.compat import DEFECTS, RINTERFACE, SUPPORTED, defects, fits, parse_version

ROOT = Path(__file__).parents[2]
LOADS = [  # R, rpy2-rinterface, whether it loads: bridge measurements
    ("4.2.2", "3.6.5", True),
    ("4.2.2", "3.6.6", False),
    ("4.2.2", "3.6.7", False),
    ("4.4.3", "3.6.5", True),
    ("4.5.0", "3.6.5", False),
    ("4.5.0", "3.6.6", True),
    ("4.6.2", "3.6.7", True),
    ("4.6.2", "4.0.1", True),
    ("3.6.3", "3.6.5", False),
]
REFIT = ["1.1-8", "1.1-21", "1.1-31", "1.1-32"]
STRUCTURED = ["2.0-1", "2.0-5"]
SOUND = ["1.1-7", "1.1-33", "1.1-38", "2.0-6", "2.1-0"]


def run_as_file(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run compat.py as `make setup` does: by its path, isolated from every installed package."""
    command = [sys.executable, "-I", "-S", compat.__file__, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_versions_of_lme4_compare_by_number_and_not_by_text():
    assert sorted(["1.1-100", "2.0-1", "1.1-31", "1.1-8"], key=parse_version) == [
        "1.1-8",
        "1.1-31",
        "1.1-100",
        "2.0-1",
    ]


@pytest.mark.parametrize("text", ["", "devel", "r4.2"])
def test_what_is_no_version_is_an_error_that_shows_one(text):
    with pytest.raises(ValueError, match=re.escape(f"{text!r} is not a version") + ".*1.1-31"):
        parse_version(text)


@pytest.mark.parametrize(("r", "rinterface", "loads"), LOADS)
def test_an_rpy2_fits_an_r_exactly_where_it_was_seen_to_load(r, rinterface, loads):
    assert fits(r, rinterface) is loads


@pytest.mark.parametrize("r", ["4.0.0", "4.2.2", "4.4.9", "4.5.0", "4.6.2", "5.0.0"])
def test_every_supported_r_has_exactly_one_range_of_rpy2(r):
    assert r in SUPPORTED["R"]
    assert sum(r in known for known in RINTERFACE) == 1


@pytest.mark.parametrize(
    ("version", "name"), [(v, "refit_reml") for v in REFIT] + [(v, "structured_npar") for v in STRUCTURED]
)
def test_a_known_bad_lme4_is_known_by_its_defect(version, name):
    assert [defect.name for defect in defects("lme4", version)] == [name]


@pytest.mark.parametrize("version", SOUND)
def test_an_lme4_outside_those_ranges_is_sound(version):
    assert defects("lme4", version) == ()


def test_a_defect_of_one_package_is_not_held_against_another():
    assert defects("Matrix", "1.1-31") == ()


def test_every_defect_ends_somewhere():
    assert all(parse_version(defect.versions.below or "0") > parse_version(defect.versions.first) for defect in DEFECTS)


def test_the_file_runs_alone_before_anything_is_installed():
    answer = run_as_file("4.2.2")
    assert (answer.stdout, answer.stderr, answer.returncode) == ("rpy2-rinterface>=3.6,<3.6.6\n", "", 0)


def test_an_r_too_old_stops_it_with_what_was_found_and_expected():
    answer = run_as_file("3.4.1")
    assert answer.returncode == 1
    assert answer.stderr == "R 3.4.1 was found; R >=4.0 is expected: install a newer R.\n"


def test_the_oldest_versions_are_those_of_the_r_package():
    description = (ROOT / "r" / "DESCRIPTION").read_text()
    for package, supported in SUPPORTED.items():
        assert re.findall(rf"\b{package} \(>= (.+?)\)", description) == [supported.first]


def test_every_rpy2_chosen_satisfies_what_the_package_itself_declares():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    declared = extras["r"][0].removeprefix("rpy2-rinterface>=")
    newest = next(rinterface for r, rinterface in RINTERFACE.items() if r.below is None)
    assert declared == newest.first  # pip takes the newest, which is for R from some version on
    assert all(parse_version(rinterface.first) <= parse_version(declared) for rinterface in RINTERFACE.values())
