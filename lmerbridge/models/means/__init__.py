"""Marginal means and trends on a grid."""
