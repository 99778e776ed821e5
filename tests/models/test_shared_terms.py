"""Fixed effects that share a name, as level b of x and a column xb do: verbs go by place, or refuse.

What is right is what the same model gives whose column has another name.
"""

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset
from lmerbridge.errors import InvalidArgument


@pytest.fixture(scope="module")
def pair():
    data = load_dataset("sleepstudy").assign(x=lambda d: (d["Days"] % 3).map({0: "a", 1: "b", 2: "c"}))
    return [lmer(f"Reaction ~ x + {name} + (1 | Subject)", data.assign(**{name: data["Days"]})) for name in ("xb", "z")]


def numbers(found):
    found = getattr(found, "frame", getattr(found, "tests", found))
    return pd.DataFrame(found).select_dtypes("number").to_numpy(float)


BY_PLACE = {
    "contest": lambda fit: fit.contest([0, 1, 0, -1]),
    "kr_modcomp": lambda fit: fit.kr_modcomp([0, 1, 0, 0]),
    "ddf_lb": lambda fit: fit.ddf_lb(np.eye(4)),
    "sequential": lambda fit: fit.anova(),
    "type II": lambda fit: fit.anova(ddf="Satterthwaite", type="II"),
    "drop1": lambda fit: fit.drop1(ddf="Satterthwaite"),
    "emmeans": lambda fit: fit.emmeans("x"),
    "predict": lambda fit: fit.predict(fit.spec.data.iloc[:9]),
    "predict with errors": lambda fit: fit.predict(fit.spec.data.iloc[:9], se_fit=True),
    "influence": lambda fit: fit.influence("Subject").dfbetas(),
    "cooks_distance": lambda fit: fit.influence("Subject").cooks_distance(),
    "all_fit": lambda fit: fit.all_fit(["bobyqa"]).fixef,
    "bootstrap": lambda fit: fit.bootstrap(lambda r: r.fixef.to_numpy(), nsim=2, seed=1).t,
}
REFUSED = {
    "contest": lambda fit: fit.contest({"xb": 1}),
    "sat_modcomp": lambda fit: fit.sat_modcomp(pd.DataFrame({"xb": [1]})),
    "ddf_lb": lambda fit: fit.ddf_lb(pd.Series({"xb": 1})),
    "power": lambda fit: fit.power("xb", 2),
    "power of another effect": lambda fit: fit.power(lambda r: True, 2, beta={"xb": 1.0}),
    "summary": lambda fit: fit.summary("Satterthwaite"),
    "type III": lambda fit: fit.anova(ddf="Kenward-Roger"),
    "ls_means": lambda fit: fit.ls_means(),
    "confint": lambda fit: fit.confint(method="Wald"),
}


@pytest.mark.parametrize("verb", BY_PLACE)
def test_terms_that_share_a_name_are_told_apart_by_their_place(verb, pair):
    shared, renamed = (BY_PLACE[verb](fit) for fit in pair)
    assert numbers(shared).size
    np.testing.assert_allclose(numbers(shared), numbers(renamed), rtol=1e-7, atol=1e-12)  # of another rounding


@pytest.mark.parametrize("verb", REFUSED)
def test_what_goes_by_names_refuses_a_name_that_terms_share(verb, pair):
    shared, _ = pair
    with pytest.raises(InvalidArgument, match="xb"):
        REFUSED[verb](shared)
