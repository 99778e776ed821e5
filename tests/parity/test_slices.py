"""What lies between two answers: the objective along the line through both, and a slice of it."""

from types import SimpleNamespace

import numpy as np
import pytest

from lmerbridge.parity import tolerances
from lmerbridge.parity.criterion import SparseCriterion
from lmerbridge.parity.slices import lines, theta_names
from lmerbridge.parity.sparse import Objective

FAR = np.array([2.0, 0.3, 0.0])  # the slopes' own variance is zero


@pytest.fixture(scope="module")
def fit(fits):
    return fits("Reaction ~ Days + (Days | Subject)", "sleepstudy")


@pytest.fixture(scope="module")
def objective(fit):
    return Objective(fit.design(), fit.reml)


@pytest.fixture
def between(fit, objective):
    def lines_to(candidate, reference=fit.theta):
        thetas = np.array([reference, candidate])
        profiled = np.array([objective(theta) for theta in thetas])
        gap = dict(zip(("lme4", "other"), profiled - fit.criterion, strict=True))
        return lines(
            SimpleNamespace(
                thetas=thetas,
                profile_values=profiled,
                gap=gap,
                minimum=fit.criterion,
                objective=objective,
                criterion=SparseCriterion(objective),
                profile=tolerances.default(),
                design=fit.design(),
            )
        )

    return lines_to


def value_at(line, place):
    return line.above[line.at.index(place)]


def test_the_line_has_both_answers_on_it_and_the_objective_there(between, fit, objective):
    line, _ = between(FAR)
    assert (line.along, line.reference, line.candidate) == ("", 0.0, 1.0)
    assert value_at(line, 0.0) == pytest.approx(0, abs=1e-6)  # the limit of the same optimum
    assert value_at(line, 1.0) == pytest.approx(objective(FAR) - fit.criterion, rel=1e-9)
    assert value_at(line, 0.5) == pytest.approx(objective((fit.theta + FAR) / 2) - fit.criterion, rel=1e-9)


def test_the_slice_moves_the_element_that_differs_most_and_holds_the_others_at_the_better_answer(
    between, fit, objective
):
    _, line = between(FAR)
    assert line.along == "Subject.Days.(Intercept)"  # scaled by what it moves: Days goes up to 9
    assert (line.reference, line.candidate) == (fit.theta[1], FAR[1])
    at = len(line.at) // 3
    held = np.array([fit.theta[0], line.at[at], fit.theta[2]])
    assert line.above[at] == pytest.approx(objective(held) - fit.criterion, rel=1e-9)


def test_where_the_reference_is_worse_the_slice_goes_through_the_candidate(between, fit):
    _, line = between(fit.theta, reference=FAR)
    assert min(line.above) == pytest.approx(0, abs=1e-6)
    assert line.candidate == fit.theta[1]


def test_no_point_lies_below_a_bound_of_theta(between, fit):
    line, _ = between(FAR)
    points = fit.theta + np.array(line.at)[:, None] * (FAR - fit.theta)
    assert points[:, [0, 2]].min() == 0
    assert max(line.at) == 1.0  # the candidate lies on the bound
    assert min(line.at) == -0.5


def test_a_line_of_full_length_has_41_points(between):
    line, _ = between(np.array([1.2, 0.5, 0.3]))
    assert (len(line.at), min(line.at), max(line.at)) == (41, -0.5, 1.5)


@pytest.mark.parametrize("step", [0.0, 1e-3])
def test_there_is_no_line_where_no_gap_is_above_tolerance(between, fit, step):
    assert between(fit.theta + step) == ()


def test_elements_of_theta_are_named_as_lme4_names_them(fit):
    names = ["Subject.(Intercept)", "Subject.Days.(Intercept)", "Subject.Days"]
    assert theta_names(fit.design()) == names
