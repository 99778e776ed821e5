"""What the referee asks of an objective, whatever the kind of model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

from lmerbridge.results import Array, Design, Fit


class Surface(Protocol):
    """A criterion over the points that answers are.

    Of a linear model a point is theta, for everything else is profiled out. Of a generalized one it is theta and the
    fixed effects behind it, and a shape where that is estimated.
    """

    @classmethod
    def of(cls, fit: Fit, design: Design, n_agq: int) -> Self:
        """The objective that a reference's criterion is of, by so many nodes."""
        ...

    @property
    def lower(self) -> Array:
        """Lower bounds of a point: 0 for the diagonals of theta, else none."""
        ...

    @property
    def scale(self) -> Array:
        """For each element of a point, what a unit of it moves in the linear predictor."""
        ...

    @property
    def default(self) -> Array:
        """The point that lme4 starts from."""
        ...

    @property
    def starts(self) -> Array:
        """Points to start from, shape (nstarts, nelements)."""
        ...

    def point(self, fit: Fit) -> Array:
        """The point that a fit's answer is."""
        ...

    def excess(self, theta: Array, beta: Array, sigma: float) -> float:
        """How much the criterion grows where what a point leaves out is given and not the best."""
        ...

    def read(self, fit: Fit, rounding: float) -> Attribution:
        """Find the objective that a candidate's criterion is of."""
        ...

    def polish(self, start: Array) -> tuple[Array, float]:
        """Minimize from a start to rounding level."""
        ...

    def __call__(self, point: Array, /) -> float:
        """Value of the criterion, in deviance units."""
        ...


@dataclass(frozen=True, eq=False)
class Attribution:
    """The objective that a candidate's criterion is of.

    Attributes
    ----------
    surface : Surface
        Under which its gap is measured, and its numbers are held.
    cause : str
        What makes it another than the reference's, in the words of `words.CAUSES`; "" where nothing does, or where
        nobody knows what.
    """

    surface: Surface
    cause: str = ""
