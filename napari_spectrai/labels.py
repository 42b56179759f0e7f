"""Classes of pixels or spectra: an array of whole numbers, and the names and colours of those numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai import repr_html
from napari_spectrai.placement import KEY as PLACEMENT
from napari_spectrai.placement import Placement, placed

MANY_CLASSES = 100
"""Numbers without names beyond which labels are asked about: no label image has so many classes that nobody named."""
FEW_OBJECTS = 30
"""Numbers without names from which on labels are checked for objects."""
NO_AMOUNTS = "amounts are not learnt as such: group them into classes, for example with numpy.digitize(amounts, limits)"
"""What to do with amounts instead of classes."""
LARGEST_CLASS = 2**31 - 2
"""Largest number of a class; files use those above it, such as 4294967295, where there are no data."""
SHOWN_CLASSES = 20
"""Largest number of classes that a notebook lists."""
_ROUNDING = 1e-5
"""Deviation from a whole number, relative to it, that is due to arithmetic in float32."""
LOOSE = 2.5
"""How often the boxes around objects may cover the pixels that these fill: a disc fills 0.79 of its own, an oblique ellipse half."""

Colour = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Class:
    """One class: its number in a label image, its name, and its colour (red, green, blue, opacity; 0 to 1) if it has one."""

    value: int
    name: str
    colour: Colour | None = None


FAR = 4
"""How many times the largest gap between the other numbers a number lies above them that looks like a marker of missing data."""
MARKERS = (99, 127, 254, 255, 999, 9999, 32767, 65534, 65535, 99999, 999999, 2147483646)
"""Numbers that files use where there are no data, most of them the largest of a type of numbers."""
_UNLABELLED = ("unlabelled", "unlabeled", "unclassified")
MISSING_NAMES = frozenset(
    ["", "?", "NA", "na", "<NA>", "N/A", "n/a", "#N/A", "#NA", "NaN", "nan", "NAN", "NaT", "None", "NULL", "null"]
    + [written for word in _UNLABELLED for written in (word, word.capitalize(), word.upper())]
)
"""Texts that stand where a spectrum has no class; Na is sodium."""
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
        By convention 0 is unlabelled (a task's `unlabelled` may be another number, or None). -1 is unlabelled for every task; other
        negative numbers, which files use where there are no data, NaN and masked values become -1.
    names : mapping of int to str, optional
        Names of all classes or of some, without blanks around them; the others are named after their number.
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
        hidden = np.ma.getmaskarray(self.data) if np.ma.is_masked(self.data) else None
        data = np.asarray(self.data)
        if data.dtype.kind == "b":
            data = data.astype(np.uint8)
        if hidden is not None and data.dtype.kind in "iuf":
            data = np.where(hidden, UNKNOWN, data.astype(np.float64 if data.dtype.kind == "f" else np.int64))
        if data.dtype.kind == "f":  # MATLAB's numbers
            data = np.where(np.isnan(data), UNKNOWN, data)
            whole = np.round(data)
            far = ~np.isclose(whole, data, rtol=_ROUNDING, atol=_ROUNDING) | np.isinf(data)
            if far.any():
                raise ValueError(f"labels are whole numbers, one per class, and these hold {data[far].flat[0]:g}; {NO_AMOUNTS}")
            data = _with_numbers_of_classes(whole).astype(np.int64)
        if data.dtype.kind not in "iu":
            raise ValueError(f"labels are whole numbers, one per class, not {data.dtype}; name the classes with a list of texts")
        object.__setattr__(self, "data", _with_numbers_of_classes(data))
        if any(name != name.strip() for name in self.names.values() if isinstance(name, str)):  # as in columns of a fixed width
            kept = {value: name.strip() if isinstance(name, str) else name for value, name in self.names.items()}
            object.__setattr__(self, "names", {value: name for value, name in kept.items() if name != ""})

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

    def in_shape(self, shape: Sequence[int]) -> Labels:
        """Return the labels in a shape that differs from theirs by dimensions of length 1; the same labels where it differs otherwise.

        Parameters
        ----------
        shape : sequence of int
            Of an image without its bands, (..., y, x), or of a set, (n,).

        Returns
        -------
        Labels
        """
        kept = [d for d, length in enumerate(self.shape) if length != 1]
        if self.shape == tuple(shape) or [self.shape[d] for d in kept] != [length for length in shape if length != 1]:
            return self
        lies, metadata = self.placement, {key: value for key, value in self.metadata.items() if key != PLACEMENT}
        if lies is not None and len(kept) == len(shape):
            metadata[PLACEMENT] = lies.of_dimensions(kept).to_json()
        return replace(self, data=self.data.reshape(shape), metadata=metadata)

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


def marker_among(classes: Sequence[Class], verb: str) -> str:
    """Return a sentence on the class whose number looks like a marker of missing data; empty if none does.

    Such a number is one of those that are usual for that (`MARKERS`, such as 255), has no name, and lies far above all other classes.

    Parameters
    ----------
    classes : sequence of Class
        In ascending order of their numbers.
    verb : str
        What is done with classes, such as ``"learnt"``.
    """
    values = [one.value for one in classes]
    if len(values) < 2 or values[-1] not in MARKERS or classes[-1].name != f"class {values[-1]}":
        return ""
    gaps = np.diff([0, *values])
    if gaps[-1] <= FAR * max(1, gaps[:-1].max()):
        return ""
    last = values[-1]
    return (
        f"{last} is {verb} as a class like the others, {in_short([str(value) for value in values[:-1]])}; often it marks pixels without a "
        f"class. If it does, set them to -1: labels = labels.astype(int); labels[labels == {last}] = -1. If it is a class, name it."
    )


def names_alike(classes: Sequence[Class], verb: str) -> str:
    """Return a sentence on classes whose names differ only in case or blanks, or not at all; empty if there are none.

    Parameters
    ----------
    classes : sequence of Class
    verb : str
        What is done with classes, such as ``"learnt"``.
    """
    alike: dict[str, list[Class]] = {}
    for one in classes:
        alike.setdefault("".join(one.name.split()).casefold(), []).append(one)
    groups = [group for group in alike.values() if len(group) > 1]
    if not groups:
        return ""
    shown = "; ".join(in_short([f"{one.name!r} ({one.value})" for one in group]) for group in groups[:3])
    more = f"; and {len(groups) - 3} more" if len(groups) > 3 else ""
    return (
        f"Names of classes are the same but for case or blanks ({shown}{more}), and are {verb} as different classes. If they are one "
        "class, give them one number and one name."
    )


def in_short(names: Sequence[str], most: int = 6) -> str:
    """Return names in one line, those beyond the first few as their number: ``"fat, water and 398 more"``."""
    shown = list(names) if len(names) <= most else [*names[: most - 1]]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(shown) < len(names) else "")


def _renumbered(low: int) -> str:
    """Return how labels are numbered consecutively where the smallest number is `low`; 0 and less remain without a class."""
    found = "np.unique(labels, return_inverse=True)[1].reshape(labels.shape)"
    return f"{found} + 1" if low > 0 else found if low == 0 else found.replace("labels, ", "labels.clip(0), ")


def _with_numbers_of_classes(data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return labels in which every negative number is `UNKNOWN`.

    Raises
    ------
    ValueError
        If a number is too large for a class.
    """
    if not data.size or (data.dtype.itemsize < 4 and data.dtype.kind == "u"):
        return data
    low, high = int(data.min()), int(data.max())
    if high > LARGEST_CLASS:
        raise ValueError(
            f"labels hold {high}, and the number of a class is {LARGEST_CLASS} at most; set it to 0 where it means that there are no data, "
            f"or renumber the classes: {_renumbered(low)}"
        )
    return np.where(data < 0, data.dtype.type(UNKNOWN), data) if low < UNKNOWN else data
