"""Maps of numbers as images on a page, with their colour scale."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_spectrai.reports.html import Markup, element
from napari_spectrai.reports.svg import rounded

_VIRIDIS = ("#440154", "#482475", "#414487", "#355f8d", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725")
_NOTHING = "#9aa0a8"
SIDE = 440
"""Length of the longer side of an image on the page, in pixels."""
PLANES = 12

Values = npt.NDArray[np.float32]


def limits(values: Values) -> tuple[float, float]:
    """Return the limits of a map's colour scale: from its lowest value, or 0 if that is near, to nearly its highest.

    A few extreme pixels do not determine the scale.
    """
    known: Values = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(np.percentile(known, 99.5))
    low = 0.0 if 0 <= low < 0.3 * high else low
    if high <= low:
        high = max(float(known.max()), low)
    return (low, high) if high > low else (low, low + (abs(low) or 1.0))


def heat_map(values: Values, title: str, words: str, unit: str) -> Markup:
    """Return an image of a map (..., y, x) with its scale; of a stack, some of its planes."""
    low, high = limits(values)
    planes = values.reshape(-1, *values.shape[-2:])
    chosen = planes[np.unique(np.linspace(0, len(planes) - 1, min(len(planes), PLANES)).astype(int))]
    tiled = _tiled(chosen)
    thinning = max(1, -(-max(tiled.shape) // (2 * SIDE)))
    tiled = tiled[::thinning, ::thinning]
    shares = (tiled - low) / (high - low)
    numbers = np.where(np.isfinite(tiled), np.clip(np.nan_to_num(shares), 0, 1) * 254, 255).astype(np.uint8)
    times = SIDE / max(tiled.shape)
    size = {"width": max(1, round(tiled.shape[1] * times)), "height": max(1, round(tiled.shape[0] * times))}
    image = element("img", src=_png(numbers, [*scale(255), _rgb(_NOTHING)]), alt=f"{title}: {words}", **size)
    bar = element("span", class_="swatch", style=f"width:180px;background:linear-gradient(to right, {', '.join(_VIRIDIS)})")
    more = " and more" if float(np.nanmax(values, initial=-math.inf)) > high else ""
    caption_scale = element("span", f"{rounded(low)} ", bar, f"{rounded(high)}{unit}{more}")
    which = f"; {len(chosen)} of {len(planes)} planes" if len(chosen) < len(planes) else ""
    caption = element("figcaption", element("strong", title), element("br"), f"{words}{which}", element("br"), caption_scale)
    return element("figure", image, caption)


def class_map(values: npt.NDArray[np.uint8], title: str, legend: Sequence[tuple[str, str]]) -> Markup:
    """Return an image of a map of small integers (..., y, x), with the label and colour of each."""
    planes = values.reshape(-1, *values.shape[-2:])[:PLANES]
    tiled = _tiled(planes)
    thinning = max(1, -(-max(tiled.shape) // (2 * SIDE)))
    tiled = tiled[::thinning, ::thinning]
    times = SIDE / max(tiled.shape)
    colours = [_rgb(colour) for _, colour in legend]
    size = {"width": max(1, round(tiled.shape[1] * times)), "height": max(1, round(tiled.shape[0] * times))}
    image = element("img", src=_png(np.nan_to_num(tiled).astype(np.uint8), colours), alt=title, **size)
    swatches = [element("span", element("span", class_="swatch", style=f"background:{colour}"), words) for words, colour in legend]
    return element(
        "figure", image, element("figcaption", element("strong", title), element("br"), element("span", *swatches, class_="legend"))
    )


def _tiled(planes: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    """Arrange planes (n, y, x) in rows of four."""
    columns = min(4, len(planes))
    lines = -(-len(planes) // columns)
    height, width = planes.shape[1:]
    gap = 0 if len(planes) == 1 else 1
    sheet = np.full((lines * (height + gap) - gap, columns * (width + gap) - gap), np.nan, np.float32)
    for number, plane in enumerate(planes):
        y, x = (number // columns) * (height + gap), (number % columns) * (width + gap)
        sheet[y : y + height, x : x + width] = plane
    return sheet


def _rgb(code: str) -> tuple[int, int, int]:
    red, green, blue = (int(code[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue


def scale(count: int) -> list[tuple[int, int, int]]:
    """Return colours from the lowest to the highest value (viridis)."""
    known = np.array([_rgb(code) for code in _VIRIDIS])
    at = np.linspace(0, len(known) - 1, count)
    columns = [np.interp(at, np.arange(len(known)), known[:, part]) for part in range(3)]
    return [(int(r), int(g), int(b)) for r, g, b in np.round(np.stack(columns, 1))]


def _png(numbers: npt.NDArray[np.uint8], colours: Sequence[tuple[int, int, int]]) -> str:
    picture = Image.fromarray(np.ascontiguousarray(numbers))
    flat = [part for colour in colours for part in colour]
    picture.putpalette(flat + [0] * (768 - len(flat)))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
