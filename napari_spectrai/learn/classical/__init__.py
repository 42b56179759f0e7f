"""Classical methods, as baselines of networks and on their own; torch modules whose buffers are the fitted values."""

from napari_spectrai.learn.classical.method import Method, fit_baselines, fitted, from_tensors, to_tensors

__all__ = ["Method", "fit_baselines", "fitted", "from_tensors", "to_tensors"]
