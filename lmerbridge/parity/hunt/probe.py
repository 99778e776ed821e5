"""Questions to an engine in a process of its own, which it may end or hang in."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from math import inf

from lmerbridge.engines import Engine, find
from lmerbridge.errors import EngineFailed, TimedOut
from lmerbridge.inputs import Spec
from lmerbridge.parity.hunt import finding, invariance, key, oracles, shrink, space
from lmerbridge.parity.process import call_apart

SECONDS = 60.0  # that a fit of at most 80 rows, its judgement included, may take
MOST = 150  # questions to shrink one finding


@dataclass(frozen=True)
class Target:
    """The engine that is hunted, and how.

    Attributes
    ----------
    engine : str or bytes
        Its name, or itself as a pickle.
    version : str
        Of its package, "" where it tells none.
    reference : str
    seed : int
    families : tuple of str
    silent : bool
        Whether only what it says nothing of counts.
    until : float
        The time at which nothing new begins, infinite where there is none.
    """

    engine: str | bytes
    version: str
    reference: str
    seed: int
    families: tuple[str, ...]
    silent: bool = False
    until: float = inf

    @property
    def name(self) -> str:
        """The engine's name."""
        return self.engine if isinstance(self.engine, str) else engine_of(self.engine).name

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.time() >= self.until


@dataclass(frozen=True, eq=False)
class Hit:
    """What a design showed.

    Attributes
    ----------
    index : int
    spec : Spec
    symptom : oracles.Symptom or None
    key : str
        Of the symptom as it is.
    fits : int
    """

    index: int
    spec: Spec
    symptom: oracles.Symptom | None
    key: str
    fits: int


def handle_of(engine: str | Engine) -> str | bytes:
    """Return an engine's name, or an engine in a form that another process reads, wherever its class is defined."""
    if isinstance(engine, str):
        return engine
    try:
        cloudpickle = import_module("cloudpickle")
    except ModuleNotFoundError:  # before joblib 1.6, which has one inside
        cloudpickle = import_module("joblib.externals.cloudpickle")
    return bytes(cloudpickle.dumps(engine))


def screen(target: Target, index: int) -> Hit | None:
    """Draw a design and say what is wrong with the engine's answer, None where the time is up."""
    if target.over:
        return None
    spec = space.draw_design(target.seed, index, target.families)
    change = [*invariance.CHANGES][index % len(invariance.CHANGES)]
    found = ask_apart(target, spec, change)
    found = None if found and target.silent and not found.silent else found
    return Hit(index, spec, found, key.key(found, spec) if found else "", 1 + (found is None))


def ask_apart(target: Target, spec: Spec, change: str = "") -> oracles.Symptom | None:
    """Say what is wrong with the engine's answer: see `oracles.find_symptom`."""
    try:
        found: oracles.Symptom | None = call_apart(_examine, target.engine, spec, change, seconds=SECONDS)
    except (EngineFailed, TimedOut) as error:
        return oracles.crash(str(error))
    return found


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of a symptom.

    Attributes
    ----------
    finding : Finding or None
        None where nobody else sees it.
    fits : int
        Of the engine.
    whole : bool
        Whether nothing smaller shows it; else time or fits ended before.
    """

    finding: finding.Finding | None
    fits: int
    whole: bool = True


def investigate(target: Target, hit: Hit, most: float = inf) -> Outcome:
    """Shrink what a design showed, and have it confirmed.

    What is no longer seen when it is small is told of a larger design on the way. `most` bounds the fits of shrinking.
    """
    assert hit.symptom is not None  # noqa: S101  # only such hits come here
    change = _change(hit.symptom.oracle)
    asks = int(min(MOST, most / (1 + bool(change))))

    def ask(spec: Spec) -> oracles.Symptom | None:
        return None if target.over else ask_apart(target, spec, change)

    shrinker = shrink.Shrinker(hit.spec, hit.symptom, ask, asks)
    shrinker.run()
    fits = (asks - shrinker.left) * (1 + bool(change))
    for spec, found in shrinker.candidates():
        try:
            seen: oracles.Symptom | None = call_apart(_confirm, target, spec, found, seconds=SECONDS)
        except (EngineFailed, TimedOut) as error:
            seen = oracles.crash(str(error)) if found.oracle == "crash" else None
        fits += 2
        if seen is not None:
            made = _finding(target, replace(hit, spec=spec), seen, hit.fits + fits)
            return Outcome(made, fits, shrinker.done and not target.over)
    return Outcome(None, fits)


def go_on(target: Target, known: finding.Finding, most: float = inf) -> Outcome:
    """Shrink a finding of an earlier hunt further."""
    change = _change(known.oracle)
    if target.over or most < 1 + bool(change):
        return Outcome(None, 0, whole=False)
    symptom = ask_apart(target, known.spec, change)
    if symptom is None:
        return Outcome(None, 1 + bool(change))
    return investigate(target, Hit(known.index, known.spec, symptom, known.key, known.fits), most)


def _change(oracle: str) -> str:
    return oracle if oracle in invariance.CHANGES else ""


def _finding(target: Target, hit: Hit, seen: oracles.Symptom, fits: int) -> finding.Finding:
    return finding.Finding(
        engine=target.name,
        version=target.version,
        reference="" if _change(seen.oracle) else target.reference,
        oracle=seen.oracle,
        key=key.key(seen, hit.spec),
        spec=hit.spec,
        silent=seen.silent,
        figures=seen.figures,
        comparison=seen.comparison,
        seed=target.seed,
        index=hit.index,
        fits=fits,
    )


@lru_cache(maxsize=4)
def engine_of(handle: str | bytes) -> Engine:
    """Return the engine of a handle."""
    if isinstance(handle, str):
        return find(handle)
    engine: Engine = pickle.loads(handle)  # noqa: S301  # our own process wrote it
    return engine


def _examine(handle: str | bytes, spec: Spec, change: str) -> oracles.Symptom | None:
    return oracles.find_symptom(engine_of(handle), spec, change)


def _confirm(target: Target, spec: Spec, found: oracles.Symptom) -> oracles.Symptom | None:
    return oracles.confirm(engine_of(target.engine), target.reference, spec, found)
