"""Single-spectrum exchange formats: JCAMP-DX (through jcamp) and Galactic SPC (through spc-io, in the ``formats`` extra)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, affordable, positions
from napari_spectrai.io.optional import need

_UNITS = {
    "1/cm": "1/cm", "nanometers": "nm", "micrometers": "um", "wavenumber": "1/cm", "ev": "eV", "m/z": "m/z",  # JCAMP-DX
    "xwaven": "1/cm", "xramans": "1/cm", "xnmetr": "nm", "xumetr": "um", "xev": "eV", "xmunits": "m/z", "xarb": "",  # SPC
}  # fmt: skip


def _blocks(path: Path) -> list[tuple[str, Any, Any, str]]:
    """Return name, positions, intensities and unit of each spectrum."""
    affordable((path.stat().st_size * 50,), np.uint8)
    return _jcamp(path) if path.suffix.lower() != ".spc" else _spc(path)


def _jcamp(path: Path) -> list[tuple[str, Any, Any, str]]:
    jcamp = need("jcamp", "JCAMP-DX")
    found = jcamp.readfile(str(path))
    blocks = [block for block in [found, *found.get("children", [])] if "x" in block and "y" in block]
    if not blocks:
        raise ValueError("it holds no spectrum")
    return [(str(block.get("title", number)), block["x"], block["y"], str(block.get("xunits", ""))) for number, block in enumerate(blocks)]


def _spc(path: Path) -> list[tuple[str, Any, Any, str]]:
    spc_io = need("spc_io", "Galactic SPC")
    with path.open("rb") as file:
        spc = spc_io.SPC.from_bytes_io(file)
    return [(str(number), np.asarray(sub.xarray), np.asarray(sub.yarray), spc.xtype) for number, sub in enumerate(spc)]


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the spectra and their lengths."""
    return {name: np.shape(y) for name, _, y, _ in _blocks(path)}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Read the spectra of a file that share their positions; where they differ, one is chosen by name."""
    blocks = _blocks(path)
    if dataset is not None:
        blocks = [next(b for b in blocks if b[0] == choose({name: (1, *np.shape(y)) for name, _, y, _ in blocks}, dataset))]
    _, x, _, unit = blocks[0]
    if any(not np.array_equal(x, other[1]) for other in blocks):
        names = ", ".join(name for name, *_ in blocks)
        raise ValueError(f"its spectra ({names}) lie at different positions; choose one with dataset=…")
    if len(x) != len(blocks[0][2]):
        raise ValueError(f"it gives {len(x)} positions for {len(blocks[0][2])} intensities; it is truncated")
    data = np.stack([np.asarray(y, np.float64) for _, _, y, _ in blocks])
    return RawArray(data, axis=positions(path, x, _UNITS.get(unit.strip().lower(), unit)), name=blocks[0][0] if len(blocks) == 1 else "")
