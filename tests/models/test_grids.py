"""Grids with nested, hidden and empty cells, and what they are held at: each table is R's in every column."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer
from lmerbridge.errors import InputError, InvalidArgument, RWarning
from tests.chance import generator
from tests.oracle import plain, same_bits

pytestmark = pytest.mark.filterwarnings("ignore::lmerbridge.errors.RWarning")  # emmeans' notes are tested elsewhere

LOGICAL = {"True": "TRUE", "False": "FALSE"}
HOUSE = {"a": "x", "b": "x", "c": "y", "d": "y", "e": "z", "f": "z"}
DESIGNS = {  # formula, further arguments of lmer
    "nested": ("y ~ f + h + (1 | g)", {}),
    "nested beside a covariate": ("y ~ h + f + x + (1 | g)", {}),
    "nested by an interaction": ("y ~ h / f + (1 | g)", {}),
    "nested beside a crossed factor": ("y ~ f + h + k + (1 | g)", {}),
    "nested twice": ("y ~ f + h + s + (1 | g)", {}),
    "empty cells": ("y ~ k * u + (1 | g)", {}),
    "empty cells and a covariate": ("y ~ k * u + x + (1 | g)", {}),
    "an aliased covariate": ("y ~ k + x + twice + (1 | g)", {}),
    "a slope by level": ("y ~ k * x + (x | g)", {}),
    "an offset": ("y ~ k + x + offset(z) + (1 | g)", {}),
    "weights": ("y ~ k + h + x + (1 | g)", {"weights": "w"}),
    "three factors": ("y ~ k * v * h + (1 | g)", {}),
    "a factor of the formula's": ("y ~ as.factor(k) + x + (1 | g)", {}),
    "a logical": ("y ~ k * late + x + (1 | g)", {}),
    "contrasts": ("y ~ k * h + x + (1 | g)", {"contrasts": {"k": "contr.sum", "h": "contr.helmert"}}),
    "a transformed response": ("log(y + 20) ~ k + x + (1 | g)", {"reml": False}),
    "no intercept": ("y ~ 0 + k + x + (1 | g)", {}),
    "functions": ("y ~ k + poly(x, 2) + log(w) + (1 | g)", {}),
}
STEPS = {  # our calls on a fit; R's of m
    "ref_grid": (lambda fit, a: fit.ref_grid(ddf="asymptotic"), "ref_grid(m, {ddf})"),
    "means": (lambda fit, a: fit.emmeans(a, ddf="asymptotic"), 'emmeans(m, "{a}", {ddf})'),
    "overall": (lambda fit, a: fit.emmeans("1", ddf="asymptotic"), 'emmeans(m, "1", {ddf})'),
    "pairs": (lambda fit, a: fit.emmeans(a, ddf="asymptotic").pairs(), 'pairs(emmeans(m, "{a}", {ddf}))'),
    "revpairwise": (
        lambda fit, a: fit.emmeans(a, ddf="asymptotic").pairs(reverse=True),
        'contrast(emmeans(m, "{a}", {ddf}), "revpairwise")',
    ),
    "eff": (
        lambda fit, a: fit.emmeans(a, ddf="asymptotic").contrast("eff"),
        'contrast(emmeans(m, "{a}", {ddf}), "eff")',
    ),
    "trt.vs.ctrl": (
        lambda fit, a: fit.emmeans(a, ddf="asymptotic").contrast("trt.vs.ctrl"),
        'contrast(emmeans(m, "{a}", {ddf}), "trt.vs.ctrl")',
    ),
    "consec": (
        lambda fit, a: fit.emmeans(a, ddf="asymptotic").contrast("consec", adjust="holm"),
        'contrast(emmeans(m, "{a}", {ddf}), "consec", adjust = "holm")',
    ),
    "poly": (
        lambda fit, a: fit.emmeans(a, ddf="asymptotic").contrast("poly"),
        'contrast(emmeans(m, "{a}", {ddf}), "poly")',
    ),
    "cells": (
        lambda fit, a: fit.emmeans(a, weights="cells", ddf="asymptotic"),
        'emmeans(m, "{a}", weights = "cells", {ddf})',
    ),
    "proportional": (
        lambda fit, a: fit.emmeans(a, weights="proportional", ddf="asymptotic"),
        'emmeans(m, "{a}", weights = "proportional", {ddf})',
    ),
    "no nesting": (
        lambda fit, a: fit.emmeans(a, nesting=False, ddf="asymptotic"),
        'emmeans(m, "{a}", nesting = NULL, {ddf})',
    ),
    "another offset": (
        lambda fit, a: fit.emmeans(a, offset=2, ddf="asymptotic"),
        'emmeans(m, "{a}", offset = 2, {ddf})',
    ),
    "a grid's offset": (lambda fit, a: fit.ref_grid(offset=2, ddf="asymptotic"), "ref_grid(m, offset = 2, {ddf})"),
    "each value": (
        lambda fit, a: fit.ref_grid(cov_reduce="range", ddf="asymptotic"),
        "ref_grid(m, cov.reduce = range, {ddf})",
    ),
}
OF_X = {  # where x is in the fixed part
    "at": (
        lambda fit, a: fit.emmeans([a, "x"], at={"x": [-1, 2]}, ddf="asymptotic"),
        'emmeans(m, c("{a}", "x"), at = list(x = c(-1, 2)), {ddf})',
    ),
    "medians": (
        lambda fit, a: fit.ref_grid(cov_reduce={"x": "median"}, ddf="asymptotic"),
        "ref_grid(m, cov.reduce = list(x = median), {ddf})",
    ),
    "predicted": (
        lambda fit, a: fit.emmeans(a, cov_reduce=f"x ~ {a}", ddf="asymptotic"),
        'emmeans(m, "{a}", cov.reduce = x ~ {a}, {ddf})',
    ),
    "trends": (lambda fit, a: fit.emtrends(a, "x", ddf="asymptotic"), 'emtrends(m, "{a}", var = "x", {ddf})'),
    "pairs of trends": (
        lambda fit, a: fit.emtrends(a, "x", ddf="asymptotic").pairs(),
        'pairs(emtrends(m, "{a}", var = "x", {ddf}))',
    ),
    "trends by degree": (
        lambda fit, a: fit.emtrends(a, "x", max_degree=2, ddf="asymptotic"),
        'emtrends(m, "{a}", var = "x", max.degree = 2, {ddf})',
    ),
}
TABLE = """
  shown <- function(g) as.data.frame(if (inherits(g, "emmGrid")) summary(g, infer = TRUE) else g)
  e <- list2env(list(m = m), parent = asNamespace("emmeans"))
  s <- tryCatch(suppressWarnings(suppressMessages(shown(eval(quote({code}), e)))), error = conditionMessage)
  number <- vapply(s, is.numeric, TRUE) & !names(s) %in% c("null")
"""
TOLD = """
  if (is.character(s)) s else {
    numbers <- sprintf("%a", as.double(unlist(unclass(s)[number], use.names = FALSE)))
    texts <- as.character(unlist(lapply(s[!number], as.character), use.names = FALSE))
    words <- c("", names(s)[number], "", names(s)[!number])
    c("", length(numbers), length(texts), length(words), numbers, texts, words)
  }
"""  # one evaluation gives all; hexadecimal digits are the whole double


@pytest.fixture(scope="module")
def data():
    rng, rows = generator(5), 150
    frame = pd.DataFrame(
        {
            "g": rng.integers(0, 9, rows).astype(str),
            "f": np.array(list(HOUSE))[rng.integers(0, 6, rows)],
            "k": np.array(list("lmn"))[rng.choice(3, rows, p=[0.6, 0.3, 0.1])],
            "v": np.array(list("pq"))[rng.integers(0, 2, rows)],
            "x": rng.normal(size=rows),
            "z": rng.normal(size=rows),
            "w": rng.uniform(1, 2, rows),
        }
    )
    frame["h"] = frame.f.map(HOUSE)
    frame["s"] = frame.h.map({"x": "north", "y": "south", "z": "south"})
    frame["u"] = np.where(frame.k == "n", "i", np.array(list("ij"))[rng.integers(0, 2, rows)])  # no cell n, j
    frame["late"] = frame.z > 0
    frame["twice"] = 2 * frame.x
    effects = frame.g.astype(int) / 4 + frame.k.map({"l": 0, "m": 1, "n": 2}) + frame.x
    return frame.assign(y=effects + rng.normal(size=rows))


@pytest.fixture(scope="module")
def fits(data):
    found = {}

    def fit(design):
        if design not in found:
            formula, more = DESIGNS[design]
            found[design] = lmer(formula, data, **more)
        return found[design]

    return fit


def in_r(fit, code):
    """The numbers of R's table, its texts, and the names of its columns; or R's words where it stops."""
    told = plain(fit, TABLE.format(code=code) + TOLD)
    if told[0]:
        return None, told[0], None
    numbers, texts, words = (int(count) for count in told[1:4])
    assert len(told) == 4 + numbers + texts + words
    values = told[4 : 4 + numbers]
    return (
        [np.nan if value == "NA" else float.fromhex(value) for value in values],
        told[4 + numbers : 4 + numbers + texts],
        told[4 + numbers + texts :],
    )


def table(grid):
    return pd.concat([grid.frame, grid.test()[["statistic", "p_value"]]], axis=1)


def check_stop(fit, ask):
    """R stops, and so do we, but at an offset: emmeans takes one from 2.0 on; test_scales_of_means has the numbers."""
    if fit.spec.parsed.terms.offsets:
        assert np.isfinite(ask()).all()
        return
    with pytest.raises(InvalidArgument, match=r"emmeans' \w+\(\) stops here"):
        ask()


def check(fit, ask, code):
    numbers, texts, words = in_r(fit, code)
    if numbers is None:
        check_stop(fit, lambda: ask().frame["std_error"])
        return
    found = table(ask())
    ours = found.select_dtypes("number")
    assert same_bits(ours, numbers)
    rest = found.drop(columns=ours.columns)
    found_texts = [LOGICAL.get(str(value), str(value)) for name in rest for value in rest[name]]
    assert found_texts == list(texts)
    assert list(rest.columns) == words[words.index("", 1) + 1 :]


FAMILIES = {  # of a factor by another
    "means": (lambda fit, a, b: fit.emmeans(a, by=b, ddf="asymptotic"), 'emmeans(m, "{a}", by = "{b}", {ddf})'),
    "pairs": (
        lambda fit, a, b: fit.emmeans(a, by=b, ddf="asymptotic").pairs(),
        'pairs(emmeans(m, "{a}", by = "{b}", {ddf}))',
    ),
    "all pairs": (
        lambda fit, a, b: fit.emmeans(a, by=b, ddf="asymptotic").pairs(by=[]),
        'pairs(emmeans(m, "{a}", by = "{b}", {ddf}), by = NULL)',
    ),
    "pairs of the other": (
        lambda fit, a, b: fit.emmeans([a, b], ddf="asymptotic").pairs(by=a),
        'pairs(emmeans(m, c("{a}", "{b}"), {ddf}), by = "{a}")',
    ),
    "contrasts of contrasts": (
        lambda fit, a, b: fit.emmeans([a, b], ddf="asymptotic").contrast(interaction="consec"),
        'contrast(emmeans(m, c("{a}", "{b}"), {ddf}), interaction = "consec")',
    ),
    "contrasts of pairs": (
        lambda fit, a, b: fit.emmeans(a, by=b, ddf="asymptotic").pairs().contrast("consec", by=[], adjust="holm"),
        'contrast(pairs(emmeans(m, "{a}", by = "{b}", {ddf})), "consec", by = NULL, adjust = "holm")',
    ),
    "effect sizes": (
        lambda fit, a, b: fit.emmeans(a, by=b, ddf="asymptotic").eff_size(2, 50),
        'eff_size(emmeans(m, "{a}", by = "{b}", {ddf}), sigma = 2, edf = 50)',
    ),
    "regridded": (
        lambda fit, a, b: fit.emmeans(a, by=b, ddf="asymptotic").regrid(),
        'regrid(emmeans(m, "{a}", by = "{b}", {ddf}), transform = "response")',
    ),
    "nested by word": (
        lambda fit, a, b: fit.emmeans(a, nesting={a: b}, ddf="asymptotic"),
        'emmeans(m, "{a}", nesting = list({a} = "{b}"), {ddf})',
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("step", FAMILIES)
def test_families_are_r_s_in_every_column(fits, design, step):
    fit = fits(design)
    variables = fit.spec.parsed.variables
    factor = "f" if "f" in variables else "k"
    by = next((name for name in "huv" if name in variables), None)
    if by is None:
        pytest.skip("the design has one factor")
    ours, code = FAMILIES[step]
    check(fit, lambda: ours(fit, factor, by), code.format(a=factor, b=by, ddf='lmer.df = "asymptotic"'))


QUICK = ("means", "pairs", "trends")


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("step", [s if s in QUICK else pytest.param(s, marks=pytest.mark.slow) for s in STEPS | OF_X])
def test_a_table_is_r_s_in_every_column(fits, design, step):
    fit = fits(design)
    variables = fit.spec.parsed.variables
    factor = "f" if "f" in variables else "k"
    if step in OF_X and "x" not in variables:
        pytest.skip("the design has no covariate")
    ours, code = (STEPS | OF_X)[step]
    check(fit, lambda: ours(fit, factor), code.format(a=factor, ddf='lmer.df = "asymptotic"'))


def f_tests(numbers, rows):
    """Columns df1, df2, F and p of R's table, without the chi-squared of emmeans 2.0."""
    columns = np.reshape(numbers, (-1, rows))
    return columns[[0, 1, 2, -1]].ravel()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("more", ["", pytest.param("by", marks=pytest.mark.slow)])
def test_joint_tests_are_r_s_in_every_column(fits, design, more):
    fit = fits(design)
    by = next(iter(set("hku") & set(fit.spec.parsed.variables))) if more else None
    arguments = f'by = "{by}", ' if more else ""
    numbers, texts, words = in_r(fit, f'joint_tests(m, {arguments}lmer.df = "asymptotic")')
    if numbers is None:
        check_stop(fit, lambda: fit.joint_tests(by, ddf="asymptotic")["statistic"])
        return
    found = fit.joint_tests(by, ddf="asymptotic")
    assert same_bits(found[["df1", "df2", "statistic", "p_value"]], f_tests(numbers, len(found)))
    rest = found[["term", *([by] if more else []), *(["note"] if "note" in words else [])]]
    assert [str(value) for name in rest for value in rest[name]] == [text.strip() for text in texts]
    assert "note" in words or (found["note"] == "").all()
    assert [str(dtype) for dtype in found[["df1", "df2", "statistic", "p_value"]].dtypes] == ["float64"] * 4


def test_joint_tests_hold_covariates_where_they_are_told(fits):
    fit = fits("a slope by level")
    for ours, theirs in (("range", "range"), ({"x": "quantile"}, "list(x = quantile)")):
        found = fit.joint_tests(cov_reduce=ours, ddf="asymptotic")
        numbers, _, _ = in_r(fit, f'joint_tests(m, cov.reduce = {theirs}, lmer.df = "asymptotic")')
        assert same_bits(found[["df1", "df2", "statistic", "p_value"]], f_tests(numbers, len(found)))


@pytest.mark.slow
@pytest.mark.parametrize("ddf", ["kenward-roger", "satterthwaite"])
@pytest.mark.parametrize("design", ["nested", "empty cells", "an aliased covariate", "a slope by level"])
def test_degrees_of_freedom_where_cells_are_hidden_or_empty_are_r_s(fits, design, ddf):
    fit = fits(design)
    factor = "f" if design == "nested" else "k"
    check(fit, lambda: fit.emmeans(factor, ddf=ddf), f'emmeans(m, "{factor}", lmer.df = "{ddf}")')
    check(fit, lambda: fit.emmeans(factor, ddf=ddf).pairs(), f'pairs(emmeans(m, "{factor}", lmer.df = "{ddf}"))')


def test_hidden_rows_are_not_in_the_covariance_nor_in_a_plot(fits):
    means = fits("nested").emmeans("f", ddf="asymptotic")
    assert means.grid[["f", "h"]].astype(str).to_numpy().tolist() == [list(pair) for pair in HOUSE.items()]
    assert means.vcov.shape == (6, 6)
    np.testing.assert_allclose(np.sqrt(np.diag(means.vcov)), means.frame["std_error"], rtol=1e-12)
    assert means.linfct.shape[0] == 6
    assert [label.get_text() for label in means.plot().get_yticklabels()] == [" ".join(pair) for pair in HOUSE.items()]


def test_a_mean_that_cannot_be_estimated_is_missing(fits):
    means = fits("empty cells").emmeans("k", ddf="asymptotic")
    assert means.frame["estimate"].isna().tolist() == [False, False, True]
    assert means.pairs().frame["estimate"].isna().tolist() == [False, True, True]
    assert means.plot() is not None


def test_a_note_of_nesting_is_a_warning(fits):
    with pytest.warns(RWarning, match=r"A nesting structure was detected in the fitted model:\s+f %in% h"):
        fits("nested").emmeans("f", ddf="asymptotic")


@pytest.mark.parametrize("weights", [[1, 2, 3], [[1, 2, 3], [3, 2, 1], [1, 1, 1]]])
def test_weights_of_one_s_own_are_r_s(fits, weights):
    fit = fits("weights")
    in_words = f"c({', '.join(map(str, np.ravel(weights)))})"
    matrix = in_words if np.ndim(weights) == 1 else f"matrix({in_words}, 3, byrow = TRUE)"
    check(
        fit,
        lambda: fit.emmeans("k", weights=weights, ddf="asymptotic"),
        f'emmeans(m, "k", weights = {matrix}, lmer.df = "asymptotic")',
    )


OWN = {"a": [1, -1, 0], "b": [0.5, 0.5, -1]}
OWN_CONTRASTS = {
    "mapping": (OWN, ["a", "b"]),
    "DataFrame": (pd.DataFrame(OWN), ["a", "b"]),
    "array": (np.array([*OWN.values()], float), ["c1", "c2"]),
    "lists": ([*OWN.values()], ["c1", "c2"]),
    "one list": (OWN["a"], ["c1"]),
}


@pytest.mark.parametrize("by", [None, "v"])
@pytest.mark.parametrize("given", OWN_CONTRASTS)
def test_contrasts_of_one_s_own_within_families_are_r_s(fits, given, by):
    fit, (method, names) = fits("three factors"), OWN_CONTRASTS[given]
    weights = ", ".join(f"{n} = c({', '.join(map(str, w))})" for n, w in zip(names, OWN.values(), strict=False))
    by_in_r = "NULL" if by is None else f'"{by}"'
    check(
        fit,
        lambda: fit.emmeans("k", by=by, ddf="asymptotic").contrast(method),
        f'contrast(emmeans(m, "k", by = {by_in_r}, lmer.df = "asymptotic"), list({weights}))',
    )


def test_a_model_without_a_variable_to_test_is_an_error(data, fits):
    for fit, by in ((lmer("y ~ 1 + (1 | g)", data), None), (fits("weights"), ["k", "h", "x"])):
        with pytest.raises(InvalidArgument, match="tests the variables of the fixed part"):
            fit.joint_tests(by, ddf="asymptotic")


@pytest.fixture(scope="module")
def unweighted(fits):
    return fits("weights").update(weights=None)


BAD = {
    "a level that is not there": (lambda fit: fit.emmeans("k", at={"k": ["nobody"]}), r"factor k has new level"),
    "a function that is not offered": (lambda fit: fit.ref_grid(cov_reduce="system"), "cov_reduce is 'system'"),
    "a call in a formula": (lambda fit: fit.ref_grid(cov_reduce="x ~ system('ls')"), "system"),
    "a formula of other columns": (lambda fit: fit.ref_grid(cov_reduce="x ~ y"), "cov_reduce names 'y'"),
    "a formula with one side": (lambda fit: fit.ref_grid(cov_reduce="~ x"), "cov_reduce is '~ x'"),
    "no covariate": (lambda fit: fit.ref_grid(cov_reduce={"q": "mean"}), "cov_reduce names 'q'"),
    "a function": (lambda fit: fit.ref_grid(cov_reduce=np.mean), "cov_reduce is <function mean"),
    "text for nesting": (lambda fit: fit.ref_grid(nesting="k %in% h"), "nesting is 'k %in% h'"),
    "another name in nesting": (lambda fit: fit.ref_grid(nesting={"k": "q"}), r"nesting\['k'\] names 'q'"),
    "a text for an offset": (lambda fit: fit.emmeans("k", offset="z"), "offset is 'z'; one of a number"),
    "weights of another length": (lambda fit: fit.emmeans("k", weights=[1, 2]), "Nonconforming number of weights"),
    "weights that are missing": (lambda fit: fit.emmeans("k", weights=[1, np.nan, 2]), "weights is"),
    "contrasts of another length": (
        lambda fit: fit.emmeans("k", by="h").contrast([1, -1]),
        "one number per row of the grid is expected, 3 in all",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_a_grid_cannot_be_is_an_error(unweighted, case):
    ask, told = BAD[case]
    with pytest.raises(InputError, match=told):
        ask(unweighted)
