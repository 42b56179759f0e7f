"""Headers of ESRI next to ``.bil``, ``.bip`` and ``.bsq`` values, as the fields of an ENVI header."""

from __future__ import annotations

import re

_FIRST = re.compile(r"\s*(?:byteorder|layout|nrows|ncols|nbands|nbits)[ \t]+\w", re.IGNORECASE)
_NEEDED = ("NROWS", "NCOLS")
_TYPES = {
    ("U", 8): 1, ("U", 16): 12, ("U", 32): 13, ("U", 64): 15, ("S", 16): 2, ("S", 32): 3, ("S", 64): 14, ("F", 32): 4, ("F", 64): 5,
}  # fmt: skip
"""Codes of ENVI by the kind of numbers and their bits."""


def is_esri(content: str) -> bool:
    """Whether a text begins as a header of ESRI does."""
    return _FIRST.match(content) is not None


def fields_of(content: str) -> dict[str, str]:
    """Return the fields of a header of ESRI as those of ENVI.

    Raises
    ------
    ValueError
        If there are bytes between the lines, a number is missing or wrong, or the numbers are of a type that ENVI does not have.
    """
    said = {parts[0].upper(): parts[1] for line in content.splitlines() if len(parts := line.split(maxsplit=1)) == 2}
    if missing := [name for name in _NEEDED if name not in said]:
        raise ValueError(f"its header of ESRI says nothing of {' and '.join(missing)}")
    rows, columns, bands, bits = (
        _whole(said, name, default) for name, default in (("NROWS", 1), ("NCOLS", 1), ("NBANDS", 1), ("NBITS", 8))
    )
    kind = (said.get("PIXELTYPE", "").strip().upper() or "U")[0]
    if (kind, bits) not in _TYPES:
        raise ValueError(f"its header of ESRI claims numbers of {bits} bits ({said.get('PIXELTYPE', 'unsigned')}), which are not read")
    layout = said.get("LAYOUT", "bil").strip().lower()
    row = columns * bits // 8
    whole = {"bil": row * bands, "bip": row * bands, "bsq": row}.get(layout, row)
    lengths = (_whole(said, "BANDROWBYTES", row), _whole(said, "TOTALROWBYTES", whole), _whole(said, "BANDGAPBYTES", 0))
    if lengths != (row, whole, 0):
        raise ValueError("its lines or bands have bytes of other things between them, which is not read; save it without them")
    fields = {
        "lines": str(rows), "samples": str(columns), "bands": str(bands), "data type": str(_TYPES[kind, bits]), "interleave": layout,
        "byte order": "1" if said.get("BYTEORDER", "I").strip().upper().startswith("M") else "0",
        "header offset": str(_whole(said, "SKIPBYTES", 0)),
    }  # fmt: skip
    ignored = said.get("NODATA", said.get("NODATA_VALUE"))
    return fields if ignored is None else fields | {"data ignore value": ignored}


def _whole(said: dict[str, str], name: str, default: int) -> int:
    words = said.get(name, str(default)).strip()
    if not words.isdecimal():
        raise ValueError(f"its header of ESRI gives {words[:30]!r} as its {name}, and that is no whole number")
    return int(words)
