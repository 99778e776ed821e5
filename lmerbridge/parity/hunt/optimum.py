"""The lowest criterion of a model by plain R and lme4's own deviance function, from many starts."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lmerbridge.errors import RError, shorten
from lmerbridge.inputs import Spec
from lmerbridge.setup.environment import environment
from lmerbridge.setup.installation import find_rscript

SCRIPT = Path(__file__).with_name("optimum.R")
PATIENCE = 120  # seconds; it takes two


@dataclass(frozen=True)
class Optimum:
    """What plain R finds of one model.

    Attributes
    ----------
    best : float
        The lowest criterion from many starts.
    at_point : float
        The criterion where the engine stopped.
    """

    best: float
    at_point: float


def optimum(spec: Spec, point: Iterable[float], known: Iterable[float]) -> Optimum:
    """Minimize lme4's deviance function in a process of R's own, which knows nothing of this package.

    Parameters
    ----------
    spec : Spec
    point : sequence of float
        Where the engine stopped: theta in lme4's order, and the fixed effects behind it of a generalized model.
    known : sequence of float
        Another point to start from, besides its own.

    Raises
    ------
    SetupError, RError
        There is no R, or it could not compute the criterion.
    """
    row = {
        "formula": spec.formula,
        "reml": bool(spec.reml),
        "weights": spec.weights or "",
        "offset": spec.offset or "",
        "contrasts": (spec.contrasts or {}).get("f", ""),
        "family": spec.kind.family,
        "point": _text(point),
        "known": _text(known),
    }
    with tempfile.TemporaryDirectory() as folder:
        spec.data.to_csv(Path(folder, "data.csv"), index=False)
        pd.DataFrame([row]).to_csv(Path(folder, "model.csv"), index=False)
        done = subprocess.run(  # noqa: S603  # the R that the user has chosen
            [find_rscript(), "--vanilla", str(SCRIPT), folder],
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise RError(shorten(done.stderr))
        found = pd.read_csv(Path(folder, "optimum.csv")).iloc[0]
    return Optimum(float(found["best"]), float(found["at_point"]))


def _text(point: Iterable[float]) -> str:
    return ";".join(f"{value:.17g}" for value in point)
