"""Evaluations: scores by row, confusion matrices, single spectra and maps; plain data, saved as JSON and CSV."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment.metrics import METRICS, ClassMean
from napari_spectrai.files import write_text
from napari_spectrai.io import read, write
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.parsing import parse_json
from napari_spectrai.runs.folder import name_words
from napari_spectrai.runs.scores import Report, write_csv

Role = Literal["result", "classical", "raw"]
DOCUMENT = "judgement.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was judged, and its figures by the name of the metric."""

    name: str
    role: Role
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """The best, median or worst spectrum of a result: its pixel, its root mean squared error over the bands, and the spectra there.

    `source` is empty where none was given.
    """

    of: str
    which: Literal["best", "median", "worst"]
    pixel: list[int]
    error: float
    result: list[float]
    truth: list[float]
    source: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What `judge` found.

    Attributes
    ----------
    task : str
    rows : list of Row
        The results, the classical methods of the model, and the source as it came.
    intensities : str
        In words, what the figures of cubes are measured in: intensities as they are, or each spectrum scaled by itself.
    unit, positions : the spectral axis of the spectra in `spots`
    shape : list of int
        Of the pixels judged: (..., y, x) or (n,).
    spots : list of Spot
        Of each result that is a cube.
    values, classes : list of int, list of str
        Numbers and names of the classes, where classes are judged.
    confusions : dict
        By row, ``matrix[i][j]``: pixels of class i told as class j.
    notes : list of str
        What has to be known to read the scores.
    class_mean : {"truth", "union"}
        Over which classes F1, IoU and Dice are averaged.
    scored : int
        How many pixels or spectra the scores are of.
    learnt_from : int or None
        How many of them the model was trained or validated on; None where that is not known.
    maps : dict
        By result. Of cubes ``"error"``, the root mean squared error over the bands of each pixel, and ``"angle"``, the angle between the
        spectra in degrees (NaN where a spectrum is all zero), as a Cube of shape (..., y, x, 1) or (n, 1). Of classes as Labels ``"wrong"``
        (1 right, 2 wrong, 0 not judged) and ``"cells"`` (truth i told as j is i · C + j + 1).
    """

    task: str
    rows: list[Row]
    intensities: str = ""
    unit: str = ""
    positions: list[float] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    confusions: dict[str, list[list[int]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    maps: dict[str, dict[str, Any]] = field(default_factory=dict)
    class_mean: ClassMean = "truth"
    scored: int = 0
    learnt_from: int | None = None

    @property
    def results(self) -> list[str]:
        """The names of the results."""
        return [row.name for row in self.rows if row.role == "result"]

    @property
    def metrics(self) -> list[str]:
        """The names of the figures, in the order of the table."""
        return list(dict.fromkeys(name for row in self.rows for name in row.figures))

    @property
    def axis(self) -> SpectralAxis | None:
        """The spectral axis of cubes."""
        return SpectralAxis(np.asarray(self.positions), self.unit) if self.positions else None

    def best(self, metric: str) -> float | None:
        """Return the best value of a column; None where there is nothing to compare."""
        known = [row.figures[metric] for row in self.rows if not math.isnan(row.figures.get(metric, math.nan))]
        if len(known) < 2:
            return None
        return max(known) if METRICS[metric].larger_is_better else min(known)

    @property
    def about(self) -> str:
        """What the scores are of: how many pixels, the intensities, the unit of each score, the rule for means over classes."""
        return self.report().about

    def report(self, of: str = "") -> Report:
        """Return the table as a `Report`, with the classes of one result; default: the first."""
        of = of or self.results[0]
        rows = {row.name: {name: row.figures.get(name, math.nan) for name in self.metrics} for row in self.rows}
        return Report(
            rows, self.unit, self.classes, self.confusions.get(of, []), intensities=self.intensities, notes=self.notes,
            class_mean=self.class_mean, scored=self.scored, learnt_from=self.learnt_from,
        )  # fmt: skip

    def spots_of(self, result: str) -> dict[str, Spot]:
        """Return the best, median and worst spectrum of a result."""
        return {spot.which: spot for spot in self.spots if spot.of == result}

    def pixels(self, truth: str, told: str, of: str = "") -> npt.NDArray[np.intp]:
        """Return which pixels of one class were told as another, as indices of shape (n, dimensions)."""
        of = of or self.results[0]
        if "cells" not in self.maps.get(of, {}):
            raise ValueError(f"there is no map of the classes of {of!r}; known: {', '.join(self.maps) or 'none'}")
        cell = self.classes.index(truth) * len(self.classes) + self.classes.index(told) + 1
        return np.argwhere(self.maps[of]["cells"].data == cell)

    def __str__(self) -> str:
        first = self.report()
        parts = [str(replace(first, notes=[]))]
        for name in self.results[1:] if self.classes else []:
            parts += ["", f"{name}, by class:", *self.report(name).class_table()]
        return "\n".join([*parts, *(f"note: {note}" for note in self.notes)])

    def to_csv(self, path: str | Path) -> Path:
        """Write the table as CSV, then the classes of each result, the unit of each score and the notes."""
        first = self.report()
        found = list(first.lines())[: 1 + len(self.rows)]
        for name in self.results if self.classes else []:
            found += [[], ["result", name]] if name != self.results[0] else []
            found += self.report(name).class_lines()
        return write_csv(path, [*found, *first.about_lines()])

    # ---------------------------------------------------------------- to files and back

    def to_json(self) -> str:
        """Return everything but the maps."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "maps"}
        return json.dumps(plain | {"rows": [asdict(row) for row in self.rows], "spots": [asdict(spot) for spot in self.spots]})

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """Read what `to_json` wrote."""
        plain = parse_json(text, DOCUMENT)
        try:
            return cls(**plain | {"rows": [Row(**row) for row in plain["rows"]], "spots": [Spot(**spot) for spot in plain["spots"]]})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{DOCUMENT} is damaged, or of another version ({error}); evaluate again") from error

    def save(self, folder: str | Path) -> Path:
        """Write ``judgement.json`` and the maps into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save_maps(folder)
        write_text(folder / DOCUMENT, self.to_json())
        return folder

    def save_maps(self, folder: str | Path) -> list[Path]:
        """Write the maps into a folder, ``error.zarr``, ``angle.zarr`` or ``wrong.zarr``, of several results with their names."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        return [
            write_labels(drawn, path) if isinstance(drawn, Labels) else write(drawn, path)
            for what, drawn, path in _files(self.results, Path(folder), self.maps)
        ]

    @classmethod
    def load(cls, folder: str | Path) -> Evaluation:
        """Read what `save` wrote, the maps into memory.

        Raises
        ------
        FileNotFoundError
            If there is no judgement in the folder.
        """
        folder = Path(folder)
        if not (folder / DOCUMENT).exists():
            raise FileNotFoundError(f"{folder} holds no {DOCUMENT}; write one with: napari-spectrai evaluate RESULT TRUTH --maps {folder}")
        judged = cls.from_json((folder / DOCUMENT).read_text(encoding="utf-8"))
        kinds = ("wrong", "cells") if judged.classes else ("error", "angle")
        for (result, what), _, path in _files(judged.results, folder, {name: dict.fromkeys(kinds) for name in judged.results}):
            judged.maps.setdefault(result, {})[what] = read_labels(path) if judged.classes else _in_memory(read(path))
        return judged


def _files(results: Sequence[str], folder: Path, maps: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], Any, Path]]:
    """Yield result and kind of each map, the map, and where it is or goes."""
    for number, (result, drawn) in enumerate(maps.items(), 1):
        words = name_words(result)
        tail = "" if len(results) == 1 else f"-{number}-{words}"
        for what, values in drawn.items():
            yield (result, what), values, folder / f"{what}{tail}.zarr"


def _in_memory(cube: Cube) -> Cube:
    return cube.with_data(np.asarray(cube.data))
