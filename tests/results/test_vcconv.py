"""Forms of a covariance, against lme4's own converters."""

import numpy as np
import pytest

from lmerbridge.errors import InvalidArgument
from lmerbridge.results import vcconv
from tests.oracle import MODELS, fitted, plain, same_bits

ROUNDING = 1e-14  # relative: a product or a Cholesky factor in another order of operations

VECTORS = {  # widths, the variances and covariances of their terms
    "one term of one": ([1], [4.0]),
    "one term of three": ([3], [4.0, 1.0, -0.5, 9.0, 2.0, 16.0]),
    "terms of two, one and three": ([2, 1, 3], [4.0, 2.0, 5.0, 0.25, 2.0, 0.1, 0.2, 3.0, 0.3, 4.0]),
}


def r(code):
    """Evaluate R code among lme4's functions."""
    return plain(fitted("sleepstudy"), code)


def c(values):
    return f"c({', '.join(map(str, values))})"


@pytest.mark.parametrize("case", VECTORS)
@pytest.mark.parametrize("s", [None, 2.5])
def test_variances_become_theta_and_standard_deviations_and_come_back(case, s):
    n, v = VECTORS[case]
    given, told = (v, "") if s is None else ([*v, s**2], f", s = {s}")
    theta = vcconv.vv_to_cv(np.array(given), n, s)
    assert np.allclose(theta, r(f"as.vector(Vv_to_Cv({c(given)}, {c(n)}{told}))"), rtol=ROUNDING, atol=0)
    assert np.allclose(vcconv.cv_to_vv(theta, n, s), given, rtol=ROUNDING, atol=ROUNDING)
    written = c(map(float.hex, theta.tolist()))
    for ours, theirs in ((vcconv.cv_to_vv, "Cv_to_Vv"), (vcconv.cv_to_sv, "Cv_to_Sv")):
        expected = r(f"as.vector({theirs}({written}, {c(n)}{told}))")
        assert np.allclose(ours(theta, n, s), expected, rtol=ROUNDING, atol=ROUNDING)
    sds = vcconv.cv_to_sv(theta, n, s)
    expected = r(f"as.vector(Sv_to_Cv({c(map(float.hex, sds.tolist()))}, {c(n)}{told}))")
    assert np.allclose(vcconv.sv_to_cv(sds, n, s), expected, rtol=ROUNDING, atol=ROUNDING)
    assert np.allclose(vcconv.sv_to_cv(sds, n, s), theta, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("case", VECTORS)
def test_lists_and_vectors_are_one_another_to_the_bit(case):
    n, v = VECTORS[case]
    for symm in (True, False):
        matrices = vcconv.vec2mlist(np.array(v), n, symm=symm)
        expected = r(f"unlist(vec2mlist({c(v)}, {c(n)}, {str(symm).upper()}), use.names = FALSE)")
        assert same_bits(np.concatenate([m.ravel(order="F") for m in matrices]), expected)
        assert same_bits(vcconv.mlist2vec(matrices), v)
    divided = vcconv.vec2stlist(np.array(v), n)
    expected = r(f"unlist(vec2STlist({c(v)}, {c(n)}), use.names = FALSE)")
    assert same_bits(np.concatenate([m.ravel(order="F") for m in divided]), expected)


@pytest.mark.parametrize("name", MODELS)
def test_theta_and_sigma_of_a_fit_give_its_variances(name):
    fit = fitted(name)
    n = [len(block.terms) for block in fit.varcorr]
    found = vcconv.cv_to_vv(fit.theta, n, fit.sigma)
    expected = plain(fit, "as.vector(unlist(lapply(VarCorr(m), function(v) v[lower.tri(v, TRUE)]), use.names = FALSE))")
    assert np.allclose(found, [*expected, fit.sigma**2], rtol=1e-13, atol=1e-13 * fit.sigma**2)


def test_an_upper_triangle_is_read_across():
    upper = np.array([[1.0, 2.0], [0.0, 3.0]])
    assert same_bits(vcconv.mlist2vec([upper]), r("as.vector(mlist2vec(matrix(c(1, 0, 2, 3), 2)))"))


def test_standard_deviations_and_correlations_are_lme4s_to_the_bit():
    v = np.array([[4.0, 1.0, -0.5], [1.0, 9.0, 2.0], [-0.5, 2.0, 7.0]])
    written = f"matrix({c(v.ravel())}, 3)"
    assert same_bits(vcconv.cov2sdcor(v), r(f"as.vector(cov2sdcor({written}))"))
    sdcor = vcconv.cov2sdcor(v)
    written = f"matrix({c(map(float.hex, sdcor.ravel().tolist()))}, 3)"
    assert same_bits(vcconv.sdcor2cov(sdcor), r(f"as.vector(sdcor2cov({written}))"))
    zero = np.array([[4.0, 0.0], [0.0, 0.0]])
    assert same_bits(vcconv.cov2sdcor(zero), r("suppressWarnings(as.vector(cov2sdcor(matrix(c(4, 0, 0, 0), 2))))"))


def test_the_root_of_a_singular_matrix_is_triangular_and_its_square_the_matrix():
    """lme4's is not: it undoes the pivoting of its columns, and reads the triangle of what is none."""
    singular = np.array([1.0, 2.0, 1.0, 4.0, 2.0, 5.0])
    assert np.allclose(vcconv.cv_to_vv(vcconv.vv_to_cv(singular)), singular)
    lme4s = r(f"as.vector(Cv_to_Vv(as.vector(Vv_to_Cv({c(singular)}, 3)), 3))")
    assert not np.allclose(lme4s, singular)


NESTED = {
    "nested": (["a1", "a2", "b1", "b1"], ["a", "a", "b", "b"]),
    "crossed": (["1", "2", "1", "2"], ["a", "a", "b", "b"]),
    "the same": (["1", "2"], ["1", "2"]),
    "the other way round": (["a", "a", "b", "b"], ["a1", "a2", "b1", "b1"]),
}


@pytest.mark.parametrize("case", NESTED)
def test_factors_are_nested_as_lme4_says(case):
    inner, outer = NESTED[case]
    quoted = [", ".join(map(repr, levels)) for levels in (inner, outer)]
    assert vcconv.is_nested(inner, outer) == bool(r(f"isNested(c({quoted[0]}), c({quoted[1]}))")[0])


def test_pastes_has_casks_in_batches(datasets):
    pastes = datasets("Pastes")
    assert vcconv.is_nested(pastes["sample"], pastes.batch)
    assert not vcconv.is_nested(pastes.cask, pastes.batch)


BAD = {
    "no triangle": (lambda: vcconv.vec2mlist(np.ones(4)), "4 elements is no lower triangle of one matrix"),
    "other widths": (lambda: vcconv.vv_to_cv(np.ones(4), [2, 2]), "no lower triangle of matrices 2, 2 wide"),
    "no square": (lambda: vcconv.cov2sdcor(np.ones((2, 3))), r"shape \(2, 3\); a square one"),
    "two lengths": (lambda: vcconv.is_nested(["a"], ["a", "b"]), "f1 has 1 value and f2 2"),
    "a missing level": (lambda: vcconv.is_nested(["a", None], ["a", "b"]), "without missing values"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_has_no_such_form_is_an_error(case):
    call, told = BAD[case]
    with pytest.raises(InvalidArgument, match=told):
        call()
