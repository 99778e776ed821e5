"""Models whose checks R has recorded in ``tests/cases/checks.json``."""

import json
from pathlib import Path

from lmerbridge import lmer, load_dataset
from tests.fits import fit_of
from tests.oracle import MODELS, fitted

RECORDED = json.loads((Path(__file__).parents[1] / "cases" / "checks.json").read_text())
OTHERS = {
    "singular": ("Yield ~ 1 + (1 | Batch)", "Dyestuff2"),
    "carrots": ("Preference ~ sens1 + sens2 + Homesize + Age + (1 | Consumer)", "carrots", "lmerTest"),
}
NAMES = [*MODELS, *OTHERS, "weighted"]


def checked(name):
    """The fit of one of the models."""
    if name == "weighted":
        data = load_dataset("sleepstudy").assign(w=lambda data: 1 + data.Days / 10)
        return lmer("Reaction ~ poly(Days, 2) + (1 | Subject)", data, weights="w")
    return fitted(name) if name in MODELS else fit_of(*OTHERS[name])
