"""Generalized and nonlinear models before engines that do not fit them: refused by name, and never fitted as linear."""

from dataclasses import replace

import numpy as np
import pytest

from lmerbridge import engines, lmer, load_dataset
from lmerbridge.engines import PlainEngine, PlainEstimates, find, fit_with
from lmerbridge.errors import EngineFailed, InvalidArgument, NotExpressible
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.inputs.glmerspec import GlmerNbSpec
from lmerbridge.inputs.nlmerspec import NlmerSpec
from lmerbridge.results import NLMM
from tests.engines.glmms import HERDS, TICKS, spec_of

EXACT = "gpboost[cholesky]"
PQL = "MASS::glmmPQL is another estimator"
NONE = {  # engines that fit no generalized model, and what they say
    "nlme": "nlme::lme fits linear models; MASS::glmmPQL repeats it",
    "mgcv": "maximizes over fixed and random effects at once",
    "glmmPQL": PQL,
    "statsmodels": "its BayesMixedGLM has priors, and its GEE estimates means over all groups",
    "statsmodels[shared]": "its BayesMixedGLM has priors",
    "mixedlm-rs": "mixedlm-rs fits no generalized linear mixed models",
}
COUNTS = {"formula": "TICKS ~ YEAR + (1 | BROOD)", "data": "grouseticks"}
COWS = {"formula": HERDS, "data": "cbpp"}
REFUSED = [  # engine, model, reason
    ("glmmTMB", COWS | {"family": "binomial(cauchit)"}, "glmmTMB has no link cauchit of the family binomial"),
    ("glmmTMB", COWS | {"family": "binomial", "n_agq": 5}, "glmmTMB has Laplace's approximation alone, and n_agq is 5"),
    ("glmmTMB", COWS | {"family": "binomial", "start": [1.0]}, "start is an argument of lme4"),
    ("glmmTMB", COWS | {"family": "inverse.gaussian"}, "glmmTMB has no family inverse.gaussian"),
    ("glmmTMB", COUNTS | {"family": "gaussian(log)", "weights": "HEIGHT"}, "weights multiply the likelihood"),
    ("mixedlm", COUNTS | {}, "mixedlm has no form for an estimated shape"),
    ("mixedlm", COUNTS | {"family": "Gamma(log)"}, "mixedlm holds the dispersion of Gamma at 1, which makes another"),
    ("mixedlm", COUNTS | {"family": "poisson", "mustart": "HEIGHT"}, "mustart is an argument of lme4"),
    ("interlace", COWS | {"family": "binomial(probit)"}, "interlace has no link probit of the family binomial"),
    ("interlace", COWS | {"family": "binomial", "n_agq": 0}, "interlace has no form for n_agq=0"),
    ("interlace", COUNTS | {"family": "Gamma(log)"}, "interlace holds the shape of Gamma at 1"),
    ("glmm", COWS | {"family": "binomial", "n_agq": 4}, "glmm has no form for an even number of nodes"),
    ("glmm", COUNTS | {"family": "negative.binomial(2)"}, "glmm has no form for a known shape"),
    ("glmm", COUNTS | {"family": "inverse.gaussian"}, "glmm has no family inverse.gaussian"),
    (EXACT, COWS | {"family": "binomial", "n_agq": 5}, r"gpboost\[cholesky\] has no form for quadrature"),
    (EXACT, COWS | {"family": "binomial(cloglog)"}, r"gpboost\[cholesky\] has no link cloglog"),
    ("lme-python", COUNTS | {"family": "negative.binomial(2)"}, "lme-python has no family negative.binomial"),
    ("lme-python", COUNTS | {"family": "poisson", "offset": "HEIGHT"}, "lme-python has no form for an offset"),
    ("lme-python", COUNTS | {"init_theta": 2.0}, "lme-python has no family negative.binomial"),
    ("glmm", COUNTS | {"init_theta": 2.0}, "init_theta is an argument of lme4"),
]


def specification(formula, data, **given):
    return (GlmerSpec if "family" in given else GlmerNbSpec)(formula=formula, data=load_dataset(data), **given)


@pytest.mark.parametrize(("engine", "model", "reason"), REFUSED)
def test_what_an_engine_has_no_form_for_is_told(engine, model, reason):
    with pytest.raises(NotExpressible, match=reason):
        find(engine).fit(specification(**model))


@pytest.mark.parametrize(("engine", "reason"), NONE.items())
def test_an_engine_without_generalized_models_refuses_each_by_whatever_way_it_is_called(engine, reason):
    for model in ("logit", "ticks", "estimated shape", "gamma"):
        for fit in (find(engine).fit, lambda spec: fit_with(find(engine), spec)):
            with pytest.raises(NotExpressible, match=reason):
                fit(spec_of(model))


@pytest.mark.parametrize("name", engines.names())
def test_no_engine_fits_a_generalized_model_as_another(name):
    engine = find(name)
    for model in ("logit", "estimated shape"):
        try:
            fit = engine.fit(spec_of(model))
        except NotExpressible:
            continue
        assert "glmm" in engine.capabilities
        assert fit.kind == spec_of(model).kind
        assert np.all((fit.fitted_values > 0) & (fit.residual_values < 10))


@pytest.mark.parametrize("name", engines.names())
def test_a_nonlinear_model_is_lme4s_alone(name):
    data = load_dataset("Orange", "datasets")
    spec = NlmerSpec(formula="circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", data=data)
    engine = find(name)
    if name == "lme4":
        assert fit_with(engine, spec).kind is NLMM
        return
    for fit in (engine.fit, lambda spec: fit_with(engine, spec)):
        with pytest.raises(NotExpressible, match=f"^{name.split('[')[0]}.* fits no nonlinear mixed models"):
            fit(spec)


class Unasked:
    """Somebody's engine, which takes any model for a linear one."""

    name = "unasked"
    capabilities = frozenset()

    def fit(self, spec):
        data = spec.data.assign(y=spec.data["incidence"] / spec.data["size"])
        return replace(lmer("y ~ period + (1 | herd)", data).numbers(), engine=self.name)


def test_somebodys_engine_is_given_no_generalized_model_unless_it_says_that_it_fits_them():
    engine = Unasked()
    with pytest.raises(NotExpressible, match="unasked fits no generalized linear mixed models"):
        fit_with(engine, spec_of("logit"))
    engine.capabilities = frozenset({"glmm"})
    with pytest.raises(EngineFailed, match=r"whose kind is lmm of gaussian\(identity\); glmm of binomial\(logit\) is"):
        fit_with(engine, spec_of("logit"))


@pytest.mark.parametrize("family", ["binomial(probit)", "poisson"])
def test_a_fit_of_another_family_or_link_is_no_answer(family):
    answer = find("lme4").fit(specification(**COWS | {"family": "binomial"}))
    asked = specification("incidence ~ period + (1 | herd)", "cbpp", family="poisson")
    asked = asked if family == "poisson" else specification(**COWS | {"family": family})
    engine = type("Other", (), {"name": "other", "capabilities": {"glmm"}, "fit": lambda self, spec: answer})()
    with pytest.raises(EngineFailed, match=r"other returned a Fit whose kind is glmm of binomial\(logit\); glmm of"):
        fit_with(engine, asked)


def test_a_class_with_families_says_how_it_fits_them():
    families = {"poisson": ("log",)}
    told = type("Told", (PlainEngine,), {"name": "told", "families": families, "estimate": lambda self, model: None})
    assert told.capabilities == {"glmm"}
    assert PlainEngine.capabilities == frozenset()
    spec = specification(**COUNTS | {"family": "poisson"})
    with pytest.raises(EngineFailed, match=r"Told has families, and no estimate_glmm\(\) to fit them"):
        told().fit(spec)
    with pytest.raises(InvalidArgument, match="family is 'Poison'"):
        type("Odd", (PlainEngine,), {"families": {"Poison": ("log",)}})
    with pytest.raises(InvalidArgument, match="the link of poisson is 'loog'"):
        type("Odd", (PlainEngine,), {"families": {"poisson": ("loog",)}})


class Handed(PlainEngine):
    """It keeps the model that it is handed, and tells lme4's numbers."""

    name = "handed"
    package = "numpy"
    families = {"binomial": ("logit", "probit"), "negative.binomial": ("log",)}  # noqa: RUF012 - as an adapter has it

    def estimate(self, model):
        raise AssertionError("a generalized model is none for estimate()")

    def estimate_glmm(self, model):
        self.model, fit = model, find("lme4").fit(model.spec)
        return PlainEstimates(
            beta=fit.beta,
            covariance=fit.covariance,
            loglik=fit.loglik,
            covariances=[block.covariance for block in fit.varcorr],
            modes=[group.modes for group in fit.modes],
            fitted=fit.fitted_values,
            converged=True,
        )


def test_a_package_is_handed_proportions_trials_successes_failures_and_the_link():
    engine = Handed()
    cows = load_dataset("cbpp")
    fit = fit_with(engine, spec_of("probit"))
    model = engine.model
    np.testing.assert_array_equal(model.data["y_"], cows["incidence"] / cows["size"])
    np.testing.assert_array_equal(model.data["s_"], cows["incidence"])
    np.testing.assert_array_equal(model.data["f_"], cows["size"] - cows["incidence"])
    np.testing.assert_array_equal(model.weights, cows["size"])
    assert (model.family, model.link, model.shape, model.nodes) == ("binomial", "probit", None, 1)
    ours = find("lme4").fit(spec_of("probit"))
    np.testing.assert_allclose(fit.residual_values, ours.residual_values, atol=1e-6)  # of the deviance
    np.testing.assert_allclose(fit.theta, ours.theta, rtol=1e-12)
    assert (fit.npar, fit.sigma, fit.nobs) == (5, 1.0, 56)
    np.testing.assert_allclose(model.mean(ours.linear_predictor), ours.fitted_values, rtol=1e-12)


def test_a_known_shape_is_handed_and_stands_in_the_fit():
    engine = Handed()
    fit = fit_with(engine, GlmerSpec(formula=TICKS, data=load_dataset("grouseticks"), family="negative.binomial(2)"))
    assert (engine.model.shape, fit.nb_theta, fit.npar) == (2.0, 2.0, 5)
    assert engine.model.weights is None
    ours = find("lme4").fit(engine.model.spec)
    np.testing.assert_allclose(fit.residual_values, ours.residual_values, atol=1e-4)


RESPONSES = {  # a way to write one and the same response
    "cbind": ("cbind(s, n - s) ~ x + (1 | g)", {}),
    "a proportion": ("p ~ x + (1 | g)", {"weights": "n"}),
    "a computed proportion": ("s / n ~ x + (1 | g)", {"weights": "n"}),
}
BINARY = {"a boolean": "b", "zeros and ones": "o", "two levels": "f", "a comparison": "I(n > 3)"}


@pytest.fixture(scope="module")
def frame():
    i = np.arange(120)
    n = 2 + i % 5
    s = (i * 7 % 11) % (n + 1)
    data = load_dataset("sleepstudy").head(120)[[]].assign(x=np.sin(i), g=i % 12, n=n, s=s, p=s / n)
    data["b"] = np.cos(3 * i) > 0.2
    data["o"] = data["b"].astype(int)
    data["f"] = data["b"].map({True: "yes", False: "no"}).astype("category")
    return data


def handed(formula, frame, **given):
    engine = Handed()
    fit_with(engine, GlmerSpec(formula=formula, data=frame, family="binomial", **given))
    weights = engine.model.weights
    return engine.model.data["y_"].to_numpy(), np.ones(len(frame)) if weights is None else weights


@pytest.mark.parametrize("what", RESPONSES)
def test_a_response_is_the_same_however_it_is_written(what, frame):
    formula, given = RESPONSES[what]
    y, weights = handed(formula, frame, **given)
    np.testing.assert_allclose(y, frame["p"], rtol=1e-15)
    np.testing.assert_array_equal(weights, frame["n"])


@pytest.mark.parametrize("what", BINARY)
def test_a_binary_response_is_what_lme4_makes_of_it(what, frame):
    formula = f"{BINARY[what]} ~ x + (1 | g)"
    y, weights = handed(formula, frame)
    ours = find("lme4").fit(GlmerSpec(formula=formula, data=frame, family="binomial")).design()
    np.testing.assert_array_equal(y, ours.y)
    np.testing.assert_array_equal(weights, ours.weights)


def test_the_first_level_that_occurs_is_the_failure_in_whatever_rows_are_used(frame):
    data = frame.assign(f=frame["f"].cat.rename_categories({"no": "b", "yes": "a"}).cat.add_categories("0"))
    data["f"] = data["f"].cat.reorder_categories(["0", "a", "b"])
    data.loc[data.index[5], "x"] = np.nan
    engine = Handed()
    spec = GlmerSpec(formula="f ~ x + (1 | g)", data=data, family="binomial", na_action="exclude")
    fit = fit_with(engine, spec)
    np.testing.assert_array_equal(engine.model.data["y_"], find("lme4").fit(spec).design().y)
    assert (fit.nobs, len(fit.fitted)) == (119, 120)


def test_a_row_without_trials_has_a_meaning_for_lme4_alone(frame):
    data = frame.assign(n=np.where(np.arange(120) == 3, 0, frame["n"]), s=np.where(np.arange(120) == 3, 0, frame["s"]))
    with pytest.raises(NotExpressible, match="a weight is missing or not above zero"):
        handed("cbind(s, n - s) ~ x + (1 | g)", data)


def test_a_linear_fit_has_no_shape_and_its_kind():
    fit = fit_with(
        find("lme4[tight]"), Spec(formula="Reaction ~ Days + (1 | Subject)", data=load_dataset("sleepstudy"))
    )
    assert (fit.engine, fit.kind.name, np.isnan(fit.nb_theta)) == ("lme4[tight]", "lmm", True)
    assert "tolPwrss" not in dict(fit.provenance.versions)


def test_a_tolerance_and_a_control_that_asks_for_another_contradict_each_other():
    given = COWS | {"family": "binomial", "control": {"tolPwrss": 1e-7}}
    with pytest.raises(InvalidArgument, match=r"control asks for tolPwrss 1e-07 of lme4\[tight\]"):
        find("lme4[tight]").fit(specification(**given))
