"""Options that several commands take."""

from __future__ import annotations

from importlib.metadata import entry_points
from textwrap import fill

import typer

CANDIDATES = ("statsmodels", "statsmodels[shared]")
NAMES = sorted({entry.name for entry in entry_points(group="lmerbridge.engines")})
OPTIONS = "An option goes in brackets: lme4[bobyqa], statsmodels[lbfgs], gpboost[cholesky]."
OF_ENGINES = "\b\n" + "\n".join(
    fill(text, 76, break_on_hyphens=False, subsequent_indent="  ")
    for text in (f"Engines: {', '.join(NAMES)}.", OPTIONS)
)
ENGINE = typer.Option(
    help="Engine under test; may be given again.", metavar="ENGINE", show_default=" and ".join(CANDIDATES)
)

USUAL = "lme4, and lme4[tight] for generalized models"
REFERENCE = typer.Option(help="Engine judged against, such as recorded:FILE where there is no R.", show_default=USUAL)
BACKEND = typer.Option(
    help="Where cases run: dask://HOST:PORT, or one of joblib's: loky, threading, sequential.", show_default="loky"
)
FAMILY = typer.Option(help="Only the cases of distributions that match this glob: gaussian, binomial, poisson, ...")
