"""What the study fits, and how."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument

BLOCKS = {  # what each is made of
    "published": "numbers that other projects printed, of linear models",
    "exact": "linear models whose answers are known in closed form, to 20 digits",
    "real": "linear models of published data sets, by REML and by ML",
    "simulated": "linear models of data drawn by several designs, by REML and by ML",
    "scales": "three linear models with response and covariate in other units, or far from zero, by REML or ML",
    "small": "few small groups, variances at zero, up to three slopes, by REML and ML",
    "glmm": "generalized models of published and of drawn data, by Laplace's approximation and by quadrature",
}
SUITE = ("real", "simulated", "glmm")  # the blocks that `make report` fits
KNOWN = ("published", "exact")
REFERENCE = "lme4"
Named = TypeVar("Named")


@dataclass(frozen=True)
class StudyPlan:
    """What is to be fitted, and how.

    Attributes
    ----------
    engines : tuple of str
    blocks : tuple of str
        Some of `BLOCKS`.
    pattern : str
        Only the cases whose names match this glob.
    report : mapping or None
        What a ``parity.json`` holds: an engine whose version there is the one installed is not fitted again on the
        suite.
    jobs : int or None
    timeout : float or None
        Seconds that one engine may take on one model.
    cache : Path or None
        The folder that keeps results of the suite and of the added blocks.
    """

    engines: tuple[str, ...]
    blocks: tuple[str, ...] = tuple(BLOCKS)
    pattern: str = "*"
    report: Mapping[str, Any] | None = None
    jobs: int | None = None
    timeout: float | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        unknown = [block for block in self.blocks if block not in BLOCKS]
        if unknown:
            raise InvalidArgument(f"the blocks have {unknown}; {', '.join(BLOCKS)} are expected.")
        for name in self.engines:
            find(name)

    @property
    def everyone(self) -> tuple[str, ...]:
        """The engines, lme4 first."""
        return tuple(dict.fromkeys((REFERENCE, *self.engines)))

    def picked(self, among: Iterable[Named], name: str = "name") -> list[Named]:
        """Return those whose name matches the pattern."""
        return [each for each in among if fnmatchcase(getattr(each, name), self.pattern)]

    def covers(self, engines: Iterable[str]) -> bool:
        """Whether nothing is left of an older study of these engines."""
        whole = set(self.blocks) == set(BLOCKS) and self.pattern == "*"
        return whole and set(engines) <= {*self.everyone, "lme4[tight]"}
