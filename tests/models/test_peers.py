"""What other packages hold of linear mixed models, on their own data: a row names its source.

The values are those that these suites print, to the digits they print, or a sentence of theirs that is true of every
version. What is not here is in `test_exact`, which holds all numbers to R's bits.
"""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerControl, lmer, load_dataset
from lmerbridge.errors import InvalidArgument, RWarning
from tests.fits import fit_of

SLOPES = ("Reaction ~ Days + (Days | Subject)", "sleepstudy")
INTERCEPTS = ("Reaction ~ Days + (1 | Subject)", "sleepstudy")
DYESTUFF = ("Yield ~ 1 + (1 | Batch)", "Dyestuff")
PENICILLIN = ("diameter ~ (1 | plate) + (1 | sample)", "Penicillin")
PASTES = ("strength ~ (1 | batch / cask)", "Pastes")

VALUES = {  # source -> model, REML, what is asked, the value
    "lme4 test-lmer: criterion at 1": (DYESTUFF, True, lambda fit: fit.devfun()([1.0]), 319.792389042002),
    "lme4 test-lmer: criterion at 0": (DYESTUFF, True, lambda fit: fit.devfun()([0.0]), 326.023232155879),
    "lme4 test-lmer: REMLcrit": (DYESTUFF, True, lambda fit: fit.reml_crit, 319.654276842342),
    "lme4 test-methods: Wald": (
        INTERCEPTS,
        True,
        lambda fit: fit.confint("beta_", method="Wald")[["conf_low", "conf_high"]],
        [232.301892, 270.508318, 8.891041, 12.043531],
    ),
    "lme4 test-methods: hatvalues": (INTERCEPTS, True, lambda fit: fit.hatvalues()[:2], [0.1074833112, 0.1020961058]),
    "lme4 test-methods: rstudent": (INTERCEPTS, True, lambda fit: fit.rstudent()[:2], [-1.455982709, -1.496645435]),
    "lme4 test-methods: cooks.distance": (INTERCEPTS, True, lambda fit: fit.cooks_distance()[:1], [0.1276459767]),
    "lme4 test-methods: cooks.distance of subjects": (
        INTERCEPTS,
        True,
        lambda fit: fit.influence("Subject").cooks_distance()[:2],
        [0.33921460279262, 0.290309061006305],
    ),
    "lme4 test-predict: one random term of two": (
        PENICILLIN,
        True,
        lambda fit: fit.predict().iloc[:3],
        [25.9638, 22.7663, 25.7147],
    ),
    "lmerTest test_anova: no effect of 17 degrees": (
        SLOPES,
        True,
        lambda fit: fit.anova(ddf="Satterthwaite").frame["den_df"],
        [17.0],
    ),
    "MixedModels pls: Dyestuff": (
        DYESTUFF,
        False,
        lambda fit: [fit.deviance_of(), fit.theta[0], fit.hatvalues().sum()],
        [327.32705988112673, 0.7525806540, 4.695160262],
    ),
    "MixedModels pls: penicillin": (
        PENICILLIN,
        False,
        lambda fit: [fit.deviance_of(), *fit.theta],
        [332.1883486700085, 1.5375939046, 3.2197921931],
    ),
    "MixedModels pls: pastes": (PASTES, False, lambda fit: [fit.deviance_of()], [247.9944658624955]),
    "MixedModels pls: sleepstudy": (
        SLOPES,
        False,
        lambda fit: [fit.deviance_of(), *fit.std_errors, fit.hatvalues().sum()],
        [1751.9393444636682, 6.6322953127, 1.5022387911, 28.611653305],
    ),
    "statsmodels test_lme: pastes": (
        PASTES,
        False,
        lambda fit: [fit.fixef.iloc[0], fit.sigma**2, fit.aic, fit.bic],
        [60.0533, 0.67799, 255.9944, 264.3718],
    ),
    "broom.mixed test-lme4: profile": (
        INTERCEPTS,
        True,
        lambda fit: fit.tidy("ran_pars", conf_int=True, conf_method="profile")[["conf_low", "conf_high"]],
        [26.00712, 52.9359, 27.81384, 34.59104],
    ),
}


@pytest.mark.parametrize("source", VALUES)
def test_a_value_that_a_peer_prints_is_ours(source):
    model, reml, ask, value = VALUES[source]
    found = np.ravel(ask(fit_of(*model, reml=reml))).astype(float)
    np.testing.assert_allclose(found, np.ravel(value), rtol=5e-5)  # the digits printed, and one optimizer or another


SAME = {  # source -> two ways to one thing
    "lme4 test-doubleVertNotation": (
        lambda data: lmer("Reaction ~ Days + (Days || Subject)", data).theta,
        lambda data: lmer("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", data).theta,
    ),
    "lme4 test-predict: all terms are no formula": (
        lambda data: lmer(SLOPES[0], data).predict(data, re_form="~ (Days | Subject)"),
        lambda data: lmer(SLOPES[0], data).predict(data),
    ),
    "lme4 test-predict: fixed and random parts add up": (
        lambda data: (
            lmer(SLOPES[0], data).predict(data, random_only=True) + lmer(SLOPES[0], data).predict(data, re_form="~0")
        ),
        lambda data: lmer(SLOPES[0], data).predict(data),
    ),
    "lme4 predict_basis.R: one polynomial": (
        lambda data: lmer("Reaction ~ poly(Days, 2) + (1 | Subject)", data).predict(data, re_form="~0"),
        lambda data: lmer("Reaction ~ poly(Days, 2, raw = TRUE) + (1 | Subject)", data).predict(data, re_form="~0"),
    ),
    "lme4 offset.R: a known slope": (
        lambda data: np.add(lmer("Reaction ~ Days + offset(3 * Days) + (1 | Subject)", data).fixef, [0, 3]),
        lambda data: lmer(INTERCEPTS[0], data).fixef,
    ),
    "lme4 priorWeights.R: a common weight": (
        lambda data: lmer(SLOPES[0], data, reml=False, weights=np.full(180, 5.0)).fitted,
        lambda data: lmer(SLOPES[0], data, reml=False).fitted,
    ),
    "MixedModels predict: without the response": (
        lambda data: lmer(INTERCEPTS[0], data).predict(data.drop(columns="Reaction")),
        lambda data: lmer(INTERCEPTS[0], data).fitted,
    ),
    "lmerTest test_ranova_step: 0 + x is -1 + x": (
        lambda data: lmer("Reaction ~ Days + (0 + Days | Subject)", data).ranova().frame[["loglik", "lrt"]],
        lambda data: lmer("Reaction ~ Days + (-1 + Days | Subject)", data).ranova().frame[["loglik", "lrt"]],
    ),
}


@pytest.mark.parametrize("source", SAME)
def test_two_ways_that_a_peer_holds_to_be_one_are_one_here(source, sleepstudy):
    one, other = (np.asarray(way(sleepstudy), float) for way in SAME[source])
    np.testing.assert_allclose(one, other, rtol=5e-5)  # where two fits end is not one point


def test_a_closed_form_of_one_balanced_factor_is_found():  # lme4 falsezero_dorie.R
    data = load_dataset("Dyestuff")
    means = data.groupby("Batch", observed=True)["Yield"].mean()
    within = ((data["Yield"] - data["Batch"].map(means).astype(float)) ** 2).sum()
    between = 5 * ((means - data["Yield"].mean()) ** 2).sum()
    theta = np.sqrt(max((5 - 1) / 5 * between / within - 1 / 5, 0))
    np.testing.assert_allclose(fit_of(*DYESTUFF, reml=False).theta, [theta], rtol=5e-5)


@pytest.mark.parametrize("optimizer", ["bobyqa", "nloptwrap", "Nelder_Mead"])
def test_an_optimizer_that_is_stopped_says_so(optimizer, sleepstudy):  # lme4 test-lmer
    limit = {"maxeval" if optimizer == "nloptwrap" else "maxfun": 3}
    with pytest.warns(RWarning, match=r"convergence code|maximum number of function|failure to converge in 3"):
        lmer(SLOPES[0], sleepstudy, control=LmerControl(optimizer=optimizer, opt_ctrl=limit))


def test_models_of_as_many_parameters_have_no_p_value(sleepstudy):  # lme4 test-methods, pymer4 test_lmer
    table = fit_of(*INTERCEPTS).anova(lmer("Reaction ~ Days + (0 + Days | Subject)", sleepstudy)).frame
    assert table["p_value"].isna().all()
    assert table["p_value"].dtype == float


def test_new_levels_are_named_unless_they_are_allowed():  # lme4 test-predict
    fit, new = fit_of(*SLOPES), pd.DataFrame({"Days": [0, 9], "Subject": ["new1", "new2"]})
    with pytest.raises(InvalidArgument, match=r"new1.*new2"):
        fit.predict(new)
    allowed = fit.predict(new, allow_new_levels=True)
    pd.testing.assert_series_equal(allowed, fit.predict(new, re_form="~0"))
