"""Evaluations: scores by row, confusion matrices, single spectra and maps; plain data, saved as JSON and CSV."""

from __future__ import annotations

import json
import math
import re
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
from napari_spectrai.runs.scores import Report, write_csv

Role = Literal["result", "classical", "raw"]
DOCUMENT = "judgement.json"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: its name, its role, and its scores by the name of the metric."""

    name: str
    role: Role
    figures: dict[str, float]


@dataclass(frozen=True, slots=True)
class Spot:
    """The best, median or worst spectrum of a result: its pixel, its root mean squared error over the bands, and the spectra there.

    `source` is empty if none was given.
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
    """The result of an evaluation.

    Attributes
    ----------
    task : str
    rows : list of Row
        The results, the classical methods of the model, and the unprocessed source.
    intensities : str
        What the scores of cubes are computed on, in words: unchanged intensities, or individually scaled spectra.
    unit, positions : the spectral axis of the spectra in `spots`
    shape : list of int
        Shape of the evaluated pixels: (..., y, x) or (n,).
    spots : list of Spot
        For each result that is a cube.
    values, classes : list of int, list of str
        Numbers and names of the classes, if classes are evaluated.
    confusions : dict
        By row, ``matrix[i][j]``: number of pixels of class i predicted as class j.
    notes : list of str
        What a reader must know to interpret the scores.
    class_mean : {"truth", "union"}
        Classes over which F1, IoU and Dice are averaged.
    scored : int
        Number of pixels or spectra that the scores are computed on.
    learnt_from : int or None
        How many of them the model was trained or validated on; None if unknown.
    maps : dict
        By result. For cubes ``"error"``, the root mean squared error over the bands of each pixel, and ``"angle"``, the angle between the
        spectra in degrees (NaN where a spectrum is all zero), as a Cube of shape (..., y, x, 1) or (n, 1). For classes ``"wrong"``
        (1 right, 2 wrong, 0 not evaluated) and ``"cells"`` (i · C + j + 1 for true class i predicted as j), as Labels.
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
        """The names of the metrics, in the order of the table."""
        return list(dict.fromkeys(name for row in self.rows for name in row.figures))

    @property
    def axis(self) -> SpectralAxis | None:
        """The spectral axis of cubes."""
        return SpectralAxis(np.asarray(self.positions), self.unit) if self.positions else None

    def best(self, metric: str) -> float | None:
        """Return the best value of a column; None if there is nothing to compare."""
        known = [row.figures[metric] for row in self.rows if not math.isnan(row.figures.get(metric, math.nan))]
        if len(known) < 2:
            return None
        return max(known) if METRICS[metric].larger_is_better else min(known)

    @property
    def about(self) -> str:
        """Description of the scores: number of pixels, intensities, unit of each score, and averaging over classes."""
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

    def pixels(self, truth: str, predicted: str, of: str = "") -> npt.NDArray[np.intp]:
        """Return the pixels of one class that were predicted as another, as indices of shape (n, dimensions)."""
        of = of or self.results[0]
        if "cells" not in self.maps.get(of, {}):
            raise ValueError(f"there is no class map for {of!r}; known: {', '.join(self.maps) or 'none'}")
        cell = self.classes.index(truth) * len(self.classes) + self.classes.index(predicted) + 1
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
        lines = list(first.lines())[: 1 + len(self.rows)]
        for name in self.results if self.classes else []:
            lines += [[], ["result", name]] if name != self.results[0] else []
            lines += self.report(name).class_lines()
        return write_csv(path, [*lines, *first.about_lines()])

    # ---------------------------------------------------------------- input and output

    def to_json(self) -> str:
        """Return everything except the maps."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "maps"}
        return json.dumps(plain | {"rows": [asdict(row) for row in self.rows], "spots": [asdict(spot) for spot in self.spots]})

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """Read what `to_json` wrote."""
        plain = json.loads(text)
        return cls(**plain | {"rows": [Row(**row) for row in plain["rows"]], "spots": [Spot(**spot) for spot in plain["spots"]]})

    def save(self, folder: str | Path) -> Path:
        """Write ``judgement.json`` and the maps into a folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save_maps(folder)
        write_text(folder / DOCUMENT, self.to_json())
        return folder

    def save_maps(self, folder: str | Path) -> list[Path]:
        """Write the maps into a folder, as ``error.zarr``, ``angle.zarr`` or ``wrong.zarr``; for several results, with their names."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        return [
            write_labels(drawn, path) if isinstance(drawn, Labels) else write(drawn, path)
            for what, drawn, path in _files(self.results, Path(folder), self.maps)
        ]

    @classmethod
    def load(cls, folder: str | Path) -> Evaluation:
        """Read what `save` wrote, with the maps in memory.

        Raises
        ------
        FileNotFoundError
            If the folder contains no evaluation.
        """
        folder = Path(folder)
        if not (folder / DOCUMENT).exists():
            raise FileNotFoundError(
                f"{folder} contains no {DOCUMENT}; create it with: napari-spectrai evaluate RESULT TRUTH --maps {folder}"
            )
        evaluation = cls.from_json((folder / DOCUMENT).read_text(encoding="utf-8"))
        kinds = ("wrong", "cells") if evaluation.classes else ("error", "angle")
        for (result, what), _, path in _files(evaluation.results, folder, {name: dict.fromkeys(kinds) for name in evaluation.results}):
            evaluation.maps.setdefault(result, {})[what] = read_labels(path) if evaluation.classes else _in_memory(read(path))
        return evaluation


def _files(results: Sequence[str], folder: Path, maps: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], Any, Path]]:
    """Yield result and kind of each map, the map, and its path."""
    for number, (result, drawn) in enumerate(maps.items(), 1):
        words = re.sub(r"[^\w-]+", "-", result).strip("-")
        tail = "" if len(results) == 1 else f"-{number}-{words}"
        for what, values in drawn.items():
            yield (result, what), values, folder / f"{what}{tail}.zarr"


def _in_memory(cube: Cube) -> Cube:
    return cube.with_data(np.asarray(cube.data))
