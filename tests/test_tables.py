"""Text tables of every kind: which column is what, in whatever order, notation and company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_spectrai import SpectralAxis, read
from napari_spectrai.io import SpectralWarning, UnreadableError, columns_of
from napari_spectrai.units import Unit, unit_of

WAVE = np.linspace(400, 1800, 40).round(3)
SPECTRA = np.random.default_rng(0).integers(0, 1000, (6, 40)) / 10
PLACES = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")


def lines(table: np.ndarray, mark: str = "\t") -> str:
    return "\n".join(mark.join(f"{value:g}" for value in row) for row in table)


def in_columns(count: int = 6, mark: str = "\t") -> str:
    return lines(np.column_stack([WAVE, SPECTRA[:count].T]), mark)


def in_rows(leads: list[str], mark: str = ",") -> str:
    return "\n".join(mark.join([lead, *(f"{value:g}" for value in row)]) for lead, row in zip(leads, SPECTRA, strict=False))


def head(mark: str = ",") -> str:
    return mark.join(f"{value:g}" for value in WAVE)


def written(folder: Path, text: str, name: str = "t.txt", encoding: str = "utf-8") -> Path:
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


SPECTRA_IN_COLUMNS = {
    "decimal comma and blanks": (lines(np.column_stack([WAVE, SPECTRA.T]), " ").replace(".", ","), ""),
    "decimal comma and semicolons": ("Wellenzahl (1/cm);a;b;c;d;e;f\n" + in_columns(mark=";").replace(".", ","), "1/cm"),
    "utf-16": ("Raman Shift (cm-1)\ta\tb\tc\td\te\tf\n" + in_columns(), "1/cm"),
    "units in a second line": ("Wavelength\ta\tb\tc\td\te\tf\nnm\t\t\t\t\t\tcounts\n" + in_columns(), "nm"),
    "a remark for titles": ("# Wavenumber [cm^-1]\ta\tb\tc\td\te\tf\n" + in_columns(), "1/cm"),
    "a laser line above": ("Laser wavelength: 532 nm\nX position (µm): 3\nRaman shift\ta\tb\tc\td\te\tf\n" + in_columns(), "1/cm"),
    "numbered spectra": (",0,1,2,3,4,5\n" + in_columns(mark=","), ""),
    "X and Y": ("X,Y1,Y2,Y3,Y4,Y5,Y6\n" + in_columns(mark=","), ""),
    "words below": (in_columns() + "\n\nExposure Time (secs):\t0.1\nGain\t4\nWavelength (nm):\t600\n>>>end<<<", ""),
    "pairs of columns": (
        "s,,s,,s,,s,,s,,s,\n" + "Wavelength (nm),Abs," * 6 + "\n"
        + "\n".join(",".join(f"{w:g},{v:g}" for v in column) for w, column in zip(WAVE, SPECTRA.T, strict=True)) + "\n\ns\nScan Rate 600\n",
        "nm",
    ),
    "one under the other": (
        "Raman shift (cm-1)\tIntensity\n" + "\n".join(f"{w:g}\t{v:g}" for row in SPECTRA for w, v in zip(WAVE, row, strict=True)), "1/cm",
    ),
}  # fmt: skip
SPECTRA_IN_ROWS = {
    "classes": ("class," + head() + "\n" + in_rows(list("abcabc")), ""),
    "class numbers": ("label," + head() + "\n" + in_rows(list("010101")), ""),
    "an id": ("id," + head() + "\n" + in_rows(list("123456")), ""),
    "an index without a title": ("," + head() + "\n" + in_rows(list("012345")), ""),
    "types under the titles, of Orange": (
        "type\t" + head("\t") + "\n" + "\t".join(["discrete", *["continuous"] * 40]) + "\nclass" + "\t" * 40 + "\n"
        + in_rows(list("abcabc"), "\t"), "",
    ),
    "two columns of words": ("sample,class," + head() + "\n" + in_rows([f"s{n},{'ab'[n % 2]}" for n in range(6)]), ""),
    "quoted names": ('"name","' + head('","') + '"\n' + in_rows([f'"a, {n}"' for n in range(6)]), ""),
    "names of R": ('"",' + ",".join(f'"X{value:g}"' for value in WAVE) + "\n" + in_rows([f'"{n}"' for n in range(6)]), ""),
    "the quantity in the corner": ("Wavelength (nm)," + head() + "\n" + in_rows([f"spectrum {n}" for n in range(6)]), "nm"),
    "units on each": ("sample," + ",".join(f"{value:g} nm" for value in WAVE) + "\n" + in_rows(list("123456")), "nm"),
    "a time series of LabSpec": (
        "#AxisType[1]=Spectr\n#AxisUnit[1]=nm\n#AxisType[2]=Time\n#AxisUnit[2]=s\n\t" + head("\t") + "\n"
        + in_rows([f"{n / 2}" for n in range(6)], "\t"), "nm",
    ),
    "LabSpec with decimal commas": (("\t" + head("\t") + "\n" + in_rows([f"{n / 2}" for n in range(6)], "\t")).replace(".", ","), ""),
}  # fmt: skip


@quiet
@pytest.mark.parametrize("kind", [*SPECTRA_IN_COLUMNS, *SPECTRA_IN_ROWS])
def test_a_set_of_spectra_has_its_numbers_on_its_positions(kind, tmp_path):
    text, unit = (SPECTRA_IN_COLUMNS | SPECTRA_IN_ROWS)[kind]
    cube = read(written(tmp_path, text, encoding="utf-16" if kind == "utf-16" else "cp1252"))
    np.testing.assert_allclose(cube.data, SPECTRA)
    np.testing.assert_allclose(cube.axis.values, WAVE, rtol=1e-5)
    assert cube.axis.unit == unit


def long(order: str, titles: str) -> str:
    """Return a map of 2 × 3 points as a line a value."""
    values = {
        (x, y, band): (x, y, f"{WAVE[band]:g}", f"{SPECTRA[2 * y + x][band]:g}") for x in range(2) for y in range(3) for band in range(40)
    }
    keys = {
        "rows": lambda key: (key[1], key[0], key[2]),
        "columns": lambda key: (key[0], key[1], key[2]),
        "snake": lambda key: (key[1], key[0] if key[1] % 2 == 0 else -key[0], key[2]),
        "planes": lambda key: (key[2], key[1], key[0]),
    }
    return titles + "\n".join("\t".join(map(str, values[key])) for key in sorted(values, key=keys[order]))


@quiet
@pytest.mark.parametrize(
    ("order", "titles"),
    [
        (order, titles)
        for order in ("rows", "columns", "snake", "planes")
        for titles in ("#X\t\t#Y\t\t#Wave\t\t#Intensity\n", "x (µm)\ty (µm)\twavelength (nm)\tcounts\n", "")
        if titles or order != "planes"  # without titles nothing distinguishes planes from spectra
    ],
)
def test_a_map_of_one_value_a_line_lies_as_its_coordinates_say(order, titles, tmp_path):
    cube = read(written(tmp_path, long(order, titles)))
    np.testing.assert_allclose(cube.data, SPECTRA.reshape(3, 2, 40))
    assert cube.pixel_size == ((1, 1) if titles else None)  # lengths of WiRE are in µm


@quiet
@pytest.mark.parametrize("leads", [["Time"], ["Z"], ["Time", "X", "Y"], ["Time", "Z", "X", "Y"], ["Z", "X", "Y"]])
def test_any_leading_coordinates_are_none_of_the_intensities(leads, tmp_path):
    table = "\n".join(
        "\t".join([*(str(n if place == 0 else 1.5) for place in range(len(leads))), f"{w:g}", f"{v:g}"])
        for n, row in enumerate(SPECTRA)
        for w, v in zip(WAVE, row, strict=True)
    )
    cube = read(written(tmp_path, "\t\t".join(f"#{name}" for name in [*leads, "Wave", "Intensity"]) + "\n" + table))
    np.testing.assert_allclose(cube.data, SPECTRA)
    assert cube.metadata["coordinates"][leads[0].lower()]["values"] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("shorter", [True, False])
@pytest.mark.parametrize("first", ["X", "Y"])
def test_maps_of_labspec_lie_as_their_header_says(first, shorter, tmp_path):
    second = {"X": "Y", "Y": "X"}[first]
    said = "#Laser (nm)=\t633\n#AxisType[1]=Spectr\n#AxisUnit[1]=1/cm\n"
    said += f"#AxisType[2]={first}\n#AxisUnit[2]=µm\n#AxisType[3]={second}\n#AxisUnit[3]=µm\n"
    text = said + ("" if shorter else "\t\t") + head("\t") + "\n" + in_rows([f"{2 * one}\t{3 * two}" for one, two in PLACES], "\t")
    cube = read(written(tmp_path, text, encoding="cp1252"))
    image = SPECTRA.reshape(2, 3, 40)
    np.testing.assert_allclose(cube.data, image if first == "Y" else image.transpose(1, 0, 2))
    assert cube.pixel_size == ((2, 3) if first == "Y" else (3, 2))
    assert (cube.axis.unit, cube.metadata["laser_nm"]) == ("1/cm", 633)


def test_maps_of_witec_lie_as_their_header_says(tmp_path):
    said = "//Exported ASCII-File\n[Header]\nGraphName = Scan\nSizeX = 3\nSizeY = 2\nScanUnit = µm\nScanWidth = 6\nScanHeight = 4\n"
    text = said + "XAxisUnit = rel. 1/cm\n\n[Data]\nX-Axis\t" + "\t".join(f"Scan.Data {n}" for n in range(6)) + "\n" + in_columns()
    cube = read(written(tmp_path, text, encoding="cp1252"))
    np.testing.assert_allclose(cube.data, SPECTRA.reshape(2, 3, 40))
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("1/cm", (2, 2), "um")


@pytest.mark.parametrize("counter", ["Pixel", "Point", "#", "Pixel No", "Data point"])
@pytest.mark.parametrize(("title", "unit"), [("Wavelength (nm)", "nm"), ("Raman shift / cm-1", "1/cm"), ("Energy [eV]", "eV")])
def test_a_number_of_pixels_is_no_position(counter, title, unit, tmp_path):
    text = f"{counter},{title},Counts\n" + "\n".join(f"{n},{w:g},{v:g}" for n, (w, v) in enumerate(zip(WAVE, SPECTRA[0], strict=True)))
    cube = read(written(tmp_path, text, "t.csv"))
    np.testing.assert_allclose(cube.data, SPECTRA[:1])
    assert cube.axis.unit == unit


def test_intensities_may_stand_before_their_positions(tmp_path):
    text = "Intensity,Wavenumber (cm-1)\n" + "\n".join(f"{v:g},{w:g}" for w, v in zip(WAVE, SPECTRA[0], strict=True))
    cube = read(written(tmp_path, text, "t.csv"))
    np.testing.assert_allclose(cube.data, SPECTRA[:1])
    np.testing.assert_allclose(cube.axis.values, WAVE, rtol=1e-5)


def test_a_wavelength_without_a_unit_goes_by_its_values_and_says_so(tmp_path):
    for low, high, unit in ((400, 700, "nm"), (0.4, 2.5, "um")):
        table = lines(np.column_stack([np.linspace(low, high, 40), SPECTRA[0]]), ",")
        with pytest.warns(SpectralWarning, match=f"without a unit; {unit} is assumed.*axis=SpectralAxis"):
            assert read(written(tmp_path, "wavelength,counts\n" + table, "t.csv")).axis.unit == unit


def test_roles_are_shown_and_changed(tmp_path):
    path = written(tmp_path, "Pixel,Wavelength (nm),Dark,Counts\n" + "\n".join(
        f"{n},{w:g},3,{v:g}" for n, (w, v) in enumerate(zip(WAVE, SPECTRA[0], strict=True))), "t.csv")  # fmt: skip
    assert [(one.name, one.role) for one in columns_of(path)] == [
        ("Pixel", "index"), ("Wavelength (nm)", "position"), ("Dark", "ignored"), ("Counts", "intensity"),
    ]  # fmt: skip
    with pytest.warns(SpectralWarning, match="Counts is read, and not Dark; if that is wrong give columns="):
        read(path)
    assert (read(path, columns={"Dark": "intensity", "Wavelength (nm)": "position"}).data == 3).all()
    with pytest.warns(SpectralWarning, match="does not say their unit"):
        by_number = read(path, columns={0: "position", 3: "intensity"})
    assert by_number.axis == SpectralAxis(np.arange(40.0))
    assert by_number.source is None
    with pytest.raises(ValueError, match="gives 'Dark' the role 'unused'.*intensity"):
        read(path, columns={"Dark": "unused"})
    with pytest.raises(ValueError, match="names 'dark'.*Dark"):
        read(path, columns={"dark": "ignored"})


def test_dark_and_reference_spectra_are_left_out_also_with_units_below_their_titles(tmp_path):
    titles = "Wave   ;Sample   ;Dark     ;Reference;Absorbance\n[nm]   ;[counts] ;[counts] ;[counts] ;[-]\n\n"
    with pytest.warns(SpectralWarning, match="Absorbance.* is read, and not Sample.*Dark.*Reference"):
        cube = read(written(tmp_path, titles + in_columns(4, ";")))
    np.testing.assert_allclose(cube.data, SPECTRA[[3]])
    assert cube.axis.unit == "nm"


def test_names_before_the_lines_make_these_the_spectra(tmp_path):
    with pytest.warns(SpectralWarning, match="its lines have names and are taken for the spectra"):
        cube = read(written(tmp_path, in_rows(list("abcabc")), "t.csv"))
    np.testing.assert_allclose(cube.data, SPECTRA)
    assert cube.metadata["labels"] == list("abcabc")


def test_spectra_without_positions_have_none_however_they_fall(tmp_path):
    tail = np.exp(-np.arange(40.0) / 6)
    text = "\n".join(
        f"{a:.6f},{b:.6f},{'' if n > 30 else n % 5}" for n, (a, b) in enumerate(zip(tail[::-1], np.sin(tail * 9), strict=True))
    )
    text = "0.99,,\n0.98,,\n0.97,0.5,\n" + text + "\n,0.1,3\n,0.2,1\n"
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands"):
        assert read(written(tmp_path, text, "t.csv")).axis.unit == ""


def test_a_number_among_words_is_no_table(tmp_path):
    with pytest.raises(UnreadableError, match="it holds words, and no table of numbers"):
        read(written(tmp_path, "A licence\n\n2020\n\nof many words\nand lines\n"))


def test_a_table_cut_short_is_refused(tmp_path):
    with pytest.raises(UnreadableError, match="its line 40 holds 1 value where the table has 2; it is truncated"):
        read(written(tmp_path, in_columns(1)[:-4].rstrip()))


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("Raman shift (rel. 1/cm)", Unit("1/cm")), ("Wavenumber cm⁻¹", Unit("1/cm")), ("Spectro (cm-¹)", Unit("1/cm")),
        ("cm^{-1}", Unit("1/cm")), ("Wavelength [µm]", Unit("um")), ("Micrometers", Unit("um")), ("Ångström", Unit("nm", 0.1)),
        ("Angstroms", Unit("nm", 0.1)), ("Nanometers", Unit("nm")), ("wavelength_nm", Unit("nm")), ("keV", Unit("eV", 1e3)),
        ("m/z", Unit("m/z")), ("Wavelength", None), ("Intensity", None), ("counts/cm²", None), ("Irradiance (W/cm^2)", None),
    ],
)  # fmt: skip
def test_a_unit_is_known_in_whatever_words(words, unit):
    assert unit_of(words) == unit


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        *(
            (words, Unit("1/cm"))
            for words in ("cm$^{-1}$", "$cm^{-1}$", "cm<sup>-1</sup>", r"$\mathrm{cm^{-1}}$", "Raman shift (cm$^{-1}$)")
        ),
        *((words, Unit("um")) for words in (r"$\mu$m", r"$\mu m$", "Wavelength (µm)")),
        *((words, Unit("eV", factor)) for words, factor in (("MeV", 1e6), ("meV", 1e-3), ("keV", 1e3), ("kiloelectronvolt", 1e3))),
        *((words, None) for words in ("1/nm", "nm^-1", "nm⁻¹", "q (Å-1)", "1/Å", "W m-2 nm-1", "1/µm", "A-1")),
        *((words, Unit("nm")) for words in ("Wavelength in nm - 1 spectrum", "nm-410", "410-420 nm", "Wavelength/nm")),
    ],
)
def test_units_in_markup_multiples_and_denominators(words, unit):
    assert unit_of(words) == unit
