"""R's functions of columns, against R."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lmerbridge.errors import NotExpressible
from lmerbridge.formula.parser import read_expression
from lmerbridge.translate.transform import as_factor, evaluate, logical

CASES = json.loads(Path(__file__).parents[1].joinpath("cases", "transform.json").read_text(encoding="utf-8"))
GIVEN = CASES["columns"]
TRUTH = np.array([np.nan if v is None else float(v) for v in GIVEN["l"]])
COLUMNS: dict[str, Any] = {
    "x": np.array(GIVEN["x"], dtype=float),
    "n": np.array(GIVEN["n"], dtype=float),
    "f": pd.Categorical(GIVEN["f"]),
    "l": logical(TRUTH == 1, TRUTH),
}


@pytest.mark.parametrize("text", CASES["values"])
def test_a_function_of_columns_has_rs_value(text):
    expected, found = CASES["values"][text], evaluate(read_expression(text), COLUMNS)
    if "levels" in expected:
        assert isinstance(found, pd.Categorical)
        assert list(found.categories) == expected["levels"]
        assert list(found.codes) == expected["codes"]
        assert bool(found.ordered) == expected.get("ordered", False)
    else:
        assert found.shape == ((7, expected["width"]) if expected["width"] > 1 else (7,))
        values = np.array(expected["values"], dtype=float).reshape(found.shape, order="F")
        # poly() is a QR decomposition, and its last column cancels five digits of n = 1e5
        np.testing.assert_allclose(found, values, rtol=1e-13, atol=1e-10 if text == "poly(n, 2)" else 0)


@pytest.mark.parametrize(
    "text",
    ["cut(x, 3)", "I(f + 1)", "log(f)", "ns(x, 3)", "factor(f, levels = c('a'))", "relevel(f, 'z')",
     "poly(x, 2)", "poly(n, 7)", "dummy(f, 'z')", "round(x, 2)"],
)  # fmt: skip
def test_what_has_no_counterpart_is_told(text):
    with pytest.raises(NotExpressible):
        evaluate(read_expression(text), COLUMNS)


def test_a_factor_loses_unused_levels_and_keeps_its_order():
    given: Any = pd.Categorical(["c", "a"], categories=["c", "b", "a"], ordered=True)
    factor = as_factor(given)
    assert list(factor.categories) == ["c", "a"]
    assert factor.ordered
