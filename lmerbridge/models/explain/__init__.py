"""Predictions taken apart."""
