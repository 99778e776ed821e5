"""An engine's answer: a whole fit, or an error that says what came instead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.errors import EngineFailed
from lmerbridge.results import (
    LMM,
    Condition,
    CovarianceBlock,
    Design,
    Fit,
    GroupModes,
    Kind,
    LogLik,
    Provenance,
    VarCorr,
)

Check: TypeAlias = tuple[str, object, bool, str]  # what, its value, whether it is right, what is expected
LONGEST = 40  # letters of a text that an error repeats
LONG = 100_000  # letters of a warning; R's own have at most 8,170


def check_fit(engine: str, fit: object, rows: int, kind: Kind = LMM) -> Fit:
    """Return a fit of a kind whose fields have the types and shapes that `Fit` says.

    Parameters
    ----------
    engine : str
    fit : object
        What the engine returned.
    rows : int
        Of the frame.
    kind : Kind
        Of the model.

    Raises
    ------
    EngineFailed
        It is none. The message says what came, and what is expected.
    """
    if not isinstance(fit, Fit):
        raise EngineFailed(f"{engine} returned {_words(fit)}; a Fit is expected.")
    if not isinstance(fit.kind, Kind) or _name(fit.kind) != _name(kind):
        got = _name(fit.kind) if isinstance(fit.kind, Kind) else _words(fit.kind)
        raise EngineFailed(f"{engine} returned a Fit whose kind is {got}; {_name(kind)} is expected.")
    for what, value, right, expected in _checks(fit, rows):
        if not right:
            raise EngineFailed(f"{engine} returned a Fit whose {what} is {_words(value)}; {expected} is expected.")
    return fit


def _name(kind: Kind) -> str:
    return f"{kind.name} of {kind.family}({kind.link})"


def _words(value: object) -> str:
    """Return what a value is, in a few words.

    Examples
    --------
    >>> _words(None), _words({}), _words("abc"), _words(np.zeros(2)), _words(3)
    ('None', 'a dict', "the text 'abc'", 'a ndarray of float64, shape (2,)', '3')
    """
    if isinstance(value, str):
        return f"the text {value[:LONGEST]!r}"
    if isinstance(value, np.ndarray):
        return f"a ndarray of {value.dtype}, shape {value.shape}"
    if value is None or isinstance(value, bool | int | float | np.generic):
        return str(value)
    shape = getattr(value, "shape", None)
    sized = f" of shape {shape}" if isinstance(shape, tuple) else ""
    sized = f" of {len(value)}" if isinstance(value, tuple | list) else sized
    return f"a {type(value).__name__}{sized}"


def _checks(fit: Fit, rows: int) -> Iterator[Check]:
    """Yield every check, in an order in which each may rely on those before it."""
    for name in ("engine", "formula"):
        yield name, getattr(fit, name), isinstance(getattr(fit, name), str), "text"
    for name in ("terms", "dropped_terms"):
        yield name, getattr(fit, name), _are(getattr(fit, name), str), "a tuple of texts"
    for name in ("reml", "singular", "converged"):
        yield name, getattr(fit, name), isinstance(getattr(fit, name), bool | np.bool_), "True or False"
    for name in ("sigma", "criterion", "rows_dropped", "nb_theta"):
        yield name, getattr(fit, name), _is_number(getattr(fit, name)), "a number"
    yield "loglik", fit.loglik, isinstance(fit.loglik, LogLik), "a LogLik"
    yield from _row_checks(fit, rows)
    p = len(fit.terms)
    yield _array("beta", fit.beta, (p,))
    yield _array("covariance", fit.covariance, (p, p))
    yield "only_std_errors", fit.only_std_errors, isinstance(fit.only_std_errors, bool | np.bool_), "True or False"
    off = fit.covariance[~np.eye(p, dtype=bool)]
    nan_off = not fit.only_std_errors or bool(np.all(np.isnan(off)))
    yield "covariance", fit.covariance, nan_off, "one of NaN off the diagonal, as only_std_errors says,"
    if fit.covariance_given_theta is not None:
        yield _array("covariance_given_theta", fit.covariance_given_theta, (p, p))
    yield from _random_checks(fit)
    yield "provenance", fit.provenance, isinstance(fit.provenance, Provenance), "a Provenance"
    yield "conditions", fit.conditions, _are(fit.conditions, Condition), "a tuple of Condition"
    for said in fit.conditions:
        right = isinstance(said.text, str) and len(said.text) <= LONG
        yield "condition's text", said.text, right, f"text of at most {LONG} letters"
    yield "native", fit.native, _is_table(fit.native), "a mapping of names to numbers"
    if fit._design is not None:
        yield from _design_checks(fit._design, len(fit.rows))


def _row_checks(fit: Fit, rows: int) -> Iterator[Check]:
    yield "index", fit.index, isinstance(fit.index, pd.Index) and len(fit.index) == rows, f"the frame's, of {rows},"
    yield "rows", fit.rows, _are_rows(fit.rows, rows), f"an array of different whole numbers from 0 to {rows - 1}"
    for name in ("fitted_values", "residual_values"):
        yield _array(name, getattr(fit, name), (len(fit.rows),))


def _random_checks(fit: Fit) -> Iterator[Check]:
    varcorr: Any = fit.varcorr
    right = isinstance(varcorr, VarCorr) and _are(varcorr.blocks, CovarianceBlock)
    yield "varcorr", varcorr, right, "a VarCorr of CovarianceBlocks"
    for b in varcorr:
        yield f"block {b.name}", b.terms, _are(b.terms, str), "one with a tuple of texts as its terms"
        for name in ("covariance", "correlation"):
            yield _array(f"{name} of {b.name}", getattr(b, name), (len(b.terms), len(b.terms)))
        yield _array(f"stddev of {b.name}", b.stddev, (len(b.terms),))
    size = sum(len(b.terms) * (len(b.terms) + 1) // 2 for b in varcorr)
    if all(b.kind == "us" for b in varcorr):
        yield _array("theta", fit.theta, (size,))
    yield "modes", fit.modes, _are(fit.modes, GroupModes), "a tuple of GroupModes"
    for group in fit.modes:
        yield _array(f"modes of {group.group}", group.modes, (len(group.levels), len(group.terms)))


def _design_checks(design: object, n: int) -> Iterator[Check]:
    yield "design", design, isinstance(design, Design), "a Design"
    if isinstance(design, Design):
        yield _array("design's x", design.x, (n, len(design.terms)))
        for name in ("y", "weights", "offset", "rows"):
            yield _array(f"design's {name}", getattr(design, name), (n,))
        for term in design.random:
            shape = n, len(term.levels) * term.width
            yield f"Z of {term.group}", term.z, getattr(term.z, "shape", None) == shape, f"a matrix of shape {shape}"


def _array(what: str, value: object, shape: tuple[int, ...]) -> Check:
    right = isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.shape == shape
    return what, value, right, f"an array of numbers of shape {shape}"


def _are(values: object, kind: type) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)


def _are_rows(values: object, rows: int) -> bool:
    if not (isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype.kind in "iu"):
        return False
    different: int = len(np.unique(values))
    return different == len(values) and bool(np.all((values >= 0) & (values < rows)))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_table(values: object) -> bool:
    return isinstance(values, Mapping) and all(isinstance(k, str) and _is_number(x) for k, x in values.items())
