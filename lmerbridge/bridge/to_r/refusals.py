"""R's errors that the input caused, as errors of this package."""

from __future__ import annotations

import re

from lmerbridge.errors import FormulaError, InputError, InvalidArgument, MissingValues, RError, UnfitData, amount
from lmerbridge.inputs import Spec

NO_ROWS = "no row has a value for every variable of the model; look at the missing values of its columns"
TWO_LEVELS = "a grouping factor needs at least two levels; leave its term out, or bring more data"
FEWER_LEVELS = "a grouping factor needs fewer levels than rows; leave its term out, or bring repeated observations"
FEWER_EFFECTS = "the data needs more rows than a term has random effects; leave a slope out, or bring more data"
CONTRASTS = "a factor of the fixed or random part needs at least two levels; leave it out"
FINITE = "a function of the formula gives an infinite number; log(0) and 1/0 do"
THETA = (
    "start needs one finite number per theta, or per par where a term has a covariance structure, none of them below "
    "its bound: 0 for standard deviations"
)
NO_VALUE = (
    "lme4's criterion has no value where the optimization starts, as where the fixed part has as many columns as rows, "
    "or a column very large values; leave terms out, or rescale the columns"
)
NOT_POSITIVE = (
    "lme4 cannot tell the columns of the fixed part apart, as where they are of very different sizes, or where the "
    "fixed and the random part fit the response exactly; rescale the columns, or look at the response"
)
WEIGHTS = "weights must not be negative"
GROUPING = (
    "lme4 makes a factor of each column that groups, and evaluates no function there; write (1 | a) for "
    "(1 | factor(a)), (1 | a:b) for (1 | interaction(a, b)), or make a column of it"
)
EXACT = (
    "the model fits the response exactly by its fixed and random part, so that no residual variance is left; look at "
    "the response"
)
CODED = "C() takes a factor, and C(x) of numbers is to be C(factor(x)), or factor(x) with contrasts={...}"
ROWS = "a matrix of contrasts is to have a row per level that the rows used have, in their order"
SINGULAR = "a matrix of contrasts is to have columns that differ from each other and from a constant one"
NODES = "more than one node is for a model with one random term of one column; n_agq=1 is for any"
BETA = "start needs one finite number per fixed effect as beta, in the order of the columns of the fixed part"
STARTING = "the link has no value at some responses, as a log at 0; begin elsewhere, with mustart= or etastart="
PIRLS = (
    "lme4's iterations leave what the link allows, as a mean below 0 or above 1; take the family's own link, begin near"
    " the optimum, with mustart= or start=, or rescale the columns"
)
STEPS = (
    "lme4's inner iterations find no step that improves the nonlinear model, as from a start that is far off; begin "
    "nearer to the optimum, with start=, make the model simpler, or scale the parameters alike"
)

REFUSALS: tuple[tuple[str, type[InputError], str], ...] = (  # R's error, ours, and what to do
    (r"^missing values in object", MissingValues, ""),
    (r"^0 \(non-NA\) cases", UnfitData, NO_ROWS),
    (r"couldn't evaluate grouping factor", FormulaError, GROUPING),
    (r"not interpretable as a factor", FormulaError, CODED),
    (r"^wrong number of contrast matrix rows", InvalidArgument, ROWS),
    (r"^singular contrast matrix", InvalidArgument, SINGULAR),
    (r"must have > 1 sampled level", UnfitData, TWO_LEVELS),
    (r"number of levels of each grouping factor must be", UnfitData, FEWER_LEVELS),
    (r"^number of observations .* <=? number of random effects", UnfitData, FEWER_EFFECTS),
    (r"^contrasts can be applied only to factors with 2 or more", UnfitData, CONTRASTS),
    (r"^NA/NaN/Inf in ", UnfitData, FINITE),
    (r"theta components|^starting value of 'par'|element in x0|^x0 contains|^objective in x0", InvalidArgument, THETA),
    (r"^incorrect number of fixef components|^starting value of .fixef. has length", InvalidArgument, BETA),
    (r"^Downdated VtV is not positive definite", UnfitData, NOT_POSITIVE),
    (r"all\(weights >= 0\)", InvalidArgument, WEIGHTS),
    (r"^cannot find valid starting values", UnfitData, STARTING),
    (r"PIRLS (loop|step-halvings)|pwrssUpdate did not converge", UnfitData, PIRLS),
    (r"^step factor reduced below|^prss(Update)? failed to converge", UnfitData, STEPS),
    (r"^nAGQ > 1 is only available", InvalidArgument, NODES),
)


def translate(error: RError, spec: Spec) -> InputError | None:
    """Return our error for an error of R's that the input caused, None for any other."""
    if "lmerbridge_refusal" in error.classes:  # what r/R refuses itself
        return InvalidArgument(f"{error.text}.")
    if "lmerbridge_unfit" in error.classes:
        return UnfitData(f"{error.text}.")
    if "lmerbridge_exact" in error.classes:
        return UnfitData(f"{EXACT}.")
    for pattern, kind, advice in REFUSALS:
        if re.search(pattern, error.text):
            if advice == THETA and spec.start is None:
                return UnfitData(f"{NO_VALUE}. R said: {error.text}.")
            told = _no_rows(spec) if advice == NO_ROWS else advice
            return kind(f"{told}. R said: {error.text}.") if told else _missing_values(spec)
    return None


def _no_rows(spec: Spec) -> str:
    functions = spec.parsed.functions
    if spec.count_missing(spec.parsed.variables) or not functions:
        return NO_ROWS
    return f"no row has a value of {' and of '.join(functions)}, as where log() is given negative numbers"


def _missing_values(spec: Spec) -> MissingValues:
    told, _ = _lack(spec)
    return MissingValues(f"na_action is 'fail', and {told}; fill or drop them, or say na_action='omit'.")


def of_other_rows(spec: Spec) -> MissingValues:
    """Return the error that a smaller model has rows that the model left out."""
    told, columns = _lack(spec)
    frame = f"data.dropna(subset={columns})" if columns else "data without those rows"
    return MissingValues(f"{told}, and a model without a term would use rows that this one leaves out; fit {frame}.")


def _lack(spec: Spec) -> tuple[str, list[str]]:
    """Return what the data lack, in words, and the columns that lack it."""
    counts = spec.count_missing(spec.parsed.variables)
    where = ", ".join(f"{name!r} in {amount(count, 'row')}" for name, count in counts.items())
    told = f"the data lacks values: {where}" if where else "a function of the formula gives missing values"
    return told, [name for name in counts if name in spec.data]
