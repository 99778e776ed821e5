"""lme4's deviance function as something to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lmerbridge.models.extract.objective import Objective
from lmerbridge.results.covariance import Array


@dataclass(frozen=True, eq=False)
class DevianceFunction:
    """The profiled deviance, or the REML criterion, of one model as a function of theta.

    Attributes
    ----------
    theta : Series, shape (ntheta,)
        The estimates, by lme4's names.
    lower : Series
        Lower bounds of theta; where a term has a structure, of what lme4 optimizes instead, `LmerFit.par`.
    optimum : float
        The value at the estimates.
    reml : bool
        Whether it is the REML criterion.
    """

    theta: pd.Series
    lower: pd.Series
    optimum: float
    reml: bool
    fit: Objective = field(repr=False)

    def __call__(self, theta: Sequence[float] | Array | pd.Series) -> float:
        """Return the value at one theta; `LmerFit.deviance_at` takes many at once."""
        return float(self.fit.deviance_at(np.asarray(theta, np.float64))[0])
