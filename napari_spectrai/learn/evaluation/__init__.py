"""Scores of results against a truth, with their intervals."""
