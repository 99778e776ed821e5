"""R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine.

Importing this starts no R and no process; names load what they need when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmerbridge.bridge.limit import time_limit
    from lmerbridge.datasets import load_dataset
    from lmerbridge.inputs.control import ConvCheck, LmerControl
    from lmerbridge.models.denovo import data_template, params_template, simulate_formula
    from lmerbridge.models.lmer import LmerFit, lmer
    from lmerbridge.models.lmlist import lm_list
    from lmerbridge.parity.compare import compare
    from lmerbridge.parity.verdict import Comparison, Verdict
    from lmerbridge.plugin import parametrize_parity
    from lmerbridge.results.fit import Fit

__version__: str
__all__ = [
    "Comparison",
    "ConvCheck",
    "Fit",
    "LmerControl",
    "LmerFit",
    "Verdict",
    "compare",
    "data_template",
    "lm_list",
    "lmer",
    "load_dataset",
    "parametrize_parity",
    "params_template",
    "simulate_formula",
    "time_limit",
]

_HOME = {
    "Comparison": "lmerbridge.parity.verdict",
    "ConvCheck": "lmerbridge.inputs.control",
    "Fit": "lmerbridge.results.fit",
    "LmerControl": "lmerbridge.inputs.control",
    "LmerFit": "lmerbridge.models.lmer",
    "Verdict": "lmerbridge.parity.verdict",
    "compare": "lmerbridge.parity.compare",
    "data_template": "lmerbridge.models.denovo",
    "lm_list": "lmerbridge.models.lmlist",
    "lmer": "lmerbridge.models.lmer",
    "load_dataset": "lmerbridge.datasets",
    "parametrize_parity": "lmerbridge.plugin",
    "params_template": "lmerbridge.models.denovo",
    "simulate_formula": "lmerbridge.models.denovo",
    "time_limit": "lmerbridge.bridge.limit",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        value = import_module("importlib.metadata").version(__name__)
    elif name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__all__", "__doc__", "__version__"]
