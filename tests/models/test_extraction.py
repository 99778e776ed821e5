"""What a fit holds is what R's own functions give on it."""

import dataclasses
import pickle
from functools import cache

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, NeedsNewer
from lmerbridge.models.extract.internals import MEParts
from lmerbridge.setup.compat import GATES
from tests.oracle import MODELS, fitted, plain, same_bits

every_model = pytest.mark.parametrize("name", MODELS)
SPARSE = ("Z", "Zt", "Lambda", "Lambdat", "A")
VECTORS = ("X", "RX", "RZX", "y", "mu", "u", "b", "Gp", "Tp", "fixef", "beta", "theta", "offset", "lower", "sigma")
COUNTS = ("REML", "is_REML", "n_rtrms", "n_rfacs", "N", "n", "p", "q", "p_i", "l_i", "q_i", "k", "m_i", "m")
NAMED = ("fixef", "theta", "lower", "Tp", "p_i", "l_i", "q_i", "m_i")
LISTS = ("Tlist", "ST", "mmList")
FRAME = "as.vector(as.matrix({}))"


@cache
def weighted():
    """A model with weights, an offset, an ordered factor, a subset, and rows without a value, which it keeps as NaN."""
    data = load_dataset("sleepstudy").set_index(np.arange(1000, 1180))
    data["third"] = pd.Categorical(np.tile(["a", "b", "c"], 60), ordered=True)
    data["w"], data["o"] = np.tile([1.0, 2.0, 0.5], 60), data["Days"] / 7
    data.loc[[1003, 1050], "Reaction"] = np.nan
    formula = "Reaction ~ log(Days + 1) + poly(Days, 2) + third + (1 | Subject)"
    return lmer(formula, data, weights="w", offset="o", subset=data["Days"] != 4, na_action="exclude")


@cache
def deficient():
    """A model of whose terms one is a combination of others."""
    data = load_dataset("sleepstudy").assign(twice=lambda d: 2 * d["Days"])
    return lmer("Reaction ~ twice + Days + (1 | Subject)", data)


def bare(value):
    """The numbers of whatever R part, column by column."""
    if isinstance(value, dict):
        return np.concatenate([bare(item) for item in value.values()])
    return np.asarray(value.toarray() if hasattr(value, "toarray") else value, float).ravel(order="F")


@pytest.mark.slow
@every_model
@pytest.mark.parametrize("part", [*SPARSE, *VECTORS, *COUNTS])
def test_a_part_is_that_of_get_me(name, part):
    assert same_bits(bare(fitted(name).get_me(part)), plain(fitted(name), FRAME.format(f'getME(m, "{part}")')))


@every_model
@pytest.mark.parametrize("part", LISTS)
def test_a_list_of_matrices_is_that_of_get_me(name, part):
    assert same_bits(bare(fitted(name).get_me(part)), plain(fitted(name), f'unlist(getME(m, "{part}"))'))


@every_model
@pytest.mark.parametrize("part", NAMED)
def test_a_part_with_names_keeps_them(name, part):
    assert list(fitted(name).get_me(part).index) == plain(fitted(name), f'names(getME(m, "{part}"))')


@every_model
def test_the_rows_of_zt_by_term_are_those_of_get_me(name):
    ours, code = fitted(name).get_me("Ztlist"), 'getME(m, "Ztlist")'
    assert list(ours) == plain(fitted(name), f"names({code})")
    assert same_bits(bare(ours), plain(fitted(name), f"unlist(lapply({code}, function(z) as.vector(as.matrix(z))))"))


@every_model
def test_the_factor_permuted_back_is_the_matrix_it_factors(name):
    fit = fitted(name)
    cholesky, half, at = fit.get_me("L"), fit.get_me("Z") @ fit.get_me("Lambda"), fit.get_me("L").permutation
    whole = (half.T @ half).toarray() + np.eye(fit.get_me("q"))
    back = (cholesky.lower @ cholesky.lower.T).toarray()
    assert np.abs(back - whole[np.ix_(at, at)]).max() < 1e-12 * np.abs(whole).max()  # rounding of a product
    assert cholesky.log_determinant == pytest.approx(
        fit.get_me("devcomp").cmp["ldL2"], rel=1e-13
    )  # another order of sums


@every_model
def test_theta_stands_where_lind_says(name):
    fit = fitted(name)
    assert np.array_equal(fit.get_me("Lambdat").data, fit.theta[fit.get_me("Lind")])


@every_model
def test_the_random_index_names_every_mode(name):
    fit, b = fitted(name), fitted(name).get_me("b")
    for group, table in fit.ranef.items():
        for term in table.columns:
            assert np.array_equal(b.xs((group, term), level=("group", "term")).loc[list(table.index)], table[term])


@every_model
def test_several_parts_are_a_dict_by_name_as_a_list_in_r(name):
    fit, names = fitted(name), ["X", "Zt", "theta", "sigma"]
    found = fit.get_me(names)
    assert list(found) == plain(fit, f"names(getME(m, c({', '.join(map(repr, names))})))") == names
    assert all(same_bits(bare(found[part]), bare(fit.get_me(part))) for part in names)
    assert found.keys() == fit.get_me(tuple(names)).keys()
    assert list(fit.get_me(["beta"])) == ["beta"]


@pytest.mark.parametrize("name", [[], ["X", "Y"], ["X", 1], [["X"]], 3, None])
def test_what_is_no_part_is_refused(name):
    with pytest.raises(InvalidArgument, match=r"get_me is asked for|name is .*a list of texts is expected"):
        fitted("pastes").get_me(name)


@every_model
def test_factors_components_and_columns_are_those_of_get_me(name):
    fit = fitted(name)
    for group, factor in fit.get_me("flist").items():
        assert list(factor.astype(str)) == plain(fit, f'as.character(getME(m, "flist")[["{group}"]])')
    for part in ("cmp", "dims"):
        ours = getattr(fit.get_me("devcomp"), part)
        assert same_bits(ours.astype(float), plain(fit, f'as.double(getME(m, "devcomp")${part})'))
        assert list(ours.index) == plain(fit, f'names(getME(m, "devcomp")${part})')
    assert [term for terms in fit.get_me("cnms").values() for term in terms] == plain(fit, 'unlist(getME(m, "cnms"))')


@every_model
def test_all_parts_are_those_of_r_and_are_what_they_say(name):
    parts = fitted(name).me_parts()
    ours = {field.name for field in dataclasses.fields(MEParts) if getattr(parts, field.name) is not None}
    assert ours == {*plain(fitted(name), "eval(formals(getME.merMod)$name)")} - {"glmer.nb.theta"}
    assert np.allclose(parts.X @ parts.beta + parts.Z @ parts.b + parts.offset, parts.mu, rtol=1e-13)  # order of sums
    assert pickle.loads(pickle.dumps(parts)).Z.nnz == parts.Z.nnz


def test_parts_of_a_later_lme4_are_its_own_or_an_error_that_names_it():
    fit = fitted("sleepstudy")
    if lme4_has("get_me_par"):
        assert same_bits(fit.get_me("par"), plain(fit, 'unname(getME(m, "par"))'))
        assert same_bits(fit.get_me("devarg"), plain(fit, 'unname(getME(m, "devarg"))'))
        assert fit.get_me("npar") == 3
    else:
        for part in ("par", "npar", "devarg"):
            with pytest.raises(NeedsNewer, match=GATES["get_me_par"].since):
                fit.get_me(part)


def test_a_part_nobody_knows_is_refused():
    with pytest.raises(InvalidArgument, match="'z'; ALL or one of X, Z"):
        fitted("sleepstudy").get_me("z")


def test_rows_keep_the_labels_of_the_data():
    fit = weighted()
    used = fit.index[fit.rows]
    assert 1003 not in used
    for table in (fit.get_me("X"), fit.get_me("y"), fit.get_me("flist")["Subject"], fit.model_frame()):
        assert table.index.equals(used)
    assert fit.weights().index.equals(fit.fitted.index)
    assert same_bits(fit.weights().dropna(), plain(fit, "m@resp$weights"))
    assert same_bits(fit.offset().dropna(), plain(fit, "m@resp$offset"))


@every_model
def test_conditional_modes_and_their_errors_are_those_of_r(name):
    ours, code = fitted(name).ranef_table(), "as.data.frame(ranef(m))"
    assert same_bits(ours["estimate"], plain(fitted(name), f"{code}$condval"))
    assert same_bits(ours["std_error"], plain(fitted(name), f"{code}$condsd"))
    for column, theirs in (("group", "grpvar"), ("term", "term"), ("level", "grp")):
        assert list(ours[column]) == plain(fitted(name), f"as.character({code}${theirs})")


@every_model
def test_conditional_covariances_are_those_of_r(name):
    fit = fitted(name)
    for group, ours in fit.cond_var().items():
        theirs = plain(fit, f'as.vector(unlist(attr(ranef(m)[["{group}"]], "postVar")))')
        blocks = [ours.values[at : at + k, at : at + k] for at, k in places(fit, group)]
        assert same_bits(np.concatenate([block.ravel(order="F") for block in blocks]), theirs)
        table = fit.ranef_table().set_index(["group", "level", "term"])["std_error"]
        level, term = ours.levels[0], ours.terms[-1]
        assert ours.sd.loc[level, term] == table[group, level, term]
        assert ours[level].loc[term, term] == ours.values[-1, -1, 0]


def places(fit, group):
    """Where in a factor's terms each of its random terms begins, and how many it has."""
    widths = [len(block.terms) for block in fit.varcorr if block.group == group]
    return zip(np.cumsum([0, *widths[:-1]]), widths, strict=True)


def test_conditional_covariances_between_two_terms_of_a_factor_are_there():
    fit = lmer("Reaction ~ Days + (Days || Subject)", load_dataset("sleepstudy")[7:])  # no two levels alike
    half = np.linalg.inv((fit.get_me("A") @ fit.get_me("A").T).toarray() + np.eye(36))
    scale = np.diag(fit.get_me("Lambdat").diagonal())
    whole = fit.sigma**2 * scale @ half @ scale
    for level in ("308", "372"):
        ours = fit.cond_var()["Subject"][level]
        at = [fit.random_index.get_loc(("Subject", level, term)) for term in ours.index]
        assert np.allclose(ours, whole[np.ix_(at, at)], rtol=1e-10)  # by a dense inverse
        assert ours.iloc[0, 1] < 0


@every_model
def test_coefficients_by_level_are_those_of_r(name):
    for group, table in fitted(name).coef.items():
        assert same_bits(table, plain(fitted(name), f'unlist(coef(m)[["{group}"]])'))
        assert list(table.columns) == plain(fitted(name), f'names(coef(m)[["{group}"]])')


def test_dropped_terms_have_their_place():
    fit = deficient()
    assert same_bits(fit.fixef_with(), plain(fit, "unname(fixef(m, add.dropped = TRUE))"))
    assert fit.fixef_with()[fit.fixef_with().isna()].index.tolist() == list(fit.dropped_terms)
    assert fit.fixef_with(add_dropped=False).equals(fit.fixef)


@every_model
def test_covariances_and_correlations_of_fixed_effects_are_those_of_r(name):
    fit = fitted(name)
    assert fit.vcov_of().equals(fit.vcov)
    assert same_bits(fit.vcov_of(sigma=2.0), plain(fit, FRAME.format("vcov(m, sigm = 2)")))
    correlation = fit.vcov_of(correlation=True)
    assert same_bits(correlation, plain(fit, FRAME.format("vcov(m)@factors$correlation")))
    assert list(correlation.index) == list(correlation.columns) == list(fit.terms)


def joint_covariance(fit):
    """The joint covariance by a dense inverse: Henderson's equations."""
    x, spread = fit.get_me("X").to_numpy(), fit.get_me("Lambda").toarray()
    half = np.sqrt(fit.weights().dropna().to_numpy())[:, None] * np.hstack([fit.get_me("Z").toarray() @ spread, x])
    q, p = len(spread), x.shape[1]
    scale = np.block([[spread, np.zeros((q, p))], [np.zeros((p, q)), np.eye(p)]])
    return fit.sigma**2 * scale @ np.linalg.inv(half.T @ half + np.diag([1.0] * q + [0.0] * p)) @ scale.T


@pytest.mark.parametrize("name", [*MODELS, "weighted"])
def test_the_joint_covariance_is_the_inverse_it_stands_for(name):
    fit = weighted() if name == "weighted" else fitted(name)
    ours, direct = fit.vcov_full(), joint_covariance(fit)
    unit = np.sqrt(np.outer(np.diag(direct), np.diag(direct)))
    assert np.abs((ours - direct) / unit).to_numpy().max() < 1e-10  # rounding of an inverse
    fixed = ours.sort_index().loc[("", "")].sort_index(axis=1)[("", "")]
    assert np.allclose(fixed.loc[[*fit.terms], [*fit.terms]], fit.vcov, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", ["sleepstudy", "orthodont", "cake"])
def test_the_joint_covariance_is_that_of_r_where_nothing_is_permuted(name):
    if lme4_has("vcov_full"):
        assert same_bits(fitted(name).vcov_full(), plain(fitted(name), FRAME.format("vcov(m, full = TRUE)")))
    at = fitted(name).get_me("L").permutation
    assert np.array_equal(at, np.arange(len(at)))


def test_the_joint_covariance_of_r_forgets_the_permutation():  # where this fails lme4 has mended it: say since when
    if lme4_has("vcov_full"):
        theirs = np.reshape(plain(fitted("pastes"), FRAME.format("vcov(m, full = TRUE)")), (41, 41))
        assert np.abs(np.diag(theirs) / np.diag(joint_covariance(fitted("pastes"))) - 1).max() > 0.1


@every_model
def test_matrices_and_frames_are_those_of_r(name):
    fit = fitted(name)
    assert same_bits(fit.model_matrix(), plain(fit, "as.vector(model.matrix(m))"))
    assert same_bits(bare(fit.model_matrix("random")), plain(fit, FRAME.format('model.matrix(m, type = "random")')))
    raw = fit.model_matrix("random_list_raw")
    assert list(raw) == plain(fit, 'names(model.matrix(m, type = "randomListRaw"))')
    for fixed_only in (False, True):
        frame = fit.model_frame(fixed_only=fixed_only)
        code = f"model.frame(m, fixed.only = {str(fixed_only).upper()})"
        assert list(frame.columns) == plain(fit, f"names({code})")
        for column in frame:
            theirs = plain(fit, f'as.character({code}[["{column}"]])')
            assert frame[column].astype(str).tolist() == theirs or same_bits(frame[column], np.array(theirs, float))


def test_a_frame_has_transformed_columns_weights_and_offset():
    fit = weighted()
    expected = ["Reaction", "log(Days + 1)", "poly(Days, 2).1", "poly(Days, 2).2", "third", "Subject"]
    assert sorted(fit.model_frame().columns) == sorted([*expected, "(offset)", "(weights)"])
    assert same_bits(fit.model_frame()["poly(Days, 2).2"], plain(fit, 'model.frame(m)[["poly(Days, 2)"]][, 2L]'))
    assert fit.model_frame()["third"].cat.ordered
    fixed = fit.model_frame(fixed_only=True).columns
    assert [*dict.fromkeys(name.split(".")[0] for name in fixed)] == plain(
        fit, "names(model.frame(m, fixed.only = TRUE))"
    )
    assert set(expected[:-1]) <= set(fixed)


@every_model
@pytest.mark.parametrize("only", ["fixed", "random", "both"])
def test_terms_are_those_of_r(name, only):
    fit = fitted(name)
    ours = fit.model_terms(fixed_only=only == "fixed", random_only=only == "random")
    code = f"terms(m, fixed.only = {only == 'fixed'}, random.only = {only == 'random'})".replace("True", "TRUE")
    code = code.replace("False", "FALSE")
    assert list(ours.labels) == plain(fit, f'attr({code}, "term.labels")')
    assert same_bits(ours.order, plain(fit, f'as.double(attr({code}, "order"))'))
    assert same_bits(ours.factors, plain(fit, f'as.double(attr({code}, "factors"))'))
    assert ours.intercept == (plain(fit, f'attr({code}, "intercept")')[0] == 1)
    assert ours.response == fit.formula_of().split(" ~ ")[0]
    assert ours.assign.equals(fit.model_terms().assign)


def test_each_column_of_the_fixed_part_belongs_to_a_term():
    assign = fitted("cake").model_terms().assign
    assert assign[["(Intercept)", "recipeB", "temperature.L", "recipeB:temperature^5"]].tolist() == [
        "(Intercept)",
        "recipe",
        "temperature",
        "recipe:temperature",
    ]


@every_model
def test_formulas_and_the_call_are_those_of_r(name):
    fit = fitted(name)
    for only in ({}, {"fixed_only": True}, {"random_only": True}):
        given = "".join(f", {key.replace('_', '.')} = TRUE" for key in only)
        assert [fit.formula_of(**only)] == plain(fit, f"deparse1(formula(m{given}))")
    assert [fit.get_call()] == plain(fit, "deparse1(getCall(m))")
    assert [*fit.family] == plain(fit, 'unlist(family(m)[c("family", "link")], use.names = FALSE)')


@every_model
@pytest.mark.parametrize("reml", [True, False])
def test_criteria_are_those_of_r(name, reml):
    fit = fitted(name, reml=reml)
    for by in (True, False):
        assert same_bits([fit.loglik_of(reml=by)], plain(fit, f"as.double(logLik(m, REML = {str(by).upper()}))"))
        assert fit.loglik_of(reml=by).reml == by
    assert same_bits([fit.loglik_of()], [fit.loglik])
    assert same_bits([fit.deviance_of(reml=False)], plain(fit, "deviance(m, REML = FALSE)"))
    assert same_bits([fit.deviance_of()], [fit.criterion])
    assert same_bits([fit.reml_crit], plain(fit, "REMLcrit(m)"))
    assert same_bits([*fit.extract_aic()], plain(fit, "extractAIC(m)"))
    assert same_bits([*fit.extract_aic(k=3)], plain(fit, "extractAIC(m, k = 3)"))
    info = fit.llik_aic()
    ours = [info.aic, info.bic, info.loglik, info.criterion, info.df_residual]
    assert same_bits(ours, plain(fit, "as.double(llikAIC(m, chkREML = FALSE)$AICtab)"))
    assert same_bits([fit.df_residual], plain(fit, "as.double(df.residual(m))"))
    assert same_bits(fit.ngrps, plain(fit, "as.double(ngrps(m))"))
    assert list(fit.ngrps.index) == plain(fit, "names(ngrps(m))")
    assert fit.is_reml == reml


@every_model
def test_the_optimizers_end_is_that_of_r(name):
    fit, info = fitted(name), fitted(name).optinfo
    for ours, theirs in (
        (info.value, "m@optinfo$val"),
        (info.gradient, "m@optinfo$derivs$gradient"),
        (info.hessian, "as.vector(m@optinfo$derivs$Hessian)"),
        ([info.function_evals], "as.double(m@optinfo$feval)"),
        ([info.code], "as.double(m@optinfo$conv$opt)"),
    ):
        assert same_bits(ours, plain(fit, theirs))
    assert [info.optimizer, info.message] == plain(fit, "c(m@optinfo$optimizer, m@optinfo$message)")
    assert list(info.value.index) == plain(fit, 'names(getME(m, "lower"))')
    assert info.warnings == ()


def bad():
    """A fit whose optimizer was stopped at once."""
    return lmer(*MODELS["sleepstudy"][:1], load_dataset("sleepstudy"), control={"optCtrl": {"maxeval": 3}})


def test_the_report_of_convergence_is_what_the_fit_was_told():
    assert fitted("sleepstudy").convergence().messages == ()
    stopped = bad()
    report = stopped.convergence()
    assert list(report.messages) == plain(stopped, "as.character(m@optinfo$conv$lme4$messages)")
    assert same_bits(report.codes, plain(stopped, "as.double(m@optinfo$conv$lme4$code)"))
    assert len(report.messages) > 0


def test_singular_terms_are_those_at_the_boundary():
    fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"))
    assert fit.is_singular()
    assert fit.singular_terms().to_dict() == {"Batch": True}
    assert fit.convergence().messages[0].startswith("boundary (singular) fit")
    pastes = fitted("pastes")
    assert not pastes.is_singular()
    assert pastes.is_singular(tol=100.0)
    least = pastes.theta.min()
    flags = pastes.singular_terms(tol=least * 1.001)
    assert flags.sum() == 1
    assert flags[pastes.varcorr.blocks[pastes.theta.argmin()].name]
    for tol in (-1.0, "0"):
        with pytest.raises(InvalidArgument, match="at least 0"):
            pastes.is_singular(tol=tol)


@cache
def three():
    """A model with a random term of three columns."""
    return lmer("score ~ Machine + (Machine | Worker)", load_dataset("Machines", "nlme"))


@pytest.mark.parametrize("name", [*MODELS, "three"])
@pytest.mark.parametrize("order", ["cov.last", "lower.tri"])
def test_variances_are_in_the_order_asked_for(name, order):
    fit, code = three() if name == "three" else fitted(name), f'as.data.frame(VarCorr(m), order = "{order}")'
    ours = fit.varcorr.table(order=order)
    for column, theirs in (("vcov", "vcov"), ("sdcor", "sdcor")):
        assert same_bits(ours[column], plain(fit, f"{code}${theirs}"))
    assert list(ours["term2"]) == plain(fit, f"{code}$var2")
    assert [str(dtype) for dtype in ours.dtypes] == ["object"] * 3 + ["float64"] * 2


@every_model
def test_variances_have_any_scale(name):
    fit = fitted(name)
    for sigma in (1.0, 3.0):
        ours = fit.varcorr_of(sigma=sigma)
        assert same_bits(ours.frame["vcov"], plain(fit, f"as.data.frame(VarCorr(m, sigma = {sigma}))$vcov"))
    for block, factor in zip(fit.varcorr_of(sigma=1.0), fit.get_me("Tlist").values(), strict=True):
        assert np.allclose(block.covariance, factor @ factor.T, rtol=1e-14)
    for sigma in (0.0, -1.0, np.nan):
        with pytest.raises(InvalidArgument, match="positive"):
            fit.varcorr_of(sigma=sigma)


@every_model
def test_variances_print_as_in_r(name):
    for comp, code in ((("Std.Dev.",), ""), (("Variance", "Std.Dev."), ', comp = c("Variance", "Std.Dev.")')):
        text = plain(fitted(name), f"utils::capture.output(print(VarCorr(m){code}))")
        assert fitted(name).varcorr_text(comp=comp).splitlines() == text


@every_model
def test_principal_components_are_those_of_r(name):
    fit = fitted(name)
    assert list(fit.re_pca()) == plain(fit, "names(rePCA(m))")
    for group, pca in fit.re_pca().items():
        code = f'rePCA(m)[["{group}"]]'
        assert same_bits(pca.sdev, plain(fit, f"{code}$sdev"))
        assert same_bits(pca.rotation, plain(fit, FRAME.format(f"{code}$rotation")))
        theirs = plain(fit, f"as.vector(t(summary({code})$importance[2:3, ]))")
        assert np.allclose(
            pca.importance[["proportion", "cumulative"]].to_numpy().T.ravel(), theirs, atol=5e-6
        )  # rounded
        assert list(pca.rotation.index) == list(fit.ranef[group].columns)


@every_model
def test_the_deviance_function_has_its_optimum_at_the_estimates(name):
    fit, deviance = fitted(name), fitted(name).devfun()
    code = """attachNamespace("lme4")
      on.exit(detach("package:lme4")) # as.function() needs it there
      as.function(m)(m@theta + 0.1)"""
    assert deviance(deviance.theta) == pytest.approx(
        deviance.optimum, rel=1e-13
    )  # another object of lme4's, maybe permuted
    assert deviance(deviance.theta + 0.1) == pytest.approx(plain(fit, code)[0], rel=1e-13)
    assert deviance(deviance.theta + 0.1) > deviance.optimum
    assert (deviance.lower <= deviance.theta).all()


def test_a_deviance_function_pickles():
    deviance = fitted("sleepstudy").devfun()
    copy = pickle.loads(pickle.dumps(deviance))
    assert copy([1, 0, 1]) == deviance([1, 0, 1])


def test_the_data_are_those_the_model_was_fitted_to():
    data = load_dataset("sleepstudy").set_index(np.arange(180) * 2)
    fit = lmer("Reaction ~ Days + (1 | Subject)", data)
    data["Days"] = 0
    assert fit.get_data()["Days"].max() == 9
    assert fit.get_data().index.equals(data.index)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda fit: fit.model_matrix("both"), "type is 'both'"),
        (lambda fit: fit.weights(type="all"), "type is 'all'"),
        (lambda fit: fit.formula_of(fixed_only=True, random_only=True), "one of them"),
        (lambda fit: fit.varcorr_text(comp=()), "comp is"),
        (lambda fit: fit.varcorr.table(order="first"), "order is 'first'"),
        (lambda fit: fit.vcov_of(sigma=-1), "sigma is -1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_our_words(call, said):
    with pytest.raises(InvalidArgument, match=said):
        call(fitted("sleepstudy"))


def test_working_weights_are_there_or_an_error_names_their_version():
    fit = weighted()
    if lme4_has("weights_type"):
        assert same_bits(fit.weights(type="working").dropna(), plain(fit, "m@pp$Xwts^2"))
    else:
        with pytest.raises(NeedsNewer, match=GATES["weights_type"].since):
            fit.weights(type="working")


@cache
def structured(formula):
    return lmer(formula, load_dataset("sleepstudy"))


def test_an_autoscaled_model_tells_of_its_columns_as_they_are():
    if not lme4_has("autoscale"):
        pytest.skip("lme4 is older than 1.1-38")
    data = load_dataset("sleepstudy").assign(far=lambda d: 1000 * d["Days"] + 5, other=np.tile([1.0, 4.0, 2.0], 60))
    formula = "Reaction ~ far + other + (Days | Subject)"
    scaled, as_it_is = lmer(formula, data, control={"autoscale": True}), lmer(formula, data)
    assert same_bits(scaled.model_matrix(), plain(scaled, "as.vector(model.matrix(m))"))
    assert np.allclose(scaled.model_matrix(), as_it_is.model_matrix(), rtol=1e-12)
    assert np.allclose(scaled.vcov_full(), as_it_is.vcov_full(), rtol=1e-3, atol=1e-9)  # another optimum
    fixed = scaled.vcov_full().to_numpy()[-3:, -3:]
    assert np.allclose(fixed, scaled.vcov, rtol=1e-8)


STRUCTURED = ["Reaction ~ Days + diag(Days | Subject)", "Reaction ~ Days + cs(1 + Days | Subject, hom = FALSE)"]


@pytest.mark.parametrize("formula", STRUCTURED)
def test_parts_of_a_model_with_a_structure_are_those_of_r(formula):
    if not lme4_has("structured_covariance"):
        pytest.skip("lme4 is older than 2.0-1")
    fit = structured(formula)
    for part in ("par", "lower", "devarg", "theta", "Lambdat", "Tlist"):
        code = (
            f'unlist(getME(m, "{part}"), use.names = FALSE)'
            if part != "Lambdat"
            else FRAME.format('getME(m, "Lambdat")')
        )
        assert same_bits(bare(fit.get_me(part)), plain(fit, code))
    assert fit.get_me("npar") == len(fit.get_me("par")) == len(fit.optinfo.value)
    assert fit.devfun()(fit.get_me("theta")) == pytest.approx(fit.criterion, rel=1e-13)
    assert same_bits(fit.ranef_table()["std_error"], plain(fit, "as.data.frame(ranef(m))$condsd"))
    assert np.abs(fit.vcov_full() - joint_covariance(fit)).to_numpy().max() < 1e-8
    assert not fit.singular_terms().any()
    assert fit.varcorr_text().splitlines() == plain(fit, "utils::capture.output(print(VarCorr(m)))")
    assert fit.me_parts().npar == fit.get_me("npar")


def test_without_fixed_effects_everything_is_what_it_is_with_them():
    fit, other = lmer("Reaction ~ 0 + (1 | Subject)", load_dataset("sleepstudy")), fitted("sleepstudy")
    for part in ("X", "RX", "RZX", "fixef", "beta", "ALL"):
        assert type(fit.get_me(part)) is type(other.get_me(part)), part
    assert fit.get_me("X").shape == fit.model_matrix().shape == (180, 0)
    assert fit.get_me("RX").shape == fit.vcov_of().shape == fit.vcov_of(correlation=True).shape == (0, 0)
    assert fit.get_me("RZX").shape == (18, 0)
    assert fit.fixef_with().equals(fit.fixef)
    modes = fit.ranef_table()["std_error"] ** 2
    np.testing.assert_allclose(np.diag(fit.vcov_full()), modes, rtol=1e-12)  # rounding: theta alone is estimated
