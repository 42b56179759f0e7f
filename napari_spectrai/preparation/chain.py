"""Steps one after another: for a cube, and for a model that must repeat and undo them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from napari_spectrai.cube import Cube, FloatArray, SpectralAxis, as_cube
from napari_spectrai.preparation.step import Step
from napari_spectrai.preparation.step import steps as registry

Factors = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Preparation:
    """The steps before a network, with what they learnt; `restore` undoes the scalings afterwards."""

    steps: tuple[Step, ...] = ()

    def fitted(self, spectra: FloatArray, axis: SpectralAxis) -> Self:
        """Return the preparation with every step fitted on training spectra of shape (n, L), in turn."""
        done: list[Step] = []
        for step in self.steps:
            done.append(step.fitted(spectra))
            spectra, axis = done[-1].apply(spectra, axis)
        return type(self)(tuple(done))

    def apply(self, spectra: FloatArray, axis: SpectralAxis) -> tuple[FloatArray, SpectralAxis, list[Factors]]:
        """Return the prepared spectra, their axis, and the factors that `restore` needs.

        Parameters
        ----------
        spectra : ndarray of shape (..., L)
        """
        removed: list[Factors] = []
        for step in self.steps:
            factors = step.factors(spectra)
            if factors is not None:
                removed.append(factors)
            spectra, axis = step.apply(spectra, axis)
        return spectra, axis, removed

    @staticmethod
    def restore(spectra: FloatArray, removed: Sequence[Factors]) -> FloatArray:
        """Bring prepared intensities back: multiply and shift by what `apply` removed, last first."""
        for offset, scale in reversed(removed):
            spectra = spectra * scale + offset
        return spectra


def preprocess(cube: Any, steps: Iterable[Step | dict[str, Any] | str]) -> Cube:
    """Apply steps to a cube, an array or a napari layer, in order.

    Parameters
    ----------
    cube : Cube, array or layer
        Lazy (dask) data stay lazy.
    steps : iterable of Step, mapping or str
        ``[Crop(low=600, high=1800), {"kind": "savitzky_golay", "window": 9}, "normalise"]``

    Returns
    -------
    Cube of float32
    """
    source = as_cube(cube)
    chain = Preparation(tuple(registry.parse(step) for step in steps))
    if hasattr(source.data, "map_blocks"):
        return _lazily(source, chain)
    spectra = source.numpy()
    chain = chain.fitted(spectra.reshape(-1, spectra.shape[-1]), source.axis)
    spectra, axis, _ = chain.apply(spectra, source.axis)
    return source.with_data(spectra, axis=axis)


def _lazily(source: Cube, chain: Preparation) -> Cube:
    import dask.array as da

    for step in chain.steps:
        if step.fitted(np.ones((1, len(source.axis)), np.float32)) != step:
            raise ValueError(f"{step.kind!r} needs to see the whole cube; give its factor, or load the cube into memory first")
    whole = da.asarray(source.data).astype(np.float32).rechunk({-1: -1})
    _, axis, _ = chain.apply(np.ones((1, len(source.axis)), np.float32), source.axis)
    prepared = whole.map_blocks(
        lambda block: chain.apply(block, source.axis)[0],
        dtype=np.float32,
        chunks=(*whole.chunks[:-1], (len(axis),)),
        meta=np.empty((0,) * whole.ndim, np.float32),
    )
    return source.with_data(prepared, axis=axis)
