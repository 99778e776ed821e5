"""Values whose model stays in R: the base of every fit of lme4, and of `lm_list`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial, wraps
from inspect import isfunction
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np
import pandas as pd

from lmerbridge.bridge import (
    Value,
    arguments,
    build,
    columns,
    host,
    notices,
    refusals,
    replies,
    session_facts,
    time_limit,
)
from lmerbridge.errors import (
    BinaryResponseWarning,
    EngineFailed,
    InvalidArgument,
    LmerBridgeError,
    LmerBridgeWarning,
    NumbersAsTextWarning,
    RError,
    SetupError,
    UnfitData,
)
from lmerbridge.inputs import ATTRIBUTES, CROSSPRODUCT, RowVector, Spec, unknown_name
from lmerbridge.results import Fit, Provenance
from lmerbridge.setup import packages

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LIKELIHOOD = ("loglik", "criterion")
FINITE = ("sigma", "beta", "theta", "covariance", "loglik", "criterion", "fitted_values", "residual_values")
SATURATED = (
    "the fixed part has {columns} columns for {rows} rows, and fits any response exactly; leave terms out, or bring "
    "more data."
)
RESCALE = "Numbers of very different sizes do so; rescale the columns of the model, with (x - x.mean()) / x.std()."
OF_CS = (
    "lme4 2.1-0 does so once it tries rho = 1 of a cs() of three columns or more, which has no value there; "
    "cs(f | g, hom = TRUE) with a rho above 0 is (1 | g) + (1 | g:f)."
)
K = TypeVar("K", bound="KeptFit")
T = TypeVar("T")


@dataclass(eq=False)
class InR:
    """A model in R, which is made again where its process has gone.

    Attributes
    ----------
    rebuild : callable
        Makes the model, and can be pickled.
    model : Model or None
    """

    rebuild: Callable[[], host.RModel]
    model: host.RModel | None = None

    def current(self) -> host.RModel:
        """Return the model, rebuilt first where its process has gone."""
        if self.model is None or not self.model.alive:
            self.model = self.rebuild()
        return self.model


class HasModel(Protocol):
    """A value that has a model in R."""

    @property
    def _in_r(self) -> InR: ...


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class KeptFit(Fit):
    """The numbers of a fit of lme4, and the model in R behind them.

    Attributes
    ----------
    spec : Spec
        What was fitted, with the data as it was then.
    """

    spec: Spec = field(repr=False)
    _in_r: InR = field(repr=False)

    _hints: ClassVar[dict[str, str]] = ATTRIBUTES  # what is written for a name that is not there

    def __init_subclass__(cls) -> None:
        """Have each verb give its warnings at its end, however many calls of R or other verbs it makes."""
        for name, verb in [*vars(cls).items()]:
            if isfunction(verb) and not name.startswith("_"):
                setattr(cls, name, notices.together()(verb))

    def __getstate__(self) -> dict[str, Any]:
        return state_of(self)

    if not TYPE_CHECKING:  # a type checker knows which names are there

        def __getattr__(self, name: str) -> object:
            if name.startswith("_"):
                raise AttributeError(name)
            if hasattr(type(self), name):  # it is there, and an AttributeError came out of it
                return object.__getattribute__(self, name)
            raise unknown_name("a fit", name, dir(self), type(self)._hints)

    def __str__(self) -> str:
        return self._summary_text

    @cached_property
    def _summary_text(self) -> str:
        text: str = model_of(self).call("summary_text")["text"][0]  # a text is shown without warnings
        return text

    def _doubts(self) -> Iterator[LmerBridgeWarning]:
        """Yield what is doubtful of the fit though lme4 does not say so."""
        yield from ()

    @cached_property
    def left_out(self) -> pd.Index:
        """Labels, in the frame's index, of the rows left out for a missing value."""
        return self.index.take(np.setdiff1d(self.spec.rows_in_subset(), self.rows))


def state_of(fit: DataclassInstance) -> dict[str, Any]:
    """Return the state that is pickled of a value with a model in R: its fields, and how to make the model."""
    state = {f.name: getattr(fit, f.name) for f in fields(fit)}
    return state | {"_in_r": InR(state["_in_r"].rebuild)}


def fit_spec(model: type[K], spec: Spec) -> K:
    """Fit a `Spec` with lme4, as `lmer` does once its arguments are gathered."""
    try:
        return fit_from_r(model, *fit_in_r(spec))
    except UnfitData as error:
        if told := " ".join(columns.describe_text(spec.data, spec.parsed)):
            error.args = (f"{error} {told}",)
        raise


def fit_told(model: type[K], spec: Spec, timeout: float | None) -> K:
    """Fit a `Spec` with lme4, and give the warnings that come with a new fit."""
    with time_limit(timeout):
        fit = fit_spec(model, spec)
    notices.give(notices_of(fit))
    return fit


def fit_in_r(spec: Spec) -> tuple[Spec, host.RModel]:
    """Fit a model in R, and return it with the specification of the data as it was."""
    given = arguments(spec)
    kept: list[Spec] = []

    def snapshot() -> None:
        kept.append(_snapshot(spec))

    model = keep_model(spec, spec.kind.fit, snapshot, **given)
    return kept[0], model


def keep_model(spec: Spec, function: str, *meanwhile: Callable[[], None], **given: Value) -> host.RModel:
    """Keep the model that a function of R makes of a specification, and say in our words why it cannot."""
    try:
        return host.keep(function, *meanwhile, **given)
    except RError as error:
        ours = refusals.translate(error, spec)
        if ours is None:
            raise
        raise ours.after(error.conditions) from error


def rebuild(spec: Spec) -> host.RModel:
    """Make the model of a fit again."""
    return fit_in_r(spec)[1]


def fit_from_r(of: type[K], spec: Spec, model: host.RModel, remake: Callable[[], host.RModel] | None = None) -> K:
    """Return the fit whose numbers R gave when it made a model.

    ``spec`` holds data that nobody changes. The model is rebuilt from it where it is gone; where that gives other
    last digits, ``remake`` rebuilds it, and can be pickled.
    """
    described = build(getattr(replies, spec.kind.reply), model.reply.values)
    try:
        check_numbers(spec, described)
    except LmerBridgeError as error:
        error.after(model.reply.conditions)
        raise
    facts = session_facts()
    message = optimizer_message(model) if described.optimizer == CROSSPRODUCT else ""
    return of(
        engine="lme4",
        formula=spec.formula,
        index=spec.data.index,
        kind=spec.kind,
        conditions=model.reply.conditions,
        provenance=Provenance("lme4", facts["lme4"], described.optimizer, tuple(facts.items()), message),
        spec=spec,
        _padded_rows=spec.padded_rows,
        _in_r=InR(remake or partial(rebuild, spec), model),
        **replies.fit_fields(
            described,
            has_residual=getattr(described, "residual_row", True) and bool(spec.kind.scale(described.sigma)),
            weighted=spec.weights is not None,
            link=spec.kind.link,
        ),
    )


def optimizer_message(model: host.RModel) -> str:
    """Return what the optimizer of a model said at its end."""
    return str(model.call("optinfo")["message"][0])


def check_numbers(spec: Spec, described: replies.FitReply) -> None:
    """Refuse a fit of which a number is none, whose fixed part has a column per row, or that leaves no residual.

    Raises
    ------
    UnfitData, EngineFailed
    """
    if len(described.beta) >= len(described.rows):
        raise UnfitData(SATURATED.format(columns=len(described.beta), rows=len(described.rows)))
    weights = spec.per_row("weights")
    used = np.ones(len(described.rows)) if weights is None else weights.to_numpy(float)[described.rows - 1]
    try:
        spec.kind.check_sigma(described.sigma, described.fitted_values + described.residual_values, used)
    except EngineFailed as error:
        raise EngineFailed(f"{error} {OF_CS if 'cs' in spec.parsed.structures else RESCALE}") from None
    infinite = LIKELIHOOD if (used == 0).any() else ()  # log of a zero weight, as in R
    if not spec.kind.linear:
        infinite = (*infinite, "residual_values")  # lme4's deviance residual is the root of a difference, maybe below 0
    wrong = [name for name in FINITE if name not in infinite and not np.isfinite(getattr(described, name)).all()]
    if wrong:
        raise EngineFailed(f"lme4 gave numbers that are not finite: {', '.join(wrong)}. {RESCALE}")


def model_of(fit: HasModel) -> host.RModel:
    """Return a fit's model in R, rebuilt first where its process has gone."""
    return fit._in_r.current()


def without_model(fit: K) -> K:
    """Return the fit without its model in R, which can then be released, and is rebuilt when it is needed."""
    return replace(fit, _in_r=InR(fit._in_r.rebuild))


def call_on(fit: HasModel, function: str, **arguments: Value) -> dict[str, Any]:
    """Call a function of the R package for a verb, as `ask`, and return its values."""
    return ask(fit, function, timeout=None, **arguments).values


def ask(fit: HasModel, function: str, *, timeout: float | None = None, **arguments: Value) -> host.Reply:
    """Call a function of the R package for a verb, and give R's warnings to the verb's caller.

    Raises
    ------
    InvalidArgument
        The function refused the model or an argument.
    MissingValues
        It compares models, and a smaller one would have more rows.
    SetupError
        It needs an R package that is not installed.
    """
    try:
        with time_limit(timeout):
            model = model_of(fit)
            reply = model.worker.call(function, handle=model.handle, **arguments)
    except RError as error:
        ours = _translate(error, fit)
        if ours is None:
            raise
        raise ours.after(error.conditions) from error
    notices.values_of(reply)
    return reply


def _translate(error: RError, fit: HasModel) -> LmerBridgeError | None:
    if error.text.startswith("number of rows in use has changed") and isinstance(fit, KeptFit):
        return refusals.of_other_rows(fit.spec)
    if "lmerbridge_refusal" in error.classes:
        return InvalidArgument(f"{error.text}.")
    missing = re.search(r"no package called .([\w.]+)", error.text)
    if missing:
        package = missing[1]
        return SetupError(f"R has no package {package}, which this needs; to install it:\n{packages.remedy(package)}")
    return None


def once(function: Callable[[KeptFit], T]) -> Callable[[KeptFit], T]:
    """Make a function of a fit compute its value once per fit."""
    key = f"_{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def of(fit: KeptFit) -> T:
        if key not in fit.__dict__:
            fit.__dict__[key] = function(fit)
        value: T = fit.__dict__[key]
        return value

    return of


def notices_of(fit: KeptFit) -> Iterator[LmerBridgeWarning]:
    """Yield the warnings that come with a new fit."""
    if fit.spec.na_action is None and fit.rows_dropped:
        missing = fit.spec.count_missing(fit.spec.data.columns)
        yield notices.of_rows(fit.rows_dropped, fit.rows_dropped + fit.nobs, missing, fit.spec.parsed.functions)
    yield from map(NumbersAsTextWarning, columns.describe_text(fit.spec.data, fit.spec.parsed))
    yield from _doubts_of_response(fit)
    yield from fit._doubts()
    free = len(fit.beta) + sum(len(block.par) for block in fit.varcorr) + fit.kind.others
    yield from notices.of_count(fit.loglik.df, free, fit.provenance.version)
    if fit.spec.controls.get("autoscale"):
        yield notices.of_autoscale()
    yield from notices.of_conditions(fit.conditions)


def _doubts_of_response(fit: KeptFit) -> Iterator[LmerBridgeWarning]:
    """Yield a warning where the values of a plain response are not such as the kind of model is for."""
    name = fit.spec.parsed.response_name
    if name is not None and (told := fit.kind.doubt_response(fit.spec.data[name].to_numpy()[fit.rows])):
        yield BinaryResponseWarning(f"the response {name!r} {told}.")


def _snapshot(spec: Spec) -> Spec:
    """Return the specification with its data as it is now: the caller's frame may change after the fit."""
    vectors: dict[str, Any] = {name: _row_vector(spec, name) for name in spec.vectors}
    named = [given for given in vectors.values() if isinstance(given, str)]
    return replace(
        spec,
        formula=spec.parsed.text,
        data=_columns(spec.data, list(dict.fromkeys([*spec.parsed.variables, *named]))),
        contrasts=deepcopy(spec.contrasts),
        **vectors,
    )


def _row_vector(spec: Spec, argument: str) -> RowVector:
    """Return a copy of an array, or the name of a column as it is.

    A column is looked up by its name in other data as well.
    """
    given, values = getattr(spec, argument), spec.per_row(argument)
    return given if values is None or isinstance(given, str) else values.to_numpy(copy=True)


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return columns as they are now: pandas 3 copies one when somebody writes to it, pandas 2 has to at once."""
    at_once = pd.__version__ < "3"
    if names == frame.columns.tolist():
        return frame.copy(deep=at_once)
    return pd.DataFrame({name: frame[name] for name in names}, frame.index, copy=at_once)
