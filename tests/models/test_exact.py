"""Every number of a fit is, bit for bit, the double that plain R computes."""

import tomllib

import numpy as np
import pytest

from lmerbridge import lmer
from lmerbridge.bridge.session import lme4_has, lme4_version
from tests.cases import exact_frames
from tests.exact import CASES, bits, bits_of, numbers, plain_numbers

pytestmark = pytest.mark.slow

MODELS = {
    f"{model['name']}_{'reml' if reml else 'ml'}": model | {"reml": reml}
    for model in tomllib.loads((CASES / "exact_models.toml").read_text())["model"]
    for reml in (True, False)
}


def is_known(model):
    """Whether the lme4 that is installed has what the model needs."""
    return "needs" not in model or lme4_has(model["needs"])


def call(model):
    """The call of lmer in R."""
    reml = "TRUE" if model["reml"] else "FALSE"
    return f"lmer({model['formula']}, d, REML = {reml}{model.get('r', '')})"


@pytest.fixture(scope="module")
def frames():
    return {name: exact_frames.frame(name) for name in {model["frame"] for model in MODELS.values()}}


@pytest.fixture(scope="module")
def plain_r(frames, tmp_path_factory):
    """Numbers by model and quantity, from an Rscript that uses lme4 and nothing of ours."""
    known = {name: model for name, model in MODELS.items() if is_known(model)}
    calls = {name: (frames[model["frame"]], call(model)) for name, model in known.items()}
    return plain_numbers(calls, tmp_path_factory.mktemp("models"))


@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_the_double_that_rscript_computes(name, frames, plain_r):
    model = MODELS[name]
    if not is_known(model):
        pytest.skip(f"lme4 {lme4_version()} has no {model['needs']}")
    fit = lmer(model["formula"], frames[model["frame"]], reml=model["reml"], **model.get("python", {}))
    assert bits_of(numbers(fit)) == bits_of(plain_r[name])


def test_one_bit_is_noticed(fits):
    fit = fits("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    assert bits([np.nextafter(fit.sigma, 0)]) != bits([fit.sigma])
