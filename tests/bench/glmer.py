"""What the facade costs over the same generalized model inside R."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lmerbridge import glmer, load_dataset
from lmerbridge.bridge import host
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import Ratio, ratio
from tests.bench.row import Row
from tests.bench.rscript import Rscript
from tests.processes import frame_in_r

MODELS = {  # formula, data set, family, repeats, and how many times R's own seconds are allowed
    "cbpp, 56 rows": ("cbind(incidence, size - incidence) ~ period + (1 | herd)", "cbpp", "binomial", 30, 1.10),
    "grouseticks, 403 rows": ("TICKS ~ YEAR + height + (1 | BROOD) + (1 | INDEX)", "grouseticks", "poisson", 10, 1.05),
    "Contraception, 1934 rows": ("use ~ age + urban + livch + (1 | district)", "Contraception", "binomial", 7, 1.05),
    "VerbAgg, 7584 rows": ("r2 ~ Anger + Gender + btype + (1 | id)", "VerbAgg", "binomial", 7, 1.03),
}


def frame(name: str) -> pd.DataFrame:
    """The data set, its height on a scale of its own where it has one."""
    data = frame_in_r("mlmRev::Contraception") if name == "Contraception" else load_dataset(name)
    if "HEIGHT" in data:
        data["height"] = (data["HEIGHT"] - data["HEIGHT"].mean()) / data["HEIGHT"].std()
    return data


def face(formula: str, data: pd.DataFrame, family: str) -> object:
    """Fit, and read all of the face."""
    fit = glmer(formula, data, family)
    tables = fit.fixef, fit.vcov, fit.coefficients, fit.varcorr.frame, fit.ranef, fit.fitted, fit.residuals
    scalars = fit.theta, fit.loglik, fit.aic, fit.bic, fit.criterion, fit.residual_deviance, fit.nobs, fit.singular
    return tables, scalars, fit.quantities(), str(fit)


def compared(formula: str, data: pd.DataFrame, family: str, repeats: int) -> Ratio:
    """The facade beside R alone and its accessors."""
    with Rscript(d=data) as r:
        theirs = f"face(glmer({formula}, d, {family}))"
        return ratio(
            repeats,
            lambda: cpu_seconds(lambda: face(formula, data, family)),
            lambda: r.seconds(theirs),
            warm=2,
        )


def rows() -> Iterator[Row]:
    """Yield a row per model, of Contraception where R has the package mlmRev."""
    absent = set() if host.call("installed_packages", packages=["mlmRev"]).values["name"] else {"Contraception"}
    for name, (formula, dataset, family, repeats, bar) in MODELS.items():
        if dataset not in absent:
            yield Row.of(f"glmer of {name} / R's accessors", bar, compared(formula, frame(dataset), family, repeats))
