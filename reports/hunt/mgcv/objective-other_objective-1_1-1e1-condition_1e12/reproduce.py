"""mgcv 1.8-41 reports a criterion that is 27.8 off the model's at its own estimates

Needs numpy, pandas. Run it in this folder: python reproduce.py
"""

import numpy as np
import pandas as pd

REML = True


def read(name):
    """A table, every number as it was written."""
    table = pd.read_csv(name, dtype=str)
    return table.astype({column: float for column in table if column not in ['g', 'h']})


def matrices(data):
    """Columns of the fixed effects, and of each random term its columns and the group of each row."""
    ones = np.ones(len(data))
    x = np.column_stack([ones, data["x"]])
    terms = [
        (np.column_stack([ones]), (data["g"]).to_numpy()),
        (np.column_stack([ones]), (data["h"]).to_numpy()),
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
better = [np.array([[0.0]]), np.array([[1.324998076294906]])]
nan, inf = np.nan, np.inf
said = {'criterion': 147.45742223675768, 'beta': [0.0, -3.7231807763433416e-08], 'se': [0.0, 1.2546401146672744e-08], 'vcov': [[0.0, 0.0], [0.0, 1.5741218173323115e-16]], 'sigma': 2.738462266436647, 'converged': False, 'fitted': [-1.5420168127114136, -5.015673884354351, -1.542020982416576, -3.7251781693678208, -1.5420150476636096, -5.9093550276426665, -3.621217087647712, -5.909357792536136, -0.8924653321020593, -0.8924548623078734, -3.0756269832388896, -3.0756286116226637, -1.3462233351224744, -4.819894796523792, -3.3613307052640997, -4.651826175502159, -5.649459905381126, -5.649461147074833, -2.933106323050674, -0.7499392929331301, -0.7499436243572744, -2.9331077390294813, -4.223605006453791]}  # of mgcv, which runs in reproduce.R
said |= {name: np.array(said[name]) for name in ("beta", "se", "vcov", "fitted")}
stopped = [np.array([[0.07010786426069125]]), np.array([[0.6497716424001646]])]
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
