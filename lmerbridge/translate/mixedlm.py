"""A fit of statsmodels' MixedLM in R's words and lme4's order.

The module reads the attributes of a result, and imports nothing of statsmodels.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.inputs import Spec
from lmerbridge.results import Array, Design, Fit, LogLik, Provenance, VarCorr, covariance
from lmerbridge.translate.described import covariance_blocks, group_modes
from lmerbridge.translate.nesting import Block

Indices: TypeAlias = NDArray[np.intp]
_Model: TypeAlias = Any  # statsmodels has no types: MixedLM
_Result: TypeAlias = Any  # and MixedLMResults

RANK = 1e-7  # tol of the qr() by which lmer drops columns


@dataclass(frozen=True, eq=False)
class Built:
    """A model that statsmodels has built, and what its columns are in R's words.

    Attributes
    ----------
    model : MixedLM
        Its groups are labelled by the codes of the outer term, or by the cells where there is none.
    terms : tuple of str
        R's names of the fixed columns, in R's order.
    order : ndarray of int
        Where the model has each of them.
    blocks : tuple of Block
        Random terms, in lme4's order.
    outer : int or None
        Position of the one whose columns are the model's ``exog_re``.
    outer_order : ndarray of int
        Where the model has each of its columns.
    components : mapping of str to int
        For each of the model's variance components, the position of its block.
    dropped : tuple of str
        Fixed columns that depend on those before them.
    """

    model: _Model
    terms: tuple[str, ...]
    order: Indices
    blocks: tuple[Block, ...]
    outer: int | None
    outer_order: Indices
    components: Mapping[str, int]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Used:
    """The response, the offset and the rows of a model."""

    response: Array
    offset: Array
    rows: NDArray[np.int64]
    rows_dropped: int


def full_rank(built: Built) -> Built:
    """Leave out the fixed columns that lmer would leave out.

    MixedLM needs full rank.
    """
    x = built.model.exog[:, built.order]
    keep = independent(x)
    if len(keep) == x.shape[1]:
        return built
    old = built.model
    groups = np.empty(len(x), dtype=np.int64)
    for label, rows in old.row_indices.items():
        groups[rows] = label
    model = type(old)(old.endog, x[:, keep], groups=groups, exog_re=old.exog_re, exog_vc=old.exog_vc)
    return replace(
        built,
        model=model,
        order=np.arange(len(keep)),
        terms=tuple(built.terms[i] for i in keep),
        dropped=tuple(term for i, term in enumerate(built.terms) if i not in keep),
    )


def independent(x: Array) -> list[int]:
    """Positions of the columns that do not depend on those before them, as R's ``qr(x, tol = 1e-7)``.

    Examples
    --------
    >>> independent(np.array([[1.0, 1.0, 2.0, 0.0], [1.0, 1.0, 2.0, 1.0]]))
    [0, 3]
    """
    basis = np.zeros((len(x), 0))
    kept = []
    for j, column in enumerate(x.T):
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > RANK * np.linalg.norm(column):
            kept.append(j)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
    return kept


def mixedlm_fit(name: str, spec: Spec, used: Used, built: Built, result: _Result) -> Fit:
    """Return the fit, without the conditions that statsmodels raised."""
    covariances = _covariances(built, result)
    roots = [covariance.lower_root(c / result.scale) for c in covariances]
    theta = covariance.join(roots)
    n, p = len(used.rows), len(built.terms)
    fitted = _fitted_values(result) + used.offset
    beta = np.asarray(result.fe_params)[built.order]
    varcorr = VarCorr(covariance_blocks(built.blocks, covariances), float(np.sqrt(result.scale)))
    return Fit(
        engine=name,
        formula=spec.formula,
        reml=bool(spec.reml),
        terms=built.terms,
        beta=beta,
        covariance=np.asarray(result.cov_params())[:p, :p][np.ix_(built.order, built.order)],
        varcorr=varcorr.about(built.terms, beta, weighted=spec.weights is not None),
        modes=group_modes(built.blocks, _effects(built, result)),
        theta=theta,
        sigma=float(np.sqrt(result.scale)),
        loglik=LogLik(result.llf, p + len(theta) + 1, n, bool(spec.reml)),
        criterion=-2.0 * float(result.llf),
        fitted_values=fitted,
        residual_values=used.response - fitted,
        rows=used.rows,
        index=spec.data.index,
        rows_dropped=used.rows_dropped,
        _padded_rows=spec.padded_rows,
        singular=any(map(covariance.singular, roots)),
        converged=bool(result.converged),
        dropped_terms=built.dropped,
        provenance=_provenance(name),
        covariance_given_theta=_covariance_given_theta(built, result),
        native={"AIC": float(result.aic), "BIC": float(result.bic)} | _variance_errors(built, result, varcorr),
        _design=_design(built, used),
    )


def _covariance_given_theta(built: Built, result: _Result) -> Array | None:
    """Return lme4's covariance of the fixed effects.

    It is the inverse of their own block of the information, the variance parameters held.
    """
    p = len(built.terms)
    try:
        information = -np.asarray(result.model.hessian(result.params_object)[0])[:p, :p]
        inverse: Array = np.linalg.inv(information)[np.ix_(built.order, built.order)]
    except (ValueError, np.linalg.LinAlgError):
        return None
    return inverse


def _variance_errors(built: Built, result: _Result, varcorr: VarCorr) -> dict[str, float]:
    """Return the standard errors of the variances, by name.

    ``bse_re`` has first the covariances of the outer term, by rows of the triangle, then the components.
    """
    try:
        errors = np.asarray(result.bse_re, float)
    except ValueError:  # statsmodels 0.15.0 cannot name them where there are components beside a group
        return {}
    width = len(built.outer_order)
    outer = [i * (i + 3) // 2 for i in range(width)]
    inner = errors[width * (width + 1) // 2 :]
    found = {i: np.array([error]) for i, error in zip(built.components.values(), _in_order(built, inner), strict=True)}
    if built.outer is not None:
        found[built.outer] = errors[outer][built.outer_order]
    names = [varcorr.names_in(block) for block in varcorr]
    return {f"var_se[{name}]": float(e) for i, part in enumerate(names) for name, e in zip(part, found[i], strict=True)}


def _provenance(name: str) -> Provenance:
    others = tuple((package, version(package)) for package in ("numpy", "scipy", "pandas", "patsy"))
    return Provenance(name, version("statsmodels"), versions=others)


def _covariances(built: Built, result: _Result) -> list[Array]:
    """Return the covariance matrices block by block.

    They are read from ``cov_re`` and ``vcomp``, because ``params`` has them over the scale.
    """
    found = {
        i: np.atleast_2d(v) for i, v in zip(built.components.values(), _in_order(built, result.vcomp), strict=True)
    }
    if built.outer is not None:
        found[built.outer] = np.asarray(result.cov_re)[np.ix_(built.outer_order, built.outer_order)]
    return [found[i] for i in range(len(built.blocks))]


def _in_order(built: Built, vcomp: Array) -> Array:
    names = list(built.model.exog_vc.names)
    return np.asarray([vcomp[names.index(name)] for name in built.components])


def _effects(built: Built, result: _Result) -> list[Array]:
    """Return the conditional modes block by block.

    They are NaN where statsmodels cannot compute them.
    """
    found = [np.full((len(b.levels), b.width), np.nan) for b in built.blocks]
    try:
        effects = result.random_effects
    except (ValueError, np.linalg.LinAlgError) as error:
        warnings.warn(f"no random effects: {error}", RuntimeWarning, stacklevel=1)
        return found
    for label, series in effects.items():
        values = np.asarray(series)
        if built.outer is not None:
            found[built.outer][label] = values[built.outer_order]
        start = len(built.outer_order)
        for name in built.model.exog_vc.names:
            i = built.components[name]
            levels = np.unique(built.blocks[i].codes[built.model.row_indices[label]])
            found[i][levels, 0] = values[start : start + len(levels)]
            start += len(levels)
    return found


def _fitted_values(result: _Result) -> Array:
    try:
        return np.asarray(result.fittedvalues)
    except (ValueError, np.linalg.LinAlgError):
        return np.full(result.model.nobs, np.nan)


def _design(built: Built, used: Used) -> Design:
    """Return the matrices that statsmodels worked with.

    A variance component has one column per term there, as in lme4.
    """
    model, blocks = built.model, list(built.blocks)
    if built.outer is not None:
        blocks[built.outer] = replace(blocks[built.outer], columns=model.exog_re[:, built.outer_order])
    for name, matrices in zip(model.exog_vc.names, model.exog_vc.mats, strict=True):
        column = np.zeros((len(used.rows), 1))
        for label, matrix in zip(model.group_labels, matrices, strict=True):
            column[model.row_indices[label], 0] = np.sum(matrix, axis=1)
        blocks[built.components[name]] = replace(blocks[built.components[name]], columns=column)
    ones = np.ones(len(used.rows))
    random = tuple(block.random_term for block in blocks)
    return Design(built.terms, model.exog[:, built.order], used.response, ones, used.offset, used.rows, random)
