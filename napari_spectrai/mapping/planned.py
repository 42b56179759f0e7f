"""Kinds of maps that are computed block by block: what they need of the whole cube, of each spectrum, and of the finished maps."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from napari_spectrai.cube import Cube
from napari_spectrai.mapping.blocks import Bands, Pixels
from napari_spectrai.mapping.kind import Doubles, MapKind, Maps, Progress, silent
from napari_spectrai.preparation.doubtful_spectra import AT_A_GLANCE, doubtful_spectra
from napari_spectrai.valid import DataMask, said


@dataclass(frozen=True, slots=True, eq=False)
class MapPlan:
    """How maps are computed of the spectra of a cube, in any order and by any number of processes.

    Parameters
    ----------
    bands : numbers of the bands that are read
    names : of the maps that `values` computes
    values : callable
        Given spectra (n, bands) in the type of the cube, returns the value of each map (maps, n).
    finish : callable
        Given the maps by name, NaN where a spectrum holds no data, returns the result.
    at_once : int
        Number of spectra between two reports of progress; 0: as many as are read at a time.
    """

    bands: Bands
    names: Sequence[str]
    values: Callable[[npt.NDArray[Any]], Doubles]
    finish: Callable[[dict[str, Doubles]], Maps]
    at_once: int = 0


class PlannedMaps(MapKind):
    """A kind of maps whose subclasses give `plan`."""

    @abstractmethod
    def plan(self, cube: Cube) -> MapPlan:
        """Return how the maps of a cube are computed; of the cube, some spectra are read.

        Raises
        ------
        ValueError
            If the settings do not fit the cube.
        """

    def compute(self, cube: Cube, progress: Progress = silent) -> Maps:
        """Return the maps of a cube; a lazy cube is read block by block.

        Raises
        ------
        ValueError
            If the settings do not fit the cube, or no spectrum holds data in the bands that are used.
        """
        plan = self.plan(cube)
        pixels = Pixels.of(cube, plan.bands)
        found, count, done = pixels.empty(len(plan.names)), int(pixels.mask.sum()), 0
        for places, spectra in pixels.raw_blocks():
            step = plan.at_once or len(spectra)
            for first in range(0, len(spectra), step):
                part, chosen = spectra[first : first + step], places[first : first + step]
                gapless = int(chosen[-1] - chosen[0]) == len(chosen) - 1
                found[:, slice(chosen[0], chosen[-1] + 1) if gapless else chosen] = plan.values(part)
                done += len(part)
                progress(done, count)
        whole = plan.finish({name: pixels.shaped(values) for name, values in zip(plan.names, found, strict=True)})
        return with_remarks(whole, cube, pixels.held)


def with_remarks(found: Maps, cube: Cube, held: DataMask) -> Maps:
    """Return maps whose notes say how many spectra hold no data, and which are doubtful."""
    more = filter(None, [said([held], "are NaN in the maps"), *doubtful_spectra([cube], "are mapped", AT_A_GLANCE)])
    return replace(found, notes=(*found.notes, *more))
