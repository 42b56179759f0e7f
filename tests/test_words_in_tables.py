"""Tables whose cells hold words, blanks or nothing where there are numbers, and lines of names above spectra."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
X = np.linspace(400, 1800, 40).round(2)
Y = (np.sin(np.arange(40) / 5) * 100 + 200).round(3)


def saved(path, rows, mark, head=("Raman shift (cm-1)", "a", "b")):
    path.write_text("\n".join(mark.join(map(str, row)) for row in (head, *rows)) + "\n", encoding="utf-8")
    return path


MARKS = ["", ".", "NA", "#N/A", "-", "n.d.", "n/d", "NaN(ind)", "-nan(ind)", "1.#INF00", "<NA>", "missing", "(null)"]


@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize("word", MARKS)
@pytest.mark.parametrize("spectra", [1, 2])
def test_what_marks_a_missing_number_is_one(word, spectra, mark, tmp_path):
    values = np.stack([Y, Y * 2])[:spectra]
    values[0, 5] = np.nan
    rows = [(x, *(word if np.isnan(value) else value for value in line)) for x, line in zip(X, values.T, strict=True)]
    cube = read(saved(tmp_path / "a.txt", rows, mark, ("Raman shift (cm-1)", "a", "b")[: spectra + 1]))
    np.testing.assert_allclose(np.asarray(cube.data), values, equal_nan=True)
    np.testing.assert_allclose(cube.axis.values, X)


@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize("word", ["x", "saturated", "cosmic ray", "1,#QNAN0", "*"])
@pytest.mark.parametrize("spectra", [1, 2])
def test_a_word_among_numbers_is_no_name_and_ends_no_table(word, spectra, mark, tmp_path):
    """Neither are the spectra in its column left out, nor the lines before it."""
    word = word.replace(",", "") if mark == "," else word
    values = np.stack([Y, Y * 2])[:spectra]
    values[0, [5, 20]] = np.nan
    rows = [(x, *(word if np.isnan(value) else value for value in line)) for x, line in zip(X, values.T, strict=True)]
    path = saved(tmp_path / "a.txt", rows, mark, ("Raman shift (cm-1)", "a", "b")[: spectra + 1])
    with pytest.warns(SpectralWarning, match="2 of its cells hold words where numbers are"):
        cube = read(path)
    np.testing.assert_allclose(np.asarray(cube.data), values, equal_nan=True)
    np.testing.assert_allclose(cube.axis.values, X)


@quiet
def test_names_of_spectra_stay_names(tmp_path):
    rows = [(f"s{number}" if number % 3 else number, *(Y + number)) for number in range(30)]
    cube = read(saved(tmp_path / "a.csv", rows, ",", ("name", *X)))
    assert cube.shape == (30, 40)
    assert cube.metadata["labels"][1] == "s1"


@pytest.mark.parametrize("mark", ["\t\t", ";;", "||"])
@pytest.mark.parametrize("head", ["Raman shift (cm-1){}Intensity", "# Raman shift (cm-1){}Intensity", "Raman shift (cm-1){}{}Intensity"])
def test_empty_columns_between_others_are_left_out(head, mark, tmp_path):
    titles = head.replace("{}", mark, 1).replace("{}", "")
    lines = [titles, *(f"{x}{mark}{y}" for x, y in zip(X, Y, strict=True))]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    cube = read(tmp_path / "a.txt")
    np.testing.assert_allclose(np.asarray(cube.data)[0], Y)
    np.testing.assert_allclose(cube.axis.values, X)
    assert cube.axis.unit == "1/cm"


@pytest.mark.parametrize("between", [" ", "\u00a0", "\u202f", "'"])
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("mark", ["\t", ";"])
def test_thousands_set_apart_by_blanks(between, decimal, mark, tmp_path):
    rows = [[f"{value:,.2f}".replace(",", between).replace(".", decimal) for value in pair] for pair in zip(X, Y * 1000, strict=True)]
    cube = read(saved(tmp_path / "a.txt", rows, mark, ("Raman shift (cm-1)", "Counts")))
    np.testing.assert_allclose(np.asarray(cube.data)[0], Y * 1000, rtol=1e-6)
    np.testing.assert_allclose(cube.axis.values, X)


@pytest.mark.parametrize("title", ["Raman shift (cm-1)", "wavelength_nm", "Wavenumber"])
@pytest.mark.parametrize("head", [("", *range(40)), ("name", *range(40)), ("", *range(1, 41))])
def test_a_line_that_is_called_as_positions_are_holds_them(head, title, tmp_path):
    rows = [(title, *X), ("a", *Y), ("b", *(Y * 2)), ("c", *(Y * 3))]
    cube = read(saved(tmp_path / "a.csv", rows, ",", head))
    np.testing.assert_allclose(np.asarray(cube.data), np.stack([Y, Y * 2, Y * 3]))
    np.testing.assert_allclose(cube.axis.values, X)
    assert cube.axis.unit == ("nm" if "nm" in title else "1/cm")
    assert cube.metadata["labels"] == ["a", "b", "c"]


def test_single_quotes_are_quotes(tmp_path):
    rows = [(f"'{x}'", f"'{y}'") for x, y in zip(X, Y, strict=True)]
    cube = read(saved(tmp_path / "a.csv", rows, ",", ("'Raman shift (cm-1)'", "'Intensity'")))
    np.testing.assert_allclose(np.asarray(cube.data)[0], Y)
    assert cube.axis.unit == "1/cm"


def test_what_is_asked_of_a_table_that_has_it_not_is_refused(tmp_path):
    path = saved(tmp_path / "a.csv", [(x, y, y) for x, y in zip(X, Y, strict=True)], ",")
    assert read(path, dataset="table").shape == (2, 40)
    with pytest.raises(ValueError, match=r"no array 'b' in it; a text holds one 'table', whose columns are chosen with columns"):
        read(path, dataset="b")
    with pytest.raises(ValueError, match=r"a\.csv: 'bad' is neither a unit") as raised:
        read(path, axis="bad")
    assert str(raised.value).count("a.csv") == 1
    (tmp_path / "b.asp").write_text("\n".join(map(str, (5, 4000, 400, 1, 1, 1, *Y[:5]))))
    with pytest.raises(ValueError, match="the list of columns names 'q'"):
        read(tmp_path / "b.asp", columns={"q": "intensity"})


@quiet
@pytest.mark.parametrize("mark", [",", "\t", ";"])
@pytest.mark.parametrize(
    "second", ["A", "a", "m", "T", "mass", "Energy", "Energy (eV)", "Counts", "Intensity (counts/nm)", "W/m2/nm", "Laser 785 nm",
               "Power (mW)", "sample 532nm", "pH"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("first", "unit"), [("Wavelength", "nm"), ("wl", "nm"), ("Wavelength (nm)", "nm"), ("Wavenumber (cm-1)", "1/cm"), ("Energy", "eV")]
)
def test_the_title_of_the_values_gives_no_unit_to_the_positions(first, unit, second, mark, tmp_path):
    cube = read(saved(tmp_path / "a.txt", zip(X, Y, strict=True), mark, (first, second)))
    np.testing.assert_allclose(np.asarray(cube.data)[0], Y)
    np.testing.assert_allclose(cube.axis.values, X)
    assert cube.axis.unit == unit


@quiet
@pytest.mark.parametrize(
    ("first", "second", "unit"), [("Wavelength", "nm", "nm"), ("Wavelength", "Å", "nm"), ("Wavelength", "um", "um"), ("X", "nm", "nm")]
)
def test_two_titles_that_are_a_quantity_and_its_unit(first, second, unit, tmp_path):
    cube = read(saved(tmp_path / "a.txt", zip(X, Y, strict=True), ",", (first, second)))
    np.testing.assert_allclose(cube.axis.values, X * (0.1 if second == "Å" else 1))
    assert cube.axis.unit == unit


@quiet
@pytest.mark.parametrize(
    ("prefix", "unit"), [("wl_", "nm"), ("nm", "nm"), ("wavelength ", "nm"), ("wavenumber_", "1/cm"), ("X", ""), ("R", "")]
)
def test_what_precedes_positions_in_titles_gives_their_unit(prefix, unit, tmp_path):
    rows = [(f"s{number}", *(Y + number)) for number in range(3)]
    cube = read(saved(tmp_path / "a.csv", rows, ",", ("name", *(f"{prefix}{value}" for value in X))))
    np.testing.assert_allclose(cube.axis.values, X)
    assert (cube.shape, cube.axis.unit) == ((3, 40), unit)


@quiet
@pytest.mark.parametrize(
    "names", [("px", "py"), ("lon", "lat"), ("longitude", "latitude"), ("easting", "northing"), ("X", "Y"), ("col", "row")]
)
@pytest.mark.parametrize("long", [False, True])
def test_places_by_any_name(names, long, tmp_path):
    places = [(x, y) for y in (0.0, 1.0) for x in (0.0, 0.5, 1.0)]
    image = np.array([[Y * (1 + x + y) for x in (0.0, 0.5, 1.0)] for y in (0.0, 1.0)]).round(4)
    spectra = image.reshape(6, -1)
    if long:
        rows = [(x, y, wave, value) for (x, y), line in zip(places, spectra, strict=True) for wave, value in zip(X, line, strict=True)]
        path = saved(tmp_path / "a.csv", rows, ",", (*names, "wavelength (nm)", "intensity"))
    else:
        path = saved(tmp_path / "a.csv", [(*place, *line) for place, line in zip(places, spectra, strict=True)], ",", (*names, *X))
    np.testing.assert_allclose(np.asarray(read(path).data), image)


@quiet
@pytest.mark.parametrize("corner", ["Ex/Em", "Ex/Em (nm)", "Excitation/Emission [nm]", "Ex (nm)/Em (nm)"])
def test_corners_with_units_name_both_directions(corner, tmp_path):
    rows = [(300 + 10 * number, *(Y + number)) for number in range(3)]
    cube = read(saved(tmp_path / "a.csv", rows, ",", (corner, *X)))
    np.testing.assert_allclose(cube.axis.values, X)
    assert cube.shape == (3, 40)


@quiet
@pytest.mark.parametrize(
    ("line", "unit"),
    [("Raman probe 785 nm", ""), ("Sample: SiO2 300nm on Si", ""), ("Laser wavelength\t785.0\tnm", ""), ("Slit width (nm)\t2", ""),
     ("Spectral resolution: 4 cm-1", ""), ("Measurement range\t400 - 1800 cm-1", "1/cm"), ("Spectral range: 400 - 1800 nm", "nm"),
     ("first column = wavelength in nm", "nm"), ("# wavelength [nm] intensity [counts]", "nm")],
)  # fmt: skip
@pytest.mark.parametrize("below", [False, True])
def test_lines_around_a_table_give_its_unit_or_none(line, unit, below, tmp_path):
    numbers = "\n".join(f"{x}\t{y}" for x, y in zip(X, Y, strict=True))
    (tmp_path / "a.txt").write_text(f"{numbers}\n\n{line}\n" if below else f"{line}\n{numbers}\n")
    cube = read(tmp_path / "a.txt")
    np.testing.assert_allclose(cube.axis.values, X)
    assert (cube.shape, cube.axis.unit) == ((1, 40), unit)
