"""Classical methods: what a network has to beat, and methods in their own right; torch modules whose buffers are what they learnt."""

from napari_spectrai.learn.classical.method import Method, fitted, from_tensors, rivals, to_tensors

__all__ = ["Method", "fitted", "from_tensors", "rivals", "to_tensors"]
