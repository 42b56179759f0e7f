"""Columns of coordinates by pairs of titles, in spectra per line and in values per line."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io.labels import read_labels

POSITIONS = np.round(np.linspace(400, 720, 33), 2)
SPECTRA = np.round(np.random.default_rng(0).normal(100, 20, (12, 33)), 2)
PAIRS = [  # x, y
    ("X index", "Y index"), ("ix", "iy"), ("x_idx", "y_idx"), ("nx", "ny"), ("x0", "y0"), ("Point X", "Point Y"), ("Xµm", "Yµm"),
    ("x", "y"),    ("posX", "posY"), ("X [mm]", "Y [mm]"), ("j", "i"), ("n", "m"), ("sample", "line"), ("East", "North"), ("col", "row"),
    ("Column", "Line"),
]  # fmt: skip


@pytest.mark.parametrize("flip", [False, True], ids=["x first", "y first"])
@pytest.mark.parametrize("pair", PAIRS, ids=[one for one, _ in PAIRS])
def test_spectra_per_line_with_two_coordinates(pair, flip, tmp_path):
    path = tmp_path / "x.csv"
    order = np.random.default_rng(1).permutation(12)
    lines = [",".join([*(pair[::-1] if flip else pair), *(f"{value} nm" for value in POSITIONS)])]
    for number in order:
        place = [number % 3, number // 3]
        lines.append(",".join(map(str, [*(place[::-1] if flip else place), *SPECTRA[number]])))
    path.write_text("\n".join(lines), encoding="utf-8")
    cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA.reshape(4, 3, 33))
    np.testing.assert_allclose(cube.axis.values, POSITIONS)


@pytest.mark.parametrize("band_by_band", [False, True])
@pytest.mark.parametrize("pair", PAIRS, ids=[one for one, _ in PAIRS])
def test_values_per_line_with_two_coordinates(pair, band_by_band, tmp_path):
    path = tmp_path / "x.csv"
    places = [(number, band) for number in range(12) for band in range(33)]
    places.sort(key=lambda place: place[1] if band_by_band else place[0])
    lines = [f"{pair[0]},{pair[1]},Wavelength (nm),Intensity"]
    lines += [f"{number % 3},{number // 3},{POSITIONS[band]},{SPECTRA[number, band]}" for number, band in places]
    path.write_text("\n".join(lines), encoding="utf-8")
    np.testing.assert_allclose(read(path).data, SPECTRA.reshape(4, 3, 33))


def test_alternating_positions_and_intensities_are_no_coordinates(tmp_path):
    path = tmp_path / "x.csv"
    lines = ["X1 (nm),Y1,X2 (nm),Y2"] + [f"{w},{a},{w},{b}" for w, a, b in zip(POSITIONS, *SPECTRA[:2], strict=True)]
    path.write_text("\n".join(lines))
    cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA[:2])
    np.testing.assert_allclose(cube.axis.values, POSITIONS)


@pytest.mark.parametrize("pair", [*PAIRS, ("X (µm)", "Y (µm)"), ("map_x", "map_y"), ("lon", "lat")], ids=lambda pair: pair[0])
def test_classes_lie_where_the_spectra_of_their_lines_do(pair, tmp_path):
    order = np.random.default_rng(2).permutation(12)
    lines = [",".join([*pair, "class", *(f"{value} nm" for value in POSITIONS)])]
    lines += [",".join(map(str, [number % 3 * 2, number // 3 * 2, "abc"[number % 5 % 3], *SPECTRA[number]])) for number in order]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    labels, cube = read_labels(path), read(path)
    np.testing.assert_allclose(cube.data, SPECTRA.reshape(4, 3, 33))
    np.testing.assert_array_equal(labels.data.ravel(), [number % 5 % 3 + 1 for number in range(12)])
    assert labels.shape == (4, 3)
