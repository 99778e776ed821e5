"""Residuals, leverages and distances are R's own."""

import numpy as np
import pytest

from lmerbridge.errors import InvalidArgument
from tests.models.test_extraction import weighted
from tests.oracle import MODELS, fitted, plain, same_bits

EVERY = [*MODELS, "weighted"]
every_model = pytest.mark.parametrize("name", EVERY)


def made(name):
    return weighted() if name == "weighted" else fitted(name)


@every_model
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("type", ["response", "pearson", "working", "deviance"])
def test_residuals_of_a_type_are_those_of_r(name, type, scaled):
    ours = made(name).resid(type, scaled=scaled)
    code = f'as.vector(residuals(m, type = "{type}", scaled = {"TRUE" if scaled else "FALSE"}))'
    assert same_bits(ours, plain(made(name), code))
    assert ours.index.equals(made(name).fitted.index)


def test_the_residuals_of_a_weighted_model_differ_by_type():
    fit = weighted()
    weights = fit.weights()
    assert fit.resid().equals(fit.residuals.rename("resid"))
    assert np.allclose(fit.resid("pearson"), fit.resid() * np.sqrt(weights), rtol=1e-14, equal_nan=True)
    assert not np.allclose(fit.resid("pearson"), fit.resid(), equal_nan=True)


def test_a_type_that_lme4_has_not_is_refused():
    with pytest.raises(InvalidArgument, match="'partial'; one of 'response', 'pearson', 'working', 'deviance'"):
        fitted("sleepstudy").resid("partial")


@every_model
@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("hatvalues", "hatvalues(m)"),
        ("rstudent", "rstudent(m)"),
        ("cooks_distance", "cooks.distance(m)"),
    ],
)
def test_a_diagnostic_is_that_of_r(name, verb, code):
    ours = getattr(made(name), verb)()
    assert same_bits(ours, plain(made(name), f"as.vector({code})"))
    assert ours.index.equals(made(name).fitted.index)
    assert ours.name == verb


@every_model
def test_the_hat_matrix_is_that_of_r_and_has_the_leverages(name):
    fit = made(name)
    matrix, leverages = fit.hatvalues(full_hat_matrix=True), fit.hatvalues().dropna()
    if name != "weighted":  # there lme4 takes the matrix for a vector
        assert same_bits(matrix, plain(fit, "as.vector(as.matrix(hatvalues(m, fullHatMatrix = TRUE)))"))
    assert np.allclose(np.diag(matrix), leverages, rtol=1e-13)  # another order of sums
    assert matrix.index.equals(leverages.index)
    root = np.sqrt(fit.weights().dropna())
    explained = root * (fit.fitted.dropna() - fit.offset().dropna())
    assert np.allclose(matrix @ (root * (fit.get_me("y") - fit.offset().dropna())), explained, rtol=1e-8)
