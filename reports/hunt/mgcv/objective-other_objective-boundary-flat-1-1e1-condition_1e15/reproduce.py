"""mgcv 1.8-41 reports a criterion that is 26.3 off the model's at its own estimates

Needs numpy, pandas. Run it in this folder: python reproduce.py
"""

import numpy as np
import pandas as pd

REML = True


def read(name):
    """A table, every number as it was written."""
    table = pd.read_csv(name, dtype=str)
    return table.astype({column: float for column in table if column not in ['f', 'g']})


def matrices(data):
    """Columns of the fixed effects, and of each random term its columns and the group of each row."""
    ones = np.ones(len(data))
    x = np.column_stack([ones, data["x"], data["f"].map({'a': 0.0, 'b': 1.0, 'c': 0.0}), data["f"].map({'a': 0.0, 'b': 0.0, 'c': 1.0})])
    terms = [
        (np.column_stack([ones]), (data["g"]).to_numpy()),
    ]
    return x, terms


def answer(relative, data):
    """The criterion and the estimates, by the model itself, at covariances over the residual variance."""
    x, terms = matrices(data)
    offset = data["o"]
    weights = data["w"] if "w" in data else pd.Series(1.0, data.index)
    random = np.zeros((len(data), len(data)))
    for s, (z, group) in zip(relative, terms):
        random = random + np.equal.outer(group, group) * (z @ s @ z.T)
    v = np.diag(1 / weights) + random
    root = np.linalg.cholesky(v)
    q, r = np.linalg.qr(np.linalg.solve(root, x))
    u = np.linalg.solve(root, data["y"] - offset)
    beta, rest = np.linalg.solve(r, q.T @ u), u - q @ (q.T @ u)
    m = len(u) - REML * x.shape[1]
    variance = rest @ rest / m
    criterion = 2 * np.log(np.diag(root)).sum() + m * (1 + np.log(2 * np.pi * variance))
    criterion += REML * 2 * np.log(np.abs(np.diag(r))).sum()
    vcov = variance * np.linalg.inv(r) @ np.linalg.inv(r).T
    fitted = x @ beta + offset + random @ np.linalg.solve(root.T, rest)
    found = {"criterion": criterion, "beta": beta, "se": np.sqrt(np.diag(vcov)), "sigma": variance**0.5}
    return found | {"vcov": vcov, "fitted": fitted}


def show(title, numbers):
    print(title)
    for name in (name for name in numbers if name not in ("vcov", "fitted")):
        print(f"  {name:10}", *(f"{v:.8g}" for v in np.atleast_1d(np.asarray(numbers[name], float))))


def correlations(vcov):
    errors = np.sqrt(np.diag(vcov))
    return vcov / np.outer(errors, errors)


data = read("data.csv")
# Covariances over the residual variance, term by term, at a better point.
better = [np.array([[0.0]])]
nan, inf = np.nan, np.inf
said = {'criterion': 93.6131981823367, 'beta': [0.0, 1.4000056998184074e-10, -7.400005140067359, -3.900006398682854], 'se': [0.0, 1.5613378894245425e-10, 2.2080647768883144, 2.92099614040806], 'vcov': [[0.0, 0.0, 0.0, 0.0], [0.0, 2.437776004952685e-20, -2.437775029459499e-10, -2.4377772228837344e-10], [0.0, -2.437775029459499e-10, 4.875550058934842, 2.4377762483470153], [0.0, -2.4377772228837344e-10, 2.4377762483470153, 8.532218452278784]], 'sigma': 3.703037945388551, 'converged': True, 'fitted': [3.400009899089656, -2.500002099615998, -4.000002241006202, -5.999996637882241, -5.99999943789364, 1.4000014988591822, -7.000000841432307, 0.4000057018596741, 2.400005701859674, -8.000000841785607, -0.4999979003840034, 2.400005698287451]}  # of mgcv, which runs in reproduce.R
said |= {name: np.array(said[name]) for name in ("beta", "se", "vcov", "fitted")}
stopped = [np.array([[3.925521388543919e-10]])]
show("mgcv says", said)
there, lowest = answer(stopped, data), answer(better, data)
show("the model at the same variances", there)
show("the model at the better point", lowest)
print(f"difference in criterion {abs(said['criterion'] - there['criterion']):.6g}")
print(f"difference in beta {(np.abs(said['beta'] - there['beta']) / there['se']).max():.6g} standard errors")
print(f"difference in se {np.abs(said['se'] / there['se'] - 1).max():.6g} of itself")
apart = np.abs(correlations(said["vcov"]) - correlations(there["vcov"])).max()
print(f"difference in correlations {apart:.6g}")
print(f"difference in sigma {abs(said['sigma'] / there['sigma'] - 1):.6g} of itself")
if said["fitted"] is not None:
    apart = np.abs(np.asarray(said["fitted"]) - there["fitted"]).max() / there["sigma"]
    print(f"difference in fitted values {apart:.6g} sigma")
print(f"gap {there['criterion'] - lowest['criterion']:.6g}")
