"""A minimum found to rounding level from exact gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from lmerbridge.results import Array

Slope: TypeAlias = Callable[[Array], tuple[float, Array]]
Known: TypeAlias = Callable[[Array, float], bool]
STEPS, HALVINGS, ESCAPES = 60, 25, 3
NEAR = 1e-6  # expected descent below which only Newton's steps are taken, in deviance units
NOISE = 1e-12  # of the value, relative: no step is judged by less
LONGEST = 5.0  # of a step, in the units of the parameters
FLAT = 1e-8  # of the largest curvature: what is less is none


def descend(function: Slope, start: Array, known: Known = lambda point, value: False) -> tuple[Array, float]:
    """Minimize a function from a start to rounding level.

    Parameters
    ----------
    function : function of a point
        Value, infinite where there is none, and gradient.
    start : ndarray, shape (k,)
        In units in which the function is about as curved in each direction.
    known : function of a point and its value
        Whether a minimum that is known lies beside the point, so that the last steps need not be taken.

    Returns
    -------
    point : ndarray, shape (k,)
    value : float
    """
    point, (value, gradient) = start, function(start)
    for _ in range(ESCAPES):
        point, value, gradient = _quasi_newton(function, point, value, gradient)
        if known(point, value):
            return point, value
        hessian = rough_curvature(function, point, gradient)
        if not np.isfinite(hessian).all():  # beside the edge of where the function is defined
            return point, value
        values, vectors = np.linalg.eigh(hessian)
        if values[0] > -FLAT * max(abs(values[-1]), 1e-8):
            break
        sides = [point + side * vectors[:, 0] for side in (0.3, -0.3)]  # a saddle, as where a variance is zero
        ends = [(side, *function(side)) for side in sides]
        best = min(ends, key=lambda end: end[1])
        if not best[1] < value:
            break
        point, value, gradient = best
    return _newton(function, point, value, gradient, hessian)


def curvature(function: Slope, point: Array, step: float = 1e-3) -> Array:
    """Second derivatives by differences of the gradient, of the fourth order."""
    columns = []
    for move in step * np.eye(len(point)):
        near, far = (function(point + k * move)[1] - function(point - k * move)[1] for k in (1, 2))
        columns.append((8 * near - far) / (12 * step))
    rough = np.array(columns)
    return (rough + rough.T) / 2


def rough_curvature(function: Slope, point: Array, gradient: Array) -> Array:
    """Second derivatives by one step from the point in each direction."""
    step = 1e-4
    rough = np.array([(function(point + move)[1] - gradient) / step for move in step * np.eye(len(point))])
    symmetric: Array = (rough + rough.T) / 2
    return symmetric


def _quasi_newton(function: Slope, point: Array, value: float, gradient: Array) -> tuple[Array, float, Array]:
    """Go down by BFGS, whose first matrix is the curvature at the start, until little is left."""
    hessian = _positive(rough_curvature(function, point, gradient))
    for _ in range(STEPS):
        step = -np.linalg.solve(hessian, gradient)
        step *= min(1.0, LONGEST / max(float(np.linalg.norm(step)), 1e-300))
        if -(gradient @ step) < NEAR:
            break
        for halving in range(HALVINGS):
            reached = point + step / 2**halving
            new, slope = function(reached)
            if new <= value + 1e-4 * (gradient @ step) / 2**halving + NOISE * abs(value):
                break
        else:
            break
        hessian = _updated(hessian, reached - point, slope - gradient)
        point, value, gradient = reached, new, slope
    return point, value, gradient


def _newton(function: Slope, point: Array, value: float, gradient: Array, hessian: Array) -> tuple[Array, float]:
    """Take Newton's steps by one matrix until the gradient is rounding."""
    inverse = np.linalg.inv(_positive(hessian))
    left = gradient @ inverse @ gradient
    for _ in range(STEPS):
        step = -inverse @ gradient
        reached = point + step * min(1.0, 1 / max(float(np.linalg.norm(step)), 1e-300))
        new, slope = function(reached)
        new_left = slope @ inverse @ slope
        if not (new_left < left / 2 and new <= value + NOISE * abs(value)):
            break
        point, value, gradient, left = reached, new, slope, new_left
    return point, value


def _positive(hessian: Array) -> Array:
    """Return the matrix with its eigenvalues made positive."""
    if not np.isfinite(hessian).all():
        return np.eye(len(hessian))
    values, vectors = np.linalg.eigh(hessian)
    sizes = np.abs(values)
    positive: Array = (vectors * np.maximum(sizes, max(sizes.max() * FLAT, 1e-8))) @ vectors.T
    return positive


def _updated(hessian: Array, step: Array, change: Array) -> Array:
    """Return the BFGS update, damped as Powell (1978) has it."""
    hs = hessian @ step
    shs, sy = step @ hs, step @ change
    share = 1.0 if sy >= 0.2 * shs else 0.8 * shs / (shs - sy)
    y = share * change + (1 - share) * hs
    updated: Array = hessian - np.outer(hs, hs) / shs + np.outer(y, y) / (step @ y)
    return updated
