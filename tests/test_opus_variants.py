"""OPUS files made block by block: kinds of results and of numbers, several of one kind, series, and damaged ones."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from napari_spectrai import inspect, read
from napari_spectrai.io import SpectralWarning, UnreadableError

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
POINTS = 60
Y = np.sin(np.linspace(0, 9, POINTS)) + 2
X = np.linspace(4000, 400, POINTS)
RAMAN, ABSORBANCE, TRANSMITTANCE, INTERFEROGRAM = 10, 4, 5, 2


def parameters(**values) -> bytes:
    content = b""
    for name, value in values.items():
        if isinstance(value, str):
            stored = value.encode().ljust(4 * (len(value) // 4 + 1), b"\0")
            content += struct.pack("<3sx2h", name.encode(), 2, len(stored) // 2) + stored
        elif isinstance(value, float):
            content += struct.pack("<3sx2hd", name.encode(), 1, 4, value)
        else:
            content += struct.pack("<3sx2hi", name.encode(), 0, 2, value)
    return content + b"END\0\0\0\0\0"


def code(kind, *, source=3, parameters=0, derivative=0, form=0, part=3) -> int:
    return part | source << 2 | parameters << 4 | kind << 10 | derivative << 17 | form << 19


def result(
    kind=ABSORBANCE, values=Y, *, dtype=1, factor=1.0, stored=None, head=b"", unit="WN", ends=(4000.0, 400.0), points=POINTS, **said
):
    """A block of values and its status, as (type, bytes) each."""
    raw = np.round(values / factor) if dtype == 2 else values / factor
    body = head + np.asarray(raw, {1: "<f4", 2: "<i4"}.get(dtype, "<f4")).tobytes() if stored is None else stored
    status = {
        "DPF": dtype,
        "NPT": points,
        "FXV": ends[0],
        "LXV": ends[1],
        "CSF": factor,
        "MXY": float(values.max()),
        "MNY": float(values.min()),
    }
    return [(code(kind, **said), body), (code(kind, parameters=1, **said), parameters(**status, DXU=unit))]


def opus(path: Path, *blocks) -> Path:
    """Write blocks with their directory."""
    content = bytearray(b"\x0a\x0a\xfe\xfe" + struct.pack("<d3i", 920622.0, 24, 40, len(blocks) + 1) + bytes(40 * 12))
    lines = [(code(13, source=0, part=0), 3 * 40, 24)]
    for kind, body in blocks:
        padded = body + bytes(-len(body) % 4)
        lines.append((kind, len(padded) // 4, len(content)))
        content += padded
    for number, line in enumerate(lines):
        struct.pack_into("<3i", content, 24 + 12 * number, *line)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.0", "a.00", "a.001", "a.10", "A"])
@pytest.mark.parametrize(("dtype", "factor"), [(1, 1.0), (1, 0.25), (2, 1e-6), (2, 0.5e-3)])
def test_numbers_of_every_type_in_their_scale(dtype, factor, name, tmp_path):
    cube = read(opus(tmp_path / name, *result(dtype=dtype, factor=factor)))
    np.testing.assert_allclose(np.asarray(cube.data)[0], Y, atol=factor if dtype == 2 else 1e-6)
    np.testing.assert_allclose(cube.axis.values, X)
    assert cube.axis.unit == "1/cm"


def test_a_type_of_numbers_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(UnreadableError, match="'a' have the type 3; those known are 1"):
        read(opus(tmp_path / "a.0", *result(dtype=3)))


@quiet
def test_results_of_several_kinds_and_their_names(tmp_path):
    path = opus(
        tmp_path / "a.0", *result(values=Y), *result(values=Y * 2, derivative=1), *result(TRANSMITTANCE, Y * 3), *result(RAMAN, Y * 4),
        *result(1, Y * 5, source=1), *result(INTERFEROGRAM, Y * 6, source=1, unit="PNT"), *result(ABSORBANCE + 32, Y * 7),
    )  # fmt: skip
    expected = {"a": 1, "a_d1": 2, "t": 3, "ra": 4, "sm": 5, "igsm": 6, "a_2ch": 7}
    assert inspect(path) == dict.fromkeys(inspect(path), (POINTS,))
    assert set(inspect(path)) == set(expected)
    for name, factor in expected.items():
        np.testing.assert_allclose(read(path, dataset=name).data[0], Y * factor, rtol=1e-6)
    np.testing.assert_allclose(read(path).data[0], Y, rtol=1e-6)
    with pytest.warns(SpectralWarning, match=r"several results \(a, a_2ch, a_d1, t, ra\); 'a' is read"):
        read(path)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (2, 0, 3, 1), (1, 0, 3, 2), (1, 3, 2, 0)])
def test_two_results_of_one_kind_keep_their_own_positions(order, tmp_path):
    """Wherever their blocks lie: extremes say which status belongs to which values."""
    blocks = [*result(values=Y), *result(values=Y * 2 + 1, ends=(2000.0, 1000.0))]
    path = opus(tmp_path / "a.0", *(blocks[number] for number in order))
    found = {float(cube.axis.values[0]): cube for cube in (read(path, dataset=name) for name in ("a", "a_2"))}
    np.testing.assert_allclose(found[4000.0].data[0], Y, rtol=1e-6)
    np.testing.assert_allclose(found[2000.0].data[0], Y * 2 + 1, rtol=1e-6)


def test_values_behind_a_head_and_before_padding(tmp_path):
    cube = read(opus(tmp_path / "a.0", *result(head=b"\1" * 48, form=4)))
    np.testing.assert_allclose(cube.data[0], Y, rtol=1e-6)
    longer = np.concatenate([Y, np.full(4, 99.0)])
    cube = read(opus(tmp_path / "b.0", *result(values=longer, points=POINTS)))
    np.testing.assert_allclose(cube.data[0], Y, rtol=1e-6)


def series(spectra, *, count=None, info=152, dtype="<f4", factors=None) -> bytes:
    content = struct.pack("<6i2i", 0, len(spectra) if count is None else count, 32, 4 * POINTS, info, 1, 0, len(spectra) - 1)
    for number, values in enumerate(spectra):
        said = struct.pack("<8i4d2i7d2i2d", *[0] * 18, (factors or [1.0] * 9)[number], 0, 0, 0, 0, number, number + 0.5)
        content += np.asarray(values, dtype).tobytes() + said[:info].ljust(info, b"\0")
    return content


@pytest.mark.parametrize("info", [152, 200, 112, 0])
@pytest.mark.parametrize(("dtype", "kind"), [(1, "<f4"), (2, "<i4")])
def test_series_with_and_without_what_describes_them(info, dtype, kind, tmp_path):
    spectra = np.arange(3 * POINTS).reshape(3, POINTS)
    stored = series(spectra, dtype=kind, info=info, count=5)  # of which not all were stored
    cube = read(opus(tmp_path / "a.0", *result(values=spectra, stored=stored, dtype=dtype, form=2)))
    np.testing.assert_array_equal(np.asarray(cube.data), spectra)
    assert ("coordinates" in cube.metadata) == (info >= 152)
    assert inspect(tmp_path / "a.0") == {"a": (3, POINTS)}


BACKWARDS = b"DXU\0" + struct.pack("<2h", 2, -4)


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        ([result()[0], (result()[1][0], BACKWARDS + bytes(40))], "it holds no spectrum|lacks the parameter"),
        (result(points=-5), "claims -5 points"),
        (result(points=2**31 - 1), "it holds no spectrum"),
        (result(ends=(float("nan"), 400.0)), "is nan"),
        (result(stored=b"", form=2), "it holds no spectrum|has no head"),
        (result(stored=series([Y], count=-1), form=2), "claims -1 spectra"),
        (result(stored=struct.pack("<6i", 0, 2**31 - 1, 2**30, 4 * POINTS, 0, 0), form=2), "spectral axis|no spectra|holds|claims"),
        ([], "it holds no spectrum"),
    ],
)
def test_damaged_blocks_are_errors(blocks, words, tmp_path):
    with pytest.raises(UnreadableError, match=words):
        read(opus(tmp_path / "a.0", *blocks))


@pytest.mark.parametrize("length", [4, 12, 23, 60, 540, 700])
def test_files_that_end_early(length, tmp_path):
    path = opus(tmp_path / "a.0", *result())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(UnreadableError, match="truncated|no spectrum"):
        read(path)
