"""lme-python 0.2.7 gives another answer when every weight is doubled and says nothing

Needs numpy, pandas, lme-python[pandas] 0.2.7. Run it in this folder: python reproduce.py
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


def matrices_of(found):
    """Covariance matrices of the random terms, from their elements by name."""
    places = [('g', ['1', 'x'])]
    covariances = [np.full((len(names), len(names)), np.nan) for _, names in places]
    for (group, *pair), value in found:
        i = [name for name, _ in places].index(group)
        j, k = (places[i][1].index("1" if name in ("(Intercept)", "Intercept") else name) for name in pair)
        covariances[i][j, k] = covariances[i][k, j] = value
    return covariances


def fit(data):
    """What lme-python says, and its covariances over its residual variance."""
    import lme_python

    x, _ = matrices(data)
    data = data.copy()
    data["y"] = data["y"] - data["o"]  # it has no offset
    result = lme_python.lmer("y ~ 1 + x + (1 + x | g)", data, reml=REML)
    if "w" in data:
        result = lme_python.lmer_weighted("y ~ 1 + x + (1 + x | g)", data, reml=REML, weights=list(data["w"]))
    covariances = matrices_of((row[:3], row[3]) for row in result.var_corr if row[0] != "Residual")
    exog, beta = np.asarray(result.design_matrix(data)), np.asarray(result.coefficients)
    scale = result.sigma2
    vcov, fitted = scale * np.array(result.v_beta_unscaled), np.asarray(result.fitted) + data["o"]
    criterion, converged = -2 * result.log_likelihood, result.converged
    order = [int(np.argmin(np.abs(np.asarray(exog) - column[:, None]).sum(axis=0))) for column in x.T]
    beta, vcov = np.asarray(beta)[order], np.asarray(vcov)[np.ix_(order, order)]
    said = {"criterion": criterion, "beta": beta, "se": np.sqrt(np.diag(vcov)), "vcov": vcov}
    said |= {"sigma": scale**0.5, "converged": converged, "fitted": fitted}
    return said, [c / scale for c in covariances]


data = read("data.csv")
changed = read("changed.csv")  # every weight is doubled
# Covariances over the residual variance, term by term, at a better point.
better = [np.array([[2.168203865510465, 0.42979038770360434], [0.42979038770360434, 0.08519483813341765]])]
before, _ = fit(data)
show("lme-python says of the data", before)
try:
    after, _ = fit(changed)
    show("lme-python says of the changed data", after)
    print(f"criterion, after less before: {after['criterion'] - before['criterion']:.8g}")
    print("it should be:                0")
    units = np.array([1.0, 1.0])  # what the change multiplies each fixed effect by
    print(f"difference in criterion {abs(after['criterion'] - before['criterion'] - 0.0):.6g}")
    moved = np.abs(after["beta"] / units - before["beta"]) / before["se"]
    print(f"difference in beta {moved[[1]].max(initial=0.0):.6g} standard errors")
    print(f"difference in se {np.abs(after['se'] / units / before['se'] - 1).max():.6g} of itself")
    print(f"difference in sigma {abs(after['sigma'] / 1.4142135623730951 / before['sigma'] - 1):.6g} of itself")
except Exception as error:
    print(f"lme-python fails on the changed data: {type(error).__name__}: {error}")
