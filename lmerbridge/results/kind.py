"""Kinds of mixed model: whatever differs between them is a field of one frozen value.

What lives on a higher floor is named here, as R's functions are, and looked up by name where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import EngineFailed, UnfitData
from lmerbridge.results.family import Family

Values: TypeAlias = NDArray[Any]
EXACT = "the fixed part fits the response exactly, so that no variance is left to be parted; look at the response"
NO_NUMBERS = "lme4 gave a fit of NaN throughout."
NO_DIGITS = "of which a double holds too few digits; take off its mean"
ROUNDING = 256 * np.finfo(float).eps  # of the largest value: what reading and adding numbers may leave
RELATIVE = 1e-10  # of the spread: lme4 solves normal equations, which leaves no more digits of a residual
SQUARES = (1e-290, 1e300)  # sums of squares between which a double has all its digits


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
        What the left side of a formula may call beside the functions that every formula may.
    start : tuple of str
        What ``start=`` may name.
    stages : int
        Optimizations of a fit, one after another, each of which may have an optimizer of its own.
    response : mapping of str to str
        For each kind of column that cannot be the response, what to do about it.
    check_response : function of an array and a boolean
        What is wrong with a plain response, or "": its values, and whether an offset is taken off it.
    doubt_response : function of an array
        What is doubtful of the values of a response that is fitted all the same, or "".
    check_predictor : function of an array
        What is wrong with a plain numeric column of the fixed or random part, or "".
    check_sigma : function of a float and two arrays
        Refuses a fit by its residual standard deviation, beside the response and the weights, one per row used.
    scale : function of a float
        Quantities that follow from the residual standard deviation, by their names in reports.
    level_per_row : bool
        Whether a grouping factor may have a level of its own in each row.
    others : int
        Parameters beside the fixed effects and the covariances.
    statistic : str
        What the ratio of an estimate to its standard error is called.
    residuals : str
        The type of residuals that R gives where none is asked for.
    ddf : str
        emmeans' method for the degrees of freedom where none is asked for.
    linear : bool
        Whether means are the linear predictor, so that random effects solve linear equations.
    inner : mapping of str to float
        Options of the control by which iterations inside the criterion are taken to their end, none without any.
    optimizer : str
        The optimizer of a tighter fit where none is given.
    criteria : tuple of two str
        Names of the criterion by maximum likelihood and by REML.
    objective : str
        The class of `lmerbridge.parity` that evaluates the criterion without R, "" where none does.
    criterion : str
        The class of `lmerbridge.parity.criterion` that evaluates it in R, "" where none does.
    """

    name: str
    fit: str
    reply: str
    control: str
    family: str
    link: str
    functions: frozenset[str]
    start: tuple[str, ...]
    stages: int
    response: Mapping[str, str]
    check_response: Callable[[Values, bool], str]
    doubt_response: Callable[[Values], str]
    check_predictor: Callable[[Values], str]
    check_sigma: Callable[[float, Values, Values], None]
    scale: Callable[[float], dict[str, float]]
    level_per_row: bool
    others: int
    statistic: str
    residuals: str
    ddf: str
    linear: bool
    inner: Mapping[str, float]
    optimizer: str
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
    if not offset and values.min() == values.max():
        return "is the same in every row; there is no variance to explain"
    return check_scale(values) or check_scale(values - values.mean())


def doubt_binary(values: Values) -> str:
    """Return what is doubtful of a response that a linear model takes for a measured one.

    Examples
    --------
    >>> import numpy as np
    >>> doubt_binary(np.array([0.0, 1.0, 1.0]))[:32], doubt_binary(np.array([0.0, 2.0]))
    ('has the values 0 and 1 alone, an', '')
    """
    if not ((values == 0) | (values == 1)).all():
        return ""
    told = "has the values 0 and 1 alone, and is fitted as if it were normal"
    return f"{told}; glmer(formula, data, 'binomial') fits how often it is 1"


def no_doubt(values: Values) -> str:
    """Return that nothing is doubtful of a response."""
    return ""


def check_scale(values: Values) -> str:
    """Return what is wrong with numbers whose squares are to be added, as doubles can.

    Examples
    --------
    >>> import numpy as np
    >>> check_scale(np.array([0.0, 2e200])), check_scale(np.array([0.0, 2.0]))
    ('has values of size 2e+200, whose squares a double cannot hold; divide it by 1e+200', '')
    """
    largest = float(np.abs(values).max(initial=0))
    if not largest:
        return ""
    low, high = SQUARES
    if low <= len(values) * largest * largest <= high:
        return ""
    told = f"has values of size {largest:.3g}, whose squares a double cannot hold"
    return f"{told}; divide it by {10.0 ** np.floor(np.log10(largest)):.3g}"


def check_residual(sigma: float, response: Values, weights: Values) -> None:
    """Refuse a fit without residual variance, beside the response's own spread, and one without numbers.

    Raises
    ------
    UnfitData
        The residual standard deviation is zero or rounding.
    EngineFailed
        It is NaN.
    """
    if sigma != sigma:  # NaN
        raise EngineFailed(NO_NUMBERS)
    heaviest = weights.max()
    relative = weights / heaviest
    size = float(np.abs(response).max()) or 1.0
    centred = response / size - np.average(response / size, weights=relative)
    spread = float(np.sqrt(np.mean((np.sqrt(relative) * centred) ** 2))) * size
    scaled = sigma / float(np.sqrt(heaviest))
    if scaled <= max(RELATIVE * spread, ROUNDING * size):
        if told := check_scale(centred * size):
            raise UnfitData(f"the response {told}.")
        if 0 < spread <= ROUNDING * size:
            raise UnfitData(f"the response has values of size {size:.3g} that differ by {spread:.3g}, {NO_DIGITS}.")
        raise UnfitData(f"{EXACT}. The residual standard deviation is {scaled:.3g}, the response's {spread:.3g}.")


def check_number(sigma: float, response: Values, weights: Values) -> None:
    """Refuse a fit without numbers.

    Raises
    ------
    EngineFailed
        Its standard deviation is NaN.
    """
    if sigma != sigma:  # NaN
        raise EngineFailed(NO_NUMBERS)


def leave_to_r(values: Values, offset: bool) -> str:
    """Return that nothing is wrong with a response, which R's side judges by its family."""
    return ""


def no_quantities(sigma: float) -> dict[str, float]:
    """Return no quantities, of a family whose dispersion is known."""
    return {}


def residual_quantities(sigma: float) -> dict[str, float]:
    """Return the residual standard deviation and variance, by their names in reports."""
    return {"sigma": sigma, "sigma2": sigma**2}


TIMES = {
    "date": "subtract a first day and count days, with .dt.days",
    "instant": "subtract a first moment and count seconds, with .dt.total_seconds()",
    "duration": "count its seconds, with .dt.total_seconds()",
}
LMM = Kind(
    name="lmm",
    fit="fit_lmer",
    reply="FitReply",
    control="LmerControl",
    family="gaussian",
    link="identity",
    functions=frozenset(),
    start=("theta", "par"),
    stages=1,
    response={
        "text": "convert it to numbers, with pd.to_numeric",
        "category": "take its .cat.codes, or model it as what it is: not by a linear mixed model",
        **TIMES,
    },
    check_response=check_spread,
    doubt_response=doubt_binary,
    check_predictor=check_scale,
    check_sigma=check_residual,
    scale=residual_quantities,
    level_per_row=False,
    others=1,
    statistic="t_value",
    residuals="response",
    ddf="kenward-roger",
    linear=True,
    inner={},
    optimizer="nloptwrap",
    criteria=("deviance", "REMLcrit"),
    objective="Objective",
    criterion="Lme4Criterion",
)


GLMM = replace(
    LMM,
    name="glmm",
    fit="fit_glmer",
    reply="GlmerReply",
    control="GlmerControl",
    family="binomial",
    link="logit",
    functions=frozenset(("cbind",)),
    start=("theta", "par", "beta"),
    stages=2,
    response={"text": "make it True and False, or a categorical with two levels", **TIMES},
    check_response=leave_to_r,
    doubt_response=no_doubt,
    check_sigma=check_number,
    scale=no_quantities,
    level_per_row=True,
    others=0,
    statistic="z_value",
    residuals="deviance",
    ddf="asymptotic",
    linear=False,
    inner={"tolPwrss": 1e-10},
    optimizer="bobyqa",
    criteria=("-2 logLik", "-2 logLik"),
    objective="Joint",
    criterion="",
)
NUMERIC = {"text": LMM.response["text"], "category": "count or measure it", **TIMES}


def glmm(family: Family) -> Kind:
    """Return the kind of generalized linear mixed model that a family makes.

    Examples
    --------
    >>> kind = glmm(Family("Gamma", "log"))
    >>> kind.family, kind.link, kind.others
    ('Gamma', 'log', 1)
    """
    return replace(
        GLMM,
        family=family.name,
        link=family.link,
        response=GLMM.response if family.name == "binomial" else NUMERIC,
        scale=residual_quantities if family.has_scale else no_quantities,
        others=int(family.has_scale or family.theta is not None),  # lme4 counts a shape that is given, too
    )


NEGATIVE_BINOMIAL = replace(glmm(Family("negative.binomial", theta=1.0)), fit="fit_glmer_nb")
NLMM = replace(
    LMM,
    name="nlmm",
    fit="fit_nlmer",
    control="NlmerControl",
    link="",
    stages=2,
    linear=False,
    optimizer="bobyqa",
    objective="",
    criterion="",
)
