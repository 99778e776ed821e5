"""What a generalized model is given means to every engine what it means to lme4."""

from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge import load_dataset
from lmerbridge.engines import find, fit_with
from lmerbridge.errors import NotExpressible
from lmerbridge.inputs import GlmerSpec

EXACT = "gpboost[cholesky]"
ENGINES = ("glmmTMB", "glmm", "mixedlm", "interlace", EXACT)
GAP = {  # deviance units above the optimum, relative to it
    EXACT: 3e-5,  # it stops where its likelihood changes by less than 1e-6 of itself
    "interlace": 7e-5,  # it keeps the fixed effects of no node where Laplace's would gain less than 0.01
}
NEAR = {EXACT: 0.1, "interlace": 0.1}  # what such gaps leave of means and modes; else 3e-3
MODELS = {
    "cbind": ("cbind(s, n - s) ~ x + (1 | g)", "binomial", {}),
    "trials as weights": ("p ~ x + (1 | g)", "binomial", {"weights": "n"}),
    "a boolean": ("b ~ x + (1 | g)", "binomial", {}),
    "two levels": ("f ~ x + (1 | g)", "binomial", {}),
    "an offset": ("s ~ x + (1 | g)", "poisson", {"offset": "o"}),
    "an offset in the formula": ("s ~ x + offset(log(n)) + (1 | g)", "poisson", {}),
    "prior weights": ("s ~ x + (1 | g)", "poisson", {"weights": "n"}),
    "a subset": ("s ~ x + (1 | g)", "poisson", {"subset": "keep"}),
    "missing values": ("s ~ holed + (1 | g)", "poisson", {"na_action": "exclude"}),
    "contrasts": ("s ~ x * k + (1 | g)", "poisson", {"contrasts": {"k": "contr.sum"}}),
    "levels not in the order of letters": ("s ~ x * k + (1 | g)", "poisson", {}),
    "odd names": ("s ~ `an odd name` + (1 | g)", "poisson", {}),
    "functions": ("s ~ poly(x, 2) + I(x > 0) + (1 | g)", "poisson", {}),
    "crossed": ("s ~ x + (1 | g) + (1 | h)", "poisson", {}),
    "nested": ("s ~ x + (1 | h/k)", "poisson", {}),
    "a level per row": ("s ~ x + (1 | g) + (1 | row)", "poisson", {}),
    "uncorrelated": ("s ~ x + (x || g)", "poisson", {}),
    "correlated": ("s ~ x + (x | g)", "poisson", {}),
}
REFUSED = {  # engine and model: what its package has no form for
    *{("glmm", name) for name in ("contrasts", "uncorrelated")},
    (EXACT, "correlated"),
    *{("lme-python", name) for name in ("an offset", "an offset in the formula", "contrasts")},
}
OTHER = {  # engine, model: what is another optimum, as of linear models with correlations
    ("interlace", "correlated"),
}


@cache
def frame():
    i = np.arange(240)
    rng = np.random.default_rng(3)
    g, h = i % 16, i // 15 % 8
    x = np.sin(i)
    u, v = rng.normal(0, 0.7, 16), rng.normal(0, 0.5, 8)
    k = np.array(["b", "a", "c"])[i % 3]
    eta = 0.4 + 0.5 * x + u[g] + v[h] + rng.normal(0, 0.4, 240) + 0.4 * rng.normal(0, 1, 16)[g] * x
    n = 4 + i % 5
    p = 1 / (1 + np.exp(-eta))
    data = pd.DataFrame({"x": x, "g": g, "h": h, "row": i, "n": n, "o": np.log(n) / 2, "keep": i % 4 > 0})
    data["s"] = rng.poisson(np.exp(eta)).clip(0, None)
    data["k"] = pd.Categorical(k, categories=["c", "a", "b"])
    data["an odd name"] = x**2
    data["holed"] = np.where(i % 31 == 4, np.nan, x)
    data["b"] = rng.uniform(size=240) < p
    data["f"] = data["b"].map({True: "yes", False: "no"}).astype("category")
    data["t"] = rng.binomial(n, p)
    return data.assign(p=data["t"] / n)


@cache
def fitted(model, engine, nodes=1):
    formula, family, given = MODELS[model]
    data = frame().assign(s=frame()["t"]) if model == "cbind" else frame()
    return fit_with(find(engine), GlmerSpec(formula=formula, data=data, family=family, n_agq=nodes, **given))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("model", MODELS)
def test_an_argument_means_to_an_engine_what_it_means_to_lme4(model, engine):
    if (engine, model) in REFUSED:
        with pytest.raises(NotExpressible):
            fitted(model, engine)
        return
    ours, its = fitted(model, "lme4[tight]"), fitted(model, engine)
    np.testing.assert_array_equal(its.rows, ours.rows)
    assert its.fitted.index.equals(ours.fitted.index)
    mine, yours = its.design(), ours.design()
    np.testing.assert_allclose(mine.y, yours.y, rtol=1e-14)
    np.testing.assert_allclose(mine.weights, yours.weights, rtol=1e-14)
    np.testing.assert_allclose(mine.offset, yours.offset, rtol=1e-14)
    assert [block.name for block in its.varcorr] == [block.name for block in ours.varcorr]
    if (engine, model) in OTHER:
        assert its.criterion > ours.criterion + 1e-3
        return
    assert its.criterion == pytest.approx(ours.criterion, rel=GAP.get(engine, 1e-8))
    np.testing.assert_allclose(its.fitted, ours.fitted, rtol=NEAR.get(engine, 3e-3))
    np.testing.assert_allclose(its.residuals, ours.residuals, atol=3 * NEAR.get(engine, 3e-3))
    for one, other in zip(its.modes, ours.modes, strict=True):
        assert (one.group, one.levels, one.terms) == (other.group, other.levels, other.terms)
        np.testing.assert_allclose(one.modes, other.modes, atol=NEAR.get(engine, 3e-3))


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_lme_python_has_lme4s_estimates_of_no_node(model):
    if ("lme-python", model) in REFUSED:
        with pytest.raises(NotExpressible):
            fitted(model, "lme-python")
        return
    ours, its = fitted(model, "lme4[tight]", 0), fitted(model, "lme-python")
    np.testing.assert_array_equal(its.rows, ours.rows)
    assert sorted(its.terms) == sorted(ours.terms)
    np.testing.assert_allclose(its.fitted, ours.fitted, rtol=2e-2)  # its optimizer stops early
    for one, other in zip(its.modes, ours.modes, strict=True):
        assert (one.group, one.levels, one.terms) == (other.group, other.levels, other.terms)


def test_a_data_set_of_r_has_the_fit_that_its_recoding_has():
    herds = load_dataset("cbpp")
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    ours = fit_with(find("glmm"), GlmerSpec(formula=formula, data=herds, family="binomial"))
    recoded = herds.assign(p=herds["incidence"] / herds["size"], herd=herds["herd"].astype(str))
    its = GlmerSpec(formula="p ~ period + (1 | herd)", data=recoded, family="binomial", weights="size")
    assert fit_with(find("glmm"), its).criterion == pytest.approx(ours.criterion, abs=1e-9)
