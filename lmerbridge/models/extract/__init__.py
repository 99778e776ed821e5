"""Verbs that read what a fit holds."""
