"""What R says before an error goes with it: of a fit, of engines in R, of verbs; and texts without R's insides."""

import copy
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import data_template, errors, lm_list, lmer, load_dataset, params_template, simulate_formula
from lmerbridge.engines import find
from lmerbridge.errors import (
    Condition,
    EngineFailed,
    InvalidArgument,
    LmerBridgeError,
    MissingValues,
    RankDeficientWarning,
    RError,
    SetupError,
    UnfitData,
)
from lmerbridge.inputs import Spec
from lmerbridge.translate.foreign import fit_foreign
from tests.processes import in_r

PLANT = """here <- environment(sys.function(1L))
  own <- here$%s
  here$%s <- structure(function(...) { warning("planted"); message("told"); %s }, own = own)
  0L"""
UPROOT = """here <- environment(sys.function(1L)); here$%s <- attr(here$%s, "own"); 0L"""
MODEL = "Reaction ~ Days + (Days | Subject)"
SAID = [("warning", "planted"), ("message", "told")]


@pytest.fixture
def plant():
    """Have a function of R's side warn, tell, and then run code."""
    planted = []

    def put(function, code):
        in_r(PLANT % (function, function, code))
        planted.append(function)

    yield put
    for function in reversed(planted):
        in_r(UPROOT % (function, function))


def said(error):
    return [(condition.kind, condition.text) for condition in error.conditions]


def carries(error):
    """Whether an error has what was planted, in its text too, also where another process sends it."""
    sent = pickle.loads(pickle.dumps(error))  # ours
    return (
        said(error) == said(sent) == SAID
        and str(error) == str(sent)
        and str(error).endswith("\nBefore that, a warning: planted\nBefore that, a message: told")
    )


STOPS = {  # what R stops with, our error
    'stop("some error of its own")': RError,
    'stop("Downdated VtV is not positive definite")': UnfitData,
    'here$refuse("this is not to be")': InvalidArgument,
    "log(-1:3, 'a')": RError,
}


@pytest.mark.parametrize("code", STOPS)
def test_what_r_says_before_a_fit_fails_travels_with_the_error(code, plant):
    plant("lmer_call", code)
    with pytest.raises(STOPS[code]) as raised:
        lmer(MODEL, load_dataset("sleepstudy"))
    assert carries(raised.value)


@pytest.mark.parametrize("sigma", ["NaN", "0"])
def test_what_r_says_before_a_fit_that_cannot_be_used_travels_with_the_error(sigma, plant):
    plant("describe_fit", f"found <- own(...); found$sigma <- {sigma}; found")
    with pytest.raises((EngineFailed, UnfitData)) as raised:
        lmer(MODEL, load_dataset("sleepstudy"))
    assert carries(raised.value)
    assert "cs()" not in str(raised.value)  # which the formula has not


@pytest.mark.parametrize("name", ["lme4", "nlme", "glmmTMB", "lme4[bobyqa]"])
@pytest.mark.parametrize("at", ["lmer_call", "plain_frame"])
def test_what_r_says_before_an_engine_of_r_fails_travels_with_the_error(name, at, plant):
    if at == "plain_frame" and name.startswith("lme4"):
        pytest.skip("lme4 takes the data as they are")
    if name in ("nlme", "glmmTMB") and not in_r(f'as.integer(requireNamespace("{name}", quietly = TRUE))')[0]:
        pytest.skip(f"R has no {name}")
    plant(at, 'stop("some error of its own")')
    with pytest.raises(LmerBridgeError, match="some error of its own") as raised:
        find(name).fit(Spec(formula=MODEL, data=load_dataset("sleepstudy")))
    assert carries(raised.value)


@pytest.mark.parametrize("error", [ValueError("no"), EngineFailed("no")])
def test_what_an_engine_of_python_warns_of_before_it_fails_travels_with_the_error(error):
    def fit():
        warnings.warn("planted", stacklevel=1)
        raise error

    with pytest.raises(EngineFailed, match=r"no\nBefore that, a warning: planted$") as raised:
        fit_foreign("mine", fit)
    assert said(raised.value) == SAID[:1]


STOPS_OF_VERBS = {  # what R stops with, our error
    'here$refuse("this is not to be")': InvalidArgument,
    "stop(\"there is no package called 'nowhere'\")": SetupError,
    'stop("number of rows in use has changed: remove missing values?")': MissingValues,
}


@pytest.mark.parametrize("code", STOPS_OF_VERBS)
def test_what_r_says_before_a_verb_fails_travels_with_our_error_for_it(code, plant):
    fit = lmer(MODEL, load_dataset("sleepstudy"))
    plant("entry_of", code)
    with pytest.raises(STOPS_OF_VERBS[code]) as raised:
        fit.drop1()
    assert carries(raised.value)


BESIDE = {
    "lm_list": lambda data: lm_list("Reaction ~ Days | Subject", data),
    "simulate_formula": lambda data: simulate_formula(
        "~ Days + (1 | Subject)", data, beta=[1, 1], theta=[1], sigma=1, seed=1
    ),
    "params_template": lambda data: params_template("~ Days + (1 | Subject)", data),
    "data_template": lambda data: data_template("~ Days + (1 | Subject)"),
}


@pytest.mark.parametrize("call", BESIDE)
def test_what_r_says_beside_a_fit_is_a_warning_at_the_users_line_or_goes_with_the_error(call, plant):
    data = load_dataset("sleepstudy")
    plant("formula_scope", "own(...)")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        BESIDE[call](data)
    assert [(str(w.message), w.filename) for w in seen] == [("planted", __file__), ("told", __file__)]
    plant("formula_scope", 'stop("some error of its own")')
    with pytest.raises(RError) as raised:
        BESIDE[call](data)
    assert carries(raised.value)


def test_columns_of_very_different_sizes_are_named_by_r_before_it_stops():
    data = load_dataset("sleepstudy").assign(hz=np.linspace(2e9, 2.1e9, 180))
    with pytest.raises(UnfitData, match="a warning: Some predictor variables are on very different scales") as raised:
        lmer("Reaction ~ hz + (hz | Subject)", data.assign(Reaction=data.Reaction * 1e10))
    assert [c.kind for c in raised.value.conditions] == ["warning"]


def with_gaps(column):
    data = load_dataset("sleepstudy").assign(
        x=np.resize([1.0, 2.0, 4.0], 180), batch=np.resize(["p", "q", "r", "s", "t"], 180)
    )
    data.loc[data.index[[3, 77]], column] = np.nan if column == "x" else None
    return data


GAPS = {  # a verb that compares with smaller models, the column whose term they leave out
    "drop1": ("x", lambda fit: fit.drop1()),
    "drop1 by likelihood": ("x", lambda fit: fit.drop1(test="Chisq")),
    "step": ("x", lambda fit: fit.step()),
    "ranova": ("batch", lambda fit: fit.ranova()),
    "step over random terms": ("batch", lambda fit: fit.step(reduce_fixed=False)),
}


@pytest.mark.parametrize("verb", GAPS)
@pytest.mark.parametrize("na_action", ["omit", "exclude"])
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.SingularFitWarning")
def test_a_smaller_model_with_other_rows_is_an_error_that_names_the_column_without_the_insides_of_r(verb, na_action):
    column, call = GAPS[verb]
    fit = lmer("Reaction ~ Days + x + (Days | Subject) + (1 | batch)", with_gaps(column), na_action=na_action)
    with pytest.raises(MissingValues, match=f"'{column}' in 2 rows.*dropna\\(subset=\\['{column}'\\]\\)") as raised:
        call(fit)
    assert "quote" not in str(raised.value)


INSIDE = r"base::quote|new\(\"|structure\(|<environment>|c\(1"
CALLS = {  # R code that stops in a call which holds what do.call() put there
    "a model": 'do.call("update", list(lme4::lmer(Reaction ~ 1 + (1 | Subject), lme4::sleepstudy), data = 1:3), TRUE)',
    "data": 'do.call("lm", list(Reaction ~ Days, lme4::sleepstudy, method = "none"))',
    "a vector": 'do.call("match.arg", list(c(1, 2, 3), c("a", "b")))',
    "a function": "do.call(function(x) stop('no'), list(1:3))",
}


@pytest.mark.parametrize("what", CALLS)
def test_no_error_shows_what_a_call_of_r_holds(what, plant):
    plant("lmer_call", CALLS[what])
    with pytest.raises(LmerBridgeError) as raised:
        lmer(MODEL, load_dataset("sleepstudy"))
    assert not pd.Series([str(raised.value)]).str.contains(INSIDE).any()
    assert len(str(raised.value)) < 400


def test_the_missing_cells_that_lmertest_tells_of_are_a_warning():
    data = load_dataset("sleepstudy").assign(a=np.repeat(["a", "b", "c"], 60), b=np.tile(["u", "v", "w", "x"], 45))
    with pytest.warns(RankDeficientWarning):
        fit = lmer("Reaction ~ a * b + (1 | Subject)", data[~((data.a == "a") & (data.b == "u"))])
    with pytest.warns(Warning, match="Missing cells for: aa:bu") as seen:
        found = fit.anova(ddf="Satterthwaite")
    assert [w.filename for w in seen] == [__file__]
    assert "Interpret type III hypotheses with care" in found.conditions[-1].text


ARGUMENTS = {  # of errors that are not made of a text alone
    "MissingColumns": (["q"], ["x", "y"], "weights"),
    "UnsupportedColumn": ("x", "complex128", "split it"),
    "RError": ("no such thing", ("simpleError", "error"), "stop(x)"),
}
ERRORS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LmerBridgeError | Warning)
]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_goes_to_another_process_and_back(kind, protocol):
    """A pool of processes broke where a column was missing: its error could be pickled and not read."""
    error = kind(*ARGUMENTS.get(kind.__name__, ("some text",)))
    error.add_note("a note")
    if isinstance(error, LmerBridgeError):
        error.after([Condition("warning", "planted", ("warning",))])
    for same in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(same) is kind
        assert (str(same), same.args, vars(same)) == (str(error), error.args, vars(error))
