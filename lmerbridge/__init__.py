"""R's lme4 from pandas, to the last bit, and a referee for every other mixed-model engine.

Importing this starts no R and no process. Names load what they need when first used; ``__init__.pyi`` says where
each is.
"""

from __future__ import annotations

from importlib import import_module

import lazy_loader

__version__: str
_exported, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> object:
    return import_module("importlib.metadata").version(__name__) if name == "__version__" else _exported(name)
