"""Tests of terms, of models and of contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from lmerbridge.bridge import Table, encode_table, host, notices, row_vectors
from lmerbridge.errors import InvalidArgument, LmerBridgeWarning
from lmerbridge.formula import Formula, parse_fixed
from lmerbridge.inputs import Ddf
from lmerbridge.models.infer.summary import Summary, summary_from_r
from lmerbridge.models.infer.tables import AnovaTable, anova_table
from lmerbridge.models.kept import KeptFit, ask, model_of

SumsOfSquares: TypeAlias = Literal["I", "II", "III", 1, 2, 3]
TYPES = {"I": "1", "II": "2", "III": "3", 1: "1", 2: "2", 3: "3"}


def summary(
    fit: KeptFit, ddf: Ddf = "lme4", *, correlation: bool | None = None, timeout: float | None = None
) -> Summary:
    """Summarize the fit, with p-values for the coefficients if a method for their degrees of freedom is named.

    Parameters
    ----------
    ddf : {"lme4", "Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom. "lme4" has none, and no p-values.
    correlation : bool, optional
        Whether the text shows the correlations of the fixed effects; R shows those of up to 20.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    Summary

    Raises
    ------
    InvalidArgument
        Kenward-Roger's method is asked for of a fit by ML or with weights; either of a structured covariance.
    SetupError
        lmerTest or pbkrtest is not installed.

    Source: ``summary`` of lme4 and of lmerTest (Kuznetsova, Brockhoff and Christensen, 2017).

    Examples
    --------
    >>> fit.summary("Satterthwaite").coefficients[["t_value", "df", "ddf"]].round(2)
                 t_value    df            ddf
    (Intercept)    36.84  17.0  Satterthwaite
    Days            6.77  17.0  Satterthwaite
    """
    reply = ask(fit, "summary_of", timeout=timeout, ddf=ddf, correlation=correlation)
    return summary_from_r(fit, reply.values, ddf, reply.conditions)


def anova(
    fit: KeptFit,
    *others: KeptFit | str,
    type: SumsOfSquares | None = None,
    ddf: Ddf = "lme4",
    refit: bool = True,
    model_names: Sequence[str] | None = None,
    timeout: float | None = None,
) -> AnovaTable:
    """Test the terms of this model, or compare it with others by likelihood ratios.

    Parameters
    ----------
    *others : LmerFit or str
        Fits of the same rows and response; or formulas without random terms, ``"y ~ x"``, of linear models of this
        fit's data, with its weights, offset and subset. Without any, the terms of this model are tested.
    type : {"I", "II", "III", 1, 2, 3}
        Of sums of squares: lme4's are sequential, "I"; with a ``ddf`` method, the default is "III".
    ddf : {"lme4", "Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom. "lme4" has none, and no p-values.
    refit : bool
        Whether fits by REML are compared as fits by ML.
    model_names : sequence of str
        Of this model and the others; the default is ``m1``, ``m2`` and so on.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    AnovaTable
        One row per term: npar (lme4), sum_sq, mean_sq, num_df, den_df, f_value, p_value, ddf. Or one row per model, by
        number of parameters: formula, npar, aic, bic, loglik, deviance, chisq, df, p_value, where a row is tested
        against the one above it. ``refitted`` tells of a refit.

    Raises
    ------
    InvalidArgument
        The models have other rows, responses or values; or an argument does not go with another.

    Source: ``anova`` of lme4 and of lmerTest.

    Examples
    --------
    >>> sleepstudy = load_dataset("sleepstudy")
    >>> slopes = lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
    >>> slopes.anova(ddf="Kenward-Roger").frame[["num_df", "den_df", "f_value", "ddf"]].round(2)
          num_df  den_df  f_value            ddf
    Days     1.0    17.0    45.85  Kenward-Roger
    >>> slopes.anova(lmer("Reaction ~ Days + (1 | Subject)", sleepstudy)).frame[["npar", "chisq", "df"]].round(2)
        npar  chisq   df
    m2     4    NaN  NaN
    m1     6  42.14  2.0
    >>> slopes.anova("Reaction ~ Days").frame[["formula", "chisq"]].round(2)
                                   formula   chisq
    m2                     Reaction ~ Days     NaN
    m1  Reaction ~ Days + (Days | Subject)  148.35
    """
    if not others:
        if model_names is not None or not refit:
            raise InvalidArgument("refit and model_names are for the comparison of several models; one was given.")
        reply = ask(fit, "anova_one", timeout=timeout, type=_sums_of_squares(type, ddf), ddf=ddf)
        return anova_table(reply, fit.terms, ddf)
    if type is not None or ddf != "lme4":
        raise InvalidArgument("type and ddf are for the terms of one model; likelihood ratios have neither.")
    names = _model_names((fit, *others), model_names)
    linear = {other: parse_fixed(other, fit.spec.functions) for other in others if isinstance(other, str)}
    models = [_fit_linear(fit, linear[other]) if isinstance(other, str) else model_of(other) for other in others]
    handles = [model.handle for model in models]
    reply = ask(fit, "anova_several", timeout=timeout, others=handles, names=names, refit=bool(refit))
    mixed = [other for other in others if isinstance(other, KeptFit)]
    if not refit and any(other.reml and other.terms != fit.terms for other in mixed):
        told = "likelihoods by REML of models with other fixed effects cannot be compared; use refit=True."
        notices.give([LmerBridgeWarning(told)])
    refitted = refit and any(each.reml for each in (fit, *mixed))
    texts = (linear[other].text if isinstance(other, str) else other.formula for other in others)
    formulas = dict(zip(names, (fit.formula, *texts), strict=True))
    return anova_table(reply, formulas=formulas, refitted=refitted)


def _fit_linear(fit: KeptFit, formula: Formula) -> host.RModel:
    """Fit a linear model, or one of the fit's family, to the data of a fit."""
    table = encode_table(fit.spec.data, formula, fit.spec.kind)
    data = Table({**table.columns, **row_vectors(fit.spec)}, table.rows)
    given = fit.spec.particulars
    own = {name: given[name] for name in ("family", "link", "theta") if name in given}
    return host.keep("fit_linear", formula=formula.source, data=data, allow=fit.spec.allow, **own)


def drop1(
    fit: KeptFit,
    scope: Sequence[str] | None = None,
    test: Literal["none", "Chisq", "F"] | None = None,
    *,
    ddf: Ddf = "lme4",
    k: float = 2.0,
    timeout: float | None = None,
) -> AnovaTable:
    """Drop each term of the fixed part that no other contains, one at a time.

    Parameters
    ----------
    scope : sequence of str
        The terms to drop, if not all of these.
    test : {"none", "Chisq", "F"}
        "none" (AIC alone) and "Chisq" (likelihood ratio) are lme4's, of fits by ML; "F" is lmerTest's, and wants a
        ``ddf`` method.
    ddf : {"lme4", "Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom. "lme4" has none, and no p-values.
    k : float
        Penalty per parameter in the AIC.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    AnovaTable
        One row per term, after one for the whole model where lme4 tests: npar, aic and, with "Chisq", lrt and p_value;
        or sum_sq, mean_sq, num_df, den_df, f_value, p_value, ddf.

    Source: ``drop1`` of lme4 and of lmerTest. A function of one's own in place of a test is not wrapped.

    Examples
    --------
    >>> fit.drop1(test="Chisq").frame.round(2)
            npar      aic    lrt  p_value
    <none>   NaN  1763.94    NaN      NaN
    Days     1.0  1785.48  23.54      0.0
    """
    test = test or ("none" if ddf == "lme4" else "F")
    if (test == "F") != (ddf != "lme4"):
        expected = "'none' or 'Chisq' with ddf 'lme4', and 'F' with another"
        raise InvalidArgument(f"test is {test!r} and ddf is {ddf!r}; {expected} is expected.")
    if scope is not None and not len(scope):
        raise InvalidArgument("scope is empty; terms to drop, or None for all that can be dropped, are expected.")
    terms = None if scope is None else [scope] if isinstance(scope, str) else list(scope)
    reply = ask(fit, "drop1_of", timeout=timeout, scope=terms, test=test, k=float(k), ddf=ddf)
    return anova_table(reply, fit.terms, ddf)


def _sums_of_squares(kind: SumsOfSquares | None, ddf: Ddf) -> str:
    kind = kind or ("I" if ddf == "lme4" else "III")
    if ddf == "lme4" and TYPES[kind] != "1":
        told = f"type is {kind!r}, and lme4's own table is sequential (type 'I')"
        raise InvalidArgument(f"{told}; name a method too: ddf='Satterthwaite' or 'Kenward-Roger'.")
    return TYPES[kind]


def _model_names(fits: Sequence[object], given: Sequence[str] | None) -> list[str]:
    others = [fit for fit in fits if not (isinstance(fit, str) and "~" in fit)]
    wrong = [type(fit).__name__ for fit in others if not isinstance(fit, KeptFit)]
    if wrong:
        expected = "fits of lmer are expected, or formulas of linear models, and options by name"
        raise InvalidArgument(f"anova is given a {wrong[0]}; {expected}.")
    given = [given] if isinstance(given, str) else given
    names = [f"m{i}" for i in range(1, len(fits) + 1)] if given is None else list(given)
    if len(names) != len(fits) or len(set(names)) != len(names) or not all(isinstance(name, str) for name in names):
        raise InvalidArgument(f"model_names is {given!r}; {len(fits)} different names are expected.")
    return names
