"""Confidence intervals, and the deviance they come from, against R's own of the same models."""

import pickle
import warnings

import numpy as np
import pytest

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, TimedOut
from lmerbridge.models.intervals.parameters import parameter_places
from tests.oracle import MODELS, fitted, plain, same_bits

EACH = pytest.mark.parametrize("model", MODELS)
ENDS = ["conf_low", "conf_high"]
LONG = "signames = FALSE" if lme4_has("confint_signames") else "oldNames = FALSE"


def ends_in_r(fit, names, arguments):
    """R's own intervals of some parameters."""
    rows = ", ".join(f'"{name}"' for name in names)
    code = f"as.vector(suppressWarnings(suppressMessages(confint(m, {LONG}, {arguments})))[c({rows}), ])"
    return plain(fit, code)


@EACH
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_wald_intervals_are_those_of_r(model, level):
    fit = fitted(model)
    ours = fit.confint(level=level, method="Wald")
    names = plain(fit, f'rownames(confint(m, method = "Wald", {LONG}))')
    assert sorted(ours.index) == sorted(names)
    assert same_bits(ours[ENDS], ends_in_r(fit, ours.index, f'method = "Wald", level = {level}'))


def test_profile_intervals_of_a_fit_are_those_of_r():
    fit = fitted("cake")
    ours = fit.confint("theta_", level=0.9)
    assert same_bits(ours[ENDS], ends_in_r(fit, ours.index, 'parm = "theta_", level = 0.9'))


def test_an_interval_by_profile_is_that_of_the_profile():
    fit = fitted("penicillin")
    assert fit.confint("beta_", 0.8).equals(fit.profile("(Intercept)").confint(level=0.8))


@pytest.mark.parametrize("boot_type", ["perc", "basic", "norm"])
def test_an_interval_by_bootstrap_is_that_of_the_bootstrap(boot_type):
    fit = fitted("pastes")
    ours = fit.confint(["sigma", "(Intercept)"], 0.8, method="boot", boot_type=boot_type, nsim=30, seed=1)
    theirs = fit.bootstrap(nsim=30, seed=1).confint(0.8, boot_type)
    assert ours[ENDS].equals(theirs.loc[["sigma", "(Intercept)"], ENDS])
    assert (ours["conf_low"] < ours["conf_high"]).all()


def test_an_interval_by_bootstrap_is_that_of_r_where_r_has_no_defect():
    fit = fitted("pastes", reml=False)
    ours = fit.confint(method="boot", nsim=40, seed=7)
    code = (
        'RNGkind("Mersenne-Twister", "Inversion", "Rejection"); '
        f'confint(m, method = "boot", nsim = 40, seed = 7, {LONG}, quiet = TRUE)'
    )
    rows = ", ".join(f'"{name}"' for name in ours.index)
    theirs = plain(fit, f"as.vector(suppressWarnings(suppressMessages({{{code}}}))[c({rows}), ])")
    # Each replicate is an optimum found by another way, to some 1e-5 of the deviance's flat top.
    assert np.allclose(ours[ENDS].to_numpy().ravel("F"), theirs, rtol=2e-3)


def test_every_method_gives_one_shape():
    fit = fitted("penicillin")
    frames = [
        fit.confint("sigma", method="Wald"),
        fit.confint("sigma"),
        fit.confint("sigma", method="boot", nsim=20, seed=1),
    ]
    for frame, method in zip(frames, ("Wald", "profile", "boot"), strict=True):
        assert list(frame.columns) == ["effect", "group", "term", *ENDS, "method"]
        assert list(frame.index) == ["sigma"]
        assert frame.dtypes.equals(frames[0].dtypes)
        assert list(frame.iloc[0][["effect", "group", "term", "method"]]) == [
            "ran_pars",
            "Residual",
            "sd__Observation",
            method,
        ]


def test_parameters_have_one_order_on_every_lme4_and_the_names_of_r():
    assert list(fitted("sleepstudy").parameters.index) == [
        "sd_(Intercept)|Subject",
        "sd_Days|Subject",
        "cor_Days.(Intercept)|Subject",
        "sigma",
        "(Intercept)",
        "Days",
    ]


@EACH
def test_each_parameter_has_the_place_of_its_estimate_in_r(model):
    fit = fitted(model, reml=False)
    estimates = {"sigma": fit.sigma, **fit.fixef}
    for block in fit.varcorr:
        for i, one in enumerate(block.terms):
            estimates[f"sd_{one}|{block.group}"] = block.stddev[i]
            for j in range(i):
                estimates[f"cor_{one}.{block.terms[j]}|{block.group}"] = block.correlation[i, j]
    optimum = plain(fit, 'as.vector(attr(devfun2(m), "optimum"))')
    ours = [estimates[name] for name in fit.parameters.index]
    assert np.allclose(ours, optimum[parameter_places(fit)], rtol=1e-6)  # devfun2 refits


def test_terms_of_one_group_and_one_name_are_told_apart():
    data = load_dataset("sleepstudy").assign(Late=lambda frame: frame["Days"] // 5)
    fit = lmer("Reaction ~ Days + (1 | Subject) + (1 + Late | Subject)", data)
    assert list(fit.parameters.index[:4]) == [
        "sd_(Intercept)|Subject",
        "sd_(Intercept)|Subject.1",
        "sd_Late|Subject",
        "cor_Late.(Intercept)|Subject",
    ]
    assert sorted(parameter_places(fit)) == list(range(len(fit.parameters)))


def test_a_fixed_effect_called_sigma_is_refused():
    data = load_dataset("sleepstudy").rename(columns={"Days": "sigma"})
    with pytest.raises(InvalidArgument, match="fixed effect 'sigma' has the name of another parameter"):
        lmer("Reaction ~ sigma + (1 | Subject)", data).confint(method="Wald")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"parm": "Dayz"}, "no parameter 'Dayz'; the parameters are .* Did you mean 'Days'"),
        ({"level": 95}, "level is 95; a number between 0 and 1"),
        ({"method": "score"}, "method is 'score'; one of 'profile', 'Wald', 'boot'"),
        ({"method": "boot", "nsim": 20, "boot_type": "bca"}, "'bca'"),
    ],
)
def test_what_has_no_interval_is_refused(given, told):
    with pytest.raises(InvalidArgument, match=told):
        fitted("sleepstudy").confint(**given)


def test_parameters_are_chosen_by_group_by_name_or_both():
    fit = fitted("sleepstudy")
    assert list(fit.confint("beta_", method="Wald").index) == ["(Intercept)", "Days"]
    assert list(fit.confint(["Days", "theta_"], method="Wald").index) == [*fit.parameters.index[:4], "Days"]
    assert fit.confint("theta_", method="Wald")[ENDS].isna().all(axis=None)


def test_intervals_stop_when_their_time_is_up():
    for method in ("profile", "boot"):
        with pytest.raises(TimedOut):
            fitted("sleepstudy", reml=False).confint(method=method, timeout=0.01)


@EACH
def test_the_deviance_is_that_of_r(model):
    fit = fitted(model)
    ours = fit.devfun2()
    random = len(fit.parameters) - len(fit.terms)
    factors = (1.0, 0.9, 1.1)
    points = np.array([ours.optimum.to_numpy()[:random] * factor for factor in factors])
    in_rs_order = np.empty_like(points)
    in_rs_order[:, parameter_places(fit)[:random]] = points
    text = ", ".join(f"{value!r}" for value in in_rs_order.ravel().tolist())
    theirs = plain(fit, f"apply(matrix(c({text}), {random}), 2L, devfun2(m))")
    assert same_bits([ours(point) for point in points], theirs)
    assert ours(points[0]) == pytest.approx(ours.base_deviance, rel=1e-9)  # as lme4 itself checks, to 1e-5
    assert same_bits(ours.optimum, plain(fit, 'attr(devfun2(m), "optimum")')[parameter_places(fit)])
    assert same_bits(ours.std_errors, plain(fit, 'attr(devfun2(m), "stderr")'))


def test_the_deviance_takes_its_values_by_order_or_by_name_and_pickles():
    deviance = fitted("sleepstudy").devfun2()
    at = deviance.optimum[:4] * 1.05
    expected = deviance(at.to_numpy())
    assert deviance(at[::-1]) == deviance(dict(at)) == deviance(list(at)) == expected
    assert pickle.loads(pickle.dumps(deviance))(at) == pytest.approx(expected, rel=1e-9)  # the model is fitted again
    assert deviance(at) > deviance.base_deviance


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1.0, 2.0], "one for each of sd_"),
        ({"sd_(Intercept)|Subject": 1.0, "sd_Days|Subject": 1.0, "cor": 0.0, "sigma": 1.0}, "one for each of sd_"),
        ([-1.0, 1.0, 0.0, 1.0], "standard deviations from 0"),
        ([1.0, 1.0, 1.5, 1.0], "correlations up to 1"),
        ([1.0, 1.0, 0.0, 0.0], "sigma above 0"),
    ],
)
def test_what_is_no_covariance_has_no_deviance(values, told):
    deviance = fitted("sleepstudy").devfun2()
    with pytest.raises(InvalidArgument, match=told):
        deviance(values)
    assert deviance(deviance.optimum[:4]) == pytest.approx(deviance.base_deviance, rel=1e-9)


def test_correlations_that_no_matrix_has_have_no_deviance():
    data = load_dataset("sleepstudy").assign(x=lambda frame: np.sin(np.arange(len(frame))))
    deviance = lmer("Reaction ~ Days + (Days + x | Subject)", data).devfun2()
    with pytest.raises(InvalidArgument, match="not those of a correlation matrix"):
        deviance([20.0, 5.0, 5.0, 0.9, 0.9, -0.9, 25.0])
    assert deviance([20.0, 5.0, 5.0, 0.1, 0.1, -0.1, 25.0]) > deviance.base_deviance


def test_what_r_says_of_the_deviance_is_told_each_time():
    data = load_dataset("sleepstudy").assign(z=np.cos(np.arange(180)) / 1e6)  # bobyqa gives up on it
    fit = lmer("Reaction ~ Days + (z | Subject)", data)
    said = plain(fit, "tryCatch({devfun2(m); character()}, warning = conditionMessage)")
    for _ in range(2):
        with warnings.catch_warnings(record=True, action="always") as told:
            fit.devfun2()
        assert [str(warning.message) for warning in told] == list(said)


def test_a_point_without_a_deviance_leaves_no_trace():
    deviance = lmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy")).devfun2()
    before = deviance([36.0, 31.0])
    assert not np.isfinite(deviance([1e200, 1.0]))
    assert deviance([36.0, 31.0]) == before


@pytest.mark.parametrize("method", ["profile", "boot"])
@pytest.mark.parametrize("progress", [True, False, None])
@pytest.mark.filterwarnings("ignore:extreme order statistics")
def test_intervals_have_a_bar_where_it_is_asked_for_and_nothing_else_in_a_pipe(method, progress, capfd):
    given = {} if progress is None else {"progress": progress}
    fitted("sleepstudy").confint("sigma", method=method, nsim=9, seed=1, **given)
    assert bool("".join(capfd.readouterr())) == bool(progress)
