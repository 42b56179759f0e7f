"""Variants of every kind of table that instruments write: other delimiters, decimal marks, encodings, line ends, languages and orders.

Each layout is written in several dialects; what is read must be the same in all.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest

from napari_spectrai import read

pytestmark = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE = np.linspace(400, 1800, 40).round(3)
S = np.random.default_rng(0).integers(0, 10000, (12, 40)) / 10
LINE, PLACES = range(12), [(x, y) for x in (-3.0, 0.0, 3.0, 6.0) for y in (1.0, 2.5, 4.0)]
MAP = S.reshape(4, 3, 40).transpose(1, 0, 2)  # y runs fastest
LABELS = ["collagen", "lipid", "dna"]
SHARP = {"form": "{:.8g}", "newline": "\n", "encoding": "utf-8", "decimal": ".", "quotes": False, "ends": "", "gaps": False}
DIALECTS: dict[str, dict[str, Any]] = {
    "tabs": {"mark": "\t"},
    "semicolons and commas, Windows": {"mark": ";", "decimal": ",", "encoding": "cp1252", "newline": "\r\n"},
    "commas": {"mark": ","},
    "UTF-16": {"mark": "\t", "encoding": "utf-16"},
    "UTF-16 without its mark": {"mark": "\t", "encoding": "utf-16-le"},
    "tabs and decimal commas": {"mark": "\t", "decimal": ","},
    "UTF-8 with its mark": {"mark": ",", "encoding": "utf-8-sig", "newline": "\r\n"},
    "a delimiter at the end": {"mark": ";", "ends": ";"},
    "a tab at the end": {"mark": "\t", "ends": "\t"},
    "exponents": {"mark": "\t", "form": "{:.6E}"},
    "exponents and decimal commas": {"mark": ";", "decimal": ",", "form": "{:.6E}"},
    "quotes": {"mark": ",", "quotes": True},
    "quotes and decimal commas": {"mark": ",", "decimal": ",", "quotes": True},
    "empty lines": {"mark": ",", "gaps": True},
    "blanks after commas": {"mark": ", "},
    "lines that end with carriage returns": {"mark": "\t", "newline": "\r"},
    "UTF-16, big-endian, decimal commas": {"mark": "; ", "decimal": ",", "encoding": "utf-16", "newline": "\r\n"},
    "bars": {"mark": "|"},
    "thousands set apart": {"mark": "\t", "form": "{:,.3f}"},
}
AT_A_TIME = 5


def written(rows, *, mark, form, newline, encoding, decimal, quotes, ends, gaps) -> bytes:
    """A table in one dialect; texts among the rows are lines as they are."""

    def cell(value) -> str:
        if not isinstance(value, str):
            value = form.format(value).replace(".", decimal if decimal == "," else ".")
        return f'"{value}"' if quotes and value else value

    lines = [row if isinstance(row, str) else mark.join(map(cell, row)) + ends + (newline if gaps else "") for row in rows]
    return newline.join([*lines, ""]).encode(encoding, "replace")


def columns(*values):
    return [list(row) for row in zip(*values, strict=True)]


def long(titles, leads, spectra, wave=WAVE):
    """One line per value, as WiRE writes maps."""
    return [list(titles), *([*lead, w, v] for lead, row in zip(leads, spectra, strict=True) for w, v in zip(wave, row, strict=True))]


def in_rows(titles, leads, spectra, behind=None):
    """One line per spectrum."""
    behind = behind or [[]] * len(leads)
    return [list(titles), *([*lead, *row, *after] for lead, row, after in zip(leads, spectra, behind, strict=True))]


def labspec(*axes, unit="1/cm"):
    said = ["#Acq. time (s)=\t2", "#Laser (nm)=\t532", "#Spectro (nm)=\t550", "#AxisType[0]=\tIntens", "#AxisType[1]=\tSpectr"]
    return [*said, f"#AxisUnit[1]=\t{unit}", *(f"#Axis{kind}[{n}]=\t{word}" for n, axis in enumerate(axes, 2) for kind, word in
            (("Type", axis), ("Unit", "µm")))]  # fmt: skip


LAYOUTS: dict[str, tuple[Any, ...]] = {}
"""Rows, the spectra in them, their positions and unit, and pixel size or labels."""


def layout(name, rows, data, wave=WAVE, unit="", **more) -> None:
    LAYOUTS[name] = (rows, np.asarray(data), np.asarray(wave), unit, more)


BACK, BACKWARDS = WAVE[::-1], S[:, ::-1]
layout("two columns", columns(WAVE, S[0]), S[:1])
layout("two columns, descending", columns(BACK, BACKWARDS[0]), BACKWARDS[:1], BACK)
for title, unit in [
    ("Raman shift (cm-1)", "1/cm"), ("Wellenlänge [nm]", "nm"), ("Wellenzahl [1/cm]", "1/cm"), ("Nombre d'onde (cm-1)", "1/cm"),
    ("Longueur d'onde (nm)", "nm"), ("Longitud de onda (nm)", "nm"), ("Raman-Verschiebung / cm-1", "1/cm"), ("Lunghezza d'onda (nm)", "nm"),
    ("wavenumber", "1/cm"), ("Wavelength(nm)", "nm"), ("Photon energy [eV]", "eV"), ("cm^-1", "1/cm"), ("Raman Shift (rel. 1/cm)", "1/cm"),
    ("Shift/cm-1", "1/cm"), ("nm", "nm"), ("Comprimento de onda (nm)", "nm"), ("Våglängd (nm)", "nm"), ("RamanShift(cm-1)", "1/cm"),
]:  # fmt: skip
    layout(title, [[title, "Intensity"], *columns(WAVE, S[0])], S[:1], unit=unit)
layout("a line of units", [["Wavelength", "Counts"], ["nm", "cts"], *columns(WAVE, S[0])], S[:1], unit="nm")
layout("several spectra", [["Wavelength (nm)", "A", "B", "C"], *columns(WAVE, *S[:3])], S[:3], unit="nm")
layout("numbered spectra", [["Wavelength (nm)", "1", "2", "3"], *columns(WAVE, *S[:3])], S[:3], unit="nm")
layout("positions last", [["Intensity", "Raman shift (cm-1)"], *columns(S[0], WAVE)], S[:1], unit="1/cm")
layout("remarks", ["# made by X", "% a note", *columns(WAVE, S[0])], S[:1])

OTHER = (1e7 / (1e7 / 784.82 - WAVE)).round(3)
layout(
    "pixels, wavelengths and shifts",
    ["laser_wavelength;784.82", ["Pixel", "Wavelength", "Wavenumber", "Raman Shift", "Dark", "Raw data #1", "Dark Subtracted #1"],
     *columns(np.arange(40), OTHER, 1e7 / OTHER, WAVE, np.full(40, 100.5), S[1] + 100, S[0])],
    S[:1], unit="1/cm",
)  # fmt: skip
layout("points", [["Point", "Wavelength (nm)", "Intensity"], *columns(np.arange(1, 41), WAVE, S[0])], S[:1], unit="nm")
layout(
    "pixels without positions", [["Pixel", "Raman Shift", "Raw data #1"], [0, "", "5"], [1, "", "6"],
    *columns(np.arange(2, 42), WAVE, S[0])], S[:1], unit="1/cm",
)  # fmt: skip

POSITIONS = ["", "", *WAVE]
layout("LabSpec, a map", [*labspec("X", "Y"), *in_rows(POSITIONS, PLACES, S)], MAP, unit="1/cm", pixel=(1.5, 3.0))
layout(
    "LabSpec, y before x", [*labspec("Y", "X", unit="nm"), *in_rows(POSITIONS, [p[::-1] for p in PLACES], S)], MAP, unit="nm",
    pixel=(1.5, 3.0),
)  # fmt: skip
layout("LabSpec, a map without words", in_rows(POSITIONS, PLACES, S), MAP)
layout("LabSpec, descending", in_rows(["", "", *BACK], PLACES, BACKWARDS), MAP[..., ::-1], BACK)
layout("LabSpec, a shorter first line", in_rows(WAVE, PLACES, S), MAP)
layout("LabSpec, a line", [*labspec("Y"), *in_rows(["", *WAVE], [[1.5 * n] for n in LINE], S)], S, unit="1/cm")
layout("LabSpec, a line without words", in_rows(["", *WAVE], [[1.5 * n] for n in LINE], S), S)
layout("LabSpec, one spectrum", [*labspec(), *in_rows(["", *WAVE], [[0.0]], S[:1])], S[:1], unit="1/cm")
layout("LabSpec, one column", in_rows(POSITIONS, PLACES[:3], S[:3]), S[:3])
layout("x, y and z before spectra", in_rows(["x", "y", "z", *WAVE], [(*place, 7.0) for place in PLACES], S), MAP)
layout("x and y with units", in_rows(["x (µm)", "y (µm)", *WAVE], PLACES, S), MAP, pixel=(1.5, 3.0))
layout("x and y behind spectra", in_rows([*WAVE, "x", "y"], [[]] * 12, S, PLACES), MAP)

WIRE = ("#Wave", "#Intensity")
layout("WiRE, a map", long(("#X", "#Y", *WIRE), PLACES, S), MAP)
layout("WiRE, descending", long(("#X", "#Y", *WIRE), PLACES, BACKWARDS, BACK), MAP[..., ::-1], BACK)
layout("WiRE, y before x", long(("#Y", "#X", *WIRE), [place[::-1] for place in PLACES], S), MAP)
layout("WiRE, depths", long(("#Z", *WIRE), [(1.5 * n,) for n in range(4)], S[:4]), S[:4])
layout("WiRE, times", long(("#Time", *WIRE), [(1.5 * n,) for n in range(4)], S[:4]), S[:4])
layout("WiRE, a map with times", long(("#Time", "#X", "#Y", *WIRE), [(0.3 * n, *PLACES[n]) for n in LINE], S), MAP)
layout("WiRE, one height", long(("#X", "#Y", "#Z", *WIRE), [(*place, 2.0) for place in PLACES], S), MAP)
layout(
    "WiRE, a volume", long(("#X", "#Y", "#Z", *WIRE), [(x, y, z) for z in (0.0, 1.0) for x in (0.0, 1.0) for y in (0.0, 2.0, 4.0)], S),
    S.reshape(2, 2, 3, 40).transpose(0, 2, 1, 3),
)  # fmt: skip
SNAKE = [(x, y) for n, y in enumerate((1.0, 2.5, 4.0)) for x in (-3.0, 0.0, 3.0, 6.0)[:: 1 - 2 * (n % 2)]]
layout("WiRE, a snake", long(("#X", "#Y", *WIRE), SNAKE, [MAP[y, x if y % 2 == 0 else 3 - x] for y in range(3) for x in range(4)]), MAP)
layout("WiRE, one point", long(("#X", "#Y", *WIRE), PLACES[:1], S[:1]), S[:1])
layout("WiRE, one row", long(("#X", "#Y", *WIRE), [(x, 1.0) for x in (0.0, 1.0, 2.0)], S[:3]), S[:3])
layout("a map without titles", long((), PLACES, S)[1:], MAP)
layout(
    "a map in other words", long(("X (µm)", "Y (µm)", "Raman shift (cm-1)", "Intensity (counts)"), PLACES, S), MAP, unit="1/cm",
    pixel=(1.5, 3.0),
)  # fmt: skip
layout("a map in German", long(("X-Position", "Y-Position", "Wellenzahl [1/cm]", "Intensität"), PLACES, S), MAP, unit="1/cm")
layout(
    "band after band", [["x", "y", "wavelength (nm)", "intensity"], *([*PLACES[n], w, S[n][k]] for k, w in enumerate(WAVE) for n in LINE)],
    MAP, unit="nm",
)  # fmt: skip

STITCHED, VALUES = np.concatenate([WAVE[:25], WAVE[20:]]), np.arange(45.0)
layout("an overlap", columns(STITCHED, VALUES), VALUES[None], STITCHED)
layout("an overlap, descending", [["Wavelength (nm)", "I"], *columns(STITCHED[::-1], VALUES)], VALUES[None], STITCHED[::-1], "nm")
layout(
    "overlaps of two spectra", [["Wavelength (nm)", "a", "b"], *columns(STITCHED, VALUES, VALUES[::-1])],
    np.stack([VALUES, VALUES[::-1]]), STITCHED, "nm",
)  # fmt: skip
REPEATED = np.concatenate([WAVE[:21], WAVE[20:]])
layout("a repeated position", [["Wavenumber (cm-1)", "I"], *columns(REPEATED, VALUES[:41])], VALUES[None, :41], REPEATED, "1/cm")

OCEAN = ["Data from x Node", "", "XAxis mode: Wavelengths", "Number of Pixels in Spectrum: 40", ">>>>>Begin Spectral Data<<<<<"]
layout("Ocean Optics", [*OCEAN, *columns(WAVE, S[0]), ">>>>>End Spectral Data<<<<<"], S[:1], unit="nm")
ANDOR = ["", "", "", "Date and Time:\tMon Jan 6 2020", "Temperature (C):\t-80", "Grating Groove Density (l/mm):\t600"]
layout("Andor", [*columns(WAVE, S[0], S[1]), *ANDOR], S[:2])
CARY = [["a", "", "b", ""], ["Wavelength (nm)", "Abs", "Wavelength (nm)", "Abs"], *columns(WAVE, S[0], WAVE, S[1])]
layout("Cary", [*CARY, "", "sample1", "Collection Time: 1/15/2014 4:57:52 PM", "Scan Software Version: 4.20(468)"], S[:2], unit="nm")
layout("PerkinElmer", ["PE IR       SUBTECH     SPECTRUM", "#GR", "nm", "A", "#DATA", *columns(WAVE, S[0])], S[:1], unit="nm")

TITLED = [[label] for label in LABELS]
layout("labels first", in_rows(["type", *WAVE], TITLED, S[:3]), S[:3], labels=LABELS)
layout("labels last", in_rows([*WAVE, "class"], [[]] * 3, S[:3], TITLED), S[:3], labels=LABELS)
layout("numbers first", in_rows(["id", *WAVE], [[n + 1.0] for n in range(3)], S[:3]), S[:3])
layout("an index of pandas", in_rows(["", *WAVE], [[float(n)] for n in range(3)], S[:3]), S[:3])
layout("an unnamed index", in_rows(["Unnamed: 0", *WAVE], [[float(n)] for n in range(3)], S[:3]), S[:3])
layout("an index and labels", in_rows(["", "species", *WAVE], [[float(n), LABELS[n]] for n in range(3)], S[:3]), S[:3], labels=LABELS)
layout("names and classes", in_rows(["Probe", "Klasse", *WAVE], [[f"P{n}", LABELS[n]] for n in range(3)], S[:3]), S[:3], labels=LABELS)
layout("positions with units", in_rows(["sample", *(f"{w:g} nm" for w in WAVE)], TITLED, S[:3]), S[:3], unit="nm", labels=LABELS)
layout("positions after X", in_rows(["id", *(f"X{w:g}" for w in WAVE)], TITLED, S[:3]), S[:3], labels=LABELS)
layout("labels, descending", in_rows(["type", *BACK], TITLED, BACKWARDS[:3]), BACKWARDS[:3], BACK, labels=LABELS)
layout("labels that are numbers", in_rows(["label", *WAVE], [[float(n)] for n in (0, 1, 0, 2)], S[:4]), S[:4])
layout("one labelled row", in_rows(["type", *WAVE], TITLED[:1], S[:1]), S[:1])
layout("the quantity over labels", in_rows(["Wavenumber (cm-1)", *WAVE], TITLED, S[:3]), S[:3], unit="1/cm")
layout("rows below positions", in_rows(WAVE, [[]] * 3, S[:3]), S[:3])


@pytest.mark.parametrize("number", range(len(LAYOUTS)), ids=list(LAYOUTS))
def test_a_layout_is_read_alike_in_every_dialect(number, tmp_path):
    """Each layout in five dialects, which change from one to the next, so that all meet all kinds."""
    rows, data, wave, unit, more = list(LAYOUTS.values())[number]
    names = list(DIALECTS)
    for name in islice(names[5 * number % len(names) :] + names, AT_A_TIME):
        dialect = SHARP | DIALECTS[name]
        path = tmp_path / ("t.csv" if dialect["mark"].strip() == "," else "t.txt")
        path.write_bytes(written(rows, **dialect))
        cube = read(path)
        assert cube.shape == data.shape, name
        np.testing.assert_allclose(cube.data, data, rtol=1e-5, atol=1e-3, err_msg=name)
        np.testing.assert_allclose(cube.axis.values, wave, rtol=1e-5, err_msg=name)
        assert cube.axis.unit == unit, name
        if "pixel" in more:
            assert cube.pixel_size == pytest.approx(more["pixel"]), name
        if "labels" in more:
            assert cube.metadata["labels"] == more["labels"], name


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("Длина волны, нм", "nm"),
        ("Волновое число, см-1", "1/cm"),
        ("波长 (nm)", "nm"),
        ("波数 (cm-1)", "1/cm"),
        ("ラマンシフト (cm⁻¹)", "1/cm"),
    ],
)
def test_titles_in_other_scripts_name_the_positions(words, unit, tmp_path):
    (tmp_path / "t.txt").write_text("\n".join([f"{words}\tI", *(f"{w}\t{v}" for w, v in zip(WAVE, S[0], strict=True))]), encoding="utf-8")
    assert read(tmp_path / "t.txt").axis.unit == unit


def test_commas_that_may_set_thousands_apart_are_mentioned(tmp_path):
    """A decimal comma divides numbers by a thousand where it is none."""
    (tmp_path / "t.txt").write_text("\n".join(f"{400 + n}\t{995 + n:,}" for n in range(12)))
    with pytest.warns(UserWarning, match="thousands"):
        np.testing.assert_array_equal(read(tmp_path / "t.txt").data[0], 995 + np.arange(12))
    (tmp_path / "d.txt").write_text("\n".join(f"{400 + n},125\t{n},500" for n in range(12)))
    np.testing.assert_array_equal(read(tmp_path / "d.txt").data[0], 0.5 + np.arange(12))


def test_a_line_of_numbers_and_words_next_to_a_table_is_mentioned(tmp_path):
    (tmp_path / "t.txt").write_text("\n".join(f"{400 + n}\t{n}" for n in range(12)) + "\n412\tsaturated\n")
    with pytest.warns(UserWarning, match="its line 13 next to the table .* is not read"):
        assert read(tmp_path / "t.txt").shape == (1, 12)
