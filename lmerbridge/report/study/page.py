"""The study as its readers meet it: title, sections, paragraphs with their numbers, tables."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from lmerbridge.parity.study.counts import KINDS
from lmerbridge.report.study import tables
from lmerbridge.report.wording import enumeration

Told: TypeAlias = Mapping[str, Any]  # what study.json holds


@dataclass(frozen=True)
class ClaimEntry:
    """A claim with what was measured."""

    by: str
    where: str
    says: str
    read: str
    question: str
    table: tables.TextTable
    commands: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    id, title : str
    text : tuple of str
        Paragraphs.
    tables : tuple of TextTable
    claims : tuple of ClaimEntry
    """

    id: str
    title: str
    text: tuple[str, ...]
    tables: tuple[tables.TextTable, ...] = ()
    claims: tuple[ClaimEntry, ...] = ()


@dataclass(frozen=True)
class StudyPage:
    """The whole page."""

    title: str
    inputs: str
    abstract: tuple[str, ...]
    sections: tuple[Section, ...]


def study_page(told: Told, times: Told) -> StudyPage:
    """Describe a study.

    Parameters
    ----------
    told : mapping
        What `lmerbridge.parity.study.summary.study_summary` gave.
    times : mapping
        ``table`` and ``models``, as ``study-times.json`` has them; the table is empty where no times were taken.
    """
    prose, values = _prose(), _values(told, times)
    sections = (_section(each, told, times, values) for each in prose["section"])
    return StudyPage(
        prose["title"],
        _inputs(told["provenance"]),
        tuple(text.format_map(values) for text in prose["abstract"]),
        tuple(each for each in sections if each.tables or each.claims or each.id in WORDS_ALONE),
    )


WORDS_ALONE = ("threats", "again")


@cache
def _prose() -> dict[str, Any]:
    return tomllib.loads(files(__package__).joinpath("text.toml").read_text(encoding="utf-8"))


def _section(entry: Told, told: Told, times: Told, values: Told) -> Section:
    contents = CONTENTS.get(entry["id"])
    shown = contents(told, times) if contents else {}
    return Section(entry["id"], entry["title"], tuple(text.format_map(values) for text in entry["text"]), **shown)


def _blocks(told: Told, _: Told) -> dict[str, Any]:
    printed = [tables.printed_table(told)] if told["printed"] else []
    return {"tables": (tables.by_block(told), tables.by_outcome(told), *printed)}


def _gaps(told: Told, _: Told) -> dict[str, Any]:
    return {"tables": tuple(tables.gaps_table(told, model) for model in tables.models_with_gaps(told))}


def _kinds(told: Told, _: Told) -> dict[str, Any]:
    return {"tables": tuple(tables.by_kind(told, b) for b in KINDS if any(row["block"] == b for row in told["kinds"]))}


def _small(told: Told, _: Told) -> dict[str, Any]:
    found = any(row["block"] == "small" for row in told["counts"])
    return {"tables": (tables.convergence_table(told),) if found else ()}


def _time(_: Told, times: Told) -> dict[str, Any]:
    return {"tables": (tables.times_table(times),) if times["table"] else ()}


def _claims(told: Told, _: Told) -> dict[str, Any]:
    return {"claims": tuple(_claim(claim) for claim in told["claims"] if claim["measured"])}


def _claim(claim: Told) -> ClaimEntry:
    names = {name: claim[name] for name in ("by", "where", "says", "read")}
    commands = tuple(row["command"] for row in claim["measured"])
    question = QUESTIONS[claim["measure"]].format_map(claim)
    return ClaimEntry(**names, question=question, table=tables.measured_table(claim), commands=commands)


def _provenance(told: Told, _: Told) -> dict[str, Any]:
    doubted = [tables.doubts_table(told)] if told["doubts"] else []
    return {"tables": (tables.provenance_table(told["provenance"]), *doubted)}


QUESTIONS = {
    "outcomes": "It holds where the fit is right.",
    "tolerance": "It holds where every fixed effect is within {fixef:g} of lme4's and every variance within {var:.0%}.",
    "not_above": "It holds where the criterion is not above lme4's by more than a hundredth of a deviance unit.",
}
Contents: TypeAlias = Callable[[Told, Told], dict[str, Any]]
CONTENTS: dict[str, Contents] = {
    "summary": lambda told, _: {"tables": (tables.glance_table(told),) if told["linear"] else ()},
    "methods": lambda told, _: {"tables": (tables.blocks_table(told),)},
    "blocks": _blocks,
    "digits": lambda told, _: {"tables": (tables.digits_table(told),) if told["digits"] else ()},
    "gaps": _gaps,
    "kinds": _kinds,
    "small": _small,
    "time": _time,
    "claims": _claims,
    "provenance": _provenance,
}


def _values(told: Told, times: Told) -> dict[str, Any]:
    """Return what stands in the braces of the prose."""
    facts = told["provenance"]
    return {
        "engines": len(told["engines"]),
        "cases": sum(each["fits"] for each in told["blocks"]),
        "block_words": enumeration([f"{each['block']} {each['fits']}" for each in told["blocks"]]),
        "lead": _lead(told["linear"]),
        "intervals": sum(row["low"] is not None for name in ("linear", "counts", "gaps") for row in told[name]),
        "doubts": len(told["doubts"]),
        "silence_words": _silence(told["counts"]),
        "floor": f"{tables.FLOOR:g}",
        "time_models": ", ".join(times["models"]),
        "planted": _planted(told["suite"]),
        "suite_words": _suite(told["suite"]),
        "lme4_wrong": _wrong(told["linear"], "lme4"),
        "platform": facts.get("platform", ""),
        "blas": facts.get("BLAS", ""),
        "kernel": facts.get("BLAS kernel", ""),
        "lme4": facts.get("lme4", ""),
        "R": facts.get("R", ""),
        **told["limits"],
    }


def _lead(linear: Sequence[Told]) -> str:
    """Tell who is always right, and who is wrong in silence, of linear models."""
    clean = [row["engine"] for row in linear if row["taken"] and row["share"] == 1]
    silent = [f"{row['engine']} on {row['silent']} of {row['taken']}" for row in linear if row["silent"]]
    first = f"Right on every linear model that it takes on: {enumeration(clean) or 'none'}."
    return f"{first} Wrong in silence: {enumeration(silent) or 'none'}."


def _silence(counts: Sequence[Told]) -> str:
    wrong = sum(row["silent"] + row["warned"] for row in counts)
    return f"Of all {wrong} wrong answers, {sum(row['silent'] for row in counts)} are silent."


def _wrong(linear: Sequence[Told], engine: str) -> str:
    found = [row for row in linear if row["engine"] == engine]
    return "".join(f"wrong on {row['warned'] + row['silent']} of {row['taken']} linear fits" for row in found)


def _planted(suite: Told) -> str:
    if "faults planted" not in suite:
        return ""
    return f"Of {suite['faults planted']} faults planted on purpose in the suite, {suite['faults caught']} are caught."


def _suite(suite: Told) -> str:
    return f"The suite was fitted at commit {suite['commit']}." if "commit" in suite else ""


def _inputs(facts: Told) -> str:
    names = [name for name in ("lmerbridge", "commit", "Python", "R", "lme4", "BLAS kernel") if facts.get(name)]
    return ", ".join(f"{name} {facts[name]}" for name in names)
