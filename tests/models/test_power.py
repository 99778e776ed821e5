"""Power by simulation, against power that is known."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, nct, t

from lmerbridge import lmer, load_dataset
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.resample.groups import resize
from lmerbridge.models.resample.power import Power
from lmerbridge.models.resample.refits import Refits
from tests.oracle import fitted, plain

SEED = 5
NOTHING = pd.DataFrame({"replicate": pd.Series(dtype="int64"), "message": pd.Series(dtype="str")})


@pytest.fixture(scope="module")
def trial():
    """Two arms of eight subjects, five measurements each."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(16), 5)
    arm, visit = np.where(subject < 8, 0.0, 1.0), np.tile(np.arange(5.0), 16)
    y = 3 + rng.normal(size=16)[subject] + rng.normal(size=80)
    data = pd.DataFrame({"y": y, "arm": arm, "visit": visit, "subject": subject.astype(str), "centre": subject % 4})
    return lmer("y ~ arm + visit + (1 | subject)", data)


def between(groups, effect, alpha=0.05):
    """Power of the t test of an arm whose subjects have a mean of five visits: exact, as the design is balanced."""
    error = np.sqrt(4 * (1 + 1 / 5) / groups)
    df, limit = groups - 2, t.ppf(1 - alpha / 2, groups - 2)
    return nct.sf(limit, df, effect / error) + nct.cdf(-limit, df, effect / error)


UNIT = {"sigma": 1.0, "theta": [1.0]}  # variances of one


@pytest.mark.slow
@pytest.mark.parametrize("effect", [0.0, -1.2, 1.6])
def test_power_is_that_of_the_noncentral_t(trial, effect):
    found = trial.power("arm", 600, df=14, beta={"arm": effect}, **UNIT, seed=SEED)
    exact = between(16, effect)
    # Three standard errors of 600 trials.
    assert found.power == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / 600))
    low, high = found.confint(0.999)
    assert low < exact < high


def test_power_grows_with_copies_of_the_groups_as_it_should(trial):
    # Degrees of freedom grow too; the normal limit and that of t with 30 differ by a point of power.
    curve = trial.power_curve("arm", "subject", [16, 32], 400, beta={"arm": 0.9}, **UNIT, df=30, seed=SEED)
    assert curve.frame["x"].tolist() == [16.0, 32.0]
    for groups, point in curve.points.items():
        exact = between(groups, 0.9)
        assert point.power == pytest.approx(exact, abs=3 * np.sqrt(exact * (1 - exact) / 400) + 0.02)


def test_a_curve_along_an_effect_has_a_row_a_value(trial):
    curve = trial.power_curve("arm", "arm", [0, 1.0, 2.5], 60, **UNIT, seed=SEED)
    frame = curve.frame
    assert list(frame) == ["x", "successes", "trials", "power", "conf_low", "conf_high", "failed"]
    assert frame["x"].tolist() == [0.0, 1.0, 2.5]
    assert frame["power"].is_monotonic_increasing
    for x, row in frame.set_index("x").iterrows():
        alone = trial.power("arm", 60, beta={"arm": x}, **UNIT, seed=SEED)
        assert (row["successes"], row["trials"], row["failed"]) == (alone.successes, 60, 0)
        assert (row["conf_low"], row["conf_high"]) == alone.confint()
    assert str(curve).startswith("Power along arm\n")


def test_the_likelihood_ratio_test_is_that_of_anova():
    fit = fitted("pastes", reml=False)
    larger = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"), reml=False)
    found = larger.power("diameter ~ 1 + (1 | plate)", 20, sigma=larger.sigma * 3, theta=larger.theta / 6, seed=SEED)
    theirs = plain(
        larger,
        f"""
        RNGkind("Mersenne-Twister", "Inversion", "Rejection")
        new <- list(beta = fixef(m), theta = getME(m, "theta") / 6, sigma = sigma(m) * 3)
        ys <- suppressMessages(simulate(m, 20, seed = {SEED}, newparams = new))
        small <- update(m, . ~ . - (1 | sample))
        sum(vapply(ys, function(y) anova(refit(small, y), refit(m, y))[2L, "Pr(>Chisq)"] < 0.05, NA))
        """,
    )
    assert 0 < found.successes < 20
    assert found.successes == theirs[0]
    with pytest.raises(InvalidArgument, match="with 4 parameters on 60 rows; one with fewer than 4"):
        fit.power("strength ~ 1 + (1 | batch/cask)", 5)


def test_a_likelihood_ratio_test_of_a_reml_fit_is_by_maximum_likelihood():
    by_reml, by_ml = (fitted("sleepstudy", reml=reml) for reml in (True, False))
    same = {"beta": {"Days": 3.0}, "sigma": 25.0, "theta": [1.0, 0.0, 0.2], "seed": SEED}
    same["beta"]["(Intercept)"] = 250.0
    one, other = (fit.power(". ~ . - Days", 25, **same) for fit in (by_reml, by_ml))
    assert one.successes == other.successes
    assert 0 < one.successes < 25


def test_a_test_is_any_function_of_a_replicate():
    fit = fitted("sleepstudy")
    own = fit.power(lambda r: bool(abs(r.fixef["Days"] / r.std_errors["Days"]) > 1.959964), 25, seed=SEED)
    assert own.successes == fit.power("Days", 25, seed=SEED).successes
    with pytest.raises(InvalidArgument, match=r"the test gives 0\.\d+; True, where it rejects, or False is expected"):
        fit.power(lambda r: 0.03, 2, seed=SEED)


def test_more_groups_are_copies_with_levels_of_their_own():
    fit = lmer("strength ~ 1 + (1 | batch) + (1 | sample)", load_dataset("Pastes"))
    longer = resize(fit, "batch", 25).data
    assert longer["batch"].nunique() == 25
    assert longer["sample"].nunique() == 75  # each is of one batch: copies are others
    assert longer.groupby("sample")["batch"].nunique().eq(1).all()
    assert longer["strength"].tolist()[:60] == fit.spec.data["strength"].tolist()
    crossed = resize(fitted("penicillin"), "sample", 12).data
    assert (crossed["sample"].nunique(), crossed["plate"].nunique()) == (12, 24)
    assert len(crossed) == 2 * 144
    fewer = resize(fitted("penicillin"), "plate", 5).data
    assert fewer["plate"].nunique() == 5


def test_weights_and_offset_go_with_their_rows():
    data = load_dataset("sleepstudy")
    data.loc[5, "Days"] = np.nan
    data = data.assign(w=1.0 + np.arange(180) % 3, o=np.arange(180.0))
    fit = lmer("Reaction ~ Days + (Days | Subject)", data, weights=data["w"], offset="o", subset=data["Days"] != 9)
    spec = resize(fit, "Subject", 20)
    used = data.dropna().query("Days != 9")
    copied = pd.concat([used, used[used["Subject"].isin(used["Subject"].unique()[:2])]])
    assert np.array_equal(spec.weights, copied["w"])
    assert np.array_equal(spec.offset, copied["o"])
    assert fit.power("Days", 5, groups={"Subject": 20}, seed=SEED).trials == 5


def test_failures_are_counted_and_are_neither_successes_nor_trials(monkeypatch):
    fit = pickle.loads(pickle.dumps(fitted("pastes")))
    kept = Refits._keep
    monkeypatch.setattr(
        Refits, "_keep", lambda self, chunk: kept(self, (chunk[0], chunk[1], ["it broke", *chunk[2][1:]]))
    )
    found = fit.power("(Intercept)", 8, seed=SEED)
    assert (found.successes, found.trials, found.failed) == (7, 7, 1)
    assert found.failures.to_dict("records") == [{"replicate": 0, "message": "it broke"}]
    assert "7 of 7, 1 failed" in str(found)


def test_the_interval_is_the_exact_one():
    low, high = Power(17, 20, 1, NOTHING).confint(0.9)
    assert (low, high) == pytest.approx((beta.ppf(0.05, 17, 4), beta.ppf(0.95, 18, 3)), rel=1e-12)
    assert Power(0, 0, 1, NOTHING).confint() == (0.0, 1.0)
    assert np.isnan(Power(0, 0, 1, NOTHING).power)
    with pytest.raises(FrozenInstanceError):
        Power(1, 2, 3, NOTHING).trials = 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"test": "nosuch"}, r"the test names 'nosuch'; a term \(\(Intercept\), Days\), the formula"),
        ({"beta": {"nosuch": 1.0}}, "beta names 'nosuch'; the terms are"),
        ({"theta": [1.0]}, r"newparams\['theta'\] is"),
        ({"sigma": np.nan}, "sigma is nan; a positive number, or 0, is expected"),
        ({"alpha": 5}, "alpha is 5; a number between 0 and 1"),
        ({"groups": {"Days": 3}}, "along is 'Days'; one of the grouping columns, Subject, is expected"),
        ({"groups": {"Subject": 1}}, "Subject is to have 1 levels; a whole number of at least 2"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with pytest.raises(InvalidArgument, match=words):
        fitted("sleepstudy").power(**{"test": "Days", "nsim": 2, "seed": SEED, **arguments})
