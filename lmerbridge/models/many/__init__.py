"""Fits of one model to many responses."""
