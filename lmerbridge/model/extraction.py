"""Everything a fitted model holds."""

from __future__ import annotations

from lmerbridge.model.estimates import Estimates
from lmerbridge.model.matrices import Matrices
from lmerbridge.model.optimum import Optimum


class Extraction(Estimates, Matrices, Optimum):
    """Everything a fitted model holds."""
