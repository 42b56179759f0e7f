"""The fields of an ENVI header, as programs write them."""

from __future__ import annotations

import math
import re
from pathlib import Path

from napari_spectrai.io.esri_header import fields_of, is_esri
from napari_spectrai.io.found import warn
from napari_spectrai.io.table_syntax import MISSING
from napari_spectrai.io.texts import text_of
from napari_spectrai.notices import noting
from napari_spectrai.units import quantity_of

_OTHER_NAMES = {
    "wavelengths": "wavelength",
    "wavenumber": "wavelength",
    "wavenumbers": "wavelength",
    "raman shift": "wavelength",
    "band centers": "wavelength",
    "band centres": "wavelength",
    "center wavelength": "wavelength",
    "center wavelengths": "wavelength",
    "central wavelength": "wavelength",
    "central wavelengths": "wavelength",
    "wavelength unit": "wavelength units",
    "wavelengths units": "wavelength units",
}
TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
_OTHERS = (
    ("#?", "it is a picture of high dynamic range"),
    ("ScanDefinition", "it belongs to images of a scanning X-ray microscope (.xim), which are not read; save the stack as .h5 or .tif"),
)
"""What headers of other programs start with."""
_SIZE_OF_ANALYZE = (b"\x5c\x01\0\0", b"\0\0\x01\x5c")
_LONGEST_HEADER = 64_000_000


def parse(header: Path) -> dict[str, str]:
    """Return the fields of a header, names in lower case, values as text."""
    if header.stat().st_size > _LONGEST_HEADER:
        raise ValueError(f"its header holds {header.stat().st_size:,} bytes; more than {_LONGEST_HEADER:,} is no header")
    content = text_of(header).replace("\r\n", "\n").replace("\r", "\n")
    if not content.upper().startswith("ENVI"):
        if is_esri(content):
            return fields_of(content)
        raise ValueError(f"{header.name} does not start with ENVI{_other_header(header, content)}")
    fields: dict[str, str] = {}
    place, last = 0, content.rfind("}")
    while place < len(content):  # line by line, each read once: a pattern over the whole text would take cubic time on spaces
        end = _line_end(content, place)
        name, equals, value = (part.strip() for part in content[place:end].partition("="))
        if equals and name and not any(mark in name for mark in ";{}"):
            opened = content.index("=", place)
            if value.startswith("{") and opened < last:
                closed = content.index("}", opened)
                value = content[opened + 1 : closed + 1].strip()
                end = _line_end(content, closed)
            usual = " ".join(name.lower().replace("_", " ").split())
            name = _OTHER_NAMES.get(usual, usual)
            if name == usual or name not in fields:
                fields[name] = value
                if quantity_of(usual) == "wavenumber":
                    fields.setdefault("wavelength units", "1/cm")
        place = end + 1
    if content.rfind("{") > content.rfind("}"):  # braces within a description need not be balanced
        raise ValueError(f"{header.name} ends within a list; it is truncated")
    *_, ending = content.rstrip().rpartition("\n")
    if not any(mark in ending for mark in "=}];"):
        warn(header, f"it ends within a line ({ending[:30]!r}); it may be cut off or still being written")
    return fields


def _other_header(header: Path, content: str) -> str:
    """Return what else a file of this suffix is, in words."""
    words = next((words for start, words in _OTHERS if content.lstrip().startswith(start)), "")
    with header.open("rb") as file:
        if file.read(4) in _SIZE_OF_ANALYZE:
            words = "it is a header of Analyze or NIfTI; save the image as .npy or .h5"
    return f"; {words}" if words else ""


def _line_end(content: str, place: int) -> int:
    end = content.find("\n", place)
    return len(content) if end < 0 else end


def parts_of(text: str) -> list[str]:
    """Return the parts of a list between commas."""
    return [part.strip() for part in text.strip().strip("{}").split(",") if part.strip()]


def numbers_of(text: str) -> list[float]:
    """Return the numbers of a list, which some programs separate by spaces, follow with ``nm``, or write with decimal commas."""
    bare = re.sub(r"[\"']", "", text).strip().strip("{}[]()")
    if ";" in bare and re.search(r"\d,\d", bare):
        bare = bare.replace(",", ".")
    return [float(part) for part in re.split(r"[,;\s]+", re.sub(r"(?<=\d)\s*nm\b", "", bare)) if part]


def number_of(path: Path, fields: dict[str, str], name: str) -> float | None:
    """Return the number of a field, None without one; what is no number is mentioned."""
    words = fields.get(name, "").strip("{} ")
    try:
        return float(words) if words else None
    except ValueError:
        if words.casefold() not in MISSING:
            warn(path, f"its header gives {words[:30]!r} as its {name}, and that is no number; it is not used")
        return None


def whole(fields: dict[str, str], name: str, default: int | None = None) -> int:
    """Return the whole number of a field, which has to be there where there is no default."""
    if name not in fields and default is not None:
        return default
    if name not in fields:
        raise ValueError(f"its header says nothing of {name!r}")
    try:
        number = int(re.sub(r"\.0*$", "", fields[name].partition(";")[0].strip("{}[]() \t")))
    except ValueError as error:
        raise ValueError(f"its header gives {fields[name][:30]!r} as its {name}, and that is no whole number") from error
    if number < 0 or (number == 0 and default is None):
        raise ValueError(f"its header claims {name} = {number}")
    return number


def describes(header: Path, values: Path) -> bool:
    """Whether a file is as long as the values that a header describes."""
    try:
        with noting():  # what is odd about the header is said when it is read
            fields = parse(header)
        numbers = [whole(fields, name) for name in ("lines", "samples", "bands")]
        length = math.prod(numbers) * int(TYPES[whole(fields, "data type")][1:])
        return values.stat().st_size == whole(fields, "header offset", 0) + length
    except (ValueError, KeyError, OSError):
        return False
