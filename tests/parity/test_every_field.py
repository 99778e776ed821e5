"""Every number and name that an engine reports is held by a stage: each is changed in turn, and the change is found."""

from dataclasses import fields, replace
from functools import lru_cache, partial

import numpy as np
import pytest

from lmerbridge import Verdict, lmer, load_dataset
from lmerbridge.parity import tolerances
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.results import Fit, LogLik, VarCorr

pytestmark = pytest.mark.slow

MODELS = {
    "slopes": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", {}),
    "independent": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", {"reml": False}),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {}),
    "nested": ("strength ~ 1 + (1 | batch/cask)", "Pastes", {"reml": False}),
    "factor": ("angle ~ recipe * temperature + (1 | recipe:replicate)", "cake", {}),
    "slopes of a factor": ("score ~ Machine + (0 + Machine | Worker)", "nlme/Machines", {}),
    "weights": ("Reaction ~ Days + (1 | Subject)", "sleepstudy", {"weights": np.tile([0.5, 1.0, 2.0], 60)}),
    "offset": ("Reaction ~ Days + (1 | Subject)", "sleepstudy", {"offset": np.tile([-9.0, 0.0, 9.0], 60)}),
}


@lru_cache
def fitted(model):
    formula, name, options = MODELS[model]
    package, _, data = name.rpartition("/")
    return lmer(formula, load_dataset(data, package or "lme4"), **options)


def sound(model, given):
    fit = fitted(model)
    return replace(fit.numbers(), engine="planted", _design=fit.design() if given else None)


@lru_cache
def of_the_reference(model):
    """What every trial of a model computes of its reference alone."""
    return {}


def verdict_on(model, fit):
    return judge(Trial(fitted(model), fit, ("lme4", "planted"), tolerances.default(), of_the_reference(model)))


def one_element(values, change):
    changed = np.array(values, float)
    changed.flat[changed.size // 2] = change(changed.flat[changed.size // 2])
    return changed


CHANGES = {  # of a number, or of an array of them; each by far more than any tolerance
    "sign": lambda v: -v,
    "scale": lambda v: 1.1 * v,
    "nan": lambda v: one_element(v, lambda _: np.nan) if np.ndim(v) else np.nan,
    "one element": lambda v: one_element(v, lambda x: 1.2 * x + 1.0) if np.ndim(v) else v + 1.0,
    "order": lambda v: np.array(v)[::-1].copy() if np.ndim(v) == 1 and len(v) > 1 else None,
}


def numbers(name, but=()):
    return {how: partial(_changed, name=name, change=change) for how, change in CHANGES.items() if how not in but}


def _changed(fit, *, name, change):
    value = change(getattr(fit, name))
    return None if value is None else replace(fit, **{name: value})


def off_diagonal(fit, change):
    if len(fit.beta) == 1:
        return None
    changed = np.array(fit.covariance)
    changed[0, 1] = changed[1, 0] = change(changed[0, 1])
    return replace(fit, covariance=changed)


def blocks(fit, **change):
    first, *rest = fit.varcorr.blocks
    made = replace(first, **{name: how(getattr(first, name)) for name, how in change.items()})
    return replace(fit, varcorr=VarCorr((made, *rest), fit.varcorr.residual_sd))


def turn(matrix):
    changed = np.array(matrix)
    changed[0, 1] = changed[1, 0] = -changed[0, 1]
    return changed


def modes(fit, change):
    first, *rest = fit.modes
    return replace(fit, modes=(replace(first, modes=change(first.modes)), *rest))


def loglik(fit, value=0.0, df=0, nobs=0):
    old = fit.loglik
    return replace(fit, loglik=LogLik(float(old) + value, old.df + df, old.nobs + nobs, old.reml))


def native_errors(fit):
    return replace(fit, native={f"se[{fit.terms[0]}]": 1.2 * fit.std_errors[0]})


FIELDS = {  # for each field of a fit its changes, each a function of the sound fit
    "terms": {
        "order": lambda f: replace(f, terms=f.terms[::-1]) if len(f.terms) > 1 else None,
        "labels": lambda f: replace(f, terms=("another", *f.terms[1:])),
        "duplicate": lambda f: replace(f, terms=(f.terms[0],) * len(f.terms)) if len(f.terms) > 1 else None,
    },
    "beta": numbers("beta"),
    "theta": numbers("theta", but=["sign"]),  # -T is a root of the same covariance
    "sigma": numbers("sigma", but=["order"]),
    "criterion": numbers("criterion", but=["order"]),
    "fitted_values": numbers("fitted_values"),
    "residual_values": numbers("residual_values"),
    "covariance": numbers("covariance", but=["order"])
    | {
        "sign off the diagonal": lambda f: off_diagonal(f, lambda v: -v),
        "nan off the diagonal": lambda f: off_diagonal(f, lambda _: np.nan),
    },
    "varcorr": {
        "residual SD": lambda f: replace(f, varcorr=VarCorr(f.varcorr.blocks, 1.1 * f.varcorr.residual_sd)),
        "covariance": lambda f: blocks(f, covariance=lambda c: 1.1 * c),
        "SD": lambda f: blocks(f, stddev=lambda s: 1.1 * s),
        "nan": lambda f: blocks(f, stddev=lambda s: s * np.nan),
        "correlation": lambda f: blocks(f, correlation=turn) if len(f.varcorr.blocks[0].terms) > 1 else None,
        "group": lambda f: blocks(f, group=lambda _: "another"),
        "terms": lambda f: blocks(f, terms=lambda terms: ("another", *terms[1:])),
    },
    "modes": {how: (lambda f, change=change: modes(f, change)) for how, change in CHANGES.items() if how != "order"}
    | {
        "order": lambda f: modes(f, lambda m: m[::-1]),
        "levels": lambda f: replace(f, modes=(replace(f.modes[0], levels=f.modes[0].levels[::-1]), *f.modes[1:])),
        "group": lambda f: replace(f, modes=(replace(f.modes[0], group="another"), *f.modes[1:])),
        "another group": lambda f: replace(f, modes=(*f.modes, replace(f.modes[0], group="another"))),
        "duplicate": lambda f: replace(f, modes=(*f.modes, f.modes[0])),
    },
    "loglik": {
        "value": lambda f: loglik(f, value=1.0),
        "df": lambda f: loglik(f, df=-1),
        "nobs": lambda f: loglik(f, nobs=-1),
    },
    "reml": {"other": lambda f: replace(f, reml=not f.reml)},
    "rows": {"other": lambda f: replace(f, rows=f.rows + 1), "order": lambda f: replace(f, rows=f.rows[::-1])},
    "rows_dropped": {"other": lambda f: replace(f, rows_dropped=3)},
    "index": {"order": lambda f: replace(f, index=f.index[::-1])},
    "converged": {"other": lambda f: replace(f, converged=not f.converged)},
    "singular": {"other": lambda f: replace(f, singular=not f.singular)},
    "only_std_errors": {
        "other": lambda f: replace(f, only_std_errors=not f.only_std_errors) if len(f.beta) > 1 else None
    },
    "native": {"AIC": lambda f: replace(f, native={"AIC": f.aic + 2}), "se": native_errors},
}
WORDS = {  # what the reason says, one of them
    "terms": ("column", "fixed effects"),
    "beta": ("fixed effects",),
    "theta": ("not a number", "criterion", "stopped", "variances"),
    "sigma": ("sigma",),
    "criterion": ("criterion", "log-likelihood"),
    "fitted_values": ("fitted values", "response"),
    "residual_values": ("residuals", "response"),
    "covariance": ("standard errors", "correlations of the estimates"),
    "varcorr": ("variances or correlations", "not the same model", "Not the same model"),
    "modes": ("random effects",),
    "loglik": ("log-likelihood", "number of parameters"),
    "reml": ("fitted by",),
    "rows": ("rows",),
    "rows_dropped": ("left out",),
    "index": ("row labels",),
}
# what a user reads beside the verdict, which they do not change
REMARKS = ("converged", "singular", "only_std_errors", "native")
UNTOUCHED = {  # no number of the answer
    **dict.fromkeys(("engine", "formula", "provenance", "conditions", "kind"), "says where the numbers come from"),
    "nb_theta": "is of a generalized model: see test_generalized",
    "dropped_terms": "names columns that are not in the answer",
    "covariance_given_theta": "stands beside the covariance, which is held",
    "_padded_rows": "is lmerbridge's own",
    "_design": "says what the engine worked with, and is compared as data",
}


CASES = [(name, how) for name, changes in FIELDS.items() for how in changes]


def test_the_table_has_every_field_of_a_fit():
    assert {field.name for field in fields(Fit)} == set(FIELDS) | set(UNTOUCHED)


@pytest.mark.parametrize("given", [True, False], ids=["with its design", "without"])
@pytest.mark.parametrize("model", MODELS)
def test_the_unchanged_fit_passes(model, given):
    result = verdict_on(model, sound(model, given))
    assert result.verdict in (Verdict.SAME_OPTIMUM, Verdict.LOOSE_STOP), result.explain()
    assert result.worse in (None, "lme4")  # the same numbers: what is loose is lme4's own stop
    assert result.frame["agrees"].all()


@pytest.mark.parametrize(("name", "how"), CASES, ids=lambda value: value.replace(" ", "-"))
def test_a_changed_field_is_found(name, how):
    places = [
        (model, given) for model in MODELS for given in (True, False) if _has_place(name, how, sound(model, given))
    ]
    assert places
    for model, given in places:
        result = verdict_on(model, FIELDS[name][how](sound(model, given)))
        if name in REMARKS:
            assert result.explain() != verdict_on(model, sound(model, given)).explain()
        else:
            assert not result.verdict.agrees, (model, given, result.explain())
            assert any(word in result.reason for word in WORDS[name]), (model, given, result.explain())


def _has_place(name, how, start):
    changed = FIELDS[name][how](start)
    return changed is not None and not _same(getattr(start, name), getattr(changed, name))


def _same(a, b):
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a is b
