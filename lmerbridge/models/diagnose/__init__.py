"""Residuals, leverage and influence."""
