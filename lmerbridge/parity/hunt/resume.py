"""A hunt that writes each finding when it has it, and that a later run goes on with."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from lmerbridge.engines import Engine, fit_with
from lmerbridge.errors import InvalidArgument, LmerBridgeError
from lmerbridge.files import write_folder
from lmerbridge.inputs import check_signature
from lmerbridge.parity.hunt import folder, probe, search, space
from lmerbridge.parity.process import call_apart

LOG = "hunt.json"
TRIALS, SECONDS = 8, 60.0  # designs that an engine is asked for its version with, and how long each may take
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
        ``case.toml``, and of a linear model ``reproduce.py``. A hunt of the same engine, version and seed is gone on
        with where it ended, and a finding gives way only to a smaller one of its key.
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
    >>> found.engine, found.findings, found.designs > 0
    ('mixedlm', (), True)
    """
    options: dict[str, Any] = {"reference": reference, "seed": seed, "silent": silent, "families": tuple(families)}
    how: dict[str, Any] = {"seconds": seconds, "fits": fits, "jobs": jobs, "backend": backend, "progress": progress}
    if out is None:
        return search.run_hunt(engine, **options, **how)
    name = engine if isinstance(engine, str) else engine.name
    place = folder.engine_folder(Path(out), name)
    before = _check(Log(engine=name, version=version_of(engine), **options), place / LOG)
    known = {finding.key: finding for finding in folder.read_findings(Path(out), name)}

    def save(so_far: search.Hunt) -> None:
        for finding in so_far.findings:
            if known.get(finding.key) is not finding:
                folder.write_finding(finding, Path(out))
                known[finding.key] = finding
        write_log(before.after(so_far), place)

    write_log(before, place)
    more: dict[str, Any] = {"known": tuple(known.values()), "first": before.designs, "again": before.waiting}
    found = search.run_hunt(engine, **options, **how, **more, save=save)
    save(found)
    return replace(found, version=before.version, counts=before.after(found).counts)


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
        return Log(**table | {name: tuple(table[name]) for name in ("families", "waiting")})
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"{path} is no log of a hunt ({error})"
        raise InvalidArgument(f"{told}; name another folder, or delete that one.") from error


def write_log(log: Log, place: Path) -> None:
    """Write ``hunt.json`` into the folder of an engine."""
    write_folder(place, {LOG: json.dumps(asdict(log), indent=1, ensure_ascii=False) + "\n"})


def version_of(engine: str | Engine) -> str:
    """Return the version that an engine's fits tell, "" where it gives none of some designs."""
    handle = probe.handle_of(engine)
    for index in range(TRIALS):
        try:
            return str(call_apart(_version, handle, index, seconds=SECONDS))
        except LmerBridgeError:
            continue
    return ""


def _version(handle: str | bytes, index: int) -> str:
    return fit_with(probe.engine_of(handle), space.draw_design(1, index)).provenance.version
