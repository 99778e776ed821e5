"""A flat list becomes the dataclass its names spell, or an error that names what does not fit."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from lmerbridge.bridge.from_r.flat import NA_INTEGER, build, pieces, vector_names
from lmerbridge.errors import ProtocolError


@dataclass(frozen=True)
class Part:
    name: tuple[str, ...]
    value: NDArray[np.float64]


@dataclass(frozen=True)
class Whole:
    size: int
    mean: float
    done: bool
    label: str
    part: Part


def flat(**changes):
    values = {
        "size": np.array([3], np.int32),
        "mean": np.array([0.5]),
        "done": np.array([1], np.int32),
        "label": ["a"],
        "part.name": ["x", "y"],
        "part.value": np.array([1.0, 2.0]),
    }
    return values | {name.replace("__", "."): value for name, value in changes.items()}


def test_fields_take_the_vectors_of_their_names_in_their_own_types():
    whole = build(Whole, flat())
    assert (whole.size, whole.mean, whole.done, whole.label) == (3, 0.5, True, "a")
    assert [type(v) for v in (whole.size, whole.mean, whole.done, whole.label)] == [int, float, bool, str]
    assert whole.part.name == ("x", "y")
    np.testing.assert_array_equal(whole.part.value, [1.0, 2.0])


def test_the_names_of_a_dataclass_are_dotted_paths():
    assert vector_names(Whole) == {"size", "mean", "done", "label", "part.name", "part.value"}


def test_an_empty_list_is_an_empty_vector():
    whole = build(Whole, flat(part__name=[], part__value=[]))
    assert whole.part.name == ()
    assert whole.part.value.dtype == np.float64
    assert whole.part.value.shape == (0,)


def test_an_unknown_name_is_an_error_that_names_it():
    with pytest.raises(ProtocolError, match=r"Whole: .*: part\.extra$"):
        build(Whole, flat(part__extra=[1]))


def test_a_missing_name_is_an_error_that_names_it():
    values = flat()
    del values["part.value"]
    with pytest.raises(ProtocolError, match=r"Whole: .*: part\.value$"):
        build(Whole, values)


@pytest.mark.parametrize("vector", [np.array([1.0, 2.0]), np.empty(0), []])
def test_a_scalar_is_one_value(vector):
    with pytest.raises(ProtocolError, match="mean: one value"):
        build(Whole, flat(mean=vector))


@pytest.mark.parametrize("name", ["size", "done"])
def test_na_is_no_integer_and_no_truth(name):
    with pytest.raises(ProtocolError, match=f"{name}: one value that is not NA"):
        build(Whole, flat(**{name: np.array([NA_INTEGER], np.int32)}))


def test_pieces_follow_one_another():
    first, none, last = pieces(np.arange(5), [2, 0, 3])
    assert (first.tolist(), none.tolist(), last.tolist()) == ([0, 1], [], [2, 3, 4])


@pytest.mark.parametrize("sizes", [[], [2], [2, 2]])
def test_pieces_that_do_not_add_up_are_an_error(sizes):
    with pytest.raises(ProtocolError, match=f"{sum(sizes)} elements in all expected, 3 came"):
        pieces(("a", "b", "c"), sizes)
