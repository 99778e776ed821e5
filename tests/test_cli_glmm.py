"""The command line and the plugin with generalized models."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from lmerbridge import glmer, glmer_nb, load_dataset, parametrize_parity
from lmerbridge.engines import find
from lmerbridge.parity import cases, recording
from tests.test_cli import run as run  # a fixture

pytestmark = pytest.mark.slow

FORMULA = "incidence ~ size + (1 | herd)"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "cbpp.csv"
    load_dataset("cbpp").to_csv(path, index=False)
    return path


def estimates(text):
    return [float(row["estimate"]) for row in csv.DictReader(io.StringIO(text)) if row["effect"] == "fixed"]


@pytest.mark.parametrize("nagq", [1, 5])
def test_fit_takes_a_family_and_nodes_and_prints_r_s_summary_or_a_table(run, file, nagq):
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    options = ("fit", formula, file, "--family", "binomial(probit)", "--nagq", nagq)
    text = run(*options).stdout
    assert "Family: binomial  ( probit )" in text
    assert "Data: cbpp.csv" in text
    made = glmer(formula, pd.read_csv(file), "binomial(probit)", n_agq=nagq)
    assert estimates(run(*options, "--format", "csv").stdout) == made.beta.tolist()


def test_a_negative_binomial_without_a_shape_has_it_fitted(run, file):
    table = run("fit", FORMULA, file, "--family", "negative.binomial", "--format", "csv").stdout
    assert estimates(table) == glmer_nb(FORMULA, pd.read_csv(file)).beta.tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--nagq", 3), "--nagq is 3 without a --family"),
        (("--family", "poisson", "--ddf", "Satterthwaite"), "--ddf is 'Satterthwaite'; a generalized model has z"),
        (("--family", "normal"), "family is 'normal'; one of binomial, poisson"),
        (("--family", "poisson", "--nagq", 400), "n_agq is 400; a whole number from 0 to 100 is expected"),
    ],
)
def test_what_a_family_does_not_go_with_is_an_error_in_a_sentence(run, file, options, words):
    done = run("fit", FORMULA, file, *options)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_parity_judges_both_kinds_and_says_so(run, tmp_path):
    done = run("parity", "--case", "insect*", "--engine", "mixedlm", "--engine", "statsmodels", "--out", tmp_path)
    assert done.returncode == 2, done.stderr  # statsmodels fits none of them
    assert "on generalized models" in done.stdout
    assert "statsmodels" in done.stdout
    assert "fits no generalized model." in done.stdout
    results = json.loads((tmp_path / "parity.json").read_text())["results"]
    assert {(r["case"], r["reference"]) for r in results} == {
        (f"insectsprays/{method}", "lme4[tight]") for method in ("Laplace", "AGQ15")
    }


def test_parity_takes_a_family_and_refuses_one_that_no_case_has(run, tmp_path):
    done = run("parity", "--case", "*s_1/Laplace", "--family", "neg*", "--engine", "lme4", "--out", tmp_path)
    assert "no case matches" in done.stderr
    done = run("parity", "--family", "weibull", "--out", tmp_path)
    assert done.returncode == 2
    assert "gaussian, binomial, poisson, negative.binomial" in " ".join(done.stderr.split())


def test_a_recording_gives_the_bits_of_a_generalized_model_and_judges_without_r(run, tmp_path):
    file = tmp_path / "lme4.json"
    assert run("record", "--case", "insect*", "--out", file).returncode == 0
    recorded = find(f"recorded:{file}")
    for case in cases.pick("insect*"):
        made, read = find("lme4[tight]").fit(case.spec()), recorded.fit(case.spec(recorded.load_dataset))
        assert made.quantities() == read.quantities()
        assert made.provenance.versions == read.provenance.versions
        for name in ("theta", "covariance", "fitted_values", "residual_values"):
            np.testing.assert_array_equal(getattr(made, name), getattr(read, name))
    done = run(
        "parity",
        "--case",
        "insect*/Laplace",
        "--engine",
        "glmmTMB",
        "--reference",
        f"recorded:{file}",
        "--out",
        tmp_path,
    )
    (result,) = json.loads((tmp_path / "parity.json").read_text())["results"]
    assert result["verdict"] in ("same_optimum", "other_definition"), done.stdout


def test_an_engine_that_is_recorded_may_be_named_and_only_lme4_is_one():
    found = recording.record_cases(cases.pick("insect*/Laplace"), "lme4")
    (fit,) = found["models"][0]["fits"].values()
    assert "tolPwrss" not in fit
    tight = recording.record_cases([*cases.pick("rail/ML"), *cases.pick("insect*/Laplace")])
    fits = [fit for model in tight["models"] for fit in model["fits"].values()]
    assert [fit.get("engine") for fit in fits] == [None, "lme4[tight]"]
    assert "tolPwrss" not in tight["versions"]


def test_the_plugin_makes_a_test_of_a_generalized_case(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        "import lmerbridge\n\n"
        '@lmerbridge.parametrize_parity(engine="mixedlm", cases="c*_slopes_1/Laplace")\n'
        'def test_parity(comparison): assert comparison.reference == "lme4[tight]"\n'
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "-n", "0", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "PASSED test_mine.py::test_parity[counts_slopes_1/Laplace]" in done.stdout, done.stdout
    assert parametrize_parity(engine="mixedlm", cases="cbpp/*")
