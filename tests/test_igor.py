"""Waves of Igor Pro, binary (technical note 3 of WaveMetrics) and as text, with the scales and units of their dimensions."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from napari_spectrai import inspect, read
from napari_spectrai.io import SpectralWarning, UnreadableError

CUBE = np.random.default_rng(0).integers(0, 99, (5, 7, 11))
XYL = CUBE.transpose(1, 0, 2)  # as Igor has it: rows are x
KINDS = {"f4": 0x02, "f8": 0x04, "i1": 0x08, "i2": 0x10, "i4": 0x20, "u1": 0x48, "u2": 0x50, "u4": 0x60}
MAP = (("µm", 1.0, 0.25), ("µm", 2.0, 0.5), ("nm", 400.0, 10.0))


def fifth(array, scales, *, kind="f4", order="<", code=None) -> bytes:
    """A binary wave of version 5; units of more than three bytes stand behind the values."""
    units = [unit.encode() for unit, *_ in scales] + [b""] * (4 - array.ndim)
    firsts, steps = ([one[place] for one in scales] + [place - 1.0] * (4 - array.ndim) for place in (1, 2))
    long = [unit if len(unit) > 3 else b"" for unit in units]
    short = [b"" if len(unit) > 3 else unit for unit in units]
    values = array.astype(order + kind).tobytes(order="F")
    head = struct.pack(f"{order}hhiiii4i4iiii", 5, 0, 320 + len(values), 0, 4, 0, *map(len, long), *([0] * 7))
    wave = struct.pack(
        f"{order}16xhh6xh32s8x4i", KINDS[kind] if code is None else code, 0, 1, b"map", *array.shape, *[0] * (4 - array.ndim)
    )
    wave += struct.pack(f"{order}8d4x4s4s4s4s", *steps, *firsts, *short)
    return head + wave.ljust(320, b"\0") + values + b"note" + b"".join(long)


def text(array, scales: str) -> str:
    layers = ["\n".join("\t" + "\t".join(map(str, row)) for row in layer) for layer in np.moveaxis(np.atleast_3d(array), -1, 0)]
    lengths = ", ".join(map(str, array.shape))
    return f"IGOR\nWAVES/D/N=({lengths})\t'a map'\nBEGIN\n" + "\n\n".join(layers) + f"\nEND\n{scales}\nX Note 'a map', \"x\"\n"


def right(cube, *, unit="nm", size=(0.5, 0.25)) -> None:
    np.testing.assert_array_equal(cube.numpy(), CUBE)
    np.testing.assert_allclose(cube.axis.values, 400 + 10 * np.arange(11))
    assert (cube.axis.unit, cube.pixel_size) == (unit, size)


def test_binary_waves(tmp_path):
    path = tmp_path / "a.ibw"
    for kind in KINDS:
        for order in "<>":
            path.write_bytes(fifth(XYL, MAP, kind=kind, order=order))
            right(read(path))
    assert inspect(path) == {"map": (7, 5, 11)}
    assert read(path).metadata["origin"] == [2.0, 1.0]
    path.write_bytes(fifth(XYL, (*MAP[:2], ("Raman shift (cm-1)", 400.0, 10.0))))
    right(read(path), unit="1/cm")
    path.write_bytes(fifth(np.moveaxis(XYL, -1, 0), (("eV", 400.0, 10.0), *MAP[:2])))
    right(read(path), unit="eV")
    path.write_bytes(fifth(CUBE[0], (("", 0.0, 1.0), ("nm", 400.0, 10.0))))
    np.testing.assert_array_equal(read(path).numpy(), CUBE[0])
    path.write_bytes(fifth(CUBE[0, 0], (("nm", 400.0, 10.0),)))
    assert (read(path).shape, read(path).axis.values[-1]) == ((1, 11), 500)
    path.write_bytes(fifth(XYL, (("", 0.0, 1.0),) * 3))
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands"):
        read(path)
    second = struct.pack("<h14x", 2) + struct.pack("<h4x20s8x4s4si2x2d", 4, b"one", b"", b"nm", 11, 10.0, 400.0).ljust(110, b"\0")
    path.write_bytes(second + CUBE[0, 0].astype("<f8").tobytes() + bytes(16))
    np.testing.assert_array_equal(read(path).numpy(), CUBE[0, :1])
    np.testing.assert_allclose(read(path).axis.values, 400 + 10 * np.arange(11))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (fifth(XYL, MAP, code=0x03), "holds complex numbers"), (fifth(XYL, MAP, code=0), "holds texts"),
        (fifth(XYL, MAP)[:500], "truncated"),        (fifth(XYL, MAP)[:300], "its header is cut off"),
        (b"\7\0" + bytes(500), "does not start with a version"),
    ],
)  # fmt: skip
def test_binary_waves_that_are_not_read(content, words, tmp_path):
    (tmp_path / "a.ibw").write_bytes(content)
    with pytest.raises(UnreadableError, match=words):
        read(tmp_path / "a.ibw")


def test_waves_of_several_dimensions_in_a_text(tmp_path):
    path = tmp_path / "a.itx"
    sides = "X SetScale/P x 1,0.25,\"um\", 'a map'; SetScale/P y 2,0.5,\"um\", 'a map'; "
    for z in ("SetScale/P z 400,10,\"nm\", 'a map'", "SetScale/I z 400,500,\"nm\",'a map'", "SetScale z, 400, 510, \"nm\", 'a map'"):
        path.write_text(text(XYL, sides + z.replace("z,", "z")))
        right(read(path))
    path.write_text(text(CUBE[0].T, "X SetScale/I x 400,500,\"nm\", 'a map'"))
    np.testing.assert_array_equal(read(path).numpy(), CUBE[0])
    for broken, words in (
        (text(XYL, sides).replace("END\n", ""), "has no END"),
        (text(XYL, sides).replace("\t3\t", "\t", 1), "has 384 values"),
    ):
        path.write_text(broken)
        with pytest.raises(UnreadableError, match=words):
            read(path)


@pytest.mark.parametrize("way", ["/I x 400,480", "/P x 400,2.5", " x 400,482.5"])
def test_the_scale_of_a_spectrum_in_a_text(way, tmp_path):
    (tmp_path / "a.itx").write_text(
        "IGOR\nWAVES/D w\nBEGIN\n" + "".join(f"\t{n % 7}\n" for n in range(33)) + f'END\nX SetScale{way},"nm", w\n'
    )
    np.testing.assert_allclose(read(tmp_path / "a.itx").axis.values, 400 + 2.5 * np.arange(33))
