"""Tests of random terms and backward elimination, against plain R."""

import pickle

import numpy as np
import pytest

from lmerbridge import lmer
from lmerbridge.errors import InvalidArgument, LmerBridgeWarning, NotExpressible
from tests.models.test_inference import APPROXIMATE, BY_DIFFERENCES, extra
from tests.oracle import MODELS, fitted, plain
from tests.processes import in_r

MIXED = ["eliminated", "npar", "loglik", "aic", "lrt", "df", "p_value"]
FIXED = ["eliminated", "sum_sq", "mean_sq", "num_df", "den_df", "f_value", "p_value", "ddf"]


def in_plain_r(name, code):
    """Tables of plain R on `m`, the model fitted by plain R: values, column by column, and names of rows."""
    formula, dataset, package = MODELS[name]
    data = f"{package or 'lme4'}::{dataset}"
    texts = in_r(
        f"""local({{
          flat <- function(t) c(dim(t), rownames(t), sprintf('%a', as.double(unlist(t, use.names = FALSE))))
          d <- {data}; m <- suppressWarnings(lmerTest::lmer({formula}, d)); {code}
        }}, globalenv())"""
    )
    found = []
    while texts:
        rows, columns = int(texts[0]), int(texts[1])
        names, values, texts = np.split(texts[2:], [rows, rows * (columns + 1)])
        found.append(([np.nan if text == "NA" else float.fromhex(text) for text in values], list(names)))
        texts = list(texts)
    return found


def agrees(table, values, rows, rtol=BY_DIFFERENCES):
    np.testing.assert_allclose(table.to_numpy(float).ravel(order="F"), values, rtol=rtol)
    return list(table.index) == rows


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("reduce", [True, False])
def test_each_random_term_is_tested_as_by_lmertest(name, reduce):
    table = fitted(name).ranova(reduce_terms=reduce)
    (theirs,) = in_plain_r(name, f"flat(lmerTest::ranova(m, reduce.terms = {str(reduce).upper()}))")
    assert agrees(table.frame, *theirs)
    assert list(table.frame.columns) == MIXED[1:]
    assert str(table).startswith("ANOVA-like table for random-effects: Single term deletions")


@pytest.mark.parametrize("name", MODELS)
def test_elimination_goes_the_way_of_lmertest(name):
    fit = fitted(name)
    ddf = APPROXIMATE[name == "orthodont"]
    steps = fit.step(ddf=ddf)
    beta = "data.frame(b = lme4::fixef(lmerTest::get_model(s)))"
    code = f"s <- lmerTest::step(m, ddf = '{ddf}'); c(flat(s$random), flat(s$fixed), flat({beta}))"
    random, fixed, left = in_plain_r(name, code)
    assert agrees(steps.random, *random)
    assert agrees(steps.fixed.drop(columns="ddf"), *fixed)
    assert agrees(steps.model.fixef.to_frame(), *left, rtol=0)
    assert list(steps.random.columns) == MIXED
    assert list(steps.fixed.columns) == FIXED
    assert set(steps.fixed["ddf"]) <= {ddf}
    assert str(steps).endswith(f"Model found:\n{steps.formula}")


def test_terms_can_be_kept():
    fit = fitted("cake")
    steps = fit.step(keep=["recipe:temperature"], reduce_random=False)
    assert steps.formula == "angle ~ recipe * temperature + (1 | recipe:replicate)"
    assert steps.model.terms == fit.terms
    assert fit.step(reduce_fixed=False, alpha_random=1).model.terms == fit.terms
    with pytest.raises(InvalidArgument, match="keep names time, which is no term of the fixed part"):
        fit.step(keep=["time"])
    with pytest.raises(InvalidArgument, match="alpha_fixed is 5"):
        fit.step(alpha_fixed=5)


def test_where_no_random_term_is_left_the_table_has_its_columns_and_there_is_no_model(datasets):
    with pytest.warns(LmerBridgeWarning, match="singular"):
        fit = lmer("Yield ~ 1 + x + (1 | Batch)", datasets("Dyestuff2").assign(x=np.tile([1.0, 2.0, 4.0], 10)))
    steps = fit.step(reduce_fixed=False)
    theirs = in_r("""local({
      d <- lme4::Dyestuff2; d$x <- rep(c(1, 2, 4), 10)
      m <- suppressMessages(lmerTest::lmer(Yield ~ 1 + x + (1 | Batch), d))
      s <- lmerTest::step(m, reduce.fixed = FALSE)$fixed
      as.double(s[, c("Eliminated", "Sum of Sq", "Df", "F value", "Pr(>F)")])
    }, globalenv())""")
    ours = steps.fixed[["eliminated", "sum_sq", "num_df", "f_value", "p_value"]]
    np.testing.assert_allclose(ours.to_numpy(float).ravel(), theirs, rtol=1e-12)
    assert list(steps.fixed.columns) == FIXED
    assert list(steps.fixed["ddf"]) == ["residual"]
    assert steps.formula == "Yield ~ x"
    with pytest.raises(NotExpressible, match="no random term is left of the model: Yield ~ x is for R's lm"):
        _ = steps.model


@pytest.mark.slow
@pytest.mark.parametrize("way", ["weights", "offset", "subset", "exclude", "control", "contrasts", "all"])
def test_what_the_fit_was_called_with_holds_for_smaller_models(datasets, way):
    (fit, _), script = extra(datasets, way)

    def theirs(code):
        return np.asarray(in_r(f"local({{{script}\n {code}}}, new.env(parent = asNamespace('lme4')))"), float)

    found = theirs("m <- lmerTest::as_lmerModLmerTest(m); as.double(unlist(lmerTest::ranova(m)))")
    np.testing.assert_allclose(fit.ranova().frame.to_numpy(float).ravel(order="F"), found, rtol=BY_DIFFERENCES)
    steps = fit.step()
    found = theirs("m <- lmerTest::as_lmerModLmerTest(m); as.double(unlist(lmerTest::step(m)$fixed))")
    np.testing.assert_allclose(
        steps.fixed.drop(columns="ddf").to_numpy(float).ravel(order="F"), found, rtol=BY_DIFFERENCES
    )
    assert "half" not in steps.model.formula


def test_a_transformed_response_is_one_too(sleepstudy):
    """lmerTest 3.2 takes the response for the name of a column."""
    fit = lmer("log(Reaction) ~ Days + (Days | Subject)", sleepstudy)
    same = lmer("y ~ Days + (Days | Subject)", sleepstudy.assign(y=np.log(sleepstudy["Reaction"])))
    np.testing.assert_allclose(fit.ranova().frame, same.ranova().frame, rtol=1e-6)  # numpy's logarithms are not R's
    steps = fit.step()
    assert steps.formula == "log(Reaction) ~ Days + (Days | Subject)"
    assert steps.model.theta.tolist() == fit.theta.tolist()
    assert "`" not in str(steps) + str(fit.ranova())


def test_a_start_is_for_its_own_theta_only(datasets):
    (fit, _), _ = extra(datasets, "start")
    np.testing.assert_allclose(fit.ranova().frame["npar"], [7, 5])
    assert fit.step().model.spec.start is None


def test_a_model_without_a_slope_is_tested_against_one_of_lm():
    """The last random term leaves a model of lm, whose data and weights lmerTest has to find."""
    table = fitted("sleepstudy").step(reduce_fixed=False).start.ranova(reduce_terms=False).frame
    assert table["npar"].to_list() == [6, 3]
    theirs = plain(fitted("sleepstudy"), "as.double(logLik(lm(Reaction ~ Days, lme4::sleepstudy), REML = TRUE))")
    assert table["loglik"].iloc[1] == theirs[0]


def test_steps_survive_a_pickle():
    steps = fitted("cake").step()
    again = pickle.loads(pickle.dumps(steps))
    assert str(again) == str(steps)
    assert list(again.model.fixef) == list(steps.model.fixef)
