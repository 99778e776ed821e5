"""Predictions, simulated responses and conditional modes."""
