"""Every number of a fit of glmer is, bit for bit, the double that plain R computes."""

import tomllib
import warnings

import pytest

from lmerbridge import glmer, glmer_nb
from tests.cases import exact_frames
from tests.exact import CASES, bits_of, numbers, plain_numbers

pytestmark = pytest.mark.slow

MODELS = {model["name"]: model for model in tomllib.loads((CASES / "exact_glmer.toml").read_text())["model"]}


def call(model):
    """The call of glmer in R."""
    if model.get("family") == "estimated":
        return f"glmer.nb({model['formula']}, data = d{model.get('r', '')})"
    family = model.get("r_family", f"'{model.get('family', 'binomial')}'")
    return f"glmer({model['formula']}, d, family = {family}{model.get('r', '')})"


def fitted(model, data):
    """The same model by this package."""
    family, given = model.get("family", "binomial"), model.get("python", {})
    if family == "estimated":
        return glmer_nb(model["formula"], data, **given)
    return glmer(model["formula"], data, family, **given)


@pytest.fixture(scope="module")
def frames():
    return {name: exact_frames.frame(name) for name in {model["frame"] for model in MODELS.values()}}


@pytest.fixture(scope="module")
def plain_r(frames, tmp_path_factory):
    calls = {name: (frames[model["frame"]], call(model)) for name, model in MODELS.items()}
    return plain_numbers(calls, tmp_path_factory.mktemp("models"))


def of_glmer(fit):
    """The numbers of a generalized model that a linear one has not."""
    return {
        "residual_deviance": fit.residual_deviance,
        "eta": fit.linear_predictor,
        "response_residuals": fit.resid("response"),
        "pearson": fit.resid("pearson"),
        "working": fit.resid("working"),
        "nb_theta": fit.nb_theta,
    }


def test_there_are_more_than_thirty_of_them():
    assert len(MODELS) > 30


@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_the_double_that_rscript_computes(name, frames, plain_r):
    model = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, which these models are not about
        fit = fitted(model, frames[model["frame"]])
    assert bits_of(numbers(fit) | of_glmer(fit)) == bits_of(plain_r[name])
