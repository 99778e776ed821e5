"""`simulate`: R's numbers for the same seed, for the rows of the fit and for new ones."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InputError, InvalidArgument, KnownDefectWarning, MissingValues, NeedsNewer
from lmerbridge.models.kept import model_of
from tests.oracle import MODELS, fitted, plain, same_bits
from tests.processes import in_r

PARTS = {"sleepstudy": "~ (Days | Subject)", "pastes": "~ (1 | batch)", "double_bar": "~ (0 + Days | Subject)"}
DATA = "d <- eval(m@call$data, environment(formula(m)))"


def in_plain_r(fit, arguments, before=""):
    kinds = 'old <- RNGkind("Mersenne-Twister", "Inversion", "Rejection"); on.exit(do.call(RNGkind, as.list(old)))'
    return plain(fit, f"{kinds}; {before}; unlist(simulate(m, {arguments}), use.names = FALSE)")


@pytest.mark.parametrize("name", MODELS)
def test_a_seed_gives_the_numbers_that_it_gives_in_r(name):
    fit = fitted(name)
    drawn = fit.simulate(3, seed=101)
    assert same_bits(drawn, in_plain_r(fit, "3, seed = 101"))
    assert drawn.columns.tolist() == ["sim_1", "sim_2", "sim_3"]
    assert drawn.index.equals(fit.fitted.index)
    assert drawn.attrs == {"seed": 101}
    kept = fit.simulate(2, seed=7, use_u=True)
    assert same_bits(kept, in_plain_r(fit, "2, seed = 7, use.u = TRUE"))
    pd.testing.assert_frame_equal(kept, fit.simulate(2, seed=7, re_form=None))


@pytest.mark.parametrize(("name", "part"), PARTS.items())
def test_random_effects_that_re_form_names_are_kept_and_the_others_drawn(name, part):
    fit = fitted(name)
    assert same_bits(fit.simulate(2, seed=1, re_form=part), in_plain_r(fit, f"2, seed = 1, re.form = {part}"))


@pytest.mark.parametrize("name", MODELS)
def test_new_rows_and_other_parameters_give_r_s_numbers(name):
    fit = fitted(name)
    rows = fit.spec.data.iloc[[8, 3, 29]].set_axis(["x", "y", "z"])
    drawn = fit.simulate(2, seed=5, newdata=rows)
    assert same_bits(drawn, in_plain_r(fit, "2, seed = 5, newdata = d[c(9, 4, 30), ]", DATA))
    assert drawn.index.tolist() == ["x", "y", "z"]
    new = {"beta": fit.beta + 1, "theta": fit.theta * 0.5, "sigma": 2.0}
    in_r = "list(beta = m@beta + 1, theta = m@theta * 0.5, sigma = 2)"
    assert same_bits(fit.simulate(2, seed=5, newparams=new), in_plain_r(fit, f"2, seed = 5, newparams = {in_r}"))


def test_new_levels_are_drawn_where_they_are_allowed():
    fit = fitted("penicillin")
    new = fit.spec.data.iloc[:2].assign(plate=["new", "other"])
    drawn = fit.simulate(2, seed=5, newdata=new, allow_new_levels=True)
    made = f"{DATA}; d <- d[1:2, ]; d$plate <- c('new', 'other')"
    assert same_bits(drawn, in_plain_r(fit, "2, seed = 5, newdata = d, allow.new.levels = TRUE", made))
    with pytest.raises(InvalidArgument, match="'new', 'other' for 'plate' in rows 0, 1"):
        fit.simulate(newdata=new)


def test_without_a_seed_each_call_draws_one_and_tells_it():
    fit = fitted("pastes")
    first, second = fit.simulate(), fit.simulate()
    assert not first.equals(second)
    pd.testing.assert_frame_equal(first, fit.simulate(seed=first.attrs["seed"]))
    assert pickle.loads(pickle.dumps(first)).attrs == first.attrs


def test_the_session_s_own_generator_goes_on_as_if_nothing_had_been_drawn():
    fit = fitted("pastes")
    worker = model_of(fit).worker
    state = "c(RNGkind(), .Random.seed[1:3])"
    in_r('RNGkind("Wichmann-Hill", "Ahrens-Dieter"); set.seed(1)', worker)
    try:
        before = in_r(state, worker)
        assert same_bits(fit.simulate(2, seed=101), in_plain_r(fit, "2, seed = 101"))
        in_r("set.seed(1)", worker)
        before = in_r(state, worker)
        fit.simulate(2, seed=101)
        assert in_r(state, worker) == before
    finally:
        in_r('RNGkind("default", "default", "default")', worker)


@pytest.mark.slow
@pytest.mark.parametrize("re_form", ["~0", "~ (1 | h)", None])
def test_rows_that_the_fit_left_out_are_no_part_of_it_and_excluded_ones_are_nan(sleepstudy, re_form):
    """lme4 errs there for all but the first, and pads what it draws for new data by the rows of the old."""
    frame = sleepstudy.assign(h=np.resize(list("pqrs"), 180), z=1000.0 * (np.arange(180) % 2))
    frame.loc[[3, 50], "Days"] = np.nan
    frame.loc[77, "h"] = None
    given = {"subset": frame["Reaction"] > 250, "offset": "z"}
    omitted, excluded = (
        lmer("Reaction ~ Days + (Days | Subject) + (1 | h)", frame, na_action=action, **given)
        for action in ("omit", "exclude")
    )
    drawn = omitted.simulate(400, seed=1, re_form=re_form)
    assert drawn.index.equals(omitted.fitted.index)
    off = (drawn.mean(axis=1) - omitted.predict(re_form=re_form)) / (drawn.std(axis=1) / 20)
    assert off.abs().max() < 5  # standard errors
    padded = excluded.simulate(400, seed=1, re_form=re_form)
    pd.testing.assert_frame_equal(padded.dropna(), drawn)
    assert padded.index.equals(excluded.fitted.index)
    plainly = lmer("Reaction ~ Days + (Days | Subject) + (1 | h)", frame, na_action="exclude")
    assert plainly.simulate(newdata=frame.iloc[:3], seed=1, re_form=re_form).index.tolist() == [0, 1, 2]


def spread_between(drawn, column):
    """The standard deviation, over the draws, of the effects of a factor's levels: half the variance of differences."""
    of_level = drawn.groupby(column.astype(str)).mean()
    return np.sqrt(np.mean(np.var(np.diff(of_level, axis=0), axis=1)) / 2)


@pytest.mark.parametrize(
    ("kept", "rows", "drawn"),
    [("~ (1 | plate)", slice(None), "sample"), ("~ (1 | sample)", slice(None), "plate"), ("~0", slice(18), "sample")],
)
def test_each_term_is_drawn_with_its_own_variance_where_lme4_takes_another_s(kept, rows, drawn):
    """lme4's simulate() gives samples the variance of plates: 0.85 mm for 1.93 mm."""
    fit = fitted("penicillin")
    new = fit.spec.data.iloc[rows]
    expect = None if drawn == "plate" else KnownDefectWarning
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        draws = fit.simulate(2000, seed=1, re_form=kept, newdata=None if rows == slice(None) else new)
    assert [w.category for w in given] == ([expect] if expect else [])
    variance = fit.varcorr[drawn].covariance.item() + fit.sigma**2 * new[drawn].nunique() / len(new)
    assert spread_between(draws, new[drawn]) == pytest.approx(np.sqrt(variance), rel=0.05)


def test_residuals_have_the_variance_that_the_weights_say_though_lme4_leaves_them_out(sleepstudy):
    weights = np.where(np.arange(180) % 2 == 0, 0.01, 1.0)
    fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy, weights=weights)
    for use_u in (True, False):
        with pytest.warns(KnownDefectWarning, match="it leaves weights out"):
            drawn = fit.simulate(200, seed=1, use_u=use_u).to_numpy()
        theirs = in_plain_r(fit, f"200, seed = 1, use.u = {str(use_u).upper()}").reshape(-1, 200, order="F")
        assert np.allclose(drawn[1::2], theirs[1::2], rtol=1e-12)  # where weights are one
        residual = (drawn[::2] - drawn[::2].mean(axis=1, keepdims=True)) if use_u else 10 * (drawn - theirs)[::2] / 9
        assert residual.std() == pytest.approx(10 * fit.sigma, rel=0.03)  # standard errors of 90 x 200 draws: 0.5 %


def test_missing_values_in_new_rows_are_an_error(sleepstudy):
    new = sleepstudy.iloc[:4].copy()
    new.loc[2, "Days"] = np.nan
    with pytest.raises(MissingValues, match="newdata lacks values in row 2"):
        fitted("sleepstudy").simulate(newdata=new)


def test_the_offset_argument_is_never_left_out_silently(sleepstudy):
    fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy, offset=1000.0 * (np.arange(180) % 2))
    assert same_bits(fit.simulate(seed=1, use_u=True), in_plain_r(fit, "1, seed = 1, use.u = TRUE"))
    with pytest.raises(InvalidArgument, match="offset= argument"):
        fit.simulate(newdata=sleepstudy)


def test_a_part_of_a_random_term_cannot_be_kept_since_lme4_would_draw_it_as_well():
    with pytest.raises(InvalidArgument, match=r"\(1 \| Subject\); simulate takes .* whole: \(Days \| Subject\)"):
        fitted("sleepstudy").simulate(re_form="~ (1 | Subject)")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nsim": 0}, "nsim is 0"),
        ({"nsim": 2.5}, r"nsim is 2\.5"),
        ({"seed": 2**31}, "seed is 2147483648"),
        ({"seed": "one"}, "seed is 'one'"),
        ({"use_u": True, "re_form": None}, "use_u is True and re_form None"),
        ({"newparams": {"sigma": [1, 2]}}, r"newparams\['sigma'\]"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        fitted("pastes").simulate(**arguments)


def test_random_effects_may_have_another_distribution_or_the_error_names_the_version():
    fit = fitted("pastes")
    if not lme4_has("simulate_cluster_rand"):
        with pytest.raises(NeedsNewer, match=r"simulate\(cluster\.rand =\) needs lme4 1\.1-37"):
            fit.simulate(cluster_rand="stats::rexp")
        return
    drawn = fit.simulate(2, seed=3, cluster_rand="stats::rexp")
    assert same_bits(drawn, in_plain_r(fit, "2, seed = 3, cluster.rand = stats::rexp"))
    with pytest.raises(InvalidArgument, match="cluster_rand is 'rexp'"):
        fit.simulate(cluster_rand="rexp")


@pytest.mark.parametrize("rows", [slice(None), slice(3, 60)])
@pytest.mark.parametrize("use_u", [True, False])
def test_given_weights_scale_the_errors_and_nothing_else(sleepstudy, use_u, rows):
    fit, weights = fitted("sleepstudy"), np.where(np.arange(180) % 2 == 0, 0.25, 1.0)
    new = {} if rows == slice(None) else {"newdata": sleepstudy[rows].assign(w=weights[rows])}
    plainly = fit.simulate(2, seed=3, use_u=use_u, **new)
    means = fit.predict(**new)
    with pytest.warns(KnownDefectWarning, match="it leaves weights out"):
        drawn = fit.simulate(2, seed=3, use_u=use_u, weights="w" if new else weights, **new)
    light = weights[rows] < 1
    assert np.allclose(drawn[~light], plainly[~light], rtol=1e-12)
    if use_u:
        assert np.allclose(drawn.sub(means, axis=0)[light], 2 * plainly.sub(means, axis=0)[light], rtol=1e-9)
    else:
        assert not np.allclose(drawn[light], plainly[light], atol=1)
    pd.testing.assert_frame_equal(fit.simulate(2, seed=3, use_u=use_u, weights=np.ones(len(drawn)), **new), plainly)


def test_weights_that_are_given_take_the_place_of_the_fit_s_own(sleepstudy):
    weights = np.where(np.arange(180) % 2 == 0, 0.01, 1.0)
    fit = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy, weights=weights, subset=np.arange(180) % 3 > 0)
    assert same_bits(fit.simulate(2, seed=1, weights=np.ones(180)), in_plain_r(fit, "2, seed = 1"))
    with pytest.warns(KnownDefectWarning):
        own, given = fit.simulate(2, seed=1), fit.simulate(2, seed=1, weights=weights)
    pd.testing.assert_frame_equal(own, given)


@pytest.mark.parametrize(
    "weights", [np.ones(3), np.full(180, -1.0), np.full(180, np.nan), np.full(180, np.inf), ["a"] * 180, "none", 2.0]
)
def test_weights_that_are_none_are_refused(weights):
    with pytest.raises(InputError, match="weights"):
        fitted("sleepstudy").simulate(weights=weights)
