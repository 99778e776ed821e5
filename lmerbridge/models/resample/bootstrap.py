"""The bootstrap, by refitting simulated responses."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from lmerbridge.bridge import notices, time_limit
from lmerbridge.drawing import COLOR, LINE, Panels, several_panels
from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import check_methods, draw_seed
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.predict.effects import check_whole, read_effects
from lmerbridge.models.predict.simulate import choose_re_form
from lmerbridge.models.resample import bootci, draws, refits
from lmerbridge.models.resample.replicates import (
    Replicates,
    Statistic,
    compute_statistic,
    iterate_replicates,
    original,
    tabulate,
)
from lmerbridge.models.resample.store import Store
from lmerbridge.results import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Kind = Literal["parametric", "semiparametric"]


@check_methods
@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap:
    """A statistic of a fit, and of the model refitted to simulated responses: R's ``bootMer``.

    Attributes
    ----------
    t0 : Series
        The statistics of the fit itself, by name.
    t : DataFrame, shape (nsim, nstatistics)
        Of each replicate; NaN where it failed.
    replicates : Replicates
        Estimates, criterion and flags of each refit.
    seed : int
        Gives the same replicates again.
    type : {"parametric", "semiparametric"}
    elapsed : float
        Seconds.
    """

    t0: pd.Series
    t: pd.DataFrame
    replicates: Replicates = field(repr=False)
    seed: int
    type: Kind
    elapsed: float

    @property
    def nsim(self) -> int:
        """Number of replicates, failed ones included."""
        return len(self.t)

    @property
    def failures(self) -> pd.DataFrame:
        """The replicates that failed: replicate (from 0), message."""
        return self.replicates.failures

    @property
    def n_failed(self) -> int:
        """Number of replicates that failed."""
        return len(self.failures)

    @property
    def n_singular(self) -> int:
        """Number of replicates whose fit is singular."""
        return int(self.replicates.singular.sum())

    @property
    def n_unconverged(self) -> int:
        """Number of replicates, failed ones not counted, of which the optimizer says that it stopped short."""
        return int((~self.replicates.converged).sum()) - self.n_failed

    @property
    def bias(self) -> pd.Series:
        """Mean of the replicates less the statistic."""
        return (self.t.mean() - self.t0).rename("bias")

    @property
    def std_errors(self) -> pd.Series:
        """Standard deviation of the replicates."""
        return self.t.std().rename("std_error")

    @property
    def frame(self) -> pd.DataFrame:
        """Table by statistic, as R prints it: original, bias, std_error."""
        return pd.DataFrame({"original": self.t0, "bias": self.bias, "std_error": self.std_errors})

    @notices.together()
    def confint(
        self, level: float = 0.95, type: bootci.Interval = "perc", parm: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """Confidence intervals from the replicates, as ``boot::boot.ci`` and lme4's ``confint`` of a bootstrap.

        Parameters
        ----------
        level : float
            Confidence level, between 0 and 1.
        type : {"perc", "basic", "norm"}
            Percentiles, interpolated on the normal scale; percentiles turned round the statistic; or the normal
            distribution, with the bias taken off.
        parm : str or sequence of str
            Only these statistics.

        Returns
        -------
        DataFrame
            By statistic: conf_low, conf_high. A replicate whose value is not finite is left out of that statistic.

        Warns
        -----
        RWarning
            There are too few replicates for the level: the ends are the extreme ones.

        Examples
        --------
        >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
        >>> fit.bootstrap(nsim=99, seed=1).confint(level=0.9, parm="sigma").round(1)
               conf_low  conf_high
        sigma      39.9       62.9
        """
        names = self._select(parm)
        rows = {name: bootci.interval(float(self.t0[name]), self.t[name].to_numpy(), level, type) for name in names}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["conf_low", "conf_high"])

    def plot(
        self,
        axes: Sequence[Axes] | Panels | None = None,
        *,
        parm: str | Sequence[str] | None = None,
        level: float = 0.95,
        type: bootci.Interval = "perc",
    ) -> Panels:
        """Histograms of the replicates, each with the statistic (a line) and its interval (dashed).

        Parameters
        ----------
        axes : sequence of Axes, optional
            One per statistic. The default is a new figure of pyplot's.
        parm, level, type
            As of `confint`.

        Returns
        -------
        ndarray of Axes
        """
        names, intervals = self._select(parm), self.confint(level, type, parm)
        found = several_panels(axes, len(names))
        for ax, name in zip(found, names, strict=True):
            values = self.t[name].to_numpy()
            ax.hist(values[np.isfinite(values)], bins="auto", color=COLOR, alpha=0.6)
            ax.axvline(self.t0.loc[name], **LINE)
            for end in intervals.loc[name]:
                ax.axvline(end, **LINE, linestyle="dashed")
            ax.set_xlabel(name)
        found[0].set_ylabel("replicates")
        return found

    def _select(self, parm: str | Sequence[str] | None) -> list[str]:
        if parm is None:
            return list(self.t0.index)
        names = [parm] if isinstance(parm, str) else list(parm)
        if not names:
            raise InvalidArgument("parm is empty; names of statistics, or None for all of them, are expected.")
        for name in names:
            if name not in self.t0.index:
                raise InvalidArgument(f"parm names {name!r}; the statistics are {', '.join(self.t0.index)}.")
        return names

    def __str__(self) -> str:
        counts = {"failed": self.n_failed, "singular": self.n_singular, "not converged": self.n_unconverged}
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        head = f"{self.type.capitalize()} bootstrap, {amount(self.nsim, 'replicate')}, seed {self.seed}"
        return f"{head}{f' ({told})' if told else ''}\n\n{self.frame.to_string()}"

    def __repr__(self) -> str:
        statistics, replicates = amount(len(self.t0), "statistic"), amount(self.nsim, "replicate")
        return f"<{self.type} bootstrap: {statistics}, {replicates}, seed {self.seed}>"


def bootstrap(
    fit: KeptFit,
    statistic: Statistic | None = None,
    nsim: int = 1000,
    *,
    seed: int | None = None,
    type: Kind = "parametric",
    use_u: bool = False,
    re_form: str | None = "~0",
    rng: draws.Rng = "bootMer",
    store: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    backend: str | None = None,
    progress: bool | None = None,
    timeout: float | None = None,
) -> Bootstrap:
    """Refit the model to simulated responses, and gather a statistic of each refit: R's ``bootMer``.

    The responses are drawn in blocks, as ``bootMer`` draws them at once: for the same seed they are R's, whatever the
    number of jobs, and memory does not grow with their number. lme4's objective is then minimized for each, from this
    fit's theta on (``nlminb``; where that stops near zero or short of its aim, also ``bobyqa`` from a point off zero).
    It is free of what ``refit`` of a REML fit gets wrong in lme4 1.1-8 to 1.1-32; and where the fit has weights, the
    errors of a row have the variance ``sigma**2 / weight`` that the model gives them, which lme4's ``simulate``
    forgets.

    Parameters
    ----------
    statistic : callable
        Takes a `Replicate` and returns a number, or a sequence, mapping or Series of numbers. It runs in this
        process; what it raises is raised. By default all parameters, named as `confint` names them.
    nsim : int
        Number of replicates.
    seed : int
        As for R's ``set.seed``. If it is not given, one is drawn; `Bootstrap.seed` tells it.
    type : {"parametric", "semiparametric"}
        Simulate from the model; or, with ``use_u=True``, add residuals drawn with replacement to the fitted values.
    use_u : bool
        Keep the random effects as they are, all of them.
    re_form : str or None
        Which random effects to keep, as `simulate` has it: ``"~0"`` none, None all, ``"~ (1 | g)"`` these.
    rng : {"bootMer", "streams"}
        Random numbers of ``bootMer``, which this process draws and sends where they are refitted to; or a stream of
        L'Ecuyer's generator per replicate, which is drawn where it is refitted to, so that nothing is sent. Replicate
        i is then what ``simulate`` gives in R from the i-th ``nextRNGStream`` after ``set.seed``.
    store : path, optional
        A folder to which the refits are written as they are done, in Parquet. The same call goes on there after this
        process or its computer was lost, and gives the same bytes. It needs pyarrow.
    jobs : int, optional
        Processes to compute in, -1 for one per core. Numbers do not depend on it. Each process has an R of its own.
        The default is one, or what `joblib.parallel_config` says.
    backend : str, optional
        ``loky``, ``threading``, ``sequential`` or ``dask://HOST:PORT``. The default is joblib's own choice.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Bootstrap

    Raises
    ------
    InvalidArgument
        Also where the store is of another fit or another call.
    SetupError
        There is a store, and pyarrow is not installed.
    TimedOut
        As after Ctrl-C, what is done is kept: the same call, with the seed that the error names, goes on from
        there. So does another statistic of the same replicates.

    Examples
    --------
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    >>> boot = fit.bootstrap(lambda replicate: replicate.varcorr["Batch"].stddev[0], nsim=50, seed=1)
    >>> boot.frame.round(1)
               original  bias  std_error
    statistic      42.0  -7.7       15.5
    """
    began = time.perf_counter()
    kept = _effects_to_keep(fit, type, use_u, re_form)
    held = Store(store, fit, seed=seed, nsim=nsim, rng=rng, type=type, re_form=kept) if store is not None else None
    seed = draw_seed(seed) if held is None else held.seed
    with time_limit(timeout):
        common, response = refits.common(fit)
        t0 = pd.Series(dtype=float) if statistic is None else compute_statistic(statistic, original(common, response))
        responses = draws.Draws(fit, nsim, seed, rng, type=type, re_form=kept)
        try:
            found = refits.refit_all(fit, responses, store=held, jobs=jobs, backend=backend, progress=progress)
        except (TimeoutError, KeyboardInterrupt) as error:
            error.add_note(_progress(fit, nsim, seed))
            raise
    if statistic is None:
        t = common.parameters(found.beta, found.theta, found.sigma)
        t0 = common.parameters(fit.beta[None], fit.theta[None], np.array([fit.sigma])).iloc[0]
    else:
        t = tabulate(statistic, t0, iterate_replicates(common, found, responses), nsim)
    return Bootstrap(t0.rename(None), t, found, seed, type, time.perf_counter() - began)


def _effects_to_keep(fit: KeptFit, type: str, use_u: bool, re_form: str | None) -> str | None:
    """Return the formula, in R's words, of the random effects to keep."""
    kept = choose_re_form(re_form, use_u)
    if type == "semiparametric" and kept is not None:
        raise InvalidArgument("a semiparametric bootstrap keeps all random effects; say so with use_u=True.")
    formula = fit.spec.parsed
    effects = read_effects(kept, formula, fit.spec.allow)
    check_whole(effects, formula)
    return effects.text


def _progress(fit: KeptFit, nsim: int, seed: int) -> str:
    (begun,) = refits.open_refits(fit).values()
    done = f"{nsim - len(begun.remaining)} of {nsim} replicates are done and kept"
    return f"{done}; the same call with seed={seed} goes on from there."
