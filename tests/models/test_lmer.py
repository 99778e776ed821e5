"""`lmer` from Python: what goes in, what comes out, and what is an error before R."""

import os
import pickle
import signal
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerFit, lmer
from lmerbridge.bridge import host
from lmerbridge.errors import (
    ConvergenceWarning,
    FormulaError,
    InputError,
    InvalidArgument,
    MissingColumns,
    MissingValues,
    RankDeficientWarning,
    RError,
    RowsLeftOutWarning,
    RWarning,
    SingularFitWarning,
    UnfitData,
    UnsupportedColumn,
)
from lmerbridge.models.extract.objective import polish
from lmerbridge.results.design import Design
from lmerbridge.results.fit import LogLik, Provenance
from lmerbridge.results.varcorr import VarCorr
from tests.processes import in_r

INTERCEPTS = "Reaction ~ Days + (1 | Subject)"
SLOPES = "Reaction ~ Days + (Days | Subject)"
FACE = {  # attribute -> type
    "formula": str,
    "fixef": pd.Series,
    "vcov": pd.DataFrame,
    "coefficients": pd.DataFrame,
    "varcorr": VarCorr,
    "ranef": dict,
    "fitted": pd.Series,
    "residuals": pd.Series,
    "loglik": LogLik,
    "aic": float,
    "bic": float,
    "sigma": float,
    "theta": np.ndarray,
    "reml": bool,
    "nobs": int,
    "npar": int,
    "rows_dropped": int,
    "dropped_terms": tuple,
    "singular": bool,
    "converged": bool,
    "conditions": tuple,
    "provenance": Provenance,
}


@pytest.fixture(scope="module")
def slopes(fits):
    return fits(SLOPES, "sleepstudy")


@pytest.fixture(scope="module")
def two_groups(sleepstudy):
    """A frame with a string, an ordered and a logical column, and an index of its own."""
    days = sleepstudy["Days"]
    return sleepstudy.assign(
        text=np.where(days > 4, "b", "Z"),
        grade=pd.Categorical(
            np.where(days > 6, "hi", np.where(days > 3, "mid", "lo")), ["lo", "mid", "hi"], ordered=True
        ),
        late=days > 4,
    ).set_index(pd.Index([f"r{i}" for i in range(180)]))


@pytest.fixture(scope="module")
def holes(two_groups):
    frame = two_groups.copy()
    frame.loc[["r1", "r9"], "Days"] = np.nan
    frame.loc["r5", "Reaction"] = np.nan
    return frame


@pytest.mark.parametrize(("name", "kind"), FACE.items())
def test_a_fit_has_its_attributes_in_their_types(slopes, name, kind):
    assert isinstance(getattr(slopes, name), kind)


def test_the_numbers_are_the_published_ones(slopes):
    # Bates et al. 2015, section 5.2, as printed there.
    assert slopes.fixef.round(3).to_dict() == {"(Intercept)": 251.405, "Days": 10.467}
    assert slopes.varcorr["Subject"].sd.round(3).to_dict() == {"(Intercept)": 24.741, "Days": 5.922}
    assert round(slopes.sigma, 3) == 25.592
    assert round(slopes.criterion, 1) == 1743.6


def test_its_text_is_r_s_summary(slopes):
    assert str(slopes).startswith("Linear mixed model fit by REML ['lmerMod']\nFormula: " + SLOPES)


def test_the_provenance_tells_what_moves_a_last_bit(slopes):
    facts = dict(slopes.provenance.versions)
    assert slopes.provenance.version == facts["lme4"]
    assert {"R", "Matrix", "BLAS", "LAPACK", "addresses", "platform", "rpy2-rinterface"} <= set(facts)
    assert facts["locale"] == "C.UTF-8"


def test_strings_are_factors_with_levels_in_code_point_order(two_groups):
    assert lmer("Reaction ~ text + (1 | Subject)", two_groups).terms == ("(Intercept)", "textb")


def test_ordered_categories_have_polynomial_contrasts(two_groups):
    assert lmer("Reaction ~ grade + (1 | Subject)", two_groups).terms == ("(Intercept)", "grade.L", "grade.Q")


def test_booleans_are_logical(two_groups):
    assert lmer("Reaction ~ late + (1 | Subject)", two_groups).terms == ("(Intercept)", "lateTRUE")


def test_contrasts_are_those_asked_for(two_groups):
    fit = lmer("Reaction ~ grade + (1 | Subject)", two_groups, contrasts={"grade": "contr.sum"})
    assert fit.terms == ("(Intercept)", "grade1", "grade2")


def test_the_frame_s_index_labels_rows_even_where_it_repeats(two_groups):
    fit = lmer(INTERCEPTS, two_groups.set_index(pd.Index(["same"] * 180)))
    assert fit.fitted.index.tolist() == ["same"] * 180
    assert lmer(INTERCEPTS, two_groups).residuals.index.equals(two_groups.index)


def test_rows_that_lack_a_value_are_counted_listed_and_left_out(holes):
    fit = lmer(INTERCEPTS, holes, na_action="omit")
    assert (fit.rows_dropped, fit.nobs) == (3, 177)
    assert fit.left_out.tolist() == ["r1", "r5", "r9"]
    assert "177 rows (3 left out)" in repr(fit)
    assert fit.fitted.index.tolist() == [label for label in holes.index if label not in ("r1", "r5", "r9")]
    assert not fit.fitted.isna().any()


def test_exclude_keeps_them_as_nan_by_the_frame_s_index(holes):
    fit, omitted = (lmer(INTERCEPTS, holes, na_action=action) for action in ("exclude", "omit"))
    assert fit.residuals.index.equals(holes.index)
    assert fit.residuals.index[fit.residuals.isna()].tolist() == ["r1", "r5", "r9"]
    pd.testing.assert_series_equal(fit.residuals.dropna(), omitted.residuals)


def test_rows_left_out_unasked_are_warned_of_with_their_columns(holes):
    text = r"^3 of 180 rows lack a value \('Reaction' in 1, 'Days' in 2\) and are left out; fit\.left_out lists them"
    with pytest.warns(RowsLeftOutWarning, match=text) as told:
        lmer(INTERCEPTS, holes)
    assert [Path(notice.filename) for notice in told] == [Path(__file__)]


def test_rows_outside_the_subset_are_not_left_out(holes):
    subset = ~holes.index.isin(["r1", "r5"])
    fit = lmer(INTERCEPTS, holes, subset=subset, na_action="omit")
    assert (fit.rows_dropped, fit.left_out.tolist()) == (1, ["r9"])


def test_a_value_that_a_function_of_the_formula_supplies_is_not_missing(holes):
    fit = lmer("Reaction ~ ifelse(is.na(Days), 0, Days) + (1 | Subject)", holes, na_action="omit")
    assert fit.left_out.tolist() == ["r5"]
    fit = lmer("Reaction ~ is.na(Days) + (1 | Subject)", holes.dropna(subset="Reaction"), na_action="fail")
    assert fit.rows_dropped == 0


def test_fail_names_the_columns_and_counts_their_rows(holes):
    weights = np.where(holes.index == "r7", np.nan, 1.0)
    text = "the data lacks values: 'Reaction' in 1 row, 'Days' in 2 rows, 'weights' in 1 row; fill or drop them"
    with pytest.raises(MissingValues, match=text):
        lmer(INTERCEPTS, holes, na_action="fail", weights=weights)
    with pytest.raises(MissingValues, match="a function of the formula gives missing values"):
        lmer("Reaction ~ sqrt(Days - 1) + (1 | Subject)", holes.dropna(), na_action="fail")


def test_a_subset_is_a_column_or_an_array_and_the_fit_is_that_of_the_rows_alone(two_groups):
    early = ~two_groups["late"]
    alone = lmer(INTERCEPTS, two_groups[early])
    for subset in (early, early.to_numpy(), early.tolist(), early.astype("boolean")):
        fit = lmer(INTERCEPTS, two_groups, subset=subset)
        assert fit.beta.tobytes() == alone.beta.tobytes()
        assert fit.fitted.index.equals(alone.fitted.index)


def test_weights_and_offset_are_columns_or_arrays(two_groups):
    frame = two_groups.assign(w=np.tile([1.0, 2.0], 90), o=two_groups["Days"] / 7)
    named = lmer(INTERCEPTS, frame, weights="w", offset="o")
    given = lmer(INTERCEPTS, two_groups, weights=frame["w"].to_numpy(), offset=frame["o"])
    assert named.quantities() == given.quantities()
    assert named.quantities() != lmer(INTERCEPTS, two_groups).quantities()


def test_a_missing_weight_drops_its_row(two_groups):
    weights = np.ones(180)
    weights[3] = np.nan
    assert lmer(INTERCEPTS, two_groups, weights=weights, na_action="omit").left_out.tolist() == ["r3"]


def test_control_reaches_lmer_and_start_is_where_it_starts(sleepstudy):
    control = {"optimizer": "bobyqa", "optCtrl": {"maxfun": np.int64(5000)}}
    fit = lmer(INTERCEPTS, sleepstudy, control=control)
    assert fit.provenance.optimizer == "bobyqa"
    still = lmer(INTERCEPTS, sleepstudy, start=[0.5], control={"optimizer": None})
    assert (still.theta.tolist(), still.converged) == ([0.5], False)


def test_a_dot_is_every_other_column_and_stays_so_in_a_rebuilt_model(sleepstudy):
    fit = lmer(
        "Reaction ~ . + (1 | Subject)", sleepstudy.assign(x=np.arange(180) % 7)[["Reaction", "Days", "x", "Subject"]]
    )
    assert fit.terms[:3] == ("(Intercept)", "Days", "x")
    assert str(pickle.loads(pickle.dumps(fit))) == str(fit)


ERRORS = {  # arguments, the error, part of its text
    "unknown columns": ({"formula": "Reaction ~ dose + (1 | site)"}, MissingColumns, "'dose', 'site'"),
    "an r data set's name": ({"formula": "Reaction ~ rivers + (1 | Subject)"}, MissingColumns, "'rivers'"),
    "no random term": ({"formula": "Reaction ~ Days"}, FormulaError, "random"),
    "weights by an unknown name": ({"weights": "w"}, MissingColumns, "'w'"),
    "negative weights": ({"weights": -np.ones(180)}, InvalidArgument, "negative in a row"),
    "no weight": ({"weights": np.zeros(180)}, InvalidArgument, "zero in all"),
    "a start that is no number": ({"start": [np.nan]}, InvalidArgument, "finite numbers"),
    "no time": ({"timeout": 0}, InvalidArgument, "the time limit is 0; a positive number"),
    "time as text": ({"timeout": "1 s"}, InvalidArgument, "the time limit is '1 s'"),
    "weights of another length": ({"weights": [1.0, 2.0]}, InvalidArgument, r"shape \(2,\).*180"),
    "weights in two dimensions": ({"weights": np.ones((180, 1))}, InvalidArgument, r"shape \(180, 1\)"),
    "weights that are text": ({"weights": ["1"] * 180}, InvalidArgument, "dtype str; numbers"),
    "weights that are levels": ({"weights": "Subject"}, InvalidArgument, "dtype category; numbers"),
    "weights that are booleans": ({"weights": np.ones(180, bool)}, InvalidArgument, "dtype bool; numbers"),
    "an offset of another index": ({"offset": pd.Series(0.0, range(1, 181))}, InvalidArgument, "another index"),
    "a subset of numbers": ({"subset": np.ones(180)}, InvalidArgument, "dtype float64; one boolean per row"),
    "a subset of text": ({"subset": "Subject"}, InvalidArgument, "dtype category; one boolean per row"),
    "an empty subset": ({"subset": np.zeros(180, bool)}, InvalidArgument, "picks no row"),
    "a subset with holes": ({"subset": pd.array([True, None] * 90)}, InvalidArgument, "lacks a value in 90 rows"),
    "an unknown contrast": (
        {"contrasts": {"Subject": "system"}},
        InvalidArgument,
        r"contrasts\['Subject'\] is 'system'.*contr.sum",
    ),
    "a contrast matrix": ({"contrasts": {"Subject": np.eye(2)}}, InvalidArgument, "contr.sum"),
    "a contrast of what the formula lacks": ({"contrasts": {"g": "contr.sum"}}, InvalidArgument, "names 'g', which"),
    "contrasts for all": ({"contrasts": "contr.sum"}, InvalidArgument, "a mapping with names for keys"),
    "a control by its optimizer": ({"control": "bobyqa"}, InvalidArgument, "a mapping with names for keys"),
    "weights the data lacks": ({"weights": "w"}, MissingColumns, "weights names 'w'"),
    "a start of text": ({"start": "one"}, InvalidArgument, "start is 'one'"),
    "a start of two dimensions": ({"start": [[1.0]]}, InvalidArgument, "one per theta"),
    "a control of lists": ({"control": {"optCtrl": {"x": [1, 2]}}}, InvalidArgument, r"control\['optCtrl'\]\['x'\]"),
    "an unknown na_action": ({"na_action": "drop"}, InvalidArgument, "'omit', 'exclude' or 'fail'"),
    "reml that is no boolean": ({"reml": "yes"}, InvalidArgument, "reml is 'yes'"),
    "data that is no frame": ({"data": {"Reaction": [1]}}, InvalidArgument, "a dict; a DataFrame of pandas, polars"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_used_is_an_error_before_r(name, sleepstudy, monkeypatch):
    arguments, error, text = ERRORS[name]
    monkeypatch.setattr(host, "worker", lambda: pytest.fail("R was asked"))
    with pytest.raises(error, match=text):
        lmer(**{"formula": INTERCEPTS, "data": sleepstudy} | arguments)


def test_an_unsupported_column_is_an_error_before_r(sleepstudy, monkeypatch):
    monkeypatch.setattr(host, "worker", lambda: pytest.fail("R was asked"))
    with pytest.raises(UnsupportedColumn, match="'Days' of dtype complex"):
        lmer(INTERCEPTS, sleepstudy.assign(Days=1j))


UNFIT = {  # what the sleepstudy data gets, more arguments, part of the error
    "one level": ({"Subject": "a"}, {}, "'Subject' has one level"),
    "one level in the subset": ({}, {"subset": np.arange(180) < 10}, "'Subject' has one level"),
    "a group a row": ({"Subject": range(180)}, {}, "'Subject' has a level of its own in each of its 180 rows"),
    "no group": ({"Subject": None}, {}, "'Subject' .*no value at all"),
    "no response": ({"Reaction": np.nan}, {}, "'Reaction' has no value in any row"),
    "a constant response": ({"Reaction": 3.5}, {}, "'Reaction' is the same in every row"),
    "a constant truth": ({"Reaction": True}, {}, "'Reaction' is the same in every row"),
    "a factor of one level": ({"Days": "a"}, {}, "the factor 'Days' has one level"),
    "one level with a response": (
        {"Reaction": lambda d: d["Reaction"].where(d["Subject"] == "308")},
        {"na_action": "omit"},
        "'Subject' has one level in the rows that can be used",
    ),
    "one row of each group with a response": (
        {"Reaction": lambda d: d["Reaction"].where(d["Days"] == 0)},
        {"na_action": "exclude"},
        "'Subject' has a level of its own in each of its 18 rows",
    ),
    "a factor of one level with a response": (
        {"Days": lambda d: np.where(d.index < 90, "early", "late"), "Reaction": lambda d: d["Reaction"][d.index < 90]},
        {},
        "the factor 'Days' has one level in the rows that can be used",
    ),
}
REFUSED = {  # formula, what the sleepstudy data gets, more arguments, the error, part of its text
    "slopes beyond the data": (SLOPES, {"Subject": np.arange(180) // 2}, {}, UnfitData, "=180.*for term"),
    "no complete row": (
        INTERCEPTS,
        {"Days": lambda d: d.Days.where(d.index % 2 > 0), "Reaction": lambda d: d.Reaction.mask(d.index % 2 > 0)},
        {},
        UnfitData,
        "no row has a value for every variable",
    ),
    "a crossed group a row": ("Reaction ~ 1 + (1 | Subject:Days)", {}, {}, UnfitData, "fewer levels than rows"),
    "log of zero": ("Reaction ~ log(Days) + (1 | Subject)", {}, {}, UnfitData, "gives an infinite number"),
    "two starts for one theta": (INTERCEPTS, {}, {"start": [1.0, 2.0]}, InvalidArgument, "one finite number per theta"),
    "a negative start": (INTERCEPTS, {}, {"start": [-1.0]}, InvalidArgument, "below its bound"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_data_that_cannot_identify_the_model_are_refused_before_r(name, sleepstudy, monkeypatch):
    columns, arguments, text = UNFIT[name]
    monkeypatch.setattr(host, "worker", lambda: pytest.fail("R was asked"))
    with pytest.raises(InputError, match=text):
        lmer(INTERCEPTS, sleepstudy.assign(**columns), **arguments)


@pytest.mark.parametrize("name", REFUSED)
def test_what_r_refuses_because_of_the_input_is_said_in_our_words_and_in_r_s(name, sleepstudy):
    formula, columns, arguments, error, text = REFUSED[name]
    with pytest.raises(error, match=text) as refusal:
        lmer(formula, sleepstudy.assign(**columns), **arguments)
    assert "R said: " in str(refusal.value)
    assert isinstance(refusal.value.__cause__, RError)


def test_what_is_wrong_in_rows_that_are_left_out_is_not_refused(sleepstudy):
    spoilt = sleepstudy.astype({"Days": float})
    spoilt.loc[0, ["Days", "Reaction"]] = 1e200, np.nan
    fit, other = (lmer(INTERCEPTS, data, na_action="omit") for data in (spoilt, sleepstudy[1:]))
    np.testing.assert_array_equal(fit.theta, other.theta)
    with pytest.raises(MissingValues, match="'Reaction' in 170 rows"):
        lmer(INTERCEPTS, sleepstudy.assign(Reaction=sleepstudy["Reaction"][:10]), na_action="fail")


def two_ways(number, columns):
    """A frame whose grouping columns have colons in their levels, which some pairs of levels then share a text."""
    random = np.random.default_rng(number)
    levels = [":", "a", "a:", "a:b", "b", "b:c", ":c", "c"]
    drawn = {name: random.choice(random.permutation(levels)[:4], 400) for name in "fgh"[:columns]}
    return pd.DataFrame({"y": random.normal(size=400), **drawn})


@pytest.mark.parametrize("columns", [2, 3])
def test_pairs_of_levels_that_lme4_would_take_for_one_are_refused_and_no_others(columns):
    group, refused = ":".join("fgh"[:columns]), 0
    for number in range(25):
        frame = two_ways(number, columns)
        pairs = frame.groupby(list("fgh"[:columns])).ngroups
        levels = f"nlevels(lme4::lFormula(y ~ 1 + (1 | {group}), frame)$reTrms$flist[[1L]])"
        factors = ", ".join(f"{name} = factor(c({', '.join(map(repr, frame[name]))}))" for name in "fgh"[:columns])
        of_r = in_r(f"{{frame <- data.frame(y = seq_len(400), {factors}); {levels}}}")[0]
        if of_r == pairs:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of singular fits, as there are no groups in y
                assert lmer(f"y ~ 1 + (1 | {group})", frame).ngrps[group] == pairs
        else:
            refused += 1
            with pytest.raises(UnfitData, match=f"the grouping factor '{group}' has the levels .*for one"):
                lmer(f"y ~ 1 + (1 | {group})", frame)
    assert 0 < refused < 25


def test_a_perfect_fit_is_refused(sleepstudy):
    with pytest.raises(UnfitData, match="fits the response exactly"):
        lmer(INTERCEPTS, sleepstudy.assign(Reaction=sleepstudy["Days"] * 2.0))


def test_who_turns_lme4_s_own_check_off_is_not_checked(sleepstudy):
    control = dict.fromkeys(("check.nobs.vs.nlev", "check.nobs.vs.nRE"), "ignore")
    with pytest.warns(SingularFitWarning):
        fit = lmer(INTERCEPTS, sleepstudy.assign(Subject=range(180)), control=control)
    assert len(fit.ranef["Subject"]) == fit.nobs == 180


def test_r_s_own_error_has_its_message_class_and_call(sleepstudy):
    twice = sleepstudy.assign(twice=2 * sleepstudy["Days"])
    with pytest.raises(RError) as refusal:
        lmer("Reaction ~ Days + twice + (1 | Subject)", twice, control={"check.rankX": "stop.deficient"})
    assert refusal.value.text == "the fixed-effects model matrix is column rank deficient (rank(X) = 2 < 3 = p);\n" + (
        "the fixed effects will be jointly unidentifiable"
    )
    assert refusal.value.classes == ("simpleError", "error", "condition")
    assert refusal.value.__cause__ is None  # itself would be a circle, and no end of pickling it with its traceback
    assert str(pickle.loads(pickle.dumps(refusal.value))) == str(refusal.value)


def test_a_singular_fit_says_so_once(datasets):
    with pytest.warns(SingularFitWarning, match=r"boundary \(singular\) fit") as told:
        fit = lmer("Yield ~ 1 + (1 | Batch)", datasets("Dyestuff2"))
    (condition,) = fit.conditions
    assert fit.singular
    assert len(told) == 1
    assert (condition.kind, condition.text) == ("message", "boundary (singular) fit: see help('isSingular')")


def test_a_dropped_term_is_named(sleepstudy):
    with pytest.warns(RankDeficientWarning, match="dropping 1 column"):
        fit = lmer("Reaction ~ Days + twice + (1 | Subject)", sleepstudy.assign(twice=2 * sleepstudy["Days"]))
    (condition,) = fit.conditions
    assert fit.dropped_terms == ("twice",)
    assert fit.terms == ("(Intercept)", "Days")
    assert "rank deficient so dropping 1 column" in condition.text


def test_doubtful_convergence_is_warned_of_and_kept_with_classes_and_call(sleepstudy):
    with pytest.warns(ConvergenceWarning) as told:
        fit = lmer(SLOPES, sleepstudy, control={"optCtrl": {"maxeval": 3}})
    kept = [c for c in fit.conditions if c.kind == "warning"]
    assert [str(notice.message) for notice in told] == list(dict.fromkeys(c.text for c in kept))
    assert {notice.category for notice in told} == {ConvergenceWarning}
    assert all("warning" in c.classes and c.call for c in kept)


def test_any_other_warning_of_r_is_one_of_python_s_and_told_once(sleepstudy):
    with pytest.warns(RWarning, match="very different scales") as told:
        fit = lmer("Reaction ~ far + (1 | Subject)", sleepstudy.assign(far=sleepstudy["Days"] * 1e9))
    assert [notice.category for notice in told] == [RWarning]
    str(pickle.loads(pickle.dumps(fit)))  # rebuilt, and nothing is said again


def test_a_pickled_fit_has_its_numbers_without_r_and_rebuilds_the_model_when_asked(slopes, monkeypatch):
    raw = pickle.dumps(slopes)
    with monkeypatch.context() as patch:
        patch.setattr(host, "worker", lambda: pytest.fail("R was asked"))
        again = pickle.loads(raw)
        assert again.quantities() == slopes.quantities()
        assert again._in_r.model is None
    assert isinstance(again, LmerFit)
    assert str(again) == str(slopes)


def test_a_rebuilt_model_is_of_the_data_as_it_was(sleepstudy):
    frame, weights = sleepstudy.copy(), np.linspace(1, 2, 180)
    fit = lmer(INTERCEPTS, frame, weights=weights, subset=frame["Days"] > 1)
    text = str(fit)
    frame["Reaction"], weights[:] = 0.0, 1.0
    again = pickle.loads(pickle.dumps(fit))
    assert str(again) == text


def test_a_fit_in_a_thread_is_the_same_fit(slopes, sleepstudy):
    found = []
    threads = [threading.Thread(target=lambda: found.append(lmer(SLOPES, sleepstudy))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [fit.quantities() for fit in found] == [slopes.quantities()] * 3


def test_the_design_holds_r_s_matrices(slopes, sleepstudy):
    design = slopes.design()
    assert isinstance(design, Design)
    np.testing.assert_array_equal(design.x, np.column_stack([np.ones(180), sleepstudy["Days"]]))
    np.testing.assert_array_equal(design.y, sleepstudy["Reaction"])
    (term,) = design.random
    assert (term.group, term.terms, term.width, term.z.shape) == ("Subject", ("(Intercept)", "Days"), 2, (180, 36))
    assert term.levels == tuple(sleepstudy["Subject"].cat.categories)
    # y = X beta + Z b + residual, to the rounding of sums of numbers near 300.
    b = slopes.ranef["Subject"].to_numpy().ravel()
    np.testing.assert_allclose(design.x @ slopes.beta + design.z @ b, slopes.fitted, atol=1e-11, rtol=0)


def test_a_design_has_a_matrix_for_each_term_and_they_stand_side_by_side(fits):
    design = fits("strength ~ 1 + (1 | batch) + (1 | cask)", "Pastes").design()
    assert design.widths == (1, 1)
    assert [t.z.shape for t in design.random] == [(60, 10), (60, 3)]
    assert all((t.z.sum(axis=1) == 1).all() for t in design.random)
    assert design.z.shape == (60, 13)


def test_the_objective_at_the_optimum_is_the_criterion(slopes):
    values = slopes.deviance_at(np.vstack([slopes.theta, slopes.theta + 0.1]))
    # The same code at the same point; a permutation may differ in its last digits.
    assert values[0] == pytest.approx(slopes.criterion, rel=1e-13)
    assert values[1] > values[0]
    assert slopes.deviance_at(slopes.theta) == values[0]


def test_a_point_of_another_length_is_an_error(slopes):
    with pytest.raises(InvalidArgument, match="2 elements per point; 3 elements expected"):
        slopes.deviance_at(np.ones(2))


def test_polishing_ends_no_higher_than_the_fit(slopes):
    theta, value = polish(slopes, np.array([slopes.theta, [1.0, 0.0, 1.0]]))
    assert theta.shape == (2, 3)
    assert value[0] <= slopes.deviance_at(slopes.theta)[0]
    np.testing.assert_allclose(theta[1], theta[0], atol=1e-4)  # half the digits of a minimum


@pytest.mark.slow
def test_a_fit_outlives_its_process(sleepstudy):
    fit = lmer(INTERCEPTS, sleepstudy)
    text = str(fit)
    process = host.worker()._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    fresh = pickle.loads(pickle.dumps(fit))
    assert fit.deviance_at(fit.theta).shape == (1,)
    assert str(fresh) == text
