"""lmerControl's arguments, typed, and the same model by every optimizer."""

import pickle
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from lmerbridge import ConvCheck, LmerControl, lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, KnownDefectWarning, NeedsNewer, RError, SingularFitWarning, TimedOut
from lmerbridge.inputs.control import r_name
from lmerbridge.models.change.all_fit import LIMIT, METHODS, PACKAGES
from tests.oracle import MODELS, fitted, plain, same_bits

SLOPES = "Reaction ~ Days + (Days | Subject)"
NUMBERS = "{u <- suppressWarnings(%s); c(u@theta, fixef(u), sigma(u))}"
NEWER = {"autoscale": "autoscale", "check.conv.nobsmax": "conv_check_limits", "check.conv.nparmax": "conv_check_limits"}
CONTROLS = {  # ours, R's
    "an optimizer": (LmerControl(optimizer="Nelder_Mead"), 'optimizer = "Nelder_Mead"'),
    "none": (LmerControl(optimizer="none"), "optimizer = NULL"),
    "its limit": (LmerControl(opt_ctrl={"maxeval": 5}), "optCtrl = list(maxeval = 5)"),
    "no derivatives": (
        LmerControl(calc_derivs=False, use_last_params=True),
        "calc.derivs = FALSE, use.last.params = TRUE",
    ),
    "no look at bounds": (LmerControl(restart_edge=False, boundary_tol=0), "restart_edge = FALSE, boundary.tol = 0"),
    "checks": (
        LmerControl(
            check_nobs_vs_rank_z="warningSmall",
            check_nlev_gtreq_5="ignore",
            check_rank_x="ignore",
            check_scale_x="silent.rescale",
            check_conv_grad=ConvCheck("ignore", 1.0, rel_tol=0.1),
            check_conv_hess="message",
        ),
        """check.nobs.vs.rankZ = "warningSmall", check.nlev.gtreq.5 = "ignore", check.rankX = "ignore",
        check.scaleX = "silent.rescale", check.conv.grad = .makeCC("ignore", 1, 0.1), check.conv.hess = "message" """,
    ),
}


@pytest.mark.parametrize("case", CONTROLS)
def test_a_control_is_r_s(case, sleepstudy):
    ours, theirs = CONTROLS[case]
    found = lmer(SLOPES, sleepstudy, control=ours)
    expected = plain(fitted("sleepstudy"), NUMBERS % f"lmer({SLOPES}, m@frame, control = lmerControl({theirs}))")
    assert same_bits(np.concatenate([found.theta, found.beta, [found.sigma]]), expected)
    assert same_bits(lmer(SLOPES, sleepstudy, control=ours.arguments()).theta, found.theta)


def test_a_check_has_lme4s_own_names():
    control = LmerControl(check_conv_grad=ConvCheck("stop", 0.5, rel_tol=0.1))
    expected = plain(fitted("sleepstudy"), 'names(unlist(list(check.conv.grad = .makeCC("stop", 0.5, 0.1))))')
    ((name, check),) = control.arguments().items()
    assert [f"{name}.{key}" for key in check] == list(expected)
    assert list(check.values()) == ["stop", 0.5, 0.1]


def test_every_argument_of_this_lmer_control_has_a_field():
    theirs = set(plain(fitted("sleepstudy"), "names(formals(lmerControl))")) - {"mod.type"}
    ours = {r_name(field.name) for field in fields(LmerControl)}
    newer = {name for name, gate in NEWER.items() if not lme4_has(gate)}
    assert theirs == ours - newer


@pytest.mark.parametrize("field", ["autoscale", "check_conv_nobsmax", "check_conv_nparmax"])
def test_what_this_lme4_lacks_is_an_error_that_names_the_version(field, sleepstudy):
    control = LmerControl(**{field: True if field == "autoscale" else 5})
    if lme4_has(NEWER[r_name(field)]):
        assert lmer(SLOPES, sleepstudy, control=control).spec.control is control
    else:
        with pytest.raises(NeedsNewer, match=r"lme4 1\.1-38 or later"):
            lmer(SLOPES, sleepstudy, control=control)


def test_a_check_that_stops_stops_and_one_that_warns_warns(datasets):
    dyestuff2 = datasets("Dyestuff2")
    stop = LmerControl(check_conv_singular=ConvCheck("stop", 1e-4))
    with pytest.raises(RError, match="boundary"):
        lmer("Yield ~ 1 + (1 | Batch)", dyestuff2, control=stop)
    with pytest.warns(SingularFitWarning):
        lmer("Yield ~ 1 + (1 | Batch)", dyestuff2, control=LmerControl(check_conv_singular="message"))
    silent = lmer("Yield ~ 1 + (1 | Batch)", dyestuff2, control=LmerControl(check_conv_singular="ignore"))
    assert silent.conditions == ()


WRONG = {
    "an optimizer": ({"optimizer": "optim"}, "'nloptwrap', 'bobyqa'"),
    "a number for a boolean": ({"calc_derivs": 1}, "one of True, False, None"),
    "a boolean for a number": ({"boundary_tol": True}, "one of a number, None"),
    "not a number": ({"check_conv_nobsmax": float("nan")}, "one of a number, None"),
    "an action": ({"check_conv_grad": "shout"}, "one of ConvCheck, 'ignore'"),
    "a small action where there is none": ({"check_nobs_vs_nlev": "stopSmall"}, "'ignore', 'message'"),
    "a list": ({"opt_ctrl": [1]}, "one of Mapping, None"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_field_of_another_type_is_an_error(case):
    given, told = WRONG[case]
    with pytest.raises(InvalidArgument, match=told):
        LmerControl(**given)


def test_a_tolerance_is_not_negative():
    with pytest.raises(InvalidArgument, match=r"rel_tol of a ConvCheck is -1\.0"):
        ConvCheck("stop", 1.0, rel_tol=-1.0)
    with pytest.raises(InvalidArgument, match="action of a ConvCheck is None"):
        ConvCheck(None, 1.0)


STARTS = {
    "theta alone": [2.0, 0.1, 0.5],
    "theta by name": {"theta": np.array([2.0, 0.1, 0.5])},
}


@pytest.mark.parametrize("case", STARTS)
def test_a_start_is_r_s(case, sleepstudy):
    found = lmer(SLOPES, sleepstudy, start=STARTS[case])
    told = f"lmer({SLOPES}, m@frame, start = list(theta = c(2, 0.1, 0.5)))"
    expected = plain(fitted("sleepstudy"), NUMBERS % told)
    assert same_bits(np.concatenate([found.theta, found.beta, [found.sigma]]), expected)


BAD_STARTS = {
    "fixed effects": ({"theta": [1, 0, 1], "fixef": [250, 10]}, "fixed effects follow from theta"),
    "nothing": ({}, "start names nothing"),
    "two at once": ({"theta": [1], "par": [1]}, "'theta' alone, or 'par' alone"),
    "a missing number": ({"theta": [1, np.nan, 1]}, r"start\['theta'\] is"),
    "too few": ([1.0], "start needs one finite number per theta"),
    "text": ("theta", "a sequence of finite numbers"),
}


@pytest.mark.parametrize("case", BAD_STARTS)
def test_a_start_that_is_none_is_an_error(case, sleepstudy):
    given, told = BAD_STARTS[case]
    with pytest.raises(InvalidArgument, match=told):
        lmer(SLOPES, sleepstudy, start=given)


def test_the_parameters_of_lme4_2_are_a_start_from_there_on(sleepstudy):
    start = {"par": [2.0, 0.1, 0.5]}
    if lme4_has("start_par"):
        assert same_bits(
            lmer(SLOPES, sleepstudy, start=start).theta, lmer(SLOPES, sleepstudy, start=start["par"]).theta
        )
    else:
        with pytest.raises(NeedsNewer, match=r"start = list\(par =\) needs lme4 2\.0-1"):
            lmer(SLOPES, sleepstudy, start=start)


R_S = "update(m, control = lmerControl(optimizer = '%s', optCtrl = list(%s))%s)"


def hexadecimal(theta):
    """Write numbers for R to read as they are."""
    return f"c({', '.join(value.hex() for value in theta)})"


def in_r(name, *, start):
    """R's update of `m` by one of lme4's methods."""
    optimizer, method = METHODS[name]
    told = ", ".join([f"{LIMIT[optimizer]} = 1e5", *(f"{key} = '{value}'" for key, value in method.items())])
    return R_S % (optimizer, told, f", start = {start}" if start else "")


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("from_mle", [True, False])
def test_each_optimizer_ends_where_it_ends_in_r(name, from_mle):
    fit = fitted(name)
    found = fit.all_fit(start_from_mle=from_mle)
    assert set(found.fits) | set(found.not_installed) == set(METHODS)
    assert found.ok.all()
    for optimizer, theta in found.theta.iterrows():
        start = hexadecimal(fit.theta) if from_mle else ""
        assert same_bits(theta, plain(fit, f"suppressMessages(suppressWarnings({in_r(optimizer, start=start)}))@theta"))


@pytest.fixture(scope="module")
def all_fits():
    return fitted("sleepstudy").all_fit()


def test_the_tables_of_all_fits_are_by_optimizer_and_term(all_fits):
    fit = fitted("sleepstudy")
    names = [name for name in METHODS if name not in all_fits.not_installed]
    for table in (all_fits.fixef, all_fits.sdcor, all_fits.theta, all_fits.llik, all_fits.feval, all_fits.times):
        assert list(table.index) == names
    for name, one in all_fits.fits.items():
        assert all_fits.fixef.loc[name].equals(one.fixef.rename(name))
        assert all_fits.llik[name] == one.loglik
        assert all_fits.sdcor.loc[name, "sd[Subject.Days]"] == one.varcorr["Subject"].sd["Days"]
        assert all_fits.sdcor.loc[name, "cor[Subject.(Intercept),Days]"] == one.varcorr["Subject"].corr.iloc[1, 0]
        assert all_fits.sdcor.loc[name, "sigma"] == one.sigma
    for name, feval in all_fits.feval.items():
        told = f"{in_r(name, start=hexadecimal(fit.theta))}@optinfo$feval"
        assert same_bits(feval, plain(fit, f"as.double(c({told}, NA)[1L])"))


def test_all_fits_survive_pickling(all_fits):
    copy = pickle.loads(pickle.dumps(all_fits))
    assert copy.theta.equals(all_fits.theta)
    assert str(copy) == str(all_fits)


def test_optimizers_whose_package_r_lacks_are_told(all_fits):
    assert set(all_fits.not_installed) <= set(PACKAGES)
    for name, package in all_fits.not_installed.items():
        assert f"{name:<30} not tried: R lacks {package}" in str(all_fits)
    assert all(name in str(all_fits) for name in METHODS)


def test_an_optimizer_that_fails_leaves_its_error_and_the_others_go_on(monkeypatch):
    monkeypatch.setitem(METHODS, "bobyqa", ("nloptwrap", {"algorithm": "NLOPT_LN_LUCK"}))
    found = fitted("sleepstudy").all_fit(["bobyqa", "nlminbwrap"])
    assert isinstance(found.fits["bobyqa"], RError)
    assert found.ok.to_dict() == {"bobyqa": False, "nlminbwrap": True}
    assert list(found.fixef.index) == ["nlminbwrap"]
    assert "bobyqa                         failed: " in str(found)
    assert repr(found) == "<AllFit: 1 of 2 optimizers fitted>"


def test_tables_of_no_fit_at_all_are_empty(monkeypatch):
    monkeypatch.setitem(METHODS, "bobyqa", ("nloptwrap", {"algorithm": "NLOPT_LN_LUCK"}))
    found = fitted("sleepstudy").all_fit(["bobyqa"])
    assert isinstance(found.fixef, pd.DataFrame)
    assert found.fixef.empty
    assert "failed" in str(found)


def test_what_the_fit_s_own_optimizer_was_told_is_told_no_other(sleepstudy):
    fit = lmer(SLOPES, sleepstudy, control={"optimizer": "bobyqa", "optCtrl": {"rhoend": 1e-3}})
    found = fit.all_fit(["bobyqa", "nlminbwrap"], maxfun=None)
    controls = {name: one.spec.controls["optCtrl"] for name, one in found.fits.items()}
    assert controls == {"bobyqa": {"rhoend": 1e-3}, "nlminbwrap": {}}


def test_the_number_of_evaluations_is_limited():
    found = fitted("sleepstudy").all_fit(["nloptwrap.NLOPT_LN_BOBYQA"], maxfun=3, start_from_mle=False)
    assert found.feval.to_dict() == {"nloptwrap.NLOPT_LN_BOBYQA": 3}


def test_optimizers_nobody_knows_are_an_error():
    for given in (["simplex"], "bobyqa", []):
        with pytest.raises(InvalidArgument, match=r"optimizers is .* a sequence of some of bobyqa"):
            fitted("sleepstudy").all_fit(given)


def test_all_fits_have_one_time_limit():
    with pytest.raises(TimedOut):
        fitted("sleepstudy").all_fit(timeout=1e-3)


@pytest.mark.skipif(not lme4_has("autoscale"), reason="this lme4 has no autoscale")
def test_an_autoscaled_fit_warns_that_its_estimates_and_their_covariance_are_of_other_columns():
    model = ("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    with pytest.warns(KnownDefectWarning, match="fixed effects of the scaled columns"):
        scaled = lmer(*model, control=LmerControl(autoscale=True))
    plain = fitted("sleepstudy")
    assert abs(scaled.fixef["Days"] / plain.fixef["Days"] - 1) > 0.1  # else lme4 has mended it: drop the warning
    np.testing.assert_allclose(scaled.vcov, plain.vcov, rtol=1e-4)
