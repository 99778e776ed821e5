"""Generalized models before the referee: one converged objective, and each cause of a difference computed."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lmerbridge import Verdict, compare
from lmerbridge.bridge.session import lme4_version
from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import GlmerNbSpec, GlmerSpec
from lmerbridge.parity import tolerances
from lmerbridge.parity.at_point import fit_at_point
from lmerbridge.parity.joint import Joint
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.words import Code
from lmerbridge.results import LogLik, glmm, read_family
from lmerbridge.setup.compat import Range
from tests.parity.test_every_field import CASES, FIELDS, REMARKS, WORDS

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
TICKS = "TICKS ~ YEAR + (1 | BROOD)"
TIGHT = "lme4[tight]"
MENDED = lme4_version() in Range("2.1-0")  # its inner iterations converge


@pytest.fixture(scope="module")
def cbpp(datasets):
    return datasets("cbpp")


@pytest.fixture(scope="module")
def grouseticks(datasets):
    return datasets("grouseticks")


@pytest.fixture(scope="module")
def tight(cbpp):
    """lme4's fit of cbpp with tight inner iterations, as numbers alone."""
    fit = find(TIGHT).fit(GlmerSpec(formula=CBPP, data=cbpp, family="binomial"))
    return replace(fit.numbers(), _design=fit.design())


@pytest.fixture(scope="module")
def joint(tight):
    return Joint.of(tight, tight.design())


def verdict_on(reference, **changed):
    candidate = replace(reference, engine="mine", **changed)
    return judge(Trial(reference, candidate, (TIGHT, "mine"), tolerances.default()))


def test_default_glmer_has_good_estimates_and_reports_what_its_own_objective_has_not(cbpp):
    result = compare(CBPP, cbpp, family="binomial", candidate="lme4")
    if MENDED:
        assert (result.verdict, result.frame["agrees"].all()) == (Verdict.SAME_OPTIMUM, True)
        return
    figures = result.cause.figures
    assert (result.verdict, result.reference, result.family) == (Verdict.OTHER_OBJECTIVE, TIGHT, "binomial(logit)")
    assert figures["constant"] == "pirls_tolerance 1e-07"
    assert figures["reported"] - figures["common"] == pytest.approx(5.604e-4, abs=1e-6)
    assert result.gap["lme4"] < 1e-5  # the estimates
    rows = result.frame.set_index("quantity")
    assert rows.loc["se[period4]", "rel"] == pytest.approx(0.0126, abs=1e-4)  # too small
    assert set(rows.loc[["logLik", "se[period4]", "AIC"], "definition"]) == {"pirls_tolerance"}
    assert "no known definition" not in result.explain()


def test_default_glmer_is_no_reference_and_the_reason_says_why(cbpp):
    result = compare(CBPP, cbpp, family="binomial", reference="lme4", candidate=TIGHT)
    if MENDED:
        assert (result.verdict, result.worse) == (Verdict.SAME_OPTIMUM, None)
        return
    assert (result.verdict, result.worse) == (Verdict.REFERENCE_FAULTY, "lme4")
    assert "inner iterations that stop at a relative change of 1e-07" in result.reason


def test_what_two_engines_with_one_objective_find_is_the_same(cbpp):
    result = compare(CBPP, cbpp, family="binomial", candidate="glmmTMB")
    assert result.verdict is Verdict.SAME_OPTIMUM
    assert result.minimum == pytest.approx(2 * 92.026281865, abs=2e-8)
    assert result.frame["agrees"].all()


BY_BOTH = {  # -2 log-likelihood by expected weights, lme4's, and by observed ones, TMB's
    "binomial(probit)": (2 * 92.6212233, 2 * 92.5833377),
    "binomial(cloglog)": (183.604076, 183.516004),
}


@pytest.mark.parametrize("family", BY_BOTH)
def test_laplace_has_two_definitions_where_the_link_is_not_canonical(family, cbpp):
    result = compare(CBPP, cbpp, family=family, candidate="glmmTMB")
    assert (result.verdict, result.cause.figures["constant"]) == (
        Verdict.OTHER_OBJECTIVE,
        "laplace_weights observed",
    )
    assert max(result.gap.values()) < 1e-7  # each has the optimum of its own objective
    fits = result.reference_fit.criterion, result.candidate_fit.criterion
    assert fits == pytest.approx(BY_BOTH[family], abs=1e-6)
    assert "Each lies within" in result.explain()


@pytest.mark.slow
def test_a_shape_that_is_estimated_is_an_element_of_the_answer(grouseticks):
    result = compare(TICKS, grouseticks, family="negative.binomial", candidate="glmmTMB")
    assert (result.verdict, result.cause.figures["constant"]) == (
        Verdict.OTHER_OBJECTIVE,
        "laplace_weights observed",
    )
    assert max(result.gap.values()) < 1e-6
    assert "no known definition" not in result.explain()


@pytest.mark.slow
def test_a_given_shape_is_counted_by_lme4_alone(grouseticks):
    result = compare(TICKS, grouseticks, family="negative.binomial(2)", candidate="glmmTMB")
    assert "given_shape" in result.definitions
    assert set(result.frame.set_index("quantity").loc[["AIC", "BIC"], "definition"]) == {"given_shape"}


@pytest.mark.slow
def test_what_tight_iterations_leave_is_excused_of_the_reference(grouseticks):
    """tolPwrss = 1e-13 leaves 1.3e-5 deviance units here, 1e-14 nothing, and at 1e-15 PIRLS fails."""
    result = compare(TICKS, grouseticks, family="poisson", candidate="glmmTMB")
    assert result.verdict is Verdict.SAME_OPTIMUM
    assert result.frame.query("not agrees")["definition"].isin(["pirls_tolerance"]).all()


def test_quadrature_that_says_what_it_leaves_out_is_judged_by_the_whole(cbpp):
    result = compare(CBPP, cbpp, family="binomial", n_agq=25, candidate="mixedlm")
    assert (result.verdict, result.definitions) == (Verdict.OTHER_DEFINITION, ("se_given_theta",))
    fit, p = find(TIGHT).fit(result.spec), len(result.reference_fit.beta)
    assert float(fit.loglik + fit.loglik.constant) == pytest.approx(-91.983369, abs=1e-6)
    assert result.reference_fit.criterion == pytest.approx(183.966738, abs=2e-6)
    old, saturated = fit.loglik, -41.97835377  # sum(dbinom(k, n, k / n, log = TRUE))
    left_out = LogLik(-91.98336904 - saturated, p + 1, old.nobs, False)
    short = replace(fit.numbers(), engine="mine", criterion=-2 * float(left_out), loglik=left_out)
    told = judge(Trial(fit, short, (TIGHT, "mine"), tolerances.default()))
    assert told.verdict is Verdict.OTHER_OBJECTIVE
    assert told.reason.endswith("the difference is twice the log-likelihood of the saturated model.")


def test_laplace_against_quadrature_is_named(cbpp, tight):
    spec = GlmerSpec(formula=CBPP, data=cbpp, family="binomial", n_agq=9)
    reference = find(TIGHT).fit(spec)
    told = judge(Trial(reference, replace(tight, engine="mine"), (TIGHT, "mine"), tolerances.default()))
    assert (told.verdict, told.cause.figures["constant"]) == (Verdict.OTHER_OBJECTIVE, "n_agq 1")
    assert max(told.gap.values()) < 1e-6


@pytest.mark.parametrize("profile", tolerances.profiles())
def test_what_has_no_fault_is_not_flagged_by_any_profile(profile, tight):
    result = judge(Trial(tight, replace(tight, engine="mine"), (TIGHT, "mine"), tolerances.profile(profile)))
    assert result.verdict is Verdict.SAME_OPTIMUM
    assert result.frame["agrees"].all()


def test_the_gap_of_an_answer_is_that_of_its_fixed_effects_too(tight, joint):
    """Theta alone does not make an answer: half a standard error is a quarter of a deviance unit."""
    step = np.zeros(len(joint.near))
    step[-1] = 0.5 / math.sqrt(np.linalg.inv(tight.covariance)[-1, -1])
    off = fit_at_point(tight, joint, joint.near + step)
    told = judge(Trial(tight, replace(off, engine="mine"), (TIGHT, "mine"), tolerances.default()))
    assert (told.verdict, told.worse) == (Verdict.OTHER_OPTIMUM, "mine")
    assert told.gap["mine"] == pytest.approx(0.25, abs=0.02)


def test_another_family_is_another_model(tight):
    result = verdict_on(tight, kind=glmm(read_family("binomial(probit)")))
    assert result.verdict is Verdict.SPEC_MISMATCH
    assert result.reason == f"Not the same data: {TIGHT} fitted by binomial(logit), mine by binomial(probit)."


@pytest.mark.parametrize("name", ["theta", "beta"])
def test_an_estimate_that_is_no_number_is_a_failure(name, tight):
    result = verdict_on(tight, **{name: np.full_like(getattr(tight, name), np.nan)})
    assert (result.verdict, result.cause.code) == (
        Verdict.ENGINE_FAILED,
        {"theta": Code.NO_THETA, "beta": Code.NO_ESTIMATE}[name],
    )


def test_a_criterion_without_a_name_stays_without_one(tight):
    result = verdict_on(tight, criterion=tight.criterion + 0.3)
    assert result.reason.endswith("the difference is 0.3, without a name.")


ERRORS = {"given theta, expected": "se_given_theta", "given theta, observed": "se_given_theta"}  # one, by logit


@pytest.mark.parametrize("by", ERRORS)
def test_standard_errors_by_another_definition_are_named(by, tight, joint):
    result = verdict_on(tight, covariance=joint.errors(joint.near, by))
    assert (result.verdict, result.definitions) == (Verdict.OTHER_DEFINITION, (ERRORS[by],))


def test_standard_errors_by_no_definition_are_unexplained(tight):
    assert verdict_on(tight, covariance=1.02 * tight.covariance).verdict is Verdict.UNEXPLAINED


def test_a_model_without_a_family_has_no_nodes(cbpp):
    with pytest.raises(InvalidArgument, match=r"n_agq is 9 without a family"):
        compare("incidence ~ period + (1 | herd)", cbpp, n_agq=9)


def test_lme4_is_no_reference_of_a_family_with_a_dispersion(sleepstudy):
    with pytest.raises(InvalidArgument, match=r"lme4 is no reference for the family Gamma.*reference='glmmTMB'"):
        compare("Reaction ~ Days + (1 | Subject)", sleepstudy, family="Gamma(log)", candidate="glmmTMB")


OTHERS = {  # what else the reason may say, where the fixed effects are of the point and values by row of another scale
    "beta": ("reports a criterion", "not a number"),
    "terms": ("reports a criterion",),
    "rows": ("fitted values",),
    "covariance": ("joint second derivatives",),
    "loglik": ("saturated",),
}


@pytest.fixture(scope="module")
def shared():
    """What follows from the reference alone."""
    return {}


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False], ids=["with its design", "without"])
@pytest.mark.parametrize(("name", "how"), CASES, ids=lambda value: value.replace(" ", "-"))
def test_a_changed_field_is_found(name, how, given, tight, shared):
    sound = replace(tight, engine="mine", _design=tight.design() if given else None)
    changed = FIELDS[name][how](sound)
    if changed is None or np.array_equal(getattr(sound, name), getattr(changed, name)):
        pytest.skip("the model has no place for it")
    limits = tolerances.default()
    result, before = (judge(Trial(tight, fit, (TIGHT, "mine"), limits, shared)) for fit in (changed, sound))
    if name in REMARKS:
        assert result.explain() != before.explain()
        return
    assert not result.verdict.agrees, result.explain()
    assert any(word in result.reason for word in (*WORDS[name], *OTHERS.get(name, ()))), result.explain()


@pytest.mark.slow
@pytest.mark.parametrize("change", [lambda shape: 1.1 * shape, lambda _: math.nan, lambda shape: -shape])
def test_another_shape_is_found(change, grouseticks):
    fit = find(TIGHT).fit(GlmerNbSpec(formula=TICKS, data=grouseticks))
    changed = replace(fit.numbers(), engine="mine", nb_theta=change(fit.nb_theta))
    assert not judge(Trial(fit, changed, (TIGHT, "mine"), tolerances.default())).verdict.agrees


def test_a_family_with_a_dispersion_is_judged_against_glmm_tmb(sleepstudy):
    """lme4's likelihood of a Gamma response is none; its estimates are worse before 2.1, and a little after."""
    model = "Reaction ~ Days + (1 | Subject)"
    result = compare(model, sleepstudy, family="Gamma(log)", reference="glmmTMB", candidate="lme4")
    assert (result.verdict, result.worse) == (Verdict.OTHER_OBJECTIVE, "lme4")
    assert result.gap["glmmTMB"] < 1e-6
    assert result.gap["lme4"] == pytest.approx(0.0173 if MENDED else 11.7, rel=0.005)
    assert result.minimum == pytest.approx(2 * 883.578, abs=0.01)
    assert "Held at its own theta, glmmTMB reports what the common code gives." in result.explain()
