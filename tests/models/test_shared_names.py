"""Random terms of one group that share the name of a column: each goes by its place, in every verb."""

import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset, params_template, simulate_formula
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, KnownDefectWarning
from lmerbridge.models.intervals.parameters import parameter_places, random_parameters
from tests.oracle import plain, same_bits

WEIGHTED = {"weights": "w"}
MODELS = {  # random terms, arguments
    "twice": ("(1 | Subject) + (1 | Subject)", {}),
    "both": ("(1 | Subject) + (Days | Subject)", {}),
    "reversed": ("(Days | Subject) + (1 | Subject)", {"reml": False}),
    "double bar": ("(Days || Subject) + (1 | Subject)", {}),
    "three": ("(1 | Subject) + (0 + Days | Subject) + (Days | Subject)", {}),
    "nested": ("(1 | Subject / h) + (Days | Subject)", {}),
    "another first": ("(1 | h) + (Days | Subject) + (1 | Subject)", {}),
    "basis": ("(1 | h) + (poly(Days, 2) | Subject) + (1 | Subject)", {}),
    "factor": ("(late | Subject) + (1 | Subject) + (1 | h) + (0 + Days | h)", {}),
    "offset": ("(1 | Subject) + (Days | Subject) + offset(z)", {}),
    "weights": ("(1 | Subject) + (Days | Subject)", WEIGHTED),
    "diagonal": ("(1 | h) + diag(Days | Subject) + (Days | Subject)", {}),
    "all": ("(1 | h) + (Days || Subject) + (Days | Subject) + (1 | Subject) + offset(z)", WEIGHTED),
}
INTERCEPT, SLOPE = ("(Intercept)",), ("(Intercept)", "Days")
KEPT = [  # of a model, some terms as a whole, and the group and columns of each
    ("twice", "~ (1 | Subject) + (1 | Subject)", [("Subject", INTERCEPT)]),
    ("both", "~ (1 | Subject)", [("Subject", INTERCEPT)]),
    ("both", "~ (Days | Subject)", [("Subject", SLOPE)]),
    ("reversed", "~ (Days | Subject)", [("Subject", SLOPE)]),
    ("three", "~ (Days | Subject) + (1 | Subject)", [("Subject", SLOPE), ("Subject", INTERCEPT)]),
    ("three", "~ (0 + Days | Subject)", [("Subject", ("Days",))]),
    ("nested", "~ (1 | Subject / h)", [("h:Subject", INTERCEPT), ("Subject", INTERCEPT)]),
    ("another first", "~ (1 | Subject)", [("Subject", INTERCEPT)]),
    ("another first", "~ (1 | h) + (Days | Subject)", [("h", INTERCEPT), ("Subject", SLOPE)]),
    ("factor", "~ (1 | Subject) + (0 + Days | h)", [("Subject", INTERCEPT), ("h", ("Days",))]),
    ("offset", "~ (1 | Subject)", [("Subject", INTERCEPT)]),
    ("weights", "~ (Days | Subject)", [("Subject", SLOPE)]),
]
NSIM = 4000
SIMULATED = "unlist(simulate(m, {}), use.names = FALSE)"


@cache
def frame():
    data = load_dataset("sleepstudy").iloc[:100]
    at = np.arange(len(data))
    return data.assign(
        h=np.resize(list("pqrst"), len(data)),
        late=np.where(data["Days"] > 4, "yes", "no"),
        w=np.where(at % 3 == 0, 0.25, 1 + at % 2),
        z=10.0 * (at % 4),
    )


@cache
def shared(name):
    """Fit a model whose variances the data cannot tell apart, as lme4 warns."""
    random, arguments = MODELS[name]
    if name == "diagonal" and not lme4_has("structured_covariance"):
        pytest.skip("lme4 before 2.0-1 has no covariance structures")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lmer(f"Reaction ~ Days + {random}", frame(), **arguments)


def other_parameters(fit):
    """Parameters with which no two terms have the same variance."""
    return {"beta": fit.beta, "theta": np.linspace(0.3, 1.8, len(fit.theta)), "sigma": 20.0}


def in_plain_r(fit, arguments):
    return plain(fit, f"RNGkind('Mersenne-Twister', 'Inversion', 'Rejection'); {SIMULATED.format(arguments)}")


def moments(fit, parameters, kept=(), weights=None):
    """Mean and covariance of the response by the definition of the model, where some terms keep their effects."""
    keeps = np.repeat([(block.group, block.terms) in kept for block in fit.varcorr], np.diff(fit.get_me("Gp")))
    root = fit.get_me("Lambdat").copy()
    root.data = np.asarray(parameters["theta"])[fit.get_me("Lind")]
    effects = (fit.get_me("Z") @ root.T).toarray()
    mean = fit.get_me("X").to_numpy() @ parameters["beta"] + fit.get_me("offset").to_numpy()
    mean += effects[:, keeps] @ fit.get_me("u").to_numpy()[keeps]
    drawn, weights = effects[:, ~keeps], fit.weights() if weights is None else weights
    return mean, parameters["sigma"] ** 2 * (drawn @ drawn.T + np.diag(1 / np.asarray(weights)))


def draw(fit, **arguments):
    """Draw at other parameters than the fit's, whatever lme4 would draw."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", KnownDefectWarning)
        return fit.simulate(NSIM, newparams=other_parameters(fit), **arguments).to_numpy()


def check(drawn, mean, covariance):
    """Check means, covariances and the whole quadratic form of draws, in standard errors."""
    variances, left = np.diag(covariance), drawn - mean[:, None]
    assert np.abs(left.mean(axis=1) / np.sqrt(variances / NSIM)).max() < 5  # of 100
    error = np.sqrt((np.outer(variances, variances) + covariance**2) / NSIM)
    assert np.abs((np.cov(drawn) - covariance) / error).max() < 6  # of 5,050
    form = np.sum(left * np.linalg.solve(covariance, left))  # chi-squared
    assert abs(form - left.size) < 5 * np.sqrt(2 * left.size)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_draws_have_the_model_s_own_means_and_covariances(name):
    fit = shared(name)
    check(draw(fit, seed=1), *moments(fit, other_parameters(fit)))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "re_form", "kept"), KEPT)
def test_a_term_that_is_kept_has_its_own_effects_and_the_others_their_own_variances(name, re_form, kept):
    fit = shared(name)
    check(draw(fit, seed=2, re_form=re_form), *moments(fit, other_parameters(fit), kept))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_new_rows_that_order_the_groups_otherwise_are_drawn_by_the_model(name):
    fit, rows = shared(name), np.r_[70:80, 40:50, 5:10]
    assert frame()["Subject"].iloc[rows].nunique() < frame()["h"].iloc[rows].nunique()
    weights = np.where(np.arange(100) % 2, 1.0, 0.3)
    mean, covariance = moments(fit, other_parameters(fit), weights=weights)
    drawn = draw(fit, seed=3, newdata=frame().iloc[rows], weights=weights[rows])
    check(drawn, mean[rows], covariance[np.ix_(rows, rows)])


@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name][1] is not WEIGHTED])
def test_a_seed_gives_r_s_numbers_where_r_is_right_and_no_warning(name):
    fit = shared(name)
    assert same_bits(fit.simulate(3, seed=5), in_plain_r(fit, "3, seed = 5"))
    given = "list(beta = m@beta, theta = seq(0.3, 1.8, length.out = length(m@theta)), sigma = 20)"
    drawn = fit.simulate(3, seed=5, newparams=other_parameters(fit))
    assert np.allclose(np.ravel(drawn, "F"), in_plain_r(fit, f"3, seed = 5, newparams = {given}"), rtol=1e-12)
    boot = fit.bootstrap(lambda replicate: replicate.response[[0, 99]], nsim=2, seed=5)
    assert same_bits(boot.t, np.reshape(in_plain_r(fit, "2, seed = 5"), (2, -1))[:, [0, 99]].ravel("F"))


def test_r_keeps_the_effects_of_another_term_and_a_warning_says_so():
    fit = shared("both")
    with pytest.warns(KnownDefectWarning, match="effects of the wrong term where two of a group share a name"):
        drawn = fit.simulate(2, seed=5, use_u=True)
    theirs = np.reshape(in_plain_r(fit, "2, seed = 5, use.u = TRUE"), drawn.shape, "F")
    wrong = np.reshape(plain(fit, "unname(predict(m, re.form = NULL, random.only = TRUE))"), -1)
    right = fit.predict(random_only=True)
    assert np.abs(wrong - right).max() > 11
    assert np.allclose(drawn - theirs, (right - wrong).to_numpy()[:, None], atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_of_each_term_s_own_effects(name):
    fit = shared(name)
    fitted = fit.fitted.to_numpy()
    assert np.allclose(fit.predict(frame()), fitted, rtol=1e-12)
    shuffled = frame().sample(20, random_state=1)
    assert np.allclose(fit.predict(shuffled), fit.fitted[shuffled.index], rtol=1e-12)
    fixed = fit.predict(frame(), re_form="~0")
    assert np.allclose(fixed + fit.predict(frame(), random_only=True), fitted, rtol=1e-12)
    assert np.allclose(fixed + fit.predict(random_only=True), fitted, rtol=1e-12)
    new = frame().iloc[:3].assign(Subject="new", h="new")
    assert np.allclose(fit.predict(new, allow_new_levels=True), fixed[:3], rtol=1e-12)


@pytest.mark.parametrize(("name", "re_form", "kept"), KEPT)
def test_the_prediction_of_a_term_has_its_effects_alone(name, re_form, kept):
    fit = shared(name)
    mean, _ = moments(fit, {"beta": 0 * fit.beta, "theta": fit.theta, "sigma": fit.sigma}, kept)
    effects = mean - fit.get_me("offset")
    for newdata in (None, frame()):
        assert np.allclose(fit.predict(newdata, re_form=re_form, random_only=True), effects, rtol=1e-9, atol=1e-9)
        whole = fit.predict(newdata, re_form=re_form) - fit.predict(newdata, re_form="~0")
        assert np.allclose(whole, effects, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["both", "another first", "factor"])
def test_standard_errors_of_predictions_are_by_term_too(name):
    fit = shared(name)
    joint = fit.vcov_full().to_numpy()
    design = np.hstack([fit.get_me("Z").toarray(), fit.get_me("X")])
    variances = np.einsum("ij,jk,ik->i", design, joint, design)
    for newdata in (None, frame()):
        assert np.allclose(fit.predict(newdata, se_fit=True)["se_fit"], np.sqrt(variances), rtol=1e-8)


def test_a_formula_that_may_mean_two_terms_is_refused():
    with pytest.raises(InvalidArgument, match=r"\(1 \+ Days \| Subject\), and several .* effects of 1 by 'Subject'"):
        shared("both").predict(re_form="~ (1 + Days | Subject)")
    for verb in (shared("twice").predict, shared("twice").simulate):
        with pytest.raises(InvalidArgument, match=r"has \(1 \| Subject\) 1 times, the fit 2 times"):
            verb(re_form="~ (1 | Subject)")
    alone = shared("another first").predict(re_form="~ (0 + Days | Subject)", random_only=True)
    slopes = shared("another first").ranef["Subject"]["Days"][frame()["Subject"]].to_numpy()
    assert np.allclose(alone, slopes * frame()["Days"])


@pytest.mark.parametrize("name", MODELS)
def test_modes_and_their_sums_are_listed_by_term(name):
    fit = shared(name)
    table, conditional = fit.ranef_table(), fit.cond_var()
    for modes in fit.modes:
        own = table[table["group"] == modes.group]
        assert own["term"].tolist() == list(np.repeat(modes.terms, len(modes.levels)))
        assert own["level"].tolist() == list(modes.levels) * len(modes.terms)
        assert np.array_equal(own["estimate"], modes.modes.T.ravel())
        assert np.allclose(own["std_error"], conditional[modes.group].sd.to_numpy().T.ravel(), rtol=1e-6)
        for term in set(modes.terms):
            of_term = modes.modes[:, [other == term for other in modes.terms]].sum(axis=1)
            right = fit.fixef.get(term, 0.0) + of_term
            assert np.allclose(fit.coef[modes.group][term], right, rtol=1e-12)
    assert np.array_equal(fit.tidy("ran_vals")["estimate"], table["estimate"])
    (group, *_) = [modes.group for modes in fit.modes]
    assert len(fit.plot_ranef(group)) == len(fit.modes[0].terms)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_of_replicates_stand_under_their_own_names(name):
    fit = shared(name)
    boot = fit.bootstrap(nsim=3, seed=7)
    random = random_parameters(fit.varcorr)["sdcor"]
    assert np.allclose(boot.t0[random.index], random, rtol=1e-12, equal_nan=True)
    assert boot.t.columns.equals(fit.parameters.index)
    by_block = fit.bootstrap(lambda r: random_parameters(r.varcorr)["sdcor"], nsim=3, seed=7)
    pd.testing.assert_frame_equal(boot.t[random.index], by_block.t, rtol=1e-12)
    first = boot.confint(level=0.5)
    assert np.array_equal(fit.confint(method="boot", nsim=3, seed=7, level=0.5)["conf_low"], first["conf_low"])


def test_power_draws_from_each_term_s_own_variance():
    fit, seen = shared("both"), []
    given = other_parameters(fit)
    fit.power(lambda r: bool(seen.append(r.response)), nsim=2, seed=5, theta=given["theta"], sigma=given["sigma"])
    assert np.allclose(np.transpose(seen), fit.simulate(2, seed=5, newparams=given), rtol=1e-12)


@pytest.mark.parametrize("name", ["both", "another first", "three"])
def test_the_deviance_and_the_intervals_find_parameters_by_place(name):
    fit = shared(name)
    deviance = fit.devfun2()
    assert same_bits(deviance.optimum, plain(fit, 'attr(devfun2(m), "optimum")')[parameter_places(fit)])
    random = random_parameters(fit.varcorr)["sdcor"]
    moved = random.where(random.index.str.startswith("cor_"), random * 1.1)
    in_rs_order = np.empty(len(moved))
    in_rs_order[parameter_places(fit)[: len(moved)]] = moved
    assert deviance(moved) == plain(fit, f"devfun2(m)(c({', '.join(map(repr, in_rs_order.tolist()))}))")[0]
    fixed = fit.confint("Days", method="Wald")[["conf_low", "conf_high"]]
    assert same_bits(fixed, plain(fit, "as.vector(confint(m, 'Days', method = 'Wald'))"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sigma", "sd_Days|Subject"])
def test_the_profile_of_a_parameter_is_that_of_its_place(name):
    fit = shared("another first")
    place = parameter_places(fit)[fit.parameters.index.get_loc(name)] + 1
    theirs = plain(fit, f"as.vector(confint(suppressWarnings(profile(m, {place}))))")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert same_bits(fit.confint(name)[["conf_low", "conf_high"]], theirs)


def test_correlations_of_a_second_term_are_checked_too():
    fit = shared("basis")
    values = fit.devfun2().optimum[:-2].copy()
    values[values.index.str.startswith("cor_")] = [1.0, 1.0, -1.0]
    with pytest.raises(InvalidArgument, match="not those of a correlation matrix"):
        fit.devfun2()(values)


def test_a_refit_finds_what_r_finds():
    fit = shared("both")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = fit.refit(fit.simulate(1, seed=3)["sim_1"])
    assert np.allclose(again.fixef, plain(fit, f"fixef(refit(m, {SIMULATED.format('1, seed = 3')}))"), rtol=1e-3)
    assert again.varcorr.blocks[1].terms == SLOPE


def test_influence_has_the_components_of_each_term_by_place():
    fit = shared("both")
    found = fit.influence("Subject")
    variances = [block.covariance[np.tril_indices(len(block.terms))] for block in fit.varcorr]
    assert np.allclose(found.var_cov_comps, np.concatenate([[fit.sigma**2], *variances]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        without = fit.update(data=frame()[frame()["Subject"] != "309"])
    assert np.allclose(found.fixed_effects_without.loc["309"], without.fixef, rtol=1e-3)


def test_means_are_those_of_emmeans():
    fit = shared("both")
    table = fit.emmeans("Days", at={"Days": [0, 9]}, ddf="asymptotic").frame
    code = "g <- emmeans::emmeans(m, 'Days', at = list(Days = c(0, 9)), lmer.df = 'asymptotic'); s <- summary(g)"
    assert same_bits(table[["estimate", "std_error"]], plain(fit, f"{code}; c(s$emmean, s$SE)"))


def test_a_model_without_a_fit_draws_what_the_fit_draws():
    fit, random = shared("both"), MODELS["both"][0]
    template = params_template(f"~ Days + {random}", frame())
    assert template.theta.index.tolist() == [
        "Subject.(Intercept)",
        "Subject.(Intercept).1",
        "Subject.Days.(Intercept)",
        "Subject.Days",
    ]
    given = other_parameters(fit)
    named = dict(zip(template.theta.index, given["theta"], strict=True))
    drawn = simulate_formula(
        f"~ Days + {random}", frame(), beta=given["beta"], theta=named, sigma=given["sigma"], nsim=2, seed=5
    )
    assert np.allclose(drawn, fit.simulate(2, seed=5, newparams=given), rtol=1e-12)
