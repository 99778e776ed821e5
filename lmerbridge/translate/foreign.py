"""Another package at work: what it cannot be given, what it says and what it raises, in our terms."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace

from lmerbridge.errors import EngineFailed, LmerBridgeError, NotExpressible
from lmerbridge.inputs import Spec
from lmerbridge.results import Condition, Fit

LME4S = ("start", "control")
RUST = "pyo3_runtime"  # its panics are no Exception


def refuse_lme4s(spec: Spec, name: str) -> None:
    """Refuse arguments that are lme4's own.

    Raises
    ------
    NotExpressible
    """
    for argument in LME4S:
        if getattr(spec, argument) is not None:
            raise NotExpressible(f"{argument} is an argument of lme4's that {name} does not have.")


def refuse_structures(spec: Spec, name: str) -> None:
    """Refuse covariance structures, which only lme4 is given.

    Raises
    ------
    NotExpressible
    """
    structured = [f"{bar.kind}()" for bar in spec.parsed.random if bar.kind != "us"]
    if structured:
        raise NotExpressible(f"{structured[0]} is a covariance structure of lme4's that {name} is not given.")


def fit_foreign(name: str, fit: Callable[[], Fit]) -> Fit:
    """Fit, with every warning of a package kept and every error of it under our name.

    Raises
    ------
    EngineFailed
    """
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        try:
            found = fit()
        except EngineFailed as error:
            error.after(_conditions(record))
            raise
        except LmerBridgeError:
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__module__ != RUST:
                raise
            failed = EngineFailed(f"{name} raised {type(error).__name__}: {error}")
            raise failed.after(_conditions(record)) from error
    return replace(found, conditions=_conditions(record))


def _conditions(record: list[warnings.WarningMessage]) -> tuple[Condition, ...]:
    said = (Condition("warning", str(w.message), (w.category.__name__,)) for w in record)
    return tuple(dict.fromkeys(said))
