"""R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine.

Importing this starts no R and no process; names load what they need when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmerbridge.bridge.limit import time_limit
    from lmerbridge.control import ConvCheck, LmerControl
    from lmerbridge.datasets import load_dataset
    from lmerbridge.denovo import data_template, params_template, simulate_formula
    from lmerbridge.lmlist import lm_list
    from lmerbridge.lmm import LmerFit, lmer
    from lmerbridge.parity.compare import compare
    from lmerbridge.parity.verdict import Comparison, Verdict
    from lmerbridge.plugin import parametrize_parity
    from lmerbridge.results import Fit

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
    "ConvCheck": "lmerbridge.control",
    "Fit": "lmerbridge.results",
    "LmerControl": "lmerbridge.control",
    "LmerFit": "lmerbridge.lmm",
    "Verdict": "lmerbridge.parity.verdict",
    "compare": "lmerbridge.parity.compare",
    "data_template": "lmerbridge.denovo",
    "lm_list": "lmerbridge.lmlist",
    "lmer": "lmerbridge.lmm",
    "load_dataset": "lmerbridge.datasets",
    "parametrize_parity": "lmerbridge.plugin",
    "params_template": "lmerbridge.denovo",
    "simulate_formula": "lmerbridge.denovo",
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
    return sorted({*globals(), *__all__})
