"""Confidence intervals and profiles."""
