"""Labels from arrays, napari layers, pandas and xarray objects, and class names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.labelled_arrays import is_data_array, plane_of
from napari_spectrai.labels import MISSING_NAMES, UNKNOWN, Labels
from napari_spectrai.layer_axes import Layer, SpectralWarning
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement


def as_labels(x: Any, names: Mapping[int, str] | None = None) -> Labels:
    """Return `x` as labels.

    Parameters
    ----------
    x : Labels, integer array, napari Labels layer, pandas.Series, xarray.DataArray, or a sequence of class names, one per spectrum
        The names of a layer's classes are those in ``metadata["class_names"]`` or the column ``"class"`` of its features. Class names
        (text, also as a Series or Categorical) are numbered from 1, in alphabetical order, or in the order of the categories; missing
        ones (None, NaN, pandas' NA, texts such as "", "NA", "?" and "unlabelled") become -1, which is unlabelled for every task.
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
    >>> from napari_spectrai.label_conversion import as_labels
    >>> as_labels(["fat", "water", "fat"]).data.tolist()
    [1, 2, 1]
    """
    if isinstance(x, Labels):
        return x if names is None else replace(x, names=names)
    if is_data_array(x):
        return _of_data_array(x, names)
    if hasattr(getattr(x, "dtype", None), "categories"):
        return _categorical(x)
    if not isinstance(x, np.ndarray) and isinstance(x, Layer):  # NumPy's dates and texts have no buffer, which the test would ask for
        return say_unknown(labels_of_layer(x, names))
    if isinstance(x, Sequence) and not isinstance(x, str) and len(x) and all(_is_scalar(item) for item in x):
        x = np.fromiter(x, object, len(x))
    elif type(x).__module__.startswith("pandas.") and hasattr(x, "to_numpy"):  # pandas' own types have no NumPy kind
        x = x.to_numpy()
    array = x if isinstance(x, np.ma.MaskedArray) else np.asarray(x)
    if not array.ndim or not array.size:
        given = isinstance(x, str | Path)
        remedy = "; open a file of labels with napari_spectrai.io.labels.read_labels(path)" if given else ""
        raise ValueError(f"labels are an array with a class for each pixel or spectrum, not {x!r:.60}{remedy}")
    if array.dtype.kind in "UOST":
        return say_unknown(named_or_missing(array))
    return say_unknown(Labels(array, names or {}))


def _of_data_array(x: Any, names: Mapping[int, str] | None) -> Labels:
    """Return the labels of a DataArray, y before x, and where its coordinates place them."""
    plane, array = plane_of(x, x.dims), np.asarray(x.data)
    labels = as_labels(array.swapaxes(-2, -1) if plane.turned else array, names)
    metadata = {} if plane.placement is None else {PLACEMENT: plane.placement.to_json()}
    return replace(labels, name=str(x.name or ""), metadata=metadata)


def say_unknown(labels: Labels) -> Labels:
    """Return the labels; warn of what is missing in them, which counts as unlabelled.

    Warns
    -----
    SpectralWarning
    """
    count = int((labels.data == UNKNOWN).sum()) if labels.data.dtype.kind == "i" else 0
    if count:
        name = repr(labels.name) if labels.name else "the labels"
        more = "; so does 0 where 0 means unlabelled" if (labels.data == 0).any() else ""
        why = "(negative, masked, NaN, empty, or a text such as NA or unlabelled)"
        warnings.warn(f"{count:,} pixels of {name} are missing {why} and count as unlabelled{more}", SpectralWarning, stacklevel=3)
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
    single = all(_is_scalar(truth) for truth in truths)
    if single and len(truths) == len(shapes) > 1 and not any(is_missing(truth) for truth in truths):
        each = named([str(t) for t in truths]) if isinstance(truths[0], str) else Labels(np.asarray(truths))
        return [
            Labels(np.full(shape, value, np.int64), each.names, name=str(truth))
            for shape, value, truth in zip(shapes, each.data, truths, strict=True)
        ]
    nested = all(isinstance(truth, list | tuple) for truth in truths) and len({len(truth) for truth in truths}) == 1
    if nested and len(shapes) == 1 < len(truths) == shapes[0][0]:  # the rows of one label image
        return [as_labels(np.array(truths))]
    return [as_labels(truths)] if single else [as_labels(truth) for truth in truths]


def _is_scalar(item: Any) -> bool:
    """Whether an entry of a list is the class of one spectrum or cube: a name, a number, or missing."""
    return isinstance(item, str | bytes | int | float | np.generic) or is_missing(item)


def is_missing(item: Any) -> bool:
    """Whether a class is missing: None, NaN, pandas' NA or NaT, or a text that says so, such as an empty one."""
    if isinstance(item, str):
        return item.strip() in MISSING_NAMES
    return item is None or type(item).__name__ in ("NAType", "NaTType") or (isinstance(item, float | np.floating) and bool(np.isnan(item)))


def named(names: Sequence[str], shape: tuple[int, ...] | None = None) -> Labels:
    """Return labels for class names, numbered from 1 in alphabetical order."""
    names = [name.strip() for name in names]
    known = sorted(set(names))
    numbers = {name: number for number, name in enumerate(known, 1)}
    data = np.array([numbers[name] for name in names], np.int64).reshape(shape or (len(names),))
    return Labels(data, {number: name for name, number in numbers.items()})


def _categorical(x: Any) -> Labels:
    """Return the labels of a pandas Series or Categorical, numbered from 1 in the order of its categories, unless these are numbers."""
    category = getattr(x, "cat", x)
    codes, name = np.asarray(category.codes).astype(np.int64), str(getattr(x, "name", "") or "")
    if len(category.categories) and category.categories.dtype.kind in "iuf":
        numbers = np.asarray(category.categories, np.float64)
        return say_unknown(Labels(np.where(codes < 0, np.nan, numbers[codes]), name=name))
    names = {number: str(name) for number, name in enumerate(category.categories, 1) if not is_missing(name)}
    data = np.where(np.isin(codes + 1, [*names]), codes + 1, UNKNOWN)
    return say_unknown(Labels(data, names, name=name))


def named_or_missing(array: npt.NDArray[Any]) -> Labels:
    """Return labels for an array of class names or numbers, in which `is_missing` entries are unlabelled."""
    flat = array.ravel().astype(object) if array.dtype.kind in "ST" else array.ravel()
    flat = np.fromiter((item.decode("utf-8", "replace") if isinstance(item, bytes) else item for item in flat), object, len(flat))
    known = np.array([not is_missing(item) for item in flat])
    if not known.any():
        raise ValueError("all labels are missing; give the class of some spectra")
    texts = np.array([isinstance(item, str) for item in flat[known]])
    if texts.all():
        found = named([str(item).strip() for item in flat[known]])
        data = np.full(len(flat), UNKNOWN, np.int64)
        data[known] = found.data
        return replace(found, data=data.reshape(array.shape))
    values = flat[known]
    if texts.any() or not all(isinstance(item, int | float | np.number | np.bool_) for item in values):
        other = values[np.flatnonzero(texts != texts[0])[0]] if texts.any() else values[0]
        raise ValueError(f"labels are class names or whole numbers, and these hold {values[0]!r:.40} and {other!r:.40}; choose one of both")
    numbers = np.full(len(flat), np.nan)
    numbers[known] = values.astype(np.float64)
    return Labels(numbers.reshape(array.shape) if not known.all() else np.array(values.tolist()).reshape(array.shape))


def labels_of_layer(layer: Layer, names: Mapping[int, str] | None = None) -> Labels:
    """Return the labels of a napari Labels layer, with the names and colours of all classes that are painted or named.

    Raises
    ------
    ValueError
        If the layer holds points or shapes.
    """
    if hasattr(layer, "shape_type") or hasattr(layer, "symbol"):
        raise ValueError(
            f"{str(getattr(layer, 'name', ''))!r} holds points or shapes, which are classes only of the pixels of a cube; give it as the "
            "truth of that cube, or convert it to a Labels layer"
        )
    data = np.asarray(layer.data[0] if getattr(layer, "multiscale", False) else layer.data)
    if names is None:
        names = names_of_layer(layer)
    lies = Placement.of_layer(layer, data.shape)
    metadata = {} if lies is None else {PLACEMENT: lies.to_json()}
    labels = Labels(data, names, name=str(getattr(layer, "name", "")), metadata=metadata)
    colour = getattr(layer, "get_color", None)
    if colour is None:
        return labels
    found = {value: colour(value) for value in sorted({*labels.values(), *labels.names} - {0, UNKNOWN})}
    colours = {value: (float(c[0]), float(c[1]), float(c[2]), float(c[3])) for value, c in found.items() if c is not None}
    return replace(labels, colours=colours)


def names_of_layer(layer: Layer) -> dict[int, str]:
    """Return the names of the classes of a napari Labels layer: those in its metadata, else in its features."""
    kept = layer.metadata.get("class_names")
    return {int(value): str(name) for value, name in kept.items()} if isinstance(kept, Mapping) else _feature_names(layer)


def _feature_names(layer: Layer) -> dict[int, str]:
    """Return the names in napari's table of label features, whose rows are numbered by label unless a column says otherwise."""
    features = getattr(layer, "features", None)
    if features is None or "class" not in features:
        return {}
    index = features["index"] if "index" in features else range(len(features["class"]))
    return {int(value): str(name) for value, name in zip(index, features["class"], strict=True) if value and not is_missing(name)}
