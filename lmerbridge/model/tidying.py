"""A fit as tidy tables, with broom's columns."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Tidying(KeptFit):
    """A fit as tidy tables, with broom's columns."""
