"""What lme4's own tests assert of glmer, glmer.nb and nlmer, in the words of this package.

468 of their assertions touch such a fit. A test here tells by `of` how many it states, and of which file. `LEDGER` has,
for each file, how many there are, how many other tests of this package hold, and why the others are not stated. All
data that those tests draw are drawn by R itself, with their seeds. ``python -m tests.models.test_lme4_suite`` writes
the table of it, ``tests/cases/lme4_tests.md``.
"""

import warnings
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge import GlmerControl, LmerControl, NlmerControl, glmer, glmer_nb, lmer, load_dataset, model_table, nlmer
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import (
    FormulaError,
    InputError,
    InvalidArgument,
    InvalidCall,
    KnownDefectWarning,
    MissingValues,
    RankDeficientWarning,
    RError,
    RWarning,
    SingularFitWarning,
    UnfitData,
    UnsupportedColumn,
)
from lmerbridge.setup import Range
from tests.oracle import plain
from tests.processes import frame_in_r as drawn
from tests.processes import in_r

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning"),
]
GM1 = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
STATED = Counter()
NAMES = defaultdict(list)  # of the tests that state them
PAGE = Path(__file__).parents[1] / "cases" / "lme4_tests.md"
NEW = lme4_version() in Range("2.1-0")  # ends its inner iterations better, and numbers of those before are rough
TESTDATA = "system.file('testdata', '{}', package = 'lme4')"
SIM = f"source({TESTDATA.format('lme-tst-funs.R')}, local = TRUE)"


def of(file, count):
    """Say that a test states so many assertions of a file."""

    def told(test):
        STATED[file] += count
        NAMES[file].append(test.__name__)
        return test

    return told


def rough(tolerance, new):
    """The tolerance of a number that lme4 before 2.1-0 gave, and how far 2.1-0 lies from it."""
    return new if NEW else tolerance


def close(ours, theirs, tolerance=1.5e-8):
    """Whether numbers are equal as R's `all.equal` has it: the mean difference by the mean size."""
    ours, theirs = np.ravel(np.asarray(ours, float)), np.ravel(np.asarray(theirs, float))
    assert len(ours) == len(theirs)
    assert np.abs(ours - theirs).mean() <= tolerance * np.abs(theirs).mean(), (ours, theirs)


def numbers(fit):
    """What lme4's tests of refits compare: `getinfo`."""
    modes = [mode.to_numpy().ravel() for mode in fit.ranef.values()]
    return np.concatenate([fit.beta, [fit.loglik], *modes, [block.stddev[0] ** 2 for block in fit.varcorr]])


@pytest.fixture(scope="module")
def cbpp():
    d = load_dataset("cbpp")
    return d.assign(prop=d["incidence"] / d["size"], obs=[f"{i:02}" for i in range(len(d))])


@pytest.fixture(scope="module")
def gm1(cbpp):
    return glmer(GM1, cbpp, "binomial")


@pytest.fixture(scope="module")
def gm2(cbpp):
    return glmer(f"{GM1} + (1 | obs)", cbpp, "binomial")


@pytest.fixture(scope="module")
def sleep():
    d = load_dataset("sleepstudy")
    return d.assign(count=d["Reaction"].round())


@of("test-glmer", 15)
def test_the_model_of_cbpp(gm1):
    close(gm1.beta, [-1.39854982537216, -0.992335519118859, -1.12867532780426, -1.58030423764517], 5e-4)
    close(gm1.varcorr["herd"].stddev ** 2, [0.41245527438386], 6e-4)
    close(gm1.residual_deviance, 73.47428, rough(1e-5, 1e-4))
    assert gm1.sigma == 1
    close([*gm1.extract_aic()], [5, 194.052674598026], 1e-5)
    close(gm1.theta, [0.642226809144453], 6e-4)
    assert gm1.get_me("X").iloc[:4].to_numpy().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 1]]
    zt = gm1.get_me("Zt")
    assert zt.shape == (15, 56)
    assert (zt.data == 1).all()
    assert len(zt.data) == 56
    close(gm1.get_me("Lambdat").toarray(), np.diag(np.repeat(gm1.theta, 15)))
    probit = gm1.update(family="binomial(probit)")
    assert probit.family.link == "probit"


@of("test-glmer", 2)
def test_groups_that_are_few(cbpp):
    with pytest.raises(InputError, match=r"one level|> 1"):
        glmer(GM1, cbpp[cbpp["herd"] == "1"], "binomial")
    few = cbpp[cbpp["herd"].isin(["1", "2", "3", "4"])]
    with pytest.warns(match="< 5 sampled levels"):
        glmer(GM1, few, "binomial", control=GlmerControl(check_nlev_gtreq_5="warning"))


ARGUMENTS = {
    "none": {},
    "start": {"start": None},
    "subset": {"subset": np.ones(56, bool)},
    "na.action": {"na_action": "exclude"},
    "offset": {"offset": np.zeros(56)},
    "contrasts": {"contrasts": None},
    "optimizer": {"control": GlmerControl(optimizer="Nelder_Mead")},
    "control": {"control": GlmerControl()},
}


@of("test-glmer", 9)
def test_every_argument_is_taken_and_no_other(cbpp, gm1):
    for given in ARGUMENTS.values():
        close(glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size", **given).beta, gm1.beta, 1e-3)
    with pytest.raises(InvalidCall, match="junk"):
        glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size", junk=True)


@of("test-glmer", 2)
def test_presences_of_species():
    data = drawn(f"load({TESTDATA.format('radinger_dat.RData')}); radinger_dat")
    close(glmer("presabs ~ predictor + (1 | species)", data, "binomial").beta, [0.5425528, 6.4289962], 1e-4)


SEPARATED = """set.seed(101)
data.frame(y = rbinom(1000, size = 1, p = 0.5), x = runif(1000), f = factor(rep(1:20, each = 50)),
  x2 = rep(0:1, c(999, 1)))"""


@of("test-glmer", 7)
def test_outcomes_that_a_column_parts():
    data = drawn(SEPARATED)
    quiet = GlmerControl(check_conv_hess="ignore", check_conv_grad="ignore")
    first = glmer("y ~ x + x2 + (1 | f)", data, "binomial", control=quiet)
    close(first.beta[:2], [-0.10036244, 0.03548523], 1e-4)
    assert first.beta[2] < -10
    second = first.update(family="binomial(probit)")
    close(second.beta[:2], [-0.062889, 0.022241], 1e-4)
    assert second.beta[2] < -4
    for fit in (first, second, first.update(family="binomial(cauchit)")):
        assert any("singular" in each.text for each in fit.conditions)


@of("test-glmer", 1)
def test_a_bootstrap_by_two_nodes(gm1):
    assert gm1.update(n_agq=2).bootstrap(lambda each: each.beta, 20, seed=1).n_failed == 0


EVENTS = """n <- 100; ai <- rep(0:1, each = n / 2); ci <- c(rep(0, 42), rep(1, 8), rep(0, 18), rep(1, 32))
data.frame(event = c(rbind(ai, ci)), group = rep(c(1, 0), times = n), id = rep(1:n, each = 2))"""


@of("test-glmer", 4)
def test_two_covariances_of_one_fit():
    fit = glmer("event ~ group + (1 | id)", drawn(EVENTS), "binomial", n_agq=21)
    close(fit.std_errors, [0.42542855, 0.42492581], 1e-5)
    close(fit.std_errors, fit.coefficients["std_error"])
    with pytest.warns(RWarning, match="finite-difference Hessian"):
        other = fit.vcov_of(use_hessian=False)
    close(np.sqrt(np.diag(other)), [0.3840921, 0.3768747], rough(1e-7, 1e-4))


@of("test-glmer", 4)
def test_years_of_gophers():
    data = drawn(f"load({TESTDATA.format('gopherdat2.RData')}); Gdat")
    fit = glmer("shells ~ prev + (1 | Site) + offset(log(Area))", data, "poisson")
    stop = GlmerControl(check_conv_grad="stop")
    for year in ("factor(year)", "scale(year)", "scale(year, center = TRUE, scale = FALSE)"):
        assert fit.update(f". ~ . + {year}", data=data, control=stop).nobs == len(data)
    with pytest.warns(match=r"max.grad|very different scales"):
        fit.update(". ~ . + scale(year, center = FALSE)", data=data)


@of("test-glmer", 2)
def test_ninety_nodes_and_no_more_than_a_hundred(gm1):
    assert gm1.update(n_agq=90).spec.n_agq == 90
    with pytest.raises(InvalidArgument, match="0 to 100"):
        gm1.update(n_agq=101)


@of("test-glmer", 3)
def test_responses_that_are_texts_or_truth_values(sleep):
    texts = sleep.assign(Reaction=sleep["Reaction"].astype(str) + "ms", rr=np.resize([True, False], len(sleep)))
    for family in ("poisson", "binomial"):
        with pytest.raises(UnsupportedColumn):
            glmer("Reaction ~ (1 | Days)", texts, family)
    assert glmer("rr ~ (1 | Days)", texts, "binomial").nobs == 180


@of("test-glmer", 2)
def test_means_that_a_log_has_none_of():
    for values in ("rnorm(100)", "pmax(rnorm(100), 0)"):
        data = drawn(f"set.seed(1); data.frame(x = {values}, grp = factor(rep(letters[1:5], 20)))")
        with pytest.raises(UnfitData, match="begin elsewhere, with mustart="):
            glmer("x ~ 1 + (1 | grp)", data, "gaussian(log)")


@of("test-glmer", 1)
def test_a_start_in_both_parts():
    data = drawn(f"load({TESTDATA.format('fakesim.RData')}); cbind(dat, N = N)").assign(
        part=lambda d: d["Inew"] / d["S"]
    )
    fit = glmer(
        "part ~ R0 - 1 + offset(log(I / N)) + (1 | R0:trial)",
        data,
        "binomial(cloglog)",
        weights="S",
        control=GlmerControl(optimizer="bobyqa", n_agq0_init_step=False),
        start={"beta": [0.0, 0.0, 0.0], "theta": [1.0]},
    )
    close(np.exp(fit.beta), [1.2735051, 2.0330635, 2.9764088], 1e-5)


@of("test-glmer", 2)
def test_a_control_of_lmer_and_a_start_of_means(sleep, cbpp, gm1):
    with pytest.raises(InvalidArgument, match="GlmerControl"):
        glmer("count ~ Days + (1 | Subject)", sleep, "poisson", control=LmerControl())
    assert gm1.update(etastart=np.ones(56)).beta.tolist() != gm1.beta.tolist()


@of("test-glmmFail", 3)
def test_what_is_no_generalized_model(cbpp, sleep):
    with pytest.raises(UnfitData, match="same in every row"):
        glmer(
            "y ~ 1 + (1 | block)",
            drawn(f"{SIM}; set.seed(101); gSim(family = binomial(link = 'cloglog'), nbinom = 1)").assign(
                y=lambda d: d["y"].astype(str) == "1"
            ),
            "binomial(cloglog)",
        )
    with pytest.raises(InvalidCall, match="no REML"):
        glmer(GM1, cbpp, "binomial", REML=True)
    with pytest.raises(InvalidArgument, match=r"use lmer\(\)"):
        glmer("Reaction ~ Days + (Days | Subject)", sleep, "gaussian")


LINKS = {
    "binomial": ("logit", "probit", "cauchit", "cloglog", "log"),
    "poisson": ("log", "sqrt"),
    "Gamma": ("log", "inverse"),
    "inverse.gaussian": ("log",),
}


@of("test-glmFamily", 7)
@pytest.mark.parametrize("family", LINKS)
def test_means_and_slopes_of_every_link_are_those_of_stats(family, cbpp):
    for link in LINKS[family]:
        if NEW and (family, link) == ("Gamma", "inverse"):  # of which that lme4 makes NaN
            continue
        response = "ill" if family == "binomial" and link != "log" else "size"
        data = cbpp.assign(ill=cbpp["incidence"] > 0)
        if (family, link) == ("binomial", "log"):
            response = "cbind(incidence, size - incidence)"
        fit = glmer(f"{response} ~ 1 + (1 | herd)", data, f"{family}({link})", n_agq=0)
        table = fit.predict(type="response", se_fit=True)
        eta = fit.predict(se_fit=True)
        at = f"f <- {family}('{link}'); e <- c({', '.join(map(repr, eta['fit'].tolist()))})"
        close(table["fit"], plain(fit, f"{at}; f$linkinv(e)"), 1e-12)
        close(table["se_fit"] / eta["se_fit"], np.abs(plain(fit, f"{at}; f$mu.eta(e)")), 1e-12)


BASIC = """set.seed(101)
dd <- expand.grid(f1 = factor(1:3), f2 = LETTERS[1:2], g = 1:9, rep = 1:15, KEEP.OUT.ATTRS = FALSE)
mu <- 5 * (-4 + with(dd, as.integer(f1) + 4 * as.numeric(f2))); dd$y <- rnbinom(nrow(dd), mu = mu, size = 0.5); dd"""


@of("test-glmernb", 9)
def test_negative_binomial_models_of_the_help_page(sleep):
    data = drawn(BASIC)
    fit = glmer_nb("y ~ f1 * f2 + (1 | g)", data)
    close(fit.beta, [1.65008, 0.76715, 1.01147, 1.51241, -0.61506, -0.6104], 1e-5)
    close(fit.beta, in_r(f"d <- {{ {BASIC} }}; unname(coef(MASS::glm.nb(y ~ f1 * f2, data = d)))"), 1e-5)
    assert f"theta = {fit.nb_theta:.4f}"[:10] in fit.get_call().replace("negative.binomial(", "")
    assert "verbose" not in fit.get_call()
    some = glmer_nb("y ~ f1 * f2 + (1 | g)", data, subset=data["g"] != 8)
    assert some.ngrps["g"] == 8
    close(some.beta, [1.629240234, 0.76028840, 1.008629913, 1.6172507, -0.6814426, -0.66468330], 1e-5)
    rows = sleep["Subject"] != "370"
    quiet = GlmerControl(check_conv_grad="ignore")
    assert glmer_nb("count ~ Days + (1 | Subject)", sleep, subset=rows, control=quiet).nobs == 170
    sums = glmer_nb("y ~ f1 + (1 | g)", data, contrasts={"f1": "contr.sum"})
    close(sums.beta, [2.93061, -0.29779, 0.02586], 1e-5)
    offset = glmer_nb("y ~ f1 + (1 | g)", data, offset=np.zeros(len(data)))
    close(offset.loglik, sums.loglik, 1e-6)


@of("test-nbinom", 6)
def test_negative_binomial_models_of_few_rows():
    data = drawn(BASIC)
    with pytest.warns(SingularFitWarning):
        glmer_nb("y ~ f1 + (1 | g)", data.head(10))
    some = data.head(200).astype({"f1": object}).reset_index(drop=True)
    holes = some.assign(f1=some["f1"].where(some.index > 4))
    with pytest.raises(MissingValues):
        glmer_nb("y ~ f1 + (1 | g)", holes, na_action="fail")
    omit, exclude = (glmer_nb("y ~ f1 + (1 | g)", holes, na_action=how) for how in ("omit", "exclude"))
    close(omit.beta, exclude.beta)
    assert len(exclude.predict()) - len(omit.predict()) == 5
    plainly = glmer_nb("y ~ f1 + (1 | g)", some)
    close(glmer_nb("y ~ f1 + (1 | g)", some, init_theta=plainly.nb_theta).beta, plainly.beta, 1e-5)
    assert glmer_nb("y ~ f1 + (1 | g)", some, init_theta=10).nobs == 200


@of("test-nbinom", 3)
def test_a_refit_of_counts_is_the_fit():
    data = drawn(BASIC)
    for family in ("poisson", "negative.binomial(0.4826813)", "negative.binomial(0.482681268108477)"):
        fit = glmer("y ~ f1 * f2 + (1 | g)", data, family)
        close(fit.refit(data["y"]).beta, fit.beta, 1e-5)


NB2 = """set.seed(101)
data.frame(f = factor(rep(1:10, each = 20)), x = runif(200), y = rnbinom(200, size = 2, mu = 2))"""


@of("test-methods", 6)
def test_draws_of_a_negative_binomial_model():
    data = drawn(NB2)
    fit = glmer_nb("y ~ x + (1 | f)", data)
    close(fit.beta, [0.630067, -0.0167248], 1e-4)
    close(fit.nb_theta, 2.013, 1e-4)
    assert fit.get_me("glmer.nb.theta") == fit.nb_theta
    counts = fit.simulate(1, seed=101)["sim_1"]
    assert counts.sum() == 413
    assert counts.value_counts().sort_index().tolist()[:6] == [49, 56, 32, 25, 11, 9]


@of("test-methods", 3)
def test_draws_with_weights_for_new_rows(gm1, cbpp):
    grid = pd.DataFrame(
        [(p, h) for h in cbpp["herd"].unique() for p in cbpp["period"].unique()], columns=["period", "herd"]
    )
    cases = gm1.simulate(1, newdata=grid.head(3), weights=[20.0] * 3, seed=101)
    assert cases.to_numpy().tolist() == [[4, 16], [2, 18], [0, 20]]
    parts = glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    assert parts.simulate(1, newdata=grid.head(3), weights=[20.0] * 3, seed=101)["sim_1"].tolist() == [0.2, 0.1, 0.0]
    one = gm1.simulate(1, newdata=grid.head(1), weights=[20.0], seed=101)
    assert one.to_numpy().tolist() == [[4, 16]]


@of("test-methods", 11)
def test_draws_by_which_random_effects_are_kept(gm2):
    kept = gm2.simulate(1, seed=101, re_form=None)
    none = gm2.simulate(1, seed=101, re_form="~0")
    pd.testing.assert_frame_equal(kept, gm2.simulate(1, seed=101, use_u=True))
    pd.testing.assert_frame_equal(none, gm2.simulate(1, seed=101))
    pd.testing.assert_frame_equal(none, gm2.simulate(1, seed=101, use_u=False))
    assert kept.sum().sum() == none.sum().sum() == 842
    assert kept.sum().tolist() == [95, 747]
    assert none.sum().tolist() == [109, 733]
    with pytest.raises(InvalidArgument):
        gm2.simulate(1, seed=101, use_u=True, re_form="~ (1 | herd)")


@of("test-methods", 2)
def test_likelihoods_of_two_scales_are_not_compared():
    data = pd.DataFrame({"y": [1, 2, 3, 4], "u": ["A", "A", "B", "B"]})
    one = glmer("y ~ (1 | u)", data, "poisson")
    null = one.remedies(["bobyqa"]).frame.iloc[-1]  # without the random term it is a glm
    assert null["chisq"] == pytest.approx(0, abs=1e-6)
    with pytest.raises(InvalidArgument, match=r"n_agq|nodes"):
        one.anova(one.update(n_agq=2))


@of("test-methods", 3)
def test_intervals_by_bootstrap_are_of_the_parameters_asked_for(gm2):
    def ends(parm):
        return gm2.confint(parm, method="boot", nsim=5, seed=101)[["conf_low", "conf_high"]]

    whole, fixed = ends(None), ends("beta_")
    assert len(fixed) == 4
    pd.testing.assert_frame_equal(fixed, ends(list(gm2.terms)))
    pd.testing.assert_frame_equal(whole.iloc[2:6], fixed)


@of("test-methods", 3)
def test_a_refit_of_counts_with_an_offset_is_the_fit(sleep):
    fit = glmer("count ~ Days + (1 | Subject)", sleep, "poisson", offset=np.zeros(len(sleep)))
    again = fit.refit(sleep["count"])
    close(again.coef["Subject"], fit.coef["Subject"], 3e-6)
    close(again.theta, fit.theta, 1e-6)
    close(again.loglik, fit.loglik)


@of("test-methods", 1)
def test_a_refit_of_two_terms_says_nothing_of_lengths(cbpp):
    control = GlmerControl(calc_derivs=False)
    fit = glmer("prop ~ herd + (1 | period) + (1 | obs)", cbpp, "binomial", weights="size", control=control)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit.refit(cbpp["prop"])
    if lme4_version() in Range("2.1-0"):
        assert not any("not a multiple" in str(each.message) for each in told)


@of("test-methods", 5)
def test_predictions_of_one_row_in_several_frames(gm1, cbpp):
    herds = cbpp["herd"].unique()
    own = gm1.predict().iloc[0]
    grid = pd.DataFrame([(p, h) for h in herds for p in "1234"], columns=["period", "herd"])
    for new in (grid, pd.DataFrame({"period": "1", "herd": herds}), grid[grid["period"] != "4"]):
        close(gm1.predict(new).iloc[0], own)
    with pytest.raises(InvalidCall, match="ReForm"):
        gm1.predict(ReForm=None)
    assert len(gm1.augment()) == 56


@of("test-methods", 2)
def test_cook_s_distances_of_rows_and_of_herds(gm1):
    close(
        gm1.influence().cooks_distance().head(3),
        [0.0532998800033037, 0.0405931172763581, 0.252608337928438],
        rough(1e-6, 0.03),
    )
    herds = gm1.influence("herd").cooks_distance().head(3)
    close(herds, [0.256630560723611, 0.00525856231971531, 0.103355658099396], rough(1e-6, 0.03))


@of("test-methods", 2)
def test_a_family_of_a_given_shape_and_the_influence_of_a_rough_fit(gm1):
    fit = glmer("TICKS ~ 1 + (1 | BROOD)", load_dataset("grouseticks"), "negative.binomial(2)")
    assert (fit.family.name, fit.family.theta) == ("negative.binomial", 2)
    assert gm1.update(n_agq=0).influence("herd").fixed_effects_without.shape == (15, 4)


@of("test-resids", 13)
def test_residuals_of_four_types(cbpp):
    fit = glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    ranges = {
        "deviance": [-3.197512, 2.356677],
        "response": [-0.1946736, 0.3184579],
        "pearson": [-2.381643, 2.879069],
        "working": [-1.241733, 5.410587],
    }
    for name, ends in ranges.items():
        found = fit.resid(name)
        close([found.min(), found.max()], ends, rough(2e-5, 1e-3))
    close(fit.update(control=GlmerControl(calc_derivs=False)).resid(), fit.resid())
    close(fit.resid(scaled=True), fit.resid())
    with pytest.raises(InvalidArgument, match="partial"):
        fit.resid("partial")
    holes = cbpp.assign(period=cbpp["period"].where(~cbpp.index.isin([9, 19, 29])))
    excluded = fit.update(data=holes, na_action="exclude").resid()
    assert len(excluded) == 56
    assert excluded.index[excluded.isna()].tolist() == [9, 19, 29]


@of("test-resids", 1)
def test_a_residual_of_rounding_is_zero():
    data = pd.DataFrame({"x": range(1, 6), "n": 100, "id": range(1, 6)})
    control = GlmerControl(check_conv_singular="ignore")
    fit = glmer("cbind(x, n - x) ~ 1 + (1 | id)", data, "binomial", control=control)
    assert not abs(fit.resid("deviance").iloc[2]) > 0  # NaN before lme4 mended it, which is no reason to refuse the fit


@of("test-start", 9)
def test_starts_of_a_generalized_model(cbpp):
    control = GlmerControl(opt_ctrl={"maxfun": 50})
    fit = glmer(GM1, cbpp, "binomial", control=control)
    for start in (1.0, [1.0], {"theta": 1.0}):
        close(
            fit.update(start=np.atleast_1d(start) if not isinstance(start, dict) else {"theta": [1.0]}).beta, fit.beta
        )
    for wrong in ("a", {"Theta": [1.0]}, {"theta": [1.0], "beta": [0.0] * 5}):
        with pytest.raises(InputError):
            fit.update(start=wrong)
    rough = fit.update(n_agq=0)
    both = fit.update(start={"theta": [1.0], "beta": rough.beta})
    close(both.beta, fit.beta, 1e-3)
    zeros = fit.update(start={"theta": [1.0], "beta": np.zeros(4)})
    close(zeros.aic, 221.5823, 1e-6)
    close(fit.update(start={"beta": rough.beta}).beta, fit.beta, 1e-3)
    close(fit.update(start={"beta": np.zeros(4)}).aic, zeros.aic)


@of("test-weights", 3)
def test_weights_of_rows_that_are_left_out(cbpp):
    holes = cbpp.assign(incidence=cbpp["incidence"].where(cbpp.index > 0), size=cbpp["size"].where(cbpp.index > 0))
    for how, count in ((None, 55), ("exclude", 56), ("omit", 55)):
        assert len(glmer(GM1, holes, "binomial", na_action=how).weights()) == count


@of("test-predict", 12)
def test_predictions_of_rows_seen_and_not(gm1, cbpp):
    own, fixed = gm1.predict(), gm1.predict(re_form="~0")
    close(own, gm1.predict(cbpp), 2e-5)
    assert fixed.nunique() == 4
    close(fixed + gm1.predict(random_only=True), own)
    assert gm1.predict(re_form="~0", random_only=True).unique().tolist() == [0]
    grid = pd.DataFrame([(p, h) for h in cbpp["herd"].unique() for p in "1234"], columns=["period", "herd"])
    both = gm1.predict(grid)
    close(gm1.predict(grid, re_form="~0") + gm1.predict(grid, random_only=True), both)
    close(gm1.predict(type="response"), 1 / (1 + np.exp(-own)))
    close(gm1.predict(grid, re_form="~ (1 | herd)"), both)
    more = pd.concat([grid, pd.DataFrame({"period": list("1234"), "herd": "new"})], ignore_index=True)
    many = pd.concat([grid, pd.DataFrame({"period": "1", "herd": [f"new{i}" for i in range(50)]})], ignore_index=True)
    for new in (more, many):
        with pytest.raises(InvalidArgument, match="'new"):
            gm1.predict(new)
    found = gm1.predict(more, allow_new_levels=True)
    close(found.iloc[:60], both)
    close(found.tail(4), gm1.predict(more.tail(4), re_form="~0"), 1e-14)


@of("test-predict", 3)
def test_predictions_by_names_with_spaces_and_of_large_factors(cbpp):
    silly = cbpp.rename(columns={"period": "silly period"})
    fit = glmer("cbind(incidence, size - incidence) ~ `silly period` + (1 | herd)", silly, "binomial")
    assert np.allclose(fit.predict().head(6), [-0.809, -1.801, -1.937, -2.388, -1.697, -2.689], atol=rough(5e-4, 2e-3))
    close(fit.predict(silly), fit.predict())
    large = drawn("set.seed(101); N <- 5000; data.frame(y = rpois(N, 5), obs = as.factor(1:N))")
    rows = glmer("y ~ (1 | obs)", large, "poisson", control=GlmerControl(check_conv_singular="ignore"))
    assert len(rows.predict(re_form="~ (1 | obs)")) == len(rows.predict(large)) == 5000


@of("test-predict", 1)
def test_draws_of_a_group_that_is_nearly_always_zero():
    y = np.zeros(2002, bool)
    y[[1000, 2001]] = True
    data = pd.DataFrame({"y": y, "x": np.repeat(["A", "B"], 1001)})
    fit = glmer("y ~ 1 + (1 | x)", data, "binomial", control=GlmerControl(check_conv_singular="ignore"))
    assert not fit.simulate(10, newdata=pd.DataFrame({"x": ["A"]}), seed=1).astype(float).to_numpy().any()


SE_DATA = """set.seed(123)
data.frame(outcome = rbinom(n = 100, size = 1, prob = 0.35),
  var_binom = as.factor(rbinom(n = 100, size = 1, prob = 0.7)), var_cont = rnorm(n = 100, mean = 10, sd = 7),
  grp = as.factor(sample(letters[1:4], size = 100, replace = TRUE)))"""


@of("test-predict", 3)
def test_standard_errors_of_predictions_of_few_groups(sleep):
    fit = glmer("outcome ~ var_binom + var_cont + (1 | grp)", drawn(SE_DATA), "binomial")
    part = drawn(SE_DATA).iloc[[3, 50, 70]]
    close(fit.predict(part, se_fit=True), fit.predict(se_fit=True).iloc[[3, 50, 70]], 1e-8)
    counts = glmer("count ~ Days + (1 + Days | Subject)", sleep, "poisson")
    unseen = counts.predict(pd.DataFrame({"Days": [0.0], "Subject": ["000"]}), se_fit=True, allow_new_levels=True)
    assert unseen["fit"].iloc[0] == counts.beta[0]


@of("test-ranef", 3)
def test_modes_and_their_variances(gm1):
    variances = gm1.ranef_table()["std_error"] ** 2
    theirs = (
        "0.12128867 0.13363275 0.08839850 0.17337928 0.12277914 0.14436663 0.10658333 0.10309812 0.21289738 0.13740279 "
        "0.09555677 0.19460241 0.14808316 0.12631006 0.15816769"
    )
    close(variances, [float(each) for each in theirs.split()], 1e-3)
    assert len(gm1.ranef_table()) == 15
    assert gm1.cond_var()["herd"].levels == tuple(gm1.ranef["herd"].index)


RANK = """set.seed(111); n <- 100; x <- y <- rnorm(n)
data.frame(x, y, z = rbinom(n, size = 1, prob = 0.5), r = sample(1:5, size = n, replace = TRUE), y2 = rnorm(n))"""


@of("test-rank", 3)
def test_columns_that_depend_on_others():
    data = drawn(RANK)
    with pytest.warns(RankDeficientWarning, match="rank deficient"):
        glmer("z ~ x + y + (1 | r)", data, "binomial")
    with pytest.raises(RError, match="rank deficient"):
        glmer("z ~ x + y + (1 | r)", data, "binomial", control=GlmerControl(check_rank_x="stop.deficient"))
    assert glmer("z ~ x + y2 + (1 | r)", data, "binomial").nobs == 100


RANK2 = """set.seed(101); n <- 1000; x <- abs(rnorm(n)); y <- rnorm(n); z <- rnorm(n, mean = x^y)
data.frame(x, y, z, r = sample(1:15, size = n, replace = TRUE))"""


@of("test-rank", 1)
def test_parameters_that_no_data_part():
    with pytest.raises(UnfitData, match=r"not positive definite|step"):
        nlmer(
            "y ~ (exp(a + c) * x)^(b * y2) ~ (a | r)",
            drawn(RANK2).assign(y2=lambda d: d["y"]),
            start={"a": 1, "b": 1, "c": 1},
        )


EVAL = """set.seed(101); n <- 50
data.frame(x = rbinom(n, 1, 1/2), y = rnorm(n), z = rnorm(n), r = sample(1:5, size = n, replace = TRUE))"""


@of("test-formulaEval", 5)
def test_a_formula_is_text_and_a_fit_finds_its_data_again():
    data = drawn(EVAL)
    in_plain_r = f"d <- {{ {EVAL} }}; suppressMessages(lme4::glmer(x ~ y + z + (1 | r), d, binomial))"
    fit = glmer("x ~ y + z + (1|r)", data, "binomial")
    del data
    table = fit.drop1().frame["aic"]
    assert len(table) == 3
    close(table, in_r(f"m <- {{ {in_plain_r} }}; drop1(m)$AIC"), 1e-6)
    close(fit.update(". ~ . - z").loglik, -(table["z"] - 2 * 3) / 2, 1e-8)


@of("test-allFit", 5)
def test_all_optimizers_of_a_generalized_model(gm1, sleep):
    found = gm1.all_fit(["bobyqa", "nlminbwrap", "nloptwrap.NLOPT_LN_BOBYQA"])
    assert found.ok.all()
    close(found.llik, np.repeat(gm1.loglik, 3), 1e-5)
    assert "lme4's own tolPwrss, which leaves some 1e-4" in str(found)
    tight = gm1.update(control=GlmerControl(tol_pwrss=1e-10)).all_fit(["bobyqa"])
    assert "all with tolPwrss = 1e-10" in str(tight)
    other = gm1.update(control=GlmerControl(optimizer="nloptwrap", opt_ctrl={"maxeval": 1000}))
    assert other.all_fit(["bobyqa", "nloptwrap.NLOPT_LN_BOBYQA"]).ok.all()
    control = GlmerControl(optimizer="bobyqa", opt_ctrl={"maxfun": 2000})
    counts = glmer("count ~ Days + (1 | Subject)", sleep, "poisson", control=control)
    assert counts.all_fit(["bobyqa", "Nelder_Mead"]).ok.all()
    few = gm1.all_fit(["bobyqa", "Nelder_Mead"], maxfun=10)
    assert (few.feval.isna() | (few.feval < 12)).all()


@of("test-compdev", 2)
def test_compiled_code_gives_the_same_numbers(cbpp):
    fits = [
        glmer("incidence ~ 1 + (1 | herd)", cbpp, "poisson", control=GlmerControl(comp_dev=how, n_agq0_init_step=False))
        for how in (True, False)
    ]
    if fits[0].provenance.version in Range("2.0-6"):
        assert fits[0].beta.tobytes() == fits[1].beta.tobytes()
        assert fits[0].theta.tobytes() == fits[1].theta.tobytes()
    else:
        with pytest.warns(KnownDefectWarning, match="wrong estimates before lme4 2.0-6"):
            glmer("incidence ~ 1 + (1 | herd)", cbpp, "poisson", control=GlmerControl(comp_dev=False))


@of("test-catch", 2)
def test_few_evaluations_are_said(cbpp):
    control = GlmerControl(optimizer="Nelder_Mead", opt_ctrl={"maxfun": 3})
    with pytest.warns(match="failure to converge in 3"):
        fit = glmer(GM1, cbpp, "binomial", control=control)
    assert any("failure to converge in 3 evaluations" in each.text for each in fit.conditions)


@of("test-lmer", 2)
def test_columns_of_several_columns_are_refused(sleep):
    assert glmer("count ~ 1 + (1 | Subject)", sleep, "poisson").nobs == 180
    wide = sleep.assign(y=[np.zeros(3)] * len(sleep))
    with pytest.raises(InputError):
        glmer("y ~ Days + (1 | Subject)", wide, "poisson")


@of("test-covariance_glmer", 1)
def test_a_model_without_fixed_effects(sleep):
    assert len(glmer("count ~ 0 + (1 | Subject)", sleep, "poisson").beta) == 0


def test_bounds_of_the_optimizer_are_refused():
    orange = load_dataset("Orange", "datasets")
    control = NlmerControl(opt_ctrl={"lower": [0.0, 200.0, -np.inf, -np.inf]})
    with pytest.raises(InvalidArgument, match="optCtrl"):
        nlmer("circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree", orange, control=control)


@of("test-simulate_formula", 1)
def test_draws_of_a_fit_with_weights(gm1):
    assert gm1.simulate(1, seed=1, weights=np.full(56, 2.0)).sum(axis=1).eq(2).all()


@of("tests/is.R", 8)
def test_each_fit_knows_its_kind(gm1):
    orange = load_dataset("Orange", "datasets")
    fit = nlmer(
        "circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree",
        orange,
        start={"Asym": 200, "xmid": 725, "scal": 350},
    )
    assert (gm1.is_reml, gm1.is_lmm, gm1.is_glmm, gm1.is_nlmm) == (False, False, True, False)
    assert (fit.is_reml, fit.is_lmm, fit.is_glmm, fit.is_nlmm) == (False, False, False, True)


@of("tests/glmer-1.R", 14)
def test_counts_proportions_nodes_and_a_tighter_optimizer(gm1, cbpp):
    again = gm1.update(start={"theta": gm1.theta, "beta": gm1.beta})
    close(again.drop1().frame["aic"], gm1.drop1().frame["aic"], 1e-5)
    parts = glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    close(parts.beta, gm1.beta)
    close(parts.ranef["herd"], gm1.ranef["herd"])
    close([parts.loglik, parts.aic, parts.bic], [gm1.loglik, gm1.aic, gm1.bic])
    nodes = glmer(GM1, cbpp, "binomial", n_agq=25)
    assert nodes.coef["herd"].shape == (15, 4)
    close(nodes.beta, [-1.39922533406847, -0.991407294757321, -1.12782184600404, -1.57946627431248], 5e-4)
    left_out = 0.0 if NEW else 2 * nodes.loglik.constant
    close(nodes.criterion - left_out, 183.96673809, 1e-7)  # 100.01003054 without the saturated model's
    close(nodes.residual_deviance, 73.373, 1e-5)
    control = GlmerControl(optimizer="bobyqa", tol_pwrss=1e-7, opt_ctrl={"rhobeg": 0.2, "rhoend": 2e-7})
    tight = glmer(GM1, cbpp, "binomial", control=control)
    assert tight.coef["herd"].shape == (15, 4)
    close(tight.beta, gm1.beta, 4e-5)
    close(tight.beta, [-1.39853810064827, -0.99233330126975, -1.12867317840779, -1.58031150854503], 5e-4)  # of glmmADMB
    with pytest.raises(FormulaError, match="random"):
        glmer("prop ~ period", cbpp, "binomial", weights="size")


@of("tests/glmer-1.R", 2)
def test_bacteria_by_contrasts_of_neighbours():
    data = load_dataset("bacteria", "MASS").assign(wk2=lambda d: d["week"] > 2)
    neighbours = np.array(in_r("c(MASS::contr.sdif(3))")).reshape(3, 2, order="F")
    levels = list(data["trt"].cat.categories)
    coding = pd.DataFrame(neighbours, levels, ["diag", "encourage"])
    fit = glmer("y ~ trt + wk2 + (1 | ID)", data, "binomial", contrasts={"trt": coding})
    close(fit.loglik, -96.13069, 5e-4)
    close(fit.beta, [2.831609490, -1.366722631, 0.5840147802, -1.598591346], 1e-3)


RPOIS = """rPoisGLMMi <- function(ng, nr, sd = c(f = 1, ind = 0.5), b = c(1, 2)) {
  ntot <- nr * ng; b.reff <- rnorm(ng, sd = sd[["f"]]); b.rind <- rnorm(ntot, sd = sd[["ind"]]); x <- runif(ntot)
  d <- data.frame(x, f = factor(rep(LETTERS[1:ng], each = nr)), obs = 1:ntot); d$eta0 <- c(cbind(1, x) %*% b)
  d$y <- rpois(ntot, lambda = exp(d$eta0 + b.reff[d$f] + b.rind[d$obs])); d
}; set.seed(1); rPoisGLMMi(12, 20)"""


@of("tests/glmer-1.R", 6)
def test_counts_with_an_effect_per_row():
    data = drawn(RPOIS)
    small, large = glmer("y ~ x + (1 | f)", data, "poisson"), glmer("y ~ x + (1 | f) + (1 | obs)", data, "poisson")
    for fit in (small, large):
        ends = fit.confint("beta_", method="Wald")
        assert ((ends["conf_low"] < [1, 2]) & (ends["conf_high"] > [1, 2])).all()
    table = small.anova(large).frame
    close(table["chisq"].iloc[1], 554.334056, 1e-5)
    close(table["loglik"], [-1073.77193, -796.604902], 1e-6)
    assert table["npar"].tolist() == [3, 4]
    assert table["df"].iloc[1] == 1


@of("tests/glmmWeights.R", 8)
def test_squares_of_weighted_residuals_are_one_sum():
    for family, how, given in (
        ("binomial", "binomial(), nbinom = 1", {}),
        ("poisson", "poisson()", {}),
        ("poisson", "poisson()", {"weights": 2.0}),
    ):
        data = drawn(f"{SIM}; set.seed(101); gSim(family = {how})")
        extra = {"weights": np.full(len(data), 2.0)} if given else {}
        fit = glmer("y ~ x + (1 | block)", data, family, **extra)
        pearson = (fit.resid("pearson") ** 2).sum()
        variance = np.array(plain(fit, "family(m)$variance(fitted(m))"))
        by_hand = ((fit.design().y - fit.fitted) ** 2 * fit.weights() / variance).sum()
        close([fit.get_me("devcomp").cmp["wrss"], by_hand], [pearson, pearson], 1e-12)


@of("tests/refit.R", 8)
def test_refits_to_the_response_and_to_draws(gm1, cbpp):
    own = cbpp[["incidence"]].assign(well=cbpp["size"] - cbpp["incidence"])
    close(numbers(gm1.refit(own)), numbers(gm1), 1e-4)
    close(numbers(gm1.refit(gm1.simulate(1, seed=101)["sim_1"])), numbers(gm1), 0.4)
    empty = gm1.simulate(1, seed=101)["sim_1"].copy()
    empty.iloc[3] = 0
    assert gm1.refit(empty).nobs == 56
    parts = glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    close(numbers(parts.refit(cbpp["prop"])), numbers(parts), 6e-4)
    close(numbers(parts.refit(parts.simulate(1, seed=101)["sim_1"])), numbers(parts), 0.4)
    ticks = load_dataset("grouseticks").assign(height=lambda d: (d["HEIGHT"] - d["HEIGHT"].mean()) / d["HEIGHT"].std())
    fit = glmer("TICKS ~ YEAR + height + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)", ticks, "poisson")
    response = fit.simulate(1, seed=105)["sim_1"]
    one, other = fit.update(data=ticks.assign(TICKS=response)), fit.refit(response)
    close(one.beta, other.beta, 1e-3)
    close(one.theta, other.theta, 1e-3)
    close(one.residual_deviance, other.residual_deviance, 1e-3)


@of("tests/simulate.R", 9)
def test_draws_of_each_kind_of_response(gm1, cbpp):
    parts = glmer("prop ~ period + (1 | herd)", cbpp, "binomial", weights="size")
    cases, shares = gm1.simulate(1, seed=101)["sim_1"], parts.simulate(1, seed=101)["sim_1"]
    close(cases.iloc[:, 0] / cases.sum(axis=1), shares)
    many = gm1.simulate(10, seed=101)
    assert many.shape == (56, 20)
    assert parts.simulate(10, seed=101).shape == (56, 10)
    levels = pd.DataFrame(
        {"y": pd.Categorical(np.repeat(["a", "b"], 100)), "f": np.resize(np.arange(10), 200).astype(str)}
    )
    fit = glmer("y ~ (1 | f)", levels, "binomial")
    assert fit.simulate(10, seed=1).shape == (200, 10)
    coded = glmer("y ~ (1 | f)", levels.assign(y=levels["y"] == "b"), "binomial")
    close(coded.simulate(1, seed=102)["sim_1"].astype(float), fit.simulate(1, seed=102)["sim_1"] == "b")


OFFSET = """set.seed(101); d <- expand.grid(block = LETTERS[1:26], rep = 1:100); d$x <- runif(nrow(d))
reff_f <- rnorm(26); d$eta <- 4 + 3 * d$x + reff_f[d$block]; rnorm(nrow(d)); d$y <- rpois(nrow(d), exp(d$eta)); d"""


@of("tests/offset.R", 3)
def test_an_offset_is_taken_off_the_slope():
    data, control = drawn(OFFSET), GlmerControl(check_conv_grad="ignore")
    fit = glmer("y ~ x + (1 | block)", data, "poisson", control=control)
    off = glmer("y ~ x + (1 | block) + offset(3 * x)", data, "poisson", control=control)
    close(fit.beta[1] - 3, off.beta[1], 3e-4)
    close(fit.predict(data), fit.predict())
    close(off.predict(data), fit.predict(data), 1e-5)


@of("tests/HSAURtrees.R", 1)
def test_trees_that_deer_damaged():
    data = drawn(f"load({TESTDATA.format('trees513.RData')}); trees513A")
    fit = glmer("damage ~ species - 1 + (1 | lattice / plot)", data, "binomial")
    theirs = [5.23645064474105, 4.73568475545248, 2.65289926317093, 1.29043984816924, 1.59329381563025]
    close([*fit.beta, *fit.theta], [*theirs, 0.532663142106669, 1.16703186884403], 1.5e-3)


@of("tests/glmmExt.R", 2)
def test_outcomes_by_a_complementary_log():
    code = (
        f"{SIM}; set.seed(101); d <- gSim(); gSim(dInitial = d, family = Gamma(link = log)); "
        "gSim(dInitial = d, family = poisson()); gSim(dInitial = d, family = gaussian(link = log), sd = 2); "
        "gSim(dInitial = d, family = gaussian(link = inverse), sd = 0.01); dBc <- d; dBc$eta <- d$eta - 5; "
        "dBc <- gSim(dInitial = dBc, nbinom = 1, family = binomial(link = 'cloglog')); dBc"
    )
    fit = glmer("y ~ x + (1 | block)", drawn(code), "binomial(cloglog)")
    close(fit.beta, [-0.717146132730349, 2.83642900561633], 5e-3)  # of glmmADMB
    close(fit.varcorr["block"].stddev ** 2, [0.79992], 2e-2)


@of("tests/nbinom.R", 5)
def test_a_shape_and_likelihood_of_another_program():
    code = """set.seed(102); d1 <- data.frame(x = runif(1000), f = factor(rep(c(LETTERS, letters)[1:25], each = 40)))
    u_f <- rnorm(25, sd = 1); X <- model.matrix(~x, data = d1)
    transform(d1, z = rnbinom(1000, mu = exp(X %*% c(1, 2) + u_f[f]), size = 0.5))"""
    fit = glmer_nb("z ~ x + (1 | f)", drawn(code))
    close(fit.nb_theta, 0.4487, 0.003)  # of glmmADMB
    close(fit.beta, [0.928710, 2.05072], 0.02)
    close(fit.loglik, -2944.62, 1e-4)
    given = glmer("z ~ x + (1 | f)", drawn(code), f"negative.binomial({fit.nb_theta!r})")
    close([given.criterion, *given.beta], [fit.criterion, *fit.beta], 1e-5)


later = pytest.mark.skipif(not NEW, reason="lme4 has structures, autoscale and limits of the checks since 2.1-0")
STRUCTURES = TESTDATA.format("test-covariance_structures_data.rds")


def of_others(name):
    """A number that lme4's tests have stored, of glmmTMB or nlme."""
    return in_r(f"o <- readRDS({STRUCTURES}); as.vector(as.matrix(o${name}))")


@pytest.fixture(scope="module")
def women():
    return drawn(f"readRDS({TESTDATA.format('Contraception.rds')})")


@pytest.fixture(scope="module")
def by_district(women):
    def fit(term):
        return glmer(f"use ~ age + urban + {term}", women, "binomial")

    return {each: fit(f"{each.replace('none', '')}(1 + urban | district)") for each in ("none", "us", "cs", "diag")}


@later
@of("test-covariance_structures", 9)
def test_a_term_of_no_structure_is_unstructured(by_district):
    plainly, us = by_district["none"], by_district["us"]
    for one, other in (
        (plainly.coef["district"], us.coef["district"]),
        (plainly.beta, us.beta),
        (plainly.sigma, us.sigma),
        (plainly.loglik, us.loglik),
        (plainly.vcov, us.vcov),
        (plainly.varcorr["district"].covariance, us.varcorr["district"].covariance),
        (plainly.ranef["district"], us.ranef["district"]),
        (plainly.predict(), us.predict()),
    ):
        assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
    printed = [[-0.720, 0.103, -7, 3e-12], [0.009, 0.005, 2, 0.09], [0.742, 0.169, 4, 1e-5]]
    np.testing.assert_allclose(us.coefficients, printed, rtol=0.2)  # to a digit, as lme4's test has its output


@later
@of("test-covariance_structures", 15)
@pytest.mark.parametrize(("structure", "theirs"), [("us", ""), ("cs", ".cs"), ("diag", ".diag")])
def test_structures_are_those_of_glmmtmb(structure, theirs, by_district):
    fit = by_district[structure]
    stored = {name: of_others(f"gm.glmmTMB{theirs}_{name}") for name in ("sigma", "logLik", "vcov", "var", "predict")}
    assert fit.sigma == stored["sigma"]
    close(fit.loglik, stored["logLik"], 5e-5)
    close(fit.vcov, stored["vcov"], 3e-3)
    close(fit.varcorr["district"].covariance.T, stored["var"], 5e-4)
    close(fit.predict(), stored["predict"], 5e-5)


GAMMA = """suppressMessages(library(lme4)); set.seed(101); d <- expand.grid(group = 1:50, rep = 1:50)
d$y <- simulate(~ 1 + (1 | group), newdata = d, family = Gamma(link = 'log'),
  newparams = list(theta = 2, beta = 1, sigma = 1 / sqrt(2)))[[1]]; d"""


@later
@of("test-covariance_structures", 4)
def test_an_order_in_time_and_a_deviation_of_gamma_responses(cbpp):
    fit = glmer(
        "prop ~ 1 + ar1(0 + period | herd)",
        cbpp,
        "binomial",
        weights="size",
        control=GlmerControl(check_nobs_vs_n_re="ignore"),
    )
    assert fit.nobs == 56
    block = glmer("y ~ 1 + (1 | group)", drawn(GAMMA), "Gamma(log)").varcorr["group"]
    close(block.covariance, of_others("TMB_v1"), 1e-2)
    close(block.stddev, in_r(f"o <- readRDS({STRUCTURES}); as.vector(attr(o$TMB_v1, 'stddev'))"), 5e-3)
    close(block.correlation, [1])


@later
@of("test-covariance_glmer", 3)
def test_an_order_in_time_has_fixed_effects(women):
    code = f"readRDS({TESTDATA.format('glmmTMB_glmer_ar1_comparison.rds')})$glmer_ar1_dd"
    formula = "ftime + trt + ar1(ftime + 0 | id_cluster) + (1 | id_individual)"
    fit = glmer(f"out_bin_1 ~ {formula}", drawn(code), "binomial")
    close(fit.optinfo.value, [*fit.par, *fit.beta], 5e-5)
    assert lmer(f"out_gauss ~ {formula}", drawn(code), reml=False).beta.any()
    small = glmer("use ~ age + urban + ar1(0 + urban | district)", women, "binomial")
    assert small.get_me("X").shape[1] == len(small.beta)


@later
@of("test-glmer", 8)
def test_checks_end_with_many_rows_or_parameters(gm1):
    rows = gm1.update(control=GlmerControl(check_conv_nobsmax=55))
    both = gm1.update(control=GlmerControl(check_conv_nobsmax=55, calc_derivs=True))
    assert rows.optinfo.hessian is None
    assert gm1.optinfo.hessian is not None
    assert both.optinfo.hessian is not None
    assert not any("Model " in each.text for fit in (gm1, rows, both) for each in fit.conditions)
    few = {"opt_ctrl": {"maxfun": 20}}
    found = gm1.update(control=GlmerControl(**few)), gm1.update(control=GlmerControl(**few, check_conv_nparmax=2))
    assert [any("max|grad|" in each.text for each in fit.conditions) for fit in found] == [True, False]


@later
@of("other testthat files", 2)
def test_scaled_columns_come_back_on_their_own_scale(cbpp):
    values = in_r("set.seed(1); runif(56, 1e3, 1e5)")
    data = cbpp.assign(var1=values)
    formula = GM1.replace("~", "~ var1 +")
    scaled = glmer(formula, data, "binomial", control=GlmerControl(autoscale=True))
    own = glmer(formula, data, "binomial", control=GlmerControl(autoscale=False))
    close(scaled.beta, own.beta, 1e-5)
    close(scaled.vcov_of(use_hessian=False), own.vcov_of(use_hessian=False), 1e-4)


@of("test-resids", 2)
def test_weighted_residuals_keep_the_rows_left_out(sleep):
    data = sleep.assign(count=sleep["count"].where(sleep.index > 0), Reaction=sleep["Reaction"].where(sleep.index > 0))
    linear = lmer("Reaction ~ 1 + (1 | Subject)", data, na_action="exclude").resid().iloc[:3]
    counts = glmer("count ~ 1 + (1 | Subject)", data, "poisson", na_action="exclude").resid("pearson").iloc[:3]
    assert linear.isna().tolist() == counts.isna().tolist() == [True, False, False]
    close(linear.iloc[1:], [-86.4020327538219, -94.3061327538219])
    close(counts.iloc[1:], [-4.9271857060919, -5.35397661950064], rough(1e-6, 1e-6))


OF_OLD = """k <- suppressWarnings(RNGkind(sample.kind = 'Rounding')); d <- {{ {} }}; RNGkind(sample.kind = k[3]); d"""
TWO = """suppressMessages(library(lme4)); set.seed({seed}); l <- c('a', 'b', 'c', 'd')
d <- expand.grid(g1 = factor(l), g2 = factor(l), rep = 1:10)
d$y <- simulate(~ 1 + (1 | g1) + (1 | g2), family = binomial, newdata = d,
  newparams = list(beta = 0, theta = c(1, 1)))[[1]]; d"""


@of("test-predict", 4)
def test_standard_errors_of_predictions_of_some_levels():
    few = drawn(OF_OLD.format(SE_DATA))
    fit = glmer("outcome ~ var_binom + var_cont + (1 | grp)", few, "binomial")
    grid = pd.DataFrame({"var_binom": ["0", "1"], "var_cont": 9.24717241397544, "grp": ["a", "b"]})
    found = fit.predict(grid, se_fit=True)
    close(found["fit"], [-0.4338277, -0.5993396], rough(1e-6, 2e-5))
    close(found["se_fit"], [0.4255397, 0.2779372], rough(1e-2, 1e-4))
    assert fit.predict(few[few["grp"] != "c"], se_fit=True).shape == ((few["grp"] != "c").sum(), 2)
    for seed, others in ((123, ("a", "b")), (1, ("c", "d"))):
        data = drawn(TWO.format(seed=seed))
        two = glmer("y ~ 1 + (1 | g1) + (1 | g2)", data, "binomial")
        cells = pd.DataFrame([(a, b) for b in others for a in ("a", "b")], columns=["g1", "g2"])
        rows = [data.index[(data["g1"] == a) & (data["g2"] == b)][0] for a, b in cells.itertuples(index=False)]
        close(two.predict(cells, se_fit=True), two.predict(se_fit=True).loc[rows], 1e-8)


@of("test-formulaEval", 14)
def test_texts_that_are_put_together_give_one_fit(cbpp):
    data, name = drawn(EVAL), "z"
    texts = ["x ~ y + z + (1|r)", f"x ~ y + {name} + (1|r)", "x ~ y+z+(1 | r)", " x ~ (y + z) + (1|r) "]
    first, *others = (glmer(text, data, "binomial") for text in texts)
    table = first.drop1().frame
    in_plain_r = (
        f"d <- {{ {EVAL} }}; m <- suppressMessages(lme4::glmer(x ~ y + z + (1 | r), d, binomial)); drop1(m)$AIC"
    )
    close(table["aic"], in_r(in_plain_r), 1e-6)
    for fit in others:
        assert fit.beta.tobytes() == first.beta.tobytes()
        pd.testing.assert_frame_equal(fit.drop1().frame, table)  # which R's drop1() of a text has not
    herds = "cbind(incidence, size - incidence) ~ {} + (1 | herd)"
    assert [len(glmer(herds.format(each), cbpp, "binomial").beta) for each in ("1", "period")] == [1, 4]


@of("test-nbinom", 5)
def test_refits_of_a_shape_that_was_estimated():
    data = drawn(BASIC)
    estimated = glmer_nb("y ~ f1 * f2 + (1 | g)", data, n_agq=1).nb_theta
    for theta in (estimated, 0.482681277470945, float(f"{estimated:.7g}")):
        fit = glmer("y ~ f1 * f2 + (1 | g)", data, f"negative.binomial({theta!r})")
        close(fit.refit(data["y"]).beta, fit.beta, 1e-5)
    for name in ("negative.binomial", "poisson"):  # columns that have the names of R's families
        masked = data.head(200).assign(**{name: 1.0})
        assert glmer_nb(f"y ~ f1 + (1 | g) + offset(0 * `{name}`)", masked).nobs == 200


@of("test-allFit", 4)
def test_a_table_of_optimizers_leaves_nothing_behind(gm1):
    before = in_r("ls(globalenv())")
    found = gm1.all_fit(["nloptwrap.NLOPT_LN_BOBYQA", "nloptwrap.NLOPT_LN_NELDERMEAD"])
    assert type(found).__name__ == "AllFit"
    assert found.ok.index.tolist() == ["nloptwrap.NLOPT_LN_BOBYQA", "nloptwrap.NLOPT_LN_NELDERMEAD"]
    assert in_r("ls(globalenv())") == before


@of("test-ranef", 3)
def test_effects_of_two_factors_are_drawn():
    code = """suppressMessages(library(lme4)); set.seed(101); n <- 500
    d <- data.frame(x = rnorm(n), f = factor(sample(1:10, n, replace = TRUE), labels = LETTERS[1:10]),
      g = factor(sample(1:25, n, replace = TRUE), labels = letters[1:25]))
    d$y <- suppressMessages(simulate(~ 1 + x + (1 | f) + (x | g), family = binomial, newdata = d,
      newparams = list(beta = c(0, 1), theta = c(1, 1, 2, 1)))[[1]]); d"""
    fit = glmer("y ~ (1 | f) + (x | g)", drawn(code), "binomial")
    assert len(fit.ranef_table()) == 10 + 2 * 25
    plt = pytest.importorskip("matplotlib.pyplot")
    for group in ("f", "g"):
        assert fit.plot_ranef(group) is not None
    plt.close("all")


INTERNALS = "asks for R's slots, classes or environments"
DEVFUN = "evaluates the deviance function, which has no one value"
NEWER = "of lme4 2.0 or 2.1 alone: structures, autoscale, limits of the checks"
ABSENT = "an argument or function that is not here: verbose, devFunOnly, getReCovs, options(), family=gaussian()"
SCOPE = "names of R's environments that a formula or a call finds; here data are one frame"
DISPERSION = "numbers of Gamma, inverse Gaussian and gaussian families that changed from version to version"
STORED = "needs a fit stored by R, or data of a package that these tests do not ask for, such as mlmRev"
PLOTS = "R's plots and printed text; here matplotlib draws"
OTHER = "of linear models or glm; they touch a generalized fit by a name alone"
SKIPPED = "skipped by lme4 itself, whose nlmer has no structures that hold; such a term is refused here"
GAUSSIAN = "a gaussian family with the identity link, which lme4 warns of and fits by lmer, and which is refused here"
DENOVO = "draws by a formula without a fit, which are here of linear models alone"
EMPTY = "compared with a value that lme4's file of them has not"
LEDGER = {  # file: assertions, held by other tests of this package, and reasons of the others
    "test-glmer": (78, 0, {INTERNALS: 4, ABSENT: 6, NEWER: 1, STORED: 3, DISPERSION: 1, SCOPE: 1}),
    "test-methods": (47, 0, {PLOTS: 4, DISPERSION: 3, STORED: 1, NEWER: 1}),
    "test-predict": (31, 0, {STORED: 2, DISPERSION: 4, NEWER: 2}),
    "test-covariance_structures": (31, 0, {EMPTY: 3}),
    "test-formulaEval": (24, 0, {SCOPE: 5}),
    "test-covariance_nlmer": (18, 0, {SKIPPED: 18}),
    "test-nbinom": (18, 0, {INTERNALS: 4}),
    "test-resids": (16, 0, {}),
    "test-allFit": (12, 0, {ABSENT: 3}),
    "test-glmernb": (11, 0, {INTERNALS: 1, STORED: 1}),
    "test-start": (10, 0, {NEWER: 1}),
    "test-lmer": (8, 0, {INTERNALS: 2, OTHER: 4}),
    "test-glmFamily": (7, 0, {}),
    "test-glmmFail": (7, 0, {GAUSSIAN: 4}),
    "test-ranef": (6, 0, {}),
    "test-compdev": (5, 0, {DEVFUN: 3}),
    "test-rank": (4, 0, {}),
    "test-weights": (3, 0, {}),
    "test-catch": (2, 0, {}),
    "test-covariance_glmer": (4, 0, {}),
    "test-nlmer": (1, 0, {ABSENT: 1}),
    "test-simulate_formula": (3, 0, {INTERNALS: 2}),
    "other testthat files": (6, 0, {PLOTS: 2, SCOPE: 2}),
    "tests/glmer-1.R": (26, 0, {STORED: 4}),
    "tests/simulate.R": (14, 0, {STORED: 2, DENOVO: 3}),
    "tests/glmmWeights.R": (14, 0, {INTERNALS: 5, DISPERSION: 1}),
    "tests/refit.R": (10, 0, {STORED: 2}),
    "tests/nbinom.R": (8, 0, {STORED: 3}),
    "tests/is.R": (8, 0, {}),
    "tests/glmmExt.R": (6, 0, {DISPERSION: 4}),
    "tests/glmerWarn.R": (5, 0, {GAUSSIAN: 5}),
    "tests/testcrab.R": (5, 0, {DEVFUN: 2, STORED: 3}),
    "tests/HSAURtrees.R": (3, 0, {DEVFUN: 2}),
    "tests/offset.R": (3, 0, {}),
    "other files of tests/": (14, 0, {PLOTS: 6, STORED: 4, DEVFUN: 4}),
}


@pytest.fixture(scope="module")
def passengers():
    """Survivors by fare, sex and class, as in the data of pymer4's tests."""
    rng = np.random.default_rng(9)
    data = pd.DataFrame({"pclass": np.resize(["1", "2", "3"], 600), "sex": rng.choice(["male", "female"], 600)})
    data["fare"] = rng.exponential(30, 600) / data["pclass"].astype(int)
    eta = 0.02 * data["fare"] + 1.5 * (data["sex"] == "female") - 0.4 * data["pclass"].astype(int)
    return data.assign(survived=rng.random(600) < 1 / (1 + np.exp(-eta)))


def test_what_pymer4_asserts_of_glmer(passengers):
    """30 of the 32 assertions of its test_glmer.py; the others ask for tables of great_tables."""
    fit = glmer("survived ~ fare + (1 | pclass)", passengers, "binomial")
    assert fit.coefficients.shape == (2, 4)
    assert (fit.family.name, len(fit.ranef["pclass"]), len(fit.varcorr.frame)) == ("binomial", 3, 1)
    means = fit.predict(passengers, type="response")
    assert means.between(0, 1).all()
    close(means, fit.fitted)
    assert fit.predict(passengers).min() < 0 < 1 < fit.predict(passengers).max()
    sexes = glmer("survived ~ sex + (1 | pclass)", passengers, "binomial")
    assert len(sexes.anova().frame) == 1
    assert all("<table" in each._repr_html_() for each in (sexes.anova(), model_table(sexes)))
    assert "Fixed effects" in str(fit.summary())
    levels = sexes.emmeans("sex", type="response")
    assert levels.frame["estimate"].between(0, 1).all()
    difference = sexes.emmeans("sex").contrast({"female - male": [1, -1]}).frame["estimate"]
    close(-difference, sexes.beta[-1:])
    close(levels.pairs().frame["estimate"], np.exp(difference))
    ends = fit.tidy(conf_int=True, effects="fixed")[["conf_low", "conf_high"]]
    close(ends, fit.confint("beta_", method="Wald")[["conf_low", "conf_high"]])
    boot = fit.bootstrap(lambda each: each.beta, 40, seed=1)
    percentiles, basic = boot.confint(type="perc"), boot.confint(type="basic")
    assert abs(percentiles - ends.to_numpy()).max().max() > 1e-3
    assert abs(percentiles - basic).max().max() > 1e-3


def test_what_pymer4_asserts_of_links_and_draws(passengers):
    links = {link: glmer("survived ~ fare + (1 | pclass)", passengers, f"binomial({link})").beta for link in LINKS3}
    close(links["logit"], glmer("survived ~ fare + (1 | pclass)", passengers, "binomial").beta)
    assert len({each.round(4).tobytes() for each in links.values()}) == 3
    counts = passengers.assign(survived=passengers["survived"].astype(int), fare=passengers["fare"] / 100)
    log = glmer("survived ~ fare + (1 | pclass)", counts, "poisson(log)").beta
    close(log, glmer("survived ~ fare + (1 | pclass)", counts, "poisson").beta)
    assert abs(log - glmer("survived ~ fare + (1 | pclass)", counts, "poisson(identity)").beta).max() > 0.01
    fit = glmer("survived ~ fare + sex + (1 | pclass)", counts, "binomial")
    kept = fit.simulate(5, seed=1, use_u=True)
    assert kept.shape == (600, 5)
    assert {*np.unique(kept.to_numpy())} <= {0, 1}
    assert (kept["sim_1"] != fit.simulate(1, seed=1)["sim_1"]).any()


LINKS3 = ("logit", "probit", "cloglog")


def test_each_assertion_of_lme4_is_stated_or_has_a_reason():
    for file, (whole, elsewhere, reasons) in LEDGER.items():
        assert STATED[file] + elsewhere + sum(reasons.values()) == whole, file
    assert sum(whole for whole, *_ in LEDGER.values()) == 468
    assert {*STATED} <= {*LEDGER}


HEAD = """# Assertions of lme4 and pymer4 of generalized and nonlinear fits

Written by `python -m tests.models.test_lme4_suite` from the ledger there; a test compares them. An assertion of lme4's
own tests counts where it touches a fit of `glmer`, `glmer.nb` or `nlmer`. It is stated by a test of
`tests/models/test_lme4_suite.py`, on the data of that test, or it has a reason. Tests of both versions of lme4 that are
supported run it; what is of a later lme4 alone is a reason.

| lme4's tests | touch such a fit | stated | by | not stated, with the reason |
|---|--:|--:|---|---|
"""
PYMER4 = """
pymer4's `test_glmer.py` (commit 0c0d419) has 31 `assert`, one of them of two conditions: 32. 30 are stated by
`test_what_pymer4_asserts_of_glmer` and `test_what_pymer4_asserts_of_links_and_draws`, on drawn passengers in place of
its titanic data. 2 do not hold as they stand: they ask that `summary()` and `summary_anova()` be of the class
`great_tables.GT`, a library that is not used here. `GlmerFit.summary` is R's text, `GlmerFit.anova` a table that a
notebook shows as HTML, and `model_table` writes HTML, LaTeX and Word; the first of the two tests states it.
"""


def page():
    """The table of the ledger, with the tests that state each file's assertions."""
    rows = []
    for file, (whole, _, reasons) in LEDGER.items():
        left = "; ".join(f"{count}: {reason}" for reason, count in reasons.items()) or "-"
        names = ", ".join(f"`{name.removeprefix('test_')}`" for name in NAMES[file]) or "-"
        rows.append(f"| {file} | {whole} | {STATED[file]} | {names} | {left} |\n")
    whole, stated = sum(each for each, *_ in LEDGER.values()), sum(STATED.values())
    left = Counter()
    for _, _, reasons in LEDGER.values():
        left.update(reasons)
    sums = "; ".join(f"{count}: {reason}" for reason, count in left.most_common())
    rows.append(f"| all | {whole} | {stated} | | {whole - stated}, of these {sums} |\n")
    return HEAD + "".join(rows) + PYMER4


def test_the_table_of_the_ledger_is_as_written():
    assert PAGE.read_text("utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
