"""Another model from this one: other formula, other data, other response."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Changes(KeptFit):
    """Another model from this one: other formula, other data, other response."""
