"""An engine is anybody's code: what it returns is looked at, and what it changes is its own."""

import pickle
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from lmerbridge import Verdict, compare, lmer
from lmerbridge.engines import find, fit_with
from lmerbridge.engines.answer import check_fit
from lmerbridge.errors import EngineFailed, InvalidArgument
from lmerbridge.inputs.spec import OWN, Spec
from lmerbridge.parity import collect, process
from lmerbridge.parity.cases import pick
from lmerbridge.parity.suite import run_here
from lmerbridge.report import describe, html, json_text, junit, markdown
from lmerbridge.results import Fit, VarCorr

FORMULA = "Reaction ~ Days + (Days | Subject)"
NO_FITS = {  # what an engine returns, and how the verdict names it
    "None": (None, "None"),
    "a dict": ({"beta": [1.0]}, "a dict"),
    "text": ("converged", "the text 'converged'"),
    "a long text": ("x" * 10_000, "the text 'xxx"),
    "an array": (np.zeros(2), "a ndarray of float64, shape (2,)"),
    "a frame": (pd.DataFrame({"a": [1]}), "a DataFrame of shape (1, 1)"),
    "a number": (3.5, "3.5"),
    "True": (True, "True"),
    "a list": ([1, 2], "a list of 2"),
    "the class": (Fit, "a type"),
    "a function": (len, "a builtin_function_or_method"),
    "an exception": (ValueError("no"), "a ValueError"),
}
WRONG = {  # the field of a fit of 180 rows, 2 terms and one block of 2, the value in it, and what is said of both
    "short beta": ("beta", np.zeros(1), "beta is a ndarray of float64, shape (1,); an array of numbers of shape (2,)"),
    "long beta": ("beta", np.zeros(3), "shape (3,)"),
    "list of beta": ("beta", [1.0, 2.0], "beta is a list of 2"),
    "text in beta": ("beta", np.array(["a", "b"]), "beta is a ndarray of <U1"),
    "no beta": ("beta", None, "beta is None"),
    "flat covariance": ("covariance", np.zeros(2), "covariance is"),
    "frame as covariance": ("covariance", pd.DataFrame(np.eye(2)), "covariance is a DataFrame of shape (2, 2)"),
    "terms as text": ("terms", "Days", "terms is the text 'Days'; a tuple of texts"),
    "numbers as terms": ("terms", (1, 2), "terms is a tuple of 2"),
    "short theta": (
        "theta",
        np.zeros(1),
        "theta is a ndarray of float64, shape (1,); an array of numbers of shape (3,)",
    ),
    "sigma as text": ("sigma", "25.6", "sigma is the text '25.6'; a number"),
    "sigma as array": ("sigma", np.ones(1), "sigma is a ndarray"),
    "no criterion": ("criterion", None, "criterion is None"),
    "plain loglik": ("loglik", -871.8, "loglik is -871.8; a LogLik"),
    "short fitted values": ("fitted_values", np.zeros(3), "fitted_values is a ndarray of float64, shape (3,)"),
    "series of residuals": ("residual_values", pd.Series(np.zeros(180)), "residual_values is a Series"),
    "rows beyond the frame": ("rows", np.arange(1, 181), "rows is"),
    "rows twice": ("rows", np.zeros(180, int), "rows is"),
    "rows as floats": ("rows", np.arange(180.0), "rows is a ndarray of float64"),
    "short index": ("index", pd.RangeIndex(3), "index is a RangeIndex of shape (3,)"),
    "varcorr as a dict": ("varcorr", {"Subject": 1.0}, "varcorr is a dict; a VarCorr"),
    "varcorr of nothing known": ("varcorr", VarCorr((1,), 1.0), "varcorr is"),
    "modes as a dict": ("modes", {"Subject": 1}, "modes is a dict"),
    "converged as text": ("converged", "yes", "converged is the text 'yes'; True or False"),
    "no provenance": ("provenance", None, "provenance is None"),
    "conditions as texts": ("conditions", ("a warning",), "conditions is a tuple of 1"),
    "native as a list": ("native", [1.0], "native is a list of 1"),
    "a design that is none": ("_design", np.eye(2), "design is a ndarray"),
    "covariances beside standard errors alone": ("only_std_errors", True, "one of NaN off the diagonal"),
    "only_std_errors as text": ("only_std_errors", "vcov", "only_std_errors is the text 'vcov'; True or False"),
    "short se given theta": ("covariance_given_theta", np.zeros(2), "covariance_given_theta is"),
}


class Answer:
    """An engine that returns what it is told to."""

    capabilities = frozenset()

    def __init__(self, answer, name="answer"):
        self.answer, self.name = answer, name

    def fit(self, spec):
        return self.answer


@pytest.fixture(scope="module")
def sound(sleepstudy):
    fit = lmer(FORMULA, sleepstudy)
    return replace(fit.numbers(), engine="answer", _design=fit.design())


@pytest.fixture(scope="module")
def varied(sound):
    """A sound fit with a field or a field of a field changed."""
    (block,) = sound.varcorr
    (modes,) = sound.modes
    design = sound.design()
    return {
        "covariance of Subject": {"varcorr": VarCorr((replace(block, covariance=np.eye(3)),), 1.0)},
        "stddev of Subject": {"varcorr": VarCorr((replace(block, stddev=None),), 1.0)},
        "modes of Subject": {"modes": (replace(modes, modes=modes.modes[:3]),)},
        "design's x": {"_design": replace(design, x=design.x[:, :1])},
        "design's y": {"_design": replace(design, y=design.y[:9])},
        "Z of Subject": {"_design": replace(design, random=(replace(design.random[0], z=design.random[0].z[:, :3]),))},
    }


@pytest.mark.parametrize("case", NO_FITS)
def test_what_is_no_fit_is_a_verdict_that_names_it(case, sleepstudy):
    answer, words = NO_FITS[case]
    found = compare(FORMULA, sleepstudy, candidate=Answer(answer))
    assert found.verdict is Verdict.ENGINE_FAILED
    assert found.reason.startswith(f"answer returned {words}")
    assert found.reason.endswith("; a Fit is expected.")
    assert len(found.reason) < 200


@pytest.mark.parametrize("case", WRONG)
def test_a_fit_with_a_wrong_field_is_a_verdict_that_names_the_field_and_what_is_in_it(case, sound, sleepstudy):
    name, value, words = WRONG[case]
    found = compare(FORMULA, sleepstudy, candidate=Answer(replace(sound, **{name: value})))
    assert found.verdict is Verdict.ENGINE_FAILED
    assert "answer returned a Fit whose " in found.reason
    assert words in found.reason
    assert found.reason.endswith(" is expected.")


def test_parts_of_a_fit_are_looked_at_as_well(varied, sound):
    for words, changes in varied.items():
        with pytest.raises(EngineFailed, match=f"answer returned a Fit whose {words} is"):
            check_fit("answer", replace(sound, **changes), 180)


def test_every_field_of_a_fit_may_be_anything_and_no_error_is_raw(sound, sleepstudy):
    values = (None, "", {}, [], 3, np.nan, np.zeros(0), (1,), object())
    for field in fields(Fit):
        for value in values:
            found = compare(FORMULA, sleepstudy, candidate=Answer(replace(sound, **{field.name: value})))
            assert isinstance(found.verdict, Verdict), (field.name, value)
            found.explain()


def test_a_sound_fit_passes_whole(sound, sleepstudy):
    assert check_fit("answer", sound, 180) is sound
    assert compare(FORMULA, sleepstudy, candidate=Answer(sound)).verdict is Verdict.SAME_OPTIMUM


@pytest.mark.parametrize("case", ["None", "a dict", "text", "an array"])
def test_a_reference_that_gives_no_fit_is_an_error_of_ours(case, sleepstudy):
    with pytest.raises(EngineFailed, match="a Fit is expected"):
        compare(FORMULA, sleepstudy, reference=Answer(NO_FITS[case][0], "odd"))


def test_one_wrong_answer_costs_no_other_result_and_every_format_tells_it(sound):
    (case,) = pick("sleepstudy_slopes/REML")
    results = [run_here(case, Answer(answer, name)) for name, answer in (("none", None), ("sound", sound))]
    report = describe(collect([tuple(results)]))
    assert [r.comparison.verdict for r in results] == [Verdict.ENGINE_FAILED, Verdict.SAME_OPTIMUM]
    for render in (html, markdown, json_text, junit):
        assert "none returned None; a Fit is expected." in render(report)


class Quitter(Answer):
    def fit(self, spec):
        raise SystemExit(3)


def test_an_engine_that_quits_is_a_verdict(sleepstudy):
    assert compare(FORMULA, sleepstudy, candidate=Quitter(None)).verdict is Verdict.ENGINE_FAILED


class UnreadableError(Exception):
    """It pickles, and does not read back: its class wants two arguments, and gets one."""

    def __init__(self, code, text):
        super().__init__(text)


def raise_unreadable():
    raise UnreadableError(1, "text")


def unsendable():
    return lambda: None


@pytest.mark.parametrize(("function", "words"), [(raise_unreadable, "cannot be read"), (unsendable, "cannot be sent")])
def test_an_answer_that_cannot_come_back_from_its_process_is_an_error_of_ours(function, words):
    with pytest.raises(EngineFailed, match=f"its answer {words}"):
        process.call_apart(function)
    assert process.call_apart(abs, -3) == 3


class Vandal:
    """It changes all it can reach of its model, and then fits it with lme4."""

    name = "vandal"

    def __init__(self, capabilities=()):
        self.capabilities = frozenset(capabilities)
        self.hits = 0

    def fit(self, spec):
        frame = spec.data
        for change in (
            lambda: frame["Reaction"].array.__setitem__(slice(None), 1.0),
            lambda: frame["Subject"].array.__setitem__(slice(None), "308"),
            lambda: frame.__setitem__("Days", 0),
            lambda: frame.__setitem__("new", 0),
            lambda: frame.insert(0, "first", 0),
            lambda: spec.weights.__setitem__(slice(None), 7.0),
            lambda: spec.offset.__setitem__(slice(None), 7.0),
            lambda: spec.contrasts.update(g="contr.sum"[::-1]),
            lambda: spec.design.x.__setitem__(slice(None), 7.0),
            lambda: spec.design.y.__setitem__(slice(None), 7.0),
            lambda: spec.design.random[0].z.data.__setitem__(slice(None), 7.0),
        ):
            try:
                change()
            except (ValueError, AttributeError, TypeError):  # it is not there, or cannot be changed
                continue
            self.hits += 1


@pytest.mark.parametrize("capabilities", [(), ("shared_design",)])
def test_an_engine_that_changes_its_model_changes_neither_the_callers_nor_the_next_engines(capabilities, sleepstudy):
    frame = sleepstudy.copy()
    frame["g"] = pd.Categorical(np.where(frame["Days"] > 4, "late", "early"))
    given = {"weights": np.ones(180), "offset": np.zeros(180), "contrasts": {"g": "contr.sum"}}
    spec = Spec(formula="Reaction ~ Days + g + (1 | Subject)", data=frame, **given)
    before = pickle.dumps((frame, given))
    reference = fit_with(find("lme4"), spec)
    shared = replace(spec, design=reference.design()) if capabilities else spec
    kept = pickle.dumps(shared.design)
    vandal = Vandal(capabilities)
    with pytest.raises(EngineFailed, match="vandal returned None"):
        fit_with(vandal, shared)
    assert vandal.hits >= 7 + 3 * bool(capabilities)
    assert pickle.dumps((frame, given)) == before
    assert pickle.dumps(shared.design) == kept
    again = fit_with(find("lme4"), spec)
    assert again.criterion == reference.criterion
    assert np.array_equal(again.beta, reference.beta)


def test_compare_leaves_the_callers_frame_as_it_is(sleepstudy):
    frame = sleepstudy.copy()
    before = pickle.dumps(frame)
    for capabilities in ((), ("shared_design",)):
        compare(FORMULA, frame, candidate=Vandal(capabilities))
    assert pickle.dumps(frame) == before


def test_the_next_engine_of_a_case_is_judged_on_sound_data():
    (case,) = pick("sleepstudy_slopes/REML")
    assert run_here(case, Vandal()).comparison.verdict is Verdict.ENGINE_FAILED
    assert run_here(case, find("nlme")).comparison.verdict is Verdict.SAME_OPTIMUM


def test_a_copy_owns_every_field_that_can_be_changed_in_place(sleepstudy):
    immutable = {"formula", "reml", "na_action", "allow", "double_bar", "kind"}
    assert {field.name for field in fields(Spec)} == immutable | set(OWN)
    spec = Spec(formula=FORMULA, data=sleepstudy, weights=np.ones(180), control={"optimizer": "bobyqa"})
    copy = spec.copy()
    assert copy.kind is spec.kind
    assert copy.data.equals(spec.data)
    assert copy.data is not spec.data
    assert copy.weights is not spec.weights
    assert copy.control == spec.control


def test_engines_of_one_name_are_still_the_callers_mistake(sound, sleepstudy):
    with pytest.raises(InvalidArgument, match="two different names"):
        compare(FORMULA, sleepstudy, candidate=Answer(sound, "lme4"))
