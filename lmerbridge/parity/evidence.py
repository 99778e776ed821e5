"""What the referee found of a pair of fits: codes, figures and numbers, before any verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from lmerbridge.parity.words import Code, Figures, sentence


@dataclass(frozen=True)
class Evidence:
    """What one stage of the procedure found.

    Attributes
    ----------
    code : Code
        What was found. It has its stage, and whether the engines agree there.
    figures : mapping
        The numbers and names in the sentence.
    """

    code: Code
    figures: Figures = field(default_factory=dict)

    @property
    def stage(self) -> str:
        """The stage: see `Code`."""
        return self.code.stage

    @property
    def agrees(self) -> bool:
        """Whether the engines agree at this stage."""
        return self.code.agrees

    @property
    def text(self) -> str:
        """The sentence, with the figures in it."""
        return sentence(self.code, self.figures)


@dataclass(frozen=True)
class Line:
    """The common objective along a straight line through theta.

    Attributes
    ----------
    along : str
        What changes: "" for the line through both answers, else the name of one element of theta; the others are
        held where the better answer has them.
    reference, candidate : float
        Where the two answers lie: 0 and 1 on the line through both, else their values of that element.
    at : tuple of float
    above : tuple of float
        Deviance units above the lowest value found by anyone; NaN where the objective has none.
    """

    along: str
    reference: float
    candidate: float
    at: tuple[float, ...]
    above: tuple[float, ...]


@dataclass(frozen=True)
class Native:
    """One number by two definitions.

    Attributes
    ----------
    quantity : str
        Its name, as in `Fit.quantities`; ``var_se[group.term]`` is the standard error of a variance.
    reference : float
        The reference's; for ``var_se``, which lme4 does not print, that of the common objective at its estimates.
    native : float
        As the candidate itself prints it.
    corrected : float
        By the reference's definition, from the candidate's own estimates.
    """

    quantity: str
    reference: float
    native: float
    corrected: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """What one objective says of two fits of the same model.

    Attributes
    ----------
    gap : dict of str to float
        For each engine, deviance units above the best optimum known.
    worse : str or None
        The engine at fault.
    minimum : float
        The lowest value of the objective found by anyone.
    noise : float
        Rounding error of the objective at the minimum, in deviance units.
    marks : tuple of str
        ``boundary`` (a variance is zero, or a correlation is one), ``flat`` (the criterion hardly moves between two
        answers that differ), ``at a limit`` (a gap or the worst difference is between half its limit and
        twice that).
    theta : tuple of float
        The candidate's theta in the reference's order.
    optimizers : dict of str to float
        For each of lme4's own optimizers, deviance units above the best optimum known.
    native : tuple of Native
        What the candidate defines in its own way, by its definition and by the reference's.
    lines : tuple of Line
        The objective along the line through both answers, and a slice of it; empty where no gap is above tolerance.
    """

    gap: dict[str, float]
    worse: str | None
    minimum: float
    noise: float
    marks: tuple[str, ...] = ()
    theta: tuple[float, ...] = ()
    optimizers: dict[str, float] = field(default_factory=dict)
    native: tuple[Native, ...] = ()
    lines: tuple[Line, ...] = ()
