"""Every dtype in every role is, through the real R, the right model or an error of ours: tests/cases/columns.py."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.errors import InputError
from tests.cases.columns import CASES, LEVELS, LOGICAL, NUMBERS, ORDERED, TWO_LEVELS

FORMULAS = {
    "covariate": "Reaction ~ column + (1 | Subject)",
    "response": "column ~ Reaction + (1 | Subject)",
    "group": "Reaction ~ Days + (1 | column)",
}
REFERENCES = {  # the plain column that stands for a case: float64, numpy's booleans, or a factor
    NUMBERS: lambda days, case: days.map(case.numbers),
    LOGICAL: lambda days, case: days > 4,
    LEVELS: lambda days, case: days.map("d{:.0f}".format),
    ORDERED: lambda days, case: pd.Categorical(days.map("d{:.0f}".format), ordered=True),
    TWO_LEVELS: lambda days, case: (days > 4).map({False: "a", True: "b"}),
}
EFFECTS = {NUMBERS: 2, LOGICAL: 2, LEVELS: 10, ORDERED: 10, TWO_LEVELS: 2}


@pytest.fixture(scope="module")
def days(sleepstudy):
    return sleepstudy["Days"]


@pytest.fixture(scope="module")
def fit(sleepstudy):
    return lambda role, column: lmer(FORMULAS[role], sleepstudy.assign(column=column))


@pytest.fixture(scope="module")
def reference(days, fit):
    """Numbers of the model of a plain column; each is fitted once."""
    kept = {}

    def numbers_of(role, verdict, case):
        plain = REFERENCES[verdict](days, case)
        key = role, verdict, str(list(plain))
        if key not in kept:
            kept[key] = numbers(fit(role, plain))
        return kept[key]

    return numbers_of


def numbers(fit):
    """The numbers of a model, as bits: the criterion, the fixed effects and the fitted values."""
    return tuple(np.asarray(part, np.float64).tobytes() for part in (fit.criterion, fit.fixef, fit.fitted))


@pytest.mark.slow
@pytest.mark.parametrize("role", FORMULAS)
@pytest.mark.parametrize("name", CASES)
def test_a_dtype_gives_the_right_model_or_an_error_of_ours(name, role, days, fit, reference):
    case = CASES[name]
    column, verdict = case.make(days), getattr(case, role)
    if verdict not in REFERENCES:
        with pytest.raises(InputError, match=f"'column'.*({verdict})"):
            fit(role, column)
        return
    found = fit(role, column)
    assert numbers(found) == reference(role, verdict, case)
    if role == "covariate":
        assert len(found.fixef) == EFFECTS[verdict]
    if role == "group":
        assert list(found.ranef["column"].index) == list(dict.fromkeys(map(case.label, range(10))))
