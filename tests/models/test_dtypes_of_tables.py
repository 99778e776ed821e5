"""Tables have the dtypes of their schema, whatever the data: every verb over odd models, column by column."""

import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerFit, lmer
from lmerbridge.errors import LmerBridgeError
from tests.test_surface import VERBS

FRAME = pd.DataFrame({"f": np.tile(["a", "b", "c"], 20), "h": np.repeat(["u", "v"], 30)}).assign(
    g=np.repeat([f"g{i:02d}" for i in range(12)], 5),
    x=np.tile(np.arange(10.0), 6),
    y=np.random.default_rng(5).normal(size=60) + np.repeat(np.random.default_rng(6).normal(size=12), 5),
)
MODELS = {  # formula, rows
    "plain": ("y ~ x + f + (1 | g)", slice(None)),
    "an intercept alone": ("y ~ 1 + (1 | g)", slice(None)),
    "no fixed effect": ("y ~ 0 + (1 | g)", slice(None)),
    "singular": ("y ~ x + f + (x | h)", slice(None)),
    "rank deficient": ("y ~ x + I(2 * x) + f + (1 | g)", slice(None)),
    "few rows": ("y ~ f * h + (1 | g)", slice(15, 45)),
}
ARGUMENTS = {  # of the verbs that need some, or one call for each; others are called without
    "anova": [{}, {"ddf": "Satterthwaite"}, {"ddf": "Kenward-Roger"}],
    "summary": [{}, {"ddf": "Satterthwaite"}],
    "drop1": [{}, {"test": "Chisq"}, {"ddf": "Satterthwaite"}],
    "contest": [{"contrasts": {"(Intercept)": 1}}],
    "confint": [{"method": "Wald"}],
    "emmeans": [{"specs": "f"}],
    "emtrends": [{"specs": "f", "var": "x"}],
    "augment": [{}],
    "tidy": [{"effects": ["fixed", "ran_pars", "ran_vals"]}, {}],
    "varcorr_of": [{"sigma": 2.0}],
    "get_me": [{"name": "X"}],
    "bootstrap": [{"nsim": 2, "seed": 1}],
    "refit_many": [{"responses": np.random.default_rng(1).normal(size=(len(FRAME), 2))}],
    "remedies": [{"optimizers": ["bobyqa"]}],
    "check": [{"seed": 1}],
    "simulated_residuals": [{"nsim": 20, "seed": 1}],
    "simulate": [{"nsim": 1, "seed": 1}],
    "kr_modcomp": [{"smaller": {"(Intercept)": 1}}],
    "sat_modcomp": [{"smaller": {"(Intercept)": 1}}],
    "ddf_lb": [{"contrasts": {"(Intercept)": 1}}],
}
SLOW = {"power", "power_curve", "all_fit", "influence", "profile", "pb_modcomp", "devfun2"}  # their tables are plain
NO_TABLE = {"plot_residuals", "plot_qq", "plot_ranef", "update", "refit", "refit_ml", "devfun", "deviance_at"}
CALLED = [verb for verb in " ".join(VERBS.values()).split() if verb not in SLOW | NO_TABLE]


@pytest.fixture(scope="module")
def odd():
    """The odd models, each fitted once; what a fit warns of is no matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: lmer(formula, FRAME.iloc[rows]) for name, (formula, rows) in MODELS.items()}


def tables(value, path=""):
    """Yield every frame in a result, with the way to it."""
    if isinstance(value, pd.DataFrame):
        yield path, value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tables(part, f"{path}[]")
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tables(part, f"{path}[]")
    elif is_dataclass(value) and not isinstance(value, LmerFit):
        for field in fields(value):
            yield from tables(getattr(value, field.name), f"{path}.{field.name}")


def call(fit, verb, given):
    """The result of a verb, None where the model has none."""
    try:
        found = getattr(fit, verb)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return found(**given) if callable(found) else found
    except LmerBridgeError:
        return None


def mixed(results):
    """The columns of which two tables have other dtypes, by the way to them."""
    found = {}
    for model, result in results.items():
        for path, table in tables(result):
            for name, dtype in table.dtypes.items():
                found.setdefault((path, name), {}).setdefault(str(dtype), []).append(model)
    return {where: dtypes for where, dtypes in found.items() if len(dtypes) > 1}


@pytest.mark.parametrize(("verb", "given"), [(verb, given) for verb in CALLED for given in ARGUMENTS.get(verb, [{}])])
def test_equal_columns_of_a_verb_have_equal_dtypes_over_odd_models(verb, given, odd):
    assert mixed({model: call(fit, verb, given) for model, fit in odd.items()}) == {}


def test_a_comparison_of_any_models_has_the_dtypes_of_every_other(odd):
    pairs = [("plain", "an intercept alone"), ("plain", "singular"), ("plain", "rank deficient"), ("plain", "plain")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {pair: odd[pair[0]].anova(odd[pair[1]]) for pair in pairs}
    assert mixed(found) == {}
    assert set(found["plain", "plain"].frame.dtypes.drop(["formula", "npar"]).astype(str)) == {"float64"}
