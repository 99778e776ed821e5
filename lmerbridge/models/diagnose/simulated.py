"""Residuals by simulation: where each response lies among those that the model would give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import check_methods
from lmerbridge.models.diagnose import assumptions, panel, uniform
from lmerbridge.models.extract import getme, matrices
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict import predict, simulate

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values: TypeAlias = NDArray[np.float64]
TOGETHER = "Rows of one group share its new random effect and are not independent: the p-value is a guide."
KEPT = "The random effects that are kept were made of these rows, so that responses lie too near their prediction."


@check_methods
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SimulatedResiduals:
    """Where each response lies among those simulated from the model, as DHARMa's ``simulateResiduals``.

    Attributes
    ----------
    frame : DataFrame
        By the index of `fitted`, NaN where that has NaN: ``observed``, ``predicted``, ``residual`` (from 0 to 1) and
        ``outlier`` (1 where the response is outside all simulations, else 0).
    tests : tuple of Test
    groups : mapping of str to DataFrame
        By level of each grouping: its number of ``rows``, their ``observed`` sum and its ``residual``.
    nsim, seed : int
    re_form : str or None
        The random effects that were kept.
    """

    frame: pd.DataFrame
    tests: tuple[assumptions.Test, ...]
    groups: Mapping[str, pd.DataFrame]
    nsim: int
    seed: int
    re_form: str | None

    @property
    def residuals(self) -> pd.Series:
        """Residuals from 0 to 1, uniform where the model is right."""
        return self.frame["residual"]

    @property
    def table(self) -> pd.DataFrame:
        """Table with one row per test: check, of, method, statistic, df, df2, p_value, finding."""
        names = [f.name for f in fields(assumptions.Test)]
        return pd.DataFrame([[getattr(test, name) for name in names] for test in self.tests], columns=names)

    def plot(self, axes: Sequence[Axes] | NDArray[Any] | None = None) -> NDArray[Any]:
        """Draw the residuals against uniform quantiles, and against the ranks of the predictions.

        Parameters
        ----------
        axes : sequence of Axes, optional
            Two. The default is a new figure of pyplot's.

        Returns
        -------
        ndarray of Axes
            Where the model is right, the points of the first lie on the line, and the quartiles in pieces of the second
            on the dashed ones.
        """
        return panel.draw_simulated(self.frame.dropna(), self.tests[0].p_value, axes)

    def __repr__(self) -> str:
        return f"<simulated residuals: {self.residuals.count()} rows, {self.nsim} simulations, seed {self.seed}>"

    def __str__(self) -> str:
        lines = (f"{t.check} of {t.of}: {t.statistic:.4g}, p {t.p_value:.4g}\n    {t.finding}" for t in self.tests)
        return "\n".join([repr(self), *lines])

    def _repr_html_(self) -> str:
        with pd.option_context("display.max_colwidth", None):
            return f"<p>{escape(repr(self))}</p>{self.table.to_html(index=False, na_rep='')}"


def simulated_residuals(
    fit: KeptFit,
    nsim: int = 250,
    *,
    seed: int | None = None,
    re_form: str | None = "~0",
    by: str | Sequence[str] | None = None,
    timeout: float | None = None,
) -> SimulatedResiduals:
    """Find where each response lies among those simulated from the model: DHARMa's ``simulateResiduals``.

    Parameters
    ----------
    nsim : int
        How many responses are simulated. Memory goes with it: 8 bytes for each row of each.
    seed : int
        As in `simulate`. Without it, one is drawn.
    re_form : str
        Which random effects are kept as they are; the others are drawn anew. As in `simulate`: ``"~0"``, none, where
        it is not given, as in DHARMa; None is all, for residuals given the groups.
    by : column name or sequence of these
        Columns of the model whose levels' sums are held against the simulated ones. The default is the grouping
        factors.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    SimulatedResiduals
        ``frame`` has for each row the share of simulations below the response, bit for bit
        ``rowMeans(simulate(fit, nsim, seed = seed) < y)`` of R. Where simulations equal the response, as counts do,
        the residual is drawn between the share below and the share up to it. ``table`` has the tests: uniformity,
        dispersion, outliers, uniformity of sums by group and, of counts, zero inflation. A row of weight zero, of whose
        variance the model says nothing, is NaN in ``frame`` and no part of ``table``.

    Raises
    ------
    InvalidArgument
        The model has no such column.
    TimedOut

    Notes
    -----
    The model was estimated from the rows that are tested, so that the p-values are too large rather than too small.

    References
    ----------
    P. K. Dunn, G. K. Smyth (1996): Randomized quantile residuals. J. Comput. Graph. Stat. 5, 236-244.

    Examples
    --------
    >>> found = fit.simulated_residuals(seed=1)
    >>> found.residuals.head(3).tolist()
    [0.516, 0.484, 0.296]
    >>> found.table[["check", "statistic", "p_value"]].head(3).round(4)
            check  statistic  p_value
    0  uniformity     0.0631   0.4703
    1  dispersion     0.9511   0.9163
    2    outliers     0.0000   0.4112
    """
    used = matrices.weights(fit).dropna().to_numpy() > 0
    groupings = {name: keys[used] for name, keys in _groupings(fit, by).items()}
    simulated = simulate.simulate(fit, nsim, seed=seed, re_form=re_form, timeout=timeout)
    seed = int(simulated.attrs["seed"])
    at = np.searchsorted(fit._output_rows, fit.rows)[used]
    drawn = simulated.to_numpy()[at]
    observed = getme.get_me(fit, "y").dropna().to_numpy()[used]
    predicted = predict.predict(fit, re_form=re_form, timeout=timeout).to_numpy()[at]
    groups = {name: _sums(keys, observed, drawn, seed) for name, keys in groupings.items()}
    columns = {
        "observed": observed,
        "predicted": predicted,
        "residual": uniform.shares(observed, drawn, seed),
        "outlier": uniform.outside(observed, drawn).astype(float),
    }
    return SimulatedResiduals(
        frame=pd.DataFrame({name: fit._by_row(_spread(values, used), name) for name, values in columns.items()}),
        tests=tuple(_tests(columns, drawn, groups, re_form)),
        groups=groups,
        nsim=nsim,
        seed=seed,
        re_form=re_form,
    )


def _spread(values: Values, used: NDArray[np.bool_]) -> Values:
    """Return the values in the places of the rows used, among NaN."""
    found = np.full(len(used), np.nan)
    found[used] = values
    return found


def _tests(
    columns: Mapping[str, Values], drawn: Values, groups: Mapping[str, pd.DataFrame], re_form: str | None
) -> Iterator[assumptions.Test]:
    observed, nsim = columns["observed"], drawn.shape[1]
    kept = "" if re_form == "~0" else KEPT
    yield uniform.uniformity("residuals", columns["residual"], kept or TOGETHER)
    yield uniform.dispersion(observed, drawn, columns["predicted"], kept)
    yield uniform.outlying(int(columns["outlier"].sum()), len(observed), nsim)
    if (drawn == np.floor(drawn)).all():  # counts
        yield uniform.zeros(observed, drawn)
    for name, table in groups.items():
        yield uniform.uniformity(f"sums by {name}", table["residual"].to_numpy(), kept)


def _groupings(fit: KeptFit, by: str | Sequence[str] | None) -> dict[str, pd.Series]:
    """Return the levels of each row used, by the name of what they are of."""
    if by is None:
        return dict(getme.get_me(fit, "flist"))
    names = [by] if isinstance(by, str) else list(by)
    known = [str(name) for name in fit.spec.data.columns]
    if unknown := [name for name in names if name not in known]:
        raise InvalidArgument(f"by names {', '.join(map(repr, unknown))}; columns of the model are {', '.join(known)}.")
    return {name: fit.spec.data[name].iloc[fit.rows] for name in names}


def _sums(keys: pd.Series, observed: Values, drawn: Values, seed: int) -> pd.DataFrame:
    """Return for each level the sum of its responses, and where it lies among the simulated sums."""
    import scipy.sparse as sp  # slow to load

    codes, levels = pd.factorize(keys, sort=True)
    used = codes >= 0
    member = sp.csr_array((np.ones(used.sum()), (codes[used], np.flatnonzero(used))), shape=(len(levels), len(codes)))
    own, theirs = member @ observed, member @ drawn
    columns = {
        "rows": np.bincount(codes[used], minlength=len(levels)),
        "observed": own,
        "residual": uniform.shares(own, theirs, seed),
    }
    return pd.DataFrame(columns, index=pd.Index(levels, name=keys.name))
