"""Estimated marginal means and what is asked of them."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Means(KeptFit):
    """Estimated marginal means and what is asked of them."""
