"""Why a criterion is another, by name: each cause is planted, and a fault of the reference comes before all."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmerbridge import Verdict, compare, lmer
from lmerbridge.engines import find
from lmerbridge.inputs import Spec
from lmerbridge.parity import tolerances
from lmerbridge.parity.at_theta import fit_at_theta
from lmerbridge.parity.causes import cause
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import VarCorr

FORMULA = "Reaction ~ f + Days + (Days | Subject)"


@pytest.fixture(scope="module")
def data(sleepstudy):
    rng = np.random.default_rng(20261127)
    rows = len(sleepstudy)
    weights, days = rng.uniform(0.5, 2, rows), sleepstudy["Days"]
    return sleepstudy.assign(
        f=pd.Categorical(np.array(["a", "b", "c"])[np.arange(rows) % 3]),
        w=weights,
        squared=weights**2,
        inverse=1 / weights,
        rescaled=weights / weights.mean(),
        o=30 * rng.normal(size=rows),
        centred=days - days.mean(),
        standardized=(days - days.mean()) / days.std(),
    ).assign(twice=lambda d: 2 * d["o"])


@pytest.fixture(scope="module", params=[True, False], ids=["REML", "ML"])
def reference(request, data):
    return lmer(FORMULA, data, reml=request.param, weights="w", offset="o")


def other(reference, fit, days="Days"):
    """A fit as an engine would report it that takes its model for the reference's, and keeps its matrices to itself."""
    block, modes = fit.varcorr.blocks[0], fit.modes[0]
    names = ("(Intercept)", "Days")
    assert block.terms == ("(Intercept)", days)
    return replace(
        fit.numbers(),
        engine="planted",
        terms=reference.terms,
        varcorr=VarCorr((replace(block, terms=names),), fit.sigma),
        modes=(replace(modes, terms=names),),
    )


def verdict_on(reference, candidate):
    return judge(Trial(reference, candidate, ("lme4", "planted"), tolerances.default()))


MODELS = {
    "the weights are ignored": {"offset": "o"},
    "the weights are squared": {"weights": "squared", "offset": "o"},
    "the weights are taken for variances": {"weights": "inverse", "offset": "o"},
    "the weights are rescaled to a mean of 1": {"weights": "rescaled", "offset": "o"},
    "the offset is ignored": {"weights": "w"},
    "the offset counts twice": {"weights": "w", "offset": "twice"},
}


@pytest.mark.parametrize("words", MODELS)
def test_another_reading_of_weights_or_offset_is_named(reference, data, words):
    fit = lmer(FORMULA, data, reml=reference.reml, **MODELS[words])
    result = verdict_on(reference, other(reference, fit))
    assert result.verdict is Verdict.OTHER_OBJECTIVE
    assert result.reason.endswith(f"the difference is that of a model in which {words}.")


@pytest.mark.parametrize("change", ["centred", "standardized"])
def test_a_covariate_that_was_moved_or_scaled_is_named(reference, data, change):
    fit = lmer(FORMULA.replace("Days", change), data, reml=reference.reml, weights="w", offset="o")
    result = verdict_on(reference, other(reference, fit, change))
    assert result.verdict is Verdict.OTHER_OBJECTIVE
    assert result.reason.endswith(f"the difference is that of a model in which Days is {change}.")


def test_other_contrasts_under_the_same_names_change_the_reml_criterion_by_a_determinant(reference, data):
    fit = lmer(FORMULA, data, reml=reference.reml, weights="w", offset="o", contrasts={"f": "contr.sum"})
    result = verdict_on(reference, other(reference, fit))
    if reference.reml:
        assert "2 log |T|, the fixed effects in another coding" in result.reason
    else:  # the deviance is the same in any coding
        assert (result.verdict, "fixed effects" in result.reason) == (Verdict.UNEXPLAINED, True)


CONSTANTS = {
    "-p log 2 pi": lambda n, p: -p * np.log(2 * np.pi),
    "-(p - 1) log 2 pi": lambda n, p: -(p - 1) * np.log(2 * np.pi),
    "-n log 2 pi": lambda n, p: -n * np.log(2 * np.pi),
    "-1.2345, without a name": lambda n, p: -1.2345,
}


@pytest.mark.parametrize("words", CONSTANTS)
def test_a_constant_is_named(reference, words):
    size = CONSTANTS[words](reference.nobs, len(reference.beta))
    result = verdict_on(reference, replace(other(reference, reference), criterion=reference.criterion + size))
    assert result.verdict is Verdict.OTHER_OBJECTIVE
    assert result.reason.endswith(f"the difference is {words}.")


def test_a_constant_of_size_zero_is_no_name(sleepstudy):
    """The sum of log weights is zero without weights, and no difference is that."""
    fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    result = verdict_on(fit, replace(fit.numbers(), engine="planted", criterion=fit.criterion + 1e-5))
    assert result.reason.endswith("1e-05, without a name.")


LIES = {
    "standard errors": lambda f: {"covariance": 1.44 * f.covariance},
    "fixed effects": lambda f: {"beta": 1.1 * f.beta},
    "the criterion": lambda f: {"criterion": f.criterion + 5},
    "sigma": lambda f: {"sigma": 1.1 * f.sigma},
    "fitted values": lambda f: {"fitted_values": f.fitted_values + 3},
    "residuals": lambda f: {"residual_values": -f.residual_values},
    "random effects": lambda f: {"modes": (replace(f.modes[0], modes=0.9 * f.modes[0].modes),)},
    "variances or correlations": lambda f: {"varcorr": VarCorr(f.varcorr.blocks, 1.1 * f.sigma)},
}


@pytest.mark.parametrize("words", LIES)
def test_a_reference_that_lies_is_found_out_before_anything_is_held_to_it(reference, words):
    liar = replace(reference.numbers(), _design=reference.design(), **LIES[words](reference))
    result = verdict_on(liar, other(reference, reference))
    assert (result.verdict, result.worse) == (Verdict.REFERENCE_FAULTY, "lme4")
    assert words in result.reason


def test_both_stop_short_is_a_verdict_of_its_own_and_the_further_is_named(datasets):
    data, formula = datasets("Machines", "nlme"), "score ~ Machine + (0 + Machine | Worker)"
    short = lmer(formula, data, control={"optimizer": "Nelder_Mead"})  # 30.1 above the optimum
    result = judge(Trial(short, replace(short.numbers(), engine="b"), ("lme4", "b"), tolerances.default()))
    assert result.verdict is Verdict.BOTH_SHORT
    assert not result.verdict.agrees
    assert result.gap["lme4"] == pytest.approx(30.1, abs=0.05)


@pytest.mark.parametrize("engine", ["mixedlm", "interlace", "statsmodels"])
@pytest.mark.parametrize("contrasts", [None, {"Machine": "contr.sum"}])
def test_a_package_may_have_its_own_words_for_the_columns_of_a_factor(datasets, engine, contrasts):
    data, formula = datasets("Machines", "nlme"), "score ~ Machine + (1 | Worker)"
    result = compare(formula, data, candidate=engine, contrasts=contrasts)
    assert result.verdict.agrees, result.explain()


@pytest.mark.parametrize(
    ("names", "right"),
    [
        (("Intercept", "Machine[T.B]", "Machine[T.C]"), True),
        (("(Intercept)", "Machine.1", "Machine.2"), True),
        (("(Intercept)", "MachineC", "MachineB"), False),
        (("(Intercept)", "Machine.1", "Machine.1"), False),
        (("(Intercept)", "Machine.1", "another"), False),
        (("another", "MachineB", "MachineC"), False),
    ],
)
def test_a_name_that_means_another_column_or_none_is_a_finding(datasets, names, right):
    fit = lmer("score ~ Machine + (1 | Worker)", datasets("Machines", "nlme"))
    result = verdict_on(fit, replace(fit.numbers(), engine="planted", terms=names, _design=fit.design()))
    assert (result.verdict is Verdict.SAME_OPTIMUM) == right
    assert right or "other names for the columns of" in result.reason


class Rounded:
    """A criterion that another code of the same objective puts elsewhere, as with x in units of 1e6."""

    def __init__(self, criterion, by):
        self.criterion, self.by = criterion, by

    def __getattr__(self, name):
        return getattr(self.criterion, name)

    def values(self, thetas):
        return self.criterion.values(thetas) + self.by


def rounded(fit, by):
    """A candidate past the optimum that our own code values, where lme4's code is rounded."""
    design, theta = fit.design(), 1.1 * fit.theta
    past = fit_at_theta(replace(fit, engine="planted"), design, theta, Objective(design, fit.reml).at(theta))
    trial = Trial(fit, past, ("lme4", "planted"), tolerances.default())
    trial.criterion = Rounded(trial.criterion, by)
    return trial


def test_what_two_codes_of_the_objective_differ_by_is_rounding_and_no_fault_of_either_engine(sleepstudy):
    fit = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    assert judge(rounded(fit, 2e-3)).verdict is Verdict.OTHER_OPTIMUM
    assert judge(rounded(fit, 5e-2)).verdict is Verdict.REFERENCE_FAULTY


def test_weights_that_are_not_there_are_no_name_of_a_difference(sleepstudy):
    assert cause(rounded(lmer("Reaction ~ Days + (Days | Subject)", sleepstudy), 0.5)) == ""


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("mean", [1e5, 1e6])
def test_digits_that_sums_of_squares_lose_are_named_and_a_constant_beside_them_is_not(sleepstudy, mean, reml):
    """The residual sum of squares as a difference of sums about zero, in the engine's own doubles."""
    data = sleepstudy.assign(Reaction=sleepstudy["Reaction"] / 30 + mean)
    fit = lmer("Reaction ~ Days + (Days | Subject)", data, reml=reml)
    design = fit.design()
    lost = np.finfo(float).eps * float(design.y @ design.y) / fit.sigma**2
    for size, words in {
        3 * lost: "digits that sums of squares about zero lose.",
        300 * lost: "without a name.",
    }.items():
        trial = Trial(
            fit,
            replace(fit.numbers(), engine="planted", criterion=fit.criterion + size),
            ("lme4", "planted"),
            tolerances.default(),
        )
        assert size > trial.rounding
        assert judge(trial).reason.endswith(words)


def test_what_r_says_of_a_model_is_no_warning_of_a_comparison(sleepstudy):
    """R warns of scales whenever it makes the model's deviance function; the fit has said so."""
    spec = Spec(formula="Reaction ~ I(Days * 1e6) + (I(Days * 1e6) | Subject)", data=sleepstudy)
    fit = find("lme4").fit(spec)
    assert "very different scales" in fit.conditions[0].text
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        verdict_on(fit, replace(fit.numbers(), engine="planted"))
    assert [str(w.message) for w in caught] == []
