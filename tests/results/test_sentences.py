"""What is said of variances and correlations: the numbers, their direction and their limits, and nothing beside."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import engines, lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Spec
from lmerbridge.results import CovarianceBlock, VarCorr
from tests.oracle import fitted

SAID = {
    "sleepstudy": """\
Across levels of Subject, the intercept varies with a standard deviation of 24.74 about 251.4: 95 % of levels lie \
between 202.9 and 299.9, if they are normally distributed.
Across levels of Subject, the effect of Days varies with a standard deviation of 5.922 about 10.47: 95 % of levels lie \
between -1.14 and 22.07, if they are normally distributed.
Levels of Subject with a higher intercept have on average a higher effect of Days: the correlation is 0.066.
The residuals, which is what is left within all levels, have a standard deviation of 25.59.""",
    "double_bar": """\
Across levels of Subject, the intercept varies with a standard deviation of 25.05 about 251.4: 95 % of levels lie \
between 202.3 and 300.5, if they are normally distributed.
Across levels of Subject, the effect of Days varies with a standard deviation of 5.988 about 10.47: 95 % of levels lie \
between -1.269 and 22.2, if they are normally distributed.
The model holds the 2 random terms of Subject uncorrelated with one another.
The residuals, which is what is left within all levels, have a standard deviation of 25.57.""",
}


@pytest.mark.parametrize("model", SAID)
def test_a_term_has_its_sentence(model):
    assert fitted(model).varcorr.explain() == SAID[model]


def varcorr(covariance, *, kind="us", hom=False, par=(), fixef=None, sigma=1.0):
    """Variances of one group g, with terms a, b, c and so on."""
    terms = tuple("abcdef"[: len(covariance)])
    block = CovarianceBlock.from_covariance("g", "g", terms, np.array(covariance, float))
    block = CovarianceBlock(
        block.name, block.group, terms, block.covariance, block.stddev, block.correlation, kind, hom, np.array(par)
    )
    return VarCorr((block,), sigma, tuple((fixef or {}).items()))


def test_without_a_fixed_effect_there_is_no_centre():
    assert "about" not in varcorr([[4.0]]).explain()
    assert "standard deviation of 2 about 1: 95 % of levels lie between -2.92 and 4.92" in varcorr([[4.0]]).explain(
        {"a": 1}
    )
    assert "80 % of levels lie between -1.563 and 3.563" in varcorr([[4.0]], fixef={"a": 1.0}).explain(level=0.8)
    assert "about" not in varcorr([[4.0]]).explain(pd.Series([1.0, 2.0], ["a", "a"]))  # whose of the two is not told


CODED = {  # a model whose random terms are coded otherwise than the fixed ones, and what is said of them
    "levels": ("score ~ Machine + (0 + Machine | Worker)", "the coefficient of MachineB varies with .* of 8.625\\."),
    "split": ("score ~ Machine + (Machine || Worker)", "the coefficient of MachineB varies with .* of 8.146\\."),
    "the other way": (
        "score ~ 0 + Machine + (Machine | Worker)",
        "the coefficient of MachineB varies with .* of 5.878\\.",
    ),
}


@pytest.mark.parametrize("case", CODED)
def test_terms_coded_otherwise_have_no_centre(case):
    """A worker's score on machine B does not vary about what machine B has beyond machine A."""
    formula, told = CODED[case]
    text = lmer(formula, load_dataset("Machines")).varcorr.explain()
    assert pd.Series(text.splitlines()).str.contains(told).any()
    assert "about" not in text


def test_an_intercept_at_zero_has_no_centre_at_the_mean():
    data = load_dataset("ChickWeight")
    assert "about" not in lmer("weight ~ poly(Time, 2) * Diet + (Time | Chick)", data).varcorr.explain()


@pytest.mark.parametrize(
    "formula", ["score ~ Machine + (Machine | Worker)", "score ~ 0 + Machine + (0 + Machine | Worker)"]
)
def test_terms_coded_alike_have_their_centre(formula):
    text = lmer(formula, load_dataset("Machines")).varcorr.explain()
    assert "coefficient" not in text
    assert text.count("about") == 3


WHERE = {  # fixed effects beside a, and where a slope is a's
    "": {"b": 1.0},
    " where b is 0": {"b": 1.0, "a:b": 1.0, "c:d": 1.0},
    " where b and c are 0": {"a:b": 1.0, "c:a": 1.0, "b:a:c": 1.0},
    " where b, c and 2 more columns are 0": {"a:b": 1.0, "a:c": 1.0, "a:d": 1.0, "a:e": 1.0},
}


@pytest.mark.parametrize("where", WHERE)
def test_a_slope_is_that_at_zero_of_what_it_interacts_with(where):
    text = varcorr([[4.0]], fixef={"a": 1.0} | WHERE[where]).explain()
    assert f"about 1{where}: 95 % of levels" in text


def test_the_residual_of_a_weighted_fit_is_told_by_weight():
    data = load_dataset("sleepstudy").assign(w=np.resize([1.0, 2.0], 180))
    fit, plain = (lmer("Reaction ~ Days + (1 | Subject)", data, weights=weights) for weights in ("w", None))
    assert fit.varcorr.explain().endswith(f"standard deviation of {fit.sigma:.4g} over the root of a row's weight.")
    assert "root" not in plain.varcorr.explain()
    replicates = fit.interval_of(lambda each: float("root" in each.varcorr.explain()), nsim=2, seed=1)
    assert replicates.frame["estimate"].item() == 1


LIMITS = {  # a covariance, and what is said of its limits
    "none": ([[1.0, 0.5], [0.5, 1.0]], None),
    "a variance": ([[0.0, 0.0], [0.0, 1.0]], "the effect of a does not vary: its standard deviation is 0"),
    "a correlation": (
        [[1.0, 2.0], [2.0, 4.0]],
        "a higher effect of a always have a higher effect of b: .* limit of 1,",
    ),
    "a negative one": ([[1.0, -2.0], [-2.0, 4.0]], "always have a lower effect of b: .* limit of -1,"),
    "three together": (
        [[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0]],
        "Together the terms of g are at a limit: one is a combination of the others",
    ),
}


@pytest.mark.parametrize("case", LIMITS)
def test_a_limit_is_said(case):
    covariance, told = LIMITS[case]
    text = varcorr(covariance).explain()
    assert ("the fit is singular" in text) == (told is not None)
    if told:
        assert pd.Series([text.replace("\n", " ")]).str.contains(told).item()


def test_a_small_unit_is_no_zero():
    """The standard deviation of a slope depends on the predictor's unit: 6e-5 is none of zero beside a sigma of 25."""
    assert "varies with a standard deviation of 6e-05" in varcorr([[3.6e-9]], sigma=25.0).explain()


def test_what_does_not_correlate_is_said_to_be_so():
    assert "the effect of a and the effect of b do not correlate" in varcorr([[1.0, 0.0], [0.0, 1.0]]).explain()
    assert "have on average a lower effect of b: the correlation is -0.5." in varcorr([[1, -0.5], [-0.5, 1]]).explain()


STRUCTURES = {  # arguments of a VarCorr, what is said and what is not
    "diag": ({"covariance": [[1, 0], [0, 2]], "kind": "diag"}, "holds the 2 terms uncorrelated", "on average"),
    "hom": (
        {"covariance": [[2, 0], [0, 2]], "kind": "diag", "hom": True},
        "2 terms one standard deviation",
        "on average",
    ),
    "cs": (
        {"covariance": [[1, 0.3], [0.3, 1]], "kind": "cs", "par": [1, 1, 0.3]},
        "Each two of the 2 terms .* 0.3",
        "limit",
    ),
    "ar1": (
        {"covariance": [[1, 0.5], [0.5, 1]], "kind": "ar1", "par": [1, 0.5]},
        "Neighbouring terms .* 0.5, and",
        "limit",
    ),
    "a limit": (
        {"covariance": [[1, 1], [1, 1]], "kind": "cs", "par": [1, 1, 1.0]},
        "correlate by 1, its limit",
        "average",
    ),
}


@pytest.mark.parametrize("case", STRUCTURES)
def test_a_structure_is_said(case):
    arguments, told, untold = STRUCTURES[case]
    text = varcorr(**arguments).explain()
    assert pd.Series([text.replace("\n", " ")]).str.contains(told).item()
    assert untold not in text


def test_structures_of_lme4_are_said():
    if not lme4_has("structured_covariance"):
        pytest.skip("lme4 is older than 2.0-1")
    data = load_dataset("sleepstudy").assign(f=np.resize(list("abc"), 180))
    assert "uncorrelated" in lmer("Reaction ~ Days + diag(Days | Subject)", data).varcorr.explain()
    text = lmer("Reaction ~ Days + cs(1 + Days | Subject, hom = FALSE)", data).varcorr.explain()
    assert "Each two of the 2 terms" in text
    assert "Neighbouring terms" in lmer("Reaction ~ f + ar1(0 + f | Subject)", data).varcorr.explain()


@pytest.mark.parametrize("engine", ["statsmodels", "mixedlm"])
def test_a_fit_of_another_engine_explains_its_variances(engine):
    spec = Spec(formula="Reaction ~ Days + (Days | Subject)", data=load_dataset("sleepstudy"))
    text = engines.find(engine).fit(spec).varcorr.explain()
    assert "the effect of Days varies with a standard deviation of 5.92" in text
    assert "about 10.47" in text


WRONG = {
    "text": ({"fixef": "Days"}, "fixef is a str; numbers by term"),
    "texts": ({"fixef": {"a": "x"}}, "numbers by term are expected"),
    "a level of none": ({"level": 0}, "level is 0; a number between 0 and 1"),
    "a level of text": ({"level": "0.9"}, "level is '0.9'"),
    "a level of all": ({"level": True}, "level is True"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_argument_is_refused(case):
    arguments, told = WRONG[case]
    with pytest.raises(InvalidArgument, match=told):
        varcorr([[1.0]]).explain(**arguments)
