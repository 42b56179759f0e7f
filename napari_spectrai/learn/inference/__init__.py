"""Applying models: sliding windows, tiles, chains of models."""
