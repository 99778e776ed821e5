"""The data, formula and matrices of a model as R read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, overload

import pandas as pd

from lmerbridge.bridge import need, object_from_r
from lmerbridge.errors import InvalidArgument
from lmerbridge.models.extract import getme
from lmerbridge.models.kept import KeptFit, call_on
from lmerbridge.results import Family, labels, shown

if TYPE_CHECKING:
    import scipy.sparse as sp  # slow to load


@shown("assign", "factors")
@dataclass(frozen=True, eq=False, repr=False)
class ModelTerms:
    """R's ``terms`` of a model.

    Attributes
    ----------
    formula : str
    variables : tuple of str
        As R evaluates them: ``"log(dose)"``.
    labels : tuple of str
        The terms, products with ``:``.
    order : tuple of int
        How many variables each term has.
    factors : DataFrame
        Variables by terms: 0 not in the term, 1 by contrasts, 2 by all levels.
    intercept : bool
    response : str
        Empty where the formula has none.
    assign : Series
        For each column of the fixed model matrix the label of its term, or ``"(Intercept)"``.
    """

    formula: str
    variables: tuple[str, ...]
    labels: tuple[str, ...]
    order: tuple[int, ...]
    factors: pd.DataFrame
    intercept: bool
    response: str
    assign: pd.Series


@overload
def model_matrix(fit: KeptFit, type: Literal["fixed"] = "fixed") -> pd.DataFrame: ...
@overload
def model_matrix(fit: KeptFit, type: Literal["random"]) -> sp.csc_array: ...
@overload
def model_matrix(fit: KeptFit, type: Literal["random_list_raw"]) -> dict[str, pd.DataFrame]: ...


def model_matrix(fit: KeptFit, type: Literal["fixed", "random", "random_list_raw"] = "fixed") -> Any:
    """Return the model matrix of the fixed or of the random part.

    Parameters
    ----------
    type : {"fixed", "random", "random_list_raw"}

    Returns
    -------
    DataFrame
        ``fixed``: rows used by terms.
    csc_array
        ``random``: rows by modes, whose names are in `random_index`.
    dict of str to DataFrame
        ``random_list_raw``: for each random term, rows by its columns.

    Examples
    --------
    >>> fit.model_matrix().head(2).to_numpy().tolist()
    [[1.0, 0.0], [1.0, 1.0]]
    """
    match type:
        case "fixed":
            table: pd.DataFrame = object_from_r(call_on(fit, "model_matrix"))
            return table.set_axis(fit._rows_index, axis=0)
        case "random":
            return getme.get_me(fit, "Z")
    return getme.get_me(fit, "mmList")


def model_frame(fit: KeptFit, *, fixed_only: bool = False) -> pd.DataFrame:
    """Return the variables of the formula as R evaluated them, over the rows used, as ``stats::model.frame``.

    A transformed one is named as R writes it, ``log(dose)``; of one with several columns, as ``poly()`` makes,
    each is one: ``poly(dose, 2).1``. Weights and offset are ``(weights)`` and ``(offset)``.
    """
    frame: pd.DataFrame = object_from_r(call_on(fit, "model_frame", fixed_only=fixed_only))
    return frame.set_axis(fit._rows_index, axis=0)


def get_data(fit: KeptFit) -> pd.DataFrame:
    """Return the columns of the data that the formula names, all rows, as they were when the model was fitted."""
    return fit.spec.data.copy()


def model_terms(fit: KeptFit, *, fixed_only: bool = True, random_only: bool = False) -> ModelTerms:
    """Return the terms of the fixed part, the random part or, with both False, of both: ``stats::terms``.

    Examples
    --------
    >>> fit = lmer("angle ~ recipe * temperature + (1 | recipe:replicate)", load_dataset("cake"))
    >>> fit.model_terms().labels
    ('recipe', 'temperature', 'recipe:temperature')
    """
    fixed_only = fixed_only and not random_only
    raw = call_on(fit, "model_terms", fixed_only=fixed_only, random_only=random_only)
    variables, terms = raw["variables"], raw["labels"]
    factors = raw["factors"].reshape(len(variables), len(terms), order="F")
    return ModelTerms(
        raw["formula"][0],
        tuple(variables),
        tuple(terms),
        tuple(raw["order"].tolist()),
        pd.DataFrame(factors, index=variables, columns=terms),
        bool(raw["intercept"][0]),
        raw["response"][0],
        pd.Series(raw["assign"], index=labels(fit.terms), dtype=object, name="term"),
    )


def formula_of(fit: KeptFit, *, fixed_only: bool = False, random_only: bool = False) -> str:
    """Return the formula, or its fixed or random part, as R writes it.

    Examples
    --------
    >>> fit.formula_of(fixed_only=True)
    'Reaction ~ Days'
    """
    if fixed_only and random_only:
        raise InvalidArgument("fixed_only and random_only are True; one of them is expected.")
    return str(call_on(fit, "formula_of", fixed_only=fixed_only, random_only=random_only)["text"][0])


def weights(fit: KeptFit, *, type: Literal["prior", "working"] = "prior") -> pd.Series:
    """Return the weights by row, NaN for the rows that ``na_action="exclude"`` keeps.

    ``working`` needs lme4 2.0-1.
    """
    if type == "working":
        need("weights_type")
    return fit._by_row(call_on(fit, f"{type}_weights")["values"], "weights")


def offset(fit: KeptFit) -> pd.Series:
    """Return the offset by row: zero where there is none, NaN for the rows that ``na_action="exclude"`` keeps."""
    return fit._by_row(getme.get_me(fit, "offset").to_numpy(), "offset")


def ngrps(fit: KeptFit) -> pd.Series:
    """Number of levels of each grouping factor."""
    return pd.Series({modes.group: len(modes.levels) for modes in fit.modes}, name="ngrps")


def get_call(fit: KeptFit) -> str:
    """Return the call of ``lmer`` that R made."""
    return str(call_on(fit, "call_of")["text"][0])


def family(fit: KeptFit) -> Family:
    """The response's distribution and link, gaussian and identity for a linear mixed model."""
    return Family(fit.kind.family, fit.kind.link)


def is_lmm(fit: KeptFit) -> bool:
    """Whether the fit is of a linear mixed model."""
    return fit.kind.name == "lmm"


def is_glmm(fit: KeptFit) -> bool:
    """Whether the fit is of a generalized linear mixed model."""
    return fit.kind.name == "glmm"


def is_nlmm(fit: KeptFit) -> bool:
    """Whether the fit is of a nonlinear mixed model."""
    return fit.kind.name == "nlmm"


def is_reml(fit: KeptFit) -> bool:
    """Whether the fit is by REML."""
    return fit.reml
