"""WITec projects (``.wip``) and data (``.wid``): spectra, line scans and maps, with their calibration and their place on the stage.

The layout follows the description published with the toolbox wit_io: a tree of tags, of which ``Data`` lists graphs,
transformations (from pixels to units) and interpretations (the unit to show) that refer to each other by numbers.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.io.container import choose
from napari_spectrai.io.facts import length_unit
from napari_spectrai.io.found import RawArray, affordable, mapped, positions, warn
from napari_spectrai.io.witec_axes import axis_of
from napari_spectrai.io.witec_tags import Tag, tag_at

MAGIC = (b"WIT_PRCT", b"WIT_DATA", b"WIT_PR06", b"WIT_DA06")
_TYPES = ("", "<i8", "<i4", "<i2", "i1", "<u4", "<u2", "u1", "u1", "<f4", "<f8")
_START = 8
_MOST_DATA = 100_000


@dataclass(frozen=True, slots=True)
class _Graph:
    """Spectra of a project on a grid of `height` × `width`, whose values lie at `start`, column by column unless `by_rows`."""

    tag: Tag
    height: int
    width: int
    bands: int
    dtype: str
    start: int
    by_rows: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """As it is read: an image, or a set of spectra along a line."""
        whole = (self.height, self.width, self.bands)
        return whole if min(self.height, self.width) > 1 else (self.height * self.width, self.bands)


def inspect(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the graphs of the project and their shapes, by their captions."""
    with _opened(path) as root:
        return {name: graph.shape for name, graph in _graphs(root)[0].items()}


def read(path: Path, *, dataset: str | None = None) -> RawArray:
    """Map a graph, with its positions in the unit in which the project shows them."""
    with _opened(path) as root:
        graphs, entries = _graphs(root)
        if not graphs:
            kinds = sorted({kind for kind, _ in entries.values()})
            raise ValueError(f"it holds no graph; it holds {', '.join(kinds) or 'nothing'}")
        name = choose({name: graph.shape for name, graph in graphs.items()}, dataset, path)
        graph = graphs[name]
        values, unit, laser = axis_of(graph.tag, entries, graph.bands)
        axis = None if values is None else positions(path, values, unit)
        place = _stage(graph.tag, entries)
        data = _values(path, graph)
    metadata: dict[str, Any] = {} if laser is None or axis is None or axis.unit != "1/cm" else {"laser_nm": round(laser, 4)}
    if axis is None:
        warn(path, f"the calibration of {name!r} is missing or of a kind that is not known; its bands are numbered")
        axis = SpectralAxis.bands(graph.bands)
    if place is None or len(graph.shape) == 2:
        return RawArray(data, axis=axis, name=name, dataset=name, metadata=metadata | _line(graph, place))
    if place.upright:
        metadata |= {"origin": [float(place.origin[1]), float(place.origin[0])]}
    return RawArray(
        data, axis=axis, pixel_size=place.pixel, pixel_unit=place.unit, name=name, dataset=name, metadata=metadata
    )  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[Tag]:
    """Yield the root of the tree, whose contents are mapped as long as they are needed."""
    with path.open("rb") as file:
        if file.read(_START) not in MAGIC:
            raise ValueError("it does not start as a project of WITec does")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield tag_at(content, _START, len(content))


def _graphs(root: Tag) -> tuple[dict[str, _Graph], dict[int, tuple[str, Tag]]]:
    """Return the graphs by their captions, which are numbered where they repeat, and every entry with its class by its number."""
    listing = root.at("Data")
    tags = {} if listing is None else listing.tags()
    graphs: dict[str, _Graph] = {}
    entries: dict[int, tuple[str, Tag]] = {}
    for key in [key for key in tags if key.startswith("DataClassName ")][:_MOST_DATA]:
        number = key.rpartition(" ")[2]
        entry = tags.get(f"Data {number}")
        if entry is None:
            continue
        kind = tags[key].text()
        entries[int(entry.number("TData", "ID"))] = (kind, entry)
        body = entry.at("TDGraph") if kind == "TDGraph" else None
        if body is not None:
            caption = entry.text("TData", "Caption") or number
            graphs[f"{caption} {number}" if caption in graphs else caption] = _graph(body)
    return graphs, entries


def _graph(body: Tag) -> _Graph:
    width, height, bands = (int(body.number(name)) for name in ("SizeX", "SizeY", "SizeGraph"))
    kind = int(body.number("GraphData", "DataType"))
    values = body.at("GraphData", "Data")
    if not 0 < kind < len(_TYPES) or values is None or min(width, height, bands) < 1:
        raise ValueError(f"one of its graphs claims {height} × {width} spectra of {bands} points of type {kind}; it is damaged")
    needed = width * height * bands * np.dtype(_TYPES[kind]).itemsize
    if values.end - values.start < needed:
        raise ValueError(f"one of its graphs needs {needed:,} bytes and has {values.end - values.start:,}; it is damaged")
    return _Graph(body, height, width, bands, _TYPES[kind], values.start, bool(body.number("DataFieldInverted")))


def _values(path: Path, graph: _Graph) -> npt.NDArray[Any]:
    """Map the spectra as an image, the rows first; rows that were not measured are NaN."""
    outer = (graph.height, graph.width) if graph.by_rows else (graph.width, graph.height)
    stored = mapped(path, graph.dtype, (*outer, graph.bands), graph.start)
    data: npt.NDArray[Any] = stored if graph.by_rows else stored.transpose(1, 0, 2)
    valid = graph.tag.numbers("LineValid").astype(bool)
    if len(valid) == graph.height > 1 and not valid.all():
        warn(path, f"{int((~valid).sum())} of its {graph.height} lines were not measured; they are NaN")
        affordable(data.shape, np.float32)
        data = np.array(data, np.result_type(graph.dtype, np.float32))
        data[~valid] = np.nan
    return data if len(graph.shape) == 3 else data.reshape(-1, graph.bands)


# ------------------------------------------------------------------ geometry


@dataclass(frozen=True, slots=True)
class _Place:
    """Where pixels lie: the first at `origin` (x, y, z), each next one a step along x or y, in `unit`."""

    origin: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    unit: str

    @property
    def pixel(self) -> tuple[float, float]:
        """The pixel size (y, x)."""
        wide, high = (float(length) for length in np.linalg.norm(self.steps, axis=0)[:2])
        return high, wide

    @property
    def upright(self) -> bool:
        """Whether rows and columns follow the axes of the stage, so that the first pixel places the image."""
        return bool(np.allclose(self.steps[:2, :2], np.diag(self.pixel[::-1]), atol=1e-3 * max(self.pixel)))


def _stage(graph: Tag, entries: dict[int, tuple[str, Tag]]) -> _Place | None:
    """Return the place of a graph on the stage, if the project gives it."""
    kind, entry = entries.get(int(graph.number("SpaceTransformationID")), ("", None))
    port = None if entry is None or kind != "TDSpaceTransformation" else entry.at("TDSpaceTransformation", "ViewPort3D")
    if entry is None or port is None:
        return None
    model, world, scale, rotation = (port.numbers(name) for name in ("ModelOrigin", "WorldOrigin", "Scale", "Rotation"))
    if (len(model), len(world), len(scale), len(rotation)) != (3, 3, 9, 9):
        return None
    steps = rotation.reshape(3, 3).T @ scale.reshape(3, 3).T  # stored column by column
    unit = length_unit(entry.text("TDTransformation", "StandardUnit")) or "um"
    sides = np.linalg.norm(steps, axis=0)[:2]
    return _Place(world - steps @ model, steps, unit) if np.isfinite(steps).all() and (sides > 0).all() else None


def _line(graph: _Graph, place: _Place | None) -> dict[str, Any]:
    """Return the coordinates of spectra along a line."""
    count = graph.height * graph.width
    if place is None or count < 2:
        return {}
    step = place.steps[:, 0 if graph.width > 1 else 1]
    points = place.origin[:, None] + step[:, None] * np.arange(count)
    named = {name: {"values": values.tolist(), "unit": place.unit} for name, values in zip("xyz", points, strict=True)}
    varying = {name: one for name, one in named.items() if np.ptp(one["values"]) > 0}
    stage = {f"stage_{name}": values.tolist() for name, values in zip("xyz", points, strict=True)}
    return {"coordinates": varying, "stage_unit": place.unit} | stage if varying else {}
