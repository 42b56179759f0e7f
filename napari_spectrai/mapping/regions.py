"""Mean spectra of labelled regions, as a table for spreadsheets (CSV) or for single-cell tools (AnnData, ``.h5ad``)."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cells import safe_row
from napari_spectrai.conversion import as_cube
from napari_spectrai.files import replacing
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.mapping.blocks import Pixels
from napari_spectrai.mapping.kind import Progress, silent
from napari_spectrai.spectral_axis import SpectralAxis

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RegionMeans:
    """Mean spectra of regions.

    Attributes
    ----------
    names : list of str
        Of R regions; the number is added where a name occurs twice.
    values : list of int
        Their numbers in the labels.
    counts : int ndarray of shape (R,)
        Pixels that hold data.
    means, deviations : float64 ndarray of shape (R, L)
        Mean spectrum and sample standard deviation, in the unit of the intensities; NaN where a region has no pixel, or one alone.
    centres : float64 ndarray of shape (R, D)
        Mean position of the pixels along each spatial dimension, in pixels; D is 1 for a set of spectra.
    axis : SpectralAxis
    source : str
        Name of the cube.
    """

    names: list[str]
    values: list[int]
    counts: npt.NDArray[np.int64]
    means: Doubles
    deviations: Doubles
    centres: Doubles
    axis: SpectralAxis
    source: str = ""

    def write(self, path: str | Path) -> Path:
        """Write the spectra as ``.h5ad`` or ``.csv``.

        Parameters
        ----------
        path : str or Path
            ``.h5ad``: AnnData with regions as observations and bands as variables: means in ``X``, deviations in ``layers["deviation"]``,
            ``obs`` with number and pixels, centres (x, y) in ``obsm["spatial"]``, positions in ``var``. ``.csv``: a row for each region.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If the suffix is another.
        """
        path = Path(path)
        if path.suffix.lower() not in (".h5ad", ".csv"):
            raise ValueError(f"{path.name}: region means are written as .h5ad or .csv; name it {path.stem}.h5ad")
        with replacing(path) as temporary:
            if path.suffix.lower() == ".csv":
                self._write_csv(temporary)
            else:
                self._write_anndata(temporary)
        return path

    def _write_csv(self, path: Path) -> None:
        head = ["region", "number", "pixels", *(f"{value:.9g}" for value in self.axis.values)]
        with path.open("w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file)
            lines.writerow(safe_row(head))
            for name, value, count, mean in zip(self.names, self.values, self.counts, self.means, strict=True):
                lines.writerow(safe_row([name, value, int(count), *(f"{one:.7g}" for one in mean)]))

    def _write_anndata(self, path: Path) -> None:
        """Write AnnData's format 0.1.0 (https://anndata.readthedocs.io/en/stable/fileformat-prose.html)."""
        import h5py

        positions = _different([f"{value:.9g}" for value in self.axis.values], range(len(self.axis)))
        spatial = self.centres[:, :-3:-1] if self.centres.shape[1] > 1 else None  # x, y
        content = io.BytesIO()  # where a disk or a limit ends the writing, HDF5 may end the process
        with h5py.File(content, "w") as file:
            _encode(file, "anndata", "0.1.0")
            _array(file, "X", self.means.astype(np.float32))
            _frame(file, "obs", "region", self.names, {"number": np.array(self.values), "pixels": self.counts})
            _frame(file, "var", "band", positions, {"position": self.axis.values})
            layers, uns = _mapping(file, "layers"), _mapping(file, "uns")
            _array(layers, "deviation", self.deviations.astype(np.float32))
            for name, text in (("axis", self.axis.label), ("unit", self.axis.unit), ("source", self.source)):
                _encode(uns.create_dataset(name, data=_text(text or ""), dtype=h5py.string_dtype()), "string", "0.2.0")
            places = _mapping(file, "obsm")
            if spatial is not None:
                _array(places, "spatial", spatial)
            for name in ("varm", "obsp", "varp"):
                _mapping(file, name)
        path.write_bytes(content.getbuffer())


def region_means(cube: Any, labels: Any, *, unlabelled: int | None = 0, progress: Progress = silent) -> RegionMeans:
    """Average the spectra of each labelled region; pixels without data are left out.

    Parameters
    ----------
    cube : Cube, array or layer
        Of shape (..., y, x, L) or (n, L).
    labels : Labels, integer array or layer
        The region of each pixel: classes, or numbered objects such as cells.
    unlabelled : int or None, default 0
        Number of pixels without a region; None: every number is a region.
    progress : callable, optional
        Called with the spectra done and all.

    Returns
    -------
    RegionMeans

    Raises
    ------
    ValueError
        If the labels have another shape than the image, or label nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_spectrai import Cube, region_means
    >>> found = region_means(Cube(np.array([[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]], np.float32)), np.array([1, 1, 0]))
    >>> found.names, found.means.tolist()
    (['class 1'], [[2.0, 3.0]])
    """
    cube = as_cube(cube)
    labels = as_labels(labels).in_shape(cube.spatial_shape)
    if labels.shape != cube.spatial_shape:
        raise ValueError(f"the labels have the shape {labels.shape}, and the image {cube.spatial_shape}; choose labels of this image")
    classes = labels.classes(unlabelled)
    if not classes:
        raise ValueError(f"the labels name no region: every pixel is {unlabelled}; label some first")
    values = np.array([one.value for one in classes])
    pixels = Pixels.of(cube, np.arange(len(cube.axis)))
    counts = np.zeros(len(values), np.int64)
    sums, squares = (np.zeros((len(values), len(cube.axis))) for _ in range(2))
    centres = np.zeros((len(values), len(cube.spatial_shape)))
    flat, level = labels.data.reshape(-1), None
    for places, spectra in pixels.blocks(progress):
        kept = np.isin(flat[places], values)
        if not kept.any():
            continue
        level = spectra[kept].mean(0) if level is None else level  # sums of squares around a mean lose no digits
        numbers = np.searchsorted(values, flat[places][kept])
        members = _members(numbers, len(values))
        counts += np.bincount(numbers, minlength=len(values))
        sums += members @ (spectra[kept] - level)
        squares += members @ (spectra[kept] - level) ** 2
        centres += members @ np.column_stack(np.unravel_index(places[kept], cube.spatial_shape)).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = counts[:, None].astype(float)
        means = sums / share
        deviations = np.sqrt(np.maximum(0, squares - share * means**2) / np.where(share > 1, share - 1, np.nan))
        means, centres = means + (0.0 if level is None else level), centres / share
    names = _different([one.name for one in classes], values.tolist())
    return RegionMeans(names, values.tolist(), counts, means, deviations, centres, cube.axis, cube.name)


def _members(numbers: npt.NDArray[np.intp], count: int) -> Any:
    """Return a sparse matrix (regions, pixels) of ones."""
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(numbers)), (numbers, np.arange(len(numbers)))), shape=(count, len(numbers)))


def _different(names: list[str], numbers: Any) -> list[str]:
    often = Counter(names)
    return [f"{name} ({number})" if often[name] > 1 else name for name, number in zip(names, numbers, strict=True)]


def _encode(item: Any, kind: str, version: str) -> Any:
    item.attrs["encoding-type"], item.attrs["encoding-version"] = kind, version
    return item


def _mapping(parent: Any, name: str) -> Any:
    return _encode(parent.create_group(name), "dict", "0.1.0")


def _array(parent: Any, name: str, values: npt.NDArray[Any]) -> None:
    _encode(parent.create_dataset(name, data=np.ascontiguousarray(values)), "array", "0.2.0")


def _text(text: str) -> str:
    """Return text that HDF5 can hold."""
    return text.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")


def _frame(parent: Any, name: str, index: str, labels: list[str], columns: dict[str, npt.NDArray[Any]]) -> None:
    import h5py

    frame = _encode(parent.create_group(name), "dataframe", "0.2.0")
    frame.attrs["_index"] = index
    frame.attrs.create("column-order", list(columns), dtype=h5py.string_dtype())
    _encode(frame.create_dataset(index, data=[_text(one) for one in labels], dtype=h5py.string_dtype()), "string-array", "0.2.0")
    for title, values in columns.items():
        _array(frame, title, values)
