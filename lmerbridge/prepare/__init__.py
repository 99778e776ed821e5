"""A frame before a fit: look at its groups, fill and centre its columns, and see what a formula makes of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
