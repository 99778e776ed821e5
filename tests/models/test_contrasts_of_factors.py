"""Own contrasts of a factor are R's ``contrasts = list(f = matrix)``: names, bits, new data, means, refusals."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import compare, lmer
from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument, LmerBridgeError, NotExpressible
from lmerbridge.inputs.spec import Spec
from tests.oracle import plain, same_bits

DRAW = np.random.default_rng(3)
FRAME = pd.DataFrame({"f": np.resize(["b", "c", "a", "d"], 96), "x": DRAW.normal(size=96), "g": np.arange(96) % 8})
FRAME = FRAME.assign(
    y=DRAW.normal(size=96)
    + FRAME["f"].map({"a": 0.0, "b": 1.0, "c": 3.0, "d": -1.0})
    + DRAW.normal(size=8)[FRAME["g"]],
    ordered=pd.Categorical(FRAME["f"], ["d", "c", "b", "a"], ordered=True),
    spare=pd.Categorical(FRAME["f"], ["z", "c", "b", "a", "d"]),
    late=FRAME["x"] > 0,
)
FULL = np.array([[-3, 1, -1], [-1, -1, 3], [1, -1, -3], [3, 1, 1]]) / 2
TABLE = pd.DataFrame(FULL, list("abcd"), ["slope", "curve", "rest"])
MATRICES = {  # factor, what is given, the same in R: rows in the order of the levels
    "an array": ("f", FULL, FULL, None),
    "integers": ("f", (FULL * 2).astype(int), FULL * 2, None),
    "an array of fewer columns": ("f", FULL[:, :1], FULL[:, :1], None),
    "a table": ("f", TABLE, FULL, ["slope", "curve", "rest"]),
    "a table in another order": ("f", TABLE.iloc[[2, 0, 3, 1]], FULL, ["slope", "curve", "rest"]),
    "a table without names": ("f", pd.DataFrame(FULL), FULL, None),
    "a table of two columns": ("f", TABLE[["curve", "slope"]], FULL[:, [1, 0]], ["curve", "slope"]),
    "a table of names that are numbers": ("f", TABLE.set_axis([10, 20, 30], axis=1), FULL, ["10", "20", "30"]),
    "an ordered factor": ("ordered", TABLE, FULL[::-1], ["slope", "curve", "rest"]),
    "levels that no row has": ("spare", TABLE, FULL[[2, 1, 0, 3]], ["slope", "curve", "rest"]),
    "a row for a level that no row has": (
        "spare",
        pd.concat([TABLE, TABLE.iloc[:1].set_axis(["z"])]),
        FULL[[2, 1, 0, 3]],
        ["slope", "curve", "rest"],
    ),
    "a logical column": ("late", np.array([[-0.5], [0.5]]), np.array([[-0.5], [0.5]]), None),
}


def in_r(matrix, names):
    values = ", ".join(map(repr, matrix.ravel(order="F").tolist()))
    named = f"list(NULL, c({', '.join(map(repr, names))}))" if names else "NULL"
    return f"matrix(c({values}), {len(matrix)}, dimnames = {named})"


def fit(factor, matrix, formula="y ~ {f} * x + (1 | g)", data=FRAME, **arguments):
    return lmer(formula.format(f=factor), data, contrasts={factor: matrix}, **arguments)


@pytest.mark.parametrize(
    "formula", ["y ~ {f} * x + (1 | g)", "y ~ x + {f}:x + (1 | g)", "y ~ 0 + {f} + x:{f} + (1 | g)"]
)
@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_gives_r_s_bits_and_names(name, formula):
    factor, given, matrix, names = MATRICES[name]
    found = fit(factor, given, formula)
    formula = formula.format(f=factor)
    code = f"""n <- lme4::lmer({formula}, droplevels(get("data", environment(formula(m)))),
                               contrasts = list({factor} = {in_r(matrix, names)}))"""
    assert same_bits(found.beta, plain(found, f"{code}; as.vector(lme4::fixef(n))"))
    assert same_bits(found.covariance, plain(found, f"{code}; as.vector(as.matrix(vcov(n)))"))
    assert list(found.terms) == plain(found, f"{code}; names(lme4::fixef(n))")


@pytest.fixture(scope="module")
def pair():
    """A fit with own contrasts, and one of the same model by R's own."""
    return fit("f", TABLE), lmer("y ~ f * x + (1 | g)", FRAME)


def test_whatever_the_contrasts_the_model_is_the_same(pair):
    own, plain_fit = pair
    new = FRAME.iloc[[3, 50, 11]]
    np.testing.assert_allclose(own.predict(new), plain_fit.predict(new), rtol=1e-6)
    np.testing.assert_allclose(own.fitted, plain_fit.fitted, rtol=1e-5)
    means = [found.emmeans("f").frame for found in pair]
    pd.testing.assert_frame_equal(*means, rtol=1e-4)
    assert own.criterion != plain_fit.criterion  # REML's depends on the coding
    np.testing.assert_allclose(own.anova().frame.iloc[2], plain_fit.anova().frame.iloc[2], rtol=1e-4)


def test_the_contrasts_stay_in_other_models_from_this_one(pair):
    own, _ = pair
    updated = own.update(". ~ . - f:x")
    assert "fcurve" in updated.terms
    assert updated.update(". ~ . - f").spec.contrasts == {}
    assert own.update(contrasts={"f": "contr.sum"}).terms[1:4] == ("f1", "f2", "f3")
    assert own.update(contrasts={"f": FULL}).terms[1:4] == ("f1", "f2", "f3")
    again = own.refit(FRAME["y"].to_numpy() + 1)
    assert again.terms == own.terms
    assert own.refit_ml().terms == own.terms
    assert own.drop1().frame.index.tolist() == ["<none>", "f:x"]


def test_a_matrix_that_is_changed_after_the_fit_changes_no_fit():
    given = FULL.copy()
    found = fit("f", given)
    given[:] = 7
    np.testing.assert_array_equal(found.spec.contrasts["f"], FULL)


WRONG = {
    "a dimension": (FULL[:, 0], "has shape .4,."),
    "too few rows": (FULL[:3, :2], "has shape .3, 2.; a row for each of the 4 levels a, b, c, d, and 1 to 3 columns"),
    "too many rows": (np.vstack([FULL, FULL[:1]]), "has shape .5, 3."),
    "too many columns": (np.eye(4), "has shape .4, 4."),
    "no column": (FULL[:, :0], "has shape .4, 0."),
    "a value that is none": (np.where(FULL == 1.5, np.nan, FULL), "not finite"),
    "text": (np.full((4, 2), "a"), "does not hold numbers"),
    "a table of text": (TABLE.astype(object).assign(curve="a"), "does not hold numbers"),
    "columns that are equal": (FULL[:, [0, 0]], "full rank beside a constant"),
    "a constant column": (np.column_stack([FULL[:, 0], np.ones(4)]), "full rank beside a constant"),
    "a level without a row": (TABLE.rename(index={"c": "z"}), "no row for 'c'; its index is to name the levels a, b"),
    "two rows of one name": (pd.concat([TABLE, TABLE]), "two rows of one name"),
    "two columns of one name": (TABLE.set_axis(["u", "u", "v"], axis=1), "names that differ"),
    "a name with NUL": (TABLE.set_axis(["u\0", "w", "v"], axis=1), "without NUL"),
    "a function that is none": ("contr.nothing", "or a matrix, an array or a DataFrame, with a row per level"),
    "a list": ([[1], [2], [3], [4]], "or a matrix, an array or a DataFrame"),
    "none": (None, "or a matrix"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_matrix_that_r_could_not_use_is_refused_in_words(name, monkeypatch):
    monkeypatch.setattr("lmerbridge.bridge.host.worker", lambda: pytest.fail("R was asked"))
    given, told = WRONG[name]
    with pytest.raises(InvalidArgument, match=rf"contrasts\['f'\] .*{told}"):
        fit("f", given)


def test_only_a_factor_has_contrasts():
    with pytest.raises(InvalidArgument, match=r"contrasts\['x'\] is for a column of text or a categorical"):
        lmer("y ~ x + (1 | g)", FRAME, contrasts={"x": FULL})
    with pytest.raises(InvalidArgument, match="which the formula does not use"):
        lmer("y ~ x + (1 | g)", FRAME, contrasts={"f": FULL})


def test_a_level_that_only_missing_values_take_away_is_told_by_r():
    lost = FRAME.assign(x=FRAME["x"].mask(FRAME["f"] == "d"))
    with pytest.raises(InvalidArgument, match="a row per level that the rows used have"):
        fit("f", FULL, data=lost, na_action="omit")


IN_PYTHON = ("statsmodels", "mixedlm", "interlace", "glmm", "mixedlm-rs", "lme-python", "gpboost")


@pytest.mark.parametrize("engine", ["nlme", "mgcv", "lme4[bobyqa]", *IN_PYTHON])
def test_an_engine_is_given_the_matrix_or_says_that_it_cannot(engine):
    spec = Spec(formula="y ~ f + x + (1 | g)", data=FRAME, contrasts={"f": TABLE}, reml=engine != "gpboost")
    own = lmer(spec.formula, FRAME, reml=spec.reml, contrasts=spec.contrasts)
    try:
        found = find(engine).fit(spec)
    except NotExpressible as error:
        assert "are a matrix" in str(error)  # noqa: PT017 - either may be
        assert engine in IN_PYTHON
    except LmerBridgeError as error:
        pytest.skip(str(error))
    else:
        assert found.terms == own.terms
        np.testing.assert_allclose(found.beta, own.beta, rtol=1e-4)


def test_a_comparison_with_a_matrix_is_reproduced(tmp_path):
    found = compare("y ~ f + x + (1 | g)", FRAME, candidate="lme4[bobyqa]", contrasts={"f": TABLE})
    assert 'dimnames = list(NULL, c("slope", "curve", "rest"))' in found.reproduce("r", tmp_path).read_text()
    script = found.reproduce("python", tmp_path).read_text()
    assert "columns=['slope', 'curve', 'rest']" in script
    compile(script, "finding.py", "exec")
