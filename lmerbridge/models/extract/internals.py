"""The internal quantities of a model, under the names of lme4's ``getME``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.models.extract.objective import deviance_at
from lmerbridge.models.kept import KeptFit
from lmerbridge.results import Array, shown

if TYPE_CHECKING:
    import scipy.sparse as sp  # slow to load


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class DevianceFunction:
    """The profiled deviance, or the REML criterion, of one model as a function of theta.

    Attributes
    ----------
    theta : Series, shape (ntheta,)
        The estimates, by lme4's names.
    lower : Series
        Lower bounds of theta; where a term has a structure, of what lme4 optimizes instead, `LmerFit.par`.
    optimum : float
        The value at the estimates.
    reml : bool
        Whether it is the REML criterion.
    """

    theta: pd.Series
    lower: pd.Series
    optimum: float
    reml: bool
    fit: KeptFit = field(repr=False)

    def __call__(self, theta: Sequence[float] | Array | pd.Series) -> float:
        """Return the value at one theta.

        `LmerFit.deviance_at` takes many at once.
        """
        return float(deviance_at(self.fit, theta)[0])


Table: TypeAlias = Literal["X", "RX", "RZX"]
Sparse: TypeAlias = Literal["Z", "Zt", "Lambda", "Lambdat", "A"]
ByRow: TypeAlias = Literal["y", "mu", "offset"]
Modes: TypeAlias = Literal["u", "b"]
Named: TypeAlias = Literal["fixef", "theta", "lower", "Tp", "p_i", "l_i", "q_i", "m_i", "par", "devarg"]
Integers: TypeAlias = Literal["Gp", "Lind"]
Factors: TypeAlias = Literal["Tlist", "ST"]
Count: TypeAlias = Literal["REML", "n_rtrms", "n_rfacs", "N", "n", "p", "q", "k", "m", "npar"]
NEWER = ("par", "npar", "devarg")


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Cholesky:
    """The sparse Cholesky factor of ``Lambda.T @ Z.T @ W @ Z @ Lambda + I``, its rows and columns permuted.

    ``lower @ lower.T`` is that matrix at ``[permutation][:, permutation]``; ``W`` has the prior weights.

    Attributes
    ----------
    lower : csc_array, shape (q, q)
        Lower triangular.
    permutation : ndarray of int, shape (q,)
        From 0.
    """

    lower: sp.csc_array
    permutation: NDArray[np.int32]

    @property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of the factored matrix: ``ldL2`` in `DevComp`."""
        return 2 * float(np.log(self.lower.diagonal()).sum())


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class DevComp:
    """Components of the deviance (``cmp``) and dimensions of the model (``dims``), by lme4's names."""

    cmp: pd.Series
    dims: pd.Series


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class MEParts:
    """The quantities of ``getME(fit, "ALL")``, under lme4's own names.

    `LmerFit.get_me` describes each.

    ``par``, ``npar`` and ``devarg`` are None where lme4 is older than 2.0-1, ``devfun`` of a generalized model.
    """

    X: pd.DataFrame
    Z: sp.csc_array
    Zt: sp.csc_array
    Ztlist: dict[str, sp.csc_array]
    mmList: dict[str, pd.DataFrame]  # noqa: N815  # lme4's name, as all of them
    y: pd.Series
    mu: pd.Series
    u: pd.Series
    b: pd.Series
    Gp: NDArray[np.int32]
    Tp: pd.Series
    L: Cholesky
    Lambda: sp.csc_array
    Lambdat: sp.csc_array
    Lind: NDArray[np.int32]
    Tlist: dict[str, Array]
    A: sp.csc_array
    RX: pd.DataFrame
    RZX: pd.DataFrame
    sigma: float
    flist: dict[str, pd.Series]
    fixef: pd.Series
    beta: Array
    theta: pd.Series
    ST: dict[str, Array]
    REML: int
    is_REML: bool  # noqa: N815
    n_rtrms: int
    n_rfacs: int
    N: int
    n: int
    p: int
    q: int
    p_i: pd.Series
    l_i: pd.Series
    q_i: pd.Series
    k: int
    m_i: pd.Series
    m: int
    cnms: dict[str, tuple[str, ...]]
    devcomp: DevComp
    offset: pd.Series
    lower: pd.Series
    devfun: DevianceFunction | None = None
    par: pd.Series | None = None
    npar: int | None = None
    devarg: pd.Series | None = None
