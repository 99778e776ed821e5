"""A finding's script and data file show the finding with nothing else."""

import datetime as dt
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lmerbridge import compare, load_dataset
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import suite
from lmerbridge.parity.cases import suite as cases

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def mixed():
    """Columns of every kind that a file must bring back, rows in a subset, an offset and a contrast."""
    rng = np.random.default_rng(3)
    n = 96
    frame = pd.DataFrame(
        {
            "my y": rng.normal(size=n) * 1e-3 + 1 / 3,
            "yes": pd.array(rng.integers(0, 2, n).astype(bool), dtype="boolean"),
            "f": pd.Categorical(rng.choice(['a "b"', "c\\d", "größe"], n), ["größe", 'a "b"', "c\\d"]),
            "day": [dt.date(2024, 1, 1) + dt.timedelta(int(i)) for i in rng.integers(0, 9, n)],
            "g": np.repeat(np.arange(12) * 100_000, 8),
            "o": rng.normal(size=n) * 1e-3,
        }
    )
    frame.loc[[5, 6], "yes"] = pd.NA
    formula = "`my y` ~ yes + f + day + (1 + yes | g)"
    return compare(formula, frame, offset="o", subset=frame["o"] < 0.002, contrasts={"f": "contr.sum"}, reml=False)


def test_the_r_script_gives_lme4s_number_and_the_gap(mixed, tmp_path):
    script = mixed.reproduce("r", tmp_path)
    command = ["Rscript", "--vanilla", "-e", f"options(digits = 15); source('{script.name}', echo = TRUE)"]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    criterion, gap = (float(line.split()[1]) for line in said.splitlines() if line.startswith("[1]"))
    assert criterion == pytest.approx(mixed.reference_fit.criterion, abs=1e-8)  # R reads decimals to the last bit or so
    assert gap == pytest.approx(mixed.gap["statsmodels"] - mixed.gap["lme4"], abs=1e-7)


def test_the_python_script_tells_the_same(mixed, tmp_path):
    script = mixed.reproduce("python", tmp_path)
    said = subprocess.run(
        [sys.executable, script.name], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith(mixed.explain().partition("\n")[0])


def test_another_language_is_an_error(mixed, tmp_path):
    with pytest.raises(InvalidArgument, match="one of 'r', 'python'"):
        mixed.reproduce("julia", tmp_path)


def test_a_comparison_of_the_suite_has_its_scripts_and_says_so():
    ((result,),) = suite.run_cases(cases()[:1], ["statsmodels"])
    with pytest.raises(InvalidArgument, match=r"make it with lmerbridge\.compare"):
        result.comparison.reproduce("r")


def test_lme4s_own_optimizers_stand_beside_every_difference():
    result = compare("score ~ Machine + (0 + Machine | Worker)", load_dataset("Machines", "nlme"))
    assert set(result.optimizers) == {"bobyqa", "Nelder_Mead", "nlminbwrap", "nloptwrap"}
    assert result.optimizers["Nelder_Mead"] == pytest.approx(30.1, abs=0.05)  # printed to one digit
    assert max(gap for name, gap in result.optimizers.items() if name != "Nelder_Mead") < 1e-6
    spread = result.frame.set_index("quantity")["spread"]
    assert (spread[["fixef[MachineB]", "sigma", "REMLcrit"]] < 1e-3).all()  # the failure among them does not count
    assert "lme4's own optimizers end above the best optimum known by: Nelder_Mead 3.0e+01" in result.explain()
