"""mixedlm 1.3.0 gives another answer when every weight is doubled

Needs numpy, pandas, mixedlm 1.3.0. Run it in this folder: python reproduce.py
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


def fit(data):
    """What mixedlm says, and its covariances over its residual variance."""
    import mixedlm

    x, _ = matrices(data)
    data = data.copy()
    result = mixedlm.lmer(
        "y ~ 1 + x + z + (1 + x + z | g)", data, REML=REML, weights=data.get("w")
    )
    places = [structure.grouping_factor for structure in result.matrices.random_structures]
    found = [group.cov for group in result.VarCorr().groups.values()]
    covariances = [np.atleast_2d(found[places.index(group)]) for group in ['g']]
    exog, beta, errors = result.matrices.X, result.beta, np.sqrt(np.diag(result.vcov()))
    scale, criterion, converged = result.sigma**2, -2 * float(result.logLik()), result.converged
    order = [int(np.argmin(np.abs(np.asarray(exog) - column[:, None]).sum(axis=0))) for column in x.T]
    beta, errors = np.asarray(beta)[order], np.asarray(errors)[order]
    said = {"criterion": criterion, "beta": beta, "se": errors, "sigma": scale**0.5, "converged": converged}
    return said, [c / scale for c in covariances]


data = read("data.csv")
changed = read("changed.csv")  # every weight is doubled
# Covariances over the residual variance, term by term, at a better point.
better = [np.array([[202285767378.18103, -202285.72884559954, -144945.1991997548], [-202285.72884559954, 0.2022856903130254, 0.14494517158974166], [-144945.1991997548, 0.14494517158974166, 0.1038585711854817]])]
before, _ = fit(data)
show("mixedlm says of the data", before)
try:
    after, _ = fit(changed)
    show("mixedlm says of the changed data", after)
    print(f"criterion, after less before: {after['criterion'] - before['criterion']:.8g}")
    print("it should be:                0")
    units = np.array([1.0, 1.0, 1.0])  # what the change multiplies each fixed effect by
    print(f"difference in criterion {abs(after['criterion'] - before['criterion'] - 0.0):.6g}")
    moved = np.abs(after["beta"] / units - before["beta"]) / before["se"]
    print(f"difference in beta {moved[[1, 2]].max(initial=0.0):.6g} standard errors")
    print(f"difference in se {np.abs(after['se'] / units / before['se'] - 1).max():.6g} of itself")
    print(f"difference in sigma {abs(after['sigma'] / 1.4142135623730951 / before['sigma'] - 1):.6g} of itself")
except Exception as error:
    print(f"mixedlm fails on the changed data: {type(error).__name__}: {error}")
