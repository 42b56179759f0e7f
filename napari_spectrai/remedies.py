"""How a person supplies what a file leaves open, in the words of the place where the file is opened."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

Place = Literal["python", "command", "dock", "window"]
Option = Literal["dataset", "spectral", "axis", "columns", "shape", "layer", "bands", "numbered", "positions", "classes"]

_OPEN_DOCK = "in File ▸ IO Utilities ▸ Open as a spectral image"
_OF_LAYER = "in the console, as layer.metadata['spectral_axis'] = SpectralAxis(values, unit).to_json() | {'position': 0}"
_TRAINED_AGAIN = "by training the model again with data.axis=UNIT"
_WORDS: dict[Place, dict[Option, str]] = {
    "python": {
        "dataset": "with dataset=…", "spectral": "with spectral=…", "axis": "with axis=SpectralAxis(values, unit)",
        "columns": "with columns={title or number: role}", "shape": "with shape=(height, width)",
        "layer": "with as_cube(layer, axis=SpectralAxis(values, unit))", "bands": "with as_cube(cube, axis=model.axis)",
        "numbered": "with as_cube(cube, axis=model.axis)", "positions": "with as_cube(cube, axis=SpectralAxis(values, unit))",
        "classes": "with task='segmentation'",
    },
    "command": {
        "dataset": "with --dataset NAME", "spectral": "with --spectral NUMBER", "axis": "with --axis UNIT or --axis FIRST:LAST:UNIT",
        "columns": "with --columns COLUMN=ROLE", "shape": "with --shape HEIGHTxWIDTH",
        "layer": "with as_cube(layer, axis=SpectralAxis(values, unit))", "bands": "with --axis UNIT or --axis FIRST:LAST:UNIT",
        "numbered": _TRAINED_AGAIN, "positions": "with --axis UNIT or --axis FIRST:LAST:UNIT",
        "classes": "with --task segmentation",
    },
    "dock": {
        "dataset": "in the field Array", "spectral": "in the field Spectral dimension", "axis": "in the fields Positions and Unit",
        "columns": "in the list Columns", "shape": "in the fields Height and Width", "layer": _OF_LAYER, "bands": _OF_LAYER,
        "numbered": _TRAINED_AGAIN, "positions": _OF_LAYER,
        "classes": "in the field Task",
    },
    "window": {
        **dict.fromkeys(("dataset", "spectral", "axis", "columns", "shape"), _OPEN_DOCK), "layer": _OF_LAYER, "bands": _OF_LAYER,
        "numbered": _TRAINED_AGAIN, "positions": _OF_LAYER,
        "classes": "in the field Task",
    },
}  # fmt: skip

Role = Literal["input", "truth", "source", "path"]
"""What a file is to who opens it: the input or the truth of an experiment or an evaluation, its source, or a path instead of a cube."""
_OF_DOCUMENT: dict[Option, str] = {
    "dataset": "with data.dataset=…", "spectral": "with data.spectral=…", "axis": "with data.axis=UNIT or data.axis=FIRST:LAST:UNIT",
    "columns": "with data.columns=[COLUMN=ROLE, …]",
}  # fmt: skip
_OF_ROLE: dict[tuple[Place, Role], dict[Option, str]] = {
    ("python", "input"): _OF_DOCUMENT,
    ("python", "truth"): {**_OF_DOCUMENT, "dataset": "with data.truth_dataset=…"},
    ("python", "path"): {
        "dataset": "with read(path, dataset=…)", "spectral": "with read(path, spectral=…)",
        "axis": "with read(path, axis=SpectralAxis(values, unit))", "columns": "with read(path, columns={title or number: role})",
        "shape": "with read(path, shape=(height, width))",
    },
    ("command", "truth"): {"dataset": "with --truth-dataset NAME"},
    ("command", "source"): {"dataset": "with --source-dataset NAME"},
}  # fmt: skip

_role: ContextVar[Role | None] = ContextVar("role", default=None)
_place: ContextVar[Place | None] = ContextVar("place", default=None)
_everywhere: list[Place] = ["python"]
"""Places of the whole process, of which the last counts in threads that have none of their own."""
_answered: ContextVar[frozenset[str]] = ContextVar("answered", default=frozenset())


def where(option: Option) -> str:
    """Return where an option is given, as the end of a sentence: ``"with dataset=…"``, or ``"with --dataset NAME"`` under a command."""
    place, role = _place.get() or _everywhere[-1], _role.get()
    own = {} if role is None else _OF_ROLE.get((place, role), {})
    return own.get(option, _WORDS[place][option])


def give(option: Option) -> str:
    """Return what to do about an option, as a clause: ``"give axis=SpectralAxis(values, unit)"``, or ``"set it in the field Array"``."""
    words = where(option)
    return f"give {words.removeprefix('with ')}" if words.startswith("with ") else f"set it {words}"


@contextmanager
def advising(place: Place) -> Iterator[None]:
    """Word the remedies in errors and warnings for one place, in this thread."""
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)


@contextmanager
def reading_as(role: Role) -> Iterator[None]:
    """Word the remedies for what a file is to who opens it, in this thread."""
    token = _role.set(role)
    try:
        yield
    finally:
        _role.reset(token)


@contextmanager
def advising_everywhere(place: Place) -> Iterator[None]:
    """Word the remedies for one place in all threads that have no place of their own, as under a command."""
    _everywhere.append(place)
    try:
        yield
    finally:
        _everywhere.pop()


@contextmanager
def answering(*options: Option) -> Iterator[None]:
    """Read a file for which these options are given: what they answer is not asked again."""
    token = _answered.set(frozenset(options))
    try:
        yield
    finally:
        _answered.reset(token)


def is_answered(option: Option) -> bool:
    """Whether the option is given for the file that is being read."""
    return option in _answered.get()


def shell(*words: object) -> str:
    """Return a command of ours as it is typed in a shell; names of files may hold blanks and quotes."""
    return shlex.join(["napari-spectrai", *map(str, words)])
