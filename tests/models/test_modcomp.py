"""pbkrtest's comparisons of a model with a smaller one, against plain R."""

import pickle
from functools import cache

import numpy as np
import pytest

from lmerbridge import lmer
from lmerbridge.errors import InvalidArgument
from tests.models.test_inference import BY_DIFFERENCES, extra
from tests.oracle import MODELS, fitted, plain
from tests.processes import in_r

SMALLER = {  # models with less in their fixed part; R's package and name of their data
    "sleepstudy": ("Reaction ~ 1 + (Days | Subject)", "lme4::sleepstudy"),
    "pastes": ("strength ~ 0 + (1 | batch / cask)", "lme4::Pastes"),
    "penicillin": ("diameter ~ 0 + (1 | plate) + (1 | sample)", "lme4::Penicillin"),
    "cake": ("angle ~ recipe + temperature + (1 | recipe:replicate)", "lme4::cake"),
    "orthodont": ("distance ~ age + (age | Subject)", "nlme::Orthodont"),
    "double_bar": ("Reaction ~ 1 + (Days || Subject)", "lme4::sleepstudy"),
}

RANDOM = {  # models with less in their random part
    "pastes": ("strength ~ 1 + (1 | cask:batch)", "lme4::Pastes"),
    "penicillin": ("diameter ~ 1 + (1 | plate)", "lme4::Penicillin"),
}


def than(name):
    """What plain R compares with: pbkrtest takes no model without fixed effects, 0.5.5 no matrix without a formula."""
    return "m0" if smaller(name).terms else "structure(matrix(1), formula = y ~ 1)"


@cache
def smaller(name):
    return lmer(SMALLER[name][0], fitted(name).spec.data)


def in_plain_r(name, code):
    """R code with `d`, the data, `m` and `m0`, the larger and the smaller model."""
    formula, (less, data) = MODELS[name][0], SMALLER[name]
    setup = f"d <- {data}; m <- lme4::lmer({formula}, d); m0 <- lme4::lmer({less}, d)"
    return np.asarray(in_r(f"local({{{setup}; as.double(unlist({code}, use.names = FALSE))}}, globalenv())"), float)


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_kenward_rogers_test_is_pbkrtests(name):
    ours = fitted(name).kr_modcomp(smaller(name))
    theirs = in_plain_r(name, f"pbkrtest::KRmodcomp(m, {than(name)})$test")
    np.testing.assert_allclose(ours.tests.to_numpy(float).ravel(order="F"), theirs, rtol=1e-8)  # inverts a dense matrix
    assert list(ours.tests.index) == ["Ftest", "FtestU"]
    assert list(ours.tests.columns) == ["statistic", "ndf", "ddf", "f_scaling", "p_value"]
    chosen = [ours.statistic, ours.ndf, ours.ddf, ours.f_scaling, ours.p_value]
    assert chosen == ours.tests.loc["Ftest"].to_list()
    assert ours.method == "Kenward-Roger"
    assert ours.restriction.shape == (ours.ndf, len(fitted(name).terms))
    assert list(ours.restriction.columns) == list(fitted(name).terms)


@pytest.mark.parametrize("name", SMALLER)
def test_satterthwaites_test_is_pbkrtests(name):
    ours = fitted(name).sat_modcomp(smaller(name))
    theirs = in_plain_r(name, f"pbkrtest::SATmodcomp(m, {than(name)})$test")
    np.testing.assert_allclose(ours.tests.to_numpy(float).ravel(order="F"), theirs, rtol=BY_DIFFERENCES)
    np.testing.assert_allclose([ours.statistic, ours.ndf, ours.ddf, ours.p_value], theirs, rtol=BY_DIFFERENCES)
    assert np.isnan(ours.f_scaling)
    assert ours.method == "Satterthwaite"


@pytest.mark.parametrize("name", ["sleepstudy", "cake", "orthodont"])
def test_contrasts_restrict_as_a_smaller_model_does(name):
    fit = fitted(name)
    gone = [term for term in fit.terms if term not in smaller(name).terms]
    rows = [[float(term == each) for term in fit.terms] for each in gone]
    for verb in ("kr_modcomp", "sat_modcomp"):
        by_rows, by_model = getattr(fit, verb)(rows), getattr(fit, verb)(smaller(name))
        assert by_rows.restriction.to_numpy().tolist() == rows
        for field in ("statistic", "ndf", "ddf", "p_value"):
            assert getattr(by_rows, field) == pytest.approx(getattr(by_model, field), rel=1e-6)  # another basis


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALLER)
def test_the_bootstrap_gives_rs_numbers_for_a_seed(name):
    formula, _ = RANDOM.get(name, SMALLER[name])
    less = lmer(formula, fitted(name).spec.data)
    ours = fitted(name).pb_modcomp(less, nsim=4, seed=7)
    kind = "RNGkind('Mersenne-Twister', 'Inversion', 'Rejection'); set.seed(7)"
    test = f"x <- pbkrtest::PBmodcomp(m, lme4::lmer({formula}, d), nsim = 4)"
    theirs = in_plain_r(name, f"{{{kind}; {test}; c(x$ref, unlist(summary(x)$test))}}")
    found = [*ours.reference, *ours.tests.to_numpy(float).ravel(order="F")]
    assert np.array_equal(found, theirs, equal_nan=True)
    assert (ours.statistic, ours.p_value) == tuple(ours.tests.loc["PBtest", ["statistic", "p_value"]])
    assert ours.ndf == fitted(name).npar - less.npar
    assert ours.method == "parametric bootstrap"


def test_the_bootstrap_refits_by_ml_so_that_the_defect_of_refit_does_not_touch_it():
    """lme4 1.1-8 to 1.1-32 refits a REML fit as if it had one fixed effect."""
    fit, less = fitted("cake"), smaller("cake")
    by_ml = [lmer(each.formula, each.spec.data, reml=False) for each in (fit, less)]
    found = [fit.pb_modcomp(less, nsim=4, seed=1), by_ml[0].pb_modcomp(by_ml[1], nsim=4, seed=1)]
    np.testing.assert_allclose(found[0].reference, found[1].reference, rtol=1e-3)  # from starts that differ a little
    expected = 2 * (by_ml[0].loglik - by_ml[1].loglik)
    assert [each.statistic for each in found] == pytest.approx([expected] * 2, rel=1e-6)


def test_without_a_seed_two_bootstraps_differ():
    fit, less = fitted("sleepstudy"), smaller("sleepstudy")
    a, b = (fit.pb_modcomp(less, nsim=3).reference for _ in range(2))
    assert not np.array_equal(a, b)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["weights", "offset", "subset", "exclude", "control", "start", "contrasts", "all"])
def test_pbkrtest_finds_what_the_fit_was_called_with(datasets, way):
    (fit, less), script = extra(datasets, way)

    def theirs(code):
        return np.asarray(in_r(f"local({{{script}\n {code}}}, new.env(parent = asNamespace('lme4')))"), float)

    contest = "t <- lmerTest::as_lmerModLmerTest(m); as.double(lmerTest::contestMD(t, c(0, 1, 0), ddf = '%s')[3:6])"
    ours = fit.sat_modcomp(less)
    found = [ours.ndf, ours.ddf, ours.statistic, ours.p_value]
    np.testing.assert_allclose(found, theirs(contest % "Satterthwaite"), rtol=1e-5)  # another step of differences
    if way not in ("weights", "all"):
        ours = fit.kr_modcomp(less)
        found = [ours.ndf, ours.ddf, ours.statistic, ours.p_value]
        np.testing.assert_allclose(found, theirs(contest % "Kenward-Roger"), rtol=1e-8)
        ours = fit.pb_modcomp(less, nsim=3, seed=1)
        ratio = theirs("a <- stats::anova(m0, m); as.double(a[2, c('Chisq', 'Df')])")
        np.testing.assert_allclose([ours.statistic, ours.ndf], ratio, rtol=1e-6)  # refitted from other starts
        assert len(ours.reference) == 3


@pytest.mark.slow
def test_a_transformed_response_is_one_too(sleepstudy):
    """pbkrtest 0.5.5 takes the response for the name of a column."""
    fits = [lmer(f"log(Reaction) ~ {fixed} + (Days | Subject)", sleepstudy) for fixed in ("Days", "1")]
    logs = sleepstudy.assign(y=np.log(sleepstudy["Reaction"]))
    same = [lmer(f"y ~ {fixed} + (Days | Subject)", logs) for fixed in ("Days", "1")]
    for verb, options in (("kr_modcomp", {}), ("sat_modcomp", {}), ("pb_modcomp", {"nsim": 3, "seed": 1})):
        ours, theirs = (getattr(large, verb)(small, **options) for large, small in (fits, same))
        np.testing.assert_allclose(
            ours.tests, theirs.tests, rtol=1e-6
        )  # numpy's logarithms are not R's to the last bit
        assert "log(Reaction) ~ Days" in str(ours)
        assert "`" not in str(ours)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_the_adjusted_covariance_and_its_degrees_of_freedom_are_pbkrtests(name):
    fit = fitted(name)
    adjusted = plain(fit, "as.vector(as.matrix(pbkrtest::vcovAdj(m)))")
    np.testing.assert_allclose(fit.vcov_kr().to_numpy().ravel(order="F"), adjusted, rtol=1e-8)
    assert list(fit.vcov_kr().columns) == list(fit.terms)
    rows = np.eye(len(fit.terms))[:3]
    first = f"diag(length(fixef(m)))[seq_len({len(rows)}), , drop = FALSE]"
    theirs = plain(fit, f"apply({first}, 1, function(L) pbkrtest::get_Lb_ddf(m, L))")
    np.testing.assert_allclose(fit.ddf_lb(rows), theirs, rtol=1e-8)


def test_a_model_that_is_not_smaller_is_refused(sleepstudy):
    fit, less = fitted("sleepstudy"), smaller("sleepstudy")
    for verb in ("kr_modcomp", "sat_modcomp", "pb_modcomp"):
        for wrong in (fit, lmer("Reaction ~ I(Days^2) + (Days | Subject)", sleepstudy)):
            with pytest.raises(InvalidArgument, match=r"is not a part of this one.*, or is all of it"):
                getattr(fit, verb)(wrong)
        with pytest.raises(InvalidArgument, match="is not a part of this one"):
            getattr(less, verb)(fit)
        with pytest.raises(InvalidArgument, match=r"the smaller one are not fitted to the same rows \(180 and 100"):
            getattr(fit, verb)(lmer("Reaction ~ 1 + (Days | Subject)", sleepstudy[:100]))
    for verb in ("kr_modcomp", "sat_modcomp"):
        with pytest.raises(InvalidArgument, match=rf"{verb}\(\) compares fixed parts, and the two models have other"):
            getattr(fit, verb)(lmer("Reaction ~ 1 + (1 | Subject)", sleepstudy))
    with pytest.raises(InvalidArgument, match="smaller is a list; a fit of lmer is expected"):
        fit.pb_modcomp([0, 1])
    with pytest.raises(InvalidArgument, match="wants a fixed effect in the smaller model"):
        fit.pb_modcomp(lmer("Reaction ~ 0 + (1 | Subject)", sleepstudy))
    with pytest.raises(InvalidArgument, match="nsim is 0"):
        fit.pb_modcomp(less, nsim=0)
    with pytest.raises(InvalidArgument, match="seed is 1099511627776; a whole number"):
        fit.pb_modcomp(less, nsim=1, seed=2**40)


def test_the_bootstrap_is_refused_of_weights_which_lme4s_simulate_leaves_out(datasets):
    (fit, less), _ = extra(datasets, "weights")
    drawn = "s <- as.matrix(simulate(m, 400, seed = 1, use.u = TRUE)) - fitted(m); w <- m@resp$weights"
    spread = plain(fit, f"{{{drawn}; c(sd(s[w == 2, ]), sd(s[w == 0.5, ])) / sigma(m)}}")
    np.testing.assert_allclose(spread, 1, atol=0.02)  # else lme4 has learned it: refuse no more
    with pytest.raises(InvalidArgument, match=r"weights, which lme4's simulate\(\) leaves out"):
        fit.pb_modcomp(less)


def test_kenward_roger_is_refused_of_weights_which_pbkrtest_leaves_out(datasets):
    (fit, less), _ = extra(datasets, "weights")
    gls = "{S <- as.matrix(pbkrtest::get_SigmaG(m)$Sigma); X <- getME(m, 'X'); as.vector(solve(t(X) %*% solve(S, X)))}"
    covariance = plain(fit, gls)
    assert np.abs(covariance / fit.covariance.ravel() - 1).max() > 0.01  # else pbkrtest has learned it: refuse no more
    for ask in (lambda: fit.kr_modcomp(less), fit.vcov_kr, lambda: fit.ddf_lb({"Days": 1})):
        with pytest.raises(InvalidArgument, match="weights, which pbkrtest's Kenward-Roger method leaves out"):
            ask()


def test_a_fit_by_ml_is_tested_as_the_one_by_reml():
    fit, less = fitted("sleepstudy"), smaller("sleepstudy")
    for verb in ("kr_modcomp", "sat_modcomp"):
        ours = getattr(fitted("sleepstudy", reml=False), verb)(less)
        assert ours.statistic == pytest.approx(getattr(fit, verb)(less).statistic, rel=1e-6)  # another start
    with pytest.raises(InvalidArgument, match="for a fit by REML, and this one is by ML"):
        fitted("sleepstudy", reml=False).vcov_kr()


def test_a_time_limit_holds_for_each_comparison():
    fit, less = fitted("sleepstudy"), smaller("sleepstudy")
    for verb in ("kr_modcomp", "sat_modcomp", "pb_modcomp"):
        with pytest.raises(InvalidArgument, match="the time limit is -1"):
            getattr(fit, verb)(less, timeout=-1)


def test_a_comparison_survives_a_pickle():
    found = fitted("sleepstudy").kr_modcomp(smaller("sleepstudy"))
    again = pickle.loads(pickle.dumps(found))
    assert str(again) == str(found)
    assert again.tests.equals(found.tests)
