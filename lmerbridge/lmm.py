"""`lmer`, as in R, and the fit it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from lmerbridge import formula as formulas
from lmerbridge.bridge import columns, host
from lmerbridge.bridge.wire import Table, Value
from lmerbridge.covariance import Array
from lmerbridge.design import Design, RandomTerm
from lmerbridge.errors import InvalidArgument
from lmerbridge.results import CovarianceBlock, Fit, GroupModes, LogLik, Provenance, VarCorr
from lmerbridge.spec import NaAction, RowVector, Spec
from lmerbridge.structure import build

Integers = NDArray[np.int32]


@dataclass(frozen=True)
class Blocks:
    """R's VarCorr, its matrices one after another."""

    name: tuple[str, ...]
    group: tuple[str, ...]
    width: Integers
    term: tuple[str, ...]
    covariance: Array
    stddev: Array
    correlation: Array


@dataclass(frozen=True)
class Groups:
    """R's ranef, its matrices one after another."""

    name: tuple[str, ...]
    size: Integers
    width: Integers
    level: tuple[str, ...]
    term: tuple[str, ...]
    mode: Array


@dataclass(frozen=True)
class Described:
    """The flat list of R's ``describe_fit``."""

    terms: tuple[str, ...]
    beta: Array
    covariance: Array
    theta: Array
    sigma: float
    loglik: float
    df: int
    criterion: float
    reml: bool
    fitted_values: Array
    residual_values: Array
    rows: Integers
    rows_dropped: int
    dropped_terms: tuple[str, ...]
    singular: bool
    converged: bool
    optimizer: str
    block: Blocks
    group: Groups


@dataclass(frozen=True)
class Terms:
    """Random terms of R's ``design``: one after another."""

    group: tuple[str, ...]
    width: Integers
    term: tuple[str, ...]
    size: Integers
    level: tuple[str, ...]


@dataclass(frozen=True)
class Compressed:
    """The compressed columns of the transposed Z: a column a row of the data."""

    x: Array
    i: Integers
    p: Integers


@dataclass(frozen=True)
class Matrices:
    """The flat list of R's ``design``."""

    terms: tuple[str, ...]
    x: Array
    y: Array
    weights: Array
    offset: Array
    rows: Integers
    random: Terms
    z: Compressed


def lmer(
    formula: str,
    data: pd.DataFrame,
    *,
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction = "omit",
    contrasts: Mapping[str, str] | None = None,
    start: Sequence[float] | Array | None = None,
    control: Mapping[str, Any] | None = None,
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
        What to do with rows that lack a value. ``exclude`` keeps them, as NaN, in fitted and residuals.
    contrasts : mapping
        R's contrast function for a factor: ``{"treatment": "contr.sum"}``.
    start : array
        Theta to start from.
    control : mapping
        Arguments of ``lme4::lmerControl``, with ``optCtrl`` a mapping of its own.

    Returns
    -------
    LmerFit
        Every number the double that R computes.

    Raises
    ------
    InputError
        The formula, the data or an argument cannot be used; R has not seen it.
    RError
        R refused the model.

    Examples
    --------
    >>> from lmerbridge import lmer, load_dataset
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    >>> fit.fixef.round(4).to_dict()
    {'(Intercept)': 251.4051, 'Days': 10.4673}
    """
    return fit_spec(
        Spec(
            formula=formula,
            data=data,
            reml=reml,
            weights=weights,
            offset=offset,
            subset=subset,
            na_action=na_action,
            contrasts=contrasts,
            start=start,
            control=control,
        )
    )


def fit_spec(spec: Spec) -> LmerFit:
    """Fit a `Spec` with lme4: what `lmer` does once its arguments are gathered."""
    formula = formulas.parse(spec.formula).expand_dot(list(map(str, spec.data.columns)))
    model = host.Model(lambda worker, handle: worker.call("fit_lmer", handle=handle, **_arguments(spec, formula)))
    described = build(Described, model.reply.values)
    return LmerFit(
        engine="lme4",
        formula=formula.text,
        varcorr=VarCorr(_blocks(described.block), described.sigma),
        modes=_modes(described.group),
        loglik=LogLik(described.loglik, described.df, len(described.rows), described.reml),
        rows=described.rows.astype(np.int64) - 1,
        index=spec.data.index,
        rows_padded=spec.rows_in_subset() if spec.na_action == "exclude" else None,
        conditions=model.reply.conditions,
        provenance=_provenance(described.optimizer),
        covariance=_square(described.covariance),
        spec=spec,
        model=model,
        **{name: getattr(described, name) for name in SAME},
    )


SAME = (
    "reml terms beta theta sigma criterion fitted_values residual_values rows_dropped dropped_terms singular converged"
).split()


def _arguments(spec: Spec, formula: formulas.Formula) -> dict[str, Value]:
    data = columns.table(spec.data, formula.variables, formula.groups)
    return {
        "formula": formula.text,
        "data": Table({**data.columns, **_per_row(spec)}, data.rows),
        "reml": bool(spec.reml),
        "na_action": spec.na_action,
        "contrasts": dict(spec.contrasts) if spec.contrasts else None,
        "start": None if spec.start is None else np.asarray(spec.start, np.float64),
        "control": _plain(spec.control),
    }


def _per_row(spec: Spec) -> dict[str, Value]:
    """Weights, offset and subset as columns of the data, under names that R code does not use."""
    found: dict[str, Value] = {}
    for argument in ("weights", "offset"):
        values = spec.per_row(argument)  # type: ignore[arg-type]  # the tuple's strings are the literals
        if values is not None:
            found["." + argument] = columns.numbers(values.rename(argument))
    rows = spec.rows_in_subset()
    if spec.subset is not None:
        mask = np.zeros(len(spec.data), np.bool_)
        mask[rows] = True
        found[".subset"] = mask
    return found


def _plain(control: Mapping[str, Any] | None) -> Value:
    if control is None:
        return None
    return {name: _plain(item) if isinstance(item, Mapping) else item for name, item in control.items()}


def _square(values: Array) -> Array:
    k = round(len(values) ** 0.5)
    return values.reshape(k, k, order="F")


def _blocks(raw: Blocks) -> tuple[CovarianceBlock, ...]:
    ends = np.cumsum(raw.width)
    squares = np.split(raw.covariance, np.cumsum(raw.width**2)[:-1])
    correlations = np.split(raw.correlation, np.cumsum(raw.width**2)[:-1])
    return tuple(
        CovarianceBlock(name, group, raw.term[end - k : end], _square(cov), raw.stddev[end - k : end], _square(corr))
        for name, group, k, end, cov, corr in zip(
            raw.name, raw.group, raw.width, ends, squares, correlations, strict=True
        )
    )


def _modes(raw: Groups) -> tuple[GroupModes, ...]:
    levels, terms, cells = np.cumsum(raw.size), np.cumsum(raw.width), np.cumsum(raw.size * raw.width)
    return tuple(
        GroupModes(
            name,
            raw.term[terms[g] - raw.width[g] : terms[g]],
            raw.level[levels[g] - raw.size[g] : levels[g]],
            raw.mode[cells[g] - raw.size[g] * raw.width[g] : cells[g]].reshape(raw.size[g], -1, order="F"),
        )
        for g, name in enumerate(raw.name)
    )


def _provenance(optimizer: str) -> Provenance:
    facts = session_facts()
    return Provenance("lme4", facts["lme4"], optimizer, tuple(facts.items()))


@cache
def session_facts() -> dict[str, str]:
    """What a last bit depends on: versions of R, lme4, Matrix, BLAS, LAPACK, platform and locale."""
    values = host.call("session_facts").values
    facts = dict(zip(values["name"], values["value"], strict=True))
    return facts | {name: version(name) for name in ("lmerbridge", "rpy2-rinterface")}


@dataclass(frozen=True, eq=False, kw_only=True)
class LmerFit(Fit):
    """A fit of lme4: its numbers, and the model in R behind them.

    The numbers need no R, and they are all that is pickled; what needs the model (`str`, `design`,
    `deviance_at`) rebuilds it from the specification where it is gone.
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

    def deviance_at(self, theta: Array) -> Array:
        """lme4's own profiled deviance or REML criterion at some points.

        Parameters
        ----------
        theta : ndarray, shape (npoints, ntheta) or (ntheta,)

        Returns
        -------
        ndarray, shape (npoints,)
        """
        points = np.atleast_2d(theta)
        if points.shape[1] != len(self.theta):
            raise InvalidArgument(f"theta has {points.shape[1]} elements a point; {len(self.theta)} are expected.")
        values: Array = self.call("deviance_at", theta=points.ravel())["value"]
        return values

    def polish(self, starts: Array) -> tuple[Array, Array]:
        """Minimize the objective to rounding level (minqa's bobyqa) from each of some points.

        Parameters
        ----------
        starts : ndarray, shape (nstarts, ntheta)

        Returns
        -------
        theta : ndarray, shape (nstarts, ntheta)
        value : ndarray, shape (nstarts,)
        """
        found = self.call("polish", theta=np.ascontiguousarray(starts).ravel())
        return found["theta"].reshape(starts.shape), found["value"]

    def design(self) -> Design:
        """lme4's own matrices (``getME``), over the rows used."""
        return self._design

    @cached_property
    def _design(self) -> Design:
        raw = build(Matrices, self.call("design"))
        n = len(raw.y)
        return Design(
            raw.terms,
            raw.x.reshape(n, -1, order="F"),
            raw.y,
            raw.weights,
            raw.offset,
            raw.rows.astype(np.int64) - 1,
            _random(raw.random, raw.z, n),
        )


def _random(raw: Terms, z: Compressed, n: int) -> tuple[RandomTerm, ...]:
    columns_of_z = np.cumsum(raw.size * raw.width)
    levels, terms = np.cumsum(raw.size), np.cumsum(raw.width)
    whole = sp.csr_array((z.x, z.i, z.p), shape=(n, columns_of_z[-1])).tocsc()
    return tuple(
        RandomTerm(
            group,
            raw.term[terms[t] - raw.width[t] : terms[t]],
            raw.level[levels[t] - raw.size[t] : levels[t]],
            whole[:, columns_of_z[t] - raw.size[t] * raw.width[t] : columns_of_z[t]],
        )
        for t, group in enumerate(raw.group)
    )
