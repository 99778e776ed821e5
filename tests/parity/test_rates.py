"""Rates on simulated data: what counts, and their intervals."""

from types import SimpleNamespace

import pytest

from lmerbridge.parity.rates import rates
from lmerbridge.parity.verdict import Verdict


def compared(verdict, worse=None, reference_fit="a fit"):
    fields = {"reference": "lme4", "candidate": "mine", "reference_fit": reference_fit}
    return SimpleNamespace(verdict=verdict, worse=worse, **fields)


def counted(*comparisons):
    found = rates((f"case {i}", "crossed", c) for i, c in enumerate(comparisons))
    return {rate.engine: (rate.right, rate.fits) for rate in found}


@pytest.mark.parametrize(
    ("verdict", "worse", "mine", "lme4"),
    [
        (Verdict.SAME_OPTIMUM, None, (1, 1), (1, 1)),
        (Verdict.OTHER_DEFINITION, None, (1, 1), (1, 1)),
        (Verdict.OTHER_OPTIMUM, "mine", (0, 1), (1, 1)),
        (Verdict.OTHER_OPTIMUM, "lme4", (1, 1), (0, 1)),
        (Verdict.BOTH_SHORT, "mine", (0, 1), (0, 1)),
        (Verdict.ENGINE_FAILED, None, (0, 1), (1, 1)),
        (Verdict.UNEXPLAINED, None, (0, 1), (1, 1)),
        (Verdict.NOT_EXPRESSIBLE, None, None, (1, 1)),
        (Verdict.TOO_LARGE, None, None, (1, 1)),
        (Verdict.REFERENCE_FAULTY, None, None, (0, 1)),
    ],
)
def test_each_verdict_counts_for_the_engine_at_fault_alone(verdict, worse, mine, lme4):
    assert counted(compared(verdict, worse)) == {"lme4": lme4} | ({"mine": mine} if mine else {})


def test_a_case_whose_reference_failed_counts_for_nobody():
    assert counted(compared(Verdict.ENGINE_FAILED, reference_fit=None)) == {}


def test_a_case_counts_once_for_the_reference_and_wrong_if_any_candidate_shows_it():
    fine, short = compared(Verdict.SAME_OPTIMUM), compared(Verdict.OTHER_OPTIMUM, "lme4")
    (own,) = (rate for rate in rates([("a", "k", fine), ("a", "k", short), ("b", "k", fine)]) if rate.engine == "lme4")
    assert (own.right, own.fits) == (1, 2)


def test_the_interval_is_wilsons():
    fits = [compared(Verdict.SAME_OPTIMUM)] * 5 + [compared(Verdict.OTHER_OPTIMUM, "mine")]
    (mine,) = (rate for rate in rates((str(i), "k", c) for i, c in enumerate(fits)) if rate.engine == "mine")
    z, n, p = 1.959963984540054, 6, 5 / 6
    half = z * (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    centre = p + z**2 / (2 * n)
    expected = [(centre + sign * half) / (1 + z**2 / n) for sign in (-1, 1)]
    assert [mine.low, mine.high] == pytest.approx(expected, rel=1e-12)
