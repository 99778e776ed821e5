"""The optimizer of cross products: at lme4's optimum or below it, and confirmed by lme4."""

import warnings

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerControl, glmer, lmer
from lmerbridge.errors import InvalidArgument
from tests.oracle import plain, same_bits

CONTROL = LmerControl(optimizer="crossproduct")
SLOPES = "Reaction ~ Days + (Days | Subject)"
FORMULAS = (
    "y ~ x + (x | g)",
    "y ~ x + (x || g)",
    "y ~ x + (1 | g)",
    "y ~ x + (1 | g) + (1 | h)",
    "y ~ x + (1 | g / s)",
    "y ~ x + (x | g) + (z | h)",
    "y ~ f + (f | g)",
    "y ~ 0 + x + (0 + x | g)",
    "y ~ x + (x | g) + (1 | h) + (1 | s)",
    "y ~ 1 + (1 | s) + (x || h)",
    "y ~ x * f + (0 + f | h)",
)
SIZES = [(0.0, 0.0, 0.0), (0.0, 0.5, 2.0), (1.0, 0.3, 0.0), (3.0, 1.0, 1.0)]  # effects of g, of x by g, and of h and s


def drawn(seed, sizes, rows=240):
    rng = np.random.default_rng(seed)
    code = {"g": rng.integers(0, 12, rows), "h": rng.integers(0, 6, rows), "f": rng.integers(0, 3, rows)}
    code["s"] = code["g"] * 3 + rng.integers(0, 3, rows)
    frame = pd.DataFrame({name: [f"{name}{i}" for i in codes] for name, codes in code.items()})
    frame["x"], frame["z"], frame["o"] = rng.normal(size=(3, rows))
    frame["w"] = rng.uniform(0.2, 3, rows)
    b = rng.normal(size=(4, 40))
    of_group, of_slope, of_others = sizes
    frame["y"] = 1 + 0.3 * frame.x + rng.normal(size=rows) + of_group * b[0, code["g"]]
    frame["y"] += of_slope * b[1, code["g"]] * frame.x + of_others * (b[2, code["h"]] + b[3, code["s"]])
    return frame


def quiet(*args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lmer(*args, **options)


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("reml", [True, False])
def test_the_criterion_is_lme4_s_or_below_it(formula, reml):
    for i, sizes in enumerate(SIZES):
        data = drawn(10 * i + reml, sizes)
        vectors = {"weights": "w", "offset": "o"} if i % 2 else {}
        theirs = quiet(formula, data, reml=reml, **vectors)
        ours = quiet(formula, data, reml=reml, control=CONTROL, **vectors)
        assert ours.provenance.optimizer == "crossproduct"
        assert "lme4's" in ours.provenance.message
        limit = 1e-7 * max(1.0, abs(theirs.criterion))  # where both have stopped at the same place
        assert ours.criterion <= theirs.criterion + limit, (formula, i, ours.provenance.message)


def test_what_follows_from_theta_is_lme4_s_to_the_bit(sleepstudy):
    fit = lmer(SLOPES, sleepstudy, control=CONTROL)
    # lme4's own steps at that theta; the deviance function is asked last there
    again = """
    parts <- lFormula(formula(m), m@frame)
    d <- do.call(mkLmerDevfun, parts)
    at <- list(par = m@theta + 0, fval = d(m@theta + 0), conv = 0)
    n <- mkMerMod(environment(d), at, parts$reTrms, parts$fr)
    c(at$fval, n@theta, n@beta, sigma(n), as.vector(as.matrix(vcov(n))))
    """
    ours = np.concatenate([[fit.criterion], fit.theta, fit.beta, [fit.sigma], fit.vcov.to_numpy().ravel(order="F")])
    assert same_bits(ours, plain(fit, again))


def test_lme4_s_own_check_of_convergence_is_there_on_request(sleepstudy):
    asked = lmer(SLOPES, sleepstudy, control=LmerControl(optimizer="crossproduct", calc_derivs=True))
    assert abs(asked.optinfo.gradient).max() < 1e-4  # lme4's own optimizer ends at 1e-3
    assert lmer(SLOPES, sleepstudy, control=CONTROL).optinfo.gradient is None


def test_a_refit_and_an_update_are_by_cross_products_too(sleepstudy):
    fit = lmer(SLOPES, sleepstudy, control=CONTROL)
    for again in (fit.refit(sleepstudy.Reaction.to_numpy() + 1), fit.update(". ~ . - Days")):
        assert again.provenance.optimizer == "crossproduct"


def test_what_it_is_not_for_is_refused(sleepstudy):
    with pytest.raises(InvalidArgument, match=r"has no options, and optCtrl is \{'maxeval': 3\}"):
        lmer(SLOPES, sleepstudy, control={"optimizer": "crossproduct", "optCtrl": {"maxeval": 3}})
    with pytest.raises(InvalidArgument, match="one or two of nloptwrap, bobyqa"):
        glmer("Days ~ 1 + (1 | Subject)", sleepstudy, family="poisson", control={"optimizer": "crossproduct"})
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"y": rng.normal(size=9000), "a": np.arange(9000) // 3, "b": rng.permutation(9000) // 4})
    with pytest.raises(InvalidArgument, match=r"makes a dense matrix of the effects .* leave the optimizer out"):
        lmer("y ~ 1 + (1 | a) + (1 | b)", data, control=CONTROL)
