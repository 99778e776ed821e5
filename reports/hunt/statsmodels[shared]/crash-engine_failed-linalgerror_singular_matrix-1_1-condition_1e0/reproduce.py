"""statsmodels[shared] fails on a model that has an answer

Needs numpy, pandas, statsmodels. Run it in this folder: python reproduce.py
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
    x = np.column_stack([ones])
    terms = [
        (np.column_stack([ones]), (data["g"]).to_numpy()),
        (np.column_stack([ones]), (data["g"]).to_numpy()),
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


def fit(data):
    """What statsmodels[shared] says, and its covariances over its residual variance."""
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    x, terms = matrices(data)
    y = data["y"]
    z, groups = terms[0]
    rows = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    components = [  # one variance each, and an effect per level
        [np.where(levels[r, None] == np.unique(levels[r]), columns[r], 0.0) for r in rows]
        for columns, levels in (terms[i] for i in [1])
    ]
    names = [[[str(j) for j in range(part.shape[1])] for part in parts] for parts in components]
    model = MixedLM(y, x, groups, z, exog_vc=VCSpec(['1'], names, components))
    result = model.fit(reml=REML)
    variances = {int(name): np.array([[v]]) for name, v in zip(model.exog_vc.names, result.vcomp)}
    covariances = [variances[i] if i in variances else np.asarray(result.cov_re) for i in range(len(terms))]
    scale, criterion, converged = result.scale, -2 * result.llf, result.converged
    p = x.shape[1]
    beta, errors = np.asarray(result.params)[:p], np.sqrt(np.diag(np.asarray(result.cov_params())[:p, :p]))
    said = {"criterion": criterion, "beta": beta, "se": errors, "sigma": scale**0.5, "converged": converged}
    return said, [c / scale for c in covariances]


data = read("data.csv")
# Covariances over the residual variance, term by term, at a better point.
better = [np.array([[0.0]]), np.array([[0.0]])]
show("the model at a good point", answer(better, data))
try:
    said, _ = fit(data)
    show("statsmodels[shared] says", said)
except Exception as error:
    print(f"statsmodels[shared] fails: {type(error).__name__}: {error}")
