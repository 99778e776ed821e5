"""The known defects of statsmodels 0.15.0, each by name: the referee says what is wrong and whose it is."""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import Verdict, compare, load_dataset
from lmerbridge.errors import InvalidArgument


@pytest.fixture(scope="module")
def between():
    """Some unequal groups without an effect of their own, a covariate between and one within them."""
    rng = np.random.default_rng(0)
    groups = int(rng.integers(6, 24))
    g = np.repeat(np.arange(groups), rng.integers(2, 9, groups))
    b, c = rng.normal(size=groups)[g], rng.normal(size=len(g))
    return pd.DataFrame({"y": 10 + b + 0.3 * c + rng.normal(size=len(g)), "b": b, "c": c, "g": g})


def test_issue_10239_fixed_effects_of_zero_where_the_variance_is(between):
    """What is constant within groups comes back as 0, and MixedLM says that it converged."""
    result = compare("y ~ b + c + (1 | g)", between, candidate="statsmodels[lbfgs]")
    fit = result.candidate_fit
    assert np.abs(fit.beta[:2]).max() < 1e-12  # of 10 and 1
    assert fit.converged
    assert result.verdict is Verdict.ENGINE_FAILED
    assert "a criterion that is not a number" in result.reason
    assert result.reference_fit.beta[0] == pytest.approx(10, abs=1)


def test_the_default_optimizers_stop_short_of_lme4s_optimum_with_every_fixed_effect_right():
    result = compare("distance ~ age * Sex + (age | Subject)", load_dataset("Orthodont"))
    assert (result.verdict, result.worse) == (Verdict.OTHER_OPTIMUM, "statsmodels")
    assert result.gap["statsmodels"] == pytest.approx(2.75, abs=0.01)  # printed to two digits
    assert result.frame.set_index("quantity")["agrees"][["fixef[age]", "fixef[SexFemale]"]].all()


def test_a_method_is_a_choice_and_an_unknown_one_an_error():
    data = load_dataset("Dyestuff")
    result = compare("Yield ~ 1 + (1 | Batch)", data, candidate="statsmodels[powell]")
    assert result.verdict.agrees
    assert result.candidate_fit.provenance.optimizer == "powell"
    with pytest.raises(InvalidArgument, match=r"has bfgs, lbfgs, cg, powell, nm, and not 'newton'"):
        compare("Yield ~ 1 + (1 | Batch)", data, candidate="statsmodels[newton]")
