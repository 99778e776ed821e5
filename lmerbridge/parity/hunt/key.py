"""The name of a behaviour, which says nothing of the data that shows it."""

from __future__ import annotations

import math
import re

import numpy as np

from lmerbridge.engines import Plain
from lmerbridge.inputs import Spec
from lmerbridge.parity.hunt.oracles import Symptom

DECADES = 3  # of the condition number that count as one
ALIKE = ("gap", "objective")  # oracles whose size is in deviance units


def key(symptom: Symptom, spec: Spec) -> str:
    """Return the key of a behaviour: oracle, verdict, quantities, silent or not, marks, shape, and bins of sizes.

    Where the cause of another criterion has a name, that is the behaviour, whatever the shape and the size.

    Examples
    --------
    >>> from lmerbridge.parity.hunt.space import draw_design
    >>> key(Symptom(oracle="gap", verdict="other_optimum", size=2.5, silent=True), draw_design(1, 0))
    'gap-other_optimum-silent-1-1e0-condition_1e0'
    """
    family = "" if spec.kind.linear else spec.kind.family
    if symptom.oracle == "objective" and symptom.what:
        return _joined([symptom.oracle, symptom.verdict, *symptom.what, "silent" * symptom.silent, family])
    model = Plain(spec)
    marks = symptom.comparison.marks if symptom.comparison else ()
    parts = [
        symptom.oracle,
        symptom.verdict,
        *symptom.what,
        "silent" * symptom.silent,
        *(mark for mark in marks if mark in ("boundary", "flat")),
        family,
        "_".join(map(str, sorted((block.width for block in model.blocks), reverse=True))),
        f"1e{math.floor(math.log10(symptom.size))}" if symptom.oracle in ALIKE and 0 < symptom.size < math.inf else "",
        f"condition_1e{_condition(model)}",
    ]
    return _joined(parts)


def _joined(parts: list[str]) -> str:
    return "-".join(word for word in map(_word, parts) if word)


def _condition(model: Plain) -> int:
    """The decades of the condition number of X, in steps of some."""
    condition = min(float(np.linalg.cond(model.x)), 1e300)
    return int(math.log10(condition) // DECADES * DECADES)


def _word(text: str) -> str:
    return re.sub(r"[^a-z0-9.-]+", "_", text.lower()).strip("_")
