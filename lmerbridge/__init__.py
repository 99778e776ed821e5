"""R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine.

Importing this starts no R and no process. Names load what they need when first used; ``__init__.pyi`` says where
each is.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import lazy_loader

__version__: str
_exported, __dir__, _names = lazy_loader.attach_stub(__name__, __file__)
_NEEDED = {"LmerRegressor": "sklearn", "parametrize_parity": "pytest"}
__all__ = [name for name in _names if find_spec(_NEEDED.get(name, __name__))]  # ``import *`` asks for each


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("importlib.metadata").version(__name__)
    if name in _names or name.startswith("_") or (name.isidentifier() and find_spec(f"{__name__}.{name}")):
        return _exported(name)
    hints = import_module(f"{__name__}.inputs.hints")
    raise hints.unknown_name(__name__, name, _names, hints.EXPORTS)
