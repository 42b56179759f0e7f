"""Exported plots read by their numbers: curves lie where their axes say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from qtpy.QtGui import QImage

from napari_spectrai.widgets.decade_axis import DecadeAxis, LowAxis, short_number
from napari_spectrai.widgets.plot import Plot
from napari_spectrai.widgets.plot_pictures import PRINTED

_NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _placed(group: ET.Element) -> np.ndarray:
    a, b, c, d, e, f = map(float, re.findall(_NUMBER, group.get("transform", "")))
    return np.array([[a, c, e], [b, d, f], [0, 0, 1]])


def _points(group: ET.Element, words: str) -> np.ndarray:
    pairs = np.array(re.findall(_NUMBER, words), float).reshape(-1, 2)
    return (_placed(group) @ np.column_stack([pairs, np.ones(len(pairs))]).T)[:2].T


def exported(path: Path, colour: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the points of the curve of a colour, and for x and y where the ticks lie and their numbers; in units of the picture."""
    curves, ticks, numbers = [], ([], []), ([], [])
    for group in ET.parse(path).iter():  # written by this test
        if _tag(group) != "g" or "matrix" not in group.get("transform", ""):
            continue
        below = float(group.get("transform").split(",")[4]) > 20  # the axis below the plot begins right of the other
        for part in group:
            if _tag(part) == "path" and group.get("stroke") == colour:
                curves.append(_points(group, part.get("d", "")))
            elif _tag(part) == "polyline" and group.get("stroke-opacity") == "1":
                (start, end), side = _points(group, part.get("points", ""))[[0, -1]], 0 if below else 1
                if start[side] == end[side] and abs(start - end).max() < 20:
                    ticks[side].append(start[side])
            elif _tag(part) == "text" and re.fullmatch(_NUMBER, (part.text or "").strip()):
                numbers[0 if below else 1].append(float(part.text))
    across, up = (sorted(found[: len(places)]) for found, places in zip(numbers, ticks, strict=True))  # those of long ticks come first
    pairs = [np.array([sorted(ticks[0]), across]), np.array([sorted(ticks[1], reverse=True), up])]
    return max(curves, key=len), pairs


@pytest.fixture
def plot(viewer, qtbot):
    made = Plot(viewer, x="Wavelength (nm)", y="Intensity", height=260)
    qtbot.addWidget(made.native)
    made.native.resize(620, 300)
    made.native.show()
    made.curve("curve", np.linspace(400, 700, 4), [0.0, 100, 50, 100], "#4aa3df", legend=False)
    qtbot.wait(50)
    return made


def test_curves_of_an_exported_drawing_read_as_their_data(plot, tmp_path):
    plot.save(str(tmp_path / "plot.svg"))
    curve, axes = exported(tmp_path / "plot.svg", "#4aa3df")
    read = [np.polyval(np.polyfit(*axis, 1), curve[:, side]) for side, axis in enumerate(axes)]
    np.testing.assert_allclose(read[0], [400, 500, 600, 700], atol=1)
    np.testing.assert_allclose(read[1], [0, 100, 50, 100], atol=1)


def test_a_saved_picture_is_large_enough_for_print_and_shows_no_tools(plot, tmp_path, qtbot):
    plot.save(str(tmp_path / "without.png"))
    plot.axis_tools.marker(550.0)
    plot.axis_tools.range(450.0, 500.0)
    qtbot.wait(50)
    plot.save(str(tmp_path / "with.png"))
    one, other = (QImage(str(tmp_path / f"{name}.png")) for name in ("without", "with"))
    assert one.width() == PRINTED * plot._plot.width()
    assert one == other
    assert plot.axis_tools.line.isVisible()
    assert plot.axis_tools.region.isVisible()


def test_numbers_of_vertical_axes_neither_overlap_nor_reach_the_title(qapp):
    for axis in (LowAxis("left"), DecadeAxis("left")):
        for high in (6, 0.0004, 123456.7):
            for size in (12, 30, 120, 400):
                (_, places), *_ = axis.tickValues(0, high, size)
                assert len(places) * 15 <= max(size, 15)
                assert all(len(text) <= 6 for text in axis.tickStrings(list(places), 1.0, high / 5))
    assert [short_number(value) for value in (0.0002, 310, 1.25e6, -4e-5, 0)] == ["2e-4", "310", "1.25e6", "-4e-5", "0"]
    logarithmic = DecadeAxis("left")
    logarithmic.setLogMode(True)
    assert logarithmic.tickStrings([-4, -3.699, -2, 0, 3], 1.0, 1.0) == ["1e-4", "2e-4", "0.01", "1", "1,000"]
