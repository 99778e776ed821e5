"""Contributions to predictions: their tables, pictures and log."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import check_methods
from lmerbridge.models.explain import log, pictures
from lmerbridge.models.explain.effects import BASE
from lmerbridge.results import shown
from lmerbridge.setup import extras

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from shap import Explanation

DRIVERS = ["row", "prediction", "base", "rank", "effect", "value", "contribution"]
QUESTION = (
    "How far does each term of the fitted model move the prediction of a row away from {base}? {scale} is a sum of "
    "terms, given the estimates and the random effects of the row's own groups, and each term is credited with its own "
    "part of the sum: an interaction with what it adds to the terms it is made of, not split between its variables. "
    "This tells how the model computes the prediction, and not what would happen were a variable changed. It is no "
    "Shapley value that averages over groups or over correlated variables, which would credit fixed terms with a part "
    "of the random effects."
)


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Contributions:
    """What each effect of a model adds to the predictions of some rows.

    Attributes
    ----------
    values : DataFrame, shape (n, k)
        Rows by effects, NaN in a row without a prediction.
    base : float
        What the effects of a row are added to: the mean of the fitted values, or the intercept if not ``centred``.
    prediction : Series
        The fitted values, or the predictions of new data.
    effects : DataFrame
        By effect: part ("fixed", "random" or "offset"), term, group.
    shown : DataFrame, shape (n, k)
        The values of the columns that an effect depends on; of a random effect, the level.
    data : DataFrame
        The rows as they were given; those of the fit have the columns that it uses.
    centred : bool
        Whether each effect is less its mean over the rows of the fit.
    formula : str
    link : str
        All is on the scale of the linear predictor, which is the response's for the link "identity".
    """

    values: pd.DataFrame
    base: float
    prediction: pd.Series
    effects: pd.DataFrame
    shown: pd.DataFrame
    data: pd.DataFrame
    centred: bool
    formula: str
    link: str

    def __repr__(self) -> str:
        rows, effects = amount(len(self.values), "row"), amount(len(self.effects), "effect")
        return f"<contributions of {effects} to {rows} of {self.formula}, base {self.base:.10g}>"

    def __str__(self) -> str:
        return f"{self!r}\n{self.importance().to_string()}\n{self.explain()}"

    @property
    def frame(self) -> pd.DataFrame:
        """Rows by ``base`` and effects, whose sum is the prediction.

        A term that is called ``base`` itself is in backticks.
        """
        return pd.concat([pd.Series(self.base, self.values.index, name=BASE).to_frame(), self.values], axis=1)

    def explain(self) -> str:
        """Tell which question the contributions answer, and which they do not."""
        base = "the mean prediction of the rows of the fit" if self.centred else "the intercept"
        scale = "A prediction" if self.link == "identity" else f"The {self.link} of a prediction"
        return QUESTION.format(base=f"{base}, {self.base:.6g}", scale=scale)

    def importance(self, by: str | None = None) -> pd.DataFrame:
        """Rank the effects by the mean of their contributions' absolute values.

        Parameters
        ----------
        by : str, optional
            A column of `data`; the means are over the rows of each of its levels, and over those without a value.

        Returns
        -------
        DataFrame
            By effect, the largest first: ``importance``, ``share`` of their sum, and the ``lowest`` and the ``highest``
            contribution. With ``by``: effects by levels, in the same order.

        Examples
        --------
        >>> fit.contributions().importance().rename_axis(None).round(2)
                               importance  share  lowest  highest
        Days                        26.17   0.43  -47.10    47.10
        Days | Subject              18.60   0.30  -96.77    82.79
        (Intercept) | Subject       16.76   0.27  -40.40    34.89
        """
        sizes = self.values.abs()
        order = sizes.mean().to_numpy().argsort(kind="stable")[::-1]
        if by is not None:
            return (
                sizes.groupby(self._column(by), observed=True, dropna=False).mean().T.iloc[order].rename_axis("effect")
            )
        means = sizes.mean()
        columns = {
            "importance": means,
            "share": means / means.sum(),
            "lowest": self.values.min(),
            "highest": self.values.max(),
        }
        return pd.DataFrame(columns).iloc[order].rename_axis("effect")

    def top(self, k: int = 3) -> pd.DataFrame:
        """Return the main drivers of each row: the effects of the largest contributions.

        Parameters
        ----------
        k : int
            How many of each row.

        Returns
        -------
        DataFrame
            ``row`` (its label), ``prediction``, ``base``, ``rank`` (from 1), ``effect``, ``value`` (as `shown`) and
            ``contribution``. A row without a prediction has one line, whose effect is None.

        Examples
        --------
        >>> fit.contributions().top(1).head(2)[["row", "effect", "value", "contribution"]].round(2)
           row effect value  contribution
        0    0   Days   0.0        -47.10
        1    1   Days   1.0        -36.64
        """
        if k < 1:
            raise InvalidArgument(f"k is {k}; a whole number of at least 1 is expected.")
        values, known = self.values.to_numpy(), self.prediction.notna().to_numpy()
        order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :k]
        rank = np.broadcast_to(np.arange(order.shape[1]), order.shape)
        row, place = np.nonzero(known[:, None] | (rank == 0))
        effect = order[row, place]
        names, cells = np.array(self.values.columns, dtype=object), self.shown.to_numpy(dtype=object)
        columns = (
            self.values.index.to_flat_index()[row],
            self.prediction.to_numpy()[row],
            np.full(len(row), self.base),
            place + 1,
            _where(known[row], names[effect]),
            _where(known[row], cells[row, effect]),
            values[row, effect],
        )
        return pd.DataFrame(dict(zip(DRIVERS, columns, strict=True)))

    def append_to(self, path: str | Path, k: int = 3, *, run: str = "") -> Path:
        """Append the main drivers of each row to a log, which is begun where there is none.

        Parameters
        ----------
        path : path
            Its suffix says what it is: ``.csv``, ``.jsonl`` (one object per line) or ``.parquet``, which needs pyarrow
            and is written anew.
        k : int
            How many effects of each row, as in `top`.
        run : str
            Text that tells these lines from those of other calls, such as a date or a version of the model.

        Returns
        -------
        Path
            The file. Its columns are ``run``, ``formula`` and those of `top`; ``row`` and ``value`` are text.

        Raises
        ------
        InvalidArgument
            The file cannot be written, has another suffix or other columns.
        SetupError
            pyarrow is not installed.

        Examples
        --------
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "log.csv"
        >>> _ = fit.contributions().append_to(place, 1, run="first")
        >>> _ = fit.contributions().append_to(place, 1, run="second")
        >>> len(pd.read_csv(place))
        360
        """
        drivers = self.top(k)
        lines = drivers.assign(**{name: _as_text(drivers[name]) for name in ("row", "value")})
        lines.insert(0, "formula", self.formula)
        lines.insert(0, "run", run)
        return log.append(Path(path), lines)

    def explanation(self) -> Explanation:
        """Return the contributions as an ``Explanation`` of the package shap, whose plots take it.

        Raises
        ------
        SetupError
            shap is not installed.

        Examples
        --------
        >>> fit.contributions().explanation().shape
        (180, 3)
        """
        made: Explanation = extras.import_extra("shap", "shap", "an Explanation").Explanation(
            self.values.to_numpy(),
            np.full(len(self.values), self.base),
            self.shown.to_numpy(),
            feature_names=list(self.values.columns),
        )
        return made

    def plot_waterfall(self, row: Hashable, ax: Axes | None = None, *, k: int = 9) -> Axes:
        """Draw how the effects of one row lead from the base to its prediction.

        Parameters
        ----------
        row : label
            Of the row, in the index of `values`.
        ax : Axes, optional
            Where to draw. The default is a new figure of pyplot's.
        k : int
            How many effects have a bar of their own; the others share one.

        Returns
        -------
        Axes
            The largest contribution is on top.

        Examples
        --------
        >>> [text.get_text() for text in fit.contributions().plot_waterfall(9).get_yticklabels()]
        ['(Intercept) | Subject = 308', 'Days = 9', 'Days | Subject = 308']
        """
        found = [i for i, label in enumerate(self.values.index) if label == row]
        if len(found) != 1:
            told = "no row" if not found else f"{len(found)} rows"
            raise InvalidArgument(f"row is {row!r}; {told} of that label are there, one is expected.")
        if k < 1:
            raise InvalidArgument(f"k is {k}; a whole number of at least 1 is expected.")
        values = self.values.iloc[found[0]]
        if values.isna().any():
            raise InvalidArgument(f"row {row!r} lacks a value and has no prediction; choose another.")
        return pictures.waterfall(ax, values, self.shown.iloc[found[0]], self.base, k)

    def plot_importance(self, ax: Axes | None = None, *, by: str | None = None) -> Axes:
        """Draw the mean sizes of the contributions: a bar per effect, or with ``by`` a heat map of effects by levels.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw. The default is a new figure of pyplot's.
        by : str, optional
            A column of `data`, as in `importance`.

        Returns
        -------
        Axes
        """
        table = self.importance(by)
        return pictures.bars(ax, table["importance"]) if by is None else pictures.heat_map(ax, table, by)

    def _column(self, name: str) -> pd.Series:
        if name not in self.data.columns:
            raise InvalidArgument(f"by is {name!r}; a column is expected: {', '.join(map(repr, self.data.columns))}.")
        return pd.Series(self.data[name].to_numpy(), self.values.index, name=name)


def _as_text(values: pd.Series) -> pd.Series:
    return pd.Series([None if value is None else str(value) for value in values], values.index, dtype=object)


def _where(known: NDArray[np.bool_], values: NDArray[np.object_]) -> pd.Series:
    """Return the values that are known, and None."""
    return pd.Series([value if there else None for value, there in zip(values, known, strict=True)], dtype=object)
