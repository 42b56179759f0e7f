"""Ripple: raw values in any order, type and byte order, with their axis; what a header leaves open or claims wrongly is said."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import inspect, read
from napari_spectrai.io import SpectralWarning, UnreadableError

CUBE = np.arange(3 * 4 * 10).reshape(3, 4, 10)
USUAL = {"width": 4, "height": 3, "depth": 10, "offset": 0, "data-length": 2, "data-type": "signed", "byte-order": "little-endian",
         "record-by": "vector"}  # fmt: skip


def ripple(folder, fields=None, *, mark="\t", dtype="<i2", data=CUBE, title="key\tvalue"):
    (folder / "a.raw").write_bytes(b"\0" * int((fields or {}).get("offset", 0)) + data.astype(dtype).tobytes())
    lines = [title, *(f"{key}{mark}{value}" for key, value in (USUAL | (fields or {})).items() if value is not None)]
    (folder / "a.rpl").write_text("\n".join(lines) + "\n")
    return folder / "a.rpl"


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, {}),
        ({"offset": 64}, {"mark": "   "}),
        ({"record-by": "image"}, {"data": np.moveaxis(CUBE, -1, 0)}),
        ({"byte-order": "big-endian", "data-length": 4, "data-type": "unsigned"}, {"dtype": ">u4"}),
        ({"data-length": 8, "data-type": "float"}, {"dtype": "<f8", "title": "key,value", "mark": ","}),
        ({"data-length": 1, "data-type": "unsigned", "byte-order": "dont-care"}, {"dtype": "u1"}),
        ({"byte-order": "BIG-ENDIAN", "WIDTH": 4}, {"dtype": ">i2"}),
    ],
)
def test_values_of_ripple_in_every_order(fields, options, tmp_path):
    path = ripple(tmp_path, fields, **options)
    assert inspect(path) == {"data": (3, 4, 10)}
    for one in (path, path.with_suffix(".raw")):
        np.testing.assert_array_equal(np.asarray(read(one).data), CUBE)


@pytest.mark.parametrize(
    ("fields", "values", "unit"),
    [
        ({"depth-origin": 410, "depth-scale": 2.5, "depth-units": "nm", "depth-name": "Wavelength"}, 410 + 2.5 * np.arange(10), "nm"),
        ({"depth-origin": -0.4, "depth-scale": 0.005, "depth-units": "keV"}, -400 + 5 * np.arange(10), "eV"),
        ({"ev-per-chan": 10}, 10 * np.arange(10), "eV"),
        ({}, np.arange(10), ""),
    ],
)
def test_the_depth_of_ripple_holds_the_positions(fields, values, unit, tmp_path):
    sides = {"width-scale": 0.5, "height-scale": 0.25, "width-units": "µm", "height-units": "µm"}
    cube = read(ripple(tmp_path, fields | sides))
    np.testing.assert_allclose(cube.axis.values, values)
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == (unit, (0.25, 0.5), "um")


def test_an_order_that_ripple_leaves_open_is_mentioned(tmp_path):
    with pytest.warns(SpectralWarning, match="spectra are taken. If that is wrong choose another with spectral="):
        read(ripple(tmp_path, {"record-by": "dont-care"}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"depth": 11}, "truncated"), ({"depth": 0}, "whole number"), ({"width": "x"}, "whole number"),
        ({"data-type": "complex"}, "complex"),

        ({"data-length": 3}, "data-length of 3"), ({"record-by": "pixel"}, "record-by"), ({"height": None}, "height"),
        ({"width": 10**14}, "TiB"),
    ],
)  # fmt: skip
def test_a_header_of_ripple_that_is_wrong_is_refused(fields, words, tmp_path):
    with pytest.raises(UnreadableError, match=words):
        read(ripple(tmp_path, fields))


def test_a_part_of_a_pair_that_is_missing_is_named(tmp_path):
    path = ripple(tmp_path)
    path.with_suffix(".raw").unlink()
    with pytest.raises(UnreadableError, match=r"a\.raw, is missing"):
        read(path)
