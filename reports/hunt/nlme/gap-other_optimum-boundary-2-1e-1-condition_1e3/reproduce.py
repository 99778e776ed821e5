"""nlme 3.1-162 stops 0.479 deviance units above the optimum

Needs numpy, pandas. Run it in this folder: python reproduce.py
"""

import numpy as np
import pandas as pd

REML = True


def read(name):
    """A table, every number as it was written."""
    table = pd.read_csv(name, dtype=str)
    return table.astype({column: float for column in table if column not in ['g']})


def matrices(data):
    """Columns of the fixed effects, and of each random term its columns and the group of each row."""
    ones = np.ones(len(data))
    x = np.column_stack([ones, data["x"]])
    terms = [
        (np.column_stack([ones, data["x"]]), (data["g"]).to_numpy()),
    ]
    return x, terms


def answer(relative, data):
    """The criterion and the estimates, by the model itself, at covariances over the residual variance."""
    x, terms = matrices(data)
    offset = 0.0
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
better = [np.array([[4380910.366021351, -4377.927111246336], [-4377.927111246336, 4.3749510049898666]])]
nan, inf = np.nan, np.inf
said = {'criterion': 30.4278070634677, 'beta': [-736.0330367615966, 0.7373662495413794], 'se': [444.2030272815938, 0.44359026858952066], 'vcov': [[197316.32944613238, -197.044018515219], [-197.044018515219, 0.1967723263873231]], 'sigma': 0.6997430246712734, 'converged': False, 'fitted': [0.7995128005320566, 1.8341603193869673, -0.0001253803085319305, 2.6522221967419455, -0.6268955463202133, -1.801694430731402, 0.5479033380909186]}  # of nlme, which runs in reproduce.R
said |= {name: np.array(said[name]) for name in ("beta", "se", "vcov", "fitted")}
stopped = [np.array([[983180.1385342582, -981.4182283794972], [-981.4182283794972, 0.9796594756597502]])]
show("nlme says", said)
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
