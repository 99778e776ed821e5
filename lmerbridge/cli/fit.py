"""``lmerbridge fit``: a model of a file, as text or as a table."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lmerbridge.cli.console import exit_on_error
from lmerbridge.errors import InvalidArgument, LmerBridgeWarning
from lmerbridge.text import clean

if TYPE_CHECKING:
    import pandas as pd

    from lmerbridge.models import GlmerFit, LmerFit


def fit(
    formula: Annotated[str, typer.Argument(help="As in R: 'Reaction ~ Days + (Days | Subject)'.")],
    data: Annotated[
        Path, typer.Argument(help="A .csv, .tsv or .parquet file; text may be compressed.", exists=True, dir_okay=False)
    ],
    ml: Annotated[bool, typer.Option("--ml", help="Maximum likelihood instead of REML.")] = False,
    family: Annotated[
        str,
        typer.Option(
            help="Of a generalized model: binomial, 'poisson(sqrt)', ...; negative.binomial has its shape fitted."
        ),
    ] = "",
    nagq: Annotated[int, typer.Option(help="Nodes of the quadrature; 1 is Laplace's approximation.")] = 1,
    timeout: Annotated[float | None, typer.Option(help="Seconds after which R is stopped.")] = None,
    ddf: Annotated[
        str, typer.Option(help="Degrees of freedom and p-values: lme4 (none), Satterthwaite or Kenward-Roger.")
    ] = "lme4",
    output: Annotated[
        str, typer.Option("--format", help="text, R's summary; csv, json or latex, one row per estimate.")
    ] = "text",
    sep: Annotated[str | None, typer.Option(help="Between two values.", show_default="a comma, or a tab")] = None,
    decimal: Annotated[str | None, typer.Option(help="Before a number's decimals.", show_default="a point")] = None,
    na: Annotated[
        list[str] | None, typer.Option(help="A mark of a missing value; may be given again.", metavar="MARK")
    ] = None,
    encoding: Annotated[str | None, typer.Option(help="Such as latin-1.", show_default="utf-8")] = None,
) -> None:
    """Fit a model with lme4 and print its summary, or its estimates."""
    from lmerbridge.inputs import read_table

    with exit_on_error(), warnings.catch_warnings(record=True) as notices:
        warnings.simplefilter("always", LmerBridgeWarning)
        if output not in ("text", *TABLES):
            raise InvalidArgument(f"--format is {output!r}; text, {', '.join(TABLES)} are expected.")
        frame = read_table(data, sep=sep, decimal=decimal, na=na or (), encoding=encoding)
        fitted = _fit(formula, frame, ml, family, nagq, timeout)
        typer.echo(clean(_estimates(fitted, data.name, ddf, output)))
    for notice in notices:
        typer.echo(clean(f"{notice.category.__name__}: {notice.message}"), err=True)


def _fit(
    formula: str, frame: pd.DataFrame, ml: bool, family: str, nagq: int, timeout: float | None
) -> LmerFit | GlmerFit:
    """Fit a linear model, or a generalized one where a family is named."""
    from lmerbridge import glmer, glmer_nb, lmer

    if not family and nagq != 1:
        raise InvalidArgument(f"--nagq is {nagq} without a --family; a linear model has an exact likelihood.")
    if not family:
        return lmer(formula, frame, reml=not ml, timeout=timeout)
    if family == "negative.binomial":
        return glmer_nb(formula, frame, n_agq=nagq, timeout=timeout)
    return glmer(formula, frame, family, n_agq=nagq, timeout=timeout)


def _estimates(fit: LmerFit | GlmerFit, name: str, ddf: Any, output: str) -> str:  # noqa: ANN401  # text, checked by the fit
    """Return a fit as text, the name of its file in the place of R's for its data, or as a table."""
    from lmerbridge.models import GlmerFit

    if isinstance(fit, GlmerFit):
        if ddf != "lme4":
            raise InvalidArgument(f"--ddf is {ddf!r}; a generalized model has z statistics and no degrees of freedom.")
        return _text(str(fit), name) if output == "text" else TABLES[output](fit.tidy()).rstrip("\n")
    if output == "text":
        return _text(str(fit) if ddf == "lme4" else fit.summary(ddf).text, name)
    return TABLES[output](fit.tidy(ddf_method=None if ddf == "lme4" else ddf)).rstrip("\n")


def _text(text: str, name: str) -> str:
    return re.sub(r"(?m)^( *Data: )data$", lambda found: found[1] + name, text, count=1)


def _json_records(table: pd.DataFrame) -> str:
    """Return the rows of a table as JSON, every number to the last bit: pandas' own form has 15 digits."""
    return json.dumps(table.astype(object).where(table.notna(), None).to_dict("records"), indent=1, ensure_ascii=False)


def _latex(table: pd.DataFrame) -> str:
    """Return a table as LaTeX, without the columns that are empty."""
    present = table.dropna(axis=1, how="all")
    return present.to_latex(index=False, escape=True, na_rep="", float_format="{:.6g}".format)


TABLES: dict[str, Callable[[pd.DataFrame], str]] = {
    "csv": lambda table: table.to_csv(index=False),
    "json": _json_records,
    "latex": _latex,
}
