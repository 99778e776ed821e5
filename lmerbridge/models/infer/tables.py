"""R's tables of tests as frames, with the method for the denominator degrees of freedom beside each p-value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lmerbridge.bridge import Reply, frame_from_r, pieces
from lmerbridge.inputs import Ddf
from lmerbridge.results import Condition, shown

COLUMNS = {  # R's, of lme4, lmerTest and pbkrtest
    "Estimate": "estimate",
    "Std. Error": "std_error",
    "t value": "t_value",
    "z value": "z_value",
    "Pr(>|t|)": "p_value",
    "Pr(>|z|)": "p_value",
    "lower": "conf_low",
    "upper": "conf_high",
    "Sum Sq": "sum_sq",
    "Mean Sq": "mean_sq",
    "NumDF": "num_df",
    "DenDF": "den_df",
    "F value": "f_value",
    "Pr(>F)": "p_value",
    "AIC": "aic",
    "BIC": "bic",
    "logLik": "loglik",
    "-2*log(L)": "deviance",  # so called from lme4 1.1-36 on
    "LRT": "lrt",
    "Chisq": "chisq",
    "Df": "df",
    "Pr(Chi)": "p_value",
    "Pr(>Chisq)": "p_value",
    "Eliminated": "eliminated",
    "levels": "level",
    "stat": "statistic",
    "F.scaling": "f_scaling",
    "p.value": "p_value",
}


@shown()
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class AnovaTable:
    """A table of tests, with one row per term or model.

    Attributes
    ----------
    frame : DataFrame
        R's table, by its row names; its columns in snake_case.
    ddf : {"lme4", "Satterthwaite", "Kenward-Roger"}
        Method for the denominator degrees of freedom. "lme4" has none, and no p-values. The frame's column ``ddf`` has
        it beside each p-value of an F test.
    refitted : bool
        Whether the models were fitted again, by maximum likelihood, for their comparison.
    hypotheses : mapping of str to DataFrame
        The contrasts that a row's F tests, one column per term of the model: lmerTest's ``show_tests``.
    text : str
        The table as R prints it, which is what ``str`` gives.
    conditions : tuple of Condition
        What R signalled on the way.
    """

    frame: pd.DataFrame
    ddf: Ddf
    refitted: bool
    hypotheses: Mapping[str, pd.DataFrame]
    text: str
    conditions: tuple[Condition, ...]

    def __repr__(self) -> str:
        return self.text


def frame(values: Mapping[str, Any], ddf: Ddf = "lme4", prefix: str = "table.") -> pd.DataFrame:
    """Return one of R's tables, its columns named in snake_case and followed by the ddf method where there is one."""
    described = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    table = frame_from_r(described).rename(columns=COLUMNS)
    numbers = table.select_dtypes(["number", "bool"]).astype(float).fillna(float("nan"))  # R's NA is a signalling NaN
    table[numbers.columns] = numbers
    if "npar" in table and table["npar"].notna().all():
        table["npar"] = table["npar"].astype(int)
    return table if ddf == "lme4" else table.assign(ddf=pd.Series(ddf, table.index, dtype=object))


def anova_table(
    reply: Reply,
    terms: Sequence[str] = (),
    ddf: Ddf = "lme4",
    *,
    formulas: Mapping[str, str] | None = None,
    refitted: bool = False,
) -> AnovaTable:
    """Return the table of R's ``describe_tests``, with the formulas of its models where there are several."""
    table = frame(reply.values, ddf)
    if formulas is not None:
        table.insert(0, "formula", [formulas[name] for name in table.index])
    rows = pieces(reply.values["hypotheses.weights"], len(terms) * reply.values["hypotheses.rows"])
    weights = (pd.DataFrame(row.reshape((-1, len(terms)), order="F"), columns=list(terms)) for row in rows)
    return AnovaTable(
        frame=table,
        ddf=ddf,
        refitted=refitted,
        hypotheses=dict(zip(reply.values["hypotheses.name"], weights, strict=True)),
        text="refitting model(s) with ML (instead of REML)\n" * refitted + reply.values["text"][0],
        conditions=reply.conditions,
    )
