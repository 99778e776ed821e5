"""A fit whose model stays in R, to be asked for more."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import numpy as np
import pandas as pd

from lmerbridge.bridge import host
from lmerbridge.bridge.from_r import notices, replies
from lmerbridge.bridge.from_r.flat import build
from lmerbridge.bridge.limit import time_limit
from lmerbridge.bridge.session import session_facts
from lmerbridge.bridge.to_r import columns, refusals
from lmerbridge.bridge.to_r.arguments import arguments
from lmerbridge.bridge.wire import Value
from lmerbridge.errors import (
    EngineFailed,
    InvalidArgument,
    LmerBridgeError,
    LmerBridgeWarning,
    RError,
    SetupError,
    UnfitData,
)
from lmerbridge.formula.formula import Formula
from lmerbridge.inputs.spec import RowVector, Spec
from lmerbridge.results.fit import Fit, Provenance
from lmerbridge.setup import packages


class InR(Protocol):
    """What has a model in R."""

    def in_r(self) -> host.Model:
        """Return it, rebuilt first if its process has gone."""


def ask(fit: InR, function: str, *, timeout: float | None = None, **arguments: Value) -> host.Reply:
    """Call a function of the R package on a fit's model, for a public method, whose caller R's warnings are given to.

    Raises
    ------
    InvalidArgument
        The function refused the model or an argument.
    SetupError
        It needs an R package that is not installed.
    """
    try:
        with time_limit(timeout):
            model = fit.in_r()
            reply = model.worker.call(function, handle=model.handle, **arguments)
    except RError as error:
        raise _ours(error) from error
    notices.give(notices.of_conditions(reply.conditions))
    return reply


def _ours(error: RError) -> LmerBridgeError:
    if "lmerbridge_refusal" in error.classes:
        return InvalidArgument(f"{error.text}.")
    missing = re.search(r"no package called .([\w.]+)", error.text)
    if missing:
        remedy = packages.remedy(missing[1])
        return SetupError(f"R's package {missing[1]} is not installed. This installs it:\n{remedy}")
    return error


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class KeptFit(Fit):
    """The numbers of a fit of lme4, and the model in R behind them.

    The numbers need no R, and they are all that is pickled; what needs the model rebuilds it from the
    specification where it is gone.
    """

    spec: Spec = field(repr=False)
    model: host.Model | None = field(repr=False)
    remake: Callable[[], host.Model] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, spec: Spec) -> Self:
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
        return cls.described(kept[0], model)

    @classmethod
    def described(cls, spec: Spec, model: host.Model, remake: Callable[[], host.Model] | None = None) -> Self:
        """Return the fit whose numbers R gave when it made a model, as ``describe_fit`` tells them.

        ``spec`` holds data that nobody changes. `lmer` is to rebuild the model from it; where that gives other last
        digits, ``remake`` rebuilds it, and can be pickled.
        """
        described = build(replies.Described, model.reply.values)
        if described.sigma == 0:
            raise UnfitData(refusals.EXACT)
        if math.isnan(described.sigma):
            raise EngineFailed(refusals.NO_NUMBERS)
        facts = session_facts()
        return cls(
            engine="lme4",
            formula=spec.formula,
            index=spec.data.index,
            rows_padded=spec.rows_in_subset() if spec.na_action == "exclude" else None,
            conditions=model.reply.conditions,
            provenance=Provenance("lme4", facts["lme4"], described.optimizer, tuple(facts.items())),
            spec=spec,
            model=model,
            remake=remake,
            **replies.numbers(described),
        )

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

    def in_r(self) -> host.Model:
        """Return the model in R, rebuilt first if its process has gone."""
        if self.model is None or not self.model.alive:
            model = type(self).of(self.spec).model if self.remake is None else self.remake()
            object.__setattr__(self, "model", model)
        return self.model  # type: ignore[return-value]  # set above

    def call(self, function: str, **arguments: Value) -> dict[str, Any]:
        """Call a function of the R package on the model."""
        return self.in_r().call(function, **arguments)

    @cached_property
    def left_out(self) -> pd.Index:
        """Labels, in the frame's index, of the rows left out for a missing value."""
        return self.index.take(np.setdiff1d(self.spec.rows_in_subset(), self.rows))

    def notices(self) -> Iterator[LmerBridgeWarning]:
        """Yield the warnings that `lmer` gives."""
        if self.spec.na_action is None and self.rows_dropped:
            missing = self.spec.missing(self.spec.data.columns)
            yield notices.of_rows(self.rows_dropped, self.rows_dropped + self.nobs, missing)
        free = len(self.beta) + sum(len(block.par) for block in self.varcorr) + 1
        yield from notices.of_count(self.loglik.df, free, self.provenance.version)
        if self.spec.controls.get("autoscale"):
            yield notices.of_autoscale()
        yield from notices.of_conditions(self.conditions)


def _snapshot(spec: Spec, formula: Formula) -> Spec:
    """Return the specification with its data as it is now: the caller's frame may change after the fit."""
    named = [given for given in (spec.weights, spec.offset, spec.subset) if isinstance(given, str)]
    return replace(
        spec,
        formula=formula.text,
        data=_columns(spec.data, list(dict.fromkeys([*formula.variables, *named]))),
        weights=_row_vector(spec, "weights"),
        offset=_row_vector(spec, "offset"),
        subset=_row_vector(spec, "subset"),
    )


def _row_vector(spec: Spec, argument: Literal["weights", "offset", "subset"]) -> RowVector:
    """Return a copy of an array; the name of a column stays one, to be found in other data as well."""
    given, values = getattr(spec, argument), spec.per_row(argument)
    return given if values is None or isinstance(given, str) else values.to_numpy(copy=True)


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return columns as they are now: pandas 3 copies one when somebody writes to it, pandas 2 has to at once."""
    return pd.DataFrame({name: frame[name] for name in names}, frame.index, copy=pd.__version__ < "3")
