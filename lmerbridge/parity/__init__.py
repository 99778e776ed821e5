"""The referee: do two engines agree, which one is right, by how much, and why they differ."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
