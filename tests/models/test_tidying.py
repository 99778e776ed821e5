"""Tidy tables, against R's own numbers and against what broom.mixed made of the same models (tests/cases/broom.R)."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, TimedOut
from tests.oracle import MODELS, fitted, plain, same_bits

BROOM = json.loads((Path(__file__).parents[1] / "cases" / "broom.json").read_text())
NAMES = {"std.error": "std_error", "p.value": "p_value", "conf.low": "conf_low", "conf.high": "conf_high"}
KEYS = ["effect", "group", "level", "term"]
COLUMNS = [*KEYS, "estimate", "std_error", "statistic", "df", "p_value", "ddf", "conf_low", "conf_high"]
GLANCE = {"logLik": "loglik", "AIC": "aic", "BIC": "bic", "REMLcrit": "reml_crit", "df.residual": "df_residual"}
AUGMENT = {"sqrtXwt": "sqrt_xwt", "sqrtrwt": "sqrt_rwt"}
BLAS = {
    "rtol": 1e-4,
    "atol": 1e-5,
}  # recorded with another BLAS or lme4, which end the optimizer some 1e-5 of theta away
EACH = pytest.mark.parametrize("model", MODELS)


def broom(model, table):
    """One of broom.mixed's tables, with our column names."""
    return pd.DataFrame(BROOM["models"][model][table]).rename(columns=NAMES)


def keyed(table):
    return table.set_index([table[key].fillna("") for key in KEYS if key in table])


def check(ours, theirs):
    """See that the tables have the same rows, found by name, and broom's numbers."""
    ours = keyed(ours[[name for name in ours if name not in KEYS or name in theirs]])
    theirs = keyed(theirs)
    assert sorted(ours.index) == sorted(theirs.index)
    numbers = [name for name in theirs if name not in KEYS]
    both = ours.loc[theirs.index, numbers].to_numpy(float), theirs[numbers].to_numpy(float)
    assert np.allclose(*both, **BLAS, equal_nan=True)


@EACH
def test_estimates_are_brooms(model):
    check(fitted(model).tidy(), broom(model, "estimates"))
    check(fitted(model).tidy("ran_pars", scales="vcov"), broom(model, "variances"))


@EACH
def test_wald_intervals_are_brooms(model):
    check(fitted(model).tidy("fixed", conf_int=True, conf_level=0.9), broom(model, "wald"))


@EACH
def test_modes_and_coefficients_are_brooms(model):
    check(fitted(model).tidy("ran_vals", conf_int=True), broom(model, "modes"))
    check(fitted(model).tidy("ran_coefs"), broom(model, "coefficients"))


@pytest.mark.parametrize("model", ["sleepstudy", "pastes", "penicillin", "orthodont", "double_bar"])
def test_tests_by_satterthwaite_are_brooms(model):
    ours = fitted(model).tidy("fixed", conf_int=True, ddf_method="Satterthwaite")
    theirs = broom(model, "tests")
    assert np.allclose(np.log(ours["p_value"]), np.log(theirs["p_value"].to_numpy()), rtol=1e-2)  # of small ones
    check(ours.drop(columns=["p_value"]), theirs.drop(columns=["p_value"]))
    assert set(ours["ddf"]) == {"Satterthwaite"}


@pytest.mark.parametrize("model", BROOM["profiles"])
def test_profile_intervals_are_brooms(model):
    ours = fitted(model).tidy("ran_pars", conf_int=True, conf_method="profile")
    check(ours, pd.DataFrame(BROOM["profiles"][model]).rename(columns=NAMES))


@EACH
@pytest.mark.parametrize(("table", "reml"), [("glance", True), ("glance_ml", False)])
def test_a_glance_is_brooms(model, table, reml):
    ours, theirs = fitted(model, reml=reml).glance(), broom(model, table).rename(columns=GLANCE)
    assert list(ours) == ["nobs", "sigma", "loglik", "aic", "bic", "reml_crit", "deviance", "df_residual"]
    assert np.allclose(ours[list(theirs)], theirs, **BLAS)
    assert ours["deviance" if reml else "reml_crit"].isna().all()


@EACH
def test_augmented_data_is_brooms(model):
    theirs = pd.DataFrame(BROOM["models"][model]["augment"])
    theirs = theirs[[name for name in theirs if name.startswith(".")]].rename(columns=lambda name: name[1:])
    ours = fitted(model).augment().iloc[::15][list(theirs.rename(columns=AUGMENT))]
    assert np.allclose(ours, theirs, rtol=1e-3, atol=1e-3)  # leverage and Cook's distance hang on theta


# To the bit, with lme4 itself.


@EACH
def test_numbers_are_those_of_lme4(model):
    fit = fitted(model)
    table = fit.tidy(["fixed", "ran_vals"])
    fixed, modes = (table[table["effect"] == effect] for effect in ("fixed", "ran_vals"))
    assert same_bits(fixed[["estimate", "std_error", "statistic"]], plain(fit, "as.vector(coef(summary(m)))"))
    in_r = "d <- as.data.frame(ranef(m, condVar = TRUE)); "
    assert same_bits(modes[["estimate", "std_error"]], plain(fit, in_r + "c(d$condval, d$condsd)"))
    names = plain(fit, in_r + "c(as.character(d$grpvar), as.character(d$grp), as.character(d$term))")
    assert list(modes[["group", "level", "term"]].to_numpy().ravel("F")) == names


@EACH
@pytest.mark.parametrize("scales", ["sdcor", "vcov"])
def test_variances_are_those_of_lme4(model, scales):
    fit = fitted(model)
    ours = fit.tidy("ran_pars", scales=scales)
    assert same_bits(np.sort(ours["estimate"]), np.sort(plain(fit, f"as.data.frame(VarCorr(m))${scales}")))


@EACH
def test_columns_of_augmented_data_are_those_of_lme4(model):
    fit = fitted(model)
    ours = fit.augment()
    for name, code in {
        "fitted": "unname(fitted(m))",
        "resid": "unname(residuals(m))",
        "hat": "unname(hatvalues(m))",
        "cooksd": "unname(cooks.distance(m))",
        "fixed": "unname(predict(m, re.form = NA))",
        "mu": "m@resp$mu",
        "offset": "m@resp$offset",
        "sqrt_xwt": "m@resp$sqrtXwt",
        "sqrt_rwt": "m@resp$sqrtrwt",
        "weights": "m@resp$weights",
        "wtres": "m@resp$wtres",
    }.items():
        assert same_bits(ours[name], plain(fit, f"as.vector({code})")), name


def test_weights_and_offsets_are_in_the_augmented_data_as_lme4_has_them():
    data = load_dataset("sleepstudy").assign(w=lambda d: 1 + d["Days"] % 2, o=lambda d: d["Days"] / 7)
    fit = lmer("Reaction ~ Days + (1 | Subject)", data, weights="w", offset="o")
    ours = fit.augment()
    for name, code in {"wtres": "m@resp$wtres", "offset": "m@resp$offset", "sqrt_xwt": "m@resp$sqrtXwt"}.items():
        assert same_bits(ours[name], plain(fit, f"as.vector({code})"))
    assert same_bits(ours["weights"], data["w"])
    assert same_bits(ours["fixed"], plain(fit, "as.vector(predict(m, re.form = NA))"))


# One shape, whatever is asked.

ASKED = [
    {},
    {"effects": "fixed"},
    {"effects": ["ran_vals", "fixed", "ran_pars", "ran_coefs"]},
    {"effects": "ran_vals", "conf_int": True},
    {"effects": "ran_coefs", "conf_int": True},
    {"conf_int": True},
    {"conf_int": True, "ddf_method": "Kenward-Roger"},
    {"conf_int": True, "conf_method": "boot", "nsim": 20, "seed": 1},
    {"conf_int": True, "conf_method": "boot", "nsim": 20, "seed": 1, "scales": "vcov"},
    {"effects": "fixed", "conf_int": True, "conf_method": "profile"},
]


@pytest.mark.parametrize("asked", ASKED)
def test_the_table_has_one_shape_whatever_is_asked(asked):
    table, plainest = fitted("pastes").tidy(**asked), fitted("sleepstudy").tidy()
    assert list(table) == COLUMNS
    assert table.dtypes.equals(plainest.dtypes)
    assert isinstance(table.index, pd.RangeIndex)
    order = ["fixed", "ran_pars", "ran_vals", "ran_coefs"]
    assert list(table["effect"].unique()) == [effect for effect in order if effect in set(table["effect"])]


def test_intervals_of_the_random_part_are_those_of_confint_on_either_scale():
    fit, ends = fitted("pastes"), ["conf_low", "conf_high"]
    bootstrap = {"conf_int": True, "conf_method": "boot", "nsim": 25, "seed": 3}
    deviations = fit.tidy("ran_pars", **bootstrap)
    theirs = fit.confint("theta_", method="boot", nsim=25, seed=3)
    assert np.array_equal(deviations[ends], theirs[ends])
    variances = fit.tidy("ran_pars", scales="vcov", **bootstrap)
    assert (deviations["conf_high"] ** 2).to_numpy() == pytest.approx(variances["conf_high"].to_numpy(), rel=0.05)
    assert list(variances["term"]) == ["var__(Intercept)", "var__(Intercept)", "var__Observation"]
    one = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    profile = one.profile("theta_", prof_scale="varcov").confint(level=0.9)
    ours = one.tidy("ran_pars", scales="vcov", conf_int=True, conf_method="profile", conf_level=0.9)
    assert np.array_equal(ours[ends], profile[ends])


def test_wald_intervals_with_degrees_of_freedom_are_by_t():
    fit = fitted("sleepstudy")
    ours = fit.tidy("fixed", conf_int=True, ddf_method="Kenward-Roger")
    theirs = [plain(fit, f"qt(c(0.025, 0.975), {df!r})") for df in ours["df"].tolist()]
    expected = ours["estimate"].to_numpy()[:, None] + ours["std_error"].to_numpy()[:, None] * np.array(theirs)
    assert np.allclose(ours[["conf_low", "conf_high"]], expected, rtol=1e-12)  # scipy's quantile of t
    normal = fit.tidy("fixed", conf_int=True)
    assert (normal["conf_low"] > ours["conf_low"]).all()
    assert normal[["df", "p_value", "ddf"]].isna().all(axis=None)


def test_what_needs_no_r_is_there_in_a_fit_that_was_sent_elsewhere():
    fit = pickle.loads(pickle.dumps(fitted("sleepstudy")))
    table = fit.tidy(conf_int=True)
    assert table.equals(fitted("sleepstudy").tidy(conf_int=True))
    assert fit.glance().equals(fitted("sleepstudy").glance())
    assert fit._in_r.model is None
    assert pickle.loads(pickle.dumps(table)).equals(table)


# Rows and labels.


@pytest.fixture(scope="module")
def gaps():
    data = load_dataset("sleepstudy").assign(note=lambda d: d["Subject"].astype(str) + "!")
    data.index = [f"row {i}" for i in range(len(data))]
    data.loc[["row 2", "row 7"], "Reaction"] = np.nan
    return data


def test_augmented_data_has_the_rows_that_were_used(gaps):
    fit = lmer("Reaction ~ Days + (1 | Subject)", gaps, na_action="omit")
    ours = fit.augment()
    assert list(ours.index) == [label for label in gaps.index if label not in ("row 2", "row 7")]
    assert list(ours)[:3] == ["Reaction", "Days", "Subject"]
    assert not ours.isna().any(axis=None)


def test_rows_left_out_are_there_with_nan_where_they_were_asked_for(gaps):
    fit = lmer("Reaction ~ Days + (1 | Subject)", gaps, na_action="exclude")
    used = lmer("Reaction ~ Days + (1 | Subject)", gaps, na_action="omit").augment()
    for ours in (fit.augment(), fit.augment(gaps)):
        assert list(ours.index) == list(gaps.index)
        new = ours[[name for name in ours if name not in gaps]]
        assert list(new.index[new.isna().all(axis=1)]) == ["row 2", "row 7"]
        assert new.loc[used.index].equals(used[list(new)])
    assert fit.augment(gaps)["note"].equals(gaps["note"])


def test_the_whole_data_keeps_its_columns_and_has_nan_in_rows_that_were_not_used(gaps):
    fit = lmer("Reaction ~ Days + (1 | Subject)", gaps, subset=gaps["Days"] > 1, na_action="omit")
    ours = fit.augment(gaps)
    assert list(ours)[: len(gaps.columns)] == list(gaps.columns)
    assert list(ours.index[ours["fitted"].notna()]) == list(fit.augment().index)
    assert ours["fitted"].dropna().equals(fit.fitted)


def test_labels_that_repeat_are_no_trouble():
    data = load_dataset("sleepstudy").set_axis(["same"] * 180, axis=0)
    fit = lmer("Reaction ~ Days + (1 | Subject)", data)
    assert same_bits(fit.augment(data)["fitted"], fit.fitted_values)
    assert set(fit.augment(data).index) == {"same"}


def test_data_that_is_not_the_fits_or_has_the_new_names_is_refused(gaps):
    fit = lmer("Reaction ~ Days + (1 | Subject)", gaps, na_action="omit")
    with pytest.raises(InvalidArgument, match="another index than the data of the fit"):
        fit.augment(gaps.iloc[1:])
    named = gaps.assign(fitted=0.0, hat=0.0)
    with pytest.raises(InvalidArgument, match="data has the columns fitted, hat; a prefix"):
        fit.augment(named)
    ours = fit.augment(named, prefix=".")
    assert (ours["fitted"] == 0).all()
    assert ".fitted" in ours


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"effects": "random"}, "effects is 'random'; one of 'fixed', 'ran_pars', 'ran_vals', 'ran_coefs'"),
        ({"effects": []}, "effects is"),
        ({"scales": "sd"}, "scales is 'sd'"),
        ({"conf_method": "score", "conf_int": True}, "conf_method is 'score'"),
        ({"conf_level": 95}, "conf_level is 95"),
        ({"ddf_method": "krs"}, "ddf_method is 'krs'"),
    ],
)
def test_what_has_no_table_is_refused(given, told):
    with pytest.raises(InvalidArgument, match=told):
        fitted("pastes").tidy(**given)


def test_a_table_stops_when_its_time_is_up():
    with pytest.raises(TimedOut):
        fitted("sleepstudy", reml=False).tidy(conf_int=True, conf_method="profile", timeout=0.01)


@pytest.mark.skipif(not lme4_has("structured_covariance"), reason="lme4 has structures from 2.0-1 on")
def test_a_structured_term_has_a_row_a_parameter():
    fit = lmer("Reaction ~ Days + diag(Days | Subject)", load_dataset("sleepstudy"))
    assert list(fit.tidy("ran_pars")["term"]) == ["sd__(Intercept)", "sd__Days", "sd__Observation"]
    fit = lmer("Reaction ~ Days + cs(Days | Subject)", load_dataset("sleepstudy"))
    table = fit.tidy("ran_pars")
    assert list(table["term"]) == ["sd__(Intercept)", "sd__Days", "cor__rho", "sd__Observation"]
    assert table["estimate"][2] == pytest.approx(fit.varcorr["Subject"].rho)
