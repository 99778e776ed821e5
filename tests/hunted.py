"""Hunts for planted faults: ``python -m tests.hunted`` prints how soon each is found, and on how many rows.

The sound engine is hunted last: whatever is found of it is false.

Each engine is the sound one of the hunt, but wrong in one corner. Its fault counts as found with the first finding on
few rows; its key says whether it is of the fault.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lmerbridge import hunt
from lmerbridge.parity.at_theta import fit_at_theta
from lmerbridge.parity.hunt.common import ManyStarts
from lmerbridge.parity.hunt.probe import Target, handle_of
from lmerbridge.parity.hunt.search import HuntState, Past
from lmerbridge.parity.sparse import Objective
from lmerbridge.results import covariance

SECONDS, ROWS = 300, 20
PART = 50  # fits
FAULTS = {}


@dataclass(frozen=True)
class Faulty:
    """The sound engine with one fault."""

    fault: str
    capabilities = frozenset()

    @property
    def name(self):
        return self.fault

    def fit(self, spec):
        return FAULTS[self.fault](spec, ManyStarts().fit(spec))


class PlantedError(Exception):
    pass


def fault(function):
    """Register a fault: what becomes of a model and its right fit."""
    FAULTS[function.__name__] = function
    return function


def stop(fit, theta):
    """A fit that ended at another theta."""
    design = fit.design()
    return fit_at_theta(fit, design, theta, Objective(design, fit.reml).at(theta))


def change(fit, factor):
    """A fit that ended where each factor of theta is another."""
    return stop(fit, covariance.join([factor(each) for each in covariance.split(fit.theta, fit.design().widths)]))


@fault
def two_rows_a_group(spec, fit):
    """Halve the effects where no group has more than two rows."""
    return stop(fit, fit.theta / 2 + 0.3) if spec.data.groupby("g").size().max() <= 2 else fit


@fault
def correlation_near_one(spec, fit):
    """Allow of no correlation above 0.95."""

    def hold(t):
        size = np.linalg.norm(t[-1])
        if len(t) != 2 or not abs(t[1, 0]) > 0.95 * size > 0:
            return t
        return np.array([t[0], [0.95 * size * np.sign(t[1, 0]), np.sqrt(1 - 0.95**2) * size]])

    return change(fit, hold)


@fault
def covariate_above_ten_thousand(spec, fit):
    """Read a large covariate in steps of its tenth."""
    if "x" not in spec.data or not (largest := spec.data["x"].abs().max()) > 1e4:
        return fit
    steps = (spec.data["x"] / largest).round(1) * largest
    return ManyStarts().fit(replace(spec, data=spec.data.assign(x=steps))) if steps.nunique() > 2 else fit


@fault
def weights_ignored(spec, fit):
    """Fit without the weights."""
    return ManyStarts().fit(replace(spec, weights=None))


@fault
def offset_ignored(spec, fit):
    """Fit without the offset."""
    return ManyStarts().fit(replace(spec, offset=None))


@fault
def more_than_eight_groups(spec, fit):
    """Stop at once where there are more than eight levels."""
    return stop(fit, np.where(fit.theta == 0, 0.0, 2 * fit.theta)) if spec.data["g"].nunique() > 8 else fit


@fault
def negative_intercept(spec, fit):
    """Tell an intercept without its sign."""
    return replace(fit, beta=np.where(np.array(fit.terms) == "(Intercept)", np.abs(fit.beta), fit.beta))


@fault
def singular_fits(spec, fit):
    """Keep variances away from zero."""
    return change(fit, lambda t: np.where(np.eye(len(t)) > 0, np.maximum(t, 0.5), t))


@fault
def ml_flag_ignored(spec, fit):
    """Fit by REML, whatever was asked for."""
    return replace(ManyStarts().fit(replace(spec, reml=True)), reml=spec.reml)


@fault
def crossed_factors(spec, fit):
    """Give standard errors a tenth too small where factors are crossed."""
    crossed = len(fit.varcorr) > 1 and "h" in spec.data and "/" not in spec.formula
    return replace(fit, covariance=0.81 * fit.covariance) if crossed else fit


@fault
def order_of_rows(spec, fit):
    """Give fitted values in the order of the groups."""
    order = np.argsort(spec.data["g"].to_numpy(), kind="stable")
    return replace(fit, fitted_values=fit.fitted_values[order])


@fault
def unit_of_covariate(spec, fit):
    """Forget to write slopes back in units of their own."""
    scale = 1.01 if "x" in spec.data and spec.data["x"].abs().max() > 100 else 1.0
    return replace(fit, beta=fit.beta * np.where(np.array(fit.terms) == "x", scale, 1.0))


@fault
def constant_group(spec, fit):
    """Divide by the variance of the response within a group."""
    if (spec.data.groupby("g")["y"].nunique() == 1).any():
        raise PlantedError("float division by zero")
    return fit


@dataclass(frozen=True)
class Row:
    """How one hunt went."""

    fault: str
    found: bool
    rows: int
    fits: int
    seconds: float
    formula: str
    key: str


def find_fault(name, seconds=SECONDS, seed=1, jobs=1):
    """Hunt for a planted fault, a part of the time after another, and stop when it is found on few rows."""
    began, past, fits, until = time.monotonic(), Past(), 0, time.time() + seconds
    target = Target(handle_of(Faulty(name)), "", "lme4", seed, ("gaussian",), until=until)
    while True:
        found = HuntState(target, PART, past).run(jobs)
        past = Past(known=found.findings, first=past.first + found.designs, again=found.waiting, cut=found.cut)
        fits += found.fits
        known, spent = found.findings, time.monotonic() - began
        smallest = min(known, key=lambda finding: len(finding.spec.data), default=None)
        small = smallest is not None and len(smallest.spec.data) < ROWS
        if small or spent > seconds:
            break
    told = (
        (len(smallest.spec.data), fits, spent, smallest.spec.formula, smallest.key)
        if smallest
        else (0, fits, spent, "", "")
    )
    return Row(name, small, *told)


class Sound(ManyStarts):
    """The engine without a fault, by another name than the hunt's own reference."""

    name = "sound"


def blame_sound(seconds=SECONDS, seed=1, jobs=1, reference="lme4", fits=None):
    """Hunt for what is wrong with the sound engine, and return the keys: none is right."""
    found = hunt(Sound(), reference=reference, seconds=seconds, fits=fits, seed=seed, jobs=jobs)
    return [finding.key for finding in found.findings]


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.hunted", description=__doc__)
    parser.add_argument("fault", nargs="*", help="all of them where none is named")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    rows = []
    for name in given.fault or FAULTS:
        rows.append(find_fault(name, given.seconds, given.seed, given.jobs))
        print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string())
    blamed = blame_sound(given.seconds, given.seed, given.jobs)
    print(f"the sound engine: {', '.join(blamed) or 'nothing found'}")
    sys.exit(bool(blamed) or not all(row.found for row in rows))


if __name__ == "__main__":
    main()
