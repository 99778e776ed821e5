"""R's words arrive: over the list of verbs, each warning once, at the user's line, and before an error with it."""

import contextlib
import pickle
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.errors import LmerBridgeError, RWarning
from tests.processes import in_r
from tests.test_surface import VERBS

FRAME = pd.DataFrame({"f": np.tile(["a", "b", "c"], 20), "x": np.tile(np.arange(10.0), 6)}).assign(
    g=np.repeat([f"g{i:02d}" for i in range(12)], 5),
    y=np.random.default_rng(5).normal(size=60) + np.repeat(np.random.default_rng(6).normal(size=12), 5),
)
ARGUMENTS = {  # what a verb is called with in Python's words; others are called without
    "anova": "ddf='Satterthwaite', type=2",
    "drop1": "ddf='Satterthwaite'",
    "contest": "{'x': 1}",
    "kr_modcomp": "{'x': 1}",
    "sat_modcomp": "{'x': 1}",
    "ddf_lb": "{'x': 1}",
    "pb_modcomp": "smaller, nsim=2, seed=1",
    "profile": "['sigma', 'x']",
    "confint": "['sigma', 'x']",
    "emmeans": "'f'",
    "emtrends": "'f', 'x'",
    "simulate": "2, seed=1",
    "predict": "data, se_fit=True",
    "fixed_design": "data",
    "scenarios": "data, {'x': 1.0}",
    **dict.fromkeys(("effect", "plot_effect"), "'x'"),
    "update": "'. ~ . - f'",
    "refit": "data.y + data.x",
    "refit_many": "fit.simulate(2, seed=1)",
    "all_fit": "['bobyqa', 'nlminbwrap']",
    "influence": "'g'",
    "remedies": "['bobyqa']",
    "simulated_residuals": "nsim=20, seed=1",
    "bootstrap": "nsim=20, seed=1",
    "interval_of": "lambda each: each.sigma, nsim=20, seed=1, method='normal'",
    "power": "'. ~ . - x', nsim=2, seed=1",
    "power_curve": "'x', 'g', [6, 12], nsim=2, seed=1",
    "plot_ranef": "'g'",
    "vcov_of": "sigma=2.0",
    "varcorr_of": "sigma=2.0",
    "get_me": "'X'",
    "deviance_at": "fit.theta",
}
NAMES = " ".join(VERBS.values()).split()
QUICK = {"summary", "emmeans", "refit", "influence", "bootstrap", "power"}  # that make several calls of R
EACH_VERB = pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=[] if verb in QUICK else pytest.mark.slow) for verb in NAMES]
)
PLANTS = """here <- environment(sys.function(1L))
  here$planted <- 0L
  for (name in c("entry_of", "keep", "updated_formula")) local({
    own <- here[[name]]
    here[[name]] <- structure(function(...) { here$planted <- here$planted + 1L; %s; own(...) }, own = own)
  })
  0L"""
UPROOTS = """here <- environment(sys.function(1L))
  for (name in c("entry_of", "keep", "updated_formula")) here[[name]] <- attr(here[[name]], "own")
  here$planted"""


@contextlib.contextmanager
def planted(code):
    """Have R's side run code wherever a model is looked up or kept; yield a list that ends with how often it did."""
    counted = []
    in_r(PLANTS % code)
    try:
        yield counted
    finally:
        counted.append(int(in_r(UPROOTS)[0]))


def new_fit():
    return lmer("y ~ x + f + (1 | g)", FRAME)


@pytest.fixture(scope="module")
def smaller():
    return lmer("y ~ x + (1 | g)", FRAME)


def call(verb, fit, smaller):
    """Call a verb as a user does, in line 3 of a script."""
    arguments = f"({ARGUMENTS.get(verb, '')})" if callable(getattr(type(fit), verb)) else ""
    names = {"fit": fit, "smaller": smaller, "data": FRAME, "__name__": "script"}
    exec(compile(f"\n\nfound = fit.{verb}{arguments}\n", "script.py", "exec"), names)  # text of ours
    plt.close("all")
    return names["found"]


@EACH_VERB
def test_a_warning_is_given_once_at_the_users_line_and_is_among_the_conditions(verb, smaller):
    fit = new_fit()
    with planted('{warning("planted"); message("told")}') as counted, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = call(verb, fit, smaller)
    expected = [("planted", "script.py", 3), ("told", "script.py", 3)] if counted[0] else []
    assert [(str(w.message), w.filename, w.lineno) for w in seen] == expected
    assert {w.category for w in seen} <= {RWarning}
    kept = getattr(found, "conditions", None)
    if counted[0] and isinstance(kept, tuple) and verb != "refit_many":  # whose conditions are of a response each
        said = [part[1] if isinstance(part, tuple) else part for part in kept]
        assert {"planted", "told"} <= {condition.text for condition in said}


OF_RESULTS = {  # the result of a verb, what it is asked
    "contrast": (lambda fit: fit.emmeans("f"), lambda grid: grid.contrast("pairwise")),
    "test": (lambda fit: fit.emmeans("f"), lambda grid: grid.test()),
    "regrid": (lambda fit: fit.emmeans("f"), lambda grid: grid.regrid()),
    "joint_tests": (lambda fit: fit.emmeans("f"), lambda grid: grid.joint_tests()),
    "devfun": (lambda fit: fit.devfun(), lambda devfun: devfun([1.0])),
    "devfun2": (lambda fit: fit.devfun2(), lambda devfun2: devfun2([1.0, 1.0])),
}


@pytest.mark.parametrize("asked", OF_RESULTS)
def test_a_warning_is_given_once_where_a_result_is_asked(asked):
    make, ask = OF_RESULTS[asked]
    result = make(new_fit())
    with planted('warning("planted")') as counted, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        ask(result)
    assert counted[0]
    assert [(str(w.message), w.filename) for w in seen] == [("planted", __file__)]


def test_too_few_replicates_are_told_of_once_for_all_intervals():
    boot = new_fit().bootstrap(nsim=5, seed=1)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        boot.confint()
    assert [w.filename for w in seen] == [__file__]


@pytest.mark.parametrize("verb", ["bootstrap", "influence"])
def test_replicates_in_other_threads_are_told_of_once_too(verb):
    given = {"bootstrap": {"nsim": 30, "seed": 1}, "influence": {"groups": "g"}}[verb]
    fit = new_fit()
    with planted('warning("planted")') as counted, warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        getattr(fit, verb)(**given, jobs=2, backend="threading")
    assert counted[0] > 2
    assert [(str(w.message), w.filename) for w in seen] == [("planted", __file__)]


@EACH_VERB
def test_a_filter_that_makes_an_error_of_a_warning_loses_none_and_leaves_the_fit_as_it_was(verb, smaller):
    fit, raised = new_fit(), None
    with planted('{warning("planted"); message("told")}') as counted, warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            call(verb, fit, smaller)
        except RWarning as error:
            raised = error
    assert (raised and (str(raised), raised.__notes__)) == (("planted", ["told"]) if counted[0] else None)
    call(verb, fit, smaller)


@EACH_VERB
def test_what_r_says_before_an_error_travels_with_it(verb, smaller):
    fit, raised = new_fit(), None
    with planted('{warning("planted"); message("told"); stop("broken")}') as counted:
        try:
            call(verb, fit, smaller)
        except LmerBridgeError as error:
            raised = error
    assert (raised is not None) == (counted[0] > 0)
    assert raised is None or raised.__cause__ is not raised  # a circle that no pickle of a traceback ends
    for error in [raised, pickle.loads(pickle.dumps(raised))] if raised else []:  # as another process sends it
        assert str(error).endswith("\nBefore that, a warning: planted\nBefore that, a message: told")
        assert [(c.kind, c.text) for c in error.conditions] == [("warning", "planted"), ("message", "told")]


def test_what_the_result_tells_itself_is_no_warning():
    wide = FRAME.assign(**{f"x{i}": np.random.default_rng(100 + i).normal(size=60) for i in range(21)})
    fit = lmer(f"y ~ {' + '.join(f'x{i}' for i in range(21))} + (1 | g)", wide)
    found = fit.summary("Satterthwaite")  # R leaves the correlations of more than 20 coefficients out
    assert any("Correlation matrix not shown" in condition.text for condition in found.conditions)
    refitted = new_fit().anova(lmer("y ~ x + (1 | g)", FRAME))
    assert [condition.kind for condition in refitted.conditions] == ["message"]
