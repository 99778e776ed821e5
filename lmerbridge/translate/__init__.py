"""From R's words for a model to what a Python engine takes, and back, without R."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
