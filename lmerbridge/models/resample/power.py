"""Power of a test by simulation, of one design or along a curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict, Unpack

import numpy as np
import pandas as pd

from lmerbridge.drawing import COLOR, one_panel
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import check_methods, check_signature, draw_seed
from lmerbridge.models.change.update import update
from lmerbridge.models.kept import K, KeptFit, fit_spec
from lmerbridge.models.resample import refits, replicates
from lmerbridge.models.resample.draws import Draws
from lmerbridge.results import Fit, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes


from lmerbridge.bridge import notices, time_limit
from lmerbridge.models.predict import effects
from lmerbridge.models.resample.groups import resize
from lmerbridge.results import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Test: TypeAlias = str | Callable[[replicates.Replicate], bool]


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Power:
    """Number of simulated data sets, and of those in which a test rejected.

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
        """Share of the trials that are successes, NaN where all refits failed."""
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


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
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
        ax : Axes, optional
            Where to draw. The default is a new figure of pyplot's.

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


def decide(test: Callable[[replicates.Replicate], bool], replicate: replicates.Replicate) -> bool:
    """Return whether a user's test rejects."""
    decision = replicates.call_user_function(test, replicate)
    if not isinstance(decision, bool | np.bool_):
        raise InvalidArgument(f"the test gives {decision!r}; True, where it rejects, or False is expected.")
    return bool(decision)


def wald(term: str, fit: Fit, alpha: float, df: float) -> Callable[[replicates.Replicate], bool]:
    """Return the two-sided Wald test of one term, by the t distribution, or the normal one where ``df`` is infinite."""
    from scipy.special import ndtri, stdtrit  # slow to load

    if term not in fit.terms:
        raise InvalidArgument(
            f"the test names {term!r}; a term ({', '.join(fit.terms)}), the formula of a smaller model, or a function "
            "of a replicate is expected."
        )
    _check_names(fit, [term])
    place, limit = fit.terms.index(term), ndtri(1 - alpha / 2) if df == inf else stdtrit(df, 1 - alpha / 2)
    return lambda r: bool(abs(r.beta[place]) > limit * np.sqrt(r.covariance[place, place]))


class Others(TypedDict, total=False):
    """Arguments of `power` that do not vary along a curve."""

    beta: Mapping[str, float] | None
    sigma: float | None
    theta: Sequence[float] | Array | None
    groups: Mapping[str, int] | None
    alpha: float
    df: float
    jobs: int | None
    backend: str | None
    progress: bool | None


@check_signature
def power(
    fit: KeptFit,
    test: Test,
    nsim: int = 1000,
    *,
    beta: Mapping[str, float] | None = None,
    sigma: float | None = None,
    theta: Sequence[float] | Array | None = None,
    groups: Mapping[str, int] | None = None,
    alpha: float = 0.05,
    df: float = inf,
    seed: int | None = None,
    jobs: int | None = None,
    backend: str | None = None,
    progress: bool | None = None,
    timeout: float | None = None,
) -> Power:
    """Power of a test, by simulating from the model and refitting it, as R's ``simr`` does.

    Parameters
    ----------
    test : str or callable
        A term: its two-sided Wald test. A formula, or a change such as ``". ~ . - Days"``: the likelihood ratio
        test against that smaller model, both by maximum likelihood, by the chi-squared distribution, which makes
        it conservative where a variance is tested. Or a function of a `Replicate` that tells whether it rejects.
    nsim : int
        Number of simulated data sets.
    beta : mapping of term to number
        Fixed effects that are to be others than the fit's.
    sigma, theta : float, array
        Others than the fit's.
    groups : mapping of column to int
        How many levels a grouping column is to have: those there are, copied, or the first of them.
    alpha : float
        Level of the test.
    df : float
        Degrees of freedom of the t distribution for the Wald test; without them, the normal one.
    seed, jobs, backend, progress, timeout
        As in `bootstrap`.

    Returns
    -------
    Power

    Examples
    --------
    >>> print(fit.power("Days", nsim=50, beta={"Days": 5.0}, seed=1))
    power 88.0%, 95% interval 75.7% to 95.5% (44 of 50; seed 1)
    """
    given: dict[str, Any] = {"beta": _change_beta(fit, beta or {}), "theta": fit.theta}
    if fit.varcorr.has_residual:
        given["sigma"] = fit.sigma
    given |= {name: value for name, value in {"sigma": sigma, "theta": theta}.items() if value is not None}
    seed = draw_seed(seed)
    with time_limit(timeout):
        how: refits.How = {"jobs": jobs, "backend": backend, "progress": progress}
        draws = Draws(_of_size(fit, groups or {}), nsim, seed, parameters=effects.new_parameters(given, fit))
        successes, failures = _count_rejections(draws, test, alpha, df, how)
    return Power(successes, nsim - len(failures), seed, failures)


def power_curve(
    fit: KeptFit,
    test: Test,
    along: str,
    values: Sequence[float],
    nsim: int = 1000,
    *,
    seed: int | None = None,
    timeout: float | None = None,
    **others: Unpack[Others],
) -> PowerCurve:
    """Power of a test along effect sizes, or along numbers of groups.

    Parameters
    ----------
    test : str or callable
    along : str
        A term, whose effect is to have each of the values; or a grouping column, which is to have so many levels.
    values : sequence of numbers
    nsim : int
        Number of data sets at each value.
    seed : int
        The same at each value, so that points along effect sizes differ by the effect alone.
    timeout : float, optional
        Seconds after which R is stopped, all points together. The default is no limit.
    **others
        All other arguments of `power`.

    Returns
    -------
    PowerCurve

    Examples
    --------
    >>> curve = fit.power_curve("Days", "Subject", [9, 18], nsim=50, beta={"Days": 5.0}, seed=1)
    >>> curve.frame[["x", "power", "failed"]]
          x  power  failed
    0   9.0   0.60       0
    1  18.0   0.88       0
    """
    seed = draw_seed(seed)
    if not len(values):
        raise InvalidArgument("values is empty; at least one effect size or number of groups is expected.")
    if not isinstance(others.get("beta"), Mapping | None) or not isinstance(others.get("groups"), Mapping | None):
        raise InvalidArgument("beta and groups are mappings of names to numbers.")
    varied: Literal["beta", "groups"] = "beta" if along in fit.terms else "groups"
    points = {}
    with time_limit(timeout):
        for value in values:
            here: Any = others | {varied: {**(others.get(varied) or {}), along: value}}
            points[value] = power(fit, test, nsim, seed=seed, **here)
    return PowerCurve(along, points)


def _of_size(fit: K, groups: Mapping[str, int]) -> K:
    """Return the model with other numbers of groups."""
    sized = fit
    for along, size in groups.items():
        sized = fit_spec(type(fit), resize(sized, along, size))
        notices.give(notices.of_conditions(sized.conditions))
    if sized.terms != fit.terms:
        raise InvalidArgument(
            f"with {dict(groups)} the model has the terms {', '.join(sized.terms)}, not {', '.join(fit.terms)}; "
            "more groups are needed for them."
        )
    return sized


def _count_rejections(draws: Draws, test: Test, alpha: float, df: float, how: refits.How) -> tuple[int, pd.DataFrame]:
    """Return how often the test rejects, and the refits that failed."""
    if isinstance(test, str) and "~" in test:
        return _likelihood_ratio(draws, test, alpha, how)
    fit = draws.fit
    rule = wald(test, fit, alpha, df) if isinstance(test, str) else test
    found = refits.refit_all(fit, draws, _theta(draws), **how)
    each = replicates.iterate_replicates(refits.common(fit)[0], found, draws)
    return sum(decide(rule, replicate) for replicate in each), found.failures


def _likelihood_ratio(draws: Draws, formula: str, alpha: float, how: refits.How) -> tuple[int, pd.DataFrame]:
    from scipy.special import chdtri  # slow to load

    fit = draws.fit
    larger = fit_spec(type(fit), replace(fit.spec, reml=False)) if fit.reml else fit
    if larger is not fit:
        notices.give(notices.of_conditions(larger.conditions))
    smaller = update(larger, formula)
    if smaller.npar >= larger.npar or not np.array_equal(smaller.rows, larger.rows):
        raise InvalidArgument(
            f"the test names the model {smaller.formula}, with {smaller.npar} parameters on {smaller.nobs} rows; "
            f"one with fewer than {larger.npar} on the same {larger.nobs} rows is expected."
        )
    one = refits.refit_all(larger, draws, _theta(draws), **how)
    other = refits.refit_all(smaller, draws, **how)
    failures = pd.concat([one.failures, other.failures]).drop_duplicates("replicate", ignore_index=True)
    limit = chdtri(larger.npar - smaller.npar, alpha)
    return int(np.sum(other.criterion - one.criterion > limit)), failures


def _theta(draws: Draws) -> Array:
    """Return the theta that the responses are simulated from, where a refit is to start."""
    parameters: Any = draws.given["parameters"]
    theta: Array = parameters["theta"]
    return theta


def _change_beta(fit: Fit, beta: Mapping[str, float]) -> Array:
    """Return the fixed effects with some of them changed."""
    if not isinstance(beta, Mapping):
        raise InvalidArgument(f"beta is {beta!r}; a mapping of terms to numbers is expected.")
    if unknown := [term for term in beta if term not in fit.terms]:
        raise InvalidArgument(f"beta names {', '.join(map(repr, unknown))}; the terms are {', '.join(fit.terms)}.")
    _check_names(fit, beta)
    values: Array = np.array([beta.get(*pair) for pair in zip(fit.terms, fit.beta, strict=True)], dtype=np.float64)
    return values


def _check_names(fit: Fit, terms: Iterable[str]) -> None:
    if shared := [term for term in terms if fit.terms.count(term) > 1]:
        raise InvalidArgument(f"several terms have the name {shared[0]!r}; rename a column.")
