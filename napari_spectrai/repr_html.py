"""Small HTML summaries of objects, for notebooks: a table, and a curve as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

WIDTH, HEIGHT = 260, 60
POINTS = 400
"""Points of a curve, at most."""
SHOWN_VALUES = 2**22
"""Values that a mean spectrum is computed from, at most."""


def card(kind: str, name: str, rows: Iterable[tuple[str, Any]], picture: str = "") -> str:
    """Return a heading, rows of names and values, and a picture, as HTML; everything given as text is escaped."""
    lines = "".join(
        f'<tr><th style="text-align:left;font-weight:normal;opacity:.7">{escape(str(label))}</th>'
        f'<td style="text-align:left;overflow-wrap:anywhere">{escape(str(value))}</td></tr>'
        for label, value in rows
    )
    heading = f"<strong>{escape(kind)}</strong>{' ' + escape(name) if name else ''}"
    return f'<div style="overflow-wrap:anywhere">{heading}<table>{lines}</table>{picture}</div>'


def grid(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table with a heading as HTML; numbers are rounded to five digits."""
    head = "".join(f"<th>{escape(str(column))}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(_text(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div style="overflow-x:auto"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(cell: Any) -> str:
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)


def curve(x: npt.NDArray[np.floating[Any]], y: npt.NDArray[np.floating[Any]] | None) -> str:
    """Return a curve as inline SVG in the text's colour; nothing where fewer than two points are finite."""
    if y is None:
        return ""
    known = np.isfinite(y) & np.isfinite(x)
    x, y = x[known], y[known]
    if len(x) < 2:
        return ""
    order = np.argsort(x)[:: max(1, len(x) // POINTS)]
    across, up = _scaled(x[order], WIDTH), HEIGHT - _scaled(y[order], HEIGHT)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="mean spectrum">'
        f'<polyline points="{points}" fill="none" stroke="currentColor"/></svg>'
    )


def _scaled(values: npt.NDArray[np.floating[Any]], length: int) -> npt.NDArray[np.floating[Any]]:
    low, span = values.min(), np.ptp(values) or 1.0
    scaled: npt.NDArray[np.floating[Any]] = (values - low) / span * (length - 2) + 1
    return scaled


def mean_spectrum(data: Any) -> npt.NDArray[np.floating[Any]] | None:
    """Return the mean of evenly spread spectra (..., L), if they are in memory; values that are not finite are left out."""
    if not isinstance(data, np.ndarray):
        return None
    spectra = data.reshape(-1, data.shape[-1]) if data.flags.c_contiguous else data[(0,) * (data.ndim - 2)]
    some = np.asarray(spectra[:: max(1, spectra.size // SHOWN_VALUES)], np.float64)
    finite = np.isfinite(some)
    counts = finite.sum(0)
    return np.where(counts > 0, np.where(finite, some, 0).sum(0) / np.maximum(counts, 1), np.nan)
