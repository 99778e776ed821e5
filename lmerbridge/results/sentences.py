"""Sentences that say what the variances and correlations of random terms say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.results.block import CovarianceBlock
from lmerbridge.results.covariance import Array

LIMIT = 1e-6  # of one less a correlation, and of the least eigenvalue of a matrix of them: rounding of an optimizer
NO_SPREAD = 1e-8  # of the residual standard deviation
SHOWN = 3  # columns that a term interacts with, by name


def explain(
    blocks: Sequence[CovarianceBlock],
    sigma: float,
    fixef: Mapping[str, float] | pd.Series,
    level: float,
    *,
    weighted: bool = False,
) -> Iterator[str]:
    """Yield a sentence per term, per pair of terms, per structure, and one of the residual.

    Raises
    ------
    InvalidArgument
        The fixed effects are not numbers by name, or the level is not between 0 and 1.
    """
    means = read_means(fixef)
    if not isinstance(level, int | float) or isinstance(level, bool) or not 0 < level < 1:
        raise InvalidArgument(f"level is {level!r}; a number between 0 and 1 is expected, such as 0.95.")
    unlike = coded_otherwise(blocks, means)
    for block in blocks:
        noun = "coefficient" if block.group in unlike else "effect"
        yield from of_spread(block, sigma, {} if block.group in unlike else means, level, noun)
        if block.kind == "us":
            yield from of_pairs(block.group, block.terms, block.correlation, noun)
        yield from of_structure(block)
    for group, several in Counter(block.group for block in blocks).items():
        if several > 1:
            yield f"The model holds the {several} random terms of {group} uncorrelated with one another."
    if np.isfinite(sigma):
        size = f"{sigma:.4g} over the root of a row's weight" if weighted else f"{sigma:.4g}"
        yield f"The residuals, which is what is left within all levels, have a standard deviation of {size}."


def read_means(fixef: Any) -> dict[str, float]:  # noqa: ANN401  # whatever a user hands in
    """Return fixed effects by term, without those whose name several have.

    Raises
    ------
    InvalidArgument
    """
    if not isinstance(fixef, Mapping | pd.Series):
        raise InvalidArgument(f"fixef is a {type(fixef).__name__}; numbers by term are expected, such as fit.fixef.")
    counts = Counter(fixef.keys())
    try:
        return {str(term): float(value) for term, value in fixef.items() if counts[term] == 1}
    except (TypeError, ValueError):
        raise InvalidArgument(f"fixef is {fixef!r}; numbers by term are expected, such as fit.fixef.") from None


def coded_otherwise(blocks: Sequence[CovarianceBlock], fixef: Mapping[str, float]) -> set[str]:
    """Return the groups whose terms may be other than the fixed effects of their names.

    In ``f + (0 + f | g)`` the random ``fB`` is what a level has at B, and the fixed one is what B is beyond A; in
    ``poly(x, 2) + (x | g)`` one intercept is at zero and the other at the mean. Names tell it apart where each random
    term has its fixed effect, or each fixed effect its random term.
    """
    return {b.group for b in blocks if not set(b.terms) <= set(fixef) and not set(fixef) <= set(b.terms)}


def of_spread(
    block: CovarianceBlock, sigma: float, fixef: Mapping[str, float], level: float, noun: str = "effect"
) -> Iterator[str]:
    """Yield how each term of a block varies across the levels of its group, about its fixed effect where it has one."""
    width = NormalDist().inv_cdf((1 + level) / 2)
    for term, sd in zip(block.terms, block.stddev, strict=True):
        if not sd > NO_SPREAD * sigma:
            told = "its standard deviation is 0, the least it can be, so the fit is singular"
            yield f"Across levels of {block.group}, {_name(term, noun)} does not vary: {told}."
            continue
        spread = f"Across levels of {block.group}, {_name(term, noun)} varies with a standard deviation of {sd:.4g}"
        if term not in fixef:
            yield f"{spread}."
            continue
        low, high = (fixef[term] + sign * width * sd for sign in (-1, 1))
        share = f"{100 * level:.4g} % of levels lie between {low:.4g} and {high:.4g}"
        yield f"{spread} about {fixef[term]:.4g}{_where(term, fixef)}: {share}, if they are normally distributed."


def _where(term: str, fixef: Iterable[str]) -> str:
    """Say where a fixed effect is that of the levels: at zero of all that it interacts with."""
    parts = set(term.split(":"))
    products = [name.split(":") for name in fixef if parts < set(name.split(":"))]
    others = list(dict.fromkeys(part for names in products for part in names if part not in parts))
    if len(others) > SHOWN:
        others = [*others[: SHOWN - 1], f"{len(others) - SHOWN + 1} more columns"]
    named = " and ".join(filter(None, (", ".join(others[:-1]), *others[-1:])))
    return f" where {named} {'is' if len(others) == 1 else 'are'} 0" if others else ""


def of_pairs(group: str, terms: tuple[str, ...], correlation: Array, noun: str = "effect") -> Iterator[str]:
    """Yield how each two terms of a block correlate, and whether all of them together are at a limit."""
    varying = [i for i in range(len(terms)) if np.isfinite(np.delete(correlation[i], i)).any()]
    at_limit = False
    for i, j in combinations(varying, 2):
        r = float(correlation[i, j])
        at_limit |= 1 - abs(r) < LIMIT
        yield _pair(group, _name(terms[i], noun), _name(terms[j], noun), r)
    inner = correlation[np.ix_(varying, varying)]
    if len(varying) > 2 and not at_limit and float(np.linalg.eigvalsh(inner)[0]) < LIMIT:
        told = "one is a combination of the others, so the fit is singular"
        yield f"Together the terms of {group} are at a limit: {told}."


def _pair(group: str, one: str, other: str, r: float) -> str:
    if r == 0:
        return f"Across levels of {group}, {one} and {other} do not correlate."
    higher = f"a {'higher' if r > 0 else 'lower'} {other.removeprefix('the ')}"
    with_ = f"Levels of {group} with a higher {one.removeprefix('the ')}"
    if 1 - abs(r) < LIMIT:
        return f"{with_} always have {higher}: the correlation is at its limit of {r:.0f}, so the fit is singular."
    return f"{with_} have on average {higher}: the correlation is {r:.2g}."


def of_structure(block: CovarianceBlock) -> Iterator[str]:
    """Yield what the structure of a block's covariance holds to be so."""
    terms, kind, rho = block.terms, block.kind, block.rho
    if len(terms) < 2:
        return
    if block.hom:
        yield f"The model gives the {len(terms)} terms one standard deviation."
    if kind == "diag":
        yield f"The model holds the {len(terms)} terms uncorrelated."
    limit = ", its limit, so the fit is singular" if 1 - abs(rho) < LIMIT else ""
    if kind == "cs":
        yield f"Each two of the {len(terms)} terms correlate by {rho:.2g}{limit}."
    if kind == "ar1":
        yield f"Neighbouring terms correlate by {rho:.2g}{limit}, and terms further apart by the powers of it."


def _name(term: str, noun: str) -> str:
    return "the intercept" if term == "(Intercept)" else f"the {noun} of {term}"
