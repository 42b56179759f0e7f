"""The pixels that a training used: in which part, and of which class; by them it is decided whether two scores can be compared."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.files import replacing
from napari_spectrai.labels import Labels
from napari_spectrai.plan.subsets import TEST, TRAINING, UNUSED, VALIDATION, Map
from napari_spectrai.plan.truths import Truth, class_table, numbered

FILE = "pixels.npz"
"""Name of the file in a run folder."""
_SAMPLE = 8
"""Height and width, in pixels, of the windows of an image by whose values the image is recognised."""
_SPREAD = 1_024
"""Number of spectra, spread over an image in memory, by which it is recognised as well."""
_WINDOWS = ((0.5, 0.24, 0.43), (0.5, 0.43, 0.76), (0.5, 0.57, 0.19), (0.5, 0.81, 0.62))
"""Places of windows in addition to the middle, as fractions of depth, height and width."""
_GOLDEN = (5**0.5 - 1) / 2
_PARTS = {"validation": VALIDATION, "test": TEST}


@dataclass(frozen=True, slots=True, eq=False)
class UsedPixels:
    """Part and class of each pixel that a training used.

    Attributes
    ----------
    images : list of str
        The name of each image (`digest`), by which it is recognised in another run.
    parts : list of uint8 arrays of shape (z, y, x)
        The part of each pixel, `UNUSED` for pixels without a class where the truths are classes.
    marked : list of int32 arrays of these shapes
        The number of each pixel's class plus one, 0 without a class; empty if the truths are cubes.
    crossed : bool
        Whether each training pixel was held out once (cross-validation), so that the validation score is of all of them.
    truths : list of str
        The name of each truth that is a cube; empty if they are classes, and in runs of earlier versions.
    """

    images: list[str]
    parts: list[Map]
    marked: list[npt.NDArray[np.int32]]
    crossed: bool = False
    truths: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], maps: Sequence[Map], *, crossed: bool) -> Self:
        """Return those of a training on these data, divided by `maps`."""
        marked: list[npt.NDArray[np.int32]] = []
        parts = [np.asarray(one, np.uint8) for one in maps]
        if experiment.task.classifies:
            table = class_table(truths, experiment.task.no_label)
            values = np.array([0, *(one.value + 1 for one in table)], np.int32)
            labels = [truth for truth in truths if isinstance(truth, Labels)]
            marked = [values[numbered(truth, table)].reshape(one.shape) for truth, one in zip(labels, parts, strict=True)]
            parts = [np.where(m != 0, one, UNUSED).astype(np.uint8) for one, m in zip(parts, marked, strict=True)]
        pictured = [digest(truth) for truth in truths if isinstance(truth, Cube)]
        return cls([digest(cube) for cube in cubes], parts, marked, crossed, pictured)

    def place(self, name: str) -> int | None:
        """Return the number of the image with this name; None if there is none."""
        return next((number for number, image in enumerate(self.images) if is_named(image, name)), None)

    def scored(self, part: str) -> list[npt.NDArray[np.bool_]]:
        """Return which pixels the score of a part, ``"validation"`` or ``"test"``, is of."""
        wanted = (TRAINING, VALIDATION) if self.crossed and part == "validation" else (_PARTS[part],)
        return [np.isin(one, wanted) for one in self.parts]

    def differs(self, other: Self) -> bool:
        """Whether the values of an image, or what its truth holds, are others, as far as both know them."""
        images = zip([*self.images, *self.truths], [*other.images, *other.truths], strict=False)
        marked = zip(self.marked, other.marked, strict=False)
        return not all(is_named(*pair) for pair in images) or not all(np.array_equal(*pair) for pair in marked)

    # ---------------------------------------------------------------- files

    def save(self, folder: Path) -> None:
        """Write them into a run folder."""
        arrays: dict[str, Any] = {"images": np.array(self.images), "crossed": np.array(self.crossed), "truths": np.array(self.truths, str)}
        arrays |= {f"part{number}": one for number, one in enumerate(self.parts)}
        arrays |= {f"class{number}": one for number, one in enumerate(self.marked)}
        with replacing(folder / FILE) as temporary:
            np.savez_compressed(temporary, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read those in a run folder; None if there are none, as in runs of earlier versions, or if the file is damaged."""
        try:
            with (folder / FILE).open("rb") as file, np.load(file, allow_pickle=False) as saved:
                images = [str(one) for one in saved["images"]]
                parts = [saved[f"part{number}"] for number in range(len(images))]
                marked = [saved[f"class{number}"] for number in range(len(images)) if f"class{number}" in saved.files]
                truths = [str(one) for one in saved["truths"]] if "truths" in saved.files else []
                return cls(images, parts, marked, bool(saved["crossed"]), truths)
        except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error):
            return None


def digest(cube: Cube) -> str:
    """Return the name of an image: hashes, each of more of its values than the one before.

    The first is of its shape, axis and middle, as in earlier versions; the second of some windows, too; the third, of an image in memory
    alone, also of many spectra spread over it. `is_named` compares the hashes that both names have.
    """
    data, sides = cube.data, cube.spatial_shape
    outer = (0.5,) * max(0, len(sides) - 3)  # the middle of series of volumes
    windows = [data[_window((*outer, *place)[-len(sides) :], sides)] for place in ((0.5, 0.5, 0.5), *_WINDOWS)]
    if hasattr(windows[0], "compute"):
        import dask  # the import takes a while, which the dock should not wait for

        windows = list(dask.compute(*windows))
    found = hashlib.sha1(repr((cube.shape, cube.axis.unit)).encode(), usedforsecurity=False)
    found.update(np.ascontiguousarray(cube.axis.values, np.float64).tobytes())
    stages = [windows[:1], windows[1:]]
    if isinstance(data, np.ndarray) and not isinstance(data, np.memmap):
        count = int(np.prod(sides))
        chosen = np.unique((np.arange(1, min(_SPREAD, count) + 1) * _GOLDEN % 1 * count).astype(np.int64))
        stages.append([data[np.unravel_index(chosen, sides)]])
    names = []
    for values in stages:
        for part in values:
            found.update(np.ascontiguousarray(part, np.float32).tobytes())
        names.append(found.hexdigest()[:16])
    return "-".join(names)


def is_named(image: str, name: str) -> bool:
    """Whether two names are of the same image, as far as both know it."""
    return all(one == other for one, other in zip(image.split("-"), name.split("-"), strict=False))


def _window(centre: Sequence[float], sides: Sequence[int]) -> tuple[slice, ...]:
    """Return a small window around a place, which is given as a fraction of each side."""
    places = [int(length * place) for length, place in zip(sides, centre, strict=True)]
    return tuple(slice(max(0, place - _SAMPLE // 2), place + _SAMPLE // 2 + 1) for place in places)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many pixels two scores are of, and how many of these both are of, with the same class."""

    before: int
    now: int
    common: int
    what: str = "pixels"

    @property
    def is_same(self) -> bool:
        """Whether both scores are of the same pixels."""
        return self.before == self.now == self.common

    @property
    def words(self) -> str:
        """What the later score is of, for a sentence: ``"62 other pixels"``."""
        if not self.common:
            return f"{self.now:,} other {self.what}"
        if self.is_same:
            return f"the same {self.what}"
        return f"{self.now:,} {self.what}, of which {self.common:,} were scored before"

    def sentence(self, before: float, now: float, score: str) -> str:
        """Return how the score was and is, if it is of other pixels than before; else an empty text."""
        if self.is_same:
            return ""
        return f"{score} was {before:.3g} on {self.before:,} {self.what}, now {now:.3g} on {self.words}: the two cannot be compared."


def overlap(before: UsedPixels, now: UsedPixels, part: str) -> Overlap:
    """Return how the scored pixels of two trainings overlap."""
    first, second = before.scored(part), now.scored(part)
    common = 0
    for number, (image, mask) in enumerate(zip(now.images, second, strict=True)):
        place = before.place(image)
        if place is None or first[place].shape != mask.shape:
            continue
        both = mask & first[place]
        if now.marked and before.marked:
            both &= now.marked[number] == before.marked[place]
        common += int(both.sum())
    what = "spectra" if all(one.shape[2] == 1 for one in now.parts) else "pixels"
    return Overlap(sum(int(m.sum()) for m in first), sum(int(m.sum()) for m in second), common, what)
