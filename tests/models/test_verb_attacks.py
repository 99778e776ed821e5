"""Names that are R code: no verb of a fit runs them, whatever becomes of the fit."""

import contextlib

import numpy as np
import pytest

from lmerbridge import compare_models, hausman, lm_list, lmer, load_dataset, mundlak_test, simulate_formula
from lmerbridge.errors import LmerBridgeError
from tests.processes import in_r

VERBS = {
    "summary": lambda fit, data: fit.summary("Satterthwaite"),
    "anova": lambda fit, data: fit.anova(ddf="Satterthwaite"),
    "drop1": lambda fit, data: fit.drop1(test="Chisq"),
    "ranova": lambda fit, data: fit.ranova(),
    "step": lambda fit, data: fit.step(),
    "contest": lambda fit, data: fit.contest(np.eye(len(fit.terms))[1:]),
    "kr_modcomp": lambda fit, data: fit.kr_modcomp(np.eye(len(fit.terms))[1:]),
    "sat_modcomp": lambda fit, data: fit.sat_modcomp(np.eye(len(fit.terms))[1:]),
    "kr_modcomp of fits": lambda fit, data: fit.kr_modcomp(fit.update(". ~ 1 + " + random_part(fit))),
    "sat_modcomp of fits": lambda fit, data: fit.sat_modcomp(fit.update(". ~ 1 + " + random_part(fit))),
    "pb_modcomp": lambda fit, data: fit.pb_modcomp(fit.update(". ~ 1 + " + random_part(fit)), nsim=2, seed=1),
    "ls_means": lambda fit, data: fit.ls_means(),
    "emmeans": lambda fit, data: fit.emmeans("1", ddf="asymptotic"),
    "ref_grid": lambda fit, data: fit.ref_grid(cov_reduce={data.columns[1]: "median"}, ddf="asymptotic"),
    "a grid's formula": lambda fit, data: fit.ref_grid(cov_reduce=f"`{data.columns[1]}` ~ `{data.columns[3]}`"),
    "nesting": lambda fit, data: fit.ref_grid(nesting={data.columns[3]: data.columns[1]}, ddf="asymptotic"),
    "anova of a linear model": lambda fit, data: fit.anova(fit.formula.removesuffix(" + " + random_part(fit))),
    "joint_tests": lambda fit, data: fit.joint_tests(ddf="asymptotic"),
    "confint": lambda fit, data: fit.confint(method="Wald"),
    "profile": lambda fit, data: fit.profile("sigma"),
    "predict": lambda fit, data: fit.predict(data.head(3)),
    "limits": lambda fit, data: fit.predict(data.head(3), interval="prediction"),
    "fixed_design": lambda fit, data: fit.fixed_design(data.head(3)),
    "scenarios": lambda fit, data: fit.scenarios(data.head(3), {data.columns[3]: data.iloc[1, 3]}),
    "effect": lambda fit, data: fit.effect(data.columns[3], data.columns[1]),
    "mundlak_test": lambda fit, data: mundlak_test(fit),
    "hausman": lambda fit, data: hausman(fit, method="ml"),
    "contributions": lambda fit, data: fit.contributions(data.head(3)),
    "simulate": lambda fit, data: fit.simulate(seed=1, newdata=data),
    "update": lambda fit, data: fit.update(". ~ . + f", data=data),
    "refit": lambda fit, data: fit.refit(fit.fitted + fit.residuals.to_numpy()[::-1]),
    "refit to the same": lambda fit, data: fit.refit(),
    "refit_ml": lambda fit, data: fit.refit_ml(),
    "refit_many": lambda fit, data: fit.refit_many(fit.simulate(2, seed=1)),
    "bootstrap": lambda fit, data: fit.bootstrap(nsim=2, seed=1),
    "icc and r2": lambda fit, data: (fit.icc(by_group=True), fit.r2(), fit.varcorr.explain()),
    "interval_of": lambda fit, data: fit.interval_of(lambda each: each.predict(), nsim=2, seed=1),
    "compare_models": lambda fit, data: compare_models(fit, fit.update(". ~ 1 + " + random_part(fit)), boundary=True),
    "influence": lambda fit, data: fit.influence(data.columns[2]),
    "check": lambda fit, data: fit.check(seed=1),
    "simulated_residuals": lambda fit, data: fit.simulated_residuals(5, seed=1),
    "remedies": lambda fit, data: fit.remedies(["bobyqa"]),
    "model_frame": lambda fit, data: fit.model_frame(),
    "me_parts": lambda fit, data: fit.me_parts(),
}


def random_part(fit):
    """The random term of a fit's formula."""
    return fit.formula[fit.formula.rindex("(1 | ") :]


ROLES = {"response": 0, "covariate": 1, "group": 2, "factor": 3}


@pytest.fixture
def planted(tmp_path):
    """A file that is there once code has run, and the code."""
    path = tmp_path / "planted"
    return path, f'base::system("touch {path}")'


def renamed(role, name):
    """Sleepstudy with a factor, one column of which has another name; and a formula."""
    data = load_dataset("sleepstudy").assign(f=np.resize(list("abc"), 180))
    columns = list(data.columns)
    columns[ROLES[role]] = name
    y, x, g, f = (f"`{column}`" for column in columns)
    return data.set_axis(columns, axis=1), f"{y} ~ {x} + {f} + (1 | {g})"


def test_the_code_would_show():
    assert in_r('base::system("true")') == [0]


@pytest.mark.slow
@pytest.mark.parametrize("role", ROLES)
def test_no_verb_runs_a_name(role, planted):
    path, code = planted
    data, formula = renamed(role, code)
    fit = lmer(formula, data)
    for name, verb in VERBS.items():
        with contextlib.suppress(LmerBridgeError):
            verb(fit, data)
        assert not path.exists(), name


@pytest.mark.slow
def test_no_verb_runs_a_level_or_the_name_of_a_contrast(planted):
    path, code = planted
    data = load_dataset("sleepstudy").assign(f=np.resize([code, "b", "c"], 180))
    fit = lmer("Reaction ~ Days + f + (1 | Subject)", data)
    for verb in VERBS.values():
        verb(fit, data)
    fit.emmeans("f", ddf="asymptotic").contrast({code: [1, -1, 0]}).test()
    assert not path.exists()


@pytest.mark.parametrize("role", ["response", "covariate", "group"])
def test_neither_fits_by_group_nor_a_simulation_run_a_name(role, planted):
    path, code = planted
    data, _ = renamed(role, code)
    y, x, g = (f"`{column}`" for column in data.columns[:3])
    with contextlib.suppress(LmerBridgeError):
        fits = lm_list(f"{y} ~ {x} + offset({x}^2) | {g}", data)
        fits.predict(data), fits.confint()
    with contextlib.suppress(LmerBridgeError):
        simulate_formula(f"~ {x} + (1 | {g})", data, beta=[0, 1], theta=[1], sigma=1, seed=1)
    assert not path.exists()
