"""Profiles of the likelihood, against R's own of the same models."""

import pickle
import warnings
from functools import cache

import numpy as np
import pytest

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, KnownDefectWarning, RError, RWarning, TimedOut
from lmerbridge.models.intervals.parameters import parameter_places, parameter_table
from tests.oracle import MODELS, fitted, plain, same_bits

WHICH = {  # what of each model is profiled, to be quick; all of it where nothing is said
    "sleepstudy": ["cor_Days.(Intercept)|Subject", "Days"],
    "pastes": ["sd_(Intercept)|batch", "(Intercept)"],
    "penicillin": ["(Intercept)"],
    "cake": ["theta_", "recipeB", "temperature.L"],
    "orthodont": ["cor_age.(Intercept)|Subject", "age"],
    "double_bar": ["Days"],
}
UNCORRELATED = ["cake", "dyestuff2"]  # models whose whole random part is profiled
if not lme4_has("structured_covariance"):  # from then on lme4 copies its matrices at each evaluation, which takes long
    WHICH |= {"pastes": None, "penicillin": ["theta_"], "double_bar": ["theta_"]}
    UNCORRELATED += ["pastes", "penicillin", "double_bar"]
LEVELS = (0.5, 0.9, 0.95, 0.999)
RELATIVE = 1e-12  # numpy's logarithm, and all that follows from its last bit


@cache
def fit_of(model):
    return lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2")) if model == "dyestuff2" else fitted(model)


@cache
def profiled(model):
    """Our profile of a model; R's own of the same is then there for `in_r`, under lme4's short names."""
    fit = fit_of(model)
    profile = fit.profile(WHICH.get(model))
    places = [int(parameter_table(fit)["place"][name]) + 1 for name in profile.forward]
    which = f"c({', '.join(map(str, sorted(places)))})"
    plain(fit, f'assign("{model}", suppressWarnings(profile(m, which = {which})), globalenv()); 0')
    return profile


def in_r(model, code):
    """Evaluate R code on R's own profile `p` of a model; `short` has lme4's short names in our order."""
    short = ", ".join(f'"{name}"' for name in short_names(fit_of(model)))
    return plain(fit_of(model), f'p <- get("{model}", globalenv()); short <- c({short}); {code}')


def short_names(fit):
    """lme4's short names of the parameters, in the order of ours."""
    random = (parameter_table(fit)["effect"] == "ran_pars").sum()
    short = [f".sig{k + 1:02d}" for k in range(random - 1)] + [".sigma", *fit.terms]
    return [short[place] for place in parameter_table(fit)["place"]]


def short_name(model, name):
    return dict(zip(fit_of(model).parameters.index, short_names(fit_of(model)), strict=True))[name]


EACH = pytest.mark.parametrize("model", [*MODELS, "dyestuff2"])


@pytest.mark.slow
@EACH
def test_every_point_is_the_one_that_r_computes(model):
    profile = profiled(model)
    for name, points in profile.frame.groupby("parameter", observed=True):
        own = f'p[p$.par == "{short_name(model, name)}", ]'
        theirs = in_r(model, f'unlist({own}[c(".zeta", short)], use.names = FALSE)')
        assert same_bits(points[["zeta", *profile.parameters.index]], theirs)
        assert same_bits(points["focal"], in_r(model, f'{own}[["{short_name(model, name)}"]]'))


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("level", LEVELS)
def test_intervals_are_those_of_r(model, level):
    profile = profiled(model)
    ours = profile.confint(level=level)
    names = ", ".join(f'"{short_name(model, name)}"' for name in ours.index)
    theirs = in_r(model, f"as.vector(suppressWarnings(confint(p, level = {level}))[c({names}), ])")
    assert same_bits(ours[["conf_low", "conf_high"]], theirs)
    assert set(ours["method"]) == {"profile"}


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("way", ["forward", "backward"])
def test_splines_give_the_numbers_of_rs_inside_and_beyond(model, way):
    for name, spline in getattr(profiled(model), way).items():
        theirs = f'attr(p, "{way}")[["{short_name(model, name)}"]]'
        if not spline:
            assert in_r(model, f'inherits({theirs}, "error") || is.null({theirs})')[0]
            assert np.isnan(spline(np.array([0.0, 1.0]))).all()
            continue
        knots = in_r(model, f"{theirs}$knots")
        reach = knots[-1] - knots[0]
        at = np.concatenate([knots, np.linspace(knots[0] - reach, knots[-1] + reach, 101)])
        text = ", ".join(f"{value!r}" for value in at.tolist())
        assert same_bits(spline(at), in_r(model, f"predict({theirs}, c({text}))$y"))


TRANSFORMED = {
    "logProf(p)": lambda profile: profile.log_prof(),
    "logProf(p, base = 2)": lambda profile: profile.log_prof(2),
    "logProf(p, ranef = FALSE)": lambda profile: profile.log_prof(ranef=False),
    "varianceProf(p)": lambda profile: profile.variance_prof(),
    "varianceProf(p, ranef = FALSE)": lambda profile: profile.variance_prof(ranef=False),
}


def close(ours, theirs):
    return np.allclose(np.asarray(ours, float).ravel(order="F"), theirs, rtol=RELATIVE, atol=0, equal_nan=True)


@pytest.mark.slow
@pytest.mark.parametrize("model", UNCORRELATED)
@pytest.mark.parametrize("code", TRANSFORMED)
def test_a_transformed_profile_is_that_of_r_where_there_is_no_correlation(model, code):
    ours = TRANSFORMED[code](profiled(model))
    now = f"t <- {code}; now <- names(t)[match(short, names(p))]"
    for place, name in enumerate(ours.parameters.index, start=1):
        points = ours.frame[ours.frame["parameter"] == name]
        theirs = in_r(model, f'{now}; unlist(t[t$.par == now[{place}], c(".zeta", now)], use.names = FALSE)')
        assert close(points[["zeta", *ours.parameters.index]], theirs)
        assert points["focal"].equals(points[name].rename("focal"))


@pytest.mark.slow
@pytest.mark.parametrize("model", UNCORRELATED)
@pytest.mark.parametrize("code", TRANSFORMED)
def test_its_intervals_are_those_of_r_but_for_bounds_which_r_does_not_transform(model, code):
    profile = profiled(model)
    ours = TRANSFORMED[code](profile).confint()
    kept = (
        "now <- names(t)[match(short, names(p))]; as.vector(confint(t)[intersect(now, names(attr(t, 'backward'))), ])"
    )
    low, high = in_r(model, f"t <- {code}; {kept}").reshape(2, -1)
    at_bound = np.isneginf(ours["conf_low"]).to_numpy()
    assert list(at_bound) == [
        name.startswith("log_") and profile.confint(old)["conf_low"].iloc[0] == 0
        for name, old in zip(ours.index, profile.confint().index, strict=True)
    ]
    assert close(ours["conf_low"][~at_bound], low[~at_bound])
    assert (low[at_bound] == 0).all()
    assert close(ours["conf_high"], high)


@pytest.mark.slow
def test_a_transformed_profile_names_its_parameters_and_leaves_correlations():
    profile = profiled("sleepstudy")
    assert list(profile.log_prof().parameters.index[:4]) == [
        "log_sd_(Intercept)|Subject",
        "log_sd_Days|Subject",
        "cor_Days.(Intercept)|Subject",
        "log_sigma",
    ]
    variances = profile.variance_prof()
    assert list(variances.parameters["term"][:4]) == [
        "var__(Intercept)",
        "var__Days",
        "cor__(Intercept).Days",
        "var__Observation",
    ]
    assert list(variances.parameters.index[[0, 3]]) == ["var_(Intercept)|Subject", "sigma2"]
    name = "cor_Days.(Intercept)|Subject"
    assert variances.confint(name).equals(profile.confint(name))
    assert variances.frame[name].equals(profile.frame[name])
    with pytest.raises(InvalidArgument, match="not of standard deviations"):
        variances.log_prof()


@pytest.mark.slow
@pytest.mark.parametrize(("model", "term"), [("sleepstudy", "Days"), ("pastes", "(Intercept)")])
def test_on_the_scale_of_variances_all_points_are_variances_whatever_lme4(model, term):
    fit = fit_of(model)
    profile = fit.profile(term, prof_scale="varcov")
    deviations = profiled(model).frame.query("parameter == @term")
    same = dict(zip(deviations["focal"].round(6), deviations.index, strict=True))
    for _, point in profile.frame.iterrows():
        other = deviations.loc[same[round(point["focal"], 6)]]
        for name in profile.parameters.index[profile.parameters["effect"] == "ran_pars"]:
            kind, _, rest = name.partition("_")
            expected = (
                other[f"sd_{rest}"] ** 2
                if kind == "var"
                else other["sigma"] ** 2
                if name == "sigma2"
                else other[f"cor_{rest}"] * np.prod([other[f"sd_{t}|Subject"] for t in ("(Intercept)", "Days")])
            )
            assert point[name] == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.slow
def test_random_parameters_on_the_scale_of_variances_are_profiled_as_r_does_each_alone():
    fit = fit_of("dyestuff2")
    ours = fit.profile("theta_", prof_scale="varcov")
    theirs = [
        plain(fit, f'as.vector(confint(suppressWarnings(profile(m, {k}, prof.scale = "varcov"))))') for k in (1, 2)
    ]
    assert same_bits(ours.confint()[["conf_low", "conf_high"]].to_numpy().ravel(), np.ravel(theirs))
    assert list(ours.forward) == ["var_(Intercept)|Batch", "sigma2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "name"), [("sleepstudy", "Days|Subject"), ("pastes", "(Intercept)|cask:batch"), ("penicillin", "sigma")]
)
def test_a_profile_of_variances_that_lme4_loses_is_told(model, name):
    """A deviance depends on a variance as on its root, so the limits of one are the squares of the other's."""
    fit, name = fit_of(model), name if name == "sigma" else f"sd_{name}"
    (right,) = np.square(fit.profile(name).confint()[["conf_low", "conf_high"]].to_numpy())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        profile = fit.profile(name, prof_scale="varcov")
        (limits,) = profile.confint()[["conf_low", "conf_high"]].to_numpy()
    lost = any(isinstance(each.message, KnownDefectWarning) for each in told)
    assert lost == profile.frame.isna().any(axis=None)
    if not lme4_has("structured_covariance"):
        assert lost == (model != "penicillin")
    if lost:  # as lme4 has it
        assert limits[0] == 0 < 1 < right[0]
    else:
        np.testing.assert_allclose(limits, right, rtol=0.01)


def test_a_bound_is_found_by_the_name_of_the_parameter():
    profile = profiled("orthodont")
    with pytest.warns(RWarning, match="bad spline fit for cor_age"):
        low, high = profile.confint("cor_age.(Intercept)|Subject")[["conf_low", "conf_high"]].to_numpy()[0]
    assert (low, high) == (-1, 1)
    assert profiled("pastes").confint("sd_(Intercept)|batch")["conf_low"].iloc[0] == 0


def test_what_r_says_of_a_profile_is_a_warning_with_our_name_of_the_parameter():
    with pytest.warns(RWarning, match=r"non-monotonic profile for cor_age\.\(Intercept\)\|Subject"):
        profile = fitted("orthodont").profile("cor_age.(Intercept)|Subject")
    assert not profile.backward["cor_age.(Intercept)|Subject"]


def test_a_profile_without_values_has_no_interval():
    profile = profiled("dyestuff2")
    lost = pickle.loads(pickle.dumps(profile))
    lost.frame["zeta"] = np.nan
    with pytest.warns(RWarning, match="bad profile for sigma"):
        assert lost.confint("sigma")[["conf_low", "conf_high"]].isna().all(axis=None)


def test_a_parameter_is_profiled_alone_as_among_all():
    alone = fit_of("dyestuff2").profile(["(Intercept)", "sigma"])
    assert list(alone.forward) == ["sigma", "(Intercept)"]
    among = profiled("dyestuff2").frame
    both = among[among["parameter"].isin(["sigma", "(Intercept)"])].reset_index(drop=True)
    assert alone.frame.drop(columns="parameter").equals(both.drop(columns="parameter"))
    assert list(alone.frame["parameter"]) == list(both["parameter"])
    assert list(alone.parameters.index) == list(profiled("dyestuff2").parameters.index)


def test_the_profile_of_a_reml_fit_is_that_of_maximum_likelihood():
    reml, ml = (fitted("sleepstudy", reml=reml).profile("Days").confint() for reml in (True, False))
    ends = ["conf_low", "conf_high"]
    assert np.allclose(reml[ends], ml[ends], rtol=1e-6)  # two optimizations of one deviance
    assert profiled("sleepstudy").reml is False


def test_zeta_is_the_signed_root_of_the_rise_in_deviance():
    profile, deviance = profiled("dyestuff2"), fit_of("dyestuff2").devfun2()
    random = list(profile.parameters.index[:2])
    rise = profile.frame[profile.frame["parameter"] == "sigma"].iloc[[0, 5, -1]]
    for _, point in rise.iterrows():
        expected = np.sqrt(deviance(point[random].astype(float)) - deviance.base_deviance)
        assert abs(point["zeta"]) == pytest.approx(expected, abs=1e-6)  # of a difference of two deviances of 1e3
        assert np.sign(point["zeta"]) == np.sign(point["sigma"] - deviance.optimum["sigma"])


@pytest.mark.slow
def test_a_profile_pickles_and_needs_no_r():
    profile = profiled("penicillin")
    again = pickle.loads(pickle.dumps(profile))
    assert again.confint().equals(profile.confint())
    assert again.frame.equals(profile.frame)
    assert repr(again) == repr(profile)


def test_one_that_is_given_other_steps_has_other_points_of_the_same_function():
    fit, coarse = fit_of("dyestuff2"), profiled("dyestuff2")
    fine = fit.profile("sigma", delta_cutoff=1 / 16, alpha_max=0.05)
    assert len(fine.frame) > (coarse.frame["parameter"] == "sigma").sum()
    assert fine.frame["zeta"].max() < coarse.frame["zeta"].max()
    ends = ["conf_low", "conf_high"]
    assert np.allclose(fine.confint("sigma")[ends], coarse.confint("sigma")[ends], rtol=1e-3)  # of coarse steps
    other = fit.profile("sigma", optimizer="bobyqa", start_method="global", delta=0.5, max_points=50)
    theirs = plain(
        fit,
        'p <- profile(m, which = 2, optimizer = "bobyqa", startmethod = "global", delta = 0.5, maxpts = 50); p$.zeta',
    )
    assert same_bits(other.frame["zeta"], theirs)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"which": "Day"}, "no parameter 'Day'.*Did you mean 'Days'"),
        ({"which": [0]}, r"which is \[0\]; one of text, a list of texts, None"),
        ({"which": []}, "no parameter is named"),
        ({"alpha_max": 1.5}, "alpha_max is 1.5; a number from 0 to 1"),
        ({"max_points": 3}, "max_points is 3; a number from 4"),
        ({"delta": "a"}, "delta is 'a'"),
        ({"start_method": "extrap"}, "start_method is 'extrap'; one of 'prev', 'global'"),
        ({"optimizer": "system"}, "optimizer is 'system'"),
        ({"prof_scale": "sd"}, "prof_scale is 'sd'; one of 'sdcor', 'varcov'"),
    ],
)
def test_what_cannot_be_profiled_is_refused(given, told):
    with pytest.raises(InvalidArgument, match=told):
        fitted("sleepstudy").profile(**given)


def test_an_interval_is_of_what_was_profiled():
    with pytest.raises(InvalidArgument, match=r"no parameter 'sigma'; the parameters are .*recipe"):
        fitted("cake").profile("recipeB").confint("sigma")


def test_a_profile_stops_when_its_time_is_up_and_the_fit_can_go_on():
    with pytest.raises(TimedOut):
        fitted("cake").profile("theta_", timeout=0.02)
    assert len(fitted("cake").profile("recipeB").frame)


@pytest.mark.skipif(not lme4_has("structured_covariance"), reason="lme4 has structures from 2.0-1 on")
@pytest.mark.parametrize("structure", ["cs(Days | Subject)", "diag(Days | Subject)", "cs(0 + f | Subject, hom = TRUE)"])
def test_a_structured_term_is_profiled_by_the_names_of_its_parameters(structure):
    data = load_dataset("sleepstudy").assign(f=lambda frame: np.where(frame["Days"] < 5, "early", "late"))
    fit = lmer(f"Reaction ~ Days + {structure}", data)
    random = len(fit.parameters) - len(fit.terms)
    name = fit.parameters.index[random - 2]  # before sigma: of cs() it is rho
    profile = fit.profile(name)
    theirs = plain(fit, f"as.vector(confint(suppressWarnings(profile(m, {parameter_places(fit)[random - 2] + 1}))))")
    assert same_bits(profile.confint()[["conf_low", "conf_high"]], theirs)
    assert list(profile.forward) == [name]
    assert random == fit.npar - len(fit.terms)


@pytest.mark.parametrize("evaluations", [30, 60])
@pytest.mark.parametrize("ask", [lambda fit: fit.profile(), lambda fit: fit.confint()])
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.ConvergenceWarning")
def test_a_deviance_below_the_optimums_names_the_parameter_and_says_what_to_do(ask, evaluations):
    control = {"optimizer": "Nelder_Mead", "optCtrl": {"maxfun": evaluations}}
    fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"), reml=False, control=control)
    with pytest.raises(RError, match=r"^the profile of 'sd_.* found a deviance") as raised:
        ask(fit)
    assert "all_fit()" in str(raised.value)
    assert "R said: profiling detected new, lower deviance" in raised.value.text
