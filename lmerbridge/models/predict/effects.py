"""Random effects and parameters of a prediction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.bridge import need
from lmerbridge.errors import FormulaError, InvalidArgument, amount
from lmerbridge.formula import (
    ONE,
    Bar,
    Call,
    Formula,
    Number,
    deparse,
    expand,
    fold,
    parse_right,
    read_expression,
    source,
    tree_names,
    write_out,
)
from lmerbridge.inputs import as_numbers
from lmerbridge.results import Array, Fit

Parameters: TypeAlias = Annotated[Mapping[str, float | Sequence[float] | Array | pd.Series], "see `new_parameters`"]
EXPECTED = "None for all of them, '~0' for none, or such as '~ (1 | group)' for some is expected"


@dataclass(frozen=True)
class Effects:
    """Random effects: the formula of them that R reads, None for all, and its terms."""

    text: str | None
    bars: tuple[Bar, ...]


def read_effects(re_form: object, formula: Formula, allow: Collection[str] = ()) -> Effects:
    """Return the random effects that R's ``re.form`` names.

    Raises
    ------
    FormulaError
        It is no formula of random terms alone.
    InvalidArgument
        It names a grouping factor that the fit has not.

    Examples
    --------
    >>> from lmerbridge.formula import parse
    >>> formula = parse("y ~ x + (x | g) + (1 | h)")
    >>> read_effects("~(1|h)", formula).text
    '~(1 | `h`)'
    """
    if re_form is None:
        return Effects(None, formula.random)
    if not isinstance(re_form, str):
        raise InvalidArgument(f"re_form is {re_form!r}; {EXPECTED}.")
    tree = read_expression(re_form, allow, formula.variables)
    if tree == Call("~", (Number("0"),)):
        return Effects("~0", ())
    if not (isinstance(tree, Call) and tree.function == "~" and len(tree.args) == 1):
        raise FormulaError(f"re_form is {re_form!r}; {EXPECTED}.")
    chosen = parse_right(deparse(tree), tuple(allow), frozenset(formula.variables))
    if chosen.fixed != ONE:
        raise FormulaError(f"re_form has the fixed part {deparse(chosen.fixed)}; {EXPECTED}.")
    _check_terms(chosen.random, formula.random)
    _check_unambiguous(chosen.random, formula.random)
    return Effects(source(fold(tree, write_out)), chosen.random)


def _check_terms(chosen: Sequence[Bar], fitted: Sequence[Bar]) -> None:
    """Check that each random term has a grouping factor of the fit, and only columns of the fit's terms by it."""
    known = dict.fromkeys(bar.group_name for bar in fitted)
    for bar in chosen:
        if bar.group_name not in known:
            raise InvalidArgument(
                f"re_form has the grouping factor {bar.group_name!r}; the fit's are {', '.join(map(repr, known))}."
            )
        of_group = {text for other in fitted if other.group_name == bar.group_name for text in _left_side(other)}
        if new := _left_side(bar) - of_group:
            raise InvalidArgument(
                f"re_form has effects of {', '.join(sorted(new))} by {bar.group_name!r}, which the fit has not."
            )


def _check_unambiguous(chosen: Sequence[Bar], fitted: Sequence[Bar]) -> None:
    """Check that no random term may be one or another of the fit's, as where two of them have an intercept."""
    whole = Counter(map(_name, fitted))
    for bar in chosen:
        columns = Counter(text for other in fitted if other.group_name == bar.group_name for text in _columns(other))
        shared = [text for text in _columns(bar) if columns[text] > 1]
        if shared and _name(bar) not in whole:
            raise InvalidArgument(
                f"re_form has {_name(bar)}, and several of the fit's terms have effects of {', '.join(shared)} by "
                f"{bar.group_name!r}; name one of {', '.join(whole)} as a whole."
            )
    for name, count in Counter(map(_name, chosen)).items():
        if count != whole.get(name, count):
            raise InvalidArgument(f"re_form has {name} {count} times, the fit {whole[name]} times; name all or none.")


def _left_side(bar: Bar) -> set[str]:
    return {deparse(node) for product in expand(bar.lhs).products for node in product}


def _columns(bar: Bar) -> list[str]:
    """Return what the columns of a random term are of: 1 for an intercept, and its products."""
    terms = expand(bar.lhs)
    return ["1"] * terms.intercept + [":".join(sorted(map(deparse, product))) for product in terms.products]


def _name(bar: Bar) -> str:
    return f"({deparse(bar.lhs)} | {bar.group_name})"


def check_whole(effects: Effects, formula: Formula) -> None:
    """Check that each random term is one of the fit's as a whole, since `simulate` draws the effects of all others."""
    terms = [_name(bar) for bar in formula.random]
    for name in map(_name, effects.bars):
        if name not in terms:
            raise InvalidArgument(
                f"re_form has the random term {name}; simulate takes the fit's terms as a whole: {', '.join(terms)}."
            )


def random_columns(bars: Sequence[Bar]) -> list[str]:
    """Return the names of the columns that random terms use."""
    return [name for bar in bars for name in tree_names(bar.lhs)] + grouping_columns(bars)


def columns_of_predictions(formula: Formula) -> list[str]:
    """Return the names of the columns that predictions depend on: predictors and groups."""
    return list(dict.fromkeys([*formula.predictors, *random_columns(formula.random)]))


def grouping_columns(bars: Sequence[Bar]) -> list[str]:
    """Return the names of the columns that random terms group by."""
    return [name for bar in bars for node in bar.group for name in tree_names(node)]


def new_parameters(given: Parameters | None, fit: Fit) -> dict[str, Array] | None:
    """Return other parameters for a model as R is to see them.

    A Series of fixed effects goes by its index.

    Raises
    ------
    InvalidArgument
        A name, a length or a value cannot be.
    NeedsNewer
        lme4 is too old for ``par``.
    """
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidArgument(f"newparams is {given!r}; a mapping of beta, theta and sigma is expected.")
    sizes = {"beta": len(fit.terms), "theta": len(fit.theta)}
    if fit.varcorr.has_residual:
        sizes["sigma"] = 1
    if "par" in given:
        need("simulate_newparams_par")
        sizes["par"] = sum(len(block.par) for block in fit.varcorr)
    unknown = [name for name in given if name not in sizes]
    if unknown or not given:
        raise InvalidArgument(
            f"newparams names {', '.join(map(repr, unknown)) or 'nothing'}; {_and(sizes)} are expected."
        )
    return {name: _numbers(name, values, sizes[name], fit) for name, values in given.items()}


def _and(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}"


def _numbers(name: str, given: float | Sequence[float] | Array | pd.Series, size: int, fit: Fit) -> Array:
    if name == "beta" and isinstance(given, pd.Series):
        if sorted(given.index) != sorted(fit.terms):
            raise InvalidArgument(
                f"newparams['beta'] is indexed by {list(given.index)}; {list(fit.terms)} is expected."
            )
        given = given.loc[list(fit.terms)]
    values = np.atleast_1d(as_numbers(given))
    if values.shape != (size,) or not np.isfinite(values).all() or (name == "sigma" and values[0] < 0):
        raise InvalidArgument(f"newparams[{name!r}] is {given!r}; {amount(size, 'finite number')} expected.")
    return values
