"""A replicate as a fit: its numbers, and lme4's refit where a verb needs one."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from lmerbridge.models.change.refit import refit_model, with_response
from lmerbridge.models.extract.objective import design
from lmerbridge.models.kept import InR, KeptFit, without_model
from lmerbridge.models.resample.replicates import Replicate
from lmerbridge.results import Array, Design, GroupModes


def refitted(replicate: Replicate) -> KeptFit:
    """Return the fit that a replicate is: the class, the rows and the design are those of the fit it is of.

    Its model in R is made by lme4's ``refit`` once a verb asks for it, and ends some last digits elsewhere. Of a
    generalized model that refit is all there is.
    """
    fit = replicate.common.fit
    if replicate.number is None:
        return fit
    if not fit.kind.linear:
        return replicate.refit()
    matrices = replace(design(fit), y=replicate.response)
    fixed = matrices.x @ replicate.beta + matrices.offset
    effects = conditional_modes(replicate, matrices, replicate.response - fixed)
    fitted = fixed + matrices.z @ np.concatenate([each.ravel() for each in effects])
    whole = np.full(len(fit.index), np.nan)
    whole[fit.rows] = replicate.response
    spec, name = with_response(fit.spec, whole, None, None)
    return replace(
        fit,
        beta=replicate.beta,
        covariance=replicate.covariance,
        varcorr=replicate.varcorr,
        modes=_by_group(fit, matrices, effects),
        theta=replicate.theta,
        sigma=replicate.sigma,
        loglik=replicate.loglik,
        criterion=replicate.criterion,
        fitted_values=fitted,
        residual_values=replicate.response - fitted,
        singular=replicate.singular,
        converged=replicate.converged,
        conditions=(),
        spec=spec,
        _design=matrices,
        _in_r=InR(partial(refit_model, without_model(fit), name, whole, None)),
    )


def conditional_modes(replicate: Replicate, design: Design, residual: Array) -> list[Array]:
    """Return the modes of each random term, levels by terms, given what the fixed part leaves of the response.

    They solve ``(Z'WZ + D) b = Z'W r`` in lme4's form, with ``b`` scaled by the relative factor of its covariance, so
    that a variance may be zero (Bates et al. 2015, equation 37).
    """
    import scipy.sparse as sp  # slow to load
    from scipy.sparse.linalg import spsolve

    roots = [root[0] for root in replicate.common.roots(replicate.theta[None])]
    sizes = [len(term.levels) for term in design.random]
    factor = sp.block_diag([sp.kron(sp.eye_array(m), root) for m, root in zip(sizes, roots, strict=True)], format="csc")
    scaled = (design.z @ factor).tocsc()
    weighted = scaled.T * design.weights
    system = weighted @ scaled + sp.eye_array(scaled.shape[1])
    modes = factor @ spsolve(system.tocsc(), weighted @ residual)
    ends = np.cumsum([m * len(root) for m, root in zip(sizes, roots, strict=True)])[:-1]
    return [part.reshape(m, -1) for m, part in zip(sizes, np.split(modes, ends), strict=True)]


def _by_group(fit: KeptFit, design: Design, effects: list[Array]) -> tuple[GroupModes, ...]:
    """Return the modes as the fit has them, the terms of one group side by side."""
    named = [(term.group, modes) for term, modes in zip(design.random, effects, strict=True)]
    return tuple(
        replace(group, modes=np.hstack([modes for name, modes in named if name == group.group])) for group in fit.modes
    )
