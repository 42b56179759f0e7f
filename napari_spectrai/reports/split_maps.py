"""The split as images: the pixels or spectra for training, validation and test."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from napari_spectrai.plan import subsets
from napari_spectrai.reports.html import Markup, element, folded, joined, table

PARTS = subsets.PARTS | {0: "unused"}
"""Parts in the order of the legend."""
COLOURS = subsets.COLOURS | {0: "#b9bdc4"}
LARGE, SMALL = 240, 120
"""Minimum length of an image's longer side, in pixels, for few maps and for many; images more than twice as large are subsampled."""
PLANES = 12
SHOWN = 12
"""Number of images shown at once; the rest is folded."""

Map = npt.NDArray[np.uint8]


def split_pictures(maps: Sequence[Map], names: Sequence[str]) -> Markup:
    """Return images of the maps (z, y, x) with the counts of each part; maps that belong to one part entirely are listed."""
    totals = _counts(maps)
    together = sum(totals.values()) or 1
    legend = joined(
        element("span", _swatch(part), f"{name}: {totals[part]:,} ({100 * totals[part] / together:.1f} %)")
        for part, name in PARTS.items()
        if totals[part] or part
    )
    named = [(names[n] if n < len(names) else f"image {n + 1}", one) for n, one in enumerate(maps)]
    listed: list[tuple[str, Map]] = []
    pictured: list[tuple[str, Map]] = []
    for name, one in named:
        (listed if len(maps) > 1 and one.size and (one == one.flat[0]).all() else pictured).append((name, one))
    size = LARGE if len(pictured) < 5 else SMALL
    drawn = [_picture(name, one, size) for name, one in pictured]
    shown = element("div", *drawn[:SHOWN], class_="maps") if drawn else Markup()
    rest = folded(f"{len(drawn) - SHOWN} more", element("div", *drawn[SHOWN:], class_="maps")) if len(drawn) > SHOWN else Markup()
    return joined([element("p", legend, class_="legend"), _listed(listed), shown, rest])


def _counts(maps: Sequence[Map]) -> dict[int, int]:
    counts = np.sum([np.bincount(one.ravel(), minlength=4)[:4] for one in maps], axis=0)
    return {part: int(counts[part]) for part in PARTS}


def _swatch(part: int) -> Markup:
    return element("span", class_="swatch", style=f"background:{COLOURS[part]}")


def _listed(whole: Sequence[tuple[str, Map]]) -> Markup:
    """Return which images belong entirely to one part."""
    lines = []
    for part, title in PARTS.items():
        names = [name for name, one in whole if one.flat[0] == part]
        if names:
            files = element("ul", *(element("li", name) for name in names))
            many = f"{len(names)} images, the first {names[0]}"
            lines.append((joined([_swatch(part), title]), element("td", folded(many, files) if len(names) > 6 else files)))
    return table(("part", "whole images"), lines, class_="rows") if lines else Markup()


def _picture(name: str, one: Map, size: int) -> Markup:
    planes, height, width = one.shape
    counts = _counts([one])
    words = ", ".join(f"{title} {counts[part]:,}" for part, title in PARTS.items() if counts[part])
    if width == 1 and planes == 1:  # a set of spectra: a strip from the first to the last
        strip = one[0].T[:, :: -(-height // 1000)]
        source, across, down = _png(strip), 860, 26
        words = f"spectra 1 to {height:,} from left to right: {words}"
    else:
        chosen = np.unique(np.linspace(0, planes - 1, min(planes, PLANES)).astype(int))
        thinning = -(-max(height, width) // (2 * size if len(chosen) == 1 else size))
        plane = [one[number, ::thinning, ::thinning] for number in chosen]
        columns = min(len(plane), 4)
        tiled = plane[0] if len(plane) == 1 else _tiled(plane, columns)
        times = max(1, -(-size // max(tiled.shape)))
        source, down, across = _png(tiled), times * tiled.shape[0], times * tiled.shape[1]
        if planes > 1:
            words = f"{len(chosen)} of {planes} planes: {words}" if len(chosen) < planes else f"{planes} planes: {words}"
    image = element("img", src=source, width=across, height=down, alt=f"split of {name}")
    caption = element("figcaption", element("strong", name), element("br"), words, style=f"max-width:{max(across, 180)}px")
    return element("figure", image, caption)


def _tiled(planes: Sequence[Map], columns: int) -> Map:
    lines = []
    for start in range(0, len(planes), columns):
        line = list(planes[start : start + columns])
        line += [np.zeros_like(planes[0])] * (columns - len(line))
        lines.append(np.concatenate([np.pad(plane, ((0, 1), (0, 1)), constant_values=4) for plane in line], 1))
    return np.concatenate(lines)[:-1, :-1]


def _png(numbers: Map) -> str:
    picture = Image.fromarray(np.ascontiguousarray(numbers))
    colours = [int(COLOURS[part][at : at + 2], 16) for part in range(4) for at in (1, 3, 5)] + [255, 255, 255]
    picture.putpalette(colours + [0] * (768 - len(colours)))
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
