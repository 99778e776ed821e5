"""The search: designs in turn, what an engine does wrong on them, and the smallest of each behaviour."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import inf
from typing import Any

from joblib import Parallel, delayed

from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.parity.hunt.probe import Hit, Outcome, Target, go_on, investigate, screen

ROUND, BATCH = 24, 4  # designs of a round, and findings that are then shrunk: the same for any number of jobs
SHARE = 8  # fits for each design of a round at least, where fits are counted


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
    cut : tuple of str
        Keys of findings that may get smaller still: the next hunt of this seed tries.
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
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Past:
    """What an earlier hunt has left.

    Attributes
    ----------
    known : tuple of Finding
        One gives way only to a smaller one of its key.
    first : int
        The design to begin with.
    again : tuple of int
        Designs before it that were left waiting: they come first.
    cut : tuple of str
        Keys of known findings that may get smaller still.
    """

    known: tuple[Finding, ...] = ()
    first: int = 0
    again: tuple[int, ...] = ()
    cut: tuple[str, ...] = ()


class HuntState:
    """The state of a hunt between two rounds.

    Parameters
    ----------
    target : Target
    most : float
        Fits.
    past : Past
    """

    def __init__(self, target: Target, most: float = inf, past: Past | None = None) -> None:
        self.target, self.most, self.past, self._began = target, most, past or Past(), time.time()
        self.found, self.next = {finding.key: finding for finding in self.past.known}, self.past.first
        self.counts: Counter[str] = Counter()
        self.waiting: dict[str, list[Hit]] = {}  # by the key of what the designs showed
        self.fits = self.unconfirmed = 0
        self._became = {key: key for key in self.found}  # the key of a symptom, and that of its finding
        self._again, self._cut = {*self.past.again}, {*self.past.cut} & {*self.found}
        self._at_work: list[Hit] = []
        self._looked: Counter[tuple[Any, ...]] = Counter()

    def result(self) -> Hunt:
        """Return what has been found by now."""
        return Hunt(
            findings=tuple(self.found.values()),
            counts={key: self.counts[key] for key in self.found},
            engine=self.target.name,
            version=self.target.version,
            reference=self.target.reference,
            seed=self.target.seed,
            families=self.target.families,
            designs=self.next - self.past.first,
            fits=self.fits,
            seconds=time.time() - self._began,
            unconfirmed=self.unconfirmed,
            waiting=self.unseen,
            cut=tuple(sorted(self._cut)),
        )

    @property
    def over(self) -> bool:
        """Whether the hunt ends."""
        return self.target.over or self.fits >= self.most

    @property
    def unseen(self) -> tuple[int, ...]:
        """Designs with symptoms that nobody has looked into yet."""
        hits = [hit for alike in (*self.waiting.values(), self._at_work) for hit in alike]
        return tuple(sorted({hit.index for hit in hits} | self._again))

    def run(
        self,
        jobs: int = 1,
        advance: Callable[[int], None] = lambda _: None,
        save: Callable[[Hunt], None] = lambda _: None,
    ) -> Hunt:
        """Screen a round of designs, look into some of what they showed, and so on."""
        self._go_on(jobs, save)
        rounds: list[Sequence[int]] = [self.past.again] if self.past.again else []
        while not self.over:
            indices = rounds.pop() if rounds else range(self.next, self.next + self._round)
            wanted = takewhile(lambda _: self.fits < self.most, indices)
            hits = _parallel(jobs)(delayed(screen)(self.target, index) for index in wanted)
            for hit in hits:  # to the end: joblib warns of one that is left
                if hit and self.fits < self.most:
                    self._note(hit)
                    advance(1)
                    save(self.result())
            self._look(jobs, save)
        return self.result()

    @property
    def _round(self) -> int:
        """How many designs make a round: few where few fits are left to shrink what they show."""
        return ROUND if self.most == inf else min(ROUND, max(1, int(self.most / SHARE)))

    def _go_on(self, jobs: int, save: Callable[[Hunt], None]) -> None:
        """Shrink further what an earlier hunt had no time for."""
        known = [self.found[key] for key in sorted(self._cut)]
        calls = [delayed(go_on)(self.target, finding, self.most / max(1, len(known))) for finding in known]
        for old, outcome in zip(known, _parallel(jobs)(calls) if calls else [], strict=True):
            self.fits += outcome.fits
            self._cut -= {old.key} if outcome.whole else set()
            if outcome.finding is not None:
                self.counts[outcome.finding.key] += outcome.finding.key not in self.found
                self._put(outcome.finding, outcome.whole)
            save(self.result())

    def _look(self, jobs: int, save: Callable[[Hunt], None]) -> None:
        chosen = self._choose()
        self._at_work = [hit for hits in chosen for hit in hits]
        calls = [delayed(investigate)(self.target, hits[0], self.most - self.fits) for hits in chosen]
        for hits, outcome in zip(chosen, _parallel(jobs)(calls), strict=True):
            self._keep(hits, outcome)
            self._at_work = [hit for hit in self._at_work if hit not in hits]
            save(self.result())

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

    def _keep(self, hits: Sequence[Hit], outcome: Outcome) -> None:
        self.fits += outcome.fits
        if outcome.finding is None:
            self.unconfirmed += 1
            return
        self._became[hits[0].key] = outcome.finding.key
        self.counts[outcome.finding.key] += len(hits)
        self._put(outcome.finding, outcome.whole)

    def _put(self, finding: Finding, whole: bool) -> None:
        """Keep the smallest of a key."""
        old = self.found.get(finding.key)
        if old is None or _size(finding) < _size(old):
            self.found[finding.key] = finding
            self._cut = self._cut - {finding.key} | (set() if whole else {finding.key})


def _parallel(jobs: int) -> Parallel:
    return Parallel(n_jobs=jobs, batch_size=1, return_as="generator")


def _kind(hit: Hit) -> tuple[Any, ...]:
    """What symptoms have in common whose causes may be one."""
    found = hit.symptom
    return (found.oracle, found.what, found.silent) if found else ()


def _size(finding: Finding) -> tuple[int, int, int]:
    data = finding.spec.data
    return len(data), len(finding.spec.formula), len(data.to_csv())
