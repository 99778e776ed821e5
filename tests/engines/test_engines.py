"""Engines beside lme4's default: found by name, the same model, and each judged as it deserves."""

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from lmerbridge import Verdict, engines
from lmerbridge.engines.interlace import Interlace
from lmerbridge.engines.lme4 import Lme4
from lmerbridge.engines.mixedlm import Mixedlm
from lmerbridge.engines.r import Nlme, _translation
from lmerbridge.errors import EngineFailed, InvalidArgument, NotExpressible, RError, SetupError, UnfitData
from lmerbridge.inputs.spec import Spec
from lmerbridge.parity.cases import pick
from lmerbridge.parity.compare import judge_candidate
from lmerbridge.setup.compat import Range
from lmerbridge.setup.installation import ask_r
from lmerbridge.translate.plain import Plain

OTHERS = ("nlme", "glmmTMB", "mixedlm", "interlace")
SAME = (  # models on which every engine is to find the optimum: small, of every structure
    "dyestuff/REML",
    "sleepstudy_intercept/ML",
    "sleepstudy_uncorrelated/REML",
    "penicillin/ML",
    "pastes_nested/REML",
    "cake_linear/REML",
    "oats_splitplot/REML",
)
FINDINGS = {  # case, engine: the verdict, and deviance units above the optimum
    ("sleepstudy_two_thirds/REML", "interlace"): (Verdict.OTHER_OPTIMUM, 4.734),
    ("petrol/ML", "interlace"): (Verdict.OTHER_OPTIMUM, 1.45),
    ("petrol/ML", "mixedlm"): (Verdict.SAME_OPTIMUM, 0.0),
    ("petrol/ML", "nlme"): (Verdict.SAME_OPTIMUM, 0.0),
    ("petrol/ML", "glmmTMB"): (Verdict.OTHER_DEFINITION, 0.0),  # standard errors from the joint information
    ("cake_ordered/ML", "glmmTMB"): (Verdict.SAME_OPTIMUM, 0.0),  # its modes are those of its own beta
}
NO_ANSWER = {  # case, engine: releases that may end where an intercept has no variance, and tell no likelihood
    ("sleepstudy_uncorrelated/REML", "glmmTMB"): Range("1.1.10"),
}
WEIGHTED = {
    "nlme": (Verdict.SAME_OPTIMUM, ""),
    "mixedlm": (Verdict.SAME_OPTIMUM, ""),
    "interlace": (Verdict.OTHER_OBJECTIVE, "the difference is the sum of log weights"),
}
QUICK = ("sleepstudy_[it]*", "pastes_*", "orthodont_s*/REML", "oxide/ML", "assay*/ML", "bodyweight/ML")
GAP = 1e-4  # `agree` for the engine under test
TIGHT = 5e-5  # relative, and in sigma: of an optimum that is found to 1e-9, half the digits
OPTIMIZERS = ("bobyqa", "Nelder_Mead", "nlminbwrap", "nloptwrap")  # those that need no further package


@cache
def reference(name, engine="lme4"):
    (case,) = pick(name)
    spec = case.spec()
    return spec, engines.find(engine).fit(spec)


@cache
def judged(name, engine, against="lme4"):
    spec, fit = reference(name, against)
    return judge_candidate(spec, against, fit, engine_or_skip(engine))


@cache
def r_version(package):
    return ask_r([package])[package]


def engine_or_skip(name):
    if name == "glmmTMB" and not r_version("glmmTMB"):
        pytest.skip("R has no glmmTMB here")
    return engines.find(name)


@pytest.fixture(params=OTHERS)
def engine(request):
    return engine_or_skip(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("other", OTHERS)
def test_an_engine_finds_lme4s_optimum(name, other):
    found = judged(name, other)
    may_fail = (name, other) in NO_ANSWER and r_version(other) in NO_ANSWER[name, other]
    if may_fail and found.verdict is Verdict.ENGINE_FAILED:
        assert found.reason == f"{other} returned a criterion that is not a number."
        return
    assert found.verdict in (Verdict.SAME_OPTIMUM, Verdict.LOOSE_STOP), found.explain()
    assert found.gap[other] <= GAP
    assert found.rows


@pytest.mark.parametrize("other", ["nlme", "mixedlm"])
def test_every_number_of_a_good_engine_is_lme4s(other):
    found = judged("pastes_nested/REML", other)
    ours, its = found.reference_fit, found.candidate_fit
    assert its.criterion == pytest.approx(ours.criterion, abs=1e-8)
    np.testing.assert_allclose(its.theta, ours.theta, rtol=TIGHT)
    np.testing.assert_allclose(its.beta, ours.beta, rtol=TIGHT)
    np.testing.assert_allclose(its.covariance, ours.covariance, rtol=TIGHT)
    np.testing.assert_allclose(its.fitted_values, ours.fitted_values, rtol=TIGHT)
    assert its.npar == ours.npar
    assert [block.name for block in its.varcorr] == ["cask:batch", "batch"]
    for mine, yours in zip(its.modes, ours.modes, strict=True):
        assert (mine.group, mine.levels, mine.terms) == (yours.group, yours.levels, yours.terms)
        np.testing.assert_allclose(mine.modes, yours.modes, atol=TIGHT * ours.sigma)


@pytest.mark.parametrize(("case", "expected"), FINDINGS.items())
def test_what_an_engine_does_wrong_is_found_and_what_it_does_right_is_not(case, expected):
    found = judged(*case)
    verdict, gap = expected
    assert (found.verdict, found.worse) == (verdict, case[1] if gap else None), found.explain()
    assert found.gap[case[1]] == pytest.approx(gap, rel=1e-2, abs=1e-5)


@pytest.mark.slow
def test_lme4_by_bobyqa_against_nlme_has_no_finding():
    names = [case.name for pattern in QUICK for case in pick(pattern)]
    found = [judged(name, "nlme", "lme4[bobyqa]") for name in names]
    assert {comparison.verdict for comparison in found} == {Verdict.SAME_OPTIMUM}, found
    assert all(comparison.candidate_fit.converged for comparison in found)


def test_an_engine_says_who_it_is_with_its_version_and_optimizer(engine):
    fit = judged("dyestuff/REML", engine.name).candidate_fit
    assert fit.engine == fit.provenance.engine == engine.name
    assert fit.provenance.version[0].isdigit()
    assert fit.provenance.optimizer
    assert fit.provenance.versions


@pytest.fixture(scope="module")
def frame(datasets):
    i = np.arange(180)
    return datasets("sleepstudy").assign(
        o=np.sin(i),
        w=1 + i % 3,
        keep=i % 4 > 0,
        third=np.array(["a", "b", "c"])[i % 3],
        x=np.where(i == 7, np.nan, i % 7),
    )


ARGUMENTS = {
    "an offset": ("Reaction ~ Days + (1 | Subject)", {"offset": "o"}),
    "an offset in the formula": ("Reaction ~ Days + offset(o) + (1 | Subject)", {}),
    "a subset": ("Reaction ~ Days + (1 | Subject)", {"subset": "keep"}),
    "contrasts": ("Reaction ~ Days * third + (1 | Subject)", {"contrasts": {"third": "contr.sum"}}),
    "a missing value": ("Reaction ~ x + (1 | Subject)", {"na_action": "exclude"}),
    "functions": ("log(Reaction) ~ poly(Days, 2) + I(x > 3) + (1 | Subject)", {}),
    "a crossed slope": ("Reaction ~ Days + (1 | Subject) + (0 + Days | third)", {}),
}


def test_an_interaction_without_its_margin_is_another_model_to_mixedlm(frame):
    spec = Spec(formula="Reaction ~ third + third:Days + (1 | Subject)", data=frame)
    ours = Lme4().fit(spec)
    found = {name: judge_candidate(spec, "lme4", ours, engines.find(name)) for name in ("mixedlm", "interlace")}
    assert found["mixedlm"].reason == "Not the same model: lme4 has 6 fixed effects, mixedlm 5."
    assert found["mixedlm"].verdict is Verdict.SPEC_MISMATCH
    assert found["interlace"].verdict is Verdict.SAME_OPTIMUM


@pytest.fixture(scope="module")
def with_argument(frame):
    @cache
    def fitted(what):
        formula, arguments = ARGUMENTS[what]
        spec = Spec(formula=formula, data=frame, **arguments)
        return spec, Lme4().fit(spec)

    return fitted


@pytest.mark.slow
@pytest.mark.parametrize("what", ARGUMENTS)
def test_an_argument_means_what_it_means_to_lme4(what, engine, with_argument):
    spec, ours = with_argument(what)
    found = judge_candidate(spec, "lme4", ours, engine)
    assert found.verdict in (Verdict.SAME_OPTIMUM, Verdict.LOOSE_STOP), found.explain()
    assert found.gap[engine.name] <= GAP
    its = found.candidate_fit
    np.testing.assert_array_equal(its.rows, ours.rows)
    assert its.fitted.index.equals(ours.fitted.index)
    np.testing.assert_allclose(its.fitted, ours.fitted, atol=1e-3 * ours.sigma)


@pytest.mark.parametrize("name", WEIGHTED)
def test_weights_divide_the_residual_variance_but_of_one_engine_not_in_its_likelihood(name, frame):
    spec = Spec(formula="Reaction ~ Days + (1 | Subject)", data=frame, weights="w")
    found = judge_candidate(spec, "lme4", Lme4().fit(spec), engines.find(name))
    verdict, reason = WEIGHTED[name]
    assert found.verdict is verdict
    assert reason in found.reason
    assert found.gap[name] <= GAP


@pytest.mark.parametrize(
    ("name", "formula", "arguments", "reason"),
    [
        ("glmmTMB", "Reaction ~ Days + (1 | Subject)", {"weights": "w"}, "weights multiply the likelihood"),
        ("nlme", "Reaction ~ Days + (Days | Subject) + (Days | third)", {}, "two factors that are crossed"),
        ("nlme", "Reaction ~ Days + (1 | Subject)", {"start": [1.0]}, "start is an argument of lme4"),
        ("mixedlm", "Reaction ~ Days + (1 | Subject)", {"control": {}}, "control is an argument of lme4"),
        ("mixedlm", "Reaction ~ third + (1 | Subject)", {"contrasts": {"third": "contr.SAS"}}, "contr.SAS"),
        ("interlace", "Reaction ~ Days + (1 | Subject)", {"start": [1.0]}, "start is an argument of lme4"),
        ("interlace", "Reaction ~ cut(Days, 3) + (1 | Subject)", {}, "no counterpart outside R"),
    ],
)
def test_what_an_engine_has_no_form_for_is_told(name, formula, arguments, reason, frame):
    with pytest.raises(NotExpressible, match=reason):
        engine_or_skip(name).fit(Spec(formula=formula, data=frame, **arguments))


def test_an_engine_in_r_refuses_the_data_that_lme4_refuses(frame):
    with pytest.raises(UnfitData, match="a level of its own"):
        Nlme().fit(Spec(formula="Days ~ 1 + (1 | Reaction)", data=frame))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_each_of_lme4s_optimizers_is_an_engine(optimizer):
    spec, default = reference("sleepstudy_slopes/REML")
    fit = engines.find(f"lme4[{optimizer}]").fit(spec)
    assert fit.engine == f"lme4[{optimizer}]"
    assert fit.provenance.optimizer == optimizer
    assert fit.criterion == pytest.approx(default.criterion, abs=1e-6)


def test_two_optimizers_of_lme4_can_be_judged_against_each_other():
    found = judged("assay_crossed/REML", "lme4[bobyqa]")
    assert (found.verdict, found.worse) == (Verdict.LOOSE_STOP, "lme4")
    assert found.gap["lme4[bobyqa]"] < 1e-8 < 1e-5 < found.gap["lme4"]


def test_an_optimizer_and_a_control_that_asks_for_another_contradict_each_other(sleepstudy):
    spec = Spec(formula="Reaction ~ Days + (1 | Subject)", data=sleepstudy, control={"optimizer": "Nelder_Mead"})
    with pytest.raises(InvalidArgument, match=r"'Nelder_Mead' of lme4\[bobyqa\]"):
        Lme4("bobyqa").fit(spec)
    kept = Lme4("Nelder_Mead").fit(replace(spec, control={"optCtrl": {"maxfun": 5000}}))
    assert kept.spec.control == {"optimizer": "Nelder_Mead", "optCtrl": {"maxfun": 5000}}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("lme4[newuoa]", r"engine lme4 has .*bobyqa, Nelder_Mead.*, and not 'newuoa'"),
        ("nlme[bobyqa]", "engine nlme takes no option, and not 'bobyqa'"),
        ("nosuch[bobyqa]", r"no engine 'nosuch\[bobyqa\]' is installed; there are .*glmmTMB.*lme4.*nlme"),
        ("nosuch", "no engine 'nosuch' is installed"),
        ("lme4[bobyqa", r"no engine 'lme4\[bobyqa' is installed"),
        ("lme4[]", "engine lme4 has .*, and not ''"),
    ],
)
def test_an_engine_that_is_not_there_is_told_with_those_that_are(name, told):
    with pytest.raises(InvalidArgument, match=told):
        engines.find(name)


def test_what_is_listed_is_found():
    found = [engines.find(name) for name in engines.names()]
    assert all(isinstance(engine, engines.Engine) for engine in found)
    assert [engine.name for engine in found] == list(engines.names())
    assert set(OTHERS) < set(engines.names())


ENGINE = """
class Mine:
    capabilities = frozenset()
    options = ("slow", "fast")

    def __init__(self, option="slow"):
        self.name = f"mine[{option}]"

    def fit(self, spec):
        raise NotImplementedError
"""


def test_an_engine_of_another_package_is_found_by_its_entry_point(tmp_path, monkeypatch):
    (tmp_path / "someones.py").write_text(ENGINE)
    info = tmp_path / "someones-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someones\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lmerbridge.engines]\nmine = someones:Mine\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert "mine" in engines.names()
    assert engines.find("mine").name == "mine[slow]"
    assert engines.find("mine[fast]").name == "mine[fast]"
    with pytest.raises(InvalidArgument, match="engine mine has slow, fast, and not 'quick'"):
        engines.find("mine[quick]")


@pytest.mark.parametrize(("engine", "package"), [(Mixedlm(), "mixedlm"), (Interlace(), "interlace")])
def test_a_python_package_that_is_not_installed_is_told_with_the_remedy(engine, package, monkeypatch, sleepstudy):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SetupError, match=rf"pip install 'lmerbridge\[{package}\]'"):
        engine.fit(Spec(formula="Reaction ~ Days + (1 | Subject)", data=sleepstudy))


@pytest.mark.parametrize(
    ("of_r", "ours", "text"),
    [
        ("lmerbridge_not_installed", SetupError, "R has no package glmmTMB; this installs it:\n.*lmmtmb|glmmTMB"),
        ("lmerbridge_not_expressible", NotExpressible, r"glmmTMB\."),
        ("lmerbridge_engine_failed", EngineFailed, "glmmTMB"),
        ("simpleError", RError, "glmmTMB"),
    ],
)
def test_an_error_in_r_is_ours_by_its_class(of_r, ours, text, sleepstudy):
    formula = "Reaction ~ Days + (1 | Subject)"
    given = RError("glmmTMB", (of_r, "error"))
    error = _translation(given, Spec(formula=formula, data=sleepstudy)) or given
    assert type(error) is ours
    with pytest.raises(ours, match=text):
        raise error


class PanicException(BaseException):
    __module__ = "pyo3_runtime"


@pytest.mark.parametrize("error", [ValueError("it broke"), PanicException("it broke")], ids=["Python", "Rust"])
def test_whatever_a_package_raises_is_its_failure_with_its_text(error, monkeypatch):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("mixedlm.lmer", fails)
    spec, fit = reference("dyestuff/REML")
    found = judge_candidate(spec, "lme4", fit, Mixedlm())
    assert found.verdict is Verdict.ENGINE_FAILED
    assert found.reason == f"mixedlm raised {type(error).__name__}: it broke"


def test_ctrl_c_in_a_package_is_no_failure_of_it(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mixedlm.lmer", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Mixedlm().fit(reference("dyestuff/REML")[0])


@pytest.mark.parametrize("name", ["mixedlm", "interlace"])
def test_what_a_package_warns_of_is_kept(name):
    found = judged("dyestuff2/REML", name)
    assert any("singular" in c.text and c.classes == ("UserWarning",) for c in found.candidate_fit.conditions)
    assert found.candidate_fit.singular


def test_a_model_is_put_into_plain_names_and_back(frame):
    model = Plain(Spec(formula="log(Reaction) ~ poly(Days, 2):third + (Days || Subject)", data=frame))
    assert model.fixed() == "1 + v0_:v2_ + v1_:v2_"
    assert model.fixed(lambda name: f"C({name})") == "1 + C(v0_):C(v2_) + C(v1_):C(v2_)"
    assert model.bars == ["(1 | g0_)", "(0 + z1_0_ | g1_)"]
    assert model.names == {"v0_": "poly(Days, 2)1", "v1_": "poly(Days, 2)2", "v2_": "third", "v3_": "Days"}
    np.testing.assert_array_equal(model.data["z1_0_"], frame["Days"])
    np.testing.assert_array_equal(model.data["y_"], np.log(frame["Reaction"]))


def test_random_terms_are_in_lme4s_order(frame):
    spec = Spec(formula="Reaction ~ Days + (1 | third) + (Days || Subject)", data=frame)
    ours = [(block.group, block.terms) for block in Lme4().fit(spec).varcorr]
    assert [(block.group, block.terms) for block in Plain(spec).blocks] == ours
    assert ours[-1] == ("third", ("(Intercept)",))
