"""R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine.

Importing this starts no R and no process; names load what they need when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmerbridge.bridge.limit import time_limit
    from lmerbridge.datasets import load_dataset
    from lmerbridge.lmm import LmerFit, lmer
    from lmerbridge.parity.compare import compare
    from lmerbridge.parity.verdict import Comparison, Verdict
    from lmerbridge.plugin import parametrize_parity
    from lmerbridge.results import Fit

__version__: str
__all__ = [
    "Comparison",
    "Fit",
    "LmerFit",
    "Verdict",
    "compare",
    "lmer",
    "load_dataset",
    "parametrize_parity",
    "time_limit",
]

_HOME = {
    "Comparison": "lmerbridge.parity.verdict",
    "Fit": "lmerbridge.results",
    "LmerFit": "lmerbridge.lmm",
    "Verdict": "lmerbridge.parity.verdict",
    "compare": "lmerbridge.parity.compare",
    "lmer": "lmerbridge.lmm",
    "load_dataset": "lmerbridge.datasets",
    "parametrize_parity": "lmerbridge.plugin",
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
