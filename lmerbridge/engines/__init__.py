"""Engines: whatever can fit a mixed model and tell its numbers in R's words.

An engine is a class with a ``name``, ``capabilities`` and ``fit``. This one is lme4 as a table prints it:

>>> from dataclasses import replace
>>> from lmerbridge import compare, lmer, load_dataset
>>> class Printed:
...     name = "printed"
...     capabilities = frozenset()
...
...     def fit(self, spec):
...         fit = lmer(spec.formula, spec.data, reml=spec.reml)
...         return replace(fit.numbers(), engine=self.name, beta=fit.beta.round(1))
>>> result = compare("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"), candidate=Printed())
>>> print(result.verdict)
unexplained

A package that lists the class under the entry point group ``lmerbridge.engines`` has it found by its name::

    [project.entry-points."lmerbridge.engines"]
    printed = "mypackage.parity:Printed"

`PlainEngine` is the shorter way for a package that takes columns and a formula, or matrices: `Plain` hands it the model
under names that any formula language reads, and takes `PlainEstimates` back. ``glmm.py``, beside this module, is a
whole adapter made with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from lmerbridge.engines.answer import check_fit
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Spec
from lmerbridge.results import Design, Fit
from lmerbridge.translate import Plain, PlainEngine, PlainEstimates, refuse_kind

__all__ = ("Engine", "Plain", "PlainEngine", "PlainEstimates", "find", "fit_with", "names")

GROUP = "lmerbridge.engines"
RECORDED = "recorded:"


@runtime_checkable
class Engine(Protocol):
    """What the referee asks of an engine.

    Attributes
    ----------
    name : str
        As reports print it.
    capabilities : frozenset of str
        ``"shared_design"``: wants ``spec.design``, the reference's own matrices. ``"glmm"``: fits generalized models,
        each of which is a `GlmerSpec`; without it the engine is given none.
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

    An option may follow in brackets where its class has ``options``: ``lme4[bobyqa]``. ``recorded:FILE`` is what
    ``lmerbridge record`` wrote to a file.

    Raises
    ------
    InvalidArgument
        No installed package offers an engine of that name, the engine has no such option, or the file is no recording.
    """
    if not isinstance(name, str):
        raise InvalidArgument(f"an engine is given as {name!r}; a name, or an object with fit() is expected.")
    if name.startswith(RECORDED):
        return _recording(name.removeprefix(RECORDED))
    with_option = re.fullmatch(r"(.+)\[(.*)\]", name)
    for wanted, *option in ((name,), *([with_option.groups()] if with_option else [])):
        for entry in entry_points(group=GROUP, name=wanted):
            return _make(entry.load(), wanted, *option)
    known = {each.lower(): each for each in names()}
    near = [repr(known[found]) for found in get_close_matches(name.lower(), known, n=2)]
    there = f". Did you mean {' or '.join(near)}?" if near else f"; there are {', '.join(known.values())}."
    raise InvalidArgument(f"no engine {name!r} is installed{there}")


def fit_with(engine: Engine, spec: Spec) -> Fit:
    """Fit a model with an engine, on data of the engine's own.

    An engine is anybody's code: what it changes in its model reaches neither the next engine nor the caller.

    Raises
    ------
    NotExpressible
        Its capabilities do not name this kind of model, or it has no form for the model.
    EngineFailed
        What it returned is no fit of this kind, or of this model's rows.
    """
    refuse_kind(spec, engine.name, engine.capabilities, getattr(engine, "reasons", {}))
    return check_fit(engine.name, engine.fit(spec.copy()), len(spec.data), spec.kind)


def with_design(engine: Engine, spec: Spec, design: Callable[[], Design | None]) -> Spec:
    """Return the model with a reference's design where the engine fits that, which is computed for no other."""
    return replace(spec, design=design()) if "shared_design" in engine.capabilities else spec


def _recording(source: str) -> Engine:
    from lmerbridge.engines.recorded import Recorded

    return Recorded(source)


def _make(factory: Any, name: str, *option: str) -> Engine:  # noqa: ANN401 - anybody's class
    """Make an engine, with one of the options that its class lists or with none."""
    options = getattr(factory, "options", ())
    if not set(option) <= set(options):
        known = f"has {', '.join(options)}" if options else "takes no option"
        raise InvalidArgument(f"the engine {name} {known}, and not {option[0]!r}.")
    engine: Engine = factory(*option)
    return engine
