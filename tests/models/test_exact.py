"""Every number of a fit is, bit for bit, the double that plain R computes."""

import os
import struct
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest

from lmerbridge import lmer
from lmerbridge.bridge.session import lme4_has, lme4_version
from tests.cases import exact_frames

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[1] / "cases"
MODELS = {
    f"{model['name']}_{'reml' if reml else 'ml'}": model | {"reml": reml}
    for model in tomllib.loads((CASES / "exact_models.toml").read_text())["model"]
    for reml in (True, False)
}


def is_known(model):
    """Whether the lme4 that is installed has what the model needs."""
    return "needs" not in model or lme4_has(model["needs"])


@pytest.fixture(scope="module")
def frames():
    return {name: exact_frames.frame(name) for name in {model["frame"] for model in MODELS.values()}}


@pytest.fixture(scope="module")
def plain_r(frames, tmp_path_factory):
    """Numbers by model and quantity, from an Rscript that uses lme4 and nothing of ours."""
    folder = tmp_path_factory.mktemp("models")
    for name, model in MODELS.items():
        if not is_known(model):
            continue
        exact_frames.write(frames[model["frame"]], folder / name)
        reml = "TRUE" if model["reml"] else "FALSE"
        call = f"lmer({model['formula']}, d, REML = {reml}{model.get('r', '')})\n"
        (folder / name / "call.R").write_text(call)
    command = ["setarch", "--addr-no-randomize", "Rscript", "--vanilla", str(CASES / "plain_lmer.R"), str(folder)]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        model, quantity, *values = line.split("\t")
        found.setdefault(model, {})[quantity] = [float.fromhex(v) for v in values]
    return found


def numbers(fit):
    """The numbers of a fit under the quantities that plain_lmer.R prints."""
    columns = lambda frame: frame.to_numpy().ravel(order="F")  # noqa: E731  # R's matrices run down columns
    return {
        "fixef": fit.fixef,
        "vcov": columns(fit.vcov),
        "coefficients": columns(fit.coefficients),
        "vcov_random": fit.varcorr.frame["vcov"],
        "sdcor": fit.varcorr.frame["sdcor"],
        "ranef": np.concatenate([columns(table) for table in fit.ranef.values()]),
        "theta": fit.theta,
        "sigma": fit.sigma,
        "loglik": fit.loglik,
        "df": fit.loglik.df,
        "aic": fit.aic,
        "bic": fit.bic,
        "criterion": fit.criterion,
        "fitted": fit.fitted,
        "residuals": fit.residuals,
        "nobs": fit.nobs,
        "singular": fit.singular,
    }


def bits(values):
    finite = [float(v) for v in np.atleast_1d(values) if not np.isnan(v)]
    return [struct.pack("<d", v).hex() for v in finite]


@pytest.mark.parametrize("name", MODELS)
def test_every_number_is_the_double_that_rscript_computes(name, frames, plain_r):
    model = MODELS[name]
    if not is_known(model):
        pytest.skip(f"lme4 {lme4_version()} has no {model['needs']}")
    fit = lmer(model["formula"], frames[model["frame"]], reml=model["reml"], **model.get("python", {}))
    ours = {quantity: bits(values) for quantity, values in numbers(fit).items()}
    theirs = {quantity: bits(values) for quantity, values in plain_r[name].items()}
    assert ours == theirs


def test_one_bit_is_noticed(fits):
    fit = fits("Yield ~ 1 + (1 | Batch)", "Dyestuff")
    assert bits([np.nextafter(fit.sigma, 0)]) != bits([fit.sigma])
