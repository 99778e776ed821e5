"""Simulated data sets: the same bits on every machine, and what their names promise."""

import hashlib

import numpy as np
import pytest

from lmerbridge import load_dataset
from lmerbridge.datasets import GENERALIZED, PLANS, RESPONSES
from lmerbridge.errors import InvalidArgument

DIGEST = "b71fa6c1782b58a575b2680597433ebeda30235e6e9a1f5f08b16f074dc86c2a"
GENERALIZED_DIGEST = "8b9dd69ba299fa2dabbf6fa4767d6a412acfaf55576f544e196ca0b5e5d30c28"


def digest_of(kinds):
    digest = hashlib.sha256()
    for kind in kinds:
        frame = load_dataset(f"{kind}_1", "lmerbridge")
        for name in frame:
            column = frame[name]
            digest.update((column.cat.codes if column.dtype == "category" else column).to_numpy("<f8").tobytes())
    return digest.hexdigest()


def test_their_bits_are_the_same_with_every_numpy():
    assert digest_of(PLANS) == DIGEST


@pytest.mark.parametrize("kind", PLANS)
def test_a_seed_gives_its_own_data_and_its_levels_are_in_their_order(kind):
    one, same, other = (load_dataset(f"{kind}_{seed}", "lmerbridge") for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)
    for factor in ("g", "h", "k", "part"):
        assert list(one[factor].cat.categories) == sorted(one[factor].unique())
    sizes = one["g"].value_counts()
    assert len(sizes) == PLANS[kind].groups
    assert sizes.min() >= PLANS[kind].rows[0]
    assert sizes.max() <= PLANS[kind].rows[1]


def test_kinds_are_as_hard_as_their_names_say():
    assert len(load_dataset("many_rows_1", "lmerbridge")) >= 20_000
    assert load_dataset("large_mean_1", "lmerbridge")["y"].mean() == pytest.approx(1e6, abs=10)
    assert set(load_dataset("two_rows_2", "lmerbridge")["g"].value_counts()) == {2}
    x, y = (load_dataset(f"scaled_{seed}", "lmerbridge").std(numeric_only=True) for seed in (1, 2))
    assert x["x"] > 1e5 > 100 > x["y"]
    assert y["y"] > 1e5 > 100 > y["x"]


def test_what_is_drawn_is_near_normal():
    frame = load_dataset("many_rows_1", "lmerbridge")
    z = frame["x"].to_numpy()
    moments = [np.mean(z), np.var(z), np.mean(z**3), np.mean(z**4)]
    assert moments == pytest.approx([0, 1, 0, 2.9], abs=0.1)  # the fourth of twelve uniforms is 2.9


@pytest.mark.parametrize("name", ["nosuch_1", "crossed", "crossed_x", "crossed_"])
def test_a_name_without_a_kind_or_a_seed_is_an_error_that_names_the_kinds(name):
    with pytest.raises(InvalidArgument, match=r"small_slopes, crossed, .* and a seed is expected"):
        load_dataset(name, "lmerbridge")


def test_the_bits_of_generalized_data_are_the_same_with_every_numpy():
    assert digest_of(GENERALIZED) == GENERALIZED_DIGEST


@pytest.mark.parametrize("kind", GENERALIZED)
def test_responses_of_generalized_data_are_counts_of_their_kind(kind):
    frames = [load_dataset(f"{kind}_{seed}", "lmerbridge") for seed in (1, 2, 3)]
    assert not frames[0].equals(frames[1])
    for frame in frames:
        y = frame["y"]
        assert (y == y.round()).all()
        assert y.min() >= 0
        assert y.nunique() > 1
        assert (y <= frame["n"]).all() if "n" in frame else kind.startswith("counts") or set(y) == {0, 1}
        assert frame["row"].is_unique


def test_counts_vary_as_their_distribution_says():
    bits, eta = np.random.PCG64(1), np.full(20_000, 0.5)
    poisson, spread = (RESPONSES[name](bits, eta)["y"] for name in ("counts", "spread"))
    mean = (1 + 0.5 / 8) ** 8
    assert [poisson.mean(), spread.mean()] == pytest.approx([mean, mean], rel=0.02)
    assert poisson.var() == pytest.approx(mean, rel=0.04)
    assert spread.var() == pytest.approx(mean + mean**2 / 2, rel=0.05)  # of shape 2
