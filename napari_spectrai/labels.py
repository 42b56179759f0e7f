"""Classes of pixels or spectra: an array of whole numbers, and the names and colours of those numbers."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai import repr_html
from napari_spectrai.layer_axes import Layer, SpectralWarning
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement, placed

MANY_CLASSES = 100
"""Numbers without names beyond which labels are asked about: no label image has so many classes that nobody named."""
FEW_OBJECTS = 30
"""Numbers without names from which on labels are checked for objects."""
SHOWN_CLASSES = 20
"""Largest number of classes that a notebook lists."""
LOOSE = 2.5
"""How often the boxes around objects may cover the pixels that these fill: a disc fills 0.79 of its own, an oblique ellipse half."""

Colour = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Class:
    """One class: its number in a label image, its name, and its colour (red, green, blue, opacity; 0 to 1) if it has one."""

    value: int
    name: str
    colour: Colour | None = None


UNKNOWN = -1
"""The number that means unlabelled in every label image."""
NO_DATA = "no data"
"""The name of the number that stands for pixels without a class, where 0 is a class itself."""


def unlabelled(classes: Sequence[Class]) -> int:
    """Return the number that means "no class" in addition to some classes: 0 where that is free, else the first above them."""
    values = [one.value for one in classes]
    return 0 if 0 not in values else max(values) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """The class of every pixel or spectrum: whole numbers, and the names and colours of the classes.

    Parameters
    ----------
    data : integer array of shape (..., y, x) or (n,)
        By convention 0 is unlabelled (a task's `unlabelled` may be another number, or None). -1 is unlabelled for every task; NaN becomes
        -1.
    names : mapping of int to str, optional
        Names of all classes or of some; the others are named after their number.
    colours : mapping of int to (red, green, blue, opacity), optional
        Each from 0 to 1.
    name : str, default ""
        What layers, tables and messages call the labels.
    source : Path, optional
        The file that holds exactly these labels.
    metadata : mapping, optional
        Anything else that is known. Of it *prediction*, which the docks write into results, is kept in files.

    Raises
    ------
    ValueError
        If the values are not whole numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_spectrai import Labels
    >>> Labels(np.array([[0, 1], [2, 2]]), {1: "fat", 2: "water"}, name="cells")
    Labels(cells: 2 × 2, 2 classes)
    """

    data: npt.NDArray[np.integer[Any]]
    names: Mapping[int, str] = field(default_factory=dict)
    colours: Mapping[int, Colour] = field(default_factory=dict)
    name: str = ""
    source: Path | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        data = np.asarray(self.data)
        if data.dtype.kind == "b":
            data = data.astype(np.uint8)
        if data.dtype.kind == "f":  # MATLAB's numbers
            data = np.where(np.isnan(data), UNKNOWN, data)
            whole = np.round(data)
            if not np.array_equal(whole, data) or not np.isfinite(data).all():
                bad = data[~np.isclose(whole, data)] if np.isfinite(data).all() else data[~np.isfinite(data)]
                raise ValueError(f"labels are whole numbers, one per class, and these hold {bad.flat[0]:g}; choose a label image")
            data = whole.astype(np.int64)
        if data.dtype.kind not in "iu":
            raise ValueError(f"labels are whole numbers, one per class, not {data.dtype}; name the classes with a list of texts")
        object.__setattr__(self, "data", data)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        return tuple(self.data.shape)

    @property
    def placement(self) -> Placement | None:
        """Where the pixels lie, from the layer that the labels came from; None if unknown."""
        return placed(self.metadata, self.shape)

    def values(self, unlabelled: int | None = 0) -> list[int]:
        """Return the numbers that occur, without those that mean unlabelled.

        Parameters
        ----------
        unlabelled : int or None, default 0
            Number of pixels without a class; None: every number is a class.

        Returns
        -------
        list of int
            In ascending order.
        """
        if self.data.size and self.data.min() >= 0 and self.data.max() < 2**20:  # counting is far faster than sorting
            found = np.flatnonzero(np.bincount(self.data.ravel()))
        else:
            found = np.unique(self.data)
        return [int(value) for value in found if value not in (unlabelled, UNKNOWN)]

    def objects(self, unlabelled: int | None = 0) -> int:
        """Return how many objects these seem to number, as an instance segmentation does; 0 where the numbers look like classes.

        Beyond `MANY_CLASSES` numbers without names they are taken for objects; from `FEW_OBJECTS` on where each fills a spot of its
        own, so that the boxes around them hardly overlap: those of classes lie all over an image.

        Parameters
        ----------
        unlabelled : int or None, default 0
            Number of pixels without a class; None: every number counts.

        Returns
        -------
        int
        """
        values = [value for value in self.values(unlabelled) if value and value not in self.names]
        if len(values) > MANY_CLASSES:
            return len(values)
        if len(values) < FEW_OBJECTS or self.data.ndim < 2:
            return 0
        from scipy.ndimage import find_objects

        _, places = np.unique(np.where(np.isin(self.data, values), self.data, 0), return_inverse=True)
        boxes = [box for box in find_objects(places.reshape(self.shape)) if box is not None]
        covered = sum(math.prod(part.stop - part.start for part in box) for box in boxes)
        filled = int(np.isin(self.data, values).sum())
        return len(values) if covered < LOOSE * filled else 0

    def classes(self, unlabelled: int | None = 0) -> list[Class]:
        """Return the classes that occur.

        Parameters
        ----------
        unlabelled : int or None, default 0
            Number of pixels without a class; None: every number is a class.

        Returns
        -------
        list of Class
            In ascending order of their numbers, with names and colours where they are known.
        """
        return [Class(value, self.names.get(value, f"class {value}"), self.colours.get(value)) for value in self.values(unlabelled)]

    def __repr__(self) -> str:
        return f"Labels({self.name or 'unnamed'}: {' × '.join(map(str, self.shape))}, {len(self.values())} classes)"

    def _repr_html_(self) -> str:
        classes = self.classes()
        counts = [(one.value, one.name, int((self.data == one.value).sum())) for one in classes[:SHOWN_CLASSES]]
        rows = [("Shape", " × ".join(map(str, self.shape))), ("Classes", len(classes))]
        return repr_html.card("Labels", self.name, rows, repr_html.grid(["number", "class", "pixels"], counts))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:  # noqa: FBT001 (NumPy's protocol)
        return np.array(self.data, dtype=dtype, copy=copy)


def in_short(names: Sequence[str], most: int = 6) -> str:
    """Return names in one line, those beyond the first few as their number: ``"fat, water and 398 more"``."""
    shown = list(names) if len(names) <= most else [*names[: most - 1]]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(shown) < len(names) else "")


def as_labels(x: Any, names: Mapping[int, str] | None = None) -> Labels:
    """Return `x` as labels.

    Parameters
    ----------
    x : Labels, integer array, napari Labels layer, pandas.Series, xarray.DataArray, or a sequence of class names, one per spectrum
        The names of a layer's classes are those in ``metadata["class_names"]`` or the column ``"class"`` of its features. Class names
        (text, also as a Series or Categorical) are numbered from 1, in alphabetical order, or in the order of the categories; missing
        ones (None, NaN) are unlabelled.
    names : mapping of number to name, optional
        The names of numbered classes.

    Returns
    -------
    Labels

    Raises
    ------
    ValueError
        If it holds no labels.

    Examples
    --------
    >>> from napari_spectrai.labels import as_labels
    >>> as_labels(["fat", "water", "fat"]).data.tolist()
    [1, 2, 1]
    """
    if isinstance(x, Labels):
        return x if names is None else replace(x, names=names)
    if hasattr(getattr(x, "dtype", None), "categories"):
        return _categorical(x)
    if isinstance(x, Layer) and not isinstance(x, np.ndarray):
        return say_unknown(_from_layer(x, names))
    if isinstance(x, Sequence) and not isinstance(x, str) and x and all(isinstance(item, str) for item in x):
        return named(x)
    array = np.asarray(x)
    if array.dtype.kind in "UO" and array.size:
        return _named_or_missing(array)
    if not array.ndim or not array.size:
        raise ValueError(f"labels are an array with a class for each pixel or spectrum, not {x!r:.60}")
    return say_unknown(Labels(array, names or {}))


def say_unknown(labels: Labels) -> Labels:
    """Return the labels; warn of what is -1 or NaN in them, which counts as unlabelled.

    Warns
    -----
    SpectralWarning
    """
    count = int((labels.data == UNKNOWN).sum()) if labels.data.dtype.kind == "i" else 0
    if count:
        name = repr(labels.name) if labels.name else "the labels"
        more = "; so does 0 where 0 means unlabelled" if (labels.data == 0).any() else ""
        warnings.warn(f"{count:,} pixels of {name} are -1 or NaN and count as unlabelled{more}", SpectralWarning, stacklevel=3)
    return labels


def labels_of(truths: Any, shapes: Sequence[tuple[int, ...]]) -> list[Labels]:
    """Return labels for cubes of some shapes (without bands): given as such, or as one class, a name or a number, a cube.

    Parameters
    ----------
    truths : None, what `as_labels` takes, or a list of it; or a list of names or numbers, one for each of several cubes
    """
    if truths is None:
        return []
    if not isinstance(truths, list | tuple):
        return [as_labels(truths)]
    single = all(isinstance(truth, str | int | np.integer) for truth in truths)
    if single and len(truths) == len(shapes) > 1:
        each = named([str(t) for t in truths]) if isinstance(truths[0], str) else Labels(np.asarray(truths))
        return [
            Labels(np.full(shape, value, np.int64), each.names, name=str(truth))
            for shape, value, truth in zip(shapes, each.data, truths, strict=True)
        ]
    return [as_labels(truths)] if single else [as_labels(truth) for truth in truths]


def named(names: Sequence[str], shape: tuple[int, ...] | None = None) -> Labels:
    """Return labels for class names, numbered from 1 in alphabetical order."""
    known = sorted(set(names))
    numbers = {name: number for number, name in enumerate(known, 1)}
    data = np.array([numbers[name] for name in names], np.int64).reshape(shape or (len(names),))
    return Labels(data, {number: name for name, number in numbers.items()})


def _categorical(x: Any) -> Labels:
    """Return the labels of a pandas Series or Categorical, numbered from 1 in the order of its categories."""
    category = getattr(x, "cat", x)
    codes = np.asarray(category.codes).astype(np.int64) + 1
    return Labels(codes, {number: str(name) for number, name in enumerate(category.categories, 1)}, name=str(getattr(x, "name", "") or ""))


def _named_or_missing(array: npt.NDArray[Any]) -> Labels:
    """Return labels for an array of class names, in which None and NaN are unlabelled."""
    flat = array.ravel()
    known = np.array([not (item is None or item != item) for item in flat])  # noqa: PLR0124 (NaN differs from itself)
    if not all(isinstance(item, str) for item in flat[known]):
        try:
            numbers: Any = np.where(known, flat, np.nan).astype(np.float64).reshape(array.shape)
            return say_unknown(Labels(numbers))
        except (TypeError, ValueError) as error:
            raise ValueError(f"labels are class names or whole numbers, and these mix them: {flat[known][0]!r:.40}, …") from error
    data = np.zeros(len(flat), np.int64)
    if not known.any():
        raise ValueError("all labels are missing; give the class of some spectra")
    found = named([str(item) for item in flat[known]])
    data[known] = found.data
    return replace(found, data=data.reshape(array.shape))


def _from_layer(layer: Layer, names: Mapping[int, str] | None) -> Labels:
    if hasattr(layer, "shape_type") or hasattr(layer, "symbol"):
        raise ValueError(
            f"{str(getattr(layer, 'name', ''))!r} holds points or shapes, which are classes only of the pixels of a cube; give it as the "
            "truth of that cube, or convert it to a Labels layer"
        )
    data = np.asarray(layer.data[0] if getattr(layer, "multiscale", False) else layer.data)
    if names is None:
        kept = layer.metadata.get("class_names")
        names = {int(value): str(name) for value, name in kept.items()} if isinstance(kept, Mapping) else _feature_names(layer)
    lies = Placement.of_layer(layer, data.shape)
    metadata = {} if lies is None else {PLACEMENT: lies.to_json()}
    labels = Labels(data, names, name=str(getattr(layer, "name", "")), metadata=metadata)
    colour = getattr(layer, "get_color", None)
    if colour is None:
        return labels
    found = {value: colour(value) for value in labels.values()}
    colours = {value: (float(c[0]), float(c[1]), float(c[2]), float(c[3])) for value, c in found.items() if c is not None}
    return replace(labels, colours=colours)


def _feature_names(layer: Layer) -> dict[int, str]:
    """Return the names in napari's table of label features, whose rows are numbered by label unless a column says otherwise."""
    features = getattr(layer, "features", None)
    if features is None or "class" not in features:
        return {}
    index = features["index"] if "index" in features else range(len(features["class"]))
    return {int(value): str(name) for value, name in zip(index, features["class"], strict=True) if value}
