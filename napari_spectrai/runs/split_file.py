"""The file of a run's split: for each cube, which part each pixel belongs to."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_spectrai.files import replacing
from napari_spectrai.io.found import one_line
from napari_spectrai.parsing import refuse_special
from napari_spectrai.plan.subsets import Map


class DamagedSplitError(ValueError):
    """The maps of a split that cannot be read."""


def save(path: Path, maps: Sequence[Map]) -> None:
    """Write the maps (z, y, x) of a split."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **{f"map{number}": labels for number, labels in enumerate(maps)})  # type: ignore[arg-type]


def load(path: Path, model: Path) -> list[Map]:
    """Return the maps of a split.

    Parameters
    ----------
    path : Path
    model : Path
        The model that a new run can start from.

    Raises
    ------
    DamagedSplitError (a ValueError)
        If they cannot be read.
    """
    try:
        refuse_special(path)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            maps = [saved[f"map{number}"] for number in range(len(saved.files))]
        if any(one.dtype != np.uint8 or one.ndim != 3 for one in maps):
            raise ValueError("its arrays are no maps of a split")
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise DamagedSplitError(
            f"{path} is damaged ({one_line(error)}); remove it to split the data again by the seed of the "
            f"experiment, or start a new run with training.start={model}"
        ) from error
    return maps
