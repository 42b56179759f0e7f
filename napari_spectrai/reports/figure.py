"""Figures for print: a map with its scale bar, and its colour bar or the names of its classes."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from napari_spectrai.cube import Cube
from napari_spectrai.labels import Class, Labels
from napari_spectrai.reports import heatmaps
from napari_spectrai.reports.figure_drawing import Box, Drawing, Line, Rectangle, Text, written
from napari_spectrai.reports.svg import rounded, ticks_between
from napari_spectrai.spec import Spec, listed

GREY = tuple(np.linspace((0, 0, 0), (1, 1, 1), 256).tolist())
NOTHING = (0.6, 0.63, 0.66)
"""Colour of pixels without data."""
PALETTE = (
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bb5566", "#004488", "#ddaa33", "#997700", "#ee7733", "#009988",
)  # fmt: skip
"""Colours of classes without their own (Paul Tol's bright and high-contrast schemes)."""
MARGIN, GAP, BAR, TEXT = 1.5, 2.0, 3.0, 2.8
"""Millimetres: around the figure, between its parts, the width of the colour bar, and the height of letters (8 points)."""
LEGEND = 22.0
"""Width of the column with the colour bar, in millimetres."""
TALLEST = 1.6
"""Largest height of the map in widths of the figure."""
SHARE = 0.3
"""Length of the scale bar, at most, in widths of the map."""

Array = npt.NDArray[Any]
Colours = Sequence[Sequence[float]]


class FigureSettings(Spec):
    """How a map is drawn for print."""

    width: float = Field(85.0, ge=20, le=500, title="Width (mm)", description="width of the figure; a column of a journal has about 85 mm")
    dpi: int = Field(300, ge=50, le=1200, title="Resolution (dpi)", description="dots per inch of PNG and TIFF; an SVG has none")
    label: str = Field("", max_length=200, title="Title", description="text above the colour bar or the names of the classes")
    low: float | None = Field(None, title="Lowest value", description="lower end of the colour bar; empty: that of the data")
    high: float | None = Field(None, title="Highest value", description="upper end of the colour bar; empty: that of the data")
    scale_bar: float | None = Field(
        None, ge=0, title="Scale bar", description="length of the scale bar in the unit of the pixels; empty: a round number; 0: none"
    )
    legend: bool = Field(True, title="Colour bar or legend", description="draw the colour bar, or the names of the classes")

    @model_validator(mode="after")
    def _ordered(self) -> FigureSettings:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"the lowest value {self.low:g} is not below the highest {self.high:g}; exchange them")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Figure:
    """A drawn map; `save` writes it.

    Attributes
    ----------
    drawing : Drawing
        What is drawn, in millimetres.
    settings : FigureSettings
    map_box, bar_box : Box
        Where the map and the colour bar lie; the latter is None for classes, and without a legend.
    scale_bar : (float, str) or None
        Length of the scale bar in pixels of the data, and its label.
    limits : (float, float) or None
        Values at the lower and upper end of the colour bar.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spectrai as spectrai
    >>> spectrai.figure(np.eye(3), width=85).save("map.svg").name
    'map.svg'
    """

    drawing: Drawing
    settings: FigureSettings
    map_box: Box
    bar_box: Box | None
    scale_bar: tuple[float, str] | None
    limits: tuple[float, float] | None

    def save(self, path: str | Path) -> Path:
        """Write the figure as ``.png``, ``.tif`` or ``.svg``, atomically.

        Parameters
        ----------
        path : path
            Replaced if it exists.

        Returns
        -------
        Path

        Raises
        ------
        ValueError
            If the suffix is another one.
        """
        return written(self.drawing, Path(path), self.settings.dpi)

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.drawing.raster(self.settings.dpi).save(file, "PNG")
        return file.getvalue()


def figure(
    data: Any, *, pixel_size: tuple[float, float] | None = None, pixel_unit: str = "", colours: str | Colours = "viridis",
    classes: Sequence[Class] = (), **settings: Any,
) -> Figure:  # fmt: skip
    """Draw a map with its scale bar, and its colour bar or the names of its classes, at the size of print.

    Parameters
    ----------
    data : ndarray of shape (y, x), Cube of one band, or Labels
        A map; NaN is drawn grey. Integers are numbers of classes, if `classes` are given.
    pixel_size : (float, float), optional
        Height and width of a pixel; default: those of the cube or of the labels' placement, else square pixels without a scale bar.
    pixel_unit : str
        Unit of `pixel_size`, such as ``"um"``.
    colours : {"viridis", "grey"} or sequence of (red, green, blue[, opacity]), 0 to 1
        Colours from the lowest to the highest value.
    classes : sequence of Class, optional
        For an array of class numbers: their names and colours; other numbers are grey.
    **settings
        Of `FigureSettings`: width (mm), dpi, label, low, high, scale_bar, legend.

    Returns
    -------
    Figure
        `Figure.save` writes PNG, TIFF or SVG.

    Raises
    ------
    SettingsError (a ValueError)
        If a setting is out of bounds.
    ValueError
        If the data are no map.

    Examples
    --------
    >>> import numpy as np
    >>> import napari_spectrai as spectrai
    >>> drawn = spectrai.figure(np.arange(600.0).reshape(20, 30), pixel_size=(2, 2), pixel_unit="um", low=0, high=600, label="Area")
    >>> drawn.scale_bar, drawn.limits
    ((5.0, '10 µm'), (0.0, 600.0))
    """
    chosen = FigureSettings(**settings)
    values, size, unit, known = _plain(data, pixel_size, pixel_unit, classes)
    scale = size or (1.0, 1.0)
    palette: Array = np.zeros((0, 3), np.uint8)
    limits: tuple[float, float] | None = None
    if known:
        pixels = _of_classes(values, known)
    else:
        pixels, limits, palette = _of_values(values, chosen, colours)
    drawing = Drawing(chosen.width)
    legend_width = _legend_width(known, chosen, limits)
    across, down = values.shape[1] * scale[1], values.shape[0] * scale[0]
    room = chosen.width - 2 * MARGIN - (legend_width + GAP if legend_width else 0)
    if room < MARGIN:
        raise ValueError(f"a width of {chosen.width:g} mm leaves no room for the map next to its legend; choose width={chosen.width * 2:g}")
    width = min(room, TALLEST * chosen.width * across / down)
    box = Box(MARGIN, MARGIN, width, width * down / across)
    drawing.image(box, pixels)
    bar = _scale_bar(drawing, box, values.shape[1], scale[1], unit, chosen) if size is not None and unit else None
    bar_box, bottom = None, box.bottom + (GAP + 0.8 + TEXT if bar is not None else 0)
    left = box.right + GAP
    if legend_width and known:
        bottom = max(bottom, _names(drawing, left, box.top, known, values, chosen.label))
    elif legend_width and limits is not None:
        bar_box = _colour_bar(drawing, left, box, limits, palette, chosen.label)
        bottom = max(bottom, bar_box.bottom + TEXT / 2)
    drawing.height = bottom + MARGIN
    return Figure(drawing, chosen, box, bar_box, bar, limits)


def _plain(
    data: Any, pixel_size: tuple[float, float] | None, unit: str, classes: Sequence[Class]
) -> tuple[Array, tuple[float, float] | None, str, list[Class]]:
    """Return the values (y, x) of a map, the size of its pixels with the unit, and its classes."""
    known = list(classes)
    if isinstance(data, Labels):
        known = known or data.classes()
        lies = data.placement
        if pixel_size is None and lies is not None and len(lies.shape) == 2 and lies.units[-1] != "pixel":
            pixel_size, unit = (lies.pixel_size[0], lies.pixel_size[1]), lies.units[-1]
        values = np.asarray(data.data)
        if not known:
            raise ValueError("these labels hold no class; there is nothing to draw")
    elif isinstance(data, Cube):
        if data.shape[-1] != 1:
            raise ValueError(
                f"a figure shows one map, and this cube has {data.shape[-1]} bands; make one with maps(), or take cube.numpy()[..., n]"
            )
        values = data.numpy()[..., 0]
        if pixel_size is None and data.pixel_size is not None and data.pixel_unit != "pixel":
            pixel_size, unit = data.pixel_size, data.pixel_unit
    else:
        values = np.asarray(data)
    if values.ndim != 2 or not values.size or values.dtype.kind not in "biuf":
        raise ValueError(f"a figure shows a map of shape (y, x), not {values.shape} of {values.dtype}; choose one plane")
    if pixel_size is not None and not all(math.isfinite(side) and side > 0 for side in pixel_size):
        raise ValueError(f"pixels of {pixel_size[0]:g} × {pixel_size[1]:g} have no area; give positive sizes")
    return values, pixel_size, unit, known


def _of_values(values: Array, settings: FigureSettings, colours: str | Colours) -> tuple[Array, tuple[float, float], Array]:
    """Return the pixels (y, x, 3) of a map of numbers, the limits of its colours, and these."""
    plain = values.astype(np.float64)
    low, high = heatmaps.limits(values.astype(np.float32))
    low, high = low if settings.low is None else settings.low, high if settings.high is None else settings.high
    if high <= low:  # one of the two was given
        low, high = (low, low + (abs(low) or 1.0)) if settings.low is not None else (high - (abs(high) or 1.0), high)
    palette = _palette(colours)
    with np.errstate(invalid="ignore"):
        shares = np.clip((plain - low) / (high - low), 0, 1)
    numbers = np.round(np.nan_to_num(shares) * (len(palette) - 1)).astype(int)
    pixels = np.where(np.isfinite(plain)[..., None], palette[numbers], _bytes([NOTHING])[0])
    return pixels.astype(np.uint8), (float(low), float(high)), palette


def _palette(colours: str | Colours) -> Array:
    if isinstance(colours, str):
        known: Mapping[str, Colours] = {"viridis": [[part / 255 for part in rgb] for rgb in heatmaps.scale(256)], "grey": GREY}
        if colours not in known:
            raise ValueError(f"there are no colours {colours!r}; {listed(known, colours)}; or give a list of colours")
        colours = known[colours]
    if len(colours) < 2:
        raise ValueError("one colour cannot show values; give at least two")
    return _bytes(colours)


def _bytes(colours: Colours) -> Array:
    """Return colours (red, green, blue[, opacity]) from 0 to 1 as bytes (n, 3) on white."""
    plain = np.asarray([list(one) + [1.0] * (4 - len(one)) for one in colours], np.float64)
    return np.round(255 * (plain[:, :3] * plain[:, 3:] + 1 - plain[:, 3:])).astype(np.uint8)


def _colour_of(one: Class, number: int) -> Sequence[float]:
    if one.colour is not None:
        return one.colour[:3]
    code = PALETTE[number % len(PALETTE)]
    return [int(code[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def _of_classes(values: Array, classes: Sequence[Class]) -> Array:
    pixels = np.broadcast_to(_bytes([NOTHING])[0], (*values.shape, 3)).copy()
    for number, one in enumerate(classes):
        pixels[values == one.value] = _bytes([_colour_of(one, number)])[0]
    return pixels


def _legend_width(classes: Sequence[Class], settings: FigureSettings, limits: tuple[float, float] | None) -> float:
    """Return the width of the column at the right, in millimetres."""
    if not settings.legend:
        return 0.0
    if classes:
        longest = max(len(settings.label) - 3, *(len(one.name) for one in classes), 8)
        return min(settings.width / 2, TEXT * 1.5 + 0.58 * TEXT * longest)
    assert limits is not None  # noqa: S101
    return min(settings.width / 2, max(LEGEND, 0.58 * TEXT * len(settings.label)))


def _scale_bar(drawing: Drawing, box: Box, columns: int, pixel: float, unit: str, settings: FigureSettings) -> tuple[float, str] | None:
    """Draw the scale bar below the map; return its length in pixels of the data, and its label."""
    whole = columns * pixel
    length = _round_length(SHARE * whole) if settings.scale_bar is None else settings.scale_bar
    if length == 0:
        return None
    if length > whole:
        raise ValueError(f"a scale bar of {length:g} {unit} is longer than the map, {whole:g} {unit}; choose a shorter one")
    label = f"{length:g} {'µm' if unit in ('um', 'micrometer', 'micron') else unit}"
    across = box.width * length / whole
    drawing.add(Rectangle(Box(box.left, box.bottom + GAP, across, 0.8), (0, 0, 0)))
    drawing.add(Text(box.left + across + 1, box.bottom + GAP + 0.4, label, TEXT, "left"))
    return length / pixel, label


def _round_length(most: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten up to a length."""
    power = 10.0 ** math.floor(math.log10(most))
    return float(f"{max(digit * power for digit in (1, 2, 5) if digit * power <= most * (1 + 1e-9)):.6g}")


def _colour_bar(drawing: Drawing, left: float, box: Box, limits: tuple[float, float], palette: Array, label: str) -> Box:
    """Draw the colour bar at the right of the map, with its ends and round values between labelled."""
    top = box.top + TEXT * (1.6 if label else 0.5)
    bar = Box(left, top, BAR, max(box.bottom - top - TEXT / 2, 4 * TEXT))
    if label:
        drawing.add(Text(left, box.top + TEXT / 2, label, TEXT, "left"))
    drawing.image(bar, palette[::-1][:, None, :])
    (low, high), room = limits, 1.5 * TEXT / bar.height
    inner = [(value, words) for value, words in ticks_between(low, high, 4) if room < (value - low) / (high - low) < 1 - room]
    for value, words in [(low, rounded(low)), *inner, (high, rounded(high))]:
        y = bar.bottom - bar.height * (value - low) / (high - low)
        drawing.add(Line(bar.right, y, bar.right + 0.8, y))
        drawing.add(Text(bar.right + 1.4, y, words, TEXT, "left"))
    return bar


def _names(drawing: Drawing, left: float, top: float, classes: Sequence[Class], values: Array, label: str) -> float:
    """Write the names of the classes after squares of their colours; return the lower end."""
    lines = [(one.name, _bytes([_colour_of(one, number)])[0]) for number, one in enumerate(classes)]
    if not np.isin(values, [one.value for one in classes]).all():
        lines.append(("no class", _bytes([NOTHING])[0]))
    if label:
        drawing.add(Text(left, top + TEXT / 2, label, TEXT, "left"))
        top += 1.6 * TEXT
    for words, colour in lines:
        red, green, blue = (int(part) for part in colour)
        drawing.add(Rectangle(Box(left, top, TEXT, TEXT), (red, green, blue)))
        drawing.add(Text(left + 1.5 * TEXT, top + TEXT / 2, words, TEXT, "left"))
        top += 1.5 * TEXT
    return top
