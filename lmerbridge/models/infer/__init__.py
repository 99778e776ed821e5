"""Tests of coefficients, terms and models."""
