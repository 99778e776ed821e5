"""What a formula makes of a frame is what lme4 makes of it: columns, levels, theta and rows, without R."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge import explain_formula, lmer, load_dataset
from lmerbridge.errors import FormulaError, LmerBridgeError, MissingColumns, UnsafeFormula
from tests.processes import run

CASES = json.loads(Path(__file__).parents[1].joinpath("cases", "model_matrix.json").read_text(encoding="utf-8"))
ORDERED = pd.CategoricalDtype(["lo", "mid", "hi", "top"], ordered=True)


def frame(name):
    """A frame of the script, its factors' levels in R's order, and numbers with holes as numbers."""
    given = pd.DataFrame(CASES["frames"][name]).astype({"o": ORDERED, "l": "boolean"})
    return given.astype(dict.fromkeys(("x", "y", "z"), float) | dict.fromkeys("fgh", "category"))


FRAMES = {name: frame(name) for name in ("whole", "holes")}
MODELS = [(name, text) for name in FRAMES for text in CASES[name]]


def listed(values):
    return values if isinstance(values, list) else [values]


@pytest.mark.parametrize(("name", "text"), MODELS)
def test_columns_levels_theta_and_rows_are_lme4_s(name, text):
    expected, found = CASES[name][text], explain_formula(text, FRAMES[name])
    assert list(found.columns) == expected["x"]
    assert sorted(found.dropped) == sorted(listed(expected["dropped"]))
    assert len(found.rows) == expected["rows"]
    assert found.parameters["theta"] == expected["theta"]
    assert found.parameters["beta"] == len(expected["x"]) - len(listed(expected["dropped"]))
    random = [", ".join(each) for each in found.frame.query("part == 'random'")["columns"]]
    assert sorted(random) == sorted(expected["terms"])
    assert found.groups["levels"].to_dict() == dict(zip(expected["groups"], expected["levels"], strict=True))


@pytest.mark.parametrize("name", CASES["contrasts"])
def test_contrasts_name_the_columns_as_in_r(name):
    found = explain_formula("y ~ f * h + o + (1 | g)", FRAMES["whole"], contrasts={"f": name, "o": name})
    assert list(found.columns) == CASES["contrasts"][name]["x"]
