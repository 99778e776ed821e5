"""Fits of one model to many responses: each number is the double of a separate Rscript, and no response harms another."""

import tomllib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lmerbridge import lmer, lmer_many, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    LmerBridgeError,
    MissingValues,
    RankDeficientWarning,
    RowsLeftOutWarning,
    UnfitData,
    WorkerDied,
)
from lmerbridge.formula import is_plain
from lmerbridge.models.many import run
from lmerbridge.models.many.shape import Shape
from tests.cases import exact_frames
from tests.chance import EXPLORES, generator
from tests.exact import CASES, bits_of, plain_numbers
from tests.fits import fit_of
from tests.oracle import fitted

MODELS = {
    f"{model['name']}_{'reml' if reml else 'ml'}": model | {"reml": reml}
    for model in tomllib.loads((CASES / "exact_models.toml").read_text())["model"]
    for reml in (True, False)
    if is_plain(model["formula"].partition("~")[0].strip())
}
QUANTITIES = ("fixef", "vcov", "vcov_random", "sdcor", "theta", "sigma", "criterion", "nobs", "singular")
SLEEP = "Reaction ~ Days + (Days | Subject)"


def numbers(many, i):
    """The numbers of one of many fits under the quantities that plain_lmer.R prints, without what its rows lack."""
    random = many.varcorr[many.varcorr["response"] == many.responses[i]]
    found = {
        "fixef": many.beta[i],
        "vcov": many.covariance[i].ravel(order="F"),
        "vcov_random": random["vcov"],
        "sdcor": random["sdcor"],
        "theta": many.theta[i],
        "sigma": many.sigma[i],
        "criterion": many.criterion[i],
        "nobs": many.nobs[i],
        "singular": many.singular[i],
    }
    return bits_of({name: np.asarray(value, float) for name, value in found.items()})


def chosen(found):
    return bits_of({name: found[name] for name in QUANTITIES})


def responses_of(fit, frame, name, rng):
    """The frame's own response, two drawn from the model, one without group effects, and two that lack values."""
    own = frame[name].to_numpy(float)
    mean, sd = np.nanmean(own), np.nanstd(own)
    drawn = mean + sd * rng.normal(size=(len(own), 4)) + (own - mean)[:, None] * [1, 0.3, 0, 0.7]
    drawn[rng.choice(len(own), 2, replace=False), 1] = np.nan
    drawn[rng.choice(len(own), 3, replace=False), 3] = np.nan
    return pd.DataFrame(drawn, frame.index, [f"r{i}" for i in range(4)]).assign(own=own)


def plain_of(model, frame, responses, name):
    """Calls of lmer in plain R, one per response."""
    call = f"lmer({model['formula']}, d, REML = {'TRUE' if model['reml'] else 'FALSE'}{model.get('r', '')})"
    return {each: (frame.assign(**{name: values}), call) for each, values in responses.items()}


@pytest.fixture(scope="module")
def cases():
    """For each model its fit to many responses, and the frames and calls of plain R."""
    found = {}
    for case, model in MODELS.items():
        if "needs" in model and not lme4_has(model["needs"]):
            continue
        frame, name = exact_frames.frame(model["frame"]), model["formula"].partition("~")[0].strip()
        fit = lmer(model["formula"], frame, reml=model["reml"], **model.get("python", {}))
        responses = responses_of(fit, frame, name, generator(len(found)))
        found[case] = fit.refit_many(responses), plain_of(model, frame, responses, name)
    return found


@pytest.fixture(scope="module")
def plain_r(cases, tmp_path_factory):
    calls = {f"{case}_of_{each}": call for case, (_, own) in cases.items() for each, call in own.items()}
    return plain_numbers(calls, tmp_path_factory.mktemp("many"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")  # of the models, as test_exact.py has them
@pytest.mark.parametrize("case", MODELS)
def test_every_number_of_every_response_is_the_double_that_rscript_computes(case, cases, plain_r):
    if case not in cases:
        pytest.skip("not every lme4 has it")
    many, calls = cases[case]
    for i, each in enumerate(calls):
        assert not many.errors[i], many.errors[i]
        assert numbers(many, i) == chosen(plain_r[f"{case}_of_{each}"]), each
