"""Theta, factors and covariances are one another's inverses, on the boundary as well."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from lmerbridge.results.covariance import SINGULAR, correlation, join, lower_root, singular, split, triangle

WIDTHS = st.lists(st.integers(1, 4), min_size=1, max_size=4)
MODERATE = st.floats(-100, 100, allow_subnormal=False).map(lambda x: round(x, 3))


def theta_size(widths):
    return sum(k * (k + 1) // 2 for k in widths)


@given(WIDTHS.flatmap(lambda w: st.tuples(st.just(w), npst.arrays(float, theta_size(w), elements=MODERATE))))
def test_join_undoes_split(case):
    widths, theta = case
    factors = split(theta, widths)
    assert [f.shape for f in factors] == [(k, k) for k in widths]
    assert all(np.array_equal(f, np.tril(f)) for f in factors)
    np.testing.assert_array_equal(join(factors), theta)


def test_theta_runs_down_the_columns_as_in_lme4():
    # Bates et al. 2015, section 2.3: the elements of the lower triangle, column by column.
    lower = np.array([[1.0, 0, 0], [2, 4, 0], [3, 5, 6]])
    np.testing.assert_array_equal(lower[triangle(3)], [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(split(np.arange(1.0, 7), [3])[0], lower)


def reproduces(root, covariance):
    scale = max(1e-300, np.abs(covariance).max())
    # The square root of a matrix to rounding has its square to a few k roundings of the largest element.
    np.testing.assert_allclose(root @ root.T, covariance, rtol=0, atol=1e-13 * scale)
    np.testing.assert_array_equal(root, np.tril(root))
    assert (np.diag(root) >= 0).all()


@given(st.integers(1, 5).flatmap(lambda k: npst.arrays(float, (k, k), elements=MODERATE)))
def test_a_factor_reproduces_its_covariance(lower):
    t = np.tril(lower)
    reproduces(lower_root(t @ t.T), t @ t.T)


@given(st.integers(1, 5).flatmap(lambda k: npst.arrays(float, (k, 2), elements=MODERATE)))
def test_a_semidefinite_covariance_has_a_factor(thin):
    reproduces(lower_root(thin @ thin.T), thin @ thin.T)


@pytest.mark.parametrize("covariance", [np.zeros((2, 2)), np.diag([0.0, 2]), np.ones((3, 3)), np.diag([1e-20, 1e20])])
def test_boundary_matrices_have_factors(covariance):
    reproduces(lower_root(covariance), covariance)


def test_the_factor_of_a_definite_matrix_is_its_cholesky_root():
    covariance = np.array([[4.0, 2, 1], [2, 5, 3], [1, 3, 6]])
    np.testing.assert_allclose(lower_root(covariance), np.linalg.cholesky(covariance), rtol=1e-14)


def test_correlations_of_a_zero_variance_are_nan_but_for_the_diagonal():
    sd, corr = correlation(np.array([[4.0, 0, 2], [0, 0, 0], [2, 0, 9]]))
    np.testing.assert_array_equal(sd, [2, 0, 3])
    np.testing.assert_array_equal(np.diag(corr), [1, 1, 1])
    assert corr[0, 2] == corr[2, 0] == 1 / 3
    assert np.isnan([corr[0, 1], corr[1, 0], corr[1, 2]]).all()


FACTORS = [  # a relative factor, and whether lme4 calls it singular
    (np.eye(3), False),
    (np.diag([1.0, 0.0]), True),  # one variance of two
    (np.diag([0.0, 1.0]), True),
    (np.array([[1.0, 0], [1, 0]]), True),  # a correlation of one
    (np.array([[1.0, 0], [0, 1]]), False),  # an element below the diagonal may be zero
    (np.zeros((2, 2)), True),
    (np.diag([1.0, 0.99e-4]), True),
    (np.diag([1.0, 1.01e-4]), False),
]


@pytest.mark.parametrize(("root", "expected"), FACTORS)
def test_a_factor_is_singular_where_one_element_of_its_diagonal_is_zero(root, expected):
    assert singular(root) is expected


def test_zero_is_what_lme4_takes_for_it():
    assert SINGULAR == 1e-4  # lme4::getSingTol()
