"""Writers of small files in the layouts of instruments for which no library writes: for tests only."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

# ------------------------------------------------------------------ Princeton Instruments


def spe_header(dtype: int, width: int, height: int, frames: int, version: float, fields: dict[int, tuple[str, object]]) -> bytearray:
    head = bytearray(4100)
    usual = {108: ("<h", dtype), 42: ("<H", width), 656: ("<H", height), 1446: ("<i", frames), 1992: ("<f", version)}
    for place, (code, value) in (usual | fields).items():
        values = value if isinstance(value, tuple) else (value,)
        struct.pack_into(code, head, place, *values)
    return head


def calibrated(coefficients, *, title=b"", centre=0.0, roi=(1, 0, 1), laser=0.0) -> dict[int, tuple[str, object]]:
    """Fields of a calibration; `roi` is first and last pixel of the detector and how many are binned."""
    padded = (*coefficients, *[0.0] * (6 - len(coefficients)))
    fields = {3098: ("B", 1), 3101: ("B", len(coefficients) - 1), 3263: ("<6d", padded), 3018: ("40s", title), 72: ("<f", centre)}
    return fields | {1510: ("<h", 1), 1512: ("<3H", roi), 3311: ("<d", laser)}


def spe2(path: Path, frames: np.ndarray, fields=None, *, claimed=None) -> Path:
    kind = {"f4": 0, "i4": 1, "i2": 2, "u2": 3, "u4": 8}[frames.dtype.str[1:]]
    count, height, width = frames.shape
    path.write_bytes(spe_header(kind, width, height, claimed or count, 2.5, fields or {}) + frames.tobytes())
    return path


def spe3(path: Path, regions: list[np.ndarray], calibrations: str = "", *, extra=0, of_region="", of_frame="", claimed=None) -> Path:
    """Write regions (frames, height, width) with `extra` bytes behind each frame, as for its time."""
    form = {"u2": "MonochromeUnsigned16", "u4": "MonochromeUnsigned32", "f4": "MonochromeFloating32"}[regions[0].dtype.str[1:]]
    size = sum(region[0].nbytes for region in regions)
    frames = b"".join(b"".join(region[n].tobytes() for region in regions) + b"\xee" * extra for n in range(len(regions[0])))
    blocks = "".join(
        f'<DataBlock type="Region" count="1" width="{r.shape[2]}" height="{r.shape[1]}" size="{r[0].nbytes}" stride="{r[0].nbytes}" '
        f'calibrations="{of_region}"/>'
        for r in regions
    )
    footer = (
        '<?xml version="1.0" encoding="utf-8"?><SpeFormat version="3.0" xmlns="http://www.princetoninstruments.com/spe/2009"><DataFormat>'
        f'<DataBlock type="Frame" count="{claimed or len(regions[0])}" pixelFormat="{form}" size="{size}" stride="{size + extra}" '
        f'calibrations="{of_frame}">{blocks}</DataBlock></DataFormat><Calibrations>{calibrations}</Calibrations></SpeFormat>'
    )
    head = spe_header(3, regions[0].shape[2], regions[0].shape[1], len(regions[0]), 3.0, {678: ("<Q", 4100 + len(frames))})
    path.write_bytes(bytes(head) + frames + footer.encode())
    return path


# ------------------------------------------------------------------ PerkinElmer


def block(kind: int, content: bytes) -> bytes:
    return struct.pack("<Hi", kind, len(content)) + content


def text(words: str) -> bytes:
    return struct.pack("<h", len(words)) + words.encode("cp1252")


def sp(path: Path, spectra: list[tuple[float, float, np.ndarray]], unit="cm-1") -> Path:
    content = b"PEPE" + b"2D constant interval DataSet file".ljust(40, b"\0")
    for first, last, values in spectra:
        members = block(35711, b"y\0" + bytes(30)) + block(35698, b"\x1du" + struct.pack("<dd", first, last))
        members += block(35701, b"+u" + struct.pack("<i", len(values))) + block(35703, b"#u" + text(unit)) + block(35704, b"#u" + text("A"))
        members += block(35708, b"\x16u" + struct.pack("<i", 8 * len(values)) + values.astype("<f8").tobytes())
        content += block(120, members + block(35713, b"#u" + text("strip")))
    path.write_bytes(content)
    return path


def fsm(path: Path, cube: np.ndarray, first=4000.0, step=-2.0, *, pixel=(5.0, 6.25), origin=(100.0, 20.0), unit="cm-1", kept=None) -> Path:
    height, width, bands = cube.shape
    last = first + step * (bands - 1)
    head = struct.pack("<10d3i", pixel[1], pixel[0], step, first, last, 0, 0, origin[1], origin[0], first, width, height, bands)
    labels = text("Y - Microns") + text("X - Microns") + text(unit) + text("%T")
    content = b"PEPE" + b"DataSet - 4DConst3DInterval".ljust(40, b"\0") + block(5100, text("") + head + labels) + block(5104, bytes(50))
    spectra = cube.reshape(-1, bands).astype("<f4")
    path.write_bytes(content + b"".join(block(5105, one.tobytes()) for one in spectra[:kept]))
    return path


# ------------------------------------------------------------------ Agilent


def _property(name: bytes, value: bytes) -> bytes:
    return name + b"\0\0\0\0\x02\0\0\0\x08\0\0\0PropType" + bytes(24) + b"1.00" + bytes(12) + value


def agilent_parameters(path: Path, step: float, first: int, points: int, *, pixel=5.5, aggregated=4, interferogram=0) -> None:
    content = bytearray(2300)
    for place, code, value in ((2216, "<d", step), (2228, "<i", first), (2236, "<i", points)):
        struct.pack_into(code, content, place, value)
    said = bytes(content) + _property(b"FPA Pixel Size", struct.pack("<d", pixel))
    said += b"\0PixelAggregationSize\x04\0\0\0\x01\0\0\0" + str(aggregated).encode() + b"\0"
    path.write_bytes(said + _property(b"Interferogram", struct.pack("<d4xi4xi", 1.0, 0, interferogram)))


def agilent_tile(path: Path, tile: np.ndarray) -> None:
    """Write (rows from the top, columns, points)."""
    path.write_bytes(bytes(1020) + np.ascontiguousarray(tile[::-1].transpose(2, 0, 1)).astype("<f4").tobytes())


def agilent_mosaic(folder: Path, cube: np.ndarray, side: int, *, name="Ab9", step=2.0, first=500, missing=()) -> Path:
    agilent_parameters(folder / f"{name.lower()}.dmt", step, first, cube.shape[2])
    for row in range(cube.shape[0] // side):
        for column in range(cube.shape[1] // side):
            tile = cube[row * side : (row + 1) * side, column * side : (column + 1) * side]
            if (row, column) not in missing:
                agilent_tile(folder / f"{name}_{column:04d}_{row:04d}.dmd", tile)
    return folder / f"{name.lower()}.dmt"


# ------------------------------------------------------------------ WITec

_CODES = {"f8": 2, "f4": 3, "i8": 4, "i4": 5, "u1": 7, "b1": 8}


def tag(name: str, value) -> tuple[str, int, object]:
    """Return a tag as name, type and contents: a list of tags, a text, or an array of values."""
    if isinstance(value, list):
        return name, 0, value
    if isinstance(value, str):
        return name, 9, struct.pack("<I", len(value.encode("cp1252"))) + value.encode("cp1252")
    values = np.asarray(value)
    if values.dtype == np.int64:
        values = values.astype("<i4")
    return name, _CODES[values.dtype.str[1:]], values.tobytes()


def _packed(one: tuple[str, int, object], place: int) -> bytes:
    name, kind, content = one
    start = place + 24 + len(name)
    if isinstance(content, list):
        inner = b""
        for child in content:
            inner += _packed(child, start + len(inner))
    else:
        inner = content
    return struct.pack("<I", len(name)) + name.encode() + struct.pack("<IQQ", kind, start, start + len(inner)) + inner


def wip(path: Path, entries: list[tuple[str, list]], *, magic=b"WIT_PR06", version=7) -> Path:
    listing = [
        one for number, (kind, tags) in enumerate(entries) for one in (tag(f"DataClassName {number}", kind), tag(f"Data {number}", tags))
    ]
    root = tag("WITec Project", [tag("Version", version), tag("Data", [*listing, tag("NumberOfData", len(entries))])])
    path.write_bytes(magic + _packed(root, 8))
    return path


def tdata(number: int, caption: str) -> tuple:
    return tag("TData", [tag("Version", 0), tag("ID", number), tag("ImageIndex", 0), tag("Caption", caption)])


def graph(number: int, caption: str, cube: np.ndarray, *, axis=0, shown=0, space=0, inverted=False, valid=None) -> tuple[str, list]:
    """Return a TDGraph of a cube (height, width, bands)."""
    height, width, bands = cube.shape
    codes = {"i8": 1, "i4": 2, "i2": 3, "u2": 6, "u1": 7, "f4": 9, "f8": 10}
    stored = np.ascontiguousarray(cube if inverted else cube.transpose(1, 0, 2))
    values = [
        tag("Dimension", 2),
        tag("DataType", codes[cube.dtype.str[1:]]),
        tag("Ranges", np.array([1, 1])),
        tag("Data", np.frombuffer(stored.tobytes(), "u1")),
    ]
    body = [tag("SizeX", width), tag("SizeY", height), tag("SizeGraph", bands), tag("SpaceTransformationID", space)]
    body += [tag("XTransformationID", axis), tag("XInterpretationID", shown), tag("DataFieldInverted", np.array([inverted]))]
    lines = np.ones(height, bool) if valid is None else np.asarray(valid)
    return "TDGraph", [tdata(number, caption), tag("TDGraph", [*body, tag("GraphData", values), tag("LineValid", lines)])]


def spectral(number: int, kind: int, unit="nm", shown=0, **values) -> tuple[str, list]:
    fields = [
        tag("SpectralTransformationType", kind),
        *(tag(name, np.asarray(value, None if name == "FreePolynomOrder" else float)) for name, value in values.items()),
    ]
    head = tag("TDTransformation", [tag("StandardUnit", unit), tag("UnitKind", 2), tag("InterpretationID", shown)])
    return "TDSpectralTransformation", [tdata(number, "Axis"), head, tag("TDSpectralTransformation", fields)]


def interpretation(number: int, index: int, laser: float) -> tuple[str, list]:
    inner = tag("TDSpectralInterpretation", [tag("Version", 0), tag("ExcitationWaveLength", laser)])
    return "TDSpectralInterpretation", [tdata(number, "Unit"), tag("TDInterpretation", [tag("UnitIndex", index)]), inner]


def space(number: int, origin, scale, rotation=None, model=(0.0, 0.0, 0.0), unit="µm") -> tuple[str, list]:
    turn = np.eye(3) if rotation is None else np.asarray(rotation)
    port = [tag("ModelOrigin", np.array(model, float)), tag("WorldOrigin", np.array(origin, float))]
    port += [tag("Scale", np.diag(scale).astype(float).T.ravel()), tag("Rotation", turn.T.ravel())]
    head = tag("TDTransformation", [tag("StandardUnit", unit), tag("UnitKind", 1)])
    return "TDSpaceTransformation", [tdata(number, "Stage"), head, tag("TDSpaceTransformation", [tag("ViewPort3D", port)])]
