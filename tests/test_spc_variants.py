"""SPC: depths and planes of several spectra, titles against numbers of units, numbers in either form, counts that are damaged."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning, UnreadableError

X, Y = np.linspace(4000, 400, 121), np.sin(np.linspace(0, 12, 121)) * 100 + 120


def spc(
    path, spectra=(Y,), *, order="<", flags=4, exponent=-128, kind=1, z_kind=0, w_kind=0, z=None, w=None, step=0.0, planes=0, w_step=0.0,
    next_z=None, titles=b"", count=None, points=121, log=b"",
):  # fmt: skip
    """Write a file in the published layout of the new version."""
    head = bytearray(512)
    head[0], head[1] = flags, 0x4B if order == "<" else 0x4C
    struct.pack_into("b", head, 3, exponent)
    struct.pack_into(f"{order}iddiBBB", head, 4, points, 4000.0, 400.0, len(spectra) if count is None else count, kind, 2, z_kind)
    head[218 : 218 + len(titles)] = titles
    struct.pack_into(f"{order}fifB", head, 312, step, planes, w_step, w_kind)
    content = bytes(head)
    for number, values in enumerate(spectra):
        here, plane = (0.0 if z is None else z[number]), (0.0 if w is None else w[number])
        content += struct.pack(f"{order}bbhfffiif4x", 0, exponent, number, here, here if next_z is None else next_z, 0, 0, 0, plane)
        whole = flags & 1 and exponent != -128
        content += (np.round(values * 2.0 ** (16 - exponent)).astype(f"{order}i2") if whole else values.astype(f"{order}f4")).tobytes()
    if log:
        struct_log = struct.pack(f"{order}5i44x", 64 + len(log), 4096, 64, 0, 0) + log
        content = content[:248] + struct.pack(f"{order}i", len(content)) + content[252:] + struct_log
    path.write_bytes(content)
    return path


SIX = [Y + number for number in range(6)]
both = pytest.mark.parametrize("order", ["<", ">"])


TIMES = [(4, "s"), (5, "min"), (11, "days"), (12, "years"), (30, "h"), (23, "ms")]


@both
@pytest.mark.parametrize(("kind", "unit", "name"), [*((*one, "time") for one in TIMES), (2, "um", "z"), (29, "mm", "z"), (0, "", "z")])
def test_depths_and_times_of_any_unit(kind, unit, name, order, tmp_path):
    cube = read(spc(tmp_path / "a.spc", SIX[:3], order=order, flags=4 | 16, z=[0.0, 1.5, 4.0], z_kind=kind))
    assert cube.metadata["coordinates"] == {name: {"values": [0.0, 1.5, 4.0], "unit": unit}}


@both
@pytest.mark.parametrize("said", [{"step": 2.0}, {"next_z": 3.0}])
def test_even_steps_are_those_of_the_header_or_of_the_first_spectrum(said, order, tmp_path):
    cube = read(spc(tmp_path / "a.spc", SIX[:4], order=order, z=[1.0] * 4, z_kind=4, **said))
    assert cube.metadata["coordinates"]["time"]["values"] == [1.0, 3.0, 5.0, 7.0]
    two = read(spc(tmp_path / "c.spc", SIX[:2], order=order, z=[1.0, 0.0], z_kind=4, **said))  # only the first has its own
    assert two.metadata["coordinates"]["time"]["values"] == [1.0, 3.0]
    ordered = read(spc(tmp_path / "b.spc", SIX[:3], order=order, flags=4 | 8, z=[3.0, 1.0, 2.0], z_kind=4, **said))
    assert ordered.metadata["coordinates"]["time"]["values"] == [3.0, 1.0, 2.0]


@both
@pytest.mark.parametrize("said", [{"w": [0] * 3 + [5] * 3}, {"w_step": 5.0}])
@pytest.mark.parametrize("depths", [{"z": [0, 2, 4, 0, 2, 4]}, {"step": 2.0}])
def test_planes_are_rows_of_an_image(said, depths, order, tmp_path):
    path = spc(tmp_path / "a.spc", SIX, order=order, planes=2, z_kind=2, w_kind=2, **said, **depths)
    cube = read(path)
    assert cube.metadata["coordinates"]["y"] == {"values": [0.0] * 3 + [5.0] * 3, "unit": "um"}
    assert cube.metadata["coordinates"]["x"] == {"values": [0.0, 2.0, 4.0] * 2, "unit": "um"}
    assert (cube.metadata["stage_y"], cube.metadata["stage_unit"]) == ([0.0] * 3 + [5.0] * 3, "um")
    np.testing.assert_allclose(np.asarray(read(path, shape=(2, 3)).data), np.reshape(SIX, (2, 3, -1)), rtol=1e-6)
    series = read(spc(tmp_path / "b.spc", SIX, order=order, planes=2, z_kind=4, w_kind=20, **said, **depths))
    assert series.metadata["coordinates"]["time"] == {"values": [0.0, 2.0, 4.0] * 2, "unit": "s"}


@pytest.mark.parametrize(
    ("kind", "titles", "unit"),
    [(1, b"Wavelength (nm)\0I\0", "nm"), (0, b"Raman Shift (cm-1)\0I\0", "1/cm"), (3, b"Position\0I\0", "nm"), (13, b"\0I\0", "1/cm")],
)
def test_titles_of_the_file_come_before_numbers_of_units(kind, titles, unit, tmp_path):
    assert read(spc(tmp_path / "a.spc", kind=kind, flags=4 | 32, titles=titles)).axis.unit == unit


@both
def test_floats_are_floats_whatever_the_precision_of_whole_numbers(order, tmp_path):
    np.testing.assert_allclose(read(spc(tmp_path / "a.spc", order=order, flags=1)).data[0], Y, rtol=1e-6)
    np.testing.assert_allclose(read(spc(tmp_path / "b.spc", order=order, flags=1, exponent=9)).data[0], Y, atol=0.01)


def test_the_laser_line_of_one_spectrum_is_kept(tmp_path):
    assert read(spc(tmp_path / "a.spc", log=b"Laser = 532.0 nm\r\n\0")).metadata["laser_nm"] == 532.0


@pytest.mark.parametrize("damage", [{"count": -3}, {"count": 2**31 - 1}, {"points": -1}, {"points": 2**31 - 1}])
def test_counts_that_are_damaged(damage, tmp_path):
    with pytest.raises(UnreadableError, match="its header claims .*; it is damaged"):
        read(spc(tmp_path / "a.spc", **damage))


@pytest.mark.parametrize("exponent", [128, -128])
def test_floats_of_the_old_version(exponent, tmp_path):
    head = bytearray(224)
    struct.pack_into("<BBhfffB", head, 0, 0, 0x4D, exponent, 121, 4000.0, 400.0, 1)
    (tmp_path / "a.spc").write_bytes(bytes(head) + bytes(32) + Y.astype("<f4").tobytes())
    np.testing.assert_allclose(read(tmp_path / "a.spc").data[0], Y, rtol=1e-6)


def test_a_frequency_of_light_and_a_quantity_without_a_unit(tmp_path):
    cube = read(spc(tmp_path / "a.spc", kind=26))
    np.testing.assert_allclose(cube.axis.values, X / 29.9792458)
    assert cube.axis.unit == "1/cm"
    with pytest.warns(SpectralWarning, match="it gives Wavelength 4000–400 without a unit; nm is assumed"):
        assert read(spc(tmp_path / "b.spc", kind=0, flags=4 | 32, titles=b"Wavelength\0I\0")).axis.unit == "nm"
