"""Text tables in the words of other programs and languages: settings above are no titles, and nothing is mixed into the intensities."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning, UnreadableError

WAVE = np.linspace(400, 1800, 40).round(3)
SPECTRA = np.random.default_rng(0).integers(0, 1000, (6, 40)) / 10
PLACES = [(x, y) for y in (0, 5) for x in (1, 3, 5)]
pytestmark = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")


def columns(*values, mark: str = "\t") -> str:
    return "\n".join(mark.join(f"{value:.8g}" for value in row) for row in zip(*values, strict=True))


def spectrum(text: str, folder, encoding: str = "utf-8"):
    (folder / "t.txt").write_bytes(text.encode(encoding))
    return read(folder / "t.txt")


@pytest.mark.parametrize(
    "setting",
    [
        "#Laser (nm)=\t532",
        "#Stage X (µm)=\t12.5",
        "Bandwidth (nm)\t2",
        "Centre Wavelength (nm):\t589",
        "Laser: 532 nm, 10 mW",
        "λex = 532 nm",
    ],
)
def test_a_setting_above_two_columns_is_not_their_titles(setting, tmp_path):
    cube = spectrum(setting + "\n" + columns(WAVE, SPECTRA[0]), tmp_path)
    assert cube.axis.unit == ""
    np.testing.assert_allclose(cube.data, SPECTRA[:1])


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("#AxisType[1]=Spectr\n#AxisUnit[1]=1/cm\n#Laser (nm)=785", "1/cm"), ("X Units\tRaman Shift (cm-1)", "1/cm"),
        ("HORIZONTAL AXIS: NM", "nm"), ("Abscissa: Energy, eV", "eV"),
        ("# x: Raman shift [1/cm]\n# y: Intensity", "1/cm"), ("#GR\nnm\nA\n#DATA", "nm"),
    ],
)  # fmt: skip
def test_the_unit_is_the_one_given_for_the_positions(words, unit, tmp_path):
    cube = spectrum(words + "\n" + columns(WAVE, SPECTRA[0]), tmp_path)
    assert (cube.axis.unit, cube.axis.values[0]) == (unit, 400)
    np.testing.assert_allclose(cube.data, SPECTRA[:1])


@pytest.mark.parametrize(
    ("titles", "more"),
    [
        ("Píxel;Desplazamiento Raman (cm-1);Intensidad", ()), ("Point;Décalage Raman (cm-1);Intensité", ()),
        ("band;Raman shift;Intensity", ()), ("Pixel;Wavelength [nm];Shift [cm-1];Intensity", (1e7 / WAVE,)),
        ("Band;FWHM;Raman shift;Intensity", (2 + np.sin(WAVE),)),
    ],
)  # fmt: skip
def test_counters_and_widths_are_no_spectra(titles, more, tmp_path):
    text = titles + "\n" + columns(np.arange(40), *more, WAVE, SPECTRA[0], mark=";")
    cube = spectrum(text, tmp_path, "cp1252")
    assert (cube.axis.unit, cube.axis.values[0]) == ("1/cm", 400)
    np.testing.assert_allclose(cube.data, SPECTRA[:1])


def long(titles: str, leads) -> str:
    lines = (
        ",".join([*map(str, lead), f"{w:g}", f"{v:g}"])
        for lead, row in zip(leads, SPECTRA, strict=True)
        for w, v in zip(WAVE, row, strict=True)
    )
    return titles + "\n" + "\n".join(lines)


@pytest.mark.parametrize("name", ["Temperature", "Voltage", "Depth", "sample"])
def test_a_value_for_each_spectrum_is_no_intensity(name, tmp_path):
    leads = [("abcdef"[n],) if name == "sample" else (20 + 5 * n,) for n in range(6)]
    cube = spectrum(long(f"{name},wavelength (nm),intensity", leads), tmp_path)
    np.testing.assert_allclose(cube.data, SPECTRA)
    assert cube.metadata.get("labels", list("abcdef")) == list("abcdef")


@pytest.mark.parametrize("titles", ["pixel_x,pixel_y", "Column,Row", "time,x,y", "x,y,z"])
def test_a_clock_and_an_autofocus_do_not_undo_a_map(titles, tmp_path):
    extra = titles.count(",") == 2
    leads = [
        ((0.37 * n, *place) if titles[0] == "t" else (*place, 10 + round(np.sin(n), 3))) if extra else place
        for n, place in enumerate(PLACES)
    ]
    cube = spectrum(long(f"{titles},wavelength (nm),intensity", leads), tmp_path)
    np.testing.assert_allclose(cube.data, SPECTRA.reshape(2, 3, 40))
    assert ("coordinates" in cube.metadata) == extra


@pytest.mark.parametrize(("prefix", "unit"), [("R", ""), ("B", "nm"), ("refl_", ""), ("Spectral band ", " nm"), ("b.", "nm")])
@pytest.mark.parametrize("mark", [",", "\t", ";"])
def test_titles_of_bands_may_have_any_prefix(prefix, unit, mark, tmp_path):
    bands = [450.5, 550, 650, 750, 850]
    head = mark.join(["plot", *(f"{prefix}{band}{unit}" for band in bands), "yield"])
    rows = [mark.join([f"p{number}", *(f"{number + n / 10:.2f}" for n in range(5)), f"{number * 7 % 3 + 0.5}"]) for number in range(1, 5)]
    (tmp_path / "a.csv").write_text("\n".join([head, *rows]) + "\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cube = read(tmp_path / "a.csv")
    np.testing.assert_allclose(cube.axis.values, bands)
    np.testing.assert_allclose(cube.data, np.arange(1, 5)[:, None] + np.arange(5) / 10, rtol=1e-6)


def test_names_of_spectra_with_numbers_are_no_positions(tmp_path):
    lines = ["wave,S110,S120,S130,S140", *(f"{400 + n},{n},{n + 1},{n * 2},{n * n}" for n in range(12))]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cube = read(tmp_path / "a.csv")
    assert cube.data.shape == (4, 12)
    np.testing.assert_allclose(cube.axis.values, 400 + np.arange(12))


def test_a_labelled_line_that_is_cut_short_is_not_dropped(tmp_path):
    rows = "\n".join("a," + ",".join(f"{value:g}" for value in row) for row in SPECTRA)
    with pytest.raises(UnreadableError, match="truncated"):
        spectrum("class," + ",".join(f"{value:g}" for value in WAVE) + "\n" + rows.rpartition(",")[0], tmp_path)


@pytest.mark.parametrize(("mode", "unit"), [("Wavelengths", "nm"), ("Raman Shifts", "1/cm"), ("Wavelength (nm)", "nm")])
@pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
def test_the_mode_of_the_axis_in_a_file_of_ocean_optics_gives_its_unit(mode, unit, tmp_path):
    rows = "\n".join(f"{400 + n}\t{n % 7}" for n in range(30))
    head = f"Data from x Node\n\nIntegration Time (sec): 1.0E-1\nXAxis mode: {mode}\nNumber of Pixels in Spectrum: 30\n"
    (tmp_path / "o.txt").write_text(f"{head}>>>>>Begin Spectral Data<<<<<\n{rows}\n")
    assert read(tmp_path / "o.txt").axis.unit == unit


@pytest.mark.parametrize(
    ("title", "mark", "decimal"),
    [
        ("Wavenumber (cm-1)", "   ", ","), ("Wavenumber (cm-1)", "  ", "."), ("sample no 1", "   ", ","), ("Unnamed: 0", "   ", ","),
    ],
)  # fmt: skip
def test_a_title_with_blanks_stands_over_positions_with_decimal_commas(title, mark, decimal, tmp_path):
    def cell(value) -> str:
        return f"{value:.8g}".replace(".", decimal)

    rows = [
        mark.join([title, *map(cell, WAVE)]),
        *(mark.join([name, *map(cell, row)]) for name, row in zip("abcdef", SPECTRA, strict=True)),
    ]
    cube = spectrum("\n".join(rows), tmp_path)
    assert cube.shape == SPECTRA.shape
    np.testing.assert_allclose(cube.axis.values, WAVE)
    np.testing.assert_allclose(cube.data, SPECTRA)


@pytest.mark.parametrize("mark", [",", ", "])
@pytest.mark.parametrize("title", ["Волновое число, см-1", "Wavenumber, cm-1", "Raman shift; 1/cm", "Wellenzahl, 1/cm"])
def test_a_unit_set_apart_by_the_separator_belongs_to_its_title(title, mark, tmp_path):
    cube = spectrum(f"{title}{mark}I\n" + columns(WAVE, SPECTRA[0], mark=mark), tmp_path)
    assert (cube.shape, cube.axis.unit) == ((1, 40), "1/cm")


def test_units_next_to_each_position_in_columns_of_fixed_width(tmp_path):
    rows = [
        " ".join(["sample", *(f"{value:g} nm" for value in WAVE)]),
        *(" ".join([name, *(f"{v:>14.5f}" for v in row)]) for name, row in zip("abc", SPECTRA[:3], strict=True)),
    ]
    cube = spectrum("\n".join(rows), tmp_path)
    assert (cube.shape, cube.axis.unit) == ((3, 40), "nm")
    np.testing.assert_allclose(cube.axis.values, WAVE, rtol=1e-5)


def test_a_map_of_one_value_a_line_is_read_in_any_order_of_its_lines(tmp_path):
    lines = [
        f"{x},{y},{wave:.3f},{value}" for (x, y), row in zip(PLACES, SPECTRA, strict=True) for wave, value in zip(WAVE, row, strict=True)
    ]
    for seed in range(3):
        mixed = np.random.default_rng(seed).permutation(lines)
        cube = spectrum("\n".join(["x (µm),y (µm),Wavelength (nm),I", *mixed]), tmp_path)
        np.testing.assert_allclose(cube.data, SPECTRA.reshape(2, 3, 40))
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert cube.pixel_size == (5.0, 2.0)
    with pytest.raises(UnreadableError, match="do not repeat the same positions"):
        spectrum("\n".join(["x (µm),y (µm),Wavelength (nm),I", *mixed, *mixed[:40]]), tmp_path)


@pytest.mark.parametrize("title", ["T (°C)", "T [K]", "Temp (degC)", "Time (s)", "x (µm)", "Humidity (%)"])
def test_what_was_measured_along_with_a_spectrum_is_none(title, tmp_path):
    cube = spectrum(f"Wavelength (nm);{title};Intensity\n" + columns(WAVE, 20 + np.sin(WAVE), SPECTRA[0], mark=";"), tmp_path)
    np.testing.assert_allclose(cube.data, SPECTRA[:1])


def test_deviations_of_several_spectra_are_none(tmp_path):
    values = [one for row in SPECTRA[:2] for one in (row, row / 10)]
    cube = spectrum("Wavelength (nm);I;Std;I 2;Std 2\n" + columns(WAVE, *values, mark=";"), tmp_path)
    np.testing.assert_allclose(cube.data, SPECTRA[:2])
    assert spectrum("Wavelength (nm);Std 1;Std 2\n" + columns(WAVE, *SPECTRA[:2], mark=";"), tmp_path).shape == (2, 40)


@pytest.mark.parametrize("title", ["Wavelength (nm)", None])
def test_lines_of_coordinates_stand_above_spectra_in_columns(title, tmp_path):
    sides = [np.array(PLACES)[:, number] for number in (0, 1)]
    head = [["X (µm)", *map(str, sides[0])], ["Y (µm)", *map(str, sides[1])], *([[title, *"abcdef"]] if title else [])]
    cube = spectrum("\n".join(map("\t".join, head)) + "\n" + columns(WAVE, *SPECTRA), tmp_path)
    np.testing.assert_allclose(cube.data, SPECTRA.reshape(2, 3, 40))
    assert (cube.pixel_size, cube.pixel_unit, cube.axis.values[-1]) == ((5.0, 2.0), "um", 1800)
    head = ["Time (s)\t" + "\t".join(map(str, range(6))), "Wavelength (nm)\t" + "\t".join("abcdef")]
    line = spectrum("\n".join([*head, columns(WAVE, *SPECTRA)]), tmp_path)
    assert line.metadata["coordinates"]["time"] == {"values": [0, 1, 2, 3, 4, 5], "unit": "s"}
    np.testing.assert_allclose(line.data, SPECTRA)


def test_lines_of_means_and_deviations_are_mentioned(tmp_path):
    """They are read, since labels in the same file count them; so are lines all of which are called so."""
    rows = [("a", SPECTRA[0]), ("b", SPECTRA[1]), ("c", SPECTRA[2]), ("Mean", SPECTRA[:3].mean(0)), ("SD", SPECTRA[:3].std(0))]
    lines = [",".join(["id", *map(str, WAVE)]), *(",".join([name, *map(str, row)]) for name, row in rows)]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    with pytest.warns(SpectralWarning, match="its lines Mean, SD are read as spectra like the others; remove them"):
        assert read(tmp_path / "a.csv").shape == (5, 40)


@pytest.mark.parametrize(("first", "unit"), [("nm", "nm"), ("cm-1", "1/cm"), ("[µm]", "um"), ("Wavel.", "nm")])
def test_a_unit_alone_or_an_abbreviation_is_the_first_title(first, unit, tmp_path):
    scale = 1e-3 if unit == "um" else 1
    names = [f"{name},{','.join(map(str, row))}" for name, row in zip("ab", SPECTRA, strict=False)]
    (tmp_path / "a.csv").write_text("\n".join([",".join([first, *(f"{wave * scale:.6g}" for wave in WAVE)]), *names]))
    cube = read(tmp_path / "a.csv")
    np.testing.assert_allclose(cube.data, SPECTRA[:2])
    assert cube.axis.unit == unit
    for titles, place in ((f"Point;{first};A;B", 1), (f"A;B;1;{first}", 3), (f"{first};1", 0)):
        values = [SPECTRA[0]] * titles.count(";")
        values.insert(place, WAVE * scale)
        found = spectrum(f"{titles}\n" + columns(*values, mark=";"), tmp_path)
        assert found.axis.unit == unit
        np.testing.assert_allclose(found.axis.values, WAVE * scale)


def test_a_baseline_whose_name_stands_over_its_positions_is_left_out(tmp_path):
    head = "Baseline 100%T,,Sample1,,\nWavelength (nm),%T,Wavelength (nm),%T,\n"
    rows = "\n".join(f"{wave},100.0,{wave},{value}," for wave, value in zip(WAVE, SPECTRA[0], strict=True))
    np.testing.assert_allclose(spectrum(head + rows, tmp_path).data, SPECTRA[:1])
