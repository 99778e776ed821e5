"""The table of known definitions: where two engines mean different things by one name."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Definition:
    """One entry of ``definitions.toml``.

    Attributes
    ----------
    parameters : mapping of str to str
        For each engine the variance parameters of its joint information: see `Information.by`.
    """

    name: str
    title: str
    engines: tuple[str, ...]
    kinds: tuple[str, ...]
    text: str
    borne_out_by: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def generalized(self) -> bool:
        """Whether it is a definition of standard errors of generalized models."""
        return self.borne_out_by.startswith(("joint", "given theta")) and not self.engines

    def covers(self, engine: str, kind: str) -> bool:
        """Whether the entry is about a kind of quantity of an engine.

        An engine with an option, such as ``statsmodels[shared]``, has the definitions of the engine without it.
        """
        return kind in self.kinds and ("*" in self.engines or _family(engine) in self.engines)

    def parameters_of(self, engine: str) -> str | None:
        """The variance parameters in which an engine takes the joint information, or None where it takes none."""
        return self.parameters.get(_family(engine))


def _family(engine: str) -> str:
    return engine.partition("[")[0]


@cache
def definitions() -> tuple[Definition, ...]:
    """Return all entries, in the order of the file."""
    data = tomllib.loads(files(__package__).joinpath("definitions.toml").read_text())
    return tuple(
        Definition(**row | {"engines": tuple(row["engines"]), "kinds": tuple(row["kinds"])})
        for row in data["definition"]
    )


def of_criteria(name: str) -> tuple[tuple[str, str], ...]:
    """Return that an entry accounts for what a criterion is in: kinds of quantities with its name."""
    return tuple((kind, name) for kind in ("logLik", "AIC", "BIC", "-2 logLik"))


def lookup(engine: str, kind: str) -> Definition | None:
    """Find the entry for a kind of quantity of an engine, or None."""
    return next((entry for entry in definitions() if entry.covers(engine, kind)), None)


def named(name: str) -> Definition:
    """Return the entry of this name."""
    return next(entry for entry in definitions() if entry.name == name)


def title(name: str) -> str:
    """Return the title of the entry of this name."""
    return named(name).title
