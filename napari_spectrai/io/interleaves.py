"""Raw values whose header names the wrong order of lines, samples and bands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.found import warn

_LEAST_BANDS, _LEAST_SIDE = 16, 8
_RUNS, _RUN, _BANDS = 8, 24, 32
"""How many stretches of how many neighbouring pixels are looked at, and in how many bands."""
_COMPONENTS, _FLOOR = 3, 1e-3
_CLEARLY = math.exp(2)
"""How many times as much of the variance three components leave unexplained in the order of the header as in another. Of 14 real scenes and
15 made ones in three orders each none reaches this in its own order; of the real ones in a wrong order 56 % do."""


def say_interleave(path: Path, values: npt.NDArray[Any], interleave: str, orders: Mapping[str, Sequence[str]], remedy: str) -> None:
    """Warn where spectra resemble one another far more in another order of the values than in the one that the header names.

    Parameters
    ----------
    values : memory map in the order that the header names
    orders : dimensions of each interleave, as in `interleave`
    remedy : words on what to change
    """
    lengths = dict(zip(orders[interleave], values.shape, strict=True))
    if lengths["bands"] < _LEAST_BANDS or min(lengths["lines"], lengths["samples"]) < _LEAST_SIDE or values.dtype.kind not in "fiu":
        return
    left = {
        name: _unexplained(np.moveaxis(values.reshape([lengths[side] for side in sides]), sides.index("bands"), -1))
        for name, sides in orders.items()
    }
    likelier = min(left, key=left.__getitem__)
    if left[interleave] > _CLEARLY * left[likelier]:
        warn(path, f"its values look as if their interleave were {likelier}, and its header says {interleave}; if they are {remedy}")


def _unexplained(cube: npt.NDArray[Any]) -> float:
    """Return the share of the variance of some spectra that three components do not explain."""
    lines, samples, bands = cube.shape
    down = np.unique(np.linspace(0, lines - 1, _RUNS).astype(int))
    across = np.linspace(0, max(0, samples - _RUN), len(down)).astype(int)
    across = across[np.arange(len(down)) * 5 % len(down)] if len(down) == _RUNS else across  # 5 and 8 share no factor
    kept = np.unique(np.linspace(0, bands - 1, _BANDS).astype(int))
    spectra = np.concatenate([cube[line, start : start + _RUN, kept].T for line, start in zip(down, across, strict=True)]).astype(
        np.float64
    )
    spectra = np.where(np.isfinite(spectra), spectra, 0.0)
    spectra -= spectra.mean()
    total = float((spectra**2).sum())
    if not 0 < total < math.inf:
        return 1.0
    power = np.linalg.eigvalsh(spectra.T @ spectra)[::-1]
    return max(0.0, 1 - float(power[:_COMPONENTS].sum()) / total) + _FLOOR
