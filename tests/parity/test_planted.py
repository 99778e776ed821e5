"""A fault planted on purpose is caught under its own name, on five models; what has no fault is not flagged.

On a push it is planted in one model: `make report` plants it in five, and names any that is missed.
"""

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest

from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import planted, tolerances
from lmerbridge.parity.cases import suite
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.verdict import Verdict
from tests.chance import amount

MODELS = amount(planted.MODELS)
NAMES = [fault.name for fault in planted.FAULTS]
CASE = next(case for case in suite() if case.name == "sleepstudy_two_thirds/REML")


@pytest.fixture(scope="module")
def found():
    """Every planting of every fault."""
    by_fault = defaultdict(list)
    for planting in planted.plantings(tolerances.default(), MODELS):
        by_fault[planting.fault.name].append(planting)
    return by_fault


@pytest.fixture(scope="module")
def ground():
    return planted.Ground(CASE)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_fault_is_caught_under_its_own_name_on_each_model(name, found):
    plantings = found[name]
    assert len({p.case.formula + p.case.dataset for p in plantings}) == MODELS
    missed = {p.case.name: p.comparison.explain() for p in plantings if not p.caught}
    assert not missed


@pytest.mark.parametrize("profile", tolerances.profiles())
def test_what_has_no_fault_is_not_flagged_by_any_profile(profile, ground):
    limits = tolerances.profile(profile)
    result = judge(Trial(ground.fit, ground.sound, ("lme4", planted.ENGINE), limits))
    assert result.verdict is Verdict.SAME_OPTIMUM
    assert result.frame["agrees"].all()


def test_the_strict_profile_notices_what_the_default_takes_as_equal_and_screening_takes_more(ground):
    fault = planted.Fault(
        "standard errors times 1.000005",
        lambda g: replace(g.sound, covariance=1.000005**2 * g.sound.covariance),
        Verdict.UNEXPLAINED,
        "standard errors",
    )
    wider = replace(
        fault,
        name="standard errors times 1.00005",
        plant=lambda g: replace(g.sound, covariance=1.00005**2 * g.sound.covariance),
    )
    caught = {
        name: [planted.plant(f, ground, tolerances.profile(name)).caught for f in (fault, wider)]
        for name in tolerances.profiles()
    }
    assert caught == {"default": [False, True], "strict": [True, True], "screening": [False, False]}


def test_a_profile_that_is_none_is_an_error_with_those_there_are():
    with pytest.raises(InvalidArgument, match="one of default, strict, screening"):
        tolerances.profile("lenient")


def test_a_fault_that_the_referee_does_not_find_counts_as_missed(ground):
    sound = planted.Fault("nothing", lambda g: g.sound, Verdict.UNEXPLAINED, "")
    assert not planted.plant(sound, ground, tolerances.default()).caught


def test_the_page_counts_the_faults():
    page = (Path(__file__).parents[2] / "docs" / "referee.md").read_text()
    assert f"{len(NAMES)} faults are planted in five models each" in page
    assert f"{len(NAMES) * planted.MODELS} planted, {len(NAMES) * planted.MODELS} caught." in page


@pytest.mark.parametrize("name", ["convergence denied", "single precision"])
def test_a_remark_that_is_not_made_counts_as_missed(ground, name):
    fault = next(fault for fault in planted.FAULTS if fault.name == name)
    assert planted.plant(fault, ground, tolerances.default()).caught
    assert not planted.plant(replace(fault, plant=lambda g: g.sound), ground, tolerances.default()).caught
