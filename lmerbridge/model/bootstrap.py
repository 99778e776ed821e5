"""The bootstrap, and power, by refitting simulated responses."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Bootstrapping(KeptFit):
    """The bootstrap, and power, by refitting simulated responses."""
