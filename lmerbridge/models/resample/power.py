"""How often a test finds what is there: a number, and along a curve."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.drawing import COLOR, one_panel
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.resample.replicates import Replicate, asked
from lmerbridge.results.fit import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Test: TypeAlias = "str | Callable[[Replicate], bool]"


@dataclass(frozen=True, eq=False)
class Power:
    """How often a test rejected, of how many simulated data sets.

    Attributes
    ----------
    successes, trials : int
        Rejections, and data sets whose refit did not fail.
    seed : int
    failures : DataFrame
        Refits that failed, which are neither a success nor a trial: replicate (from 0), message.
    """

    successes: int
    trials: int
    seed: int
    failures: pd.DataFrame = field(repr=False)

    @property
    def failed(self) -> int:
        """Number of refits that failed."""
        return len(self.failures)

    @property
    def power(self) -> float:
        """The part of the trials that are successes; NaN where all failed."""
        return self.successes / self.trials if self.trials else np.nan

    def confint(self, level: float = 0.95) -> tuple[float, float]:
        """Exact interval of the power (Clopper and Pearson 1934)."""
        from scipy.stats import binomtest  # slow to load

        if not self.trials:
            return 0.0, 1.0
        found = binomtest(self.successes, self.trials).proportion_ci(level, method="exact")
        return float(found.low), float(found.high)

    def __str__(self) -> str:
        low, high = self.confint()
        failed = f", {self.failed} failed" if self.failed else ""
        return (
            f"power {self.power:.1%}, 95% interval {low:.1%} to {high:.1%} "
            f"({self.successes} of {self.trials}{failed}; seed {self.seed})"
        )


@dataclass(frozen=True, eq=False)
class PowerCurve:
    """Power along effect sizes, or along numbers of groups.

    Attributes
    ----------
    along : str
        The term or the grouping factor.
    points : mapping of float to Power
        By effect size or number of groups.
    """

    along: str
    points: Mapping[float, Power]

    @property
    def frame(self) -> pd.DataFrame:
        """Table by point: x, successes, trials, power, conf_low, conf_high, failed."""
        rows = [(x, p.successes, p.trials, p.power, *p.confint(), p.failed) for x, p in self.points.items()]
        return pd.DataFrame(
            rows, columns=["x", "successes", "trials", "power", "conf_low", "conf_high", "failed"]
        ).astype({"x": float})

    def plot(self, ax: Axes | None = None) -> Axes:
        """Power with its exact 95% intervals along what was varied.

        Parameters
        ----------
        ax : Axes
            Where to draw; without it, in a new figure of pyplot's.

        Returns
        -------
        Axes
        """
        ax, table = one_panel(ax), self.frame
        ends = [table["power"] - table["conf_low"], table["conf_high"] - table["power"]]
        ax.errorbar(table["x"], table["power"], yerr=ends, fmt="o-", color=COLOR)
        ax.set_ylim(0, 1.02)
        ax.set_xlabel(self.along)
        ax.set_ylabel("power")
        return ax

    def __str__(self) -> str:
        return f"Power along {self.along}\n\n{self.frame.to_string(index=False)}"


def decided(test: Callable[[Replicate], bool], replicate: Replicate) -> bool:
    """Return whether a user's test rejects."""
    decision = asked(test, replicate)
    if not isinstance(decision, bool | np.bool_):
        raise InvalidArgument(f"the test gives {decision!r}; True, where it rejects, or False is expected.")
    return bool(decision)


def wald(term: str, fit: Fit, alpha: float, df: float) -> Callable[[Replicate], bool]:
    """Return the two-sided Wald test of one term, by the t distribution, or the normal one where ``df`` is infinite."""
    from scipy.special import ndtri, stdtrit  # slow to load

    if term not in fit.terms:
        raise InvalidArgument(
            f"the test names {term!r}; a term ({', '.join(fit.terms)}), the formula of a smaller model, or a function "
            "of a replicate is expected."
        )
    place, limit = fit.terms.index(term), ndtri(1 - alpha / 2) if df == inf else stdtrit(df, 1 - alpha / 2)
    return lambda r: bool(abs(r.beta[place]) > limit * np.sqrt(r.covariance[place, place]))
