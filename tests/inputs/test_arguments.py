"""Every argument of every public function and verb: a wrong value is an error of ours, and so is a wrong name."""

import copy
import datetime
import inspect
import pickle
import warnings
from functools import partial
from typing import get_args, get_type_hints

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import lmerbridge
from lmerbridge import LmerFit, compare, lm_list, lmer, load_dataset, time_limit
from lmerbridge.errors import InvalidArgument, InvalidCall, LmerBridgeError, ProtocolError, UnknownName, WorkerDied
from lmerbridge.formula import CONTRASTS
from lmerbridge.inputs import Spec, hints
from lmerbridge.parity import pick, run_case, run_here
from lmerbridge.report import check_formats, describe, html, make_folder, markdown, write

WRONG = {
    "None": None,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "empty": "",
    "nonsense": "nonsense",
    "surrogate": "\ud800",
    "NUL": "a\0b",
    "bytes": b"x",
    "[]": [],
    "['']": [""],
    "[None]": [None],
    "[nan]": [float("nan")],
    "()": (),
    "{}": {},
    "{'x':1}": {"x": 1},
    "{1:'x'}": {1: "x"},
    "set": set(),
    "object": object(),
    "Series": pd.Series([1.0, 2.0]),
    "frame": pd.DataFrame({"x": [1.0]}),
    "objects": np.array([object(), "x"], dtype=object),
    "complex": 1j,
    "date": datetime.date(2020, 1, 1),
    "class": str,
    "function": lambda *_: None,
    "True": True,
    "huge": 10**400,
}
MEANT = {  # values of WRONG that an argument, of any function or of one, may have; its default, and True of a bool, too
    **dict.fromkeys(("df", "edf", "delta", "delta_cutoff"), "1.5 inf"),
    **dict.fromkeys(("tol", "rel_tol", "dev_tol"), "0 1.5 inf"),
    **dict.fromkeys(("k", "null", "rhs"), "0 -1 1.5"),
    **dict.fromkeys(("boundary_tol", "check_conv_nobsmax", "check_conv_nparmax"), "0 -1 1.5 inf"),
    **dict.fromkeys(("alpha_fixed", "alpha_random", "alpha_max", "limit", "named"), "0"),
    **dict.fromkeys(("allow", "by", "keep", "which", "interaction", "cases"), "[] ()"),
    **dict.fromkeys(("at", "contrasts", "control", "expected", "beta", "groups"), "{} None"),
    **dict.fromkeys(("engine", "reference"), "empty nonsense surrogate NUL"),
    **dict.fromkeys(("re_form", "maxfun", "adjust", "na_action", "weights", "offset", "subset", "start"), "None"),
    "base": "1.5",
    "cov_reduce": "True",
    "delta_var": "-1 1.5",
    **dict.fromkeys(("emmeans.offset", "ref_grid.offset"), "0 -1 1.5 Series"),
    "emmeans.weights": "Series",
    **dict.fromkeys(("code_levels.name", "code_levels.sep", "standardize.suffix"), "nonsense"),
    **dict.fromkeys(("demean.suffix_between", "demean.suffix_within"), "nonsense"),
    "demean.complete": "[] ()",
    "impute.method": "class function",  # of a column that lacks no value
    "folder": "empty",
    "formats": "[] () empty",
    "jobs": "None -1",
    "method": "frame",  # contrasts of a grid with one row
    "n_agq": "0",
    **dict.fromkeys(("mustart", "etastart", "init_theta"), "None"),
    "init_theta": "1.5",
    "nesting": "{}",
    "opt_ctrl": "{} {'x':1}",
    "prefix": "empty nonsense",
    "rename_response": "nonsense",
    "run": "empty nonsense",
    "title": "empty nonsense",
    "store": "None nonsense",
    "parquet": "None nonsense",
    "ManyFits.to_parquet.path": "nonsense",
    "digits": "0",
    "model_table.statistic": "[] ()",
    "Contributions.plot_waterfall.row": "0 True",  # labels of rows
    **dict.fromkeys(("seconds", "timeout"), "1.5 inf huge"),
    "seed": "0 -1",
    "VarCorr.explain.fixef": "{} {'x':1} Series",
    "sigma": "0 1.5",
    "theta": "0 -1 1.5 frame True",  # of a function of one theta
}
SMALL = {  # what a call is to have, or what makes it short
    "contest": {"contrasts": [0, 1]},
    "ddf_lb": {"contrasts": [0, 1]},
    "profile": {"which": "sigma"},
    "confint": {"parm": "sigma", "nsim": 2},
    "emtrends": {"specs": "1", "var": "Days"},
    "emmeans": {"specs": "1"},
    **{verb: {"x": "Days"} for verb in ("effect", "plot_effect")},
    "fixed_design": {"newdata": pd.DataFrame({"Days": [1.0]})},
    "scenarios": {"newdata": pd.DataFrame({"Days": [1.0], "Subject": ["308"]}), "changes": {"Days": 2.0}},
    "bootstrap": {"nsim": 2},
    "refit_many": {"responses": np.arange(180.0)[:, None] % 7, "jobs": 1, "exact": False},
    "to_parquet": {"path": "fits.parquet"},
    "interval_of": {"fun": lambda fit: fit.sigma, "nsim": 2},
    "power": {"test": lambda _: True, "nsim": 2},
    "power_curve": {"test": lambda _: True, "along": "Subject", "values": [5], "nsim": 2},
    "varcorr_of": {"sigma": 1.0},
    "get_me": {"name": "X"},
    "deviance_at": {"theta": [1.0]},
    "influence": {"groups": "Subject", "jobs": 1},
    "all_fit": {"optimizers": ["bobyqa"]},
    "plot_waterfall": {"row": 0},
    "append_to": {"path": "log.csv"},
    "to_docx": {"path": "table.docx"},
    "remedies": {"optimizers": ["bobyqa"]},
    "simulated_residuals": {"nsim": 5},
    "Checks.plot": {"nsim": 2},
    "eff_size": {"sigma": 1.0, "edf": 5.0},
    "reproduce": {"language": "r"},
    "DevianceFunction.__call__": {"theta": [1.0]},
    "Devfun2.__call__": {"values": [1.0, 1.0]},
}
PLOTS = "plot_residuals plot_qq plot_ranef plot_effect plot"
MODEL = "Reaction ~ Days + (1 | Subject)"
BY_SUBJECT = "Reaction ~ Days | Subject"
SLOW = [i % 3 == 0 for i in range(50)]
COUNTS = [float(i % 7 * (i % 5)) for i in range(50)]


def sleep():
    data = load_dataset("sleepstudy")
    kept = data[data.Subject.astype(str).isin(["308", "309", "310", "330", "331"])].reset_index(drop=True)
    return kept.assign(Subject=kept.Subject.astype(str))


def limited(seconds=None):
    with time_limit(seconds):
        pass


def methods(value, label=""):
    """Public methods of a value, by name."""
    for name, member in vars(type(value)).items():
        if inspect.isfunction(member) and (name == "__call__" or not name.startswith("_")):
            yield label + name, getattr(value, name), SMALL.get(name, SMALL.get(label + name, {}))


def functions(fit):
    """Public functions, with the arguments that they need."""
    data, formula = sleep(), "~ Days + (1 | Subject)"
    panel = lmer("Reaction ~ x + (1 | Subject)", data.assign(x=np.arange(len(data)) % 7))
    design = {"beta": [1.0, 1.0], "theta": [1.0], "sigma": 1.0}
    needed = {
        "compare": {"formula": MODEL, "data": data},
        "compare_models": {"a": fit, "b": fit.update("Reaction ~ 1 + (1 | Subject)")},
        "data_template": {"formula": formula},
        "glmer": {"formula": "long ~ Days + (1 | Subject)", "data": data.assign(long=SLOW), "family": "binomial"},
        "glmer_nb": {"formula": "count ~ Days + (1 | Subject)", "data": data.assign(count=COUNTS)},
        "code_levels": {"frame": data, "columns": ["Subject", "Days"]},
        "demean": {"frame": data, "select": "Days", "by": "Subject"},
        "explain_formula": {"formula": MODEL, "frame": data},
        "group_summary": {"frame": data, "by": "Subject"},
        "impute": {"frame": data, "columns": "Reaction", "by": "Subject"},
        "hausman": {"fit": panel},
        "lm_list": {"formula": BY_SUBJECT, "data": data},
        "lmer": {"formula": MODEL, "data": data},
        "load_dataset": {"name": "sleepstudy"},
        "mundlak_test": {"fit": panel},
        "parametrize_parity": {"engine": "statsmodels"},
        "nlmer": {"formula": "Reaction ~ a + b * Days ~ (a | Subject)", "data": data, "start": {"a": 250, "b": 10}},
        "plot_groups": {"frame": data, "x": "Days", "y": "Reaction", "by": "Subject"},
        "standardize": {"frame": data, "columns": "Days"},
        "params_template": {"formula": formula},
        "lmer_many": {"formula": MODEL, "data": data, "responses": ["Reaction"]},
        "simulate_formula": {"formula": formula, "data": data, **design},
        "to_marginaleffects": {"fit": panel},
    }
    for name in lmerbridge.__all__:
        found = getattr(lmerbridge, name)
        if inspect.isfunction(found):
            yield name, limited if name == "time_limit" else found, needed.get(name, {})
    yield "LmerControl", lmerbridge.LmerControl, {}
    yield "GlmerControl", lmerbridge.GlmerControl, {}
    yield "NlmerControl", lmerbridge.NlmerControl, {}
    yield "Family", lmerbridge.Family, {"name": "negative.binomial", "theta": 2.0}
    yield "ConvCheck", lmerbridge.ConvCheck, {"action": "stop", "tol": 1e-3}
    for each in (pick, run_case, run_here, describe, html, markdown, write, make_folder, check_formats):
        yield each.__name__, each, {}


def results(fit, smaller):
    """Values that verbs give, and their methods."""
    values = {
        "Profile": fit.profile("theta_"),
        "Bootstrap": fit.bootstrap(nsim=3, seed=1),
        "Influence": fit.influence("Subject"),
        "ManyFits": fit.refit_many(fit.simulate(1, seed=1)),
        "EmmGrid": fit.emmeans("1"),
        "Effect": fit.effect("Days"),
        "Power": fit.power(lambda _: True, 2, seed=1),
        "PowerCurve": fit.power_curve(lambda _: True, "Subject", [5], 2, seed=1),
        "LmList": lm_list(BY_SUBJECT, fit.spec.data),
        "Comparison": compare(MODEL, fit.spec.data),
        "Devfun2": fit.devfun2(),
        "DevianceFunction": fit.devfun(),
        "Contributions": fit.contributions(),
        "ModelTable": lmerbridge.model_table(fit),
        "Checks": fit.check(seed=1),
        "SimulatedResiduals": fit.simulated_residuals(5, seed=1),
    }
    for label, value in values.items():
        yield from methods(value, label + ".")
    for name in ("kr_modcomp", "sat_modcomp", "pb_modcomp"):
        short = {"nsim": 2} if name == "pb_modcomp" else {}
        yield name, getattr(fit, name), {"smaller": smaller, **short}
    yield "model_table", partial(lmerbridge.model_table, fit), {}
    yield "refit", fit.refit, {"newresp": fit.spec.data.Reaction}
    yield "VarCorr.table", fit.varcorr.table, {}
    yield "VarCorr.explain", fit.varcorr.explain, {}


def arguments(function):
    """Names of a function's arguments, with those of a TypedDict of keywords, and whether each may be what it says."""
    plain = inspect.unwrap(getattr(function, "__func__", function))
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            typed = get_args(get_type_hints(plain)[name])  # none where any names are taken
            fields = get_type_hints(typed[0]) if typed else {}
            yield from ((field, None, "bool" in str(kind)) for field, kind in fields.items())
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            yield name, parameter.default, "bool" in str(parameter.annotation)


def fault(name, function, given, argument, label, meant):
    """What is wrong with a call, in a line; None where it is right."""
    try:
        with time_limit(30):
            function(**given | {argument: WRONG[label]})
    except (ProtocolError, WorkerDied) as error:
        return f"{name}({argument}={label}): {type(error).__name__} {error}"
    except LmerBridgeError as error:
        return None if len(str(error)) > 15 else f"{name}({argument}={label}) says {error}"
    except Exception as error:
        return f"{name}({argument}={label}): raw {type(error).__name__} {error}"
    finally:
        plt.close("all")
    return None if label in meant else f"{name}({argument}={label}) passes"


def faults(targets):
    for name, function, needed in targets:
        for argument, default, boolean in arguments(function):
            meant = {
                *MEANT.get(argument, "").split(),
                *MEANT.get(f"{name}.{argument}", "").split(),
                *["True"] * boolean,
            }
            meant |= {
                label for label in ("None", "True", "empty") if WRONG[label] is default or WRONG[label] == default
            }
            for label in WRONG:
                yield fault(name, function, needed, argument, label, meant)


@pytest.fixture(scope="module")
def fit():
    return lmer(MODEL, sleep())


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the calls that pass have to say
        yield


@pytest.mark.slow
def test_a_wrong_value_of_a_verb_s_argument_is_an_error_of_ours(fit):
    verbs = [each for each in methods(fit) if "modcomp" not in each[0] and each[0] != "refit"]
    assert len(verbs) > 50
    assert [*filter(None, faults(verbs))] == []


@pytest.mark.slow
def test_a_wrong_value_of_a_result_s_argument_is_an_error_of_ours(fit):
    assert [*filter(None, faults(results(fit, fit.update("Reaction ~ 1 + (1 | Subject)"))))] == []


@pytest.mark.slow
def test_a_wrong_value_of_a_function_s_argument_is_an_error_of_ours(fit):
    assert [*filter(None, faults(functions(fit)))] == []


@pytest.mark.slow
def test_a_wrong_value_of_an_argument_of_a_generalized_fit_is_an_error_of_ours():
    fit = lmerbridge.glmer("long ~ Days + (1 | Subject)", sleep().assign(long=SLOW), "binomial")
    verbs = [each for each in methods(fit) if each[0] != "refit"]
    assert len(verbs) > 20
    assert [*filter(None, faults(verbs))] == []


SPELLINGS = {
    "a method of degrees of freedom": ("summary", {"ddf": "satterthwaite"}, {"ddf": "Satterthwaite"}),
    "its letters": ("summary", {"ddf": "KR"}, {"ddf": "Kenward-Roger"}),
    "of means": ("emmeans", {"specs": "1", "ddf": "SATTERTHWAITE"}, {"specs": "1", "ddf": "satterthwaite"}),
    "its letters, of means": ("emmeans", {"specs": "1", "ddf": "kr"}, {"specs": "1"}),
    "a kind of interval": ("confint", {"method": "wald"}, {"method": "Wald"}),
    "a kind of sums of squares": ("anova", {"ddf": "KR", "type": "iii"}, {"ddf": "Kenward-Roger", "type": 3}),
    "its number as text": ("anova", {"ddf": "KR", "type": "2"}, {"ddf": "Kenward-Roger", "type": "II"}),
    "a test": ("drop1", {"test": "chisq"}, {"test": "Chisq"}),
    "a scale": ("tidy", {"scales": "VCOV"}, {"scales": "vcov"}),
    "lmerTest's name in tidy": ("tidy", {"ddf": "KR"}, {"ddf_method": "Kenward-Roger"}),
    "a level in tidy": ("tidy", {"level": 0.9, "conf_int": True}, {"conf_level": 0.9, "conf_int": True}),
    "broom's name in summary": ("summary", {"ddf_method": "Satterthwaite"}, {"ddf": "Satterthwaite"}),
    "broom's level": ("confint", {"conf_level": 0.9, "method": "Wald"}, {"level": 0.9, "method": "Wald"}),
}


@pytest.mark.parametrize("case", SPELLINGS)
def test_a_word_has_one_spelling_and_any_case(case, fit):
    verb, given, plain = SPELLINGS[case]
    assert repr(getattr(fit, verb)(**given)) == repr(getattr(fit, verb)(**plain))


def test_an_argument_under_two_names_is_an_error(fit):
    with pytest.raises(InvalidCall, match="one argument has been given under two names"):
        fit.confint(level=0.9, conf_level=0.95)


CALLS = {
    "REML": (lambda fit: lmer(MODEL, fit.spec.data, REML=False), r"lmer has no argument 'REML': write reml="),
    "family": (lambda fit: lmer(MODEL, fit.spec.data, family="binomial"), "lmer fits a Gaussian"),
    "groups": (lambda fit: lmer(MODEL, fit.spec.data, groups="Subject"), r"stands in the formula"),
    "of compare": (lambda fit: compare(MODEL, fit.spec.data, REML=False), r"write reml="),
    "of update": (lambda fit: fit.update(REML=False), r"write reml="),
    "interval": (lambda fit: fit.simulate(interval="prediction"), r"predict\(newdata, interval="),
    "a dot": (lambda fit: fit.predict(**{"re.form": "~0"}), "write re_form="),
    "nothing": (lambda fit: fit.contest(), "missing a required argument: 'contrasts'.*arguments are contrasts"),
    "too much": (lambda fit: fit.ranova(1), "too many positional arguments.*reduce_terms"),
    "unknown": (lambda fit: fit.ranova(zzz=1), "the arguments are reduce_terms, timeout"),
    "of a control": (lambda fit: lmerbridge.LmerControl(optCtrl={}), "write opt_ctrl="),
    "coef()": (lambda fit: fit.coef(), "without parentheses"),
    "ranef()": (lambda fit: fit.ranef(), "without parentheses"),
}


@pytest.mark.parametrize("case", CALLS)
def test_a_wrong_call_says_what_to_write(case, fit):
    call, told = CALLS[case]
    with pytest.raises(InvalidCall, match=told) as raised:
        call(fit)
    assert isinstance(raised.value, TypeError | InvalidArgument)


@pytest.mark.parametrize("name", [*hints.ATTRIBUTES, "AIC", "getME", "VarCorr", "logLik", "refitML", "zzz"])
def test_a_fit_tells_what_a_word_of_others_is_here(name, fit):
    with pytest.raises(UnknownName, match=rf"a fit has no '{name}': \w+") as raised:
        getattr(fit, name)
    assert isinstance(raised.value, AttributeError)
    assert not hasattr(fit, name)
    assert getattr(fit, name, 1) == 1


@pytest.mark.parametrize("name", [*hints.EXPORTS, "lmList", "lmerControl", "zzz", ""])
def test_the_package_tells_what_a_word_of_others_is_here(name):
    with pytest.raises(UnknownName, match=rf"lmerbridge has no '{name}': \w+"):
        getattr(lmerbridge, name)
    assert not hasattr(lmerbridge, name)


@pytest.mark.parametrize("name", hints.ASKED.split())
def test_the_package_tells_what_is_asked_of_a_fit(name, fit):
    assert hasattr(fit, name)
    for spelled in (name, camel_case(name)):
        with pytest.raises(UnknownName, match=rf"asked of a fit, as fit\.{name}:"):
            getattr(lmerbridge, spelled)


def camel_case(name):
    """Spell a name as R does: allFit, isSingular, getME."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def test_no_hint_names_what_python_keeps_for_itself(fit):
    for name in ("as_dict", "to_dict", "dataclass_fields", "repr", "getstate"):
        with pytest.raises(UnknownName, match=r"did you mean [a-z]|dir\(\)|has"):
            getattr(fit, name)
        assert "__" not in str(hints.unknown_name("a fit", name, dir(fit), hints.ATTRIBUTES))


SPELLED = {  # arguments of lmer with words in another case, and as they are written
    "na_action": ({"na_action": "Omit"}, {"na_action": "omit"}),
    "double_bar": ({"double_bar": "SPLIT"}, {"double_bar": "split"}),
    **{word: ({"contrasts": {"f": word.swapcase()}}, {"contrasts": {"f": word}}) for word in CONTRASTS},
}


@pytest.mark.parametrize("case", SPELLED)
def test_lmer_takes_its_words_in_any_case(case):
    data = load_dataset("sleepstudy").assign(f=list("abcdef") * 30)
    given, meant = (Spec(formula="Reaction ~ f + (1 | Subject)", data=data, **each) for each in SPELLED[case])
    assert (given.na_action, given.double_bar, given.contrasts) == (meant.na_action, meant.double_bar, meant.contrasts)
    assert lmer(given.formula, data, **SPELLED[case][0]).loglik == lmer(meant.formula, data, **SPELLED[case][1]).loglik


@pytest.mark.parametrize("told", [*hints.ATTRIBUTES.values(), *hints.ARGUMENTS.values()])
def test_a_hint_names_what_is_there(told, fit):
    calls = [word.removeprefix("fit.").partition("(")[0] for word in told.split() if "(" in word and word[0].isalpha()]
    known = {*dir(fit), *lmerbridge.__all__, "contrast", "pairs"}
    assert {*filter(str.isidentifier, calls)} <= known


def test_what_python_asks_of_a_fit_still_works(fit):
    for same in (copy.copy(fit), copy.deepcopy(fit), pickle.loads(pickle.dumps(fit))):
        assert same.aic == fit.aic
    assert np.asarray(fit, dtype=object).shape == ()


def test_an_attribute_error_within_a_property_is_its_own(fit, monkeypatch):
    monkeypatch.setattr(LmerFit, "reml_crit", property(lambda fit: fit.sigma.nonsense))
    with pytest.raises(AttributeError, match="'float' object has no attribute 'nonsense'"):
        fit.reml_crit  # noqa: B018


def test_signatures_stay_what_they_were():
    assert str(inspect.signature(lmer)).startswith("(formula: 'str', data: 'Frame', *, reml: 'bool' = True")
    assert "level" in inspect.signature(LmerFit.confint).parameters


@pytest.mark.parametrize(("own", "shape"), [("omit", (49,)), ("exclude", (50,))])
def test_predictions_of_the_fit_s_own_rows_keep_those_that_na_action_says(own, shape):
    data = sleep()
    data.loc[3, "Reaction"] = np.nan
    fit = lmer(MODEL, data, na_action=own)
    assert fit.predict().shape == shape
    padded = fit.predict(na_action="exclude")  # R's predict(fit, na.action = na.exclude)
    assert padded.isna().to_numpy().nonzero()[0].tolist() == [3]
    assert fit.predict(na_action="omit").equals(padded.dropna())
    with pytest.raises(LmerBridgeError, match="rows of the fit lack a value"):
        fit.predict(na_action="fail")
