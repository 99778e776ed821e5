"""How often each engine is right on simulated data, by kind of data, with an interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from lmerbridge.parity.verdict import Comparison, Verdict

REFUSED = (Verdict.NOT_EXPRESSIBLE, Verdict.TOO_LARGE)
LEVEL = 0.95


@dataclass(frozen=True)
class Rate:
    """On how many of the fits of one kind that an engine took on it is right.

    Attributes
    ----------
    engine, kind : str
    fits, right : int
        A fit that failed counts, one that the engine refused does not.
    low, high : float
        Wilson's interval at 95 % for the rate.
    """

    engine: str
    kind: str
    fits: int
    right: int
    low: float
    high: float


def rates(comparisons: Iterable[tuple[str, str, Comparison]]) -> tuple[Rate, ...]:
    """Count by engine and kind, each reference's own fits among them.

    Parameters
    ----------
    comparisons : iterable of (case, kind, Comparison)

    Returns
    -------
    tuple of Rate
        Engine by engine, kind by kind, in the order in which they come, the references first.
    """
    own: defaultdict[tuple[str, str], dict[str, bool]] = defaultdict(dict)
    others: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for case, kind, c in comparisons:
        if c.reference_fit is None:
            continue
        own[c.reference, kind][case] = own[c.reference, kind].get(case, True) and not _reference_wrong(c)
        if c.verdict not in (*REFUSED, Verdict.REFERENCE_FAULTY):
            others[c.candidate, kind].append(c.verdict.agrees or _reference_alone(c))
    counted = {key: [*found.values()] for key, found in own.items()} | others
    return tuple(_rate(*key, found) for key, found in counted.items())


def _reference_wrong(c: Comparison) -> bool:
    return c.verdict in (Verdict.BOTH_SHORT, Verdict.REFERENCE_FAULTY) or _reference_alone(c)


def _reference_alone(c: Comparison) -> bool:
    """Whether the reference stopped short of an optimum that the candidate has found."""
    return c.verdict is Verdict.OTHER_OPTIMUM and c.worse == c.reference


def wilson_interval(right: int, fits: int) -> tuple[float, float]:
    """Return Wilson's interval at 95 % for a rate.

    Examples
    --------
    >>> [round(end, 4) for end in wilson_interval(8, 10)]
    [0.4902, 0.9433]
    """
    from scipy.stats import binomtest

    found = binomtest(right, fits).proportion_ci(LEVEL, "wilson")
    return float(found.low), float(found.high)


def _rate(engine: str, kind: str, found: list[bool]) -> Rate:
    return Rate(engine, kind, len(found), sum(found), *wilson_interval(sum(found), len(found)))
