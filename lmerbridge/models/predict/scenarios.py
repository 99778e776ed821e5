"""What if: predictions of the same rows with columns changed, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import NormalDist
from typing import Annotated, Any, TypeAlias

import pandas as pd

from lmerbridge.bridge import Table, Value, check_complete, time_limit
from lmerbridge.errors import InvalidArgument, MissingColumns, amount
from lmerbridge.inputs import Frame, pandas_frame
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.models.predict import effects, predict, rows, scale
from lmerbridge.results import shown

Change: TypeAlias = Mapping[str, Any]
Changes: TypeAlias = Annotated[Change | Mapping[str, Change] | Sequence[Change], "see `read_changes`"]
EXPECTED = "a mapping of columns to values or functions, or a mapping or list of several such, is expected"


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Scenarios:
    """Predictions of rows as they are and with columns changed.

    Attributes
    ----------
    frame : DataFrame
        One row per scenario and row of the new data, by their index: ``scenario``, its name; ``baseline``, the
        prediction of the row as it is; ``prediction``; ``difference``; ``std_error`` of the difference; and ``lower``
        and ``upper``, its limits. All but the name are in the response's unit, or that of the link.
    changes : mapping of str to mapping
        The changes of each scenario by its name.
    level : float
        Confidence level of the limits, between 0 and 1.
    re_form : str or None
        Which random effects count.
    """

    frame: pd.DataFrame
    changes: Mapping[str, Change] = field(repr=False)
    level: float
    re_form: str | None

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The predictions side by side: a column ``baseline``, and one per scenario."""
        found = {name: self.frame.loc[self.frame["scenario"] == name] for name in self.changes}
        first = next(iter(found.values()))
        return pd.DataFrame({"baseline": first["baseline"], **{n: t["prediction"].array for n, t in found.items()}})

    def __str__(self) -> str:
        return self.frame.to_string()

    def __repr__(self) -> str:
        return f"<Scenarios of {amount(len(self.predictions), 'row')}: {', '.join(self.changes)}>"


def scenarios(
    fit: KeptFit,
    newdata: Frame,
    changes: Changes,
    *,
    type: scale.PredictionScale = "link",
    re_form: str | None = None,
    allow_new_levels: bool = False,
    level: float = 0.95,
    timeout: float | None = None,
) -> Scenarios:
    """Predict rows as they are and with columns changed, and the differences with their standard errors.

    Parameters
    ----------
    newdata : DataFrame
        The rows as they are, as in `predict`.
    changes : mapping, mapping of mappings, or sequence of mappings
        What each scenario changes: a column's name, and its value for all rows, an array or Series of one per row, or a
        function of the column as it is: ``{"Days": lambda days: days + 1}``. Several scenarios are a mapping of such by
        their names, or a list, in which they are called after what they change.
    type : {"link", "response"}
        Scale of the predictions and their differences: that of the linear predictor, or that of the response, as
        probabilities and expected counts are. A linear model has one.
    re_form : str
        Which random effects count, as in `predict`.
    allow_new_levels : bool
        Whether grouping factors may have levels that the fit has not seen, whose random effects are zero.
    level : float
        Confidence level of the limits, between 0 and 1.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Scenarios

    Raises
    ------
    InputError
        As in `predict`; or a change names a column that ``newdata`` lacks, or one that is no predictor or group.

    Notes
    -----
    The standard error of a difference is that of the difference of the two rows' designs: exact, theta and sigma held
    fixed. It holds the covariance of the fixed effects and of the random effects that change, as a random slope does,
    jointly; what both rows have in common cancels. On the scale of the response each design counts times the slope of
    its mean, by the delta method. The limits are normal quantiles. A difference is one of the model, not of the world:
    whether what is changed is the cause, the model does not know.

    Examples
    --------
    >>> import pandas as pd
    >>> new = pd.DataFrame({"Days": [0, 5], "Subject": ["308", "309"]})
    >>> what_if = fit.scenarios(new, {"a day more": {"Days": lambda days: days + 1}, "rested": {"Days": 0}})
    >>> what_if.frame[["scenario", "baseline", "prediction", "difference", "std_error"]].round(2)
         scenario  baseline  prediction  difference  std_error
    0  a day more    253.66      273.33       19.67       2.34
    1  a day more    220.24      222.09        1.85       2.34
    0      rested    253.66      253.66        0.00       0.00
    1      rested    220.24      211.01       -9.24      11.68
    """
    frame = pandas_frame(newdata)
    named = read_changes(changes)
    changed = {name: _change(fit, frame, change) for name, change in named.items()}
    chosen = effects.read_effects(re_form, fit.spec.parsed, fit.spec.allow)
    given: predict.Options = {"re_form": re_form, "allow_new_levels": allow_new_levels}

    def encode(data: pd.DataFrame) -> Table:
        check_complete(data, effects.grouping_columns(chosen.bars))
        return rows.new_rows(fit, data, chosen.bars, True, allow_new_levels)

    def mean(data: pd.DataFrame) -> tuple[Table, pd.DataFrame]:
        link = predict.predict(fit, data, **given)
        return encode(data), scale.inverse_link(fit, link) if type == "response" else link.to_frame("mean").assign(
            slope=1.0
        )

    with time_limit(timeout):
        before, baseline = mean(frame)
        tables = []
        for name, other in changed.items():
            after, moved = mean(other)
            slopes: dict[str, Value] = {
                "slope": baseline["slope"].to_numpy(),
                "changed_slope": moved["slope"].to_numpy(),
            }
            found = call_on(fit, "difference_errors", newdata=before, changed=after, re_form=chosen.text, **slopes)
            tables.append(_table(name, baseline["mean"], moved["mean"], found["std_error"], level))
    return Scenarios(pd.concat(tables), named, level, re_form)


def _table(name: str, baseline: pd.Series, prediction: pd.Series, errors: Any, level: float) -> pd.DataFrame:  # noqa: ANN401
    difference = prediction.to_numpy() - baseline.to_numpy()
    margin = NormalDist().inv_cdf((1 + level) / 2) * errors
    columns = {
        "scenario": [name] * len(baseline),
        "baseline": baseline.to_numpy(),
        "prediction": prediction.to_numpy(),
        "difference": difference,
        "std_error": errors,
        "lower": difference - margin,
        "upper": difference + margin,
    }
    return pd.DataFrame(columns, baseline.index)


def read_changes(given: object) -> dict[str, Change]:
    """Return the changes of each scenario by its name.

    Raises
    ------
    InvalidArgument
        They are none.

    Examples
    --------
    >>> read_changes({"x": 1}), read_changes([{"x": 1}, {"x": abs, "g": "a"}])
    ({'x = 1': {'x': 1}}, {'x = 1': {'x': 1}, "x = abs(x), g = 'a'": {'x': <built-in function abs>, 'g': 'a'}})
    """
    match given:
        case Mapping() if given and all(isinstance(each, Mapping) for each in given.values()):
            found = list(given.items())
        case Mapping():
            found = [(_describe(given), given)]
        case [*several]:
            found = [(_describe(each), each) for each in several]
        case _:
            found = []
    if not found or not all(isinstance(name, str) and _is_change(change) for name, change in found):
        raise InvalidArgument(f"changes is {given!r}; {EXPECTED}.")
    if len(dict(found)) < len(found):
        raise InvalidArgument("changes has scenarios with the same description; give them as a mapping, by names.")
    return {name: dict(change) for name, change in found}


def _is_change(given: object) -> bool:
    return isinstance(given, Mapping) and bool(given) and all(isinstance(column, str) for column in given)


def _describe(change: object) -> str:
    """Return the name of a scenario that has none: what it changes."""
    items: Iterator[tuple[Any, Any]] = iter(change.items() if isinstance(change, Mapping) else ())
    return ", ".join(f"{column} = {_value(column, value)}" for column, value in items)


def _value(column: object, value: object) -> str:
    if callable(value):
        return f"{getattr(value, '__name__', 'function')}({column})".replace("<lambda>", "f")
    return "..." if isinstance(value, pd.Series) or hasattr(value, "__array__") else repr(value)


def _change(fit: KeptFit, frame: pd.DataFrame, change: Change) -> pd.DataFrame:
    """Return the rows with the columns of a scenario changed."""
    if missing := [name for name in change if name not in frame.columns]:
        raise MissingColumns(missing, frame.columns, where="changes")
    used = effects.columns_of_predictions(fit.spec.parsed)
    if unused := [name for name in change if name not in used]:
        known = ", ".join(map(repr, used))
        told = "the response" if unused[0] in fit.spec.parsed.variables else "which the formula does not use"
        raise InvalidArgument(f"changes names {unused[0]!r}, {told}; its predictors and groups are {known}.")
    return frame.assign(**{name: _column(frame[name], value) for name, value in change.items()})


def _column(column: pd.Series, value: Any) -> pd.Series:  # noqa: ANN401  # whatever a column can hold
    """Return a column with its values changed, of the same index."""
    if callable(value):
        value = value(column.copy())
    if isinstance(value, pd.Series) and not value.index.equals(column.index):
        raise InvalidArgument(f"changes[{str(column.name)!r}] is a Series with another index than newdata; align it.")
    try:
        found = pd.Series(value, column.index)
    except (TypeError, ValueError) as error:
        expected = f"one value, or one per row, {len(column)} in all, is expected"
        raise InvalidArgument(f"changes[{str(column.name)!r}] cannot fill the column ({error}); {expected}.") from None
    known = isinstance(column.dtype, pd.CategoricalDtype) and found.isin(column.cat.categories).all()
    return found.astype(column.dtype) if known else found  # categories may be numbers
