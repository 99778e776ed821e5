"""A fit is a value: derived numbers follow from stored ones, under fixed names."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pandas as pd
import pytest

from lmerbridge.results.fit import Fit, GroupModes, LogLik, Provenance
from lmerbridge.results.varcorr import CovarianceBlock, VarCorr

COVARIANCE = np.array([[4.0, 3.0], [3.0, 9.0]])
SLOPES = CovarianceBlock.from_covariance("g", "g", ("(Intercept)", "x"), COVARIANCE)


def make(**changes):
    """A fit of three rows, of a frame of four, that nobody computed."""
    fields = {
        "engine": "none",
        "formula": "y ~ x + (x | g)",
        "reml": True,
        "terms": ("(Intercept)", "x"),
        "beta": np.array([1.0, -2.0]),
        "covariance": np.array([[0.25, 0.1], [0.1, 4.0]]),
        "varcorr": VarCorr((SLOPES,), 0.5),
        "modes": (GroupModes("g", ("(Intercept)", "x"), ("a", "b"), np.array([[1.0, 2], [3, 4]])),),
        "theta": np.array([1.0, 0, 1]),
        "sigma": 0.5,
        "loglik": LogLik(-10.0, 6, 3, True),
        "criterion": 20.0,
        "fitted_values": np.array([1.0, 2, 3]),
        "residual_values": np.array([0.1, 0.2, 0.3]),
        "rows": np.array([0, 2, 3]),
        "index": pd.Index(["p", "q", "r", "s"]),
        "rows_dropped": 1,
        "singular": False,
        "converged": True,
        "provenance": Provenance("none", "0"),
    }
    return Fit(**fields | changes)


def test_every_quantity_has_one_name():
    assert make().quantities() == {
        "fixef[(Intercept)]": 1.0,
        "fixef[x]": -2.0,
        "se[(Intercept)]": 0.5,
        "se[x]": 2.0,
        "var[g.(Intercept)]": 4.0,
        "sd[g.(Intercept)]": 2.0,
        "var[g.x]": 9.0,
        "sd[g.x]": 3.0,
        "cov[g.(Intercept),x]": 3.0,
        "cor[g.(Intercept),x]": 0.5,
        "sigma": 0.5,
        "sigma2": 0.25,
        "logLik": -10.0,
        "AIC": 32.0,
        "BIC": 20 + math.log(3) * 6,
        "REMLcrit": 20.0,
    }


def test_under_maximum_likelihood_the_criterion_is_the_deviance():
    names = make(reml=False).quantities().keys()
    assert "deviance" in names
    assert "REMLcrit" not in names


def test_blocks_of_a_group_that_share_a_term_go_by_their_numbered_names():
    one = lambda name, term: CovarianceBlock.from_covariance(name, "g", (term,), np.ones((1, 1)))  # noqa: E731
    shared = VarCorr((one("g", "x"), one("g.1", "x")), 1.0)
    assert set(shared.quantities()) == {"var[g.x]", "sd[g.x]", "var[g.1.x]", "sd[g.1.x]"}
    split = VarCorr((one("g", "(Intercept)"), one("g.1", "x")), 1.0)
    assert set(split.quantities()) == {"var[g.(Intercept)]", "sd[g.(Intercept)]", "var[g.x]", "sd[g.x]"}


def test_the_terms_of_a_pair_stand_under_the_pair():
    assert make().varcorr.pairs() == {"[g.(Intercept),x]": ("g.(Intercept)", "g.x")}


def test_the_variance_table_is_that_of_r():
    expected = pd.DataFrame(
        {
            "group": ["g", "g", "g", "Residual"],
            "term1": ["(Intercept)", "x", "(Intercept)", None],
            "term2": [None, None, "x", None],
            "vcov": [4.0, 9.0, 3.0, 0.25],
            "sdcor": [2.0, 3.0, 0.5, 0.5],
        },
        dtype=object,
    ).astype({"vcov": float, "sdcor": float})
    pd.testing.assert_frame_equal(make().varcorr.frame, expected)


def test_a_block_is_found_by_name_and_a_wrong_name_tells_the_right_ones():
    varcorr = make().varcorr
    assert varcorr["g"] is SLOPES
    assert (list(varcorr), len(varcorr)) == ([SLOPES], 1)
    assert varcorr["g"].sd.to_dict() == {"(Intercept)": 2.0, "x": 3.0}
    assert varcorr["g"].corr.loc["x", "(Intercept)"] == 0.5
    assert varcorr["g"].cov.loc["x", "x"] == 9.0
    with pytest.raises(KeyError, match="'h'; the random terms are g"):
        varcorr["h"]


def test_tables_carry_the_names_of_terms_and_levels():
    fit = make()
    assert fit.fixef.to_dict() == {"(Intercept)": 1.0, "x": -2.0}
    assert fit.vcov.loc["x", "(Intercept)"] == 0.1
    assert fit.coefficients.loc["x"].to_dict() == {"estimate": -2.0, "std_error": 2.0, "t_value": -1.0}
    assert fit.ranef["g"].loc["b", "x"] == 4.0
    assert (fit.nobs, fit.npar) == (3, 6)


def test_rows_keep_the_labels_of_the_frame():
    pd.testing.assert_series_equal(make().fitted, pd.Series([1.0, 2, 3], index=list("prs"), name="fitted"))


def test_padded_rows_are_nan_at_their_places():
    residuals = make(_padded_rows=np.arange(4)).residuals
    pd.testing.assert_series_equal(residuals, pd.Series([0.1, np.nan, 0.2, 0.3], index=list("pqrs"), name="residuals"))


def test_padding_stays_inside_the_subset():
    fit = make(rows=np.array([3]), fitted_values=np.array([7.0]), _padded_rows=np.array([1, 3]))
    pd.testing.assert_series_equal(fit.fitted, pd.Series([np.nan, 7.0], index=list("qs"), name="fitted"))


@pytest.mark.parametrize("name", ["beta", "sigma", "engine", "anything"])
def test_a_fit_is_frozen(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(make(), name, 1)


def test_a_pickled_fit_is_the_same_fit():
    fit = make()
    assert fit.fixef is not None  # cached values travel or are made anew
    again = pickle.loads(pickle.dumps(fit))
    assert again.quantities() == fit.quantities()
    assert again.fitted.equals(fit.fitted)


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_log_likelihood_is_a_float_that_keeps_its_degrees_of_freedom(through):
    value = through(LogLik(-10.5, 6, 180, True))
    assert isinstance(value, LogLik)
    assert (value, value.df, value.nobs, value.reml) == (-10.5, 6, 180, True)


def test_an_engine_that_keeps_its_matrices_to_itself_has_no_design():
    assert make().design() is None
