"""Which R, lme4 and rpy2 fit together, and the command that installs them. Standard library only."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
