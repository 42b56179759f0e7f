"""The public function: maps of a cube, by kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from napari_spectrai.arguments import of_type
from napari_spectrai.conversion import as_cube
from napari_spectrai.mapping.kind import MapKind, Maps, Progress, kinds, silent
from napari_spectrai.spec import SettingsError, listed, problems


def maps(cube: Any, kind: Any, *, progress: Progress = silent, **settings: Any) -> Maps:
    """Compute maps from the spectra of a cube.

    Parameters
    ----------
    cube : Cube, array or napari layer
        Of shape (..., y, x, L) or (n, L). A lazy cube is read block by block. Spectra that hold no data (`napari_spectrai.valid`)
        are NaN in every map.
    kind : str, mapping or MapKind
        ``"band"``: sum, mean, maximum or area of the intensities in a range, and ratios.
        ``"peaks"``: position, height, FWHM and area of fitted peaks, with standard errors.
        ``"components"``: PCA, NMF, k-means, VCA (with non-negative or fully constrained abundances) or MCR-ALS.
        ``"unmix"``: abundances of given spectra by non-negative least squares.
        ``"library"``: the best match of each spectrum in a library.
    progress : callable, optional
        Called with the number of spectra done and their total; an exception raised in it ends the computation.
    **settings
        Of the kind; see the classes in `napari_spectrai.mapping`. A mapping may hold them, and the kind as ``"kind"``.

    Returns
    -------
    Maps
        With `maps` (2-D for an image), `curves`, `table` and `notes`.

    Raises
    ------
    SettingsError (a ValueError)
        If a setting is unknown or out of bounds; it lists every problem.
    ValueError
        If the settings do not fit the cube: no band in a range, references on another axis.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spectrai as spectrai
    >>> axis = spectrai.SpectralAxis(np.linspace(900, 1100, 101), "1/cm")
    >>> peak = np.exp(-4 * np.log(2) * ((axis.values - 1001) / 12) ** 2)
    >>> cube = spectrai.Cube(np.multiply.outer(np.arange(1, 7).reshape(2, 3), peak).astype("float32"), axis)
    >>> result = spectrai.maps(cube, "peaks", low=950, high=1050)
    >>> np.round(result.maps["position"], 3)
    array([[1001., 1001., 1001.],
           [1001., 1001., 1001.]])
    >>> np.round(result.maps["height"], 3)
    array([[1., 2., 3.],
           [4., 5., 6.]])
    """
    if isinstance(kind, str | Mapping):
        try:
            kind = kinds.parse({**({"kind": kind} if isinstance(kind, str) else kind), **settings})
        except ValidationError as error:
            raise SettingsError(problems(error)) from error
    elif settings:
        raise ValueError(f"settings are part of the {type(kind).__name__} that is given; omit {', '.join(settings)}")
    kind = of_type(kind, MapKind, "the second argument of maps", f"give a kind and its settings; {listed(kinds)}")
    found: Maps = kind.compute(as_cube(cube), progress)
    return found
