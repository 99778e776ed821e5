"""Verbs that give another fit."""
