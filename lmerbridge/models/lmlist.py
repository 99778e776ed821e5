"""`lm_list`: a linear model in each group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.bridge import (
    Factor,
    Table,
    Value,
    build,
    columns,
    host,
    lme4_version,
    newdata,
    notices,
    row_vectors,
    time_limit,
)
from lmerbridge.errors import (
    InvalidArgument,
    KnownDefectWarning,
    LmerBridgeWarning,
    NumbersAsTextWarning,
    RError,
    RowsLeftOutWarning,
    UnfitData,
    amount,
)
from lmerbridge.formula import Formula, parse_list
from lmerbridge.inputs import (
    Frame,
    RowVector,
    Spec,
    check_allow,
    check_methods,
    check_signature,
    pandas_frame,
)
from lmerbridge.models.kept import InR, ask, state_of
from lmerbridge.results import GroupedFit, GroupEstimates, long_table

COUNT = (
    "lme4 {lme4} counts {counted} residual degrees of freedom of all groups, which have {right}: it takes off "
    "coefficients that a group lacks. So sigma is wrong, and all that stands on it where pool is True; lme4 2.1-0 and "
    "later count right."
)
WEIGHTS = (
    "lme4 {lme4} leaves weights out of the residual standard deviation of all groups: it gives {sigma:.6g}, and with "
    "them it is {right:.6g}. So all that stands on it where pool is True is wrong."
)
ROUNDING = 1e-8  # relative, of sums of squares


@check_methods
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LmList(GroupedFit):
    """A linear model in each group, lme4's ``lmList``: its numbers and its verbs.

    The numbers need no R, and they are all that is pickled; a verb fits the list again where it is gone.
    """

    allow: tuple[str, ...] = ()
    _in_r: InR = field(repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return state_of(self)

    def confint(self, level: float = 0.95, *, pool: bool = False) -> pd.DataFrame:
        """Return confidence intervals of the coefficients.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        pool : bool
            Whether to use the residual standard deviation of all groups. As in R, it does not depend on the ``pool`` of
            the fit.

        Returns
        -------
        DataFrame
            By group and term: conf_low, conf_high; NaN where a group could not be fitted.
        """
        found = ask(self, "lmlist_confint", level=level, pool=bool(pool)).values
        bounds = long_table(found["bound"], tuple(found["groups"]), tuple(found["terms"]), ["conf_low", "conf_high"])
        return bounds.reindex(self.summary.index)

    def predict(self, newdata: Frame | None = None) -> pd.Series:
        """Predict each row by the model of its group.

        Parameters
        ----------
        newdata : DataFrame
            With the grouping factor; if it is not given, the fitted values.

        Returns
        -------
        Series
            By the index of ``newdata``; NaN where a covariate lacks a value or the group could not be fitted.

        Raises
        ------
        InputError
            A column is missing, or is of another kind than in the fit's data, or a group is not one of the fit's.
        """
        if newdata is None:
            return self.fitted
        frame = pandas_frame(newdata)
        found = ask(self, "lmlist_predict", newdata=self._newdata(frame)).values
        predicted = np.full(len(frame), np.nan)
        predicted[found["rows"] - 1] = found["value"]
        return pd.Series(predicted, index=frame.index, name="predict")

    def _newdata(self, frame: pd.DataFrame) -> Table:
        formula = self._formula()
        wanted = [*formula.predictors, *formula.groups]
        known = columns.encode_table(self.data, formula).columns
        table = newdata.encode_newdata(
            frame, formula, wanted, known, np.unique(self.estimates.rows).astype(np.int64) - 1
        )
        (group,) = formula.groups
        factor = table.columns[group]
        assert isinstance(factor, Factor)  # noqa: S101 - as all that groups
        if unknown := [label for label in factor.labels if label not in self.groups]:
            given = newdata.first_items(unknown)
            raise InvalidArgument(f"newdata has the groups {given} of {group!r}, for which the list has no model.")
        return table

    def _formula(self) -> Formula:
        return parse_list(self.formula, self.allow, self.data.columns)


@check_signature
def lm_list(
    formula: str,
    data: Frame,
    *,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    pool: bool = True,
    allow: Sequence[str] = (),
    timeout: float | None = None,
) -> LmList:
    """Fit a linear model in each group: R's ``lme4::lmList``.

    Parameters
    ----------
    formula : str
        ``"y ~ x | g"``: the model on the left of the bar, one column that groups on its right.
    data : DataFrame
        Rows that lack a value are left out, group by group.
    weights, offset : column name or array of one number per row
    subset : column name or array of one boolean per row
    pool : bool
        Whether standard errors come from the residual standard deviation of all groups.
    allow : sequence of str
        Functions that the formula may call beside those it always may: see `lmer`.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    LmList
        A group that could not be fitted is in its ``failed``, its numbers NaN.

    Raises
    ------
    InputError
        The formula or the data cannot be used.
    TimedOut

    Warns
    -----
    RWarning
        A group could not be fitted.
    RowsLeftOutWarning
    NumbersAsTextWarning
    KnownDefectWarning
        lme4's pooled standard deviation is wrong: with weights, and before 2.1-0 where a group lacks a coefficient.

    Examples
    --------
    >>> from lmerbridge import lm_list, load_dataset
    >>> found = lm_list("Reaction ~ Days | Subject", load_dataset("sleepstudy"))
    >>> found.coef.loc["308"].round(3).to_dict()
    {'(Intercept)': 244.193, 'Days': 21.765}
    >>> found.df_residual, round(found.sigma, 3)
    (144, 25.592)
    """
    allowed = check_allow(allow)
    frame = pandas_frame(data)
    parsed = parse_list(formula, allowed, frame.columns)
    spec = Spec(formula=formula, data=frame, weights=weights, offset=offset, subset=subset, allow=allowed)
    vectors = row_vectors(spec)
    with time_limit(timeout):
        model = _model(parsed, frame, pool, allowed, vectors)
    kept = pd.DataFrame({name: frame[name] for name in parsed.variables}, frame.index, copy=True)
    found = LmList(
        formula=parsed.text,
        pool=bool(pool),
        estimates=build(GroupEstimates, model.reply.values),
        data=kept,
        allow=allowed,
        conditions=model.reply.conditions,
        _in_r=InR(partial(_model, parsed, kept, bool(pool), allowed, deepcopy(vectors)), model),
    )
    of_text = map(NumbersAsTextWarning, columns.describe_text(frame, parsed))
    of_rows = _row_notices(spec, parsed.variables)
    notices.give(chain(of_text, of_rows, notices.of_conditions(found.conditions), _pooling_notices(found.estimates)))
    return found


def _row_notices(spec: Spec, variables: Sequence[str]) -> Iterator[LmerBridgeWarning]:
    vectors = (spec.per_row("weights"), spec.per_row("offset"))
    named = [spec.data[name].reset_index(drop=True) for name in variables]
    table = pd.concat([*named, *(values for values in vectors if values is not None)], axis=1)
    rows = table.iloc[spec.rows_in_subset()]
    if missing := int(rows.isna().any(axis=1).sum()):
        yield RowsLeftOutWarning(
            f"{missing} of {amount(len(rows), 'row')} {'lacks' if missing == 1 else 'lack'} a value and "
            f"{'is' if missing == 1 else 'are'} left out; .fitted has the others."
        )


def _pooling_notices(found: GroupEstimates) -> Iterator[LmerBridgeWarning]:
    """Yield a warning for each way in which lme4's pooled standard deviation is wrong."""
    if found.df_residual != found.df_by_rank:
        yield KnownDefectWarning(COUNT.format(lme4=lme4_version(), counted=found.df_residual, right=found.df_by_rank))
    squares = found.sigma**2 * found.df_residual
    if abs(squares - found.squares) > ROUNDING * found.squares:
        right = np.sqrt(found.squares / found.df_by_rank)
        yield KnownDefectWarning(WEIGHTS.format(lme4=lme4_version(), sigma=found.sigma, right=right))


def _model(
    formula: Formula, frame: pd.DataFrame, pool: bool, allow: Sequence[str], vectors: Mapping[str, Value]
) -> host.RModel:
    table = columns.encode_table(frame, formula)
    data = Table({**table.columns, **vectors}, table.rows)
    given: dict[str, Value] = {"formula": formula.source, "data": data, "pool": bool(pool), "allow": list(allow)}
    try:
        return host.keep("fit_lmlist", **given)
    except RError as error:
        if "lmerbridge_refusal" in error.classes:
            raise UnfitData(f"{error.text}.").after(error.conditions) from error
        raise
