"""Which random terms lie within which: told by the data."""

from typing import Any

import numpy as np
import pytest

from lmerbridge.errors import NotExpressible
from lmerbridge.translate.nesting import Block, fill, lme4_order, nesting


def block(group: str, codes: Any, terms: Any = ("(Intercept)",), columns: Any = None) -> Block:
    codes = np.array(codes)
    columns = np.ones((len(codes), len(terms))) if columns is None else np.array(columns, dtype=float)
    return Block(group, terms, tuple(map(str, range(codes.max() + 1))), codes, columns)


OUTER, INNER, OTHER = [0, 0, 0, 1, 1, 1], [0, 0, 1, 2, 3, 3], [0, 1, 0, 1, 0, 1]


def test_a_factor_whose_levels_each_occur_in_one_level_of_another_is_nested():
    found = nesting([block("inner", INNER), block("outer", OUTER)])
    assert (found.outer, found.inner) == (1, (0,))
    np.testing.assert_array_equal(found.cells, OUTER)


def test_crossed_factors_have_no_outer_one():
    found = nesting([block("outer", OUTER), block("other", OTHER)])
    assert (found.outer, found.inner) == (None, (0, 1))
    assert found.cells.max() == 0


def test_factors_crossed_within_sites_nobody_named_fall_into_these_sites():
    a, b = [0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 2, 3, 2, 3]
    found = nesting([block("a", a), block("b", b)])
    assert found.outer is None
    np.testing.assert_array_equal(found.cells, [0, 0, 0, 0, 1, 1, 1, 1])


def test_the_outer_term_is_the_correlated_one_then_the_intercept():
    slopes, plain = block("outer", OUTER, ("a", "b")), block("outer", OUTER)
    assert nesting([plain, slopes]).outer == 1
    assert nesting([block("outer", OUTER, ("x",)), plain]).outer == 1


@pytest.mark.parametrize("others", [[block("other", OTHER)], [block("outer", OUTER)]])
def test_correlated_columns_need_the_outer_factor(others):
    with pytest.raises(NotExpressible, match="crossed factor inner"):
        nesting([block("inner", INNER, ("a", "b")), *others])


def test_a_block_survives_its_matrix():
    slopes = block("outer", OUTER, ("a", "b"), np.arange(1, 13).reshape(6, 2))
    again = Block.of(slopes.random_term)
    np.testing.assert_array_equal(again.codes, slopes.codes)
    np.testing.assert_array_equal(again.columns, slopes.columns)


def test_a_row_of_zeros_takes_its_level_from_another_term_of_the_factor():
    slope = block("outer", OUTER, ("x",), [[1], [0], [2], [0], [1], [3]])
    read = Block.of(slope.random_term)
    np.testing.assert_array_equal(read.codes, [0, -1, 0, -1, 1, 1])
    np.testing.assert_array_equal(fill([read, block("outer", OUTER)])[0].codes, OUTER)
    assert (fill([read])[0].codes >= 0).all()


def test_terms_go_by_decreasing_levels_and_ties_turn_if_anything_moves():
    # lme4 1.1-31: (1|Subject)+(1|Days)+(0+Days|h)+(1|h) stays; (Days||Subject/h) -> slopes come first
    assert lme4_order([18, 10, 3, 3]) == [0, 1, 2, 3]
    assert lme4_order([18, 54, 18, 54]) == [3, 1, 2, 0]
