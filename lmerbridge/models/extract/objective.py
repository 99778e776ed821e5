"""lme4's objective on a model: its values, its optima, and the matrices it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

from lmerbridge.bridge import replies
from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import as_numbers
from lmerbridge.models.kept import KeptFit, ask, call_on, model_of, once
from lmerbridge.results import Array, Design

Points: TypeAlias = Sequence[float] | Array | pd.Series


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


def deviance_at(fit: KeptFit, theta: Points, *, timeout: float | None = None) -> Array:
    """lme4's own profiled deviance or REML criterion at some points.

    Parameters
    ----------
    theta : ndarray, shape (npoints, ntheta) or (ntheta,)
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    ndarray, shape (npoints,)

    Raises
    ------
    InvalidArgument
        A point has another number of elements than `theta`, or is one that no ``diag()``, ``cs()`` or ``ar1()``
        covariance gives.
    """
    points = np.atleast_2d(as_numbers(theta))
    if points.ndim != 2 or not np.isfinite(points).all():
        raise InvalidArgument(f"theta is {theta!r}; finite numbers, in one row per point, are expected.")
    if points.shape[1] != len(fit.theta):
        raise InvalidArgument(
            f"theta has {amount(points.shape[1], 'element')} per point; {amount(len(fit.theta), 'element')} expected."
        )
    values: Array = ask(fit, "deviance_at", timeout=timeout, theta=points.ravel()).values["value"]
    return values


def polish(fit: KeptFit, starts: Array, *, timeout: float | None = None) -> tuple[Array, Array]:
    """Minimize the objective to rounding level (minqa's bobyqa) from each of some points.

    Parameters
    ----------
    starts : ndarray, shape (nstarts, ntheta)
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    theta : ndarray, shape (nstarts, ntheta)
    value : ndarray, shape (nstarts,)
    """
    found = ask(fit, "polish", timeout=timeout, theta=np.ascontiguousarray(starts).ravel()).values
    return found["theta"].reshape(starts.shape), found["value"]


@once
def optima(fit: KeptFit) -> Optima:
    """End points of lme4's optimizers on this model, from lme4's own start."""
    found = model_of(fit).call("all_optimizers")  # where an optimizer ends says all that R would warn of
    theta = found["theta"].reshape(-1, len(fit.theta))
    return Optima(tuple(found["optimizer"]), theta, found["value"])


@once
def design(fit: KeptFit) -> Design:
    """Matrices of the model over the rows used, as ``lme4::getME`` gives them."""
    return fit._design or replies.design_from_r(call_on(fit, "design"))
