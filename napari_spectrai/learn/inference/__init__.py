"""Prediction with models: sliding windows, tiles, chains of models."""
