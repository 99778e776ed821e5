"""Residuals, leverage and influence."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Diagnostics(KeptFit):
    """Residuals, leverage and influence."""
