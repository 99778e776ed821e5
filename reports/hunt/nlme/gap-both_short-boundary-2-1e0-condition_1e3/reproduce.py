"""nlme 3.1-162 stops 5.28 deviance units above the optimum

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
better = [np.array([[2783037.1612909613, -2782.4701334765036], [-2782.4701334765036, 2.781903221190702]])]
nan, inf = np.nan, np.inf
said = {'criterion': 31.714250979602298, 'beta': [0.9806240342142827, -0.0003130281310834407], 'se': [2.064713921990301, 0.0021254248011140053], 'sigma': 1.211299189248484, 'converged': False}  # of nlme, which reproduce.R runs
stopped = [np.array([[1.9057155135298627, -0.0019172924038878725], [-0.0019172924038878725, 1.928939621841724e-06]])]
show("nlme says", said)
there, lowest = answer(stopped, data), answer(better, data)
show("the model at the same variances", there)
show("the model at the better point", lowest)
print(f"difference in criterion {abs(said['criterion'] - there['criterion']):.6g}")
print(f"difference in beta {(np.abs(said['beta'] - there['beta']) / there['se']).max():.6g} standard errors")
print(f"difference in se {np.abs(said['se'] / there['se'] - 1).max():.6g} of itself")
print(f"difference in sigma {abs(said['sigma'] / there['sigma'] - 1):.6g} of itself")
print(f"gap {there['criterion'] - lowest['criterion']:.6g}")
