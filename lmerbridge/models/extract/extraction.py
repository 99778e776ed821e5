"""Everything a fitted model holds."""

from __future__ import annotations

from lmerbridge.models.extract.estimates import Estimates
from lmerbridge.models.extract.matrices import Matrices
from lmerbridge.models.extract.optimum import Optimum


class Extraction(Estimates, Matrices, Optimum):
    """Everything a fitted model holds."""
