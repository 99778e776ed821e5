"""The folder of a finding, written and read."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmerbridge.errors import InvalidArgument
from lmerbridge.files import write_folder
from lmerbridge.parity.cases import FILE, read_cases
from lmerbridge.parity.hunt import letter, scripts
from lmerbridge.parity.hunt.finding import Finding

CASE = "case.toml"
TOLD = ("engine", "version", "reference", "oracle", "key", "silent", "seed", "index", "fits")


def engine_folder(out: Path, engine: str) -> Path:
    """Return where the findings of an engine are."""
    return out / re.sub(r"[^\w.\[\]-]+", "_", engine)


def write_finding(finding: Finding, out: Path) -> Path:
    """Write a finding to its folder, all files or none: the same finding the same bytes.

    Parameters
    ----------
    finding : Finding
    out : Path
        Of all engines; the folder is ``ENGINE/KEY`` in it.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InvalidArgument
        It cannot be written.
    """
    folder = engine_folder(out, finding.engine) / finding.key
    write_folder(folder, texts_of(finding))
    return folder


def texts_of(finding: Finding) -> dict[str, str]:
    """Return the texts of a finding's files by name."""
    shown = scripts.Shown(finding, letter.subject(finding))
    changed = {scripts.CHANGED: shown.changed.data.to_csv(index=False)} if shown.changed else {}
    in_r = scripts.r_script(shown)
    return {
        scripts.DATA: finding.spec.data.to_csv(index=False),
        **changed,
        "finding.md": letter.letter(shown, in_r=f"\n# {finding.engine}\n" in in_r),
        "reproduce.py": scripts.python_script(shown),
        "reproduce.R": in_r,
        CASE: _case(finding),
    }


def _case(finding: Finding) -> str:
    """A case as the suite has them, and behind it what was found."""
    spec = finding.spec
    model: dict[str, Any] = {"name": finding.key, "dataset": scripts.DATA, "package": FILE, "formula": spec.formula}
    model |= {} if not spec.kind.linear else {"reml": bool(spec.reml)}
    model |= {name: column for name in ("weights", "offset") if (column := getattr(spec, name))}
    model |= {} if spec.kind.linear else {"family": spec.kind.family}
    model |= {"features": ["hunt", finding.oracle]}
    model |= {"contrasts": dict(spec.contrasts)} if spec.contrasts else {}
    told = {name: getattr(finding, name) for name in TOLD}
    tables = {"[model]": model, "finding": told, "finding.figures": dict(finding.figures)}
    return "\n".join(_table(name, values) for name, values in tables.items())


def _table(name: str, values: Mapping[str, Any]) -> str:
    return f"[{name}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in values.items())


def _toml(value: Any) -> str:  # noqa: ANN401  # text, a number, or a list or table of them
    match value:
        case dict():
            return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
        case float():
            return repr(float(value))  # numpy's own has its type in it
    return json.dumps(value, ensure_ascii=False)


def read_finding(folder: Path) -> Finding:
    """Read a finding back, without its comparison.

    Raises
    ------
    InvalidArgument
        The folder has none.
    """
    try:
        table = tomllib.loads((folder / CASE).read_text(encoding="utf-8"))
        (case,) = read_cases(folder / CASE)
        return Finding(spec=case.spec(), **table["finding"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        told = f"{folder} holds no finding of a hunt ({error})"
        raise InvalidArgument(f"{told}; name another folder, or delete it.") from error


def read_findings(out: Path, engine: str) -> Iterator[Finding]:
    """Read the findings of an engine, by key."""
    for path in sorted(engine_folder(out, engine).glob(f"*/{CASE}")):
        yield read_finding(path.parent)
