"""Confidence intervals and profiles."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Intervals(KeptFit):
    """Confidence intervals and profiles."""
