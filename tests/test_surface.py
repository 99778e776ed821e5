"""The public surface: what a user sees of the package and of a fit, and no plumbing beside it."""

import pydoc
import re
from importlib import import_module

import pytest

import lmerbridge
from lmerbridge import Fit, LmerFit
from tests.processes import run
from tests.test_floors import MODULES

VERBS = {
    "infer": "summary anova drop1 contest ls_means ranova step kr_modcomp sat_modcomp pb_modcomp vcov_kr ddf_lb",
    "intervals": "confint profile devfun2 parameters",
    "means": "emmeans emtrends ref_grid joint_tests effect plot_effect",
    "predict": "predict simulate fixed_design scenarios",
    "change": "update refit refit_ml all_fit remedies",
    "diagnose": "resid hatvalues rstudent cooks_distance influence check simulated_residuals",
    "resample": "bootstrap interval_of power power_curve",
    "many": "refit_many",
    "explain": "contributions",
    "tidy": "tidy glance augment plot_residuals plot_qq plot_ranef",
    "extract": """coef ranef_table cond_var fixef_with vcov_of vcov_full varcorr_of varcorr_text re_pca re_covs par
        get_me me_parts random_index model_matrix model_frame model_terms formula_of get_data get_call weights offset
        ngrps family is_lmm is_glmm is_nlmm is_reml design icc r2""",
    "optimum": """optinfo convergence is_singular singular_terms loglik_of deviance_of deviance_at devfun reml_crit
        df_residual extract_aic llik_aic""",
}
NUMBERS = """aic beta bic coefficients conditions converged covariance covariance_given_theta criterion design
    dropped_terms engine fitted fitted_values fixef formula index kind loglik modes native nb_theta nobs npar numbers
    only_std_errors provenance quantities ranef reml residual_values residuals rows rows_dropped sigma singular
    std_errors terms theta varcorr vcov"""
OF_R = "spec left_out"
EXPORTED = """Comparison ConvCheck Family Fit GlmerControl GlmerFit Hunt LmerControl LmerFit LmerRegressor NlmerControl
    NlmerFit Verdict code_levels compare compare_models data_template demean explain_formula glmer
    glmer_nb group_summary hausman hunt impute list_datasets lm_list lmer lmer_many load_dataset model_table
    mundlak_test nlmer parametrize_parity params_template plot_groups simulate_formula standardize
    time_limit to_marginaleffects"""


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def test_a_fit_shows_its_numbers_and_its_verbs_and_nothing_else(fits):
    fit = fits("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    for verb in ("coef", "parameters", "random_index", "left_out", "fixef"):
        getattr(fit, verb)  # what is computed once is kept in the fit
    fit.bootstrap(nsim=1, seed=1)
    assert public(fit) == {*" ".join([NUMBERS, OF_R, *VERBS.values()]).split()}


def test_a_fit_of_any_engine_shows_its_numbers(fits):
    assert public(fits("Reaction ~ Days + (Days | Subject)", "sleepstudy").numbers()) == {*NUMBERS.split()}
    assert public(Fit) <= {*NUMBERS.split()}


def test_the_help_of_a_fit_lists_its_verbs_by_task():
    text = pydoc.render_doc(LmerFit, renderer=pydoc.plaintext)
    table = re.search(r"Task +Verbs\n[ |]*=+ =+\n(.*?)\n[ |]*=+ =+", text, re.DOTALL)[1].replace("|", " ")
    told = {}
    for row in re.split(r"\n *(?=\w+  )", "\n" + table)[1:]:
        task, _, verbs = row.strip().partition(" ")
        told[task] = sorted(re.findall(r"\w+", verbs))
    assert told == {task: sorted(verbs.split()) for task, verbs in VERBS.items()}


def test_a_verb_is_a_function_of_its_room():
    for task, verbs in VERBS.items():
        for verb in verbs.split():
            found = vars(LmerFit)[verb]
            function = found.fget if isinstance(found, property) else found
            room = "extract" if task == "optimum" else task
            assert function.__module__.startswith(f"lmerbridge.models.{room}."), verb
            assert function.__name__ == verb
            assert function.__doc__, verb


def test_a_fit_has_at_most_four_classes_of_ours():
    assert sum(kind.__module__.startswith("lmerbridge") for kind in LmerFit.__mro__) <= 4


SHOWN = """
import lmerbridge
first = [name for name in dir(lmerbridge) if not name.startswith("_")]
fit = lmerbridge.lmer("Reaction ~ Days + (Days | Subject)", lmerbridge.load_dataset("sleepstudy"))
lmerbridge.compare("Reaction ~ Days + (Days | Subject)", lmerbridge.load_dataset("sleepstudy"))
print(*first, "|", *[name for name in dir(lmerbridge) if not name.startswith("_")])
"""


def test_the_package_shows_what_it_exports_also_after_use():
    before, after = (half.split() for half in run(SHOWN).split("|"))
    assert sorted(lmerbridge.__all__) == sorted(EXPORTED.split()) == sorted(before) == sorted(after)


DOORS = [name for name, path in MODULES.items() if path.with_suffix(".pyi").exists()]


@pytest.mark.parametrize("name", DOORS)
def test_every_name_that_a_package_promises_is_there(name):
    package = import_module("lmerbridge" if name == "__init__" else f"lmerbridge.{name}")
    assert package.__all__
    for exported in package.__all__:
        assert getattr(package, exported) is not None
