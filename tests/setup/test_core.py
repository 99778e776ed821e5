"""What a fit loads, and what is said where a package of an extra is missing."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.extras import PROBES, fault, outcomes

PYPROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
OF_EXTRAS = (
    "matplotlib",
    "typer",
    "rich",
    "joblib",
    "jinja2",
    "click",
    "statsmodels",
    "patsy",
)  # joblib and patsy: later
LACKING = ("matplotlib", "typer", "rich", "click", "pygments")
FIT = """
import lmerbridge
fit = lmerbridge.lmer("Reaction ~ Days + (Days | Subject)", lmerbridge.load_dataset("sleepstudy"))
"""
HIDE = f"import sys\nsys.modules.update(dict.fromkeys({LACKING}))\n"  # an import of None fails, as one of nothing does
OTHERS = ("pyarrow", "dask", "distributed", "polars", "marginaleffects", "sklearn", "great_tables", "docx", "shap")
ENGINES = ("mixedlm", "interlace", "glmm", "mixedlm_rs", "lme_python", "gpboost")
HIDE_ALL = f"import sys\nsys.modules.update(dict.fromkeys({LACKING + OTHERS + ENGINES}))\n"
BLOCKED = {  # what is asked for, and what is said where nothing but the core is installed
    "fit.plot_ranef()": "a picture needs matplotlib, which is not installed: pip install 'lmerbridge[plot]'",
    "fit.bootstrap(nsim=2, seed=1, progress=True)": (
        "a progress bar needs rich, which is not installed: pip install 'lmerbridge[cli]'"
    ),
    "from lmerbridge.report import check_formats; check_formats(['md']); check_formats(['html'])": (
        "a report in HTML needs matplotlib, which is not installed: pip install 'lmerbridge[plot]'; "
        "the formats md, json and junit do without."
    ),
}


def python(code, *words):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words], capture_output=True, text=True, check=False
    )


def door(*words):
    """Run the command line where nothing but the core is installed."""
    return python(f"{HIDE}from lmerbridge.__main__ import enter\nenter()", *words)


def test_a_fit_loads_no_package_but_those_it_needs():
    done = python(
        f"{FIT}\nstr(fit), repr(fit), fit.tidy()\nimport sys\nprint([m for m in {OF_EXTRAS} if m in sys.modules])"
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("asked", BLOCKED)
def test_what_is_missing_is_said_by_name_with_what_pip_is_to_install(asked):
    done = python(f"{HIDE}{FIT}{asked}")
    assert BLOCKED[asked] in (done.stdout + done.stderr).splitlines()[-1]
    assert "Traceback" not in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("all_are_there", [True, False])
def test_what_an_extra_is_for_works_or_is_an_error_with_the_line_for_pip(all_are_there, tmp_path):
    told = outcomes(sys.executable, tmp_path, "" if all_are_there else HIDE_ALL)
    assert {probe: said for probe, said in told.items() if fault(probe, said, meant=all_are_there)} == {}
    assert len([said for said in told.values() if said and "pip install" in said]) == (
        0 if all_are_there else len(told)
    )


def test_every_extra_is_tried_by_what_it_is_for():
    assert set(PYPROJECT["optional-dependencies"]) - set(PROBES) == {"all", "dev", "docs", "r"}


@pytest.mark.slow
def test_the_core_fits_predicts_tests_resamples_and_compares():
    verbs = "lmerbridge.compare(fit.formula, lmerbridge.load_dataset('sleepstudy')),"
    verbs += "fit.summary('Satterthwaite'), fit.confint(method='Wald'), fit.bootstrap(nsim=2, seed=1), fit.influence()"
    done = python(f"{HIDE}{FIT}{verbs}, fit.emmeans('Days'), fit.anova(), fit.simulate(seed=1)\nprint(fit.check())")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", [(), ("fit", "y ~ x + (1 | g)", "a.csv"), ("parity",), ("--version",)])
def test_the_command_line_says_which_package_it_lacks(words):
    done = door(*words)
    assert done.returncode == 1
    assert done.stderr == "The command line needs typer, which is not installed: pip install 'lmerbridge[cli]'\n"


@pytest.mark.slow
def test_doctor_and_setup_need_no_package_of_an_extra():
    told = door("doctor")
    assert "sleepstudy's REML criterion is 1743.628" in told.stdout, told.stderr
    assert (told.returncode, door("--help").returncode) == (0, 0)
    assert door("setup", "--dry-run").returncode == 0
    assert '"ok": true' in door("doctor", "--json").stdout


def test_every_extra_that_is_named_to_a_user_is_one():
    sources = "".join(path.read_text() for path in (Path(__file__).parents[2] / "lmerbridge").rglob("*.py"))
    named = {extra for each in re.findall(r"lmerbridge\[([a-z,]+)\]", sources) for extra in each.split(",")}
    assert named <= set(PYPROJECT["optional-dependencies"])
    assert {"plot", "cli"} <= named


def test_the_core_names_no_package_of_an_extra():
    core = " ".join(PYPROJECT["dependencies"])
    assert not [name for name in ("matplotlib", "typer", "rich") if name in core]
