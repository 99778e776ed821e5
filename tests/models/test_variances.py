"""ICC and R squared, against performance on the same models (tests/cases/performance.R) and against R by hand.

performance 0.10.2 and this package part where performance takes other numbers than the model's:

- `double_bar`: it counts the first random term of a group alone, and all of them belong to the model.
- `poly_slopes`: it looks for the columns of the random part among those of the fixed part, and leaves out `Days`.
- `weighted`: it takes sigma**2 for the residual variance of every row, which changes with the unit of the weights. A
  row's residual variance is sigma**2 / weight (Bates et al. 2015, equation 2), and its mean does not change.
- `singular`: it gives NA; a variance of zero is a share of 0.
- By group it takes intercepts alone, which do not sum to the whole where there is a slope.

There the reference is `by_hand`, from R's own matrices, which Johnson (2014) defines the variance of a slope by.
"""

import json
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge import glmer, glmer_nb, lmer, load_dataset
from lmerbridge.bridge.session import lme4_has, lme4_version
from lmerbridge.errors import NotExpressible
from tests.oracle import plain

RECORDED = json.loads((Path(__file__).parents[1] / "cases" / "performance.json").read_text())
SLEEP = load_dataset("sleepstudy").assign(w=lambda d: 1.0 + d["Days"] % 3, off=lambda d: 2 * d["Days"])
GAPS = SLEEP.assign(Reaction=SLEEP["Reaction"].mask(SLEEP.index.isin(SLEEP.index[[2, 49, 50, 99]])))
MODELS = {  # formula, frame, options, as the R script has them
    "slopes": ("Reaction ~ Days + (Days | Subject)", SLEEP, {}),
    "line": ("Reaction ~ Days + (1 | Subject)", SLEEP, {}),
    "null": ("Reaction ~ 1 + (1 | Subject)", SLEEP, {}),
    "by_ml": ("Reaction ~ Days + (Days | Subject)", SLEEP, {"reml": False}),
    "double_bar": ("Reaction ~ Days + (Days || Subject)", SLEEP, {}),
    "poly": ("Reaction ~ poly(Days, 2) + (1 | Subject)", SLEEP, {}),
    "poly_slopes": ("Reaction ~ poly(Days, 2) + (Days | Subject)", SLEEP, {}),
    "weighted": ("Reaction ~ Days + (Days | Subject)", SLEEP, {"weights": "w"}),
    "offset": ("Reaction ~ Days + offset(off) + (1 | Subject)", SLEEP, {}),
    "exclude": ("Reaction ~ Days + (Days | Subject)", GAPS, {"na_action": "exclude"}),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", load_dataset("Penicillin"), {}),
    "nested": ("strength ~ 1 + (1 | batch / cask)", load_dataset("Pastes"), {}),
    "cake": ("angle ~ recipe * temperature + (1 | recipe:replicate)", load_dataset("cake"), {}),
    "orthodont": ("distance ~ age * Sex + (age | Subject)", load_dataset("Orthodont", "nlme"), {}),
    "machines": ("score ~ Machine + (Machine | Worker)", load_dataset("Machines", "nlme"), {}),
    "singular": ("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"), {}),
}
OTHERS = {"double_bar", "poly_slopes", "weighted", "singular"}  # where performance's are not the model's: see above
SLOPES = {"slopes", "by_ml", "exclude", "orthodont", "machines"}  # where its shares by group are of intercepts alone
EACH = pytest.mark.parametrize("model", MODELS)
# by the lme4 of the recording the optimum is the same but for the order of sums; another ends some 1e-5 of theta away
CLOSE = {"rel": 1e-9} if lme4_version() == RECORDED["made_with"]["lme4"] else {"rel": 1e-3, "abs": 1e-4}
PARTS = """x <- getME(m, "X"); w <- m@resp$weights
variance <- function(z, s) mean(rowSums((z %*% as.matrix(s)) * z)[w > 0])
random <- mapply(variance, getME(m, "mmList"), VarCorr(m))
c(var(as.vector(x %*% m@beta)[w > 0]), sum(random), sigma(m)^2 * mean(1 / w[w > 0]))"""


@cache
def fitted(model):
    """One of the models, fitted once."""
    formula, frame, options = MODELS[model]
    return lmer(formula, frame, **options)


def recorded(model, what):
    """What R recorded of a model."""
    return RECORDED["models"][model][what]


@pytest.mark.parametrize("model", [name for name in MODELS if name not in OTHERS])
def test_shares_are_those_of_performance(model):
    ours, theirs = fitted(model), recorded(model, "performance")
    icc, r2 = ours.icc(), ours.r2()
    assert (icc.adjusted, icc.unadjusted) == pytest.approx((theirs["adjusted"], theirs["unadjusted"]), **CLOSE)
    assert (r2.marginal, r2.conditional) == pytest.approx((theirs["marginal"], theirs["conditional"]), **CLOSE)


@pytest.mark.parametrize("model", [name for name in MODELS if name not in OTHERS | SLOPES])
def test_shares_by_group_are_those_of_performance(model):
    theirs = recorded(model, "performance")
    ours = fitted(model).icc(by_group=True).frame["icc"]
    assert ours.to_dict() == pytest.approx(dict(zip(theirs["group"], theirs["by_group"], strict=True)), **CLOSE)


@EACH
def test_variances_are_those_by_hand(model):
    theirs, parts = recorded(model, "by_hand"), fitted(model).icc().parts
    assert parts.fixed == pytest.approx(theirs["fixed"], **CLOSE | {"abs": 1e-12})
    assert parts.random_sum == pytest.approx(sum(theirs["random"]), **CLOSE | {"abs": 1e-12})
    assert parts.residual == pytest.approx(theirs["residual"], **CLOSE)
    in_r = plain(fitted(model), PARTS)  # of this very fit, so that nothing but the order of sums differs
    assert (parts.fixed, parts.random_sum, parts.residual) == pytest.approx(tuple(in_r), rel=1e-11, abs=1e-12)


@EACH
def test_shares_sum_and_lie_between_none_and_all(model):
    icc, r2 = fitted(model).icc(by_group=True), fitted(model).r2()
    assert icc.groups.sum() == pytest.approx(icc.adjusted, rel=1e-14)
    assert icc.parts.frame["share"].sum() == pytest.approx(1, rel=1e-14)
    assert r2.conditional == pytest.approx(r2.marginal + icc.unadjusted, rel=1e-14)
    assert 0 <= icc.unadjusted <= icc.adjusted < 1
    assert 0 <= r2.marginal <= r2.conditional < 1
    assert str(r2.parts) in str(r2)
    assert str(icc.groups.index[0]) in str(icc)


ODD = SLEEP.rename(columns={"Reaction": "re action", "Days": "~days", "Subject": "if"}).assign(
    **{"a b": np.resize(["x", "y z", "ü"], 180), "ok": np.resize([True, False, False], 180)}
)
BY_HAND = {
    "odd names": ("`re action` ~ `~days` + `a b` + (`~days` | `if`)", ODD, {}),
    "a boolean and a factor": ("`re action` ~ ok * `a b` + (ok | `if`) + (1 | `if`:`a b`)", ODD, {}),
    "two terms of a factor": ("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", SLEEP, {}),
    "a slope of nothing fixed": ("Reaction ~ 1 + (0 + Days | Subject)", SLEEP, {}),
    "no fixed part": ("Reaction ~ 0 + (1 | Subject)", SLEEP, {}),
    "weights of zero": ("Reaction ~ Days + (Days | Subject)", SLEEP.assign(w=SLEEP["w"] - 1), {"weights": "w"}),
    "a subset": ("Reaction ~ Days + (Days || Subject)", SLEEP, {"subset": SLEEP["Days"] > 1}),
    "splines": ("Reaction ~ ns(Days, 3) + (1 | Subject)", SLEEP, {"allow": ["splines::ns"]}),
    "a rank too many": ("Reaction ~ Days + I(2 * Days) + (1 | Subject)", SLEEP, {}),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_variances_of_other_models_are_those_by_hand(case):
    formula, frame, options = BY_HAND[case]
    fit = lmer(formula, frame, **options)
    parts = fit.icc().parts
    assert (parts.fixed, parts.random_sum, parts.residual) == pytest.approx(
        tuple(plain(fit, PARTS)), rel=1e-10, abs=1e-12
    )
    assert list(parts.random) == list(dict.fromkeys(block.group for block in fit.varcorr))


def test_the_unit_of_the_weights_changes_nothing():
    formula, frame, _ = MODELS["weighted"]
    other = lmer(formula, frame, weights=7 * frame["w"])
    assert other.icc().adjusted == pytest.approx(fitted("weighted").icc().adjusted, rel=1e-5)  # another optimum
    assert other.sigma == pytest.approx(np.sqrt(7) * fitted("weighted").sigma, rel=1e-4)


def test_the_unit_of_a_slope_changes_nothing():
    far = lmer("Reaction ~ Days + (Days | Subject)", SLEEP.assign(Days=SLEEP["Days"] / 100))
    assert far.r2().conditional == pytest.approx(fitted("slopes").r2().conditional, rel=1e-4)  # another optimum


def test_an_offset_is_no_part_of_the_variance():
    shifted = lmer("Reaction ~ Days + (1 | Subject)", SLEEP, offset=1000 * SLEEP["w"] + SLEEP["off"])
    unshifted = lmer("r ~ Days + (1 | Subject)", SLEEP.assign(r=SLEEP["Reaction"] - 1000 * SLEEP["w"] - SLEEP["off"]))
    assert shifted.r2().marginal == pytest.approx(unshifted.r2().marginal, rel=1e-6)


def test_a_variance_of_zero_counts_as_zero_and_is_said():
    icc, r2 = fitted("singular").icc(by_group=True), fitted("singular").r2()
    assert (icc.adjusted, icc.unadjusted, icc.frame["icc"].to_dict()) == (0, 0, {"Batch": 0})
    assert (r2.marginal, r2.conditional) == (0, 0)
    assert icc.parts.zero == ("Batch",)
    for text in (str(icc), str(r2), repr(icc)):
        assert "The variance of Batch is zero: the fit is singular." in text


def test_a_zero_beside_another_variance_is_said_by_its_name():
    frame = SLEEP.assign(day=SLEEP["Days"].astype(str))
    rng = np.random.default_rng(3)
    frame["y"] = rng.normal(size=180) + rng.normal(size=18).repeat(10)
    fit = lmer("y ~ 1 + (1 | Subject) + (1 | day)", frame)
    parts = fit.icc().parts
    assert fit.singular
    assert parts.zero == ("day",)
    assert parts.random["Subject"] > 0.5


def test_a_correlation_at_its_limit_is_said():
    fit = lmer("yield ~ nitro + (nitro | Block)", load_dataset("Oats", "nlme"))
    assert fit.singular
    assert fit.icc().parts.zero == ()
    assert "a variance or a correlation is at its limit" in str(fit.icc())
    assert "singular" not in str(fitted("slopes").icc())


def test_results_pickle_and_hold_still():
    icc = pickle.loads(pickle.dumps(fitted("crossed").icc(by_group=True)))
    assert icc.frame.equals(fitted("crossed").icc(by_group=True).frame)
    with pytest.raises(AttributeError):
        icc.by_group = False


def test_variances_of_a_structure_are_those_by_hand():
    if not lme4_has("structured_covariance"):
        pytest.skip("lme4 is older than 2.0-1")
    frame = SLEEP.assign(f=np.resize(list("abc"), 180))
    for term in ("diag(Days | Subject)", "cs(1 + Days | Subject, hom = FALSE)", "ar1(0 + f | Subject)"):
        fit = lmer(f"Reaction ~ Days + {term}", frame)
        parts = fit.icc().parts
        assert (parts.fixed, parts.random_sum, parts.residual) == pytest.approx(tuple(plain(fit, PARTS)), rel=1e-10)


def test_a_distribution_that_is_not_known_is_refused(monkeypatch):
    fit = fitted("line")
    monkeypatch.setattr("lmerbridge.models.extract.variances.RESIDUAL", {})
    with pytest.raises(NotExpressible, match="residual variance of gaussian with link identity is not known"):
        fit.r2()


def test_tables_have_one_shape():
    fit = fitted("crossed")
    assert list(fit.icc().frame.index) == ["adjusted", "unadjusted"]
    assert list(fit.r2().frame.index) == ["marginal", "conditional"]
    assert list(fit.icc(by_group=True).frame.index) == ["plate", "sample"]
    assert list(fit.icc().parts.frame) == ["effect", "group", "variance", "share"]
    assert isinstance(fit.icc().groups, pd.Series)


COWS, TICKS = load_dataset("cbpp"), load_dataset("grouseticks")
HERDS = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
GENERALIZED = {  # formula, frame, family, as the R script has them
    "cbpp": (HERDS, COWS, "binomial"),
    "probit": (HERDS, COWS, "binomial(probit)"),
    "cloglog": (HERDS, COWS, "binomial(cloglog)"),
    "ticks": ("TICKS ~ YEAR + cHEIGHT + (1 | BROOD)", TICKS, "poisson"),
    "crossed": ("TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION)", TICKS, "poisson"),
    "slopes": ("TICKS ~ YEAR + cHEIGHT + (cHEIGHT | LOCATION)", TICKS, "poisson"),
    "root": ("TICKS ~ YEAR + (1 | BROOD)", TICKS, "poisson(sqrt)"),
    "shape": ("TICKS ~ YEAR + (1 | BROOD)", TICKS, None),
    "null": ("TICKS ~ 1 + (1 | BROOD)", TICKS, "poisson"),
}
# glmer's optimum is known to some 1e-4 of theta at its own tolPwrss, from one lme4 to another
NEAR = {"rel": 1e-7, "abs": 1e-12} if lme4_version() == RECORDED["made_with"]["lme4"] else {"rel": 1e-2, "abs": 1e-4}


@cache
def generalized(model):
    """One of the generalized models, fitted once."""
    formula, frame, family = GENERALIZED[model]
    return glmer_nb(formula, frame) if family is None else glmer(formula, frame, family)


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.ConvergenceWarning")
@pytest.mark.parametrize("model", GENERALIZED)
def test_shares_of_generalized_models_are_those_of_performance(model):
    theirs, fit = RECORDED["generalized"][model], generalized(model)
    parts, r2 = fit.icc().parts, fit.r2()
    assert parts.fixed == pytest.approx(theirs["fixed"], **NEAR)
    assert parts.random_sum == pytest.approx(theirs["random"], **NEAR)
    assert parts.residual == pytest.approx(theirs["residual"], **NEAR)
    assert fit.icc().adjusted == pytest.approx(theirs["performance"]["adjusted"], **NEAR)
    found = (r2.marginal, r2.conditional)
    assert found == pytest.approx((theirs["performance"]["marginal"], theirs["performance"]["conditional"]), **NEAR)
    assert f"on the scale of the link, {fit.kind.link}" in str(r2)


def test_a_small_mean_count_is_said_and_a_large_one_is_not():
    assert "The mean count of 1.7 is near zero" in str(generalized("ticks").icc())
    many = glmer("n ~ 1 + (1 | BROOD)", TICKS.assign(n=20 * TICKS["TICKS"] + 30), "poisson")
    assert "mean count" not in str(many.icc())
    assert "mean count" not in str(generalized("cbpp").icc())


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.RowsLeftOutWarning")
def test_the_mean_count_is_of_the_rows_of_the_fit_whatever_the_formula():
    gaps = TICKS.assign(x=TICKS["cHEIGHT"].mask(np.arange(len(TICKS)) % 7 == 0), size=2.0)
    kept = gaps.dropna(subset=["x"])
    formula = "TICKS ~ 0 + YEAR * poly(x, 2) + offset(log(size)) + (1 | BROOD)"
    few = "TICKS ~ 1 + offset(log(size)) + (1 | BROOD)"
    fit, null = glmer(formula, kept, "poisson"), glmer(few, kept, "poisson")
    expected = np.log1p(1 / np.exp(null.beta[0]))
    assert fit.icc().parts.residual == pytest.approx(expected, rel=1e-12)
    assert "TICKS" in gaps
    simple = glmer("TICKS ~ x + (1 | BROOD)", gaps, "poisson").icc()
    same_rows = glmer("TICKS ~ 1 + (1 | BROOD)", kept, "poisson").icc()
    assert simple.parts.mean == pytest.approx(same_rows.parts.mean, rel=1e-12)


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.DispersionFamilyWarning")
@pytest.mark.parametrize("family", ["Gamma(log)", "gaussian(log)"])
def test_families_with_a_dispersion_are_refused(family):
    with pytest.raises(NotExpressible, match="residual variance of"):
        glmer("Reaction ~ Days + (1 | Subject)", SLEEP, family).icc()
