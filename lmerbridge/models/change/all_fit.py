"""One model fitted by every optimizer, to see whether they agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from time import perf_counter

import numpy as np
import pandas as pd

from lmerbridge.bridge import host, lme4_has, notices, time_limit
from lmerbridge.errors import InvalidArgument, LmerBridgeError, TimedOut
from lmerbridge.inputs import Spec
from lmerbridge.models.kept import KeptFit, call_on, fit_spec
from lmerbridge.parallel import progress_bar
from lmerbridge.results import shown

MAXFUN = 100_000  # lme4's, in allFit()
METHODS: dict[str, tuple[str, dict[str, str]]] = {  # lme4's names: the optimizer, and what chooses its method
    "bobyqa": ("bobyqa", {}),
    "Nelder_Mead": ("Nelder_Mead", {}),
    "nlminbwrap": ("nlminbwrap", {}),
    "nmkbw": ("nmkbw", {}),
    "optimx.L-BFGS-B": ("optimx", {"method": "L-BFGS-B"}),
    "nloptwrap.NLOPT_LN_NELDERMEAD": ("nloptwrap", {"algorithm": "NLOPT_LN_NELDERMEAD"}),
    "nloptwrap.NLOPT_LN_BOBYQA": ("nloptwrap", {"algorithm": "NLOPT_LN_BOBYQA"}),
}
LIMIT = {  # what an optimizer calls the number of evaluations that it may make
    "bobyqa": "maxfun",
    "Nelder_Mead": "maxfun",
    "nlminbwrap": "eval.max",
    "nmkbw": "maxfeval",
    "optimx": "maxit",
    "nloptwrap": "maxeval",
}
PACKAGES = {"nmkbw": "dfoptim", "optimx.L-BFGS-B": "optimx"}  # R's, without which there is no such optimizer


@shown("llik", "fixef", "sdcor")
@dataclass(frozen=True, eq=False, repr=False)
class AllFit:
    """One model fitted by several optimizers: lme4's ``allFit`` and its summary.

    Attributes
    ----------
    fits : dict of str to LmerFit or LmerBridgeError
        By optimizer: the fit, or the error that there was instead.
    not_installed : dict of str to str
        The optimizers that were not tried, with the R package each needs.
    times : Series
        Seconds by optimizer.
    feval : Series
        Evaluations of the objective by optimizer that fitted; NaN where it does not count them.
    messages : dict of str to tuple of str
        What lme4's convergence checks say, by optimizer that fitted.
    """

    fits: Mapping[str, KeptFit | LmerBridgeError]
    not_installed: Mapping[str, str]
    times: pd.Series
    feval: pd.Series
    messages: Mapping[str, tuple[str, ...]] = field(repr=False)

    @cached_property
    def ok(self) -> pd.Series:
        """Whether each optimizer fitted the model."""
        found = {name: isinstance(fit, KeptFit) for name, fit in self.fits.items()}
        return pd.Series(found, name="ok", dtype=bool)

    @cached_property
    def llik(self) -> pd.Series:
        """Log-likelihood by optimizer, restricted in a fit by REML."""
        return pd.Series({name: float(fit.loglik) for name, fit in self._successes.items()}, name="llik", dtype=float)

    @cached_property
    def fixef(self) -> pd.DataFrame:
        """Fixed effects: optimizers by terms."""
        fits = self._successes  # their terms are the same, of which some may share a name
        terms = next((fit.terms for fit in fits.values()), ())
        return pd.DataFrame([fit.beta for fit in fits.values()], list(fits), list(terms), dtype=float)

    @cached_property
    def sdcor(self) -> pd.DataFrame:
        """Standard deviations and correlations: optimizers by names such as ``sd[Subject.Days]``, sigma the last."""
        return self._table(lambda fit: {**_sdcor(fit.varcorr.quantities()), **_sigma(fit)})

    @cached_property
    def theta(self) -> pd.DataFrame:
        """Theta: optimizers by position."""
        return self._table(lambda fit: dict(enumerate(fit.theta.tolist())))

    @property
    def _successes(self) -> dict[str, KeptFit]:
        return {name: fit for name, fit in self.fits.items() if isinstance(fit, KeptFit)}

    def _table(self, row: Callable[[KeptFit], Mapping[str, float] | Mapping[int, float]]) -> pd.DataFrame:
        return pd.DataFrame.from_dict(
            {name: row(fit) for name, fit in self._successes.items()}, orient="index", dtype=float
        )

    def __repr__(self) -> str:
        return f"<AllFit: {self.ok.sum()} of {len(self.ok)} optimizers fitted>"

    def __str__(self) -> str:
        return "\n".join([*map(self._line, self.fits), *self._absent(), *self._inner(), "", self._spread()])

    def _line(self, name: str) -> str:
        fit = self.fits[name]
        if not isinstance(fit, KeptFit):
            return f"{name:<30} failed: {fit}"
        below, feval = max(self.llik) - self.llik[name], self.feval[name]
        counted = [] if np.isnan(feval) else [f"{feval:.0f} evaluations"]
        told = ", ".join([f"{self.llik[name]:.8g} ({below:.1e} below the best)", *counted, *self.messages[name]])
        return f"{name:<30} {told}"

    def _absent(self) -> list[str]:
        return [f"{name:<30} not tried: R lacks {package}" for name, package in self.not_installed.items()]

    def _inner(self) -> list[str]:
        """Say to which tolerance all of a generalized model's inner iterations went, which no optimizer mends."""
        fit = next(iter(self._successes.values()), None)
        given = {} if fit is None else {name: fit.spec.controls.get(name) for name in fit.kind.inner}
        return [
            f"all with {name} = {value:g}"
            if value
            else f"all with lme4's own {name}, which leaves some 1e-4; see remedies()"
            for name, value in given.items()
        ]

    def _spread(self) -> str:
        """Range of each fixed effect and standard deviation over the optimizers."""
        both = pd.concat([self.fixef, self.sdcor], axis=1)
        return pd.DataFrame(
            {"lowest": both.min(), "highest": both.max(), "spread": both.max() - both.min()}
        ).to_string()


def all_fit(
    fit: KeptFit,
    optimizers: Sequence[str] | None = None,
    *,
    maxfun: int | None = MAXFUN,
    start_from_mle: bool = True,
    progress: bool | None = None,
    timeout: float | None = None,
) -> AllFit:
    """Fit the model by each optimizer: lme4's ``allFit``.

    Parameters
    ----------
    optimizers : sequence of str
        Some of ``bobyqa``, ``Nelder_Mead``, ``nlminbwrap``, ``nmkbw``, ``optimx.L-BFGS-B``,
        ``nloptwrap.NLOPT_LN_NELDERMEAD``, ``nloptwrap.NLOPT_LN_BOBYQA``; all, if it is not given.
    maxfun : int or None
        Evaluations each may make; None is each one's own limit.
    start_from_mle : bool
        Start at this fit's theta, as lme4 does from 1.1-38 on, and not where `lmer` would.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    timeout : float, optional
        Seconds after which R is stopped, all optimizers together. The default is no limit.

    Returns
    -------
    AllFit
        Each fit is that of ``update`` with this optimizer. An error of one is in its place.

    Raises
    ------
    InvalidArgument
        There is no such optimizer.
    TimedOut

    Examples
    --------
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    >>> found = fit.all_fit(["bobyqa", "nlminbwrap"])
    >>> float(found.llik.max() - found.llik.min()) < 1e-6
    True
    """
    wanted = _check_optimizers(optimizers)
    with time_limit(timeout), progress_bar("optimizers", len(wanted), progress) as done:
        absent = _missing_packages(wanted)
        start = end_of(fit) if start_from_mle else fit.spec.start
        spec = replace(fit.spec, start=start)
        fits: dict[str, KeptFit | LmerBridgeError] = {}
        times: dict[str, float] = {}
        for name in (name for name in wanted if name not in absent):
            began = perf_counter()
            fits[name] = _attempt(fit, replace(spec, control=_control(spec, name, maxfun)))
            times[name] = perf_counter() - began
            notices.give(notices.of_refits(fits[name].conditions))
            done(1)
        reports = {name: call_on(fit, "optimizer_report") for name, fit in fits.items() if isinstance(fit, KeptFit)}
    return AllFit(
        fits,
        absent,
        pd.Series(times, name="times", dtype=float),
        pd.Series({name: report["feval"][0] for name, report in reports.items()}, name="feval", dtype=float),
        {name: tuple(report["messages"]) for name, report in reports.items()},
    )


def _attempt(fit: KeptFit, spec: Spec) -> KeptFit | LmerBridgeError:
    try:
        return fit_spec(type(fit), spec)
    except TimedOut:
        raise
    except LmerBridgeError as error:
        return error


def end_of(fit: KeptFit) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """Return the parameters that lme4 optimized: theta, or those of a structured covariance."""
    par = lme4_has("get_me_par")
    start = {"par" if par else "theta": call_on(fit, "optimized_parameters", par=par)["value"]}
    return start | {"beta": fit.beta} if fit.spec.particulars.get("n_agq") else start


def _sdcor(quantities: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in quantities.items() if name.startswith(("sd[", "cor["))}


def _sigma(fit: KeptFit) -> dict[str, float]:
    """Return sigma, where it is estimated."""
    return {"sigma": fit.sigma} if fit.varcorr.has_residual else {}


def _check_optimizers(optimizers: Sequence[str] | None) -> tuple[str, ...]:
    spelled = {name.casefold(): name for name in METHODS}
    wanted = tuple(spelled.get(name.casefold(), name) for name in (METHODS if optimizers is None else optimizers))
    if isinstance(optimizers, str) or not wanted or not set(wanted) <= set(METHODS):
        raise InvalidArgument(f"optimizers is {optimizers!r}; a sequence of some of {', '.join(METHODS)} is expected.")
    return tuple(dict.fromkeys(wanted))


def _missing_packages(wanted: Sequence[str]) -> dict[str, str]:
    needed = {name: PACKAGES[name] for name in wanted if name in PACKAGES}
    found = host.call("installed_packages", packages=list(needed.values())).values["name"] if needed else []
    return {name: package for name, package in needed.items() if package not in found}


def _control(spec: Spec, name: str, maxfun: int | None) -> dict[str, object]:
    """Return the fit's control with another optimizer.

    Options of the fit's own optimizer are kept for that optimizer alone.
    """
    optimizer, method = METHODS[name]
    own = spec.controls.get("optCtrl", {}) if spec.controls.get("optimizer", spec.kind.optimizer) == optimizer else {}
    limit = {} if maxfun is None else {LIMIT[optimizer]: maxfun}
    return {**spec.controls, "optimizer": optimizer, "optCtrl": {**own, **limit, **method}}
