"""Everything a fitted model holds."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Extraction(KeptFit):
    """Everything a fitted model holds."""
