"""Effects, scenarios, remedies and intervals of a generalized model, and all of its getME."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

mpl.use("agg")
import matplotlib.pyplot as plt

from lmerbridge import GlmerControl, glmer, glmer_nb, lmer, load_dataset, nlmer
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import InvalidArgument, UnfitData
from lmerbridge.setup import Range
from tests.oracle import plain

COWS = load_dataset("cbpp").assign(x=lambda d: np.random.default_rng(3).normal(size=len(d)))
BOTH = "cbind(incidence, size - incidence)"
MODELS = {
    "cbind": (f"{BOTH} ~ period + x + (1 | herd)", "binomial", {}),
    "truth": ("ill ~ size + x + (1 | herd)", "binomial(probit)", {}),
    "counts": ("incidence ~ period * x + offset(log(size)) + (x | herd)", "poisson", {}),
    "excluded": ("incidence ~ period + hole + (1 | herd)", "poisson", {"na_action": "exclude"}),
}
EACH = pytest.mark.parametrize("model", MODELS)
made = {}
COWS["ill"], COWS["hole"] = COWS["incidence"] > 0, COWS["x"].where(COWS.index % 9 > 0)


def fitted(model):
    """One of the models, fitted once."""
    if model not in made:
        formula, family, given = MODELS[model]
        made[model] = glmer(formula, COWS, family, **given)
    return made[model]


pytestmark = pytest.mark.filterwarnings(
    "ignore::lmerbridge.errors.SingularFitWarning", "ignore::lmerbridge.errors.ConvergenceWarning"
)


@EACH
@pytest.mark.parametrize("scale", ["link", "response"])
@pytest.mark.filterwarnings("ignore:.*NOTE. Results may be misleading")
def test_an_effect_has_the_means_of_emmeans_and_points_on_its_scale(model, scale):
    fit = fitted(model)
    x = {"truth": "size", "excluded": "hole"}.get(model, "x")
    found = fit.effect(x, at={x: [0.5, 1.0]}, type=scale)
    means = fit.emmeans(x, at={x: [0.5, 1.0]}, type=scale).frame
    pd.testing.assert_frame_equal(found.frame, means)
    whole = fit.effect(x, type=scale)
    y, back = fit.design().y, {"logit": lambda e: 1 / (1 + np.exp(-e)), "log": np.exp}.get(fit.kind.link)
    working = np.array(plain(fit, "as.vector(na.omit(residuals(m, 'working')))"))
    if scale == "link":
        np.testing.assert_allclose(whole.points["observed"], fit.linear_predictor + working, rtol=1e-12)
    else:
        np.testing.assert_array_equal(whole.points["observed"], y)
        on_link = fit.effect(x).points["partial"]
        if back:
            np.testing.assert_allclose(whole.points["partial"], back(on_link), rtol=1e-12)
    assert whole.response.startswith(f"{fit.kind.link} of the mean of ") == (scale == "link")


def test_an_effect_is_drawn_on_the_scale_of_the_response():
    ax = fitted("cbind").plot_effect("x", by="period", type="response", points="observed")
    low, high = ax.get_ylim()
    assert -0.2 < low < high < 1.4
    assert ax.get_ylabel() == f"{BOTH}, 95% interval"
    plt.close("all")


def test_points_of_a_transformed_response_have_one_scale():
    fit = lmer("log(Reaction) ~ Days + (1 | Subject)", load_dataset("sleepstudy"))
    with pytest.raises(InvalidArgument, match="the response is transformed"):
        fit.effect("Days", type="response")
    plainly = lmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy"))
    pd.testing.assert_frame_equal(plainly.effect("Days", type="response").points, plainly.effect("Days").points)


CHANGES = {"cbind": {"period": "3"}, "truth": {"size": lambda size: size + 2}, "counts": {"x": 1.5}}


@pytest.mark.parametrize("model", CHANGES)
@pytest.mark.parametrize("re_form", [None, "~0"])
def test_differences_have_the_errors_of_the_delta_method(model, re_form):
    """By the covariance of all coefficients, fixed and random, that lme4's matrices have."""
    fit, new = fitted(model), COWS.iloc[[3, 20, 50]]
    changed = new.assign(**{c: v(new[c]) if callable(v) else v for c, v in CHANGES[model].items()})
    for scale in ("link", "response"):
        found = fit.scenarios(new, CHANGES[model], type=scale, re_form=re_form).frame
        before, after = (fit.predict(data, type=scale, re_form=re_form) for data in (new, changed))
        np.testing.assert_allclose(found["baseline"], before, rtol=1e-12)
        np.testing.assert_allclose(found["difference"], after - before, rtol=1e-9, atol=1e-12)
        slope = [np.ones(3)] * 2 if scale == "link" else [slopes(fit, data, re_form) for data in (new, changed)]
        rows = [s[:, None] * joint_design(fit, data, re_form) for s, data in zip(slope, (new, changed), strict=True)]
        covariance = fit.vcov_full().to_numpy()
        expected = np.sqrt(np.einsum("ni,ij,nj->n", rows[1] - rows[0], covariance, rows[1] - rows[0]))
        np.testing.assert_allclose(found["std_error"], expected, rtol=1e-6, atol=1e-9)


def slopes(fit, data, re_form):
    """How fast the mean changes with the linear predictor, by a difference quotient."""
    eta = fit.predict(data, re_form=re_form).to_numpy()
    code = "; ".join(
        [
            "f <- family(m)",
            f"e <- c({', '.join(map(repr, eta.tolist()))})",
            "(f$linkinv(e + 1e-6) - f$linkinv(e - 1e-6)) / 2e-6",
        ]
    )
    return np.array(plain(fit, code))


def joint_design(fit, data, re_form):
    """Columns of the random and fixed coefficients, as `vcov_full` has them, for new rows."""
    fixed = fit.fixed_design(data).to_numpy()
    random = np.zeros((len(data), len(fit.random_index)))
    if re_form is None:
        for i, (_, level, term) in enumerate(fit.random_index):
            values = np.ones(len(data)) if term == "(Intercept)" else data[term].to_numpy()
            random[:, i] = np.where(data["herd"].astype(str) == level, values, 0.0)
    return np.hstack([random, fixed])


def test_scenarios_of_a_linear_model_have_one_scale():
    sleep = load_dataset("sleepstudy")
    fit = lmer("Reaction ~ Days + (Days | Subject)", sleep)
    found = [fit.scenarios(sleep.head(3), {"Days": 5.0}, type=scale).frame for scale in ("link", "response")]
    pd.testing.assert_frame_equal(*found)


def test_a_new_response_has_no_margin():
    with pytest.raises(InvalidArgument, match=r"does not lie about its mean.* simulate\(nsim"):
        fitted("cbind").predict(interval="prediction")


@pytest.mark.parametrize("model", ["cbind", "truth"])
def test_intervals_of_anything_are_by_whole_refits(model):
    fit = fitted(model)

    def risk(fit):
        return fit.predict(COWS.head(1), type="response", re_form="~0")

    found = fit.interval_of(risk, nsim=5, seed=4, method="normal")
    boot = fit.bootstrap(lambda each: each.beta, 5, seed=4)
    by_hand = [float(risk(each).iloc[0]) for each in refits(fit, 5, 4)]
    np.testing.assert_allclose(found.bootstrap.t.iloc[:, 0], by_hand, rtol=1e-12)
    assert found.frame["estimate"].iloc[0] == risk(fit).iloc[0]
    assert boot.n_failed == 0


def refits(fit, nsim, seed):
    """The refits that a bootstrap makes, each by `refit` of its draw."""
    drawn = fit.simulate(nsim, seed=seed)
    columns = drawn.columns.get_level_values(0).unique() if drawn.columns.nlevels > 1 else drawn.columns
    return [fit.refit(drawn[name]) for name in columns]


def test_remedies_take_the_inner_iterations_to_their_end():
    fit = glmer(f"{BOTH} ~ period + (1 | herd)", COWS, "binomial")
    found = fit.remedies(["bobyqa"])
    tight = glmer(f"{BOTH} ~ period + (1 | herd)", COWS, "binomial", control=GlmerControl(tol_pwrss=1e-10))
    assert found.inner.fit.criterion == tight.criterion
    assert found.inner.fit.std_errors.tolist() == tight.std_errors.tolist()
    change = abs(tight.std_errors / fit.std_errors - 1).max()
    told = found.explain()
    if lme4_version() in Range("2.1-0"):  # whose inner iterations leave next to nothing
        assert change < 1e-4
    else:
        assert 0.01 < change < 0.02
        assert f"standard errors change by up to {change:.2%}, that of period4 from 0.42205 to 0.42744" in told
    assert "tolPwrss = 1e-10" in told
    assert found.frame["remedy"].tolist()[:2] == ["as fitted", "inner iterations to their end"]
    # without the random term it is a glm
    ratio = found.frame.iloc[-1]
    glm = plain(fit, f"-2 * c(logLik(glm({BOTH} ~ period, binomial, lme4::cbpp)))")[0]
    assert ratio["criterion"] == pytest.approx(glm, rel=1e-10)
    assert ratio["df"] == 1


def test_remedies_scale_columns_and_keep_the_rest_of_the_model():
    ticks = load_dataset("grouseticks")
    fit = glmer("TICKS ~ YEAR + HEIGHT + (1 | BROOD)", ticks, "poisson")
    found = fit.remedies(["bobyqa"])
    assert list(found.scaling.frame.index) == ["HEIGHT"]
    assert found.scaled.criterion == pytest.approx(fit.criterion, abs=1e-3)
    assert found.mapped.fixef["HEIGHT"] == pytest.approx(fit.fixef["HEIGHT"], rel=1e-4)
    assert found.gap < 1e-3
    nodes = fit.update(n_agq=5).remedies(["bobyqa"])
    glm = plain(fit, "-2 * c(logLik(glm(TICKS ~ YEAR + HEIGHT, poisson, lme4::grouseticks)))")[0]
    constant = fit.update(n_agq=5).loglik.constant
    assert nodes.frame["criterion"].iloc[-1] == pytest.approx(glm + 2 * constant, rel=1e-10)


def test_remedies_of_an_estimated_shape_end_at_the_last_random_term():
    fit = glmer_nb("TICKS ~ YEAR + (1 | BROOD)", load_dataset("grouseticks"))
    told = fit.remedies(["bobyqa"]).explain()
    assert "its family has a dispersion or a shape to estimate" in told


@pytest.mark.parametrize("model", MODELS)
def test_every_quantity_of_get_me_is_there(model):
    fit = fitted(model)
    parts = fit.get_me("ALL")
    assert parts.devfun is None
    eta = parts.X @ parts.beta + parts.Z @ parts.b + parts.offset
    np.testing.assert_allclose(eta, fit.linear_predictor, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(parts.mu, fit.fitted.dropna())
    assert parts.L.log_determinant == pytest.approx(parts.devcomp.cmp["ldL2"], rel=1e-12)
    assert np.isnan(fit.get_me("glmer.nb.theta"))
    with pytest.raises(InvalidArgument, match="no one value"):
        fit.get_me("devfun")


def test_a_shape_is_a_quantity_of_get_me():
    fit = glmer("incidence ~ period + (1 | herd)", COWS, "negative.binomial(3)")
    assert fit.get_me(["glmer.nb.theta", "n"]) == {"glmer.nb.theta": 3.0, "n": 56}


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.ConvergenceWarning")
def test_quantities_of_a_nonlinear_model_have_a_row_per_parameter():
    orange = load_dataset("Orange", "datasets")
    fit = nlmer("circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", orange)
    x = fit.get_me("X")
    assert x.shape == (105, 3)
    assert x.index.names[0] == "parameter"
    assert x.loc["xmid"].sum().tolist() == [0, 35, 0]
    assert fit.get_me("Z").shape == (105, 5)
    assert fit.cond_var()["Tree"].levels == tuple(fit.ranef["Tree"].index)
    assert fit.vcov_of(use_hessian=False).shape == (3, 3)
    assert str(fit.convergence()).startswith("Convergence")
    assert len(fit.weights()) == 35
    with pytest.raises(InvalidArgument, match="no mmList of a nonlinear model"):
        fit.get_me("ALL")


def test_inner_iterations_of_a_nonlinear_model_that_find_no_step_are_told_in_our_words():
    orange = load_dataset("Orange", "datasets").assign(w=lambda d: 1.0 + d.index % 2)
    begin = {"Asym": 200.0, "xmid": 725.0, "scal": 350.0}
    with pytest.raises(UnfitData, match=r"start=.* R said: .*step factor"):
        nlmer("circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", orange, start=begin, weights="w")


MISSING = {
    "cbind": ("cbind(I(incidence), size - incidence)", "binomial", {}),
    "proportion": ("prop", "binomial", {"weights": "size"}),
    "truth": ("incidence > 0", "binomial", {}),
    "counts": ("incidence", "poisson", {}),
}


@pytest.mark.parametrize("na_action", ["omit", "exclude"])
@pytest.mark.parametrize("response", MISSING)
def test_refits_of_a_fit_that_left_rows_out_are_those_of_the_rows_used(response, na_action):
    data = COWS.assign(prop=COWS["incidence"] / COWS["size"])
    left, family, given = MISSING[response]
    fit = glmer(f"{left} ~ hole + (1 | herd)", data, family, na_action=na_action, **given)
    whole = glmer(f"{left} ~ hole + (1 | herd)", data.dropna(), family, **given)
    ours, theirs = (each.bootstrap(lambda r: r.beta, 3, seed=1) for each in (fit, whole))
    assert ours.n_failed == 0
    np.testing.assert_array_equal(ours.t, theirs.t)
    found = fit.interval_of(lambda each: each.fixef, 3, seed=1).bootstrap
    np.testing.assert_allclose(found.t, ours.t, rtol=1e-12)
    if plain(fit, "utils::packageVersion('pbkrtest') >= '0.5.5'")[0]:  # which asks glmer for ML, and fails
        return
    larger = fit.update(". ~ . + size", data=data)
    references = [
        each.pb_modcomp(small, nsim=2, seed=1).reference
        for each, small in ((larger, fit), (whole.update(". ~ . + size", data=data.dropna()), whole))
    ]
    np.testing.assert_allclose(*references, rtol=1e-6)
