"""Covariance structures of a fit's random terms, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmerbridge.models.kept import KeptFit
from lmerbridge.results import Array, CovarianceBlock, shown


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class ReCov:
    """The covariance structure of one random term: lme4's ``Covariance`` object.

    Attributes
    ----------
    kind : {"us", "diag", "cs", "ar1"}
        Unstructured, diagonal, compound symmetry or autoregressive of order one.
    name : str
        lme4's name of the term, as in `Fit.varcorr`.
    group : str
    terms : tuple of str
    hom : bool
        Whether all ``k`` terms have one variance.
    sd : ndarray, shape (k,), or (1,) where ``hom``
        Standard deviations in the response's unit a unit of the term.
    rho : float
        The correlation of every two terms (``cs``) or of neighbours (``ar1``); NaN where there is no such.
    par : ndarray
        Its free parameters, relative to sigma: the Cholesky factor of ``us``, column by column; else the standard
        deviations, and then ``rho``.
    corr : DataFrame, shape (k, k)
    """

    kind: str
    name: str
    group: str
    terms: tuple[str, ...]
    hom: bool
    sd: Array
    rho: float
    par: Array
    corr: pd.DataFrame

    @classmethod
    def of(cls, block: CovarianceBlock) -> ReCov:
        """Return the structure of a block."""
        sd = block.stddev[:1] if block.hom else block.stddev
        return cls(block.kind, block.name, block.group, block.terms, block.hom, sd, block.rho, block.par, block.corr)


def par(fit: KeptFit) -> Array:
    """Free parameters of the random terms, term by term: those that lme4 2.x keeps in ``getReCovs``.

    `theta` where no term has a structure. ``diag()``, ``cs()`` and ``ar1()`` have fewer or other parameters than
    the Cholesky factors that theta holds, and it is ``par`` that lme4 optimizes and counts.
    """
    return np.concatenate([block.par for block in fit.varcorr])


def re_covs(fit: KeptFit) -> tuple[ReCov, ...]:
    """Return the covariance structure of each random term: ``getReCovs`` of lme4 2.x.

    Returns
    -------
    tuple of ReCov
        In the order of `varcorr`; on an older lme4 each is ``us``.

    Examples
    --------
    >>> [(term.kind, term.group, term.terms) for term in fit.re_covs()]
    [('us', 'Subject', ('(Intercept)', 'Days'))]
    """
    return tuple(map(ReCov.of, fit.varcorr))
