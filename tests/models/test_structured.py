"""us(), diag(), cs() and ar1(): read everywhere, fitted where lme4 has them."""

import pickle
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lmerbridge import compare, lmer, load_dataset
from lmerbridge.bridge import host, session
from lmerbridge.bridge.from_r import notices
from lmerbridge.bridge.session import lme4_has, lme4_version
from lmerbridge.engines import find
from lmerbridge.errors import (
    EngineFailed,
    FormulaError,
    InvalidArgument,
    KnownDefectWarning,
    NeedsNewer,
    NotExpressible,
    UnsafeFormula,
)
from lmerbridge.formula.formula import parse
from lmerbridge.inputs.spec import Spec
from lmerbridge.models.extract.objective import optima, polish
from lmerbridge.models.kept import notices_of
from lmerbridge.parity.verdict import Verdict
from lmerbridge.results.covariance import split
from lmerbridge.results.fit import LogLik
from tests.oracle import MODELS, fitted, plain, same_bits
from tests.processes import in_r

READ = {  # random term, kind and hom of each bar
    "(f | g)": [("us", False)],
    "us(f | g)": [("us", False)],
    "diag(f | g)": [("diag", False)],
    "diag(1 + f | g, hom = TRUE)": [("diag", True)],
    "cs(0 + f | g)": [("cs", False)],
    "(cs(0 + f | g, hom = TRUE))": [("cs", True)],
    "ar1(0 + f | g)": [("ar1", True)],
    "ar1(0 + f | g, hom = FALSE)": [("ar1", False)],
    "cs(1 | g/h) + (f || k)": [("cs", False), ("cs", False), ("us", False), ("us", False)],
}
REFUSED = {  # what lme4 fits as another model than it seems, or not at all
    "diag((f | g))": "directly inside diag",  # lme4 2.1 fits (f | g)
    "diag(f || g)": "directly inside diag",  # and here
    "us(f | g, hom = TRUE)": "us.. takes nothing else",  # lme4 2.1 passes over it where one column varies
    "cs(f | g, TRUE)": "takes hom = TRUE or",  # and over this everywhere
    "cs(f | g, het = TRUE)": "takes hom = TRUE or",
    "cs(f | g, hom = T)": "takes hom = TRUE or",
    "cs(f | g, hom = TRUE, hom = TRUE)": "takes hom = TRUE or",
    "x * cs(f | g)": "can only be added",
    "x - cs(f | g)": "can only be added",
    "cs(cs(f | g) | h)": "can only be added",
    "cs(f | diag(x | g))": "can only be added",
}
STRUCTURED = {  # formula, data set, package; kind and hom of each block in lme4's order
    "us": ("score ~ Machine + us(0 + Machine | Worker)", "Machines", "nlme", [("us", False)]),
    "diag": ("Reaction ~ Days + diag(Days | Subject)", "sleepstudy", None, [("diag", False)]),
    "diag_hom": ("score ~ Machine + diag(0 + Machine | Worker, hom = TRUE)", "Machines", "nlme", [("diag", True)]),
    "cs": ("score ~ Machine + cs(0 + Machine | Worker)", "Machines", "nlme", [("cs", False)]),
    "cs_hom": ("score ~ Machine + cs(0 + Machine | Worker, hom = TRUE)", "Machines", "nlme", [("cs", True)]),
    "ar1": ("distance ~ age + ar1(0 + factor(age) | Subject)", "Orthodont", "nlme", [("ar1", True)]),
    "ar1_het": ("distance ~ age + ar1(0 + factor(age) | Subject, hom = FALSE)", "Orthodont", "nlme", [("ar1", False)]),
    "two": (
        "Thickness ~ 1 + ar1(0 + Site | Lot) + (1 | Lot:Wafer)",
        *("Oxide", "nlme"),
        [("us", False), ("ar1", True)],
    ),
}
BOTH = [(name, reml) for name in STRUCTURED for reml in (True, False)]
FOREIGN = (
    *("statsmodels", "statsmodels[shared]", "mixedlm", "interlace", "nlme", "glmmTMB"),
    *("glmm", "mixedlm-rs", "lme-python", "gpboost", "mgcv"),
)


@pytest.fixture
def structures():
    if not lme4_has("structured_covariance"):
        pytest.skip(f"lme4 {lme4_version()} has no covariance structures; 2.0-1 and later have")


@cache
def fit_of(name, reml=True):
    formula, dataset, package, _ = STRUCTURED[name]
    return lmer(formula, load_dataset(dataset, package), reml=reml)


@pytest.mark.parametrize("text", READ)
def test_a_random_term_knows_its_structure(text):
    assert [(bar.kind, bar.hom) for bar in parse(f"y ~ x + {text}").random] == READ[text]


@pytest.mark.parametrize("text", READ)
def test_r_is_sent_the_structure_as_it_was_written(text):
    formula = parse(f"y ~ x + {text}")
    assert formula.text == f"y ~ x + {text}"
    assert parse(formula.source).tree == formula.tree
    assert [to for to in formula.structures if f"{to}(" not in formula.source] == []


@pytest.mark.parametrize("text", REFUSED)
def test_what_lme4_would_fit_as_another_model_is_refused(text):
    with pytest.raises(FormulaError, match=REFUSED[text]):
        parse(f"y ~ {text}")


@pytest.mark.parametrize("kind", ["us", "diag", "cs", "ar1"])
def test_a_structure_is_no_function_and_its_name_may_be_a_column_s(kind):
    with pytest.raises(UnsafeFormula, match=rf"{kind}\(x\), which is not allowed; {kind}\(\) may only stand around"):
        parse(f"y ~ {kind}(x) + (1 | g)")
    assert parse(f"y ~ {kind} + {kind}({kind} | g)").variables == ("y", kind, "g")


@pytest.mark.parametrize(
    ("text", "diagonal"),
    [
        ("y ~ x + (1 + x || g/h)", "y ~ x + diag(1 + x | g/h)"),
        ("y ~ x || g", "y ~ diag(x | g)"),
        ("y ~ (x | g) + cs(x | h)", "y ~ (x | g) + cs(x | h)"),
    ],
)
def test_a_double_bar_can_stand_for_a_diagonal_term(text, diagonal):
    assert parse(text).diagonal().text == diagonal


@pytest.mark.parametrize("formula", ["Reaction ~ Days + us(Days | Subject)", "Reaction ~ Days + diag(Days | Subject)"])
def test_an_lme4_without_structures_is_named_before_r_sees_the_formula(formula, sleepstudy, monkeypatch):
    monkeypatch.setattr(session, "lme4_version", lambda: "1.1-38")
    monkeypatch.setattr(host, "RModel", None)
    with pytest.raises(NeedsNewer, match=r"us\(\), diag\(\), cs\(\) and ar1\(\).* needs lme4 2\.0-1 .* 1\.1-38 is"):
        lmer(formula, sleepstudy)
    with pytest.raises(NeedsNewer, match=r"doublevert.* needs lme4 2\.0-1 or later"):
        lmer("Reaction ~ Days + (1 | Subject)", sleepstudy, double_bar="diag_special")


def test_a_double_bar_has_two_meanings(sleepstudy):
    with pytest.raises(InvalidArgument, match="double_bar is 'diag'; 'split' or 'diag_special' is expected"):
        lmer("Reaction ~ Days + (Days || Subject)", sleepstudy, double_bar="diag")


@pytest.mark.parametrize("engine", FOREIGN)
@pytest.mark.parametrize("name", ["diag", "cs_hom", "ar1"])
def test_an_engine_that_is_not_lme4_is_given_no_structure(engine, name):
    formula, dataset, package, _ = STRUCTURED[name]
    with pytest.raises(
        NotExpressible, match=r"^(diag|cs|ar1)\(\) is a covariance structure of lme4's that .* not given"
    ):
        find(engine).fit(Spec(formula=formula, data=load_dataset(dataset, package)))


def test_an_engine_that_reads_formulas_itself_takes_us_for_what_it_is(sleepstudy):
    statsmodels = find("statsmodels")
    of = lambda term: statsmodels.fit(Spec(formula=f"Reaction ~ Days + {term}", data=sleepstudy))  # noqa: E731
    np.testing.assert_array_equal(of("us(Days | Subject)").theta, of("(Days | Subject)").theta)


def test_a_wrong_count_of_parameters_is_told_with_the_right_one():
    assert list(notices.of_count(5, 5, "2.0-3")) == []
    (told,) = notices.of_count(9, 5, "2.0-3")
    assert isinstance(told, KnownDefectWarning)
    assert str(told).startswith("lme4 2.0-3 counts 9 parameters of this model, which has 5, so npar, AIC and BIC are")


def test_a_fit_whose_parameters_lme4_counts_wrong_says_so():
    fit = fitted("sleepstudy")
    assert not any(isinstance(notice, KnownDefectWarning) for notice in notices_of(fit))
    wrong = replace(fit, loglik=LogLik(fit.loglik, fit.npar + 4, fit.nobs, fit.reml))
    (told,) = notices_of(wrong)
    assert f"counts {fit.npar + 4} parameters of this model, which has {fit.npar}" in str(told)


@pytest.mark.parametrize("name", MODELS)
def test_a_plain_model_has_unstructured_terms_whose_parameters_are_theta(name):
    fit = fitted(name)
    assert [(term.kind, term.hom) for term in fit.re_covs()] == [("us", False)] * len(fit.varcorr)
    assert same_bits(fit.par, fit.theta)


@pytest.mark.usefixtures("structures")
@pytest.mark.parametrize(("name", "reml"), BOTH)
class TestFits:
    """What holds of every structured fit, by REML and by ML."""

    def test_blocks_know_their_structure_and_its_parameters_are_lme4s(self, name, reml):
        fit = fit_of(name, reml)
        assert [(term.kind, term.hom) for term in fit.re_covs()] == STRUCTURED[name][3]
        assert same_bits(fit.par, plain(fit, "unlist(lapply(getReCovs(m), getPar))"))
        assert same_bits(fit.theta, plain(fit, 'getME(m, "theta")'))
        for term, block in zip(fit.re_covs(), fit.varcorr, strict=True):
            assert same_bits(term.par, block.par)
            assert len(term.sd) == (1 if term.hom else len(term.terms))
            np.testing.assert_allclose(np.broadcast_to(term.sd, len(term.terms)), block.stddev, rtol=1e-14)  # rounding
            if term.kind in ("cs", "ar1"):
                assert term.rho == term.par[-1]
                np.testing.assert_allclose(term.corr.iloc[0, 1], term.rho, rtol=1e-14)
            else:
                assert np.isnan(term.rho)

    def test_varcorr_is_lme4s(self, name, reml):
        fit = fit_of(name, reml)
        assert same_bits(fit.varcorr.frame["vcov"], plain(fit, "as.data.frame(VarCorr(m))$vcov"))
        assert same_bits(fit.varcorr.frame["sdcor"], plain(fit, "as.data.frame(VarCorr(m))$sdcor"))
        assert list(fit.varcorr.frame["group"]) == plain(fit, "as.data.frame(VarCorr(m))$grp")
        classes = {"cs": ("vcmat_cs", "vcmat_homcs"), "ar1": ("vcmat_hetar1", "vcmat_ar1")}
        ours = [classes.get(b.kind, (f"vcmat_{b.kind}",) * 2)[b.hom] for b in fit.varcorr]
        assert ours == plain(fit, "vapply(VarCorr(m), function(x) class(x)[1L], '', USE.NAMES = FALSE)")

    def test_a_statistic_gets_the_structures_and_their_parameters(self, name, reml):
        fit, seen = fit_of(name, reml), []
        fit.bootstrap(lambda replicate: float(len(seen.append(replicate) or seen)), 1, seed=1)
        itself, refitted = seen[:2]
        again = refitted.refit()
        for replicate, whole, tolerance in [(itself, fit, 1e-12), (refitted, again, 0.01)]:  # rounding; two optimizers
            for ours, theirs in zip(replicate.varcorr, whole.varcorr, strict=True):
                assert (ours.kind, ours.hom) == (theirs.kind, theirs.hom)
                np.testing.assert_allclose([*ours.par, ours.rho], [*theirs.par, theirs.rho], tolerance, tolerance)

    def test_parameters_are_counted_as_they_are(self, name, reml):
        fit = fit_of(name, reml)
        assert fit.npar == len(fit.beta) + len(fit.par) + 1
        assert same_bits([fit.aic, fit.bic], plain(fit, "c(AIC(m), BIC(m))"))
        assert fit.quantities()["AIC"] == fit.aic

    def test_terms_are_singular_when_lme4_says_so(self, name, reml):
        fit = fit_of(name, reml)
        assert fit.singular_terms().any() == fit.singular
        for tol in (0.1, 0.5, 2.0, 5.0):
            assert [is_singular(term, tol) for term in fit.re_covs()] == list(fit.singular_terms(tol=tol))

    def test_the_likelihood_is_the_density_of_the_covariance_that_is_told(self, name, reml):
        fit = fit_of(name, reml)
        # The sum of a hundred squares, by a dense factor of V here and a sparse one of Lambda'Z'Z Lambda + I there.
        np.testing.assert_allclose(dense_loglik(fit), float(fit.loglik), rtol=1e-8)

    def test_the_objective_is_the_criterion_and_an_optimum_is_not_beaten(self, name, reml):
        fit = fit_of(name, reml)
        np.testing.assert_allclose(fit.deviance_at(fit.theta), fit.criterion, rtol=1e-13)  # par, from theta and back
        theta, value = polish(fit, np.array([fit.theta, *optima(fit).theta]))
        assert value[0] <= fit.criterion * (1 + 1e-13)
        np.testing.assert_allclose(value.min(), fit.criterion, atol=2e-6)  # deviance units: lme4's own tolerance
        assert len(optima(fit).optimizer) >= 3
        assert np.all(optima(fit).value >= value.min() - 1e-9)
        np.testing.assert_allclose(fit.deviance_at(theta), value, rtol=1e-13)

    def test_a_fit_comes_back_from_a_pickle_as_it_was(self, name, reml):
        fit = fit_of(name, reml)
        again = pickle.loads(pickle.dumps(fit))
        assert same_bits(again.par, fit.par)
        assert [b.kind for b in again.varcorr] == [b.kind for b in fit.varcorr]
        asked = "c(m@theta, predict(m, m@frame[5:1, ]), simulate(m, seed = 1, re.form = NULL)[[1L]])"
        assert same_bits(plain(again, asked), plain(fit, asked))  # the rebuilt model in R


def is_singular(term, tol):
    """Whether a relative standard deviation is that close to 0, or a correlation to its bounds."""
    k = len(term.terms)
    if term.kind == "us":
        return bool(np.diag(split(term.par, [k])[0]).min() < tol)
    bounds = {"ar1": -1, "cs": -1 / (k - 1), "diag": np.nan}
    near = [term.rho - bounds[term.kind], 1 - term.rho]  # NaN of diag
    sds = term.par if term.kind == "diag" else term.par[:-1]
    return bool(min(sds) < tol or min(near) < tol)


def dense_loglik(fit):
    """The Gaussian log-density of y under the fit's fixed effects, sigma and blocks; restricted, if REML."""
    design = fit.design()
    covariance = fit.sigma**2 * np.diag(1 / design.weights)
    for term, block in zip(design.random, fit.varcorr, strict=True):
        z = term.z.toarray()
        covariance += z @ np.kron(np.eye(len(term.levels)), block.covariance) @ z.T
    residual = design.y - design.offset - design.x @ fit.beta
    n, p = design.x.shape
    value = -2 * np.sum(np.log(np.diag(np.linalg.cholesky(covariance)))) - residual @ np.linalg.solve(
        covariance, residual
    )
    if fit.reml:
        value -= np.linalg.slogdet(design.x.T @ np.linalg.solve(covariance, design.x))[1]
    return (value - (n - p * fit.reml) * np.log(2 * np.pi)) / 2


@pytest.mark.usefixtures("structures")
def test_us_is_the_term_without_it_to_the_last_bit():
    ours, machines = fit_of("us"), load_dataset("Machines", "nlme")
    other = lmer("score ~ Machine + (0 + Machine | Worker)", machines)
    for name in ("theta", "par", "beta", "covariance", "sigma", "criterion", "fitted_values"):
        assert np.array_equal(getattr(ours, name), getattr(other, name)), name


@pytest.mark.usefixtures("structures")
def test_compound_symmetry_is_a_random_intercept_and_one_nested_in_it():
    cs = fit_of("cs_hom")
    nested = lmer("score ~ Machine + (1 | Worker) + (1 | Worker:Machine)", load_dataset("Machines", "nlme"))
    (term,), whole = cs.re_covs(), nested.varcorr
    np.testing.assert_allclose(float(cs.loglik), float(nested.loglik), rtol=1e-9)  # of one optimum, two ways there
    assert cs.npar == nested.npar
    shared = term.sd[0] ** 2 * term.rho
    expected = [whole["Worker"].covariance[0, 0], whole["Worker:Machine"].covariance[0, 0]]
    np.testing.assert_allclose([shared, term.sd[0] ** 2 - shared], expected, rtol=1e-3)  # half the optimum's digits
    np.testing.assert_allclose(cs.beta, nested.beta, rtol=1e-9)


def criterion_or_error(formula, data):
    try:
        return lmer(formula, data).criterion
    except EngineFailed as error:
        return str(error)


@pytest.mark.usefixtures("structures")
def test_a_model_that_lme4_cannot_fit_is_an_error_and_never_a_fit_of_nan():
    oxide = load_dataset("Oxide", "nlme")
    nested = lmer("Thickness ~ 1 + (1 | Lot / Site) + (1 | Lot:Wafer)", oxide)
    # lme4 2.1-0 tries rho = 1, where its cs() has no value, and is lost.
    found = criterion_or_error("Thickness ~ 1 + cs(0 + Site | Lot, hom = TRUE) + (1 | Lot:Wafer)", oxide)
    assert "a fit of NaN throughout" in str(found) or found == pytest.approx(nested.criterion, abs=1e-6)


UNDER_OPTION = """local({
  old <- options(lme4.doublevert.default = "diag_special")
  on.exit(options(old))
  m <- suppressMessages(lme4::lmer(%s, nlme::Machines))
  c(m@theta, m@beta, stats::logLik(m))
})"""


@pytest.mark.usefixtures("structures")
def test_a_double_bar_under_diag_special_is_what_lme4_makes_of_it_under_its_option():
    machines = load_dataset("Machines", "nlme")
    fit = lmer("score ~ Machine + (0 + Machine || Worker)", machines, double_bar="diag_special")
    theirs = in_r(f"(function() {UNDER_OPTION % 'score ~ Machine + (0 + Machine || Worker)'})()")
    assert same_bits([*fit.theta, *fit.beta, float(fit.loglik)], theirs)
    assert fit.varcorr["Worker"].kind == "diag"
    assert in_r('is.null(getOption("lme4.doublevert.default"))')[0]
    split = lmer("score ~ Machine + (0 + Machine || Worker)", machines)
    assert split.varcorr["Worker"].kind == "us"  # the columns of a factor stay together, and correlated
    assert split.npar > fit.npar


@pytest.mark.usefixtures("structures")
def test_a_theta_that_no_covariance_of_the_structure_gives_is_refused():
    fit = fit_of("cs_hom")
    with pytest.raises(InvalidArgument, match=r"theta has the point \(1, 2, 3, 4, 5\), which no diag\(\), cs\(\) or"):
        fit.deviance_at(np.arange(1.0, 6.0))


@pytest.mark.usefixtures("structures")
def test_the_referee_judges_us_and_says_that_it_cannot_judge_the_others():
    machines = load_dataset("Machines", "nlme")
    assert compare(STRUCTURED["us"][0], machines, candidate="lme4[bobyqa]").verdict is Verdict.SAME_OPTIMUM
    for name in ("cs", "diag_hom"):
        result = compare(STRUCTURED[name][0], machines, candidate="lme4[bobyqa]")
        assert result.verdict is Verdict.NOT_EXPRESSIBLE
        assert result.reason.startswith("the referee moves every Cholesky factor freely")


@pytest.mark.usefixtures("structures")
def test_variances_have_intervals_by_bootstrap_too():
    fit = fit_of("diag")
    ends = fit.tidy("ran_pars", scales="vcov", conf_int=True, conf_method="boot", nsim=20, seed=1)
    assert list(ends["term"]) == ["var__(Intercept)", "var__Days", "var__Observation"]
    of_sd = fit.tidy("ran_pars", conf_int=True, conf_method="boot", nsim=20, seed=1)
    squares = of_sd[["conf_low", "conf_high"]] ** 2
    np.testing.assert_allclose(ends[["conf_low", "conf_high"]], squares, rtol=0.05)  # interpolated on another scale


@pytest.mark.usefixtures("structures")
def test_a_start_is_par():
    fit = fit_of("cs")
    formula, dataset, package, _ = STRUCTURED["cs"]
    again = lmer(formula, load_dataset(dataset, package), start={"par": fit.par}, control={"optimizer": None})
    np.testing.assert_allclose(again.theta, fit.theta, rtol=1e-14)  # lme4 goes from par to theta and back
