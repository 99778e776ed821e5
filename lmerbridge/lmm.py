"""`lmer`, as in R, and the fit it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge import formula as formulas
from lmerbridge import notices
from lmerbridge.bridge import columns, host, refusals, replies
from lmerbridge.bridge.arguments import arguments
from lmerbridge.bridge.limit import time_limit
from lmerbridge.bridge.wire import Value
from lmerbridge.covariance import Array
from lmerbridge.design import Design
from lmerbridge.errors import InvalidArgument, LmerBridgeWarning, RError, UnfitData
from lmerbridge.frames import Frame, pandas_frame
from lmerbridge.results import Fit, Provenance
from lmerbridge.spec import NaAction, RowVector, Spec
from lmerbridge.structure import build


def lmer(
    formula: str,
    data: Frame,
    *,
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: Mapping[str, str] | None = None,
    start: Sequence[float] | Array | None = None,
    control: Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    timeout: float | None = None,
) -> LmerFit:
    """Fit a linear mixed model with R's ``lme4::lmer``.

    Parameters
    ----------
    formula : str
        As in R: ``"Reaction ~ Days + (Days | Subject)"``.
    data : DataFrame
        Only the columns the formula names travel to R. Strings become factors with levels in code-point
        order, categoricals keep theirs, ordered ones stay ordered, booleans stay logical.
    reml : bool
        REML, or maximum likelihood.
    weights, offset : column name or array of one number a row
    subset : column name or array of one boolean a row
    na_action : {"omit", "exclude", "fail"}
        What to do with rows that lack a value. ``exclude`` keeps them, as NaN, in fitted and residuals. If
        it is not given, they are left out as by ``omit``, with a warning.
    contrasts : mapping
        R's contrast function for a factor: ``{"treatment": "contr.sum"}``.
    start : array
        Theta to start from.
    control : mapping
        Arguments of ``lme4::lmerControl``, with ``optCtrl`` a mapping of its own.
    allow : sequence of str
        Functions of R packages that the formula may call beside those it always may, as ``"package::function"``; the
        formula calls them by that name. They run in R: allow what you would run there.
    timeout : float
        Seconds after which R is stopped; see `time_limit`.

    Returns
    -------
    LmerFit
        Every number the double that R computes.

    Raises
    ------
    InputError
        The formula, the data or an argument cannot be used.
    RError
        R refused the model for another reason.
    TimedOut
    WorkerDied

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, RankDeficientWarning, RWarning
        What lme4 has to say of the fit, and `LmerFit.conditions` keep.
    RowsLeftOutWarning

    Examples
    --------
    >>> from lmerbridge import lmer, load_dataset
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    >>> fit.fixef.round(4).to_dict()
    {'(Intercept)': 251.4051, 'Days': 10.4673}
    """
    spec = Spec(
        formula=formula,
        data=pandas_frame(data),
        reml=reml,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        start=start,
        control=control,
        allow=allow,
    )
    with time_limit(timeout):
        fit = fit_spec(spec)
    notices.give(fit.notices())
    return fit


def fit_spec(spec: Spec) -> LmerFit:
    """Fit a `Spec` with lme4: what `lmer` does once its arguments are gathered."""
    formula = columns.parsed(spec)
    given = arguments(spec, formula)
    kept: list[Spec] = []

    def snapshot() -> None:
        kept.append(_snapshot(spec, formula))

    try:
        model = host.Model(lambda worker, handle: worker.call("fit_lmer", snapshot, handle=handle, **given))
    except RError as error:
        ours = refusals.translated(error, spec, formula)
        if ours is None:
            raise
        raise ours from error
    described = build(replies.Described, model.reply.values)
    if described.sigma == 0:
        raise UnfitData(refusals.EXACT)
    facts = session_facts()
    return LmerFit(
        engine="lme4",
        formula=formula.text,
        index=spec.data.index,
        rows_padded=spec.rows_in_subset() if spec.na_action == "exclude" else None,
        conditions=model.reply.conditions,
        provenance=Provenance("lme4", facts["lme4"], described.optimizer, tuple(facts.items())),
        spec=kept[0],
        model=model,
        **replies.numbers(described),
    )


def _snapshot(spec: Spec, formula: formulas.Formula) -> Spec:
    """Return the specification with its data as it is now: the caller's frame may change after the fit."""
    weights, offset, subset = (spec.per_row(name) for name in ("weights", "offset", "subset"))
    return replace(
        spec,
        formula=formula.text,
        data=_columns(spec.data, formula.variables),
        weights=None if weights is None else weights.to_numpy(copy=True),
        offset=None if offset is None else offset.to_numpy(copy=True),
        subset=None if subset is None else subset.to_numpy(copy=True),
    )


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return columns as they are now: pandas 3 copies one when somebody writes to it, pandas 2 has to at once."""
    return pd.DataFrame({name: frame[name] for name in names}, frame.index, copy=pd.__version__ < "3")


@cache
def session_facts() -> dict[str, str]:
    """Return what a last bit depends on: versions of R, lme4, Matrix, BLAS, LAPACK, platform and locale."""
    values = host.call("session_facts").values
    facts = dict(zip(values["name"], values["value"], strict=True))
    facts |= {name: version(name) for name in ("lmerbridge", "rpy2-rinterface")}
    notices.give(notices.of_versions(facts["R"], facts["rpy2-rinterface"]))
    return facts


@dataclass(frozen=True, eq=False)
class Optima:
    """End points of several optimizers on one model.

    Attributes
    ----------
    optimizer : tuple of str
    theta : ndarray, shape (noptimizers, ntheta)
    value : ndarray, shape (noptimizers,)
        Profiled deviance or REML criterion.
    """

    optimizer: tuple[str, ...]
    theta: Array
    value: Array


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class LmerFit(Fit):
    """A fit of lme4: its numbers, and the model in R behind them.

    The numbers need no R, and they are all that is pickled; what needs the model (`str`, `design`,
    `deviance_at`) rebuilds it from the specification where it is gone. `time_limit` bounds what takes no
    ``timeout``.
    """

    spec: Spec = field(repr=False)
    model: host.Model | None = field(repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)} | {"model": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __str__(self) -> str:
        return self._summary

    @cached_property
    def _summary(self) -> str:
        text: str = self.call("summary_text")["text"][0]
        return text

    def call(self, function: str, **arguments: Value) -> dict[str, Any]:
        """Call a function of the R package on the model, rebuilding it first if its process has gone."""
        if self.model is None or not self.model.alive:
            object.__setattr__(self, "model", fit_spec(self.spec).model)
        return self.model.call(function, **arguments)  # type: ignore[union-attr]  # set above

    @cached_property
    def left_out(self) -> pd.Index:
        """Labels, in the frame's index, of the rows left out for a missing value."""
        return self.index.take(np.setdiff1d(self.spec.rows_in_subset(), self.rows))

    def notices(self) -> Iterator[LmerBridgeWarning]:
        """Yield the warnings that `lmer` gives."""
        if self.spec.na_action is None and self.rows_dropped:
            missing = self.spec.missing(self.spec.data.columns)
            yield notices.of_rows(self.rows_dropped, self.rows_dropped + self.nobs, missing)
        yield from notices.of_conditions(self.conditions)

    def deviance_at(self, theta: Array, *, timeout: float | None = None) -> Array:
        """lme4's own profiled deviance or REML criterion at some points.

        Parameters
        ----------
        theta : ndarray, shape (npoints, ntheta) or (ntheta,)
        timeout : float
            Seconds after which R is stopped.

        Returns
        -------
        ndarray, shape (npoints,)
        """
        points = np.atleast_2d(theta)
        if points.shape[1] != len(self.theta):
            raise InvalidArgument(f"theta has {points.shape[1]} elements a point; {len(self.theta)} are expected.")
        with time_limit(timeout):
            values: Array = self.call("deviance_at", theta=points.ravel())["value"]
        return values

    def polish(self, starts: Array, *, timeout: float | None = None) -> tuple[Array, Array]:
        """Minimize the objective to rounding level (minqa's bobyqa) from each of some points.

        Parameters
        ----------
        starts : ndarray, shape (nstarts, ntheta)
        timeout : float
            Seconds after which R is stopped.

        Returns
        -------
        theta : ndarray, shape (nstarts, ntheta)
        value : ndarray, shape (nstarts,)
        """
        with time_limit(timeout):
            found = self.call("polish", theta=np.ascontiguousarray(starts).ravel())
        return found["theta"].reshape(starts.shape), found["value"]

    @cached_property
    def optima(self) -> Optima:
        """Where each of lme4's optimizers ends on this model, from lme4's own start."""
        found = self.call("all_optimizers")
        theta = found["theta"].reshape(-1, len(self.theta))
        return Optima(tuple(found["optimizer"]), theta, found["value"])

    def design(self) -> Design:
        """lme4's own matrices (``getME``), over the rows used."""
        return self._design

    @cached_property
    def _design(self) -> Design:
        return replies.design(self.call("design"))
