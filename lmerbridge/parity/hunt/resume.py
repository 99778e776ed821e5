"""A hunt that writes each finding when it has it, and that a later run goes on with."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from lmerbridge.engines import Engine, find
from lmerbridge.errors import InvalidArgument, LmerBridgeError
from lmerbridge.files import write_folder
from lmerbridge.inputs import check_signature
from lmerbridge.parallel import backend as joblib_backend
from lmerbridge.parallel import progress_bar
from lmerbridge.parity.hunt import folder, probe, search, space
from lmerbridge.parity.process import call_apart
from lmerbridge.parity.version import engine_version

LOG = "hunt.json"
LIMIT = 60.0  # seconds of a hunt where neither seconds nor fits are given
SECONDS = 60.0  # that telling a version may take
SAME = ("engine", "version", "reference", "seed", "silent", "families")  # what a hunt is gone on with by


@dataclass(frozen=True, kw_only=True)
class Log:
    """What is known of a hunt beside its findings: ``hunt.json``.

    Attributes
    ----------
    engine, version, reference : str
    seed : int
    silent : bool
    families : tuple of str
    designs, fits : int
        How many were tried.
    seconds : float
    unconfirmed : int
    waiting : tuple of int
        Designs that showed what nobody has looked into yet.
    cut : tuple of str
        Keys of findings that may get smaller still.
    counts : dict of str to int
        Designs by the key of their finding.
    """

    engine: str
    version: str
    reference: str
    seed: int
    silent: bool
    families: tuple[str, ...]
    designs: int = 0
    fits: int = 0
    seconds: float = 0.0
    unconfirmed: int = 0
    waiting: tuple[int, ...] = ()
    cut: tuple[str, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    def after(self, hunt: search.Hunt) -> Log:
        """Return what is known after some more of the hunt."""
        return replace(
            self,
            designs=self.designs + hunt.designs,
            fits=self.fits + hunt.fits,
            seconds=round(self.seconds + hunt.seconds, 1),
            unconfirmed=self.unconfirmed + hunt.unconfirmed,
            waiting=hunt.waiting,
            cut=hunt.cut,
            counts=dict(Counter(self.counts) + Counter(hunt.counts)),
        )


@check_signature
def hunt(
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
    out: str | Path | None = None,
    progress: bool | None = None,
) -> search.Hunt:
    """Search for small data sets on which an engine is wrong, and write a bug report of each.

    Parameters
    ----------
    engine : str or Engine
        What is hunted: a name such as ``"statsmodels"``, or an object with ``name``, ``capabilities`` and ``fit``.
    reference : str
        The engine that confirms what a cheaper one suspects, beside plain R. With ``""`` neither is asked, and no R is
        needed.
    seconds, fits : number, optional
        When the search ends; 60 seconds where neither is given. What it has begun it finishes.
    seed : int
        The designs that are drawn.
    silent : bool
        Whether only findings count of which the engine says nothing: it converged, and warned of nothing.
    jobs : int
        Processes. What is found depends on the seed and the fits, and not on them.
    families : sequence of {"gaussian", "binomial", "poisson"}
    backend : str, optional
        Where designs are fitted: ``dask://HOST:PORT``, or one of joblib's.
    out : path, optional
        A folder, in which each finding gets a folder ``ENGINE/KEY``: ``data.csv``, ``finding.md``, ``reproduce.R``,
        ``reproduce.py`` and ``case.toml``. A hunt of the same engine, version and seed is gone on with where it ended,
        and a finding gives way only to a smaller one of its key.
    progress : bool, optional
        Whether to show a bar of the designs; by default where standard error is a terminal.

    Returns
    -------
    Hunt
        Its ``findings``, one per behaviour, and ``counts`` of designs by key, those of earlier runs among them;
        ``designs``, ``fits`` and ``seconds`` are of this run.

    Raises
    ------
    InvalidArgument
        There is no such engine, reference or family, both engines are one, or the folder holds the hunt of another
        version, seed or other options.

    Notes
    -----
    Designs are drawn from a grammar of models; a fault is shrunk by delta debugging (Zeller and Hildebrandt 2002,
    doi:10.1109/32.988498), confirmed by the reference, and a gap by lme4's deviance function in plain R as well.

    Examples
    --------
    >>> found = hunt("mixedlm", fits=4, reference="")
    >>> found.engine, found.designs > 0
    ('mixedlm', True)
    """
    name = engine if isinstance(engine, str) else engine.name
    _check_names(engine, reference, families)
    place = None if out is None else folder.engine_folder(Path(out), name)
    options: dict[str, Any] = {"reference": reference, "seed": seed, "silent": silent, "families": tuple(families)}
    new = Log(engine=name, version=version_of(engine), **options)
    before = new if place is None else _check(new, place / LOG)
    known = {} if out is None else {finding.key: finding for finding in folder.read_findings(Path(out), name)}

    def save(so_far: search.Hunt) -> None:
        if out is None or place is None:
            return
        for finding in so_far.findings:
            if known.get(finding.key) is not finding:
                folder.write_finding(finding, Path(out))
                known[finding.key] = finding
        write_log(before.after(so_far), place)

    limit = LIMIT if seconds is None and fits is None else seconds
    until = inf if limit is None else time.time() + limit
    target = probe.Target(probe.handle_of(engine), before.version, until=until, **options)
    past = search.Past(known=tuple(known.values()), first=before.designs, again=before.waiting, cut=before.cut)
    state = search.HuntState(target, inf if fits is None else fits, past)
    with joblib_backend(backend, jobs), progress_bar(f"hunting {name}", None, progress) as advance:
        save(state.result())
        found = state.run(jobs, advance, save)
    save(found)
    return replace(found, counts=before.after(found).counts)


def _check_names(engine: str | Engine, reference: str, families: Sequence[str]) -> None:
    for each in (engine, reference):
        if isinstance(each, str) and each:
            find(each)
    if (name := engine if isinstance(engine, str) else engine.name) == reference:
        raise InvalidArgument(f"the engine and its reference are both {name!r}; another reference is expected.")
    space.check_families(families)


def _check(new: Log, path: Path) -> Log:
    """Return the log of a hunt that is to be gone on with, the new one where there is none."""
    if not path.exists():
        return new
    old = read_log(path)
    for name in SAME:
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            raise InvalidArgument(
                f"{path.parent} holds a hunt with {name} {was!r}, and {name} is now {now!r}; give the old one, name "
                "another folder, or delete that one."
            )
    return old


def read_log(path: Path) -> Log:
    """Read ``hunt.json``.

    Raises
    ------
    InvalidArgument
        It is none.
    """
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return Log(**table | {name: tuple(table[name]) for name in ("families", "waiting", "cut")})
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"{path} is no log of a hunt ({error})"
        raise InvalidArgument(f"{told}; name another folder, or delete that one.") from error


def write_log(log: Log, place: Path) -> None:
    """Write ``hunt.json`` into the folder of an engine."""
    write_folder(place, {LOG: json.dumps(asdict(log), indent=1, ensure_ascii=False) + "\n"})


def version_of(engine: str | Engine) -> str:
    """Return the version that an engine tells, "" where it fits none of some plain models."""
    try:
        return str(call_apart(_version, probe.handle_of(engine), seconds=SECONDS))
    except LmerBridgeError:
        return ""


def _version(handle: str | bytes) -> str:
    return engine_version(probe.engine_of(handle))
