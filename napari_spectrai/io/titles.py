"""Positions of bands from the names of channels and slices, with a notice of what was assumed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_spectrai.channel_metadata import channel_axis
from napari_spectrai.channel_names import axis_of_names
from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.descriptions import axis_of_pages
from napari_spectrai.io.found import warn
from napari_spectrai.notices import noting
from napari_spectrai.remedies import give, is_answered

_PAGE_NAME, _DESCRIPTION = 285, 270
_MOST_PAGES, _LONGEST_NAME = 4096, 80
"""Pages of a TIFF whose tags are read, and the characters of a name; longer ones are metadata."""


def from_labels(labels: Iterable[object], path: Path, excitations: Sequence[float] = ()) -> SpectralAxis | None:
    """Return the axis that names give, if every one does, with a notice; for a detection window, the position is its middle.

    Names that are plain numbers, such as ``"423.5"`` or ``"Band 1 (402.4)"``, are taken for wavelengths in nm where they ascend or descend
    within 100 to 30,000. Laser lines and other wavelengths of excitation are no positions (`napari_spectrai.channel_names`).
    """
    axis, note = axis_of_names([str(label) for label in labels], excitations)
    _notice(path, note)
    return axis


def of_hyperstack(labels: Sequence[object], channels: int, path: Path) -> SpectralAxis | None:
    """Return the axis from the labels of every slice of an ImageJ hyperstack, whose channels vary fastest.

    The labels of one channel have to agree in all its slices.
    """
    if channels < 1 or len(labels) % channels:
        return None
    found = [axis_of_names([str(label) for label in labels[start : start + channels]]) for start in range(0, len(labels), channels)]
    first, note = found[0]
    if first is None or not all(axis == first for axis, _ in found):
        return None
    _notice(path, note)
    return first


def has_positions(labels: Sequence[object], channels: int) -> bool:
    """Whether labels of every slice give positions to the dimension of `channels` that varies fastest."""
    with noting():
        return channels > 1 and len(labels) % channels == 0 and of_hyperstack(labels, channels, Path()) is not None


def of_pages(pages: Sequence[Any], path: Path) -> SpectralAxis | None:
    """Return the axis that the names or descriptions of the pages of a TIFF give, where each page is a band."""
    if not 1 < len(pages) <= _MOST_PAGES:
        return None
    tags = [page.aspage().tags for page in pages if page is not None]
    for code in _PAGE_NAME, _DESCRIPTION:
        words = [str(one[code].value).strip("\0 ") for one in tags if code in one]
        if len(words) == len(pages):
            if (axis := axis_of_pages(words, path)) is not None:
                return axis
            if all(len(word) <= _LONGEST_NAME for word in words):
                return from_labels(words, path)
    return None


def of_channels(metadata: Mapping[str, Any], count: int, path: Path) -> SpectralAxis | None:
    """Return the axis that metadata of `count` channels hold, by their emission, their windows or their names, with a notice."""
    axis, note = channel_axis(metadata, [count])
    _notice(path, note)
    return axis


def _notice(path: Path, note: str) -> None:
    if note and not is_answered("axis"):
        warn(path, f"{note}. If that is wrong {give('axis')}")
