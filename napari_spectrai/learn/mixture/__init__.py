"""Mixtures of fitted methods and networks, applied as one model."""
