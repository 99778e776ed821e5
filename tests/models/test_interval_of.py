"""Intervals of whatever a function makes of a fit, and the fits that it gets."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset, simulate_formula
from lmerbridge.errors import EngineFailed, InvalidArgument, RWarning
from lmerbridge.models.resample.refitted import refitted
from tests.oracle import MODELS, fitted, plain

SLEEP = load_dataset("sleepstudy").assign(w=lambda d: 1.0 + d["Days"] % 3, off=lambda d: d["Days"] / 7)
FLAT = {"rtol": 1e-4, "atol": 1e-2}  # of a refit by lme4, which stops some 1e-5 of theta away


def some_replicates(fit, count=3):
    """The fit itself and the first replicates of a bootstrap."""
    found = []
    fit.bootstrap(lambda replicate: found.append(replicate) or 0.0, nsim=count, seed=1)
    return found


def numbers(fit):
    return np.concatenate([fit.beta, [fit.sigma, fit.criterion], fit.fitted_values, fit.residual_values])


def modes(fit):
    return np.concatenate([group.modes.ravel() for group in fit.modes])


@pytest.mark.parametrize("model", MODELS)
def test_a_replicate_as_a_fit_has_the_numbers_of_lme4s_refit(model):
    of = fitted(model)
    original, *others = some_replicates(of)
    assert refitted(original) is of
    for replicate in others:
        ours, theirs = refitted(replicate), replicate.refit()
        assert type(ours) is type(of)
        assert np.allclose(numbers(ours), numbers(theirs), **FLAT)
        assert np.allclose(modes(ours), modes(theirs), **FLAT)
        names = [[(group.group, group.terms, group.levels) for group in fit.modes] for fit in (ours, theirs)]
        assert names[0] == names[1]
        assert ours.r2().conditional == pytest.approx(theirs.r2().conditional, rel=1e-3)
        assert ours.aic == pytest.approx(theirs.aic, rel=1e-7)
        assert np.array_equal(ours.design().y, replicate.response)


def test_modes_are_those_at_the_replicates_own_theta():
    fit = lmer("Reaction ~ Days + (Days | Subject)", SLEEP, weights="w", offset="off")
    for replicate in some_replicates(fit)[1:]:
        response, theta = (", ".join(map(repr, values.tolist())) for values in (replicate.response, replicate.theta))
        code = f"""devfun <- lme4::lmer(Reaction ~ Days + (Days | Subject), m@frame, weights = m@resp$weights,
            offset = m@resp$offset, devFunOnly = TRUE)
          rho <- environment(devfun)
          rho$resp$setResp(c({response}))
          devfun(c({theta}))
          as.vector(rho$pp$b(1))"""
        by_level = np.concatenate([group.modes.ravel() for group in refitted(replicate).modes])
        assert np.allclose(by_level, plain(fit, code), rtol=1e-8, atol=1e-8)


def test_verbs_that_ask_r_are_of_the_replicate():
    replicate = some_replicates(fitted("sleepstudy"))[1]
    ours = refitted(replicate)
    assert np.allclose(ours.predict(), ours.fitted, rtol=1e-3)
    assert np.allclose(ours.get_me("y"), replicate.response)
    assert np.allclose(ours.get_data()["Reaction"], replicate.response)


def test_an_interval_is_that_of_the_bootstrap_itself():
    fit = fitted("sleepstudy")
    ours = fit.interval_of(lambda fit: fit.sigma, nsim=60, seed=3, level=0.9)
    boot = fit.bootstrap(nsim=60, seed=3)
    assert np.array_equal(ours.bootstrap.t["statistic"], boot.t["sigma"])
    for method, type_ in {"percentile": "perc", "basic": "basic", "normal": "norm"}.items():
        found = fit.interval_of(lambda fit: fit.sigma, nsim=60, seed=3, level=0.9, method=method).frame
        theirs = boot.confint(0.9, type_, "sigma")
        assert np.array_equal(found[["conf_low", "conf_high"]], theirs)
        assert found["estimate"].item() == fit.sigma


def test_an_interval_does_not_depend_on_the_jobs():
    fit = fitted("penicillin")
    one, two = (fit.interval_of(lambda fit: fit.icc(by_group=True), 30, seed=1, jobs=jobs) for jobs in (1, 2))
    assert one.frame.equals(two.frame)
    assert list(one.frame.index) == ["plate", "sample"]


GIVEN = {  # what a function may give, and the names of the numbers
    "a number": (lambda fit: fit.sigma, ["statistic"]),
    "numpy's": (lambda fit: np.float32(fit.sigma), ["statistic"]),
    "a list": (lambda fit: [fit.sigma, fit.criterion], ["t1", "t2"]),
    "a mapping": (lambda fit: {"a": fit.sigma, "b": 1}, ["a", "b"]),
    "a Series": (lambda fit: fit.fixef, ["(Intercept)", "Days"]),
    "ICC": (lambda fit: fit.icc(), ["adjusted", "unadjusted"]),
    "R2": (lambda fit: fit.r2(), ["marginal", "conditional"]),
    "a table": (
        lambda fit: fit.coefficients[["estimate", "t_value"]],
        ["(Intercept) estimate", "Days estimate", "(Intercept) t_value", "Days t_value"],
    ),
    "a table that names its rows in columns": (
        lambda fit: fit.varcorr.frame[["group", "term1", "term2", "sdcor"]],
        ["Subject (Intercept)", "Subject Days", "Subject (Intercept) Days", "Residual"],
    ),
}


@pytest.mark.parametrize("case", GIVEN)
def test_a_function_may_give(case):
    function, names = GIVEN[case]
    found = fitted("sleepstudy").interval_of(function, nsim=5, seed=1)
    assert list(found.frame.index) == names
    assert list(found.frame) == ["estimate", "std_error", "conf_low", "conf_high", "replicates"]
    assert (found.frame["replicates"] == 5).all()
    assert "percentile bootstrap of 5 replicates, seed 1" in str(found)


WRONG = {
    "text": (lambda fit: "x", "a number, or a sequence"),
    "None": (lambda fit: None, "a number, or a sequence"),
    "other names": (lambda fit: {fit.sigma: 1.0}, "each is to hold the same"),
    "a name twice": (lambda fit: pd.Series([1.0, 2.0], ["a", "a"]), "several numbers under the name 'a'"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_function_that_gives_no_numbers_is_refused(case):
    function, told = WRONG[case]
    with pytest.raises(InvalidArgument, match=told):
        fitted("sleepstudy").interval_of(function, nsim=3, seed=1)


def test_what_the_function_raises_is_raised_with_the_replicate():
    with pytest.raises(ZeroDivisionError) as raised:
        fitted("sleepstudy").interval_of(lambda fit: 1 / 0, nsim=3, seed=1)
    assert raised.value.__notes__ == ["It was called with the fit itself."]


def test_a_fit_whose_refits_all_fail_has_no_interval():
    fit = lmer("Reaction ~ Days + (1 | Subject)", SLEEP.assign(w=SLEEP["w"] - 1), weights="w")
    with pytest.raises(EngineFailed, match=r"all 3 refits failed, .* rows of weight zero"):
        fit.interval_of(lambda fit: fit.sigma, nsim=3, seed=1)


def test_a_number_that_some_replicates_lack_is_of_the_others():
    fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    found = fit.interval_of(lambda fit: {"icc": fit.icc().adjusted, "odd": np.nan if fit.singular else 1}, 60, seed=1)
    assert found.frame.loc["icc", "replicates"] == 60
    assert found.frame.loc["odd", "replicates"] == 60 - found.bootstrap.n_singular < 60


def test_too_few_replicates_for_the_level_are_told_of():
    with pytest.warns(RWarning, match="too few for the level"):
        fitted("sleepstudy").interval_of(lambda fit: fit.sigma, nsim=5, seed=1)


DESIGN = pd.DataFrame({"g": np.repeat([f"g{i:02d}" for i in range(40)], 5), "x": np.tile(np.arange(5.0), 40)})
TRUE = {"icc": 0.5, "sigma": 2.0, "slope": 1.0}
SETS = 200


@pytest.mark.slow
def test_intervals_cover_what_is_true():
    """The share of 200 data sets whose interval holds the truth, within three of its binomial standard errors.

    These are 0.046 at 95 % and 0.064 at 90 %. The ends of 39 replicates are the first and the second from either side,
    which leave out 1/20 and 1/10.
    """
    parameters = {"beta": [10.0, TRUE["slope"]], "theta": [1.0], "sigma": TRUE["sigma"]}
    drawn = simulate_formula("~ x + (1 | g)", DESIGN, **parameters, nsim=SETS, seed=5)
    first = lmer("y ~ x + (1 | g)", DESIGN.assign(y=drawn["sim_1"]))
    held = {(level, number): 0 for level in (0.95, 0.9) for number in TRUE}
    for name in drawn:
        fit = first.refit(drawn[name].to_numpy())
        of = lambda fit: {"icc": fit.icc().adjusted, "sigma": fit.sigma, "slope": fit.fixef["x"]}  # noqa: E731
        found = fit.interval_of(of, nsim=39, seed=1)
        for level, number in held:
            low, high = found.bootstrap.confint(level).loc[number]
            held[level, number] += low <= TRUE[number] <= high
    width = {level: 3 * np.sqrt(level * (1 - level) / SETS) for level in (0.95, 0.9)}
    shares = {key: count / SETS for key, count in held.items()}
    assert {key: share for key, share in shares.items() if abs(share - key[0]) > width[key[0]]} == {}
