"""Classical methods: what a network has to beat, and methods in their own right; torch modules whose buffers are what they learnt."""

from napari_spectrai.learn.classical.method import Method, fit_baselines, fitted, from_tensors, to_tensors

__all__ = ["Method", "fit_baselines", "fitted", "from_tensors", "to_tensors"]
