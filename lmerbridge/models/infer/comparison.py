"""Models of the same rows side by side: criteria, likelihood ratios, variance explained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument, amount
from lmerbridge.inputs import check_signature
from lmerbridge.models.change.update import refit_ml
from lmerbridge.models.extract import objective, optimum, variances
from lmerbridge.models.infer.nested import variances_at_zero
from lmerbridge.models.kept import KeptFit

SHOWN = {  # columns of the text: their heads, and how their numbers are written
    "npar": ("npar", ".0f"),
    "aic": ("AIC (ML)", ".1f"),
    "bic": ("BIC (ML)", ".1f"),
    "loglik": ("logLik (ML)", ".1f"),
    "weight": ("weight", ".3f"),
    "chisq": ("chisq", ".2f"),
    "df": ("df", ".0f"),
    "p_value": ("p", ".3g"),
    "icc": ("ICC", ".3f"),
    "r2_marginal": ("R2 marginal", ".3f"),
    "r2_conditional": ("R2 conditional", ".3f"),
    "sigma": ("sigma", ".4g"),
    "rmse": ("RMSE", ".4g"),
}
COLUMNS = [
    *("formula", "npar", "aic", "bic", "loglik", "weight", "chisq", "df", "p_value", "reference", "reason"),
    *("icc", "r2_marginal", "r2_conditional", "sigma", "rmse", "refitted"),
]
ROUNDING = 1e-6  # of a likelihood ratio: where optimizers end
NOT_NESTED = "neither model is seen to lie within the other"
NOT_REFITTED = "likelihoods at estimates by REML are not maximal; see refit=True"
NO_LIKELIHOOD = "rows of weight zero have no finite likelihood; leave them out with subset="
AS_MANY = "both models have as many parameters"
SHORT = "the larger model's likelihood is below the smaller's: its optimizer stopped short"
NO_MIXTURE = (
    "the smaller model has {zero} variances of zero, and the mixture of chi-squared distributions is then not known; "
    "leave boundary=True out, or simulate the distribution: larger.pb_modcomp(smaller)"
)


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison:
    """Models of the same rows side by side.

    Attributes
    ----------
    frame : DataFrame
        By model: formula, npar; aic, bic, loglik and Akaike's weight; chisq, df and p_value of the likelihood ratio
        against the row above, ``reference`` (the distribution p is of) and ``reason`` (why there is no test); icc
        (adjusted), r2_marginal, r2_conditional, sigma, rmse (of the response about its conditional mean). aic, bic,
        loglik and the test are by maximum likelihood, of a refit where ``refitted`` says so; what stands behind the
        test is of the fit as it is.
    boundary : bool
        Whether p-values take account of a variance of zero being on the boundary.
    notes : tuple of str
        What is to be known of the table.
    """

    frame: pd.DataFrame
    boundary: bool
    notes: tuple[str, ...]

    def __str__(self) -> str:
        columns = [self.frame[name].map(_format(spec)).rename(head) for name, (head, spec) in SHOWN.items()]
        return "\n\n".join(filter(None, [pd.concat(columns, axis=1).to_string(), "\n".join(self.notes)]))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.frame.to_html()


@check_signature
def compare_models(
    *fits: KeptFit,
    names: Sequence[str] | None = None,
    boundary: bool = False,
    refit: bool = True,
    **named: KeptFit,
) -> ModelComparison:
    """Compare models of the same rows and response, each with the one before it.

    AIC, BIC and the likelihood of a fit by REML are those of its refit by maximum likelihood, as `anova` has them. The
    likelihood ratio is given where one of two models lies within the other, whichever stands first.

    Parameters
    ----------
    *fits : LmerFit or GlmerFit
        In the order in which each is tested against the one before it.
    names : sequence of str
        Of the models. The default is their formulas.
    boundary : bool
        Whether to take account of a variance of zero being on the boundary of what a variance can be. Where the smaller
        model makes one variance zero, with ``df`` parameters in all, p is of the 50:50 mixture of chi-squared
        distributions with ``df - 1`` and ``df`` degrees of freedom. It takes the smaller model's own variances to be
        above zero.
    refit : bool
        Whether fits by REML are refitted for AIC, BIC and the likelihood ratio. Without it, AIC and BIC are of the
        likelihood at the estimates by REML, as in R's performance, and there is no likelihood ratio.
    **named : LmerFit
        Further models by name: ``compare_models(null=m0, slopes=m1)``.

    Returns
    -------
    ModelComparison
        Its ``frame`` has a row per model.

    Raises
    ------
    InvalidArgument
        The models have other distributions, rows, responses, weights, offsets or numbers of quadrature nodes; or
        ``boundary`` is asked for where the smaller model makes several variances zero, so that the mixture is not
        known.

    Source: ``compare_performance`` of R's performance; Self and Liang (1987); Stram and Lee (1994).

    Examples
    --------
    >>> from lmerbridge import compare_models
    >>> line = lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)
    >>> compare_models(line=line, slopes=fit).frame[["npar", "aic", "chisq", "df", "icc"]].round(2)
            npar      aic  chisq   df   icc
    line       4  1802.08    NaN  NaN  0.59
    slopes     6  1763.94  42.14  2.0  0.72
    """
    models = _by_name(fits, names, named)
    labels = list(models)
    for label in labels[1:]:
        check_same(labels[0], models[labels[0]], label, models[label])
    by_ml = {label: refit_ml(fit) if refit else fit for label, fit in models.items()}
    ratios = {labels[0]: Ratio()}
    for a, b in pairwise(labels):
        ratios[b] = likelihood_ratio(a, by_ml[a], b, by_ml[b], boundary)
    rows = [_numbers(fit, by_ml[name]) | asdict(ratios[name]) for name, fit in models.items()]
    table = pd.DataFrame(rows, index=labels)
    best = np.exp(-(table["aic"] - table["aic"].min()) / 2)
    table["weight"] = best / best.sum()
    return ModelComparison(table[COLUMNS], boundary, (*_notes(models, ratios, refit, boundary),))


def _by_name(fits: Sequence[KeptFit], names: Sequence[str] | None, named: Mapping[str, KeptFit]) -> dict[str, KeptFit]:
    """Return the models by their names, formulas where they have none.

    Raises
    ------
    InvalidArgument
        A model is none, there is one only, or names are too few, too many or alike.
    """
    models = [*fits, *named.values()]
    for what in models:
        if not isinstance(what, KeptFit):
            expected = "fits of lmer or glmer are expected, and names= and boundary= by name"
            raise InvalidArgument(f"compare_models is given a {type(what).__name__}; {expected}.")
    if len(models) < 2:
        told = "two fits or more are expected; glance() has the criteria of one"
        raise InvalidArgument(f"compare_models is given {amount(len(models), 'fit')}; {told}.")
    given = [*_formulas(fits), *named] if names is None else [names] if isinstance(names, str) else list(names)
    if len(given) != len(models) or len(set(given)) != len(given) or not all(isinstance(name, str) for name in given):
        raise InvalidArgument(f"names is {names!r}; {len(models)} different names are expected.")
    return dict(zip(given, models, strict=True))


def _formulas(fits: Sequence[KeptFit]) -> list[str]:
    """Return the formulas of some fits, with the number of the fit where several have one."""
    texts = [fit.formula for fit in fits]
    return [text if texts.count(text) == 1 else f"{text} [{i}]" for i, text in enumerate(texts, 1)]


def check_same(name: str, fit: KeptFit, other_name: str, other: KeptFit) -> None:
    """Refuse two models of other distributions, rows, responses, weights or offsets.

    Raises
    ------
    InvalidArgument
    """
    told = f"{name!r} and {other_name!r}"
    if (fit.kind.family, fit.kind.link) != (other.kind.family, other.kind.link):
        raise InvalidArgument(f"{told} have other distributions of the response; fits of one are expected.")
    if fit.nobs != other.nobs:
        lacking = "drop the rows that lack a value of any model first, with data.dropna(subset=[...])"
        raise InvalidArgument(f"{told} are of {fit.nobs} and {other.nobs} rows; the same are expected: {lacking}.")
    nodes, others = (getattr(each.spec, "n_agq", 1) for each in (fit, other))
    if nodes != others:
        by = f"are by n_agq={nodes} and {others}, whose likelihoods do not compare"
        raise InvalidArgument(f"{told} {by}; fits by one are expected.")
    ours, theirs = objective.design(fit), objective.design(other)
    for what in ("y", "weights", "offset"):
        if not np.array_equal(getattr(ours, what), getattr(theirs, what)):
            word = {"y": "response"}.get(what, what)
            raise InvalidArgument(f"{told} differ in the {word}; the same in the same rows, in one order, is expected.")


@dataclass(frozen=True)
class Ratio:
    """The likelihood ratio of two models, or why there is none; and how many variances are zero in the smaller."""

    chisq: float = np.nan
    df: float = np.nan
    p_value: float = np.nan
    reference: str = ""
    reason: str = ""
    zero: int = 0


def _numbers(fit: KeptFit, by_ml: KeptFit) -> dict[str, object]:
    """Return the columns of one model that no other model changes."""
    correlation, marginal, conditional = variances.explained(fit)
    glm = fit.kind.statistic == "z_value"  # whose residuals are of the deviance
    loglik = optimum.loglik_of(by_ml, reml=False) if by_ml.reml else by_ml.loglik
    return {
        "formula": fit.formula,
        "npar": loglik.df,
        "aic": 2.0 * loglik.df - 2.0 * loglik,
        "bic": float(np.log(loglik.nobs)) * loglik.df - 2.0 * loglik,
        "loglik": float(loglik),
        "icc": correlation,
        "r2_marginal": marginal,
        "r2_conditional": conditional,
        "sigma": fit.sigma if fit.varcorr.has_residual else np.nan,
        "rmse": float(
            np.sqrt(np.mean(((objective.design(fit).y - fit.fitted_values) if glm else fit.residual_values) ** 2))
        ),
        "refitted": by_ml is not fit,
    }


def likelihood_ratio(name: str, fit: KeptFit, other_name: str, other: KeptFit, boundary: bool) -> Ratio:
    """Return the likelihood ratio of two models, or why there is none.

    Raises
    ------
    InvalidArgument
        No mixture is known for the variances that are zero in the smaller model.
    """
    df = abs(other.npar - fit.npar)
    small, large = sorted((fit, other), key=lambda each: each.npar)
    if fit.reml or other.reml:
        return Ratio(reason=NOT_REFITTED)
    if not df:
        return Ratio(reason=AS_MANY)
    zero = variances_at_zero((objective.design(small), small.varcorr), (objective.design(large), large.varcorr))
    if zero is None:
        return Ratio(reason=NOT_NESTED)
    if boundary and zero > 1:
        raise InvalidArgument(f"of {name!r} and {other_name!r} {NO_MIXTURE.format(zero=zero)}.")
    if not np.isfinite([small.loglik, large.loglik]).all():
        return Ratio(reason=NO_LIKELIHOOD)
    ratio = 2 * (float(large.loglik) - float(small.loglik))
    chisq = max(ratio, 0.0)
    reason = "" if ratio > -ROUNDING else SHORT
    if not (boundary and zero):
        return Ratio(chisq, df, _upper(chisq, df), f"chi2({df})", reason, zero)
    mixture = 0.5 * (_upper(chisq, df - 1) + _upper(chisq, df))
    return Ratio(chisq, df, mixture, f"0.5 chi2({df - 1}) + 0.5 chi2({df})", reason, zero)


def _upper(chisq: float, df: int) -> float:
    """Return the probability that chi-squared with some degrees of freedom, or none, is as large."""
    from scipy.special import chdtrc  # slow to load

    return float(chdtrc(df, chisq)) if df else float(chisq <= 0)


def _notes(models: Mapping[str, KeptFit], ratios: Mapping[str, Ratio], refit: bool, boundary: bool) -> Iterator[str]:
    """Yield what is to be known of the table."""
    if by_reml := [name for name, fit in models.items() if fit.reml]:
        where = "of their refits" if refit else "at their estimates by REML, which do not maximize it"
        names = "all models" if len(by_reml) == len(models) else ", ".join(by_reml)
        yield f"AIC, BIC and likelihood of {names} are by maximum likelihood, {where}."
    for name, ratio in ratios.items():
        if ratio.reason:
            yield f"{name}: {'no test, as ' * bool(np.isnan(ratio.chisq))}{ratio.reason}."
        if ratio.zero and boundary:
            yield f"{name}: p is of {ratio.reference}, as one variance is zero in the smaller model."
        elif ratio.zero:
            yield f"{name}: p is too large, as a variance of zero is on its boundary; see boundary=True."


def _format(spec: str) -> Callable[[float], str]:
    return lambda value: "" if np.isnan(value) else f"{value:{spec}}"
