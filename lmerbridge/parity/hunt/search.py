"""The search: designs in turn, what an engine does wrong on them, and the smallest of each behaviour."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from typing import Any, TypeVar

from joblib import Parallel, delayed

from lmerbridge.engines import Engine, find
from lmerbridge.errors import InvalidArgument
from lmerbridge.parallel import backend as joblib_backend
from lmerbridge.parallel import progress_bar
from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.parity.hunt.probe import Hit, Target, handle_of, investigate, screen

T = TypeVar("T")

ROUND, BATCH = 24, 4  # designs of a round, and findings that are then shrunk: the same for any number of jobs
SECONDS = 60.0  # where neither seconds nor fits are given


@dataclass(frozen=True, eq=False, kw_only=True)
class Hunt:
    """What a hunt has found.

    Attributes
    ----------
    findings : tuple of Finding
        One per key, in the order in which they were found.
    counts : mapping of str to int
        How many designs showed what became the finding of a key, by key.
    engine, version, reference : str
    seed : int
    families : tuple of str
    designs : int
        Number of designs tried, from the first on; the next hunt of this seed begins there.
    fits : int
        Of the engine, those of shrinking included.
    seconds : float
    unconfirmed : int
        Symptoms that lme4 or plain R did not bear out: nothing is claimed of them.
    waiting : tuple of int
        Designs that showed other symptoms, which there was no time to look into.
    """

    findings: tuple[Finding, ...]
    counts: Mapping[str, int]
    engine: str
    version: str
    reference: str
    seed: int
    families: tuple[str, ...]
    designs: int
    fits: int
    seconds: float
    unconfirmed: int = 0
    waiting: tuple[int, ...] = ()


def run_hunt(
    engine: str | Engine,
    *,
    reference: str = "lme4",
    seconds: float | None = None,
    fits: int | None = None,
    seed: int = 1,
    silent: bool = False,
    jobs: int = 1,
    families: Sequence[str] = ("gaussian",),
    backend: str | None = None,
    known: Collection[Finding] = (),
    first: int = 0,
    again: Sequence[int] = (),
    progress: bool | None = None,
    save: Callable[[Hunt], None] = lambda hunt: None,
) -> Hunt:
    """Search for small data sets on which an engine is wrong.

    Parameters
    ----------
    engine : str or Engine
        What is hunted.
    reference : str
        The engine that confirms what a cheaper one suspects, beside plain R. With "" neither is asked.
    seconds, fits : number, optional
        When the search ends; 60 seconds where neither is given. What it has begun it finishes.
    seed : int
    silent : bool
        Whether only findings count of which the engine says nothing: it converged, and warned of nothing.
    jobs : int
        Processes. What is found depends on the seed and the fits, and not on them.
    families : sequence of {"gaussian", "binomial", "poisson"}
    backend : str, optional
        Of joblib: see `lmerbridge.parallel.backend`.
    known : collection of Finding
        Of an earlier hunt, which is gone on with: one gives way only to a smaller one of its key.
    first : int
        The design to begin with.
    again : sequence of int
        Designs before it that an earlier hunt left waiting: they come first.
    progress : bool, optional
        Whether to show a bar of the designs; by default where standard error is a terminal.
    save : function of a Hunt
        Called with what there is after each design and each finding.

    Returns
    -------
    Hunt

    Raises
    ------
    InvalidArgument
        There is no such engine, reference or family, or both engines are one.
    """
    name = engine if isinstance(engine, str) else engine.name
    _check(engine, reference, name)
    began = time.time()
    limit = SECONDS if seconds is None and fits is None else seconds
    until = inf if limit is None else began + limit
    target = Target(handle_of(engine), reference, seed, tuple(families), silent, until)
    search = HuntState(target, inf if fits is None else fits, {finding.key: finding for finding in known}, first)

    def told() -> Hunt:
        findings = tuple(search.found.values())
        return Hunt(
            findings=findings,
            counts={f.key: search.counts[f.key] for f in findings},
            engine=name,
            version=next((f.version for f in findings if f.version), ""),
            reference=reference,
            seed=seed,
            families=tuple(families),
            designs=search.next - first,
            fits=search.fits,
            seconds=time.time() - began,
            unconfirmed=search.unconfirmed,
            waiting=search.unseen,
        )

    with joblib_backend(backend, jobs), progress_bar(f"hunting {name}", None, progress) as advance:
        search.run(jobs, again, advance, lambda: save(told()))
    return told()


def _check(engine: str | Engine, reference: str, name: str) -> None:
    for each in (engine, reference):
        if isinstance(each, str) and each:
            find(each)
    if name == reference:
        raise InvalidArgument(f"the engine and its reference are both {name!r}; another reference is expected.")


class HuntState:
    """The state of a hunt between two rounds.

    Parameters
    ----------
    target : Target
    most : float
        Fits.
    found : dict of str to Finding
        By key.
    first : int
    """

    def __init__(self, target: Target, most: float, found: dict[str, Finding], first: int) -> None:
        self.target, self.most, self.found, self.next = target, most, found, first
        self.counts: Counter[str] = Counter()
        self.waiting: dict[str, list[Hit]] = {}  # by the key of what the designs showed
        self.fits = self.unconfirmed = 0
        self._became = {key: key for key in found}  # the key of a symptom, and that of its finding
        self._again: set[int] = set()
        self._at_work: list[Hit] = []
        self._looked: Counter[tuple[Any, ...]] = Counter()

    @property
    def over(self) -> bool:
        """Whether the hunt ends."""
        return self.target.over or self.fits >= self.most

    @property
    def unseen(self) -> tuple[int, ...]:
        """Designs with symptoms that nobody has looked into yet."""
        hits = [hit for alike in (*self.waiting.values(), self._at_work) for hit in alike]
        return tuple(sorted({hit.index for hit in hits} | self._again))

    def run(self, jobs: int, again: Sequence[int], advance: Callable[[int], None], save: Callable[[], None]) -> None:
        """Screen a round of designs, look into some of what they showed, and so on."""
        self._again = {*again}
        rounds = [again] if again else []
        while not self.over:
            indices = rounds.pop() if rounds else range(self.next, self.next + ROUND)
            wanted = takewhile(lambda _: self.fits < self.most, indices)
            hits = _parallel(jobs)(delayed(screen)(self.target, index) for index in wanted)
            for hit in hits:  # to the end: joblib warns of one that is left
                if hit and self.fits < self.most:
                    self._note(hit)
                    advance(1)
                    save()
            self._look(jobs, save)

    def _look(self, jobs: int, save: Callable[[], None]) -> None:
        chosen = self._choose()
        self._at_work = [hit for hits in chosen for hit in hits]
        calls = [delayed(investigate)(self.target, hits[0], self.most - self.fits) for hits in chosen]
        for hits, (finding, fits) in zip(chosen, _parallel(jobs)(calls), strict=True):
            self._keep(hits, finding, fits)
            self._at_work = [hit for hit in self._at_work if hit not in hits]
            save()

    def _note(self, hit: Hit) -> None:
        self.next, self.fits = max(self.next, hit.index + 1), self.fits + hit.fits
        self._again.discard(hit.index)
        if not hit.key:
            return
        if hit.key in self._became:
            self.counts[self._became[hit.key]] += 1
        else:
            self.waiting.setdefault(hit.key, []).append(hit)

    def _choose(self) -> list[list[Hit]]:
        """The next symptoms to look into: those whose like were looked into least."""
        chosen: list[list[Hit]] = []
        while self.waiting and len(chosen) < BATCH and not self.over:
            name = min(self.waiting, key=lambda k: (self._looked[_kind(self.waiting[k][0])], self.waiting[k][0].index))
            hits = self.waiting.pop(name)
            self._looked[_kind(hits[0])] += 1
            self._became[name] = ""
            chosen.append(hits)
        return chosen

    def _keep(self, hits: Sequence[Hit], finding: Finding | None, fits: int) -> None:
        self.fits += fits
        if finding is None:
            self.unconfirmed += 1
            return
        self._became[hits[0].key] = finding.key
        self.counts[finding.key] += len(hits)
        old = self.found.get(finding.key)
        if old is None or _size(finding) < _size(old):
            self.found[finding.key] = finding


def _parallel(jobs: int) -> Parallel:
    return Parallel(n_jobs=jobs, batch_size=1, return_as="generator")


def _kind(hit: Hit) -> tuple[Any, ...]:
    """What symptoms have in common whose causes may be one."""
    found = hit.symptom
    return (found.oracle, found.what, found.silent) if found else ()


def _size(finding: Finding) -> tuple[int, int, int]:
    data = finding.spec.data
    return len(data), len(finding.spec.formula), len(data.to_csv())
