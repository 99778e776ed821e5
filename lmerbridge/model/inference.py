"""Tests of terms, of models and of contrasts."""

from __future__ import annotations

from lmerbridge.model.kept import KeptFit


class Inference(KeptFit):
    """Tests of terms, of models and of contrasts."""
