"""Numbers of plain R, bit for bit, from a separate Rscript that uses lme4 and nothing of ours."""

import os
import struct
import subprocess
from pathlib import Path

import numpy as np

from tests.cases import exact_frames

CASES = Path(__file__).parent / "cases"


def plain_numbers(calls, folder):
    """Return numbers by model and quantity of calls, each a frame and R code, by the model's name."""
    for name, (frame, call) in calls.items():
        exact_frames.write(frame, folder / name)
        (folder / name / "call.R").write_text(f"{call}\n")
    command = ["setarch", "--addr-no-randomize", "Rscript", "--vanilla", str(CASES / "plain_lmer.R"), str(folder)]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        model, quantity, *values = line.split("\t")
        found.setdefault(model, {})[quantity] = [float.fromhex(v) for v in values if v]
    return found


def numbers(fit):
    """Return the numbers of a fit under the quantities that plain_lmer.R prints."""
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
    """Return the finite values as hexadecimal text, one per double."""
    finite = [float(v) for v in np.atleast_1d(values) if not np.isnan(v)]
    return [struct.pack("<d", v).hex() for v in finite]


def bits_of(quantities):
    """Return the bits of each quantity by its name."""
    return {quantity: bits(values) for quantity, values in quantities.items()}
