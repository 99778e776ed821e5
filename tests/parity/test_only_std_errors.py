"""An engine that tells standard errors of the fixed effects alone: what is told is held, what is not is a remark."""

from dataclasses import replace

import numpy as np
import pytest

from lmerbridge import Verdict, lmer
from lmerbridge.parity import tolerances
from lmerbridge.parity.align import carry
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial

MODEL = ("angle ~ recipe * temp + (1 | recipe:replicate)", "cake")


def alone(fit, factor=1.0):
    """The fit with its standard errors, times a factor, and without its covariances."""
    p = len(fit.beta)
    kept = np.where(np.eye(p, dtype=bool), factor**2 * fit.covariance, np.nan)
    return replace(fit.numbers(), engine="alone", covariance=kept, only_std_errors=True, _design=fit.design())


def verdict_on(reference, candidate):
    return judge(Trial(reference, candidate, ("lme4", "alone"), tolerances.default()))


@pytest.fixture(scope="module")
def cake(fits):
    return fits(*MODEL)


@pytest.mark.parametrize("given", [True, False], ids=["with its design", "without"])
def test_covariances_that_an_engine_does_not_tell_are_a_remark_and_no_fault(cake, given):
    kept = alone(cake) if given else replace(alone(cake), _design=None)
    found = verdict_on(cake, kept)
    assert found.verdict is Verdict.SAME_OPTIMUM, found.explain()
    assert found.frame["agrees"].all()  # the standard errors are among them
    assert "A remark: alone has no number for correlations of the estimates." in found.explain()


def test_one_fixed_effect_has_no_covariances_to_tell(fits):
    fit = fits("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    found = verdict_on(fit, alone(fit))
    assert found.verdict is Verdict.SAME_OPTIMUM
    assert "no number" not in found.explain()


def test_its_standard_errors_are_held(cake):
    found = verdict_on(cake, alone(cake, 1.02))
    assert found.verdict is Verdict.UNEXPLAINED
    assert "differs in standard errors by 2.0e-02, and" in found.reason  # of nothing else


def test_a_standard_error_that_is_not_a_number_is_no_remark(cake):
    kept = alone(cake)
    kept.covariance[1, 1] = np.nan
    assert verdict_on(cake, kept).verdict is Verdict.UNEXPLAINED


def test_covariances_that_are_not_numbers_are_a_fault_where_the_engine_does_not_say_so(cake):
    found = verdict_on(cake, replace(alone(cake), only_std_errors=False))
    assert found.verdict is Verdict.UNEXPLAINED
    assert "correlations of the estimates" in found.reason


def test_the_order_of_the_terms_is_its_own(cake):
    kept, back = alone(cake), slice(None, None, -1)
    design = kept.design()
    turned = replace(
        kept,
        terms=kept.terms[back],
        beta=kept.beta[back],
        covariance=kept.covariance[back, back],
        _design=replace(design, terms=design.terms[back], x=design.x[:, back]),
    )
    found = verdict_on(cake, turned)
    assert found.verdict is Verdict.SAME_OPTIMUM, found.explain()
    assert found.frame["agrees"].all()


def test_in_another_coding_there_is_no_number_for_the_standard_errors_either_and_none_passes(datasets):
    formula, data = MODEL[0], datasets(MODEL[1])
    plain, coded = (lmer(formula, data, contrasts={"recipe": c}) for c in ("contr.treatment", "contr.sum"))
    found = verdict_on(plain, alone(coded))
    assert found.verdict is Verdict.SAME_OPTIMUM, found.explain()
    assert "no number for standard errors and correlations of the estimates" in found.explain()
    errors = found.frame[found.frame["quantity"].str.startswith("se[")]
    assert not errors["agrees"].any()
    assert found.frame[~found.frame["quantity"].str.startswith("se[")]["agrees"].all()


def test_it_may_be_the_reference(cake):
    found = judge(Trial(alone(cake), cake.numbers(), ("alone", "lme4"), tolerances.default()))
    assert found.verdict is Verdict.SAME_OPTIMUM, found.explain()
    wrong = judge(Trial(alone(cake, 1.02), cake.numbers(), ("alone", "lme4"), tolerances.default()))
    assert wrong.verdict is Verdict.REFERENCE_FAULTY


def test_an_element_that_is_not_known_makes_unknown_what_it_counts_in_and_nothing_else():
    known = np.array([[4.0, 1.0], [1.0, 9.0]])
    t = np.array([[1.0, 0.0], [1.0, 2.0]])
    np.testing.assert_array_equal(carry(known, t), t @ known @ t.T)
    kept = np.array([[4.0, np.nan], [np.nan, 9.0]])
    np.testing.assert_array_equal(carry(kept, t), [[4.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(carry(kept, np.eye(2)[::-1]), [[9.0, np.nan], [np.nan, 4.0]])
