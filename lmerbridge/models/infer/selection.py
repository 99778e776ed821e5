"""Which terms a model needs: tests of the random ones, and elimination step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

import pandas as pd

from lmerbridge.errors import InvalidArgument, NotExpressible
from lmerbridge.formula import parse, tree_names
from lmerbridge.inputs import ApproximateDdf
from lmerbridge.models.infer.tables import AnovaTable, anova_table, frame
from lmerbridge.models.kept import K, KeptFit, ask, fit_spec
from lmerbridge.results import Condition, shown

Kept = TypeVar("Kept", bound=KeptFit)
FIXED = ["eliminated", "sum_sq", "mean_sq", "num_df", "den_df", "f_value", "p_value", "ddf"]


@shown("random", "fixed")
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Steps(Generic[Kept]):
    """The steps by which a model was reduced.

    Attributes
    ----------
    random : DataFrame
        By term: eliminated (the step, 0 for what stays, NaN for the whole model), npar, loglik, aic, lrt, df, p_value.
    fixed : DataFrame
        By term: eliminated, sum_sq, mean_sq, num_df, den_df, f_value, p_value, ddf. Where no random term is left, the
        tests are those of R's ``lm``: ddf is "residual", and den_df and mean_sq are NaN.
    formula : str
        Of the model that is left.
    mixed : bool
        Whether it has a random term left.
    ddf : {"Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom.
    text : str
        The tables as R prints them, which is what ``str`` gives.
    conditions : tuple of Condition
    start : LmerFit
        The fit that was reduced.
    """

    random: pd.DataFrame
    fixed: pd.DataFrame
    formula: str
    mixed: bool
    ddf: ApproximateDdf
    text: str
    conditions: tuple[Condition, ...]
    start: Kept

    def __repr__(self) -> str:
        return self.text

    @cached_property
    def model(self) -> Kept:
        """The model that is left, an LmerFit: R's ``get_model``.

        Raises
        ------
        NotExpressible
            No random term is left, and R's model is one of ``lm``.
        """
        if not self.mixed:
            told = f"no random term is left of the model: {self.formula} is for R's lm"
            raise NotExpressible(f"{told}, or any least squares.")
        spec = self.start.spec
        used = parse(self.formula, tuple(spec.allow), spec.own_values).variables
        contrasts = {factor: name for factor, name in (spec.contrasts or {}).items() if factor in used}
        return fit_spec(type(self.start), replace(spec, formula=self.formula, contrasts=contrasts or None, start=None))


def ranova(fit: KeptFit, *, reduce_terms: bool = True, timeout: float | None = None) -> AnovaTable:
    """Test each random term by the likelihood ratio of the model without it.

    Parameters
    ----------
    reduce_terms : bool
        Whether ``(x | g)`` is tested against ``(1 | g)``, or against none.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    AnovaTable
        One row per term, after one for the whole model: npar, loglik, aic, lrt, df, p_value, by the fit's own
        criterion, ML or REML. The p-values take no account of a variance of zero lying on the boundary.

    Source: ``ranova`` of lmerTest, also called ``rand``.

    Examples
    --------
    >>> fit.ranova().frame[["npar", "lrt", "df"]].round(2)
                              npar    lrt   df
    <none>                       6    NaN  NaN
    Days in (Days | Subject)     4  42.84  2.0
    """
    _check_response(fit)
    reply = ask(fit, "ranova_of", timeout=timeout, reduce_terms=bool(reduce_terms))
    return anova_table(reply)


def _check_response(fit: KeptFit) -> None:
    """Refuse a response that R reads as a call once its backticks are gone: lmerTest writes its formula as text."""
    odd = [name for name in tree_names(fit.spec.parsed.response) if "(" in name]
    if odd:
        raise InvalidArgument(f"lmerTest reads the response's name {odd[0]!r} as code; rename that column.")


def step(
    fit: K,
    *,
    ddf: ApproximateDdf = "Satterthwaite",
    alpha_random: float = 0.1,
    alpha_fixed: float = 0.05,
    reduce_random: bool = True,
    reduce_fixed: bool = True,
    keep: Sequence[str] = (),
    timeout: float | None = None,
) -> Steps[K]:
    """Eliminate terms backward: first random ones, by `ranova`, then fixed ones, by the F tests of `drop1`.

    Parameters
    ----------
    ddf : {"Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom.
    alpha_random, alpha_fixed : float
        A term whose p-value is larger is eliminated.
    reduce_random, reduce_fixed : bool
        Whether random or fixed terms are eliminated at all.
    keep : sequence of str
        Terms of the fixed part that stay.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Steps
        Its ``model`` is the fit that is left.

    Source: ``step`` and ``get_model`` of lmerTest. P-values after selection are too small (no correction is made).

    Examples
    --------
    >>> fit = lmer("strength ~ 1 + (1 | batch) + (1 | batch:cask)", load_dataset("Pastes"))
    >>> fit.step().formula
    'strength ~ (1 | batch:cask)'
    """
    _check_response(fit)
    reply = ask(
        fit,
        "step_of",
        timeout=timeout,
        ddf=ddf,
        alpha_random=float(alpha_random),
        alpha_fixed=float(alpha_fixed),
        reduce_random=bool(reduce_random),
        reduce_fixed=bool(reduce_fixed),
        keep=[keep] if isinstance(keep, str) else list(keep),
    )
    values = reply.values
    return Steps(
        random=frame(values, prefix="random."),
        fixed=_fixed_table(values, ddf),
        formula=values["formula"][0],
        mixed=bool(values["mixed"][0]),
        ddf=ddf,
        text=values["text"][0],
        conditions=reply.conditions,
        start=fit,
    )


def _fixed_table(values: Mapping[str, Any], ddf: ApproximateDdf) -> pd.DataFrame:
    """Return the table of fixed terms.

    R's table has other columns where the model has become one of ``lm``.
    """
    table = frame(values, ddf, prefix="fixed.")
    if "RSS" in table.columns:
        residual = pd.Series("residual", table.index, dtype=object)
        table = table.rename(columns={"df": "num_df", "Sum of Sq": "sum_sq"}).assign(ddf=residual)
    return table.reindex(columns=FIXED)
