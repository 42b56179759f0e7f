"""Evaluations: scores by row, confusion matrices, single spectra and maps; plain data, saved as JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.files import make_folder, write_text
from napari_spectrai.io import read, write
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.labels import Labels
from napari_spectrai.parsing import parse_json, read_document
from napari_spectrai.remedies import shell
from napari_spectrai.runs.folder import name_words
from napari_spectrai.runs.score_table import Scores

DOCUMENT = "judgement.json"


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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Evaluation(Scores):
    """Scores of results against a truth, with the spectra and pixels worth looking at.

    Attributes
    ----------
    rows, roles, intensities, unit, classes, confusions, notes, class_mean, scored, learnt_from
        As for `Scores`.
    positions : list of float
        The spectral axis of the spectra in `spots`.
    shape : list of int
        Shape of the scored pixels: (..., y, x) or (n,).
    spots : list of Spot
        The best, median and worst spectrum of each result that is a cube.
    values : list of int
        Numbers of the classes.
    maps : dict of str to dict of str to Cube or Labels
        By result. For cubes ``"error"``, the root mean squared error over the bands of each pixel, and ``"angle"``, the angle between the
        spectra in degrees (NaN where a spectrum is all zero), of shape (..., y, x, 1) or (n, 1). Of classes as Labels ``"wrong"``
        (1 right, 2 wrong, 0 not scored) and ``"cells"`` (class i predicted as j is i · C + j + 1).

    Examples
    --------
    >>> import napari_spectrai as spectrai
    >>> pairs = spectrai.sample("raman_pairs")
    >>> found = spectrai.evaluate(pairs.cube[:20], pairs.truth[:20])
    >>> found.rows["result"]["sam"] > 0, found.results
    (True, ['result'])
    """

    positions: list[float] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)
    spots: list[Spot] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    maps: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def axis(self) -> SpectralAxis | None:
        """The spectral axis of cubes."""
        return SpectralAxis(np.asarray(self.positions), self.unit) if self.positions else None

    def spots_of(self, result: str) -> dict[str, Spot]:
        """Return the best, median and worst spectrum of a result.

        Parameters
        ----------
        result : str
            Name of one of the results, a key of `scores`.

        Returns
        -------
        dict of str to Spot
            ``"best"``, ``"median"`` and ``"worst"``; empty for classes.
        """
        return {spot.which: spot for spot in self.spots if spot.of == result}

    def pixels(self, truth: str, predicted: str, of: str = "") -> npt.NDArray[np.intp]:
        """Return which pixels of one class were predicted as another.

        Parameters
        ----------
        truth, predicted : str
            Names of classes.
        of : str, optional
            The result; default: the first.

        Returns
        -------
        ndarray of shape (n, dimensions)
            Indices of pixels.
        """
        of = of or self.results[0]
        if "cells" not in self.maps.get(of, {}):
            raise ValueError(f"there is no class map for {of!r}; known: {', '.join(self.maps) or 'none'}")
        cell = self.classes.index(truth) * len(self.classes) + self.classes.index(predicted) + 1
        return np.argwhere(self.maps[of]["cells"].data == cell)

    # ---------------------------------------------------------------- input and output

    def to_json(self) -> str:
        """Return everything except the maps."""
        plain = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in ("maps", "roles")}
        rows = [{"name": name, "role": self.roles.get(name, "result"), "figures": scores} for name, scores in self.rows.items()]
        return json.dumps(plain | {"rows": rows, "spots": [asdict(spot) for spot in self.spots]})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote.

        Parameters
        ----------
        text : str

        Returns
        -------
        Evaluation
            Without maps.
        """
        plain = parse_json(text, DOCUMENT)
        try:
            rows = plain["rows"]
            plain["rows"], plain["roles"] = {row["name"]: row["figures"] for row in rows}, {row["name"]: row["role"] for row in rows}
            return cls(**plain | {"spots": [Spot(**spot) for spot in plain["spots"]]})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{DOCUMENT} is damaged, or of another version ({error}); evaluate again") from error

    def save(self, folder: str | Path) -> Path:
        """Write ``judgement.json`` and the maps into a folder.

        Parameters
        ----------
        folder : path
            Made if it does not exist.

        Returns
        -------
        Path
            The folder.
        """
        folder = make_folder(folder)
        self.save_maps(folder)
        write_text(folder / DOCUMENT, self.to_json())
        return folder

    def save_maps(self, folder: str | Path) -> list[Path]:
        """Write the maps into a folder, as ``error.zarr``, ``angle.zarr`` or ``wrong.zarr``; for several results, with their names.

        Parameters
        ----------
        folder : path

        Returns
        -------
        list of Path
            The stores that were written.
        """
        folder = make_folder(folder)
        return [
            write_labels(drawn, path) if isinstance(drawn, Labels) else write(drawn, path)
            for what, drawn, path in _files(self.results, folder, self.maps)
        ]

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote, with the maps in memory.

        Parameters
        ----------
        folder : path

        Returns
        -------
        Evaluation

        Raises
        ------
        FileNotFoundError
            If there is no evaluation in the folder.
        """
        folder = Path(folder)
        if not (folder / DOCUMENT).exists():
            raise FileNotFoundError(
                f"{folder} contains no {DOCUMENT}; create it with: {shell('evaluate', 'RESULT', 'TRUTH', '--maps', folder)}"
            )
        loaded = cls.from_json(read_document(folder / DOCUMENT))
        kinds = ("wrong", "cells") if loaded.classes else ("error", "angle")
        for (result, what), _, path in _files(loaded.results, folder, {name: dict.fromkeys(kinds) for name in loaded.results}):
            loaded.maps.setdefault(result, {})[what] = read_labels(path) if loaded.classes else _in_memory(read(path))
        return loaded


def _files(results: Sequence[str], folder: Path, maps: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, str], Any, Path]]:
    """Yield result and kind of each map, the map, and its path."""
    for number, (result, drawn) in enumerate(maps.items(), 1):
        words = name_words(result)
        tail = "" if len(results) == 1 else f"-{number}-{words}"
        for what, values in drawn.items():
            yield (result, what), values, folder / f"{what}{tail}.zarr"


def _in_memory(cube: Cube) -> Cube:
    return cube.with_data(np.asarray(cube.data))
