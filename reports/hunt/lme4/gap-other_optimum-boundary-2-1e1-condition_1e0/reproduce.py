"""lme4 1.1-31 stops 30.7 deviance units above the optimum

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
    x = np.column_stack([data["x"]])
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
better = [np.array([[934.8520859962722, -9.456952453573675e-05], [-9.456952453573675e-05, 9.582475468195723e-12]])]
nan, inf = np.nan, np.inf
said = {'criterion': 99.30202097782725, 'beta': [-1.3411506543472812e-07], 'se': [3.5383262830917924e-08], 'vcov': [[1.2519752885618178e-15]], 'sigma': 2.02752553469346, 'converged': True, 'fitted': [-1.1316355047675206, -0.6941198176723538, -1.0231105675822483, -0.9964440650063386, -1.0562882074050892, 0.36216860432031606, 1.7448609659606584, -1.5347363127679028, 2.2979627690128837, -0.9943237128282962, -1.0965853735931632, -0.8993203346494563, -0.7365831671867549, -1.2892715713300107, -1.0711822445832886, -0.25993153167914707, -0.4202462655077308, -0.7288160470786749, -0.06068130551291073, -0.710477685450734]}  # of lme4, which runs in reproduce.R
said |= {name: np.array(said[name]) for name in ("beta", "se", "vcov", "fitted")}
stopped = [np.array([[6.3358607383127605, -7.120583190875631e-07], [-7.120583190875631e-07, 8.002496751796144e-14]])]
show("lme4 says", said)
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
