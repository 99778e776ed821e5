"""Fits side by side, as a paper prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Ddf, check_methods, check_signature
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.tidy import columns, render
from lmerbridge.models.tidy.cells import cells, mark
from lmerbridge.models.tidy.tidy import Scale
from lmerbridge.results import Fit, shown

Statistic: TypeAlias = Literal["std_error", "conf_int", "p_value", "t_value"]
OF_STATISTIC = {
    "std_error": "Standard errors are in parentheses.",
    "conf_int": "{level:.4g}% confidence intervals are in brackets.",
    "p_value": "P-values are below the estimates.",
    "t_value": "T-values are below the estimates.",
}
DIGITS = 15  # decimals that a double may have
OF_DDF = "Degrees of freedom are by {ddf}."
OF_STARS = "*** p < 0.001, ** p < 0.01, * p < 0.05."
OF_REML = "By REML, logLik, AIC and BIC compare models of the same fixed effects only."
OF_RESPONSES = "The models are of different responses, between which logLik, AIC and BIC do not decide."
OF_ROWS = "The models are of different numbers of rows."


@check_methods
@shown("cells")
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class ModelTable:
    """Fits side by side.

    ``str`` gives the table as text, and a notebook shows it.

    Attributes
    ----------
    frame : DataFrame
        Numbers by section, row and statistic, one column per model; NaN where a model has no such thing.
    cells : DataFrame
        The same as text, by section and label, as `to_html`, `to_latex` and `to_docx` write it.
    notes : tuple of str
        What stands below the table.
    formulas : tuple of str
    """

    frame: pd.DataFrame
    cells: pd.DataFrame
    notes: tuple[str, ...]
    formulas: tuple[str, ...]

    def __str__(self) -> str:
        return render.text(self.cells, self.notes)

    def to_html(self, title: str = "") -> str:
        """Return the table as HTML, with its own style and without scripts, by great_tables.

        Parameters
        ----------
        title : str

        Raises
        ------
        SetupError
            great_tables is not installed.
        """
        return render.html(self.cells, self.notes, title)

    def to_latex(self, title: str = "") -> str:
        """Return the table as LaTeX by great_tables, for the packages booktabs, array and caption.

        Parameters
        ----------
        title : str
            XeLaTeX and LuaLaTeX print any letter, pdfLaTeX those of Latin alphabets.

        Raises
        ------
        SetupError
            great_tables is not installed.
        """
        return render.latex(self.cells, self.notes, title)

    def to_docx(self, path: str | Path, title: str = "") -> Path:
        """Write the table as a document of Word by python-docx.

        Parameters
        ----------
        path : path
            It ends in ``.docx``; a file that is there is replaced.
        title : str

        Returns
        -------
        Path
            The file.

        Raises
        ------
        InvalidArgument
            It cannot be written.
        SetupError
            python-docx is not installed.
        """
        return render.docx(Path(path), self.cells, self.notes, title)


@check_signature
def model_table(
    *fits: Fit,
    names: Sequence[str] | None = None,
    statistic: Statistic | Sequence[Statistic] = "std_error",
    level: float = 0.95,
    ddf: Ddf = "lme4",
    stars: bool = False,
    scales: Scale = "sdcor",
    digits: int = 3,
) -> ModelTable:
    """Set fits side by side: fixed effects, random effects, and what tells of each fit as a whole.

    Parameters
    ----------
    *fits : Fit
        Of lme4, or of any engine where no degrees of freedom are asked for.
    names : sequence of str, optional
        What to call the models. The default is (1), (2) and so on.
    statistic : {"std_error", "conf_int", "p_value", "t_value"}, or a sequence of these
        What stands below each estimate; an empty sequence is nothing.
    level : float
        Confidence level of the intervals by standard errors, between 0 and 1.
    ddf : {"lme4", "Satterthwaite", "Kenward-Roger"}
        Method for the degrees of freedom of intervals and p-values. "lme4" has none: intervals are by the normal
        distribution, and there are no p-values.
    stars : bool
        Whether p-values below 0.05, 0.01 and 0.001 are marked.
    scales : {"sdcor", "vcov"}
        Random effects as standard deviations and correlations, or as variances and covariances.
    digits : int
        Decimals; a smaller number has as many significant digits.

    Returns
    -------
    ModelTable

    Raises
    ------
    InvalidArgument

    Examples
    --------
    >>> null = fit.update("Reaction ~ 1 + (Days | Subject)")
    >>> table = model_table(null, fit, names=["null", "slope"], digits=2)
    >>> table.cells.loc["Fixed effects"].rename_axis(None)
                   null   slope
    (Intercept)  257.76  251.41
                 (6.76)  (6.82)
    Days                  10.47
                         (1.55)
    """
    asked = [statistic] if isinstance(statistic, str) else list(dict.fromkeys(statistic))
    _check(fits, asked, ddf, stars, digits)
    called = _names(names, len(fits))
    fixed = [columns.fixed_effects(fit, level, ddf) for fit in fits]
    found = [columns.column(fit, table, asked, scales) for fit, table in zip(fits, fixed, strict=True)]
    keys = sorted(dict.fromkeys(key for each in found for key in each), key=columns.rank)
    index = pd.MultiIndex.from_tuples(keys, names=["section", "row", "statistic"])
    frame = pd.DataFrame([[each.get(key) for each in found] for key in keys], index, called, dtype=float)
    marks = {name: dict(table["p_value"].map(mark)) for name, table in zip(called, fixed, strict=True) if stars}
    return ModelTable(
        frame=frame,
        cells=cells(frame, marks, digits),
        notes=tuple(_notes(fits, asked, level, ddf, stars)),
        formulas=tuple(fit.formula for fit in fits),
    )


def _check(fits: Sequence[object], statistics: Sequence[str], ddf: str, stars: bool, digits: int) -> None:
    """Check the fits, and what is asked for against what they have.

    Raises
    ------
    InvalidArgument
    """
    if not fits:
        raise InvalidArgument("there are no fits; at least one is expected, as in model_table(fit1, fit2).")
    for fit in fits:
        if not isinstance(fit, Fit):
            raise InvalidArgument(
                f"a {type(fit).__name__} is among the fits; model_table(fit1, fit2) takes fits alone."
            )
        if ddf != "lme4" and not isinstance(fit, KeptFit):
            raise InvalidArgument(
                f"ddf is {ddf!r}, and a fit of {fit.engine} has no degrees of freedom; leave ddf out."
            )
    if ddf == "lme4" and (stars or "p_value" in statistics):
        raise InvalidArgument("p-values need degrees of freedom; ddf='Satterthwaite' or 'Kenward-Roger' is expected.")
    if not 0 <= digits <= DIGITS:
        raise InvalidArgument(f"digits is {digits}; a whole number from 0 to {DIGITS} is expected.")


def _names(names: Sequence[str] | None, count: int) -> list[str]:
    called = [f"({i})" for i in range(1, count + 1)] if names is None else list(names)
    if len(called) != count or len({*called} - {""}) < count:
        raise InvalidArgument(f"names is {names!r}; {count} different ones are expected, one per fit.")
    return called


def _notes(fits: Sequence[Fit], statistics: Sequence[str], level: float, ddf: str, stars: bool) -> Iterator[str]:
    """Yield what a reader is to know of the numbers."""
    yield from (OF_STATISTIC[name].format(level=100 * level) for name in statistics)
    if ddf != "lme4" and (stars or {"conf_int", "p_value"} & {*statistics}):
        yield OF_DDF.format(ddf=ddf)
    if stars:
        yield OF_STARS
    if any(fit.reml for fit in fits) and len({fit.terms for fit in fits}) > 1:
        yield OF_REML
    if len({fit.formula.partition("~")[0].strip() for fit in fits}) > 1:
        yield OF_RESPONSES
    if len({fit.nobs for fit in fits}) > 1:
        yield OF_ROWS
