"""The one shape of a tidy table, and its intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmerbridge.models.intervals.confint import Method
from lmerbridge.models.intervals.parameters import quantiles_of, tail
from lmerbridge.results.covariance import Array

TEXTS = ["effect", "group", "level", "term", "ddf"]
COLUMNS = [*TEXTS[:4], "estimate", "std_error", "statistic", "df", "p_value", "ddf", "conf_low", "conf_high"]
ENDS = ["conf_low", "conf_high"]


@dataclass(frozen=True)
class Interval:
    """Which confidence intervals are wanted."""

    level: float
    method: Method
    nsim: int
    seed: int | None

    def around(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add intervals by standard errors to a table, by t where it has degrees of freedom."""
        low, high = self._quantiles(table)
        return table.assign(
            conf_low=table["estimate"] + low * table["std_error"],
            conf_high=table["estimate"] + high * table["std_error"],
        )

    def _quantiles(self, table: pd.DataFrame) -> tuple[Array, Array]:
        if "df" not in table:
            low, high = quantiles_of(self.level)
            return low, high
        from scipy.special import stdtrit  # slow to load

        below = tail(self.level)
        df = table["df"].to_numpy("float64")
        return np.asarray(stdtrit(df, below)), np.asarray(stdtrit(df, 1 - below))


def shaped(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the columns that all have, text as objects and numbers as doubles."""
    whole = table.reindex(columns=COLUMNS)
    whole[TEXTS] = whole[TEXTS].astype(object).where(whole[TEXTS].notna(), None)
    return whole.astype({name: float for name in COLUMNS if name not in TEXTS})
