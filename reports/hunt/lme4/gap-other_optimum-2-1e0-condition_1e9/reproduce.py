"""lme4 1.1-31 stops 8.33 deviance units above the optimum

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


def correlations(vcov):
    errors = np.sqrt(np.diag(vcov))
    return vcov / np.outer(errors, errors)


data = read("data.csv")
# Covariances over the residual variance, term by term, at a better point.
better = [np.array([[310502.42100920633, -310.7191286488442], [-310.7191286488442, 0.3109359875343272]])]
nan, inf = np.nan, np.inf
said = {'criterion': 1241.1839376728547, 'beta': [537062540.3900932, -1627.77513234, -535.4328016794356], 'se': [554920142.5124598, 548.6691854936622, 554.946633388329], 'vcov': [[3.0793636456604864e+17, 14603577481.481464, -307950914693.6944], [14603577481.481464, 301037.8751102787, -14904.640043957283], [-307950914693.6944, -14904.640043957283, 307965.7659090404]], 'sigma': 4454.181414768763, 'converged': False, 'fitted': [2144.940230810431, 5357.432508657613, 2945.3317442028515, 2756.6790747417267, 1072.365939578345, 310.9440154232482, -250.78224307725566, -2115.2674749552248, 78.96594607578459, 1493.6187970814506, 684.7202077570753, -645.318058088612, -85.07134249602217, 1415.7008690949065, 758.2636988167727, -580.3750572575601, 555.0344587705422, 562.4168626589839, 4685.26760600762, 5919.722004281012, 2461.1798031031217, 2782.078459882528, 2183.130619957995, 3215.8690359006187, -674.0100786091743, 1550.6377792361052, 3017.548616126362, 1145.4331852484447, 4248.107027877454, 2564.360516391198, 1467.4177380211909, 743.1923106921882, 1368.0115912943725, 1451.3240085704945, 3597.684874112526, 21.338072370439363, 3010.0141758647997, 821.4645261702739, 4550.868716679309, 3849.7851752760644, 2916.6771294192426, 5265.8622342869885, -270.6121531871573, 1450.5505692743259, 3130.329508326104, 1277.1136078955042, 4923.270674694395, -1726.9832894929996, -1629.1520473019805, 2322.532425132148, 2082.178181031475, 1936.4392558160298, 5388.815873324151, 2115.1200900391077, 4468.542011652762, 3815.961815600485, -1200.7792161740251, 2290.2834877104337, 935.1119768515782, 240.4178289026578, 4034.4350728229642, -3598.4051678908095, 2650.718275655174]}  # of lme4, which runs in reproduce.R
said |= {name: np.array(said[name]) for name in ("beta", "se", "vcov", "fitted")}
stopped = [np.array([[0.994264342595036, -0.0009595638953712875], [-0.0009595638953712875, 9.964032392349135e-07]])]
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
