"""What an engine may take a model for: one part of its design read in another way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from lmerbridge.results import Array, Design, RandomTerm


def other_designs(design: Design, shift: bool = False) -> Iterator[tuple[str, Design]]:
    """Yield the designs of an engine that reads one part of the model in another way.

    Parameters
    ----------
    design : Design
    shift : bool
        Whether the fixed effects are held, so that a centred covariate counts in the fixed part as well. Where they are
        profiled out, a shift leaves the space and the determinant of the fixed part as they are.
    """
    w = design.weights
    yield "weights_ignored", replace(design, weights=np.ones_like(w))
    yield "weights_squared", replace(design, weights=w**2)
    yield "weights_inverse", replace(design, weights=1 / w)
    yield "weights_rescaled", replace(design, weights=w / w.mean())
    yield "offset_ignored", replace(design, offset=np.zeros_like(design.offset))
    yield "offset_twice", replace(design, offset=2 * design.offset)
    covariates = {name: column for name, column in zip(design.terms, design.x.T, strict=True) if not _indicates(column)}
    for name, column in covariates.items():
        mean, sd = float(column.mean()), float(column.std(ddof=1))
        yield f"centred {name}", _rescaled(design, shift, {name: (mean, 1.0)})
        yield f"standardized {name}", _rescaled(design, shift, {name: (mean, sd)})
    if len(covariates) > 1:
        every = {name: (float(column.mean()), float(column.std(ddof=1))) for name, column in covariates.items()}
        yield "centred", _rescaled(design, shift, {name: (mean, 1.0) for name, (mean, _) in every.items()})
        yield "standardized", _rescaled(design, shift, every)


def _indicates(column: Array) -> bool:
    return bool(np.isin(column, (-1.0, 0.0, 1.0)).all())


def _rescaled(design: Design, shift: bool, units: Mapping[str, tuple[float, float]]) -> Design:
    """The design with covariates less a mean and over a scale, in the random terms too."""
    scales = [math.prod(units.get(part, (0.0, 1.0))[1] for part in name.split(":")) for name in design.terms]
    random = tuple(replace(term, z=term.z @ _change(term, units)) for term in design.random)
    means = [units.get(name, (0.0, 1.0))[0] * shift for name in design.terms]
    return replace(design, x=(design.x - means) / scales, random=random)


def _change(term: RandomTerm, units: Mapping[str, tuple[float, float]]) -> sp.csc_array:
    """What turns the columns of a term into the columns of rescaled covariates, level by level."""
    change = np.eye(term.width)
    for place, name in enumerate(term.terms):
        mean, scale = units.get(name, (0.0, 1.0))
        change[place, place] /= scale
        if name in units and "(Intercept)" in term.terms:
            change[term.terms.index("(Intercept)"), place] = -mean / scale
    return sp.csc_array(sp.kron(sp.eye_array(len(term.levels)), change))
