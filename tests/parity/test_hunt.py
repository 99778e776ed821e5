"""The search for small data sets on which an engine is wrong."""

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge import compare, hunt
from lmerbridge.errors import InvalidArgument, NotExpressible
from lmerbridge.inputs import Spec
from lmerbridge.parity.hunt import probe
from lmerbridge.parity.hunt.common import ManyStarts
from lmerbridge.parity.hunt.dense import Dense
from lmerbridge.parity.hunt.invariance import CHANGES
from lmerbridge.parity.hunt.key import key
from lmerbridge.parity.hunt.optimum import optimum
from lmerbridge.parity.hunt.oracles import Symptom, find_symptom, read, wording
from lmerbridge.parity.hunt.probe import Target, ask_apart, handle_of, investigate, screen
from lmerbridge.parity.hunt.search import HuntState, Past
from lmerbridge.parity.hunt.shrink import Shrinker, smaller_models
from lmerbridge.parity.hunt.space import FAMILIES, draw_design, is_sound
from lmerbridge.parity.sparse import Objective
from lmerbridge.parity.threads import one_thread
from tests.hunted import FAULTS, Faulty, blame_sound, find_fault
from tests.simulated import FORMULA, KINDS, of_kind, uneven

MODEL = Spec(
    formula="y ~ x + (x | g)",
    data=pd.DataFrame(
        {
            "y": [2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0],
            "x": [1684.0, 0.0, 1684.0, 1684.0, 1686.0, 0.0, 1686.0],
            "g": ["a", "a", "a", "b", "b", "c", "c"],
        }
    ),
)
QUICK = ("negative_intercept", "crossed_factors")  # of the planted faults, the soonest found


@pytest.fixture(autouse=True)
def one_thread_of_algebra():
    """As in the processes that engines run in: small matrices by many threads take a hundred times as long."""
    with one_thread():
        yield


def test_a_design_is_the_same_for_the_same_seed_and_index():
    pairs = [(draw_design(3, i, FAMILIES), draw_design(3, i, FAMILIES)) for i in range(12)]
    assert all(a.formula == b.formula and a.data.equals(b.data) for a, b in pairs)
    assert len({spec.formula for spec, _ in pairs}) > 4
    assert {spec.kind.family for spec, _ in pairs} == set(FAMILIES)


def test_every_design_is_one_that_nobody_refuses_or_dismisses():
    designs = [draw_design(5, i) for i in range(16)]
    assert all(map(is_sound, designs))
    assert any(spec.weights for spec in designs)
    assert any(spec.offset for spec in designs)
    assert {spec.reml for spec in designs} == {True, False}


@pytest.mark.parametrize(
    "broken", ["two groups", "x still", "no residual", "combination", "nearly a combination", "one term twice"]
)
def test_a_design_that_would_be_dismissed_is_not_sound(broken):
    data = pd.DataFrame({"y": [1.0, 3, 2, 5, 4, 7, 1, 0, 3], "x": [0.0, 1, 2] * 3, "g": list("aaabbbccc")})
    formula = "y ~ x + (1 | g)"
    assert is_sound(Spec(formula=formula, data=data))
    if broken == "two groups":
        data = data[data["g"] != "c"]
    elif broken == "x still":
        data = data.assign(x=np.where(data["g"] == "a", 0.0, data["x"]))
    elif broken == "no residual":
        data = data.assign(y=data["x"] + (data["g"] == "b"))
    elif broken == "one term twice":
        data, formula = data.assign(h=data["g"].str.upper()), "y ~ x + (1 | g) + (1 | h)"
    elif broken == "nearly a combination":  # lme4 drops such a column
        data = data.assign(x=1e9 + data["x"])
    else:
        data, formula = data.assign(z=2 * data["x"] + 1), "y ~ x + z + (1 | g)"
    assert not is_sound(Spec(formula=formula, data=data))


@pytest.mark.parametrize("kind", [*KINDS, "slopes"])
def test_the_dense_criterion_is_the_sparse_one_and_its_gradient_is_right(kind):
    spec = Spec(formula=FORMULA, data=uneven(1001)) if kind == "slopes" else of_kind(kind, 1)
    design = ManyStarts().fit(spec).design()
    dense, sparse = Dense(design, spec.reml), Objective(design, spec.reml)
    theta = np.where(dense.lower == 0, 0.7, 0.2) / sparse.scale
    assert dense(theta) == pytest.approx(sparse(theta), rel=1e-9)
    point, step = dense.inward(theta), 1e-6
    moves = [dense._slope(point + step * e)[0] - dense._slope(point - step * e)[0] for e in np.eye(len(point))]
    # second-order differences of a criterion of some hundred units, by steps of 1e-6
    assert dense._slope(point)[1] == pytest.approx(np.array(moves) / (2 * step), rel=1e-4, abs=1e-4)
    assert dense.outward(point) == pytest.approx(theta, rel=1e-6, abs=1e-9)


def test_many_starts_reach_what_plain_r_reaches():
    for index in (0, 9):
        spec = draw_design(2, index)
        fit = ManyStarts().fit(spec)
        found = optimum(spec, fit.theta, fit.theta)
        # the same function in two programs, and lme4's rounds to 1e-3 where a covariate is in millions
        assert fit.criterion == pytest.approx(found.best, abs=1e-3)
        assert found.at_point == pytest.approx(fit.criterion, abs=1e-3)


@cache
def right_answer(index):
    return ManyStarts().fit(draw_design(4, index))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_changes_no_right_answer(name):
    change = CHANGES[name]
    for index in range(8):
        spec = draw_design(4, index)
        if change.applies(spec):
            assert change.differences(right_answer(index), ManyStarts().fit(change(spec))) == {}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_shows_an_answer_that_does_not_follow_it(name):
    change = CHANGES[name]
    spec = next(filter(change.applies, (draw_design(4, index) for index in range(3, 8))))
    before, after = ManyStarts().fit(spec), ManyStarts().fit(change(spec))
    assert change.differences(before, replace(after, criterion=after.criterion + 1)) == {
        "criterion": pytest.approx(1, abs=1e-3)
    }
    assert "se" in change.differences(before, replace(after, covariance=1.3 * after.covariance))


def test_a_right_engine_has_no_symptom_and_neither_has_one_that_refuses():
    class Refuses:
        name, capabilities = "refuses", frozenset()

        def fit(self, spec):
            raise NotExpressible("no such model")

    class Right(Refuses):
        def fit(self, spec):
            return ManyStarts().fit(spec)

    assert all(find_symptom(Refuses(), draw_design(6, index)) is None for index in range(3))
    for index in range(10):
        assert find_symptom(Right(), draw_design(6, index), "rescale_x") is None


def test_an_engine_that_raises_an_error_crashes_and_one_whose_numbers_are_none_has_nan():
    class Raises:
        name, capabilities = "raises", frozenset()

        def fit(self, spec):
            raise ZeroDivisionError("float division by 3.14")

    class Nan(Raises):
        def fit(self, spec):
            fit = ManyStarts().fit(spec)
            return replace(fit, theta=np.full_like(fit.theta, np.nan))

    found = find_symptom(Raises(), draw_design(6, 1))
    assert (found.oracle, found.what) == ("crash", ("ZeroDivisionError: float division by",))
    assert find_symptom(Nan(), draw_design(6, 1)).oracle == "nan"


def test_differences_of_a_tenth_of_what_counts_are_none():
    class Near:
        name, capabilities = "near", frozenset()

        def fit(self, spec):
            fit = ManyStarts().fit(spec)
            root = np.linalg.cholesky(fit.covariance)  # of what the data tell, not of each alone
            off = 0.001 * root.sum(axis=1) / len(root) ** 0.5
            return replace(fit, covariance=fit.covariance * 1.001, beta=fit.beta + off)

    assert all(find_symptom(Near(), draw_design(6, index)) is None for index in range(6))


def test_a_criterion_that_an_engine_calls_approximate_is_not_held_to_the_model_and_its_estimates_are():
    class Rough:
        name, capabilities = "rough", frozenset()

        def is_approximate(self, spec):
            return True

        def fit(self, spec):
            fit = ManyStarts().fit(spec)
            return replace(fit, criterion=fit.criterion + 1, loglik=fit.loglik)

    class Exact(Rough):
        def is_approximate(self, spec):
            return False

    class Short(Rough):
        def fit(self, spec):
            return FAULTS["singular_fits"](spec, ManyStarts().fit(spec))

    spec = draw_design(1, 6)
    assert find_symptom(Exact(), spec).oracle == "objective"
    assert find_symptom(Rough(), spec, "permute_rows") is None
    found = [find_symptom(Short(), draw_design(1, index)) for index in range(8)]
    assert {symptom.oracle for symptom in found if symptom} == {"gap"}


def test_a_stop_is_told_of_the_engine_wherever_the_reference_stopped():
    result = compare(MODEL.formula, MODEL.data, candidate="statsmodels", reference="lme4")
    far = replace(result, judged=replace(result.judged, gap={"lme4": 9.0, "statsmodels": result.gap["statsmodels"]}))
    found = read(far)
    assert (found.oracle, found.verdict) == ("gap", "other_optimum")
    assert found.figures["reason"].startswith("statsmodels stopped")


def test_errors_are_known_by_their_words():
    assert wording("a raised ValueError: 3 rows of 'x'") == wording("a raised ValueError: 17 rows of 'z'")


def test_a_key_says_nothing_of_the_data():
    first, second = draw_design(1, 0), draw_design(1, 0)
    second = replace(second, data=second.data.assign(y=second.data["y"] + 1))
    symptom = Symptom(oracle="gap", verdict="other_optimum", size=0.5)
    assert key(symptom, first) == key(symptom, second) != key(replace(symptom, silent=True), first)
    assert key(replace(symptom, size=50.0), first) != key(symptom, first)
    assert not set(key(symptom, first)) - set("abcdefghijklmnopqrstuvwxyz0123456789_-.")
    named = Symptom(oracle="objective", verdict="other_objective", what=("lost_digits",), size=0.5)
    assert key(named, first) == key(replace(named, size=50.0), draw_design(1, 2))


def test_smaller_models_keep_margins_and_the_fixed_effect_of_what_varies():
    data = pd.DataFrame({"y": 0.0, "x": 0.0, "f": "a", "g": "a", "h": "a", "w": [1.0]})
    spec = Spec(formula="y ~ x * f + (x || g) + (1 | h)", data=data, weights="w")
    formulas = {smaller.formula for smaller in smaller_models(spec)}
    assert "y ~ x + f + (x || g) + (1 | h)" in formulas
    assert "y ~ x + f + x:f + (1 | g) + (0 + x | g)" in formulas
    assert not any(formula.startswith(("y ~ f", "y ~ x + x:f")) for formula in formulas)
    through_zero = smaller_models(replace(spec, formula="y ~ 0 + x + f + (1 | g)", weights=None))
    assert {smaller.formula for smaller in through_zero} == {"y ~ 0 + x + (1 | g)", "y ~ 0 + f + (1 | g)"}


def test_a_shrunk_model_shows_the_same_on_plain_numbers_and_on_no_other_model():
    spec, engine = draw_design(1, 6), Faulty("singular_fits")
    asked = []

    def ask(model):
        asked.append(model)
        return find_symptom(engine, model)

    found = ask(spec) or ask(spec := draw_design(1, 2))
    shrinker = Shrinker(spec, found, ask, 60)
    shrinker.run()
    assert len(shrinker.spec.data) < min(len(spec.data), 20)
    assert len(asked) <= 63
    assert is_sound(shrinker.spec)
    assert find_symptom(engine, shrinker.spec).repeats(found)


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_fault_is_found_and_shrunk_below_twenty_rows(name):
    row = find_fault(name, seconds=300)
    assert row.found
    assert row.rows < 20


def test_nothing_is_found_of_the_sound_engine():
    assert blame_sound(seconds=None, fits=80, reference="") == []


def test_ten_faults_are_planted():
    assert len(FAULTS) >= 10


def test_a_hunt_finds_the_same_with_any_number_of_jobs():
    hunts = [hunt(Faulty("negative_intercept"), reference="", fits=60, seed=2, jobs=jobs) for jobs in (1, 2)]
    first, second = ([(f.key, f.spec.data.to_csv(), f.spec.formula, f.fits) for f in h.findings] for h in hunts)
    assert first == second != []
    assert hunts[0].counts == hunts[1].counts
    assert hunts[0].fits == hunts[1].fits


@pytest.mark.slow
def test_statsmodels_is_caught_twice_and_plain_r_says_so():
    found = hunt("statsmodels", fits=200, seed=2)
    gaps = [finding for finding in found.findings if finding.oracle == "gap"]
    assert len({finding.key for finding in gaps}) >= 2
    for finding in gaps:
        figures, comparison = finding.figures, finding.comparison
        assert figures["criterion_at_point"] - figures["best_optimum"] == pytest.approx(
            comparison.gap["statsmodels"], rel=0.01, abs=1e-3
        )
        assert len(finding.spec.data) < 20
        assert finding.version


def test_an_engine_that_ends_its_process_costs_its_design_alone():
    class Ends:
        name, capabilities = "ends", frozenset()

        def fit(self, spec):
            import os

            if spec.formula == dead.formula:
                os._exit(3)
            return ManyStarts().fit(spec)

    dead, other = draw_design(1, 0), draw_design(1, 3)
    assert dead.formula != other.formula
    target = Target(handle_of(Ends()), "", "", 1, ("gaussian",))
    assert ask_apart(target, dead).oracle == "crash"
    assert "exit status 3" in ask_apart(target, dead).figures["reason"]
    assert ask_apart(target, other) is None


def test_an_engine_that_works_for_too_long_fails_and_one_that_waits_for_a_busy_machine_does_not(monkeypatch):
    class Works:
        name, capabilities = "works", frozenset()

        def fit(self, spec):
            while True:
                pass

    class Waits(Works):
        def fit(self, spec):
            import time

            time.sleep(1000)

    spec, targets = (
        draw_design(1, 0),
        [Target(handle_of(e), "", "", 1, ("gaussian",), work=1.0) for e in (Works(), Waits())],
    )
    assert ask_apart(targets[0], spec).figures["reason"] == "it takes more than 1 s of CPU time."
    monkeypatch.setattr(probe, "SECONDS", 3.0)
    assert ask_apart(targets[1], spec) is None


def test_a_hunt_goes_on_where_an_earlier_one_ended():
    target = Target(handle_of(Faulty("negative_intercept")), "", "", 2, ("gaussian",))
    first = HuntState(target, 60).run()
    second = HuntState(target, 30, Past(known=first.findings, first=first.designs)).run()
    assert {f.key for f in first.findings} <= {f.key for f in second.findings}
    assert second.designs > 0


def test_a_finding_that_was_not_shrunk_to_the_end_is_shrunk_further():
    target = Target(handle_of(Faulty("negative_intercept")), "", "", 2, ("gaussian",))
    hit = next(hit for hit in (screen(target, index) for index in range(20)) if hit and hit.symptom)
    cut = investigate(target, hit, 4)
    assert not cut.whole
    state = HuntState(target, 60, Past(known=(cut.finding,), first=20, cut=(cut.finding.key,)))
    state._go_on(1, lambda _: None)
    found = state.result()
    assert found.cut == ()
    assert min(len(f.spec.data) for f in found.findings) < len(cut.finding.spec.data)
    assert found.designs == 0


def test_only_what_an_engine_says_nothing_of_counts_where_silence_is_asked_for():
    class Warned(Faulty):
        def fit(self, spec):
            return replace(super().fit(spec), converged=False)

    assert hunt(Warned("negative_intercept"), reference="", fits=40, silent=True).findings == ()


def test_an_engine_is_not_its_own_reference_and_families_are_known():
    with pytest.raises(InvalidArgument, match="both 'lme4'"):
        hunt("lme4")
    with pytest.raises(InvalidArgument, match="gamma"):
        hunt("nlme", families=("gamma",))
    with pytest.raises(InvalidArgument, match="no engine 'nlmee'"):
        hunt("nlmee")
