"""Every number of a fit is finite and every refusal true: perfect, saturated, oversized models, by each optimizer."""

import itertools
from dataclasses import fields

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lmerbridge import lmer
from lmerbridge.errors import EngineFailed, LmerBridgeError, UnfitData
from lmerbridge.inputs.spec import Spec
from lmerbridge.models.kept import check_numbers
from tests.oracle import plain, same_bits

ROWS = 40
DRAW = np.random.default_rng(11)
FRAME = pd.DataFrame({"x": DRAW.normal(size=ROWS), "g": np.repeat(list("abcdefgh"), 5), "h": np.arange(ROWS) % 8})
FRAME = FRAME.assign(
    y=DRAW.normal(size=ROWS) + FRAME["g"].map(dict(zip("abcdefgh", DRAW.normal(size=8), strict=True))),
    id=[f"l{i:02d}" for i in range(ROWS)],
    half=[f"m{i // 2:02d}" for i in range(ROWS)],
    odd=np.where(np.arange(ROWS) % 2, "u", "v"),
)
WAYS = list(itertools.product(["nloptwrap", "bobyqa", "Nelder_Mead"], [True, False]))
BY_EACH = pytest.mark.parametrize(("optimizer", "reml"), WAYS)
EXACT = {
    "a line": 2 * FRAME["x"] + 1,
    "a small line": (2 * FRAME["x"] + 1) * 1e-100,
    "a large line": (2 * FRAME["x"] + 1) * 1e100,
    "a line far up": 2 * FRAME["x"] + 1e6,
}


def fit(formula, data, optimizer, reml, **arguments):
    return lmer(formula, data, reml=reml, control={"optimizer": optimizer}, **arguments)


@BY_EACH
@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("weight", [None, 1e-6, 1e6])
def test_a_perfect_fit_is_refused_whatever_its_size(name, weight, optimizer, reml):
    weights = None if weight is None else np.full(ROWS, weight)
    with pytest.raises(UnfitData, match="fits the response exactly"):
        fit("y ~ x + (1 | g)", FRAME.assign(y=EXACT[name]), optimizer, reml, weights=weights)


YEAR, INSIDE = 1990.0 + np.arange(ROWS) % 10, FRAME["g"].map(dict(zip("abcdefgh", DRAW.normal(size=8), strict=True)))
EXACT_PARTS = {  # formula, response: the fixed and the random part leave only rounding, wherever an optimizer stops
    "raw powers": ("y ~ year + I(year^2) + (1 | g)", 3 * YEAR + 0.5 * YEAR**2),
    "raw powers of a polynomial": ("y ~ poly(year, 2, raw = T) + (1 | g)", 1e-6 * YEAR**2 + 0.1 * YEAR),
    "constant within groups": ("y ~ 1 + (1 | g)", INSIDE),
    "constant within groups beside a line": ("y ~ x + (1 | g)", 2 * FRAME["x"] + INSIDE),
    "a line in each group": ("y ~ x + (x | g)", 2 * FRAME["x"] * INSIDE + INSIDE),
}


@BY_EACH
@pytest.mark.parametrize("size", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("name", EXACT_PARTS)
def test_what_both_parts_fit_exactly_is_refused_wherever_an_optimizer_stops(name, size, optimizer, reml):
    formula, y = EXACT_PARTS[name]
    with pytest.raises(UnfitData, match=r"fits? the response exactly"):
        fit(formula, FRAME.assign(year=YEAR, y=y * size), optimizer, reml)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", EXACT_PARTS)
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_a_refit_to_what_both_parts_fit_exactly_is_refused_too(name, reml):
    """refit() took a response that is constant within groups, with a sigma of 2e-8, where lmer() refused it."""
    formula, y = EXACT_PARTS[name]
    noisy = lmer(formula, FRAME.assign(y=y + FRAME["y"] * np.std(y), year=YEAR), reml=reml)
    with pytest.raises(UnfitData, match=r"fits? the response exactly"):
        noisy.refit(y)
    with pytest.raises(UnfitData, match=r"fits? the response exactly"):
        noisy.update(data=FRAME.assign(y=y, year=YEAR))


@pytest.mark.parametrize("mean", [1e15, -(2.0**53), 1e16])
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_a_response_of_few_digits_is_refused_as_such(mean):
    with pytest.raises(
        UnfitData, match=r"values of size .* that differ by .*, of which .*; take off its mean"
    ) as raised:
        lmer("y ~ x + (1 | g)", FRAME.assign(y=FRAME["y"] + mean))
    assert "exactly" not in str(raised.value)
    lmer("y ~ x + (1 | g)", FRAME.assign(y=FRAME["y"] + mean - mean))


@BY_EACH
@pytest.mark.parametrize("noise", [1e-3, 1e-6])
@pytest.mark.parametrize("name", ["raw powers", "constant within groups beside a line"])
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_little_noise_is_noise(name, noise, optimizer, reml):
    formula, y = EXACT_PARTS[name]
    noisy = FRAME.assign(year=YEAR, y=y + noise * np.std(y) * DRAW.normal(size=ROWS))
    found = fit(formula, noisy, optimizer, reml)
    assert [found.sigma] == list(plain(found, "sigma(m)"))


@BY_EACH
@pytest.mark.parametrize("size", [1e-100, 1e-9, 1e9, 1e100])
def test_a_response_of_any_size_is_fitted_as_plain_r_fits_it(size, optimizer, reml):
    found = fit("y ~ x + (1 | g)", FRAME.assign(y=FRAME["y"] * size), optimizer, reml)
    assert [found.sigma] == list(plain(found, "sigma(m)"))
    assert found.sigma / size == pytest.approx(fit("y ~ x + (1 | g)", FRAME, optimizer, reml).sigma, rel=1e-2)


@BY_EACH
@pytest.mark.parametrize(
    ("formula", "told"),
    [
        ("y ~ id + (1 | g)", "40, of which 'id' has 40, .* leave 'id' out"),
        ("y ~ 0 + id + x + (1 | g)", "40, of which 'id' has 40"),
        ("y ~ half * odd + (1 | g)", "40, of which 'half:odd' has 40"),
        ("y ~ half:odd + (x || g)", "40, of which 'half:odd' has 40"),
        ("y ~ factor(z) + (1 | g)", r"40, of which 'factor\(z\)' has 40"),
        ("y ~ half + half:x + (1 | g)", "40, of which 'half(:x)?' has 20"),
    ],
)
def test_a_fixed_part_with_a_column_per_row_is_refused_before_r(formula, told, optimizer, reml, monkeypatch):
    monkeypatch.setattr("lmerbridge.bridge.host.worker", lambda: pytest.fail("R was asked"))
    with pytest.raises(UnfitData, match=f"as many columns as rows, {told}"):
        fit(formula, FRAME.assign(z=np.arange(ROWS)), optimizer, reml)


@BY_EACH
def test_a_fixed_part_with_a_column_per_row_that_only_r_can_count_is_refused_too(optimizer, reml):
    with pytest.raises(UnfitData, match="columns") as refusal:
        fit("y ~ interaction(half, odd, drop = TRUE) + (1 | g)", FRAME, optimizer, reml)
    assert "start needs" not in str(refusal.value)
    assert "cs(" not in str(refusal.value)


def test_a_wide_fixed_part_of_lower_rank_is_fitted():
    """There are 8 x 8 columns for 40 rows, and 8 cells, the others of which lme4 leaves out."""
    found = lmer(
        "y ~ g * f + (1 | half)", FRAME.assign(f=FRAME["g"].str.upper()), control={"check.rankX": "silent.drop.cols"}
    )
    assert len(found.terms) == 8


@BY_EACH
@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-150, 1e-100, 1e100, 1e150, 1e200, 1e300])
@pytest.mark.parametrize(
    "formula",
    ["y ~ x + (1 | g)", "x ~ y + (1 | g)", "y ~ 1 + (x | g)", "y ~ I(2 * x) + (1 | g)", "I(2 * x) ~ y + (1 | g)"],
)
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_a_column_of_any_size_gives_finite_numbers_or_an_error_of_ours(formula, size, optimizer, reml):
    try:
        found = fit(formula, FRAME.assign(x=FRAME["x"] * size), optimizer, reml)
    except LmerBridgeError as error:
        refusal = str(error)
    else:
        refusal = ""
    assert not [beside for beside in ("start needs", "cs(", "exactly, so") if beside in refusal]
    if refusal:
        return
    for field in fields(found.numbers()):
        value = getattr(found, field.name)
        assert not isinstance(value, np.ndarray) or value.dtype.kind != "f" or np.isfinite(value).all(), field.name


def test_only_a_model_with_cs_is_told_of_cs(monkeypatch):
    found = lmer("y ~ x + (1 | g)", FRAME)
    reply = {name: getattr(found, name) for name in ("beta", "rows", "fitted_values", "residual_values")}
    described = type("Reply", (), {**reply, "rows": found.rows + 1, "sigma": float("nan")})
    with pytest.raises(EngineFailed, match="NaN throughout") as refusal:
        check_numbers(Spec(formula="y ~ x + (1 | g)", data=FRAME), described)
    assert "cs(" not in str(refusal.value)
    with pytest.raises(EngineFailed, match=r"NaN throughout.* of a cs\(\) of three"):
        check_numbers(Spec(formula="y ~ x + cs(x | g)", data=FRAME), described)


def test_a_weight_of_zero_is_fitted_as_in_r_and_its_likelihood_alone_is_infinite():
    fit = lmer("y ~ x + (1 | g)", FRAME, weights=np.arange(ROWS))
    assert fit.loglik == -np.inf
    assert same_bits(fit.beta, plain(fit, "as.vector(lme4::fixef(m))"))
    assert same_bits([fit.sigma], plain(fit, "sigma(m)"))
    assert same_bits(fit.fitted, plain(fit, "as.vector(fitted(m))"))


NOTHING = {
    "object": pd.Series([None] * ROWS),
    "float": pd.Series([np.nan] * ROWS),
    "string": pd.Series([None] * ROWS, dtype="string"),
    "category": pd.Series(pd.Categorical([None] * ROWS)),
    "boolean": pd.Series([None] * ROWS, dtype="boolean"),
    "null": pd.Series([None] * ROWS, dtype=pd.ArrowDtype(pa.null())),
    "datetime": pd.Series([pd.NaT] * ROWS),
}
for kind in (pa.null(), pa.string(), pa.int64(), pa.date32(), pa.bool_(), pa.timestamp("us")):
    for codes, values in (([None], []), ([0], [None])):
        array = pa.DictionaryArray.from_arrays(pa.array(codes * ROWS, pa.int32()), pa.array(values, kind))
        NOTHING[f"dictionary of {kind}, {values}"] = pd.Series(pd.arrays.ArrowExtensionArray(array))


@pytest.mark.parametrize("formula", ["y ~ n + (1 | g)", "n ~ x + (1 | g)", "y ~ x + (1 | n)", "y ~ x + (n | g)"])
@pytest.mark.parametrize("name", NOTHING)
def test_a_column_without_any_value_is_unfit_data(name, formula):
    with pytest.raises(UnfitData, match=r"'n' .*no value"):
        lmer(formula, FRAME.assign(n=NOTHING[name]))


def test_a_dictionary_that_holds_the_missing_value_is_the_factor_of_the_others():
    codes, values = pa.array(np.arange(ROWS) % 3, pa.int32()), pa.array(["b", None, "a"])
    coded = pd.Series(pd.arrays.ArrowExtensionArray(pa.DictionaryArray.from_arrays(codes, values)))
    same = pd.Categorical(np.array(["b", None, "a"], object)[np.arange(ROWS) % 3], ["b", "a"])
    found, wanted = (lmer("y ~ f + (1 | g)", FRAME.assign(f=f), na_action="omit") for f in (coded, same))
    assert found.quantities() == wanted.quantities()
