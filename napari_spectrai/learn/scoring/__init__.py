"""Metrics of results against a truth, and their confidence intervals."""
