"""What a formula makes of a frame: terms, columns, levels and parameters, before any fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import amount
from lmerbridge.formula import Bar, Formula, deparse, expand
from lmerbridge.inputs import (
    DoubleBar,
    FactorContrasts,
    Frame,
    NaAction,
    RowVector,
    Spec,
    check_signature,
    pandas_frame,
)
from lmerbridge.prepare.model import Design, Model, dropped_columns

REFUSED = "lmer refuses this: "
SHOWN = 5  # columns of a term that the text names
TERMS = ["part", "group", "term", "columns", "parameters"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Explanation:
    """What a formula makes of a frame.

    Attributes
    ----------
    formula : str
        With its dot, ``*``, ``||`` and ``/`` written out.
    response : str
    frame : DataFrame
        One row per term: ``part`` ("fixed" or "random"), ``group``, ``term``, the names of its ``columns`` in R, and
        its ``parameters``: fixed effects, or variances and covariances. Where only R can count the columns they are
        None, and the parameters missing.
    groups : DataFrame
        One row per grouping factor: its ``levels`` in the rows used, and the ``min``, ``median`` and ``max`` of their
        rows.
    columns : tuple of str
        R's names of the columns of X; those that lme4 leaves out are among them.
    dropped : tuple of str
        Columns that are combinations of others, which lme4 leaves out.
    parameters : mapping of str to int or None
        How many there are of ``beta``, ``theta`` and ``sigma``; None where only R can count them.
    rows : ndarray of int
        Positions of the rows used, from 0.
    left_out : Index
        Labels of the rows that lack a value.
    warnings : tuple of str
        What `lmer` refuses or warns of, as far as it can be seen without a fit. The refusals come first.
    """

    formula: str
    response: str
    frame: pd.DataFrame
    groups: pd.DataFrame
    columns: tuple[str, ...]
    dropped: tuple[str, ...]
    parameters: Mapping[str, int | None]
    rows: NDArray[np.int64]
    left_out: pd.Index
    warnings: tuple[str, ...]

    @property
    def npar(self) -> int | None:
        """The number of parameters: what AIC counts."""
        counts = [count for count in self.parameters.values() if count is not None]
        return sum(counts) if len(counts) == len(self.parameters) else None

    @property
    def refusals(self) -> tuple[str, ...]:
        """The warnings of what `lmer` refuses."""
        return tuple(each for each in self.warnings if each.startswith(REFUSED))

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        notes = "".join(f"<p>{escape(each)}</p>" for each in self.warnings)
        return f"{self.frame.to_html()}\n{self.groups.to_html()}\n{notes}"


@check_signature
def explain_formula(
    formula: str,
    frame: Frame,
    *,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: FactorContrasts | None = None,
    allow: Sequence[str] = (),
    double_bar: DoubleBar = "split",
) -> Explanation:
    """Explain what `lmer` would make of a formula and a frame, without a fit: no R is started.

    Parameters
    ----------
    formula : str
        R's formula text.
    frame : DataFrame
    weights, offset, subset, na_action, contrasts, allow, double_bar
        As of `lmer`.

    Returns
    -------
    Explanation
        Its ``str`` tells all of it.

    Raises
    ------
    FormulaError, MissingColumns, UnsupportedColumn, InvalidArgument, UnfitData
        The formula cannot be read, or a column cannot go to R: as of `lmer`.

    Source: R's ``terms``, ``model.frame`` and ``model.matrix``, and the checks of ``lme4::lFormula``.

    Examples
    --------
    >>> print(explain_formula("Reaction ~ Days + (Days | Subject)", sleepstudy))
    Reaction ~ 1 + Days + (Days | Subject)
    180 of 180 rows are used.
      part   group        term           columns parameters
     fixed         (Intercept)       (Intercept)          1
     fixed                Days              Days          1
    random Subject        Days (Intercept), Days          3
    Subject has 18 levels of 10 rows.
    6 parameters: 2 fixed effects (beta), 3 of the random effects (theta), and sigma.
    """
    spec = Spec(
        formula=formula,
        data=pandas_frame(frame),
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        allow=allow,
        double_bar=double_bar,
    )
    model = Model(spec)
    fixed = model.design(model.formula.terms)
    random = [(bar, _names(model.design(expand(bar.lhs)))) for bar in model.formula.random]
    x = None if _names(fixed) is None else {name: v for _, each in fixed if each for name, v in each.items()}
    dropped = tuple(dropped_columns(x)) if x and len(model.rows) else ()
    terms = pd.DataFrame([*_fixed_rows(fixed), *_random_rows(random)], columns=TERMS).astype({"parameters": "Int64"})
    widths = [(bar, None if names is None else len(names)) for bar, names in random]
    beta, theta = (_total(terms.loc[terms["part"] == part, "parameters"]) for part in ("fixed", "random"))
    beta = None if beta is None else beta - len(dropped)
    return Explanation(
        formula=_written_out(model.formula),
        response=deparse(model.formula.response),
        frame=terms,
        groups=model.groups,
        columns=tuple(x or ()),
        dropped=dropped,
        parameters={"beta": beta, "theta": theta, "sigma": 1},
        rows=model.rows,
        left_out=spec.data.index[model.lacking],
        warnings=(*(REFUSED + each for each in model.refusals(widths, beta)), *model.notes(widths, x, dropped)),
    )


def _names(design: Design) -> tuple[str, ...] | None:
    """Return the names of all columns, None where only R can count some."""
    known = [each for _, each in design if each is not None]
    return tuple(name for each in known for name in each) if len(known) == len(design) else None


def _total(counts: pd.Series) -> int | None:
    return None if counts.isna().any() else int(counts.sum())


def _fixed_rows(design: Design) -> Iterator[tuple[object, ...]]:
    for term, found in design:
        yield "fixed", "", term, None if found is None else tuple(found), None if found is None else len(found)


def _random_rows(random: Sequence[tuple[Bar, tuple[str, ...] | None]]) -> Iterator[tuple[object, ...]]:
    for bar, names in random:
        yield (
            "random",
            bar.group_name,
            deparse(bar.lhs),
            names,
            None if names is None else _covariances(bar, len(names)),
        )


def _covariances(bar: Bar, width: int) -> int:
    """Return the number of variances and covariances of a random term's structure."""
    variances = 1 if bar.hom else width
    correlations = {"us": width * (width - 1) // 2, "diag": 0}.get(bar.kind, 1)
    return variances + correlations * (width > 1)


def _written_out(formula: Formula) -> str:
    """Return a formula as the sum of all its terms."""
    terms = formula.terms
    products = [":".join(map(deparse, each)) for each in terms.products]
    offsets = [f"offset({deparse(node)})" for node in terms.offsets]
    fixed = [*(["1"] if terms.intercept else ["0"]), *products, *offsets]
    return f"{deparse(formula.response)} ~ {' + '.join([*fixed, *map(_bar, formula.random)])}"


def _bar(bar: Bar) -> str:
    inner = f"({deparse(bar.lhs)} | {':'.join(map(deparse, bar.group))})"
    return inner if bar.kind == "us" else f"{bar.kind}{inner}"


def _lines(found: Explanation) -> Iterator[str]:
    yield found.formula
    yield f"{len(found.rows)} of {amount(len(found.rows) + len(found.left_out), 'row')} are used."
    counts = ["?" if pd.isna(count) else str(count) for count in found.frame["parameters"]]
    yield found.frame.assign(columns=[*map(_shown, found.frame["columns"])], parameters=counts).to_string(index=False)
    for name, row in found.groups.iterrows():
        spread = f"{row['min']:.0f} to {row['max']:.0f}" if row["min"] < row["max"] else f"{row['max']:.0f}"
        yield f"{name} has {amount(int(row['levels']), 'level')} of {spread} {'row' if spread == '1' else 'rows'}."
    beta, theta, _ = ("?" if count is None else count for count in found.parameters.values())
    told = f"{beta} fixed effect{'s' * (beta != 1)} (beta), {theta} of the random effects (theta), and sigma"
    yield f"{'?' if found.npar is None else found.npar} parameters: {told}."
    yield from found.warnings


def _shown(names: Sequence[str] | None) -> str:
    """Return the names of columns, of many the first and the last."""
    if names is None:
        return "?"
    few = names if len(names) <= SHOWN else [*names[: SHOWN - 2], "...", names[-1]]
    return ", ".join(few) + f" ({len(names)})" * (len(names) > SHOWN)
