"""Simulation from a formula alone, against lme4's simulate of a formula."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import data_template, params_template, simulate_formula
from lmerbridge.errors import FormulaError, InvalidArgument, MissingColumns, MissingValues, UnsafeFormula
from tests.oracle import MODELS, fitted, plain, same_bits

SEEDED = 'RNGkind("Mersenne-Twister", "Inversion", "Rejection"); set.seed(%d); '


def right(fit):
    """The right side of a fit's formula."""
    return f"~ {fit.formula.partition(' ~ ')[2]}"


def of(fit):
    """The parameters of a fit."""
    return {"beta": fit.beta, "theta": fit.theta, "sigma": fit.sigma}


@pytest.mark.parametrize("name", MODELS)
def test_responses_of_a_formula_are_lme4s_for_the_same_seed(name):
    fit = fitted(name)
    found = simulate_formula(right(fit), fit.spec.data, **of(fit), nsim=2, seed=7)
    told = f"""unlist(simulate({right(fit)}, nsim = 2, newdata = m@frame, family = gaussian,
      newparams = list(beta = fixef(m), theta = m@theta, sigma = sigma(m))), use.names = FALSE)"""
    assert same_bits(found, plain(fit, SEEDED % 7 + told))
    assert list(found.columns) == ["sim_1", "sim_2"]
    assert found.index.equals(fit.spec.data.index)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_have_lme4s_names_and_order(name):
    fit = fitted(name)
    template = params_template(right(fit), fit.spec.data)
    told = f"mkParsTemplate({right(fit)}, m@frame)"
    assert list(template.beta.index) == list(plain(fit, f"names({told}$beta)")) == list(fit.terms)
    assert list(template.theta.index) == list(plain(fit, f"names({told}$theta)"))
    assert same_bits(
        [*template.beta, *template.theta, template.sigma], plain(fit, f"unlist({told}, use.names = FALSE)")
    )


def test_parameters_are_found_by_name():
    fit = fitted("sleepstudy")
    template = params_template(right(fit), fit.spec.data)
    beta = pd.Series(fit.beta, index=template.beta.index)[::-1]
    theta = dict(zip(template.theta.index, fit.theta, strict=True))
    found = simulate_formula(right(fit), fit.spec.data, beta=beta, theta=theta, sigma=fit.sigma, seed=7)
    assert found.equals(simulate_formula(right(fit), fit.spec.data, **of(fit), seed=7))


def test_a_response_makes_no_difference_and_is_to_be_there():
    fit = fitted("sleepstudy")
    design = fit.spec.data.drop(columns="Reaction")
    assert simulate_formula(fit.formula, fit.spec.data, **of(fit), seed=7).equals(
        simulate_formula(right(fit), design, **of(fit), seed=7)
    )
    with pytest.raises(MissingColumns, match="'Reaction', which the data lacks"):  # R: object 'Reaction' not found
        simulate_formula(fit.formula, design, **of(fit), seed=7)


def test_a_seed_leaves_the_worker_s_own_numbers_where_they_were():
    fit = fitted("sleepstudy")
    plain(fit, SEEDED % 3 + "1")
    expected = plain(fit, "{s <- .Random.seed; x <- rnorm(3); assign('.Random.seed', s, globalenv()); x}")
    first = simulate_formula(right(fit), fit.spec.data, **of(fit), seed=7)
    assert same_bits(plain(fit, "rnorm(3)"), expected)
    plain(fit, 'RNGkind("Wichmann-Hill"); 1')
    again = simulate_formula(right(fit), fit.spec.data, **of(fit), seed=7)
    assert plain(fit, "RNGkind()[1L]") == ["Wichmann-Hill"]
    plain(fit, 'RNGkind("Mersenne-Twister"); 1')
    assert again.equals(first)


def test_without_a_seed_two_simulations_differ():
    fit = fitted("sleepstudy")
    found = [simulate_formula(right(fit), fit.spec.data, **of(fit)) for _ in range(2)]
    assert not found[0].equals(found[1])


def test_a_frame_of_a_formula_is_lme4s():
    found = data_template("~ x + (x | g) + (1 | h)", groups=3, per_group=2)
    expected = plain(fitted("sleepstudy"), "dim(mkDataTemplate(~ x + (x | g) + (1 | h), nGrps = 3, nPerGrp = 2))")
    assert list(found.shape) == list(expected)
    assert set(found.columns) == {"x", "g", "h"}
    assert found.x.eq(0).all()
    assert found.groupby(["g", "h"], observed=True).size().eq(4).all()


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"beta": [1.0]}, InvalidArgument, r"beta is \[1\.0\]; 2 finite numbers expected, for \(Intercept\), Days"),
        ({"theta": [1.0, np.nan, 1.0]}, InvalidArgument, "theta is .* 3 finite numbers"),
        ({"beta": {"Days": 1.0}}, InvalidArgument, r"beta names Days; \(Intercept\), Days are expected"),
        ({"sigma": -1.0}, InvalidArgument, r"sigma is -1\.0"),
        ({"sigma": float("inf")}, InvalidArgument, "sigma is inf"),
        ({"nsim": 0}, InvalidArgument, "nsim is 0"),
        ({"seed": 2**31}, InvalidArgument, "seed is 2147483648"),
        ({"formula": "~ Days + (1 | Person)"}, MissingColumns, "'Person'"),
        ({"formula": "~ Days"}, FormulaError, "no random term"),
        ({"formula": "~ Days + cs(Days | Subject)"}, FormulaError, r"has cs\(\), whose parameters"),
        ({"formula": "Days"}, FormulaError, r"'~ terms \+ \(1 \| group\)' is expected"),
        ({"formula": "~ system('x') + (1 | Subject)"}, UnsafeFormula, "system"),
    ],
)
def test_what_cannot_be_simulated_is_an_error(change, error, told):
    fit = fitted("sleepstudy")
    given = {"formula": right(fit), "data": fit.spec.data, **of(fit)} | change
    with pytest.raises(error, match=told):
        simulate_formula(**given)


def test_a_design_has_no_missing_values():
    fit = fitted("sleepstudy")
    design = fit.spec.data.assign(Days=fit.spec.data.Days.where(fit.spec.data.index != 4))
    with pytest.raises(MissingValues, match="lacks values in row 4"):
        simulate_formula(right(fit), design, **of(fit))


def test_sigma_is_asked_for_whatever_lme4_does_without():
    fit = fitted("sleepstudy")
    with pytest.raises(TypeError, match="sigma"):
        simulate_formula(right(fit), fit.spec.data, beta=fit.beta, theta=fit.theta)
