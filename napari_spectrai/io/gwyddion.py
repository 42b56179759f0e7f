"""Gwyddion's simple field (``.gsf``): one image of numbers with its size, in the published layout."""

from __future__ import annotations

from pathlib import Path

from napari_spectrai.io.container import choose
from napari_spectrai.io.found import RawArray, mapped

_MAGIC = b"Gwyddion Simple Field 1.0\n"
_LONGEST_HEAD = 2**20


def _head(path: Path) -> tuple[dict[str, str], int]:
    """Return the fields of the header and where the values start: after one to four zero bytes, at a multiple of four."""
    with path.open("rb") as file:
        content = file.read(_LONGEST_HEAD)
    if not content.startswith(_MAGIC):
        raise ValueError("it does not start as a simple field of Gwyddion does")
    end = content.find(b"\0")
    if end < 0:
        raise ValueError("its header has no end; it is truncated")
    lines = content[len(_MAGIC) : end].decode("utf-8", "replace").splitlines()
    fields = {key.strip().casefold(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    return fields, end + 4 - end % 4


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of the picture."""
    fields, _ = _head(path)
    return {"field": (int(fields["yres"]), int(fields["xres"]))}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map the picture as a cube of one band; a spectral image is a stack of such files."""
    choose(inspect(path), dataset or "field")
    fields, start = _head(path)
    height, width = int(fields["yres"]), int(fields["xres"])
    data = mapped(path, "<f4", (height, width), start)
    high, wide = float(fields.get("yreal", 0)), float(fields.get("xreal", 0))
    sized = high > 0 and wide > 0 and fields.get("xyunits", "") == "m"
    return RawArray(
        data[..., None], pixel_size=(high / height * 1e6, wide / width * 1e6) if sized else None, pixel_unit="um" if sized else "pixel",
        name=fields.get("title", ""),
    )  # fmt: skip
