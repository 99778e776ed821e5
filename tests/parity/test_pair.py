"""What the referee decides on: which reference can be judged against, and how far rounding reaches."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from lmerbridge.engines import find
from lmerbridge.errors import EngineFailed, InvalidArgument
from lmerbridge.inputs.spec import Spec
from lmerbridge.parity import tolerances
from lmerbridge.parity.compare import compare, judge_candidate
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.verdict import Verdict
from lmerbridge.parity.words import Code

SLOPES = "Reaction ~ Days + (Days | Subject)"
NAMES = ("lme4", "mine")
SAME = tolerances.default().same


@pytest.fixture(scope="module")
def reference(fits):
    """lme4's fit as numbers alone: the referee then needs no R."""
    fit = fits(SLOPES, "sleepstudy")
    return replace(fit.numbers(), _design=fit.design())


@pytest.fixture(scope="module")
def off(reference):
    """The same but for theta, which costs a hundredth of a deviance unit or so."""
    trial = Trial(reference, reference, NAMES, tolerances.default())
    theta = 1.01 * reference.theta
    return replace(reference, engine="mine", theta=theta, criterion=trial.objective(theta))


class Rounded:
    """The reference's objective as a program would have it that rounds at the neighbours of theta."""

    def __init__(self, objective, sizes=(0.0,), thetas=()):
        self.objective, self.sizes, self.thetas = objective, sizes, thetas

    def values(self, points):
        exact = np.array([self.objective(points[0])] * len(points)) if len(points) == 3 else self._each(points)
        for size, theta in zip(self.sizes, self.thetas, strict=False):
            near = np.stack([theta, theta * (1 + 1e-9), theta * (1 - 1e-9)])
            if points.shape == near.shape and np.allclose(points, near, rtol=1e-12, atol=0):
                exact += np.array([0.0, size, -size])
        return exact

    def _each(self, points):
        return np.array([self.objective(theta) for theta in points])

    def minima(self, starts):
        return starts, self._each(starts)

    def starts(self):
        return np.empty((0, 3))


def trial_of(reference, candidate, *sizes):
    """A trial whose objective has rounding errors of these sizes at the two engines' theta."""
    trial = Trial(reference, candidate, NAMES, tolerances.default())
    trial.criterion = Rounded(trial.objective, sizes, trial.thetas)  # the cached property, set by hand
    return trial


@pytest.mark.parametrize(("share", "usable"), [(1.1e-8, True), (0.9e-8, False), (0.0, False), (np.nan, False)])
def test_a_reference_without_residual_cannot_be_judged_against(share, usable, reference):
    """Its sigma is rounding where it is a hundred millionth of the largest response."""
    perfect = replace(reference, sigma=share * float(np.abs(reference.design().y).max()))
    if usable:
        assert Trial(perfect, reference, NAMES, tolerances.default()).reference is perfect
        return
    with pytest.raises(EngineFailed, match="the model fits without residual, and its likelihood has no maximum"):
        Trial(perfect, reference, NAMES, tolerances.default())


def test_a_reference_of_which_a_weight_is_zero_cannot_be_judged_against(reference):
    design = reference.design()
    weightless = replace(design, weights=np.where(np.arange(len(design.y)) == 3, 0.0, design.weights))
    with pytest.raises(EngineFailed, match="a weight is zero"):
        Trial(replace(reference, _design=weightless), reference, NAMES, tolerances.default())


def test_what_cannot_be_judged_against_is_a_verdict_that_says_why(sleepstudy, reference):
    spec = Spec(formula=SLOPES, data=sleepstudy)
    result = judge_candidate(spec, "lme4", replace(reference, sigma=0.0), find("statsmodels"))
    assert (result.verdict, result.cause.code) == (Verdict.ENGINE_FAILED, Code.NOT_JUDGED)
    assert result.reason.startswith("the answers cannot be judged: the model fits without residual")
    assert (result.judged, result.worse, result.gap, result.optimizers) == (None, None, {}, {})


@pytest.mark.parametrize(("times", "near"), [(0.3, False), (0.7, True), (1.6, True), (40, False)])
def test_a_gap_within_twice_of_its_limit_is_marked_as_being_at_a_limit(times, near, reference, off):
    gap = Trial(reference, off, NAMES, tolerances.default()).gap["mine"]
    theta = reference.theta * (1 + 0.01 * np.sqrt(times * SAME / gap))
    criterion = Trial(reference, reference, NAMES, tolerances.default()).objective(theta)
    told = judge(Trial(reference, replace(off, theta=theta, criterion=criterion), NAMES, tolerances.default()))
    assert gap > 100 * SAME
    assert ("at a limit" in told.marks) is near
    assert told.marks == told.evidence[3].figures["marks"]


def test_noise_is_the_scatter_of_the_objective_about_the_better_answer(reference, off):
    assert trial_of(reference, off, 3e-6, 5e-5).noise == pytest.approx(6e-6)
    assert trial_of(off, reference, 5e-5, 3e-6).noise == pytest.approx(6e-6)


def test_noise_is_no_less_than_eight_roundings_of_the_value(reference, off):
    trial = trial_of(reference, off)
    assert trial.noise == pytest.approx(8 * 2.0**-52 * reference.criterion, rel=1e-6)


def test_two_criteria_may_differ_by_ten_times_the_scatter_about_the_candidate(reference, off):
    assert trial_of(reference, off, 3e-6, 5e-5).rounding == pytest.approx(1e-3)
    assert trial_of(off, reference, 5e-5, 3e-6).rounding == pytest.approx(6e-5)


def test_two_criteria_may_differ_by_what_the_profile_allows_where_nothing_scatters(reference, off):
    trial = trial_of(reference, off)
    assert trial.rounding == trial.profile.objective.bound(float(trial.profile_values[1]))


@pytest.mark.parametrize(("size", "code"), [(0.0, Code.OTHER_OBJECTIVE), (5e-5, Code.SAME_OBJECTIVE)])
def test_a_criterion_is_another_objective_only_beyond_the_rounding_of_the_common_one(size, code, reference, off):
    told = replace(off, criterion=off.criterion + 5e-4)
    (found,) = (e for e in judge(trial_of(reference, told, 0.0, size)).evidence if e.stage == "objective")
    assert found.code is code


@pytest.mark.parametrize(("noise", "worse"), [(0.0, "mine"), (0.4 * SAME, "mine"), (0.6 * SAME, None)])
def test_an_engine_is_at_fault_only_where_its_gap_is_beyond_rounding(noise, worse, reference, off):
    trial = trial_of(reference, off)
    trial.gap, trial.noise = {"lme4": 0.0, "mine": 1.5 * SAME}, noise  # cached properties, set by hand
    assert trial.worse == worse


def test_an_answer_is_its_theta_unless_the_engine_counts_its_own_estimates(reference):
    """Fixed effects a tenth of a standard error off: a criterion that counts them is their own."""
    beta = reference.beta + 0.1 * reference.std_errors
    trial = Trial(reference, replace(reference, beta=beta), NAMES, tolerances.default())
    excess = trial.objective.excess(reference.theta, beta, reference.sigma)
    assert excess > 0.01
    _, profiled = trial.profile_values
    assert trial.answers[1] == profiled
    counted = replace(reference, beta=beta, criterion=float(profiled + excess))
    assert Trial(reference, counted, NAMES, tolerances.default()).answers[1] == pytest.approx(profiled + excess)


@pytest.mark.parametrize("name", [3, None, b"mine", ("a",)])
def test_an_engine_whose_name_is_no_text_is_refused(name, sleepstudy):
    engine = SimpleNamespace(name=name, capabilities=frozenset(), fit=lambda spec: None)
    with pytest.raises(InvalidArgument, match=r"an engine.s name is .*; a text is expected"):
        compare(SLOPES, sleepstudy, candidate=engine)
