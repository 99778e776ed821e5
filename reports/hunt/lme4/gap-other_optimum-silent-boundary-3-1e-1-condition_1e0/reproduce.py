"""lme4 1.1-31 stops 0.302 deviance units above the optimum and says nothing

Needs numpy, pandas. Run it in this folder: python reproduce.py
"""

import numpy as np
import pandas as pd

REML = False


def read(name):
    """A table, every number as it was written."""
    table = pd.read_csv(name, dtype=str)
    return table.astype({column: float for column in table if column not in ['g']})


def matrices(data):
    """Columns of the fixed effects, and of each random term its columns and the group of each row."""
    ones = np.ones(len(data))
    x = np.column_stack([ones, data["x"], data["z"]])
    terms = [
        (np.column_stack([ones, data["x"], data["z"]]), (data["g"]).to_numpy()),
    ]
    return x, terms


def answer(relative, data):
    """The criterion and the estimates, by the model itself, at covariances over the residual variance."""
    x, terms = matrices(data)
    offset = 0.0
    weights = data["w"] if "w" in data else pd.Series(1.0, data.index)
    v = np.diag(1 / weights)
    for s, (z, group) in zip(relative, terms):
        v = v + np.equal.outer(group, group) * (z @ s @ z.T)
    root = np.linalg.cholesky(v)
    q, r = np.linalg.qr(np.linalg.solve(root, x))
    u = np.linalg.solve(root, data["y"] - offset)
    beta, rest = np.linalg.solve(r, q.T @ u), u - q @ (q.T @ u)
    m = len(u) - REML * x.shape[1]
    variance = rest @ rest / m
    criterion = 2 * np.log(np.diag(root)).sum() + m * (1 + np.log(2 * np.pi * variance))
    criterion += REML * 2 * np.log(np.abs(np.diag(r))).sum()
    errors = np.sqrt(variance * (np.linalg.inv(r) ** 2).sum(axis=1))
    return {"criterion": criterion, "beta": beta, "se": errors, "sigma": variance**0.5}


def show(title, numbers):
    print(title)
    for name, value in numbers.items():
        print(f"  {name:10}", *(f"{v:.8g}" for v in np.atleast_1d(np.asarray(value, float))))


data = read("data.csv")
# Covariances over the residual variance, term by term, at a better point.
better = [np.array([[0.5501298713861804, 0.014773783142857221, -0.0010023936544829967], [0.014773783142857221, 0.0024700721202386543, 0.005860184793090647], [-0.0010023936544829967, 0.005860184793090647, 0.01671800121045588]])]
nan, inf = np.nan, np.inf
said = {'criterion': 1525.313814040576, 'beta': [510.98200970334784, 1877.2255305483661, -152.28104968172065], 'se': [800.1041737133661, 189.01181349112244, 214.43621414725004], 'sigma': 2957.640088359885, 'converged': True}  # of lme4, which reproduce.R runs
stopped = [np.array([[0.542983886601628, 0.013715508257515373, 0.0007344738129960855], [0.013715508257515373, 0.00034644705193616034, 1.8552450442175626e-05], [0.0007344738129960855, 1.8552450442175626e-05, 0.015699645684615928]])]
show("lme4 says", said)
there, lowest = answer(stopped, data), answer(better, data)
show("the model at the same variances", there)
show("the model at the better point", lowest)
print(f"difference in criterion {abs(said['criterion'] - there['criterion']):.6g}")
print(f"difference in beta {(np.abs(said['beta'] - there['beta']) / there['se']).max():.6g} standard errors")
print(f"difference in se {np.abs(said['se'] / there['se'] - 1).max():.6g} of itself")
print(f"difference in sigma {abs(said['sigma'] / there['sigma'] - 1):.6g} of itself")
print(f"gap {there['criterion'] - lowest['criterion']:.6g}")
