"""Recordings of generalized models: the same bits, found by family, link and nodes, without R."""

import json

import numpy as np
import pandas as pd
import pytest

from lmerbridge.engines import find, fit_with
from lmerbridge.engines.recorded import digest, method_of
from lmerbridge.errors import InvalidArgument, NotExpressible
from lmerbridge.inputs import GlmerSpec
from lmerbridge.inputs.glmerspec import GlmerNbSpec
from lmerbridge.inputs.nlmerspec import NlmerSpec
from lmerbridge.parity import cases, recording

CHOSEN = [c for name in ("cbpp/*", "cbpp_probit/*", "grouseticks_nb/*", "epil/*") for c in cases.pick(name)]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "glmm.json"
    recording.write_recording(recording.record_cases(CHOSEN), path)
    return path


@pytest.fixture(scope="module")
def recorded(file):
    return find(f"recorded:{file}")


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_a_generalized_model_has_the_bits_that_were_recorded(case, recorded):
    made, read = fit_with(find(case.reference), case.spec()), fit_with(recorded, case.spec(recorded.load_dataset))
    pd.testing.assert_series_equal(pd.Series(made.quantities()), pd.Series(read.quantities()), check_exact=True)
    for name in ("theta", "covariance", "fitted_values", "residual_values", "rows", "nb_theta"):
        np.testing.assert_array_equal(getattr(made, name), getattr(read, name))
    assert (made.terms, made.conditions, made.singular, made.kind) == (
        read.terms,
        read.conditions,
        read.singular,
        read.kind,
    )
    assert made.provenance == read.provenance
    assert (made.loglik.constant, made.loglik.df) == (read.loglik.constant, read.loglik.df)
    np.testing.assert_array_equal(made.design().y, read.design().y)
    np.testing.assert_array_equal(made.design().weights, read.design().weights)


def test_a_family_a_link_or_nodes_that_were_not_recorded_are_not_expressible(recorded):
    (case,) = cases.pick("cbpp/Laplace")
    for change in ({"family": "binomial(cloglog)"}, {"n_agq": 3}):
        spec = GlmerSpec(**{"formula": case.formula, "data": case.data(), "family": "binomial"} | change)
        with pytest.raises(NotExpressible, match=r"has no fit of cbind.* by binomial\((cloglog|logit)\), [13] node"):
            fit_with(recorded, spec)


def test_no_nonlinear_model_is_recorded(recorded):
    data = pd.DataFrame({"y": [1.0, 2.0], "x": [1.0, 2.0], "g": [1, 2]})
    spec = NlmerSpec(formula="y ~ a * x ~ a | g", data=data, start={"a": 1.0})
    with pytest.raises(NotExpressible, match="fits no nonlinear mixed models"):
        recorded.fit(spec)


def test_a_vector_of_another_length_is_told_by_its_place(file, tmp_path):
    content = json.loads(file.read_text())
    (fit,) = (
        m["fits"]["binomial(probit), 1 node"] for m in content["models"] if "binomial(probit), 1 node" in m["fits"]
    )
    fit["described"]["linear_predictor"].pop()
    content["digest"] = digest(content)
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidArgument, match=r"described.linear_predictor has 55 values; 56 are expected"):
        find(f"recorded:{path}")


def test_a_shape_that_is_known_is_part_of_how_a_model_is_fitted():
    data = pd.DataFrame({"y": [1, 2], "g": [1, 2]})
    known = GlmerSpec(formula="y ~ 1 + (1 | g)", data=data, family="negative.binomial(2)", n_agq=5)
    assert method_of(known) == "negative.binomial(log) of shape 2.0, 5 nodes"
    assert method_of(GlmerNbSpec(formula="y ~ 1 + (1 | g)", data=data)) == "negative.binomial(log), 1 node"
