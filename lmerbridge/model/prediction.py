"""Predictions and simulations."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Prediction(KeptFit):
    """Predictions and simulations."""
