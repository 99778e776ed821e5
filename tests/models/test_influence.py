"""Influence by refitting is what lme4's own gives, whoever computes it, and right where lme4's is not."""

import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, MissingColumns, TimedOut
from tests.oracle import fitted, plain, same_bits

GROUPS = {
    "penicillin": "sample",
    "pastes": "batch",
    "sleepstudy": "Subject",
    "double_bar": "Subject",
    "cake": "replicate",
}
every_model = pytest.mark.parametrize("name", GROUPS)


@cache
def dyestuff():
    data = load_dataset("Dyestuff")
    return lmer("Yield ~ 1 + (1 | Batch)", data.set_index(np.arange(len(data)) + 100))


@cache
def without(name):
    return fitted(name).influence(GROUPS[name])


def influence_in_r(fit, what, group=None):
    """R code on lme4's own influence, made once a fit and kept in its environment."""
    given = f'"{group}", ' if group else ""
    code = """kept <- environment(formula(m))
      if (is.null(kept$.influence)) kept$.influence <- influence(m, %sdata = kept$data)
      i <- kept$.influence
      %s"""
    return plain(fit, code % (given, what))


def check(ours, fit, group=None):
    theirs = influence_in_r(
        fit,
        "c(as.vector(i[[2L]]), as.vector(i[[4L]]), unlist(i[[6L]]), i$converged, i$function.evals, i[[3L]])",
        group,
    )
    together = (ours.fixed_effects_without, ours.var_cov_comps_without, ours.vcov_without.transpose(2, 1, 0))
    flat = [np.asarray(part, float).ravel(order="F") for part in together]
    flat += [np.asarray(part, float) for part in (ours.converged, ours.function_evals, ours.var_cov_comps)]
    assert same_bits(np.concatenate(flat), theirs)
    assert list(ours.var_cov_comps_without.columns) == influence_in_r(fit, "colnames(i[[4L]])", group)


@pytest.mark.slow
@every_model
def test_estimates_without_each_level_are_those_of_lme4(name):
    check(without(name), fitted(name), GROUPS[name])
    levels = influence_in_r(fitted(name), "rownames(i[[2L]])", GROUPS[name])
    assert list(without(name).fixed_effects_without.index.astype(str)) == levels


@pytest.mark.slow
def test_estimates_without_each_row_are_those_of_lme4():
    ours = dyestuff().influence()
    check(ours, dyestuff())
    assert ours.group == "case"
    assert ours.fixed_effects_without.index.equals(dyestuff().index)
    assert same_bits(ours.cooks_distance().round(12), np.round(influence_in_r(dyestuff(), "cooks.distance(i)"), 12))


def test_weights_and_an_offset_stay_with_their_rows():
    data = load_dataset("Dyestuff").assign(w=np.tile([1.0, 2.0, 0.5], 10), o=np.arange(30.0))
    fit = lmer("Yield ~ 1 + (1 | Batch)", data, weights="w", offset="o")
    check(fit.influence("Batch"), fit, "Batch")


@pytest.mark.slow
@every_model
def test_what_is_derived_is_what_lme4_derives(name):
    ours, group = without(name), GROUPS[name]
    assert same_bits(ours.dfbeta(), influence_in_r(fitted(name), "as.vector(dfbeta(i))", group))
    changes = influence_in_r(fitted(name), 'as.vector(dfbeta(i, which = "var.cov"))', group)
    assert same_bits(ours.dfbeta("var.cov"), changes)
    distances = influence_in_r(fitted(name), "as.vector(cooks.distance(i))", group)
    assert np.allclose(ours.cooks_distance(), distances, rtol=1e-9)  # another LAPACK inverts the covariance
    if len(fitted(name).terms) > 1:  # with one, lme4's dfbetas stops
        assert same_bits(ours.dfbetas(), influence_in_r(fitted(name), "as.vector(dfbetas(i))", group))
    else:
        errors = np.sqrt(ours.vcov_without[:, 0, 0])
        assert same_bits(ours.dfbetas(), ours.dfbeta().to_numpy()[:, 0] / errors)


@pytest.mark.slow
def test_the_numbers_do_not_depend_on_the_processes():
    one, two = without("penicillin"), fitted("penicillin").influence("sample", jobs=2)
    for part in ("fixed_effects_without", "var_cov_comps_without", "converged", "singular", "function_evals"):
        assert getattr(one, part).equals(getattr(two, part))
    assert np.array_equal(one.vcov_without, two.vcov_without)


def test_a_refit_by_hand_finds_what_a_level_takes_with_it():
    data = load_dataset("Penicillin")
    alone = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data[data["sample"] != "F"])
    ours = without("penicillin")
    assert ours.fixed_effects_without.loc["F", "(Intercept)"] == pytest.approx(alone.fixef.iloc[0], rel=1e-6)
    assert ours.var_cov_comps_without.loc["F", "sigma^2"] == pytest.approx(alone.sigma**2, rel=1e-4)  # another start


def test_a_model_with_a_structure_is_refitted_from_its_own_parameters():
    if not lme4_has("structured_covariance"):
        pytest.skip("lme4 is older than 2.0-1")
    data = load_dataset("sleepstudy")
    ours = lmer("Reaction ~ Days + diag(Days | Subject)", data).influence("Subject")
    alone = lmer("Reaction ~ Days + diag(Days | Subject)", data[data["Subject"] != "308"])
    assert np.allclose(ours.fixed_effects_without.loc["308"], alone.fixef, rtol=1e-5)  # another start
    assert ours.var_cov_comps_without.loc["308", "sigma^2"] == pytest.approx(alone.sigma**2, rel=1e-3)


@pytest.mark.slow
def test_a_subset_holds_and_rows_without_a_value_are_not_left_out():
    data = load_dataset("sleepstudy")
    data.loc[5, "Reaction"] = np.nan
    few = data["Subject"].isin(["308", "309", "310"])
    fit = lmer("Reaction ~ Days + (1 | Subject)", data, subset=few, na_action="exclude")
    same = lmer("Reaction ~ Days + (1 | Subject)", data[few].dropna())
    ours = fit.influence()
    assert list(ours.fixed_effects_without.index) == list(same.index)
    assert ours.fixed_effects_without.equals(same.influence().fixed_effects_without)
    assert list(fit.influence("Subject").converged.index) == ["308", "309", "310"]


@pytest.mark.slow
def test_several_columns_leave_out_each_combination():
    ours = fitted("cake").influence(["recipe", "replicate"])
    assert ours.group == "recipe.replicate"
    assert ours.fixed_effects_without.index.names == ["recipe", "replicate"]
    assert len(ours.converged) == 45
    data = load_dataset("cake")
    alone = lmer(fitted("cake").formula, data[(data["recipe"] != "A") | (data["replicate"] != "1")])
    row = ours.fixed_effects_without.loc[("A", "1")]
    assert np.allclose(row, alone.fixef, rtol=1e-6, atol=1e-6)  # another start


def test_a_level_that_takes_a_fixed_effect_with_it_leaves_nan_there():
    ours = fitted("cake").influence("recipe")
    gone = ours.fixed_effects_without.loc["C"]
    assert gone[["recipeC", "recipeC:temperature.L"]].isna().all()
    assert gone[["(Intercept)", "recipeB"]].notna().all()
    alone = lmer(fitted("cake").formula, load_dataset("cake").query("recipe != 'C'"))
    assert np.allclose(gone.dropna(), alone.fixef, rtol=1e-6, atol=1e-6)
    assert np.isnan(ours.dfbetas().loc["C", "recipeC"])


def test_singular_and_failed_refits_are_told():
    data = load_dataset("Dyestuff2")
    fit = lmer("Yield ~ 1 + (1 | Batch)", data)
    ours = fit.influence("Batch")
    assert ours.singular.any()
    said = {level for level, condition in ours.conditions if "singular" in condition.text}
    assert said == set(ours.singular.index[ours.singular])
    two = lmer("Yield ~ 1 + (1 | Batch)", data[data["Batch"].isin(["A", "B"])]).influence("Batch")
    assert not two.converged.any()
    assert two.fixed_effects_without.isna().to_numpy().all()
    assert two.var_cov_comps_without.isna().to_numpy().all()
    assert [condition.kind for _, condition in two.conditions] == ["error", "error"]
    assert "2 refits, 2 not converged" in repr(two)


def test_an_influence_pickles_with_its_labels():
    ours = without("penicillin")
    copy = pickle.loads(pickle.dumps(ours))
    assert copy.cooks_distance().equals(ours.cooks_distance())
    assert copy.fixed_effects_without.index.name == "sample"


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"groups": "smaple"}, MissingColumns, "Did you mean 'sample'"),
        ({"groups": []}, InvalidArgument, "groups is"),
        ({"backend": "nowhere"}, InvalidArgument, "nowhere"),
    ],
)
def test_what_makes_no_sense_is_refused(given, error, said):
    with pytest.raises(error, match=said):
        fitted("penicillin").influence(**given)


def test_a_limit_of_evaluations_is_no_argument_as_lme4_passes_its_own_over():
    ours = list(without("penicillin").function_evals)
    assert min(ours) > 5
    code = 'influence(m, "sample", data = environment(formula(m))$data, maxfun = 5)$function.evals'
    assert same_bits(ours, plain(fitted("penicillin"), f"as.double({code})"))


def test_a_time_limit_ends_it():
    with pytest.raises(TimedOut):
        fitted("sleepstudy").influence(timeout=0.05)


def test_a_change_is_of_the_fixed_effects_or_of_the_variances():
    with pytest.raises(InvalidArgument, match="which is 'all'"):
        without("penicillin").dfbeta("all")
    assert isinstance(without("penicillin").dfbeta(), pd.DataFrame)


def test_a_column_of_any_name_is_safe_from_our_own():
    frame = load_dataset("sleepstudy").rename(columns={"Days": ".kept"})
    without = lmer("Reaction ~ `.kept` + (1 | Subject)", frame).influence("Subject").fixed_effects_without
    named = lmer("Reaction ~ Days + (1 | Subject)", load_dataset("sleepstudy")).influence("Subject")
    assert same_bits(without, named.fixed_effects_without.to_numpy().ravel(order="F"))


def test_without_fixed_effects_there_is_no_cooks_distance():
    fit = lmer("Reaction ~ 0 + (1 | Subject)", load_dataset("sleepstudy"))
    for of in (fit, fit.influence("Subject")):
        with pytest.raises(InvalidArgument, match="the fixed effects move, and the model has none"):
            of.cooks_distance()
    assert fit.augment()["cooksd"].isna().all()
    assert same_bits(fit.augment()["hat"], fit.hatvalues())
