"""Images, rectangles, lines and text in millimetres, drawn as pixels or as SVG."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from napari_spectrai.files import replacing
from napari_spectrai.reports.html import Markup, element

INCH = 25.4
FONTS = ("DejaVuSans.ttf", "Arial.ttf", "arial.ttf", "Helvetica.ttc", "LiberationSans-Regular.ttf")
"""Fonts that contain µ, × and superscripts; Pillow's own, which is used where none of them is installed, does not."""
PLAIN = str.maketrans({"µ": "u", "−": "-", "×": "x", "·": ".", "–": "-", "⁻": "-", **dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789", strict=True))})
SUFFIXES = (".png", ".tif", ".tiff", ".svg")

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle, in millimetres from the upper left corner."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.top + self.height

    def pixels(self, dpi: float) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom in pixels; a box has at least one pixel on each side."""
        left, top, right, bottom = (round(value * dpi / INCH) for value in (self.left, self.top, self.right, self.bottom))
        return left, top, max(right, left + 1), max(bottom, top + 1)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A filled rectangle."""

    box: Box
    colour: RGB


@dataclass(frozen=True, slots=True)
class Line:
    """A thin black line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True, slots=True)
class Text:
    """Text, centred vertically at `y`."""

    x: float
    y: float
    words: str
    height: float
    anchor: Literal["left", "middle"]


@dataclass(slots=True, eq=False)
class Drawing:
    """What is drawn on a white page, in millimetres."""

    width: float
    height: float = 0.0
    images: list[tuple[Box, npt.NDArray[Any]]] = field(default_factory=list)
    marks: list[Rectangle | Line | Text] = field(default_factory=list)

    def image(self, box: Box, pixels: npt.NDArray[Any]) -> None:
        """Draw pixels (y, x, 3) in a box, without smoothing."""
        self.images.append((box, pixels))

    def add(self, mark: Rectangle | Line | Text) -> None:
        """Draw a mark above everything else."""
        self.marks.append(mark)

    def raster(self, dpi: int) -> Image.Image:
        """Return the drawing as pixels."""
        page = Image.new("RGB", (round(self.width * dpi / INCH), round(self.height * dpi / INCH)), "white")
        for box, pixels in self.images:
            left, top, right, bottom = box.pixels(dpi)
            picture = Image.fromarray(np.ascontiguousarray(pixels))
            page.paste(picture.resize((right - left, bottom - top), Image.Resampling.NEAREST), (left, top))
        pen = ImageDraw.Draw(page)
        for mark in self.marks:
            if isinstance(mark, Rectangle):
                left, top, right, bottom = mark.box.pixels(dpi)
                pen.rectangle((left, top, right - 1, bottom - 1), fill=mark.colour)
            elif isinstance(mark, Line):
                ends = [value * dpi / INCH for value in (mark.x1, mark.y1, mark.x2, mark.y2)]
                pen.line(ends, fill=(0, 0, 0), width=max(1, round(0.2 * dpi / INCH)))
            else:
                font, has_signs = _font(max(6, round(mark.height * dpi / INCH)))
                words = mark.words if has_signs else mark.words.translate(PLAIN)
                pen.text((mark.x * dpi / INCH, mark.y * dpi / INCH), words, (0, 0, 0), font, anchor="lm" if mark.anchor == "left" else "mm")
        return page

    def svg(self) -> str:
        """Return the drawing as SVG with text as text, and images in their own pixels."""
        drawn = [element("rect", x="0", y="0", width=_n(self.width), height=_n(self.height), fill="white")]
        for box, pixels in self.images:
            drawn.append(
                element(
                    "image", x=_n(box.left), y=_n(box.top), width=_n(box.width), height=_n(box.height), href=embedded(pixels),
                    preserveAspectRatio="none", style="image-rendering:pixelated",
                )
            )  # fmt: skip
        drawn += [_mark(mark) for mark in self.marks]
        return str(
            element(
                "svg", *drawn, xmlns="http://www.w3.org/2000/svg", width=f"{_n(self.width)}mm", height=f"{_n(self.height)}mm",
                viewBox=f"0 0 {_n(self.width)} {_n(self.height)}", font_family="Arial, Helvetica, sans-serif",
            )
        )  # fmt: skip


def _mark(mark: Rectangle | Line | Text) -> Markup:
    if isinstance(mark, Rectangle):
        box = mark.box
        red, green, blue = mark.colour
        return element(
            "rect", x=_n(box.left), y=_n(box.top), width=_n(box.width), height=_n(box.height), fill=f"#{red:02x}{green:02x}{blue:02x}"
        )
    if isinstance(mark, Line):
        return element("line", x1=_n(mark.x1), y1=_n(mark.y1), x2=_n(mark.x2), y2=_n(mark.y2), stroke="black", stroke_width="0.2")
    anchor = "start" if mark.anchor == "left" else "middle"
    return element(
        "text", mark.words, x=_n(mark.x), y=_n(mark.y), font_size=_n(mark.height), text_anchor=anchor, dominant_baseline="central"
    )


def _n(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=8)
def _font(size: int) -> tuple[Any, bool]:
    """Return a font of some height in pixels, and whether it contains signs such as µ."""
    for name in FONTS:
        try:
            return ImageFont.truetype(name, size), True
        except OSError:  # it is not installed
            continue
    return ImageFont.load_default(size), False


def embedded(pixels: npt.NDArray[Any]) -> str:
    """Return an image as the address of an SVG image."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def written(drawing: Drawing, path: Path, dpi: int) -> Path:
    """Write a drawing as PNG, TIFF or SVG by the suffix of `path`, atomically.

    Raises
    ------
    ValueError
        If the suffix is another one.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(f"a figure is written as {', '.join(SUFFIXES)}, not {path.suffix or 'without a suffix'!r}: {path}")
    with replacing(path) as temporary:
        if suffix == ".svg":
            temporary.write_text(drawing.svg(), encoding="utf-8")
        else:
            more: dict[str, Any] = {"compression": "tiff_lzw"} if suffix != ".png" else {}
            drawing.raster(dpi).save(temporary, "PNG" if suffix == ".png" else "TIFF", dpi=(dpi, dpi), **more)
    return path
