"""Tests and degrees of freedom that lmerTest and pbkrtest printed: ours round to them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge.inputs.spec import Spec
from lmerbridge.models.kept import fit_spec
from lmerbridge.models.lmer import LmerFit
from lmerbridge.parity import reference
from lmerbridge.parity.accuracy import lre
from tests.processes import in_r

CASES = ("shoes_*", "carrots83", "tv82")
MODELS = {model.case: model for case in CASES for model in reference.models("published", case)}
KINDS = ("satt_df", "F3", "DenDF", "p3", "KR_F", "KR_ddf", "KR_p", "SAT_ddf", "LRT")
ROWS = [
    (case, number) for case, model in MODELS.items() for number in model.numbers if number.quantity.startswith(KINDS)
]
BOBYQA = {"optimizer": "bobyqa"}  # lme4's default when they were printed
# What was printed with more digits than it holds, and to how many ours agree. Degrees of freedom are by differences,
# whose noise is in their numbers as in ours (exact are 14, 21, 138 and 9); F is at the stop of an optimizer, p is F's.
HELD = {"DenDF": 7, "SAT_ddf": 7, "F3": 7, "p3": 6}


def shoes(case):
    """MASS's list of the wear of two materials, a pair a boy, as pbkrtest's vignette makes a frame of it."""
    wear = in_r("c(MASS::shoes$A, MASS::shoes$B)")
    material, boy = np.repeat(["A", "B"], 10), np.tile(np.arange(1, 11), 2).astype(str)
    frame = pd.DataFrame({"wear": wear, "material": material, "boyf": boy})
    return frame.drop([0, 11]) if case == "shoes_imbal" else frame


@cache
def told(case):
    """Every test of a case under its published name."""
    model = MODELS[case]
    data = shoes(case) if case.startswith("shoes") else model.data()
    spec = Spec(formula=model.formula, data=data, reml=model.reml, control=BOBYQA)
    fit = fit_spec(LmerFit, spec)
    table = fit.anova(type="III", ddf="Satterthwaite").frame
    found = {f"satt_df[{term}]": df for term, df in fit.summary("Satterthwaite").coefficients["df"].items()}
    for kind, column in (("F3", "f_value"), ("DenDF", "den_df"), ("p3", "p_value")):
        found |= {f"{kind}[{term}]": value for term, value in table[column].items()}
    if case.startswith("shoes"):
        smaller = fit_spec(LmerFit, replace(spec, formula="wear ~ 1 + (1 | boyf)"))
        by_kr, by_satterthwaite = fit.kr_modcomp(smaller), fit.sat_modcomp(smaller)
        found |= {"KR_F[material]": by_kr.statistic, "KR_ddf[material]": by_kr.ddf, "KR_p[material]": by_kr.p_value}
        found |= {"SAT_ddf[material]": by_satterthwaite.ddf}
        found |= {"LRT[material]": fit.anova(smaller).frame["chisq"].iloc[1]}
    return found


def test_there_are_as_many_as_the_reference_has():
    assert {number.quantity.partition("[")[0] for _, number in ROWS} == set(KINDS)
    assert len(ROWS) == 21


@pytest.mark.slow
@pytest.mark.parametrize(("case", "number"), ROWS, ids=lambda each: getattr(each, "quantity", each))
def test_a_published_test_is_reproduced_to_its_printed_digits(case, number):
    found = told(case)[number.quantity]
    held = HELD.get(number.quantity.partition("[")[0], 99)
    printed = float(f"{found:.{number.digits}g}") == number.value
    assert printed or (number.digits > held and lre(found, number.value) >= held), found
