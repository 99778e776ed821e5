"""A kind of mixed model is one value: what it names is there, and what reads it asks the value and no name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge.bridge.from_r import replies
from lmerbridge.bridge.to_r.arguments import arguments
from lmerbridge.errors import EngineFailed, FormulaError, InvalidArgument, UnfitData, UnsupportedColumn
from lmerbridge.inputs import control
from lmerbridge.inputs.spec import Spec
from lmerbridge.models.kept import KeptFit, fit_spec
from lmerbridge.parity import criterion, sparse
from lmerbridge.results.kind import LMM

NAMESPACE = Path(__file__).parents[2] / "r" / "NAMESPACE"
FRAME = pd.DataFrame(
    {"y": [1.0, 2.0, 4.0, 3.0, 1.0, 2.0, 4.0, 3.1, 1.0, 2.0, 4.0, 2.9], "x": np.arange(12.0), "g": [*"abcd"] * 3}
)
FORMULA = "y ~ x + (1 | g)"


def refuse_low(values, offset):
    return "is below 2 in a row" if values.min() < 2 else ""


def spec(formula=FORMULA, data=FRAME, **changes):
    return Spec(formula=formula, data=data, kind=replace(LMM, **changes))


def test_what_a_kind_names_on_a_higher_floor_is_there():
    assert issubclass(getattr(replies, LMM.reply), replies.FitReply)
    assert callable(getattr(control, LMM.control))
    assert callable(getattr(sparse, LMM.objective))
    assert callable(getattr(criterion, LMM.criterion))
    assert f"export({LMM.fit})" in NAMESPACE.read_text()


def test_a_formula_may_call_what_its_kind_may():
    with pytest.raises(FormulaError):
        _ = spec("cbind(y, x) ~ 1 + (1 | g)").parsed
    assert spec("cbind(y, x) ~ 1 + (1 | g)", functions=frozenset(["cbind"])).parsed.variables == ("y", "x", "g")


def test_the_kind_says_which_responses_are_fit_for_it():
    with pytest.raises(UnfitData, match="the response 'y' is below 2 in a row"):
        arguments(spec(check_response=refuse_low))
    constant = FRAME.assign(y=3.0)
    with pytest.raises(UnfitData, match="is the same in every row"):
        arguments(spec(data=constant))
    assert arguments(spec(data=constant, check_response=refuse_low))["formula"] == spec().parsed.source


def test_the_kind_says_what_to_do_about_a_response_that_is_none():
    texts = FRAME.assign(y=FRAME["y"].astype(str))
    with pytest.raises(UnsupportedColumn, match="count the successes"):
        arguments(spec(data=texts, response={"text": "count the successes"}))
    assert "y" in arguments(spec(data=texts, response={}))["data"].columns


def test_the_kind_says_which_control_there_is():
    assert spec().controls == {}
    with pytest.raises(InvalidArgument, match="control is LmerControl"):
        Spec(formula=FORMULA, data=FRAME, control=control.LmerControl(), kind=replace(LMM, control="ConvCheck"))


def test_the_kind_names_the_function_of_r_and_judges_its_sigma(fits):
    with pytest.raises(EngineFailed, match="no"):
        fit_spec(KeptFit, spec(check_sigma=refuse))
    fit = fit_spec(KeptFit, spec(criteria=("D", "R")))
    assert fit.kind.criteria == ("D", "R")
    assert "R" in fit.quantities()
    assert "REMLcrit" not in fit.quantities()
    assert f"R {fit.criterion:.10g}" in repr(fit)
    assert "sigma" not in fit_spec(KeptFit, spec(scale=lambda sigma: {})).quantities()


def refuse(sigma, response, weights):
    raise EngineFailed("no")


def test_a_sigma_of_zero_and_one_that_is_no_number_are_refused():
    response, weights = FRAME["y"].to_numpy(), np.ones(len(FRAME))
    with pytest.raises(UnfitData, match="exactly"):
        LMM.check_sigma(0.0, response, weights)
    with pytest.raises(EngineFailed, match="NaN throughout"):
        LMM.check_sigma(float("nan"), response, weights)
    LMM.check_sigma(1e-100, response * 1e-100, weights)


@pytest.mark.parametrize("size", [1e-140, 1e-20, 1.0, 1e20, 1e140])
@pytest.mark.parametrize("weight", [1e-8, 1.0, 1e8])
def test_a_sigma_is_judged_beside_the_spread_of_the_response(size, weight):
    response, weights = FRAME["y"].to_numpy() * size, np.full(len(FRAME), weight)
    unit = size * weight**0.5
    LMM.check_sigma(1e-9 * unit, response, weights)
    with pytest.raises(UnfitData, match="exactly"):
        LMM.check_sigma(1e-12 * unit, response, weights)
    LMM.check_sigma(1e-9 * unit, response + 1e4 * size, weights)
    with pytest.raises(UnfitData, match="exactly"):
        LMM.check_sigma(1e-9 * unit, response + 1e9 * size, weights)


def test_what_underflows_is_not_called_exact():
    with pytest.raises(UnfitData, match=r"values of size 1.5e-200, whose squares .* divide it by 1e-200"):
        LMM.check_sigma(0.0, FRAME["y"].to_numpy() * 1e-200, np.ones(len(FRAME)))
