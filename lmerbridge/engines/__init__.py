"""Engines: whatever can fit a mixed model and tell its numbers in R's words."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Protocol, runtime_checkable

from lmerbridge.errors import InvalidArgument
from lmerbridge.results import Fit
from lmerbridge.spec import Spec

GROUP = "lmerbridge.engines"


@runtime_checkable
class Engine(Protocol):
    """What the referee asks of an engine.

    Attributes
    ----------
    name : str
        As reports print it.
    capabilities : frozenset of str
        ``"shared_design"``: wants ``spec.design``, the reference's own matrices.
    """

    @property
    def name(self) -> str:
        """The engine's name in reports."""
        ...

    @property
    def capabilities(self) -> frozenset[str]:
        """What the engine can do beyond a plain fit."""
        ...

    def fit(self, spec: Spec) -> Fit:
        """Fit the model.

        Raises
        ------
        NotExpressible
            The engine has no form for this model.
        EngineFailed
            It has, and could not fit it.
        """
        ...


def names() -> tuple[str, ...]:
    """Names of the engines installed, ours and others', sorted."""
    return tuple(sorted({entry.name for entry in entry_points(group=GROUP)}))


def find(name: str) -> Engine:
    """Return an engine by its name.

    Raises
    ------
    InvalidArgument
        No installed package offers an engine of that name.
    """
    if not isinstance(name, str):
        raise InvalidArgument(f"an engine is given as {name!r}; a name, or an object with fit() is expected.")
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            engine: Engine = entry.load()()
            return engine
    raise InvalidArgument(f"no engine {name!r} is installed; there are {', '.join(names())}.")
