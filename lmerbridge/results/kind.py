"""Kinds of mixed model: whatever differs between them is a field of one frozen value.

What lives on a higher floor is named here, as R's functions are, and looked up by name where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from numpy.typing import NDArray

from lmerbridge.errors import EngineFailed, UnfitData

Values: TypeAlias = NDArray[Any]
EXACT = "the fixed part fits the response exactly, so that no variance is left to be parted; look at the response."
NO_NUMBERS = (
    "lme4 gave a fit of NaN throughout, and no warning. lme4 2.1-0 does so once it tries rho = 1 of a cs() of three "
    "columns or more, which has no value there; cs(f | g, hom = TRUE) with a rho above 0 is (1 | g) + (1 | g:f)."
)


@dataclass(frozen=True)
class Kind:
    """One kind of mixed model.

    Attributes
    ----------
    name : str
        As a program writes it.
    fit : str
        The function of ``r/R`` that fits one and describes the fit.
    reply : str
        The class of `lmerbridge.bridge.from_r.replies` that this description makes.
    control : str
        The class of `lmerbridge.inputs.control` for its ``control=``.
    family, link : str
        Distribution of the response, and link to the linear predictor.
    functions : frozenset of str
        What a formula may call beside the functions that every formula may.
    response : mapping of str to str
        For each kind of column that cannot be the response, what to do about it.
    check_response : function of an array and a boolean
        What is wrong with a plain response, or "": its values, and whether an offset is taken off it.
    check_sigma : function of a float
        Refuses a fit by its residual standard deviation.
    scale : function of a float
        Quantities that follow from the residual standard deviation, by their names in reports.
    criteria : tuple of two str
        Names of the criterion by maximum likelihood and by REML.
    objective : str
        The class of `lmerbridge.parity.sparse` that evaluates the criterion without R.
    criterion : str
        The class of `lmerbridge.parity.criterion` that evaluates it in R.
    """

    name: str
    fit: str
    reply: str
    control: str
    family: str
    link: str
    functions: frozenset[str]
    response: Mapping[str, str]
    check_response: Callable[[Values, bool], str]
    check_sigma: Callable[[float], None]
    scale: Callable[[float], dict[str, float]]
    criteria: tuple[str, str]
    objective: str
    criterion: str


def check_spread(values: Values, offset: bool) -> str:
    """Return what is wrong with a response that is to vary about its mean.

    Examples
    --------
    >>> import numpy as np
    >>> check_spread(np.array([2.0, 2.0]), False)
    'is the same in every row; there is no variance to explain'
    """
    constant = not offset and values.min() == values.max()
    return "is the same in every row; there is no variance to explain" if constant else ""


def check_residual(sigma: float) -> None:
    """Refuse a fit without residual variance, and one without numbers.

    Raises
    ------
    UnfitData
        The residual standard deviation is zero.
    EngineFailed
        It is NaN.
    """
    if sigma == 0:
        raise UnfitData(EXACT)
    if sigma != sigma:  # NaN
        raise EngineFailed(NO_NUMBERS)


def residual_quantities(sigma: float) -> dict[str, float]:
    """Return the residual standard deviation and variance, by their names in reports."""
    return {"sigma": sigma, "sigma2": sigma**2}


LMM = Kind(
    name="lmm",
    fit="fit_lmer",
    reply="FitReply",
    control="LmerControl",
    family="gaussian",
    link="identity",
    functions=frozenset(),
    response={
        "text": "convert it to numbers, with pd.to_numeric",
        "category": "take its .cat.codes, or model it as what it is: not by a linear mixed model",
        "date": "subtract a first day and count days, with .dt.days",
        "instant": "subtract a first moment and count seconds, with .dt.total_seconds()",
        "duration": "count its seconds, with .dt.total_seconds()",
    },
    check_response=check_spread,
    check_sigma=check_residual,
    scale=residual_quantities,
    criteria=("deviance", "REMLcrit"),
    objective="Objective",
    criterion="Lme4Criterion",
)
