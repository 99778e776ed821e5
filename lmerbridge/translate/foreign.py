"""Another package at work: what it cannot be given, what it says and what it raises, in our terms."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from lmerbridge.errors import EngineFailed, LmerBridgeError, NotExpressible
from lmerbridge.inputs import Spec
from lmerbridge.results import Condition, Fit
from lmerbridge.translate.described import LINEAR

LME4S = ("start", "control")
BEGINNINGS = ("mustart", "etastart", "init_theta")  # arguments of generalized models alone
KINDS = {"glmm": "generalized linear mixed models", "nlmm": "nonlinear mixed models"}
RUST = "pyo3_runtime"  # its panics are no Exception


def refuse_kind(spec: Spec, name: str, capabilities: Collection[str], reasons: Mapping[str, str]) -> None:
    """Refuse a kind of model that an engine does not say it fits.

    ``reasons`` has sentences of the engine's own, by kind.

    Raises
    ------
    NotExpressible
    """
    kind = spec.kind.name
    if kind != LINEAR and kind not in capabilities:
        raise NotExpressible(reasons.get(kind, f"{name} fits no {KINDS[kind]}."))


def refuse_family(spec: Spec, name: str, families: Mapping[str, Collection[str]], reasons: Mapping[str, str]) -> None:
    """Refuse a family or a link of a generalized model that an engine does not have.

    ``reasons`` has sentences of the engine's own, by family.

    Raises
    ------
    NotExpressible
    """
    kind = spec.kind
    if kind.name == LINEAR:
        return
    if kind.family not in families:
        raise NotExpressible(reasons.get(kind.family, f"{name} has no family {kind.family}."))
    if kind.link not in families[kind.family]:
        raise NotExpressible(f"{name} has no link {kind.link} of the family {kind.family}.")


def refuse_lme4s(spec: Spec, name: str) -> None:
    """Refuse arguments that are lme4's own.

    Raises
    ------
    NotExpressible
    """
    for argument in (*LME4S, *BEGINNINGS):
        if getattr(spec, argument, None) is not None:
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
