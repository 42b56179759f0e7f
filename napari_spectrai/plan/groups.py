"""Groups of spectra (patients, days, slides) that a split keeps together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.label_conversion import is_missing
from napari_spectrai.labels import in_short
from napari_spectrai.plan.subsets import UNUSED, Map

NO_GROUP = -1
"""Number of spectra whose group is missing."""

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Groups:
    """The group of each pixel of the cubes of a training.

    Attributes
    ----------
    numbers : list of int arrays of shape (z, y, x), or None
        From 0; `NO_GROUP` where it is missing. None if there are no groups, or if the split does not keep them together.
    ignored : list of int arrays of the same shapes, or None
        The groups that the split does not keep together.
    notes : list of str
        What was assumed, in sentences.
    """

    numbers: list[Numbers] | None = None
    ignored: list[Numbers] | None = None
    notes: list[str] = field(default_factory=list)

    def known(self, maps: Sequence[Map]) -> list[Map]:
        """Return maps in which spectra without a group are unused: they may belong to one that is held out."""
        if self.numbers is None:
            return list(maps)
        return [np.where(group == NO_GROUP, UNUSED, m).astype(np.uint8) for group, m in zip(self.numbers, maps, strict=True)]

    def divided(self, parts: Sequence[npt.NDArray[np.integer[Any]]]) -> str:
        """Return a sentence on groups of which some spectra are learnt and others held out; empty if there are none.

        Parameters
        ----------
        parts : int arrays of the same shapes
            0 for what is learnt, 1 for what is held out, or the fold; negative: unused.
        """
        groups = self.numbers if self.numbers is not None else self.ignored
        if groups is None:
            return ""
        flat, part = (np.concatenate([one.ravel() for one in several]).astype(np.int64) for several in (groups, parts))
        pairs = np.unique(np.stack([flat, part], -1)[(flat != NO_GROUP) & (part >= 0)], axis=0)
        count = int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())
        if not count:
            return ""
        why = "use split.method=group" if self.numbers is None else "add groups, so that each class lies in several"
        verb = "group is" if count == 1 else "groups are"
        return f"{count:,} {verb} both learnt and held out, so that scores may be too optimistic for other groups; {why}."


def pixel_groups(experiment: Experiment, cubes: Sequence[Cube], shapes: Sequence[tuple[int, int, int]]) -> Groups:
    """Return the group of each pixel: from the settings of each input, or from a cube's metadata (``"groups"``, one per spectrum).

    A cube without groups is a group of its own if others have some.

    Raises
    ------
    ValueError
        If a cube has another number of groups than of spectra.
    """
    named = [cube.metadata.get("groups") for cube in cubes]
    notes: list[str] = []
    if experiment.data.groups:
        texts = [np.full(cube.count, name, object) for cube, name in zip(cubes, experiment.data.groups, strict=True)]
        notes += ["data.groups decides; metadata['groups'] is not used."] if any(one is not None for one in named) else []
    elif all(one is None for one in named):
        return Groups()
    else:
        texts = [
            np.full(cube.count, f"{number} {cube.name}", object) if one is None else _group_of_each(one, cube)
            for number, (cube, one) in enumerate(zip(cubes, named, strict=True))
        ]
        alone = [repr(cube.name or "cube") for cube, one in zip(cubes, named, strict=True) if one is None]
        if alone:
            verb = "has" if len(alone) == 1 else "have"
            notes.append(f"{in_short(alone)} {verb} no groups (metadata['groups']): each such input is a group of its own.")
    flat = np.concatenate(texts)
    missing = np.array([is_missing(item) for item in flat])
    names, found = np.unique(np.array([_name(item) for item in flat[~missing]], str), return_inverse=True)
    numbers = np.full(len(flat), NO_GROUP)
    numbers[~missing] = found
    cuts = np.cumsum([cube.count for cube in cubes])[:-1]
    parted = [part.reshape(shape) for part, shape in zip(np.split(numbers, cuts), shapes, strict=True)]
    return _used(experiment, parted, names, int(missing.sum()), notes)


def _used(experiment: Experiment, groups: list[Numbers], names: npt.NDArray[np.str_], missing: int, notes: list[str]) -> Groups:
    """Return the groups as the split uses them."""
    method = experiment.split.method
    if not len(names):
        return Groups(notes=notes)
    if method not in ("auto", "group"):
        return Groups(ignored=groups)
    if method == "auto" and len(names) < 2:
        only = f"All spectra belong to one group ({names[0]}), so that scores do not say how well the model does on others."
        return Groups(notes=[*notes, only] if not missing else notes)
    if missing:
        total = sum(group.size for group in groups)
        verbs = "has no group and is" if missing == 1 else "have no group and are"
        left_out = (
            f"{missing:,} of {total:,} spectra {verbs} left out (None, NaN or an empty text): they may belong to a group that is held out."
        )
        notes = [*notes, f"{left_out} Name their groups to use them."]
    return Groups(groups, notes=notes)


def _group_of_each(group: object, cube: Cube) -> npt.NDArray[np.object_]:
    """Return the group of each pixel of a cube, flat.

    Raises
    ------
    ValueError
        If there is another number of groups.
    """
    given = np.asarray(group, dtype=object)
    try:
        return np.broadcast_to(given, cube.spatial_shape).ravel()
    except ValueError:
        has, names = (" × ".join(map(str, shape)) for shape in (cube.spatial_shape, given.shape))
        raise ValueError(
            f"{cube.name or 'cube'!r} has {has} spectra, and metadata['groups'] names the groups of {names}; name that of each spectrum"
        ) from None


def _name(item: object) -> str:
    """Return the name of a group; a whole number that is stored as a float, as next to missing ones, has that of the number."""
    if isinstance(item, bytes):
        return item.decode("utf-8", "replace").strip()
    return str(int(item)) if isinstance(item, float | np.floating) and float(item).is_integer() else str(item).strip()
