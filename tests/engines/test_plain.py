"""Engines made of packages that take columns and a formula: what each is handed, and that all of it comes back."""

import ast
import inspect
import sys
import textwrap
from dataclasses import replace
from functools import cache
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmerbridge import Verdict, engines, load_dataset
from lmerbridge.engines import Plain, PlainEngine, PlainEstimates
from lmerbridge.engines.lme4 import Lme4
from lmerbridge.errors import InvalidArgument, NotExpressible, SetupError
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.inputs.glmerspec import GlmerNbSpec
from lmerbridge.parity.compare import judge_candidate
from lmerbridge.setup.installation import ask_r
from lmerbridge.translate.engine import FEATURES
from tests.chance import examples

EXACT = "gpboost[cholesky]"
MODULES = {"glmm": "glmm", "mixedlm-rs": "mixedlm_rs", "lme-python": "lme_python", EXACT: "gpboost"}
ENGINES = (*MODULES, "mgcv")
FOUND = (Verdict.SAME_OPTIMUM, Verdict.LOOSE_STOP)
GAP = 1e-5  # lme-python stops where its criterion has six digits
HALF = 3e-3  # the root of it: what such a gap leaves of the modes
LOOSER = {EXACT: 5e-3}  # it stops where its likelihood has six digits
TEXTBOOK = {
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "sleepstudy, uncorrelated": "Reaction ~ Days + (Days || Subject)",
    "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
    "Pastes": "strength ~ 1 + (1 | batch/cask)",
}
REFUSED = {  # model, engine: the reason
    ("sleepstudy", "mgcv"): "no correlated random effects",
    ("sleepstudy, uncorrelated", "glmm"): "a slope without an intercept",
    ("sleepstudy, uncorrelated", "mixedlm-rs"): "two random terms",
    ("Penicillin", "mixedlm-rs"): "two random terms",
    ("Pastes", "mixedlm-rs"): "two random terms",
    ("sleepstudy", EXACT): "correlated random effects",
    **{(model, EXACT, "REML"): "no form for REML" for model in TEXTBOOK},
}


def engine_or_skip(name):
    if name == "mgcv" and not ask_r(["mgcv"])["mgcv"]:
        pytest.skip("R has no mgcv here")
    if name in MODULES and find_spec(MODULES[name]) is None:
        pytest.skip(f"{name} is not installed: pip install 'lmerbridge[engines]'")
    return engines.find(name)


@cache
def textbook(model, reml):
    spec = Spec(formula=TEXTBOOK[model], data=load_dataset(model.partition(",")[0]), reml=reml)
    return spec, Lme4().fit(spec)


@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("model", TEXTBOOK)
@pytest.mark.parametrize("name", ENGINES)
def test_a_textbook_model_has_lme4s_optimum_or_is_refused(name, model, reml):
    spec, ours = textbook(model, reml)
    engine = engine_or_skip(name)
    if refused := REFUSED.get((model, name, "REML" if reml else "ML"), REFUSED.get((model, name))):
        with pytest.raises(NotExpressible, match=refused):
            engine.fit(spec)
        return
    found = judge_candidate(spec, "lme4", ours, engine)
    definition = (Verdict.OTHER_DEFINITION,) if (name, reml) == ("mgcv", False) else ()
    assert found.verdict in FOUND + definition, found.explain()
    assert set(found.definitions) <= {"se_residual_df"}
    assert found.gap[name] <= GAP
    its = found.candidate_fit
    assert (its.terms, its.npar, its.provenance.version[0].isdigit()) == (ours.terms, ours.npar, True)
    assert [block.name for block in its.varcorr] == [block.name for block in ours.varcorr]
    for mine, yours in zip(its.modes, ours.modes, strict=True):
        assert (mine.group, mine.levels, mine.terms) == (yours.group, yours.levels, yours.terms)
        np.testing.assert_allclose(mine.modes, yours.modes, atol=LOOSER.get(name, HALF) * ours.sigma)


@pytest.fixture(scope="module")
def frame():
    i = np.arange(180)
    factor = pd.Categorical(np.array(["b", "a]:", "[T.c]"])[i % 3], categories=["[T.c]", "b", "a]:"])
    return load_dataset("sleepstudy").assign(
        o=np.sin(i), w=1 + i % 3, x=np.where(i == 7, np.nan, i % 7), f=factor, flag=i % 2 == 0, code=(i % 5) * 7
    )


ARGUMENTS = {
    "an offset": ("Reaction ~ Days + (1 | Subject)", {"offset": "o"}),
    "a missing value": ("Reaction ~ x + (1 | Subject)", {"na_action": "exclude"}),
    "levels with brackets, not in the order of letters": ("Reaction ~ Days * f + (1 | Subject)", {}),
    "two factors": ("Reaction ~ flag * f + f * Days + (1 | Subject)", {}),
    "no margin": ("Reaction ~ f + f:Days + (1 | Subject)", {}),
    "groups of numbers": ("Reaction ~ flag * Days + (1 | code)", {}),
    "functions": ("log(Reaction) ~ poly(Days, 2) + I(x > 3) + (1 | Subject)", {}),
    "a slope on a function": ("Reaction ~ I(Days / 3) + (I(Days / 3) | Subject)", {}),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ARGUMENTS)
@pytest.mark.parametrize("name", MODULES)
def test_what_a_package_names_comes_back_under_rs_names(name, what, frame):
    formula, arguments = ARGUMENTS[what]
    if name == EXACT:
        formula, arguments = formula.replace("(I(Days / 3) | ", "(I(Days / 3) || "), arguments | {"reml": False}
    spec = Spec(formula=formula, data=frame, **arguments)
    ours = Lme4().fit(spec)
    found = judge_candidate(spec, "lme4", ours, engine_or_skip(name))
    assert found.verdict in FOUND, found.explain()
    assert sorted(found.candidate_fit.terms) == sorted(ours.terms)
    np.testing.assert_allclose(found.candidate_fit.fitted, ours.fitted, atol=LOOSER.get(name, HALF) * ours.sigma)


@pytest.mark.parametrize(("name", "same"), [("glmm", True), ("lme-python", False), ("mgcv", True)])
def test_weights_divide_the_residual_variance_and_lme_python_leaves_them_out_of_its_likelihood(name, same, frame):
    spec = Spec(formula="Reaction ~ Days + (1 | Subject)", data=frame, weights="w", offset="o")
    found = judge_candidate(spec, "lme4", Lme4().fit(spec), engine_or_skip(name))
    assert (found.verdict is Verdict.SAME_OPTIMUM) == same, found.explain()
    assert same or "the difference is the sum of log weights" in found.reason
    assert found.gap[name] <= GAP


def test_mgcvs_standard_errors_under_ml_are_a_definition_and_wrong_ones_are_not(frame):
    spec = Spec(formula="Reaction ~ Days + (1 | Subject)", data=frame, weights="w", offset="o", reml=False)
    ours, mgcv = Lme4().fit(spec), engine_or_skip("mgcv")
    found = judge_candidate(spec, "lme4", ours, mgcv)
    assert (found.verdict, found.definitions) == (Verdict.OTHER_DEFINITION, ("se_residual_df",)), found.explain()
    assert found.gap["mgcv"] <= GAP
    mgcv.fit = lambda spec: replace(found.candidate_fit, covariance=found.candidate_fit.covariance * 1.02)
    assert judge_candidate(spec, "lme4", ours, mgcv).verdict is Verdict.UNEXPLAINED


@pytest.mark.parametrize(
    ("name", "formula", "arguments", "reason"),
    [
        ("mixedlm-rs", "Reaction ~ Days + (1 | Subject)", {"weights": "w"}, "mixedlm-rs has no form for weights"),
        ("glmm", "Reaction ~ f + (f | Subject)", {}, "a slope that is no fixed effect"),
        ("glmm", "Reaction ~ f + (1 | Subject)", {"contrasts": {"f": "contr.sum"}}, "glmm has no form for contrasts"),
        ("lme-python", "Reaction ~ f + (1 | Subject)", {"contrasts": {"f": "contr.sum"}}, "no form for contrasts"),
        ("lme-python", "Reaction ~ f * flag * Days + (1 | Subject)", {}, "no form for interactions of three"),
        ("lme-python", "Reaction ~ Days + (1 | Subject)", {"start": [1.0]}, "start is an argument of lme4"),
        ("mgcv", "Reaction ~ Days + (1 | Subject)", {"control": {}}, "control is an argument of lme4"),
        ("gpboost", "Reaction ~ Days + (1 | Subject)", {}, "gpboost has no form for REML"),
        (EXACT, "Reaction ~ Days + (0 + Days | Subject)", {"reml": False}, "no form for a slope alone"),
    ],
)
def test_what_an_engine_has_no_form_for_is_told(name, formula, arguments, reason, frame):
    with pytest.raises(NotExpressible, match=reason):
        engines.find(name).fit(Spec(formula=formula, data=frame, **arguments))


@pytest.mark.parametrize("name", MODULES)
def test_a_package_that_is_not_installed_is_told_with_the_remedy(name, monkeypatch, frame):
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    with pytest.raises(SetupError, match=rf"{MODULES[name]} is not installed; pip install 'lmerbridge\[engines\]'"):
        engines.find(name).fit(Spec(formula="Reaction ~ Days + (1 | Subject)", data=frame, reml=name != EXACT))


@pytest.mark.parametrize(
    "formula",
    [
        "Reaction ~ Days + (1 | Subject)",
        "Reaction ~ f * Days + (0 + Days | Subject) + (1 | code)",  # a slope before an intercept
        "Reaction ~ Days + o + (1 | code) + (Days || Subject)",
    ],
)
def test_gpboost_has_lme4s_optimum_with_weights_an_offset_and_terms_in_any_order(formula, frame):
    spec = Spec(formula=formula, data=frame, weights="w", offset="o", reml=False)
    ours = Lme4().fit(spec)
    found = judge_candidate(spec, "lme4", ours, engine_or_skip(EXACT))
    assert found.verdict in FOUND, found.explain()
    assert "A remark: gpboost[cholesky] has no number for correlations of the estimates." in found.explain()
    np.testing.assert_allclose(found.candidate_fit.fitted, ours.fitted, atol=LOOSER[EXACT] * ours.sigma)


def test_gpboosts_default_likelihood_of_two_random_terms_is_an_approximation_and_what_it_warns_of_is_kept(capfd):
    engine_or_skip(EXACT)
    spec, ours = textbook("Pastes", reml=False)
    found = judge_candidate(spec, "lme4", ours, engines.find("gpboost"))
    assert found.verdict is Verdict.OTHER_OBJECTIVE
    assert found.gap["gpboost"] < 1e-2  # its estimates are sound
    assert abs(found.candidate_fit.criterion - ours.criterion) > 0.1  # its AIC is not
    fit = found.candidate_fit
    assert (fit.converged, any("line search" in said.text for said in fit.conditions)) == (False, True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("given", [{}, {"covariance": [[1.0]], "std_errors": [1.0]}], ids=["neither", "both"])
def test_the_uncertainty_of_beta_is_given_once(given):
    numbers = {"sigma": 1.0, "loglik": 0.0, "covariances": [], "modes": [], "fitted": [], "converged": True}
    with pytest.raises(InvalidArgument, match=r"(neither|both) of covariance and std_errors came; one of the two"):
        PlainEstimates(beta=[0.0], **numbers, **given)


@pytest.mark.parametrize("method", ["estimate", "estimate_glmm"])
@pytest.mark.parametrize("name", [*MODULES, "mixedlm", "interlace"])
def test_an_adapter_has_under_twenty_lines(name, method):
    source = textwrap.dedent(inspect.getsource(getattr(type(engines.find(name)), method)))
    (function,) = ast.parse(source).body
    body = function.body[1:]  # without its docstring
    lines = source.splitlines()[body[0].lineno - 1 : body[-1].end_lineno]
    assert sum(bool(line.strip()) for line in lines) < 20


class Bare(PlainEngine):
    """lme4's numbers by name, in an order of their own, and no more than an adapter must give."""

    name = "bare"
    package = "numpy"
    given = "formula"

    def estimate(self, model):
        fit = Lme4().fit(model.spec)
        order = range(len(fit.terms)) if self.given == "x" else range(len(fit.terms))[::-1]
        pairs, values, places, modes = [], [], [], []
        for i, (names, block) in enumerate(zip(model.columns, fit.varcorr, strict=True)):
            pairs += [(f"g{i}_", a, b) for a in names for b in names]
            values += list(block.covariance.ravel())
        for i, (block, group) in enumerate(zip(model.blocks, fit.modes, strict=True)):
            levels = sorted(range(len(block.levels)), key=str)
            places += [(f"g{i}_", code, t) for code in levels for t in reversed(model.columns[i])]
            modes += [x for code in levels for x in reversed(group.modes[code])]
        backwards = slice(None, None, -1)
        return PlainEstimates(
            terms=None if self.given == "x" else [fit.terms[i] for i in order],
            beta=[fit.beta[i] for i in order],
            covariance=fit.covariance[np.ix_(order, order)],
            sigma=fit.sigma,
            loglik=fit.loglik,
            covariances=model.covariances(pairs[backwards], values[backwards]),
            modes=model.modes(places, modes),
            fitted=fit.fitted_values,
            converged=True,
        )


@pytest.mark.parametrize("given", ["formula", "x"])
@pytest.mark.parametrize("model", ["sleepstudy", "Penicillin", "Pastes"])
def test_an_engine_that_tells_no_more_than_it_must_is_judged(model, given):
    engine = Bare()
    engine.given = given
    spec, ours = textbook(model, reml=True)
    found = judge_candidate(spec, "lme4", ours, engine)
    assert found.verdict is Verdict.SAME_OPTIMUM, found.explain()
    assert found.candidate_fit.npar == ours.npar
    assert set(found.candidate_fit.terms) == set(ours.terms)


def test_what_a_class_lacks_is_in_the_words_of_the_table():
    with pytest.raises(InvalidArgument, match="Odd lacks 'weight'; expected are weights, an offset"):
        type("Odd", (PlainEngine,), {"lacks": frozenset({"weight"})})


HAS = {
    "weights": ("y ~ x + (1 | g)", {"weights": "w"}),
    "an offset": ("y ~ x + (1 | g)", {"offset": "w"}),
    "contrasts": ("y ~ f + (1 | g)", {"contrasts": {"f": "contr.sum"}}),
    "ordered factors": ("y ~ o + (1 | g)", {}),
    "interactions of three": ("y ~ x * f * o + (1 | g)", {}),
    "REML": ("y ~ x + (1 | g)", {}),
    "ML": ("y ~ x + (1 | g)", {"reml": False}),
    "two random terms": ("y ~ x + (1 | g) + (1 | f)", {}),
    "slopes": ("y ~ x + (0 + x | g)", {}),
    "correlated random effects": ("y ~ x + (x | g)", {}),
    "a slope without an intercept": ("y ~ x + (0 + x | g)", {}),
    "a slope alone": ("y ~ x + (0 + x | g)", {}),
    "a slope that is no fixed effect": ("y ~ 1 + (x | g)", {}),
    "n_agq=0": ("o ~ x + (1 | g)", {"family": "binomial", "n_agq": 0}),
    "quadrature": ("o ~ x + (1 | g)", {"family": "binomial", "n_agq": 2}),
    "an even number of nodes": ("o ~ x + (1 | g)", {"family": "binomial", "n_agq": 2}),
    "a known shape": ("x ~ 1 + (1 | g)", {"family": "negative.binomial(2)"}),
    "an estimated shape": ("x ~ 1 + (1 | g)", {"family": None}),
}


def spec(formula, data, **given):
    if "family" not in given:
        return Spec(formula=formula, data=data, **given)
    of = GlmerNbSpec if given["family"] is None else GlmerSpec
    return of(formula=formula, data=data, **{name: value for name, value in given.items() if value is not None})


@pytest.fixture(scope="module")
def small():
    i = np.arange(24)
    factor = np.array(["a", "b"])[i % 2]
    ordered = pd.Categorical(factor, ordered=True)
    return pd.DataFrame(
        {"y": np.cos(i), "x": i % 5, "g": i // 4, "f": factor, "fb": i % 7, "o": ordered, "w": 1.0 + i % 3}
    )


@pytest.mark.parametrize("feature", FEATURES)
def test_a_feature_is_seen_where_it_is_and_not_in_the_plainest_model(feature, small):
    formula, arguments = HAS[feature]
    assert FEATURES[feature](Plain(spec(formula, small, **arguments)))
    plainest = Plain(Spec(formula="y ~ x + (1 | g)", data=small, reml=feature != "REML"))
    assert not FEATURES[feature](plainest)
    if feature != "ML":  # which a generalized model has alone
        assert not FEATURES[feature](Plain(spec("o ~ x + (1 | g)", small.assign(o=small["x"] > 1), family="binomial")))


def test_a_slope_bears_the_name_of_the_fixed_variable_that_it_is(small):
    def bars(formula):
        return Plain(Spec(formula=formula, data=small)).bars

    assert bars("y ~ x + (x | g)") == ["(1 + v0_ | g0_)"]
    assert bars("y ~ f + log(x + 1) + (log(x + 1) | g)") == ["(1 + v1_ | g0_)"]
    assert bars("y ~ x:f + (x | g)") == ["(1 + z0_1_ | g0_)"]
    assert bars("y ~ f + (f | g)") == ["(1 + z0_1_ | g0_)"]
    assert bars("y ~ fb + (f | g)") == ["(1 + z0_1_ | g0_)"]  # a variable that is called as the column of a level


@examples(60)
@given(st.lists(st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1), min_size=2, unique=True))
def test_texts_sort_as_the_levels_do_and_their_names_come_back(levels):
    levels = [level for level in levels if level.isprintable()]
    n = 3 * len(levels)
    factor = pd.Categorical([levels[i % len(levels)] for i in range(n)], categories=levels)
    data = pd.DataFrame({"y": np.cos(np.arange(n)), "f": factor, "h": factor.astype(str), "g": np.arange(n) // 2 % 3})
    model = Plain(Spec(formula="y ~ f * h + (1 | f)", data=data))
    for key, of in (("v0_", factor), ("g0_", factor)):
        assert [levels[code] for code in np.unique(model.text[key], return_inverse=True)[1]] == list(of)
    last = max(model.text["v0_"])
    for spelling in ("v0_{0}:v1_{0}", "v0_[T.{0}]:v1_[T.{0}]", "v0_:v1_:{0}:{0}", "v0_[{0}]:v1_[{0}]"):
        assert model._r_name(spelling.format(last)) == f"f{levels[-1]}:h{sorted(levels)[-1]}"
