"""Several tables in one text: one set of spectra where they have the same positions, one by name where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import SpectralWarning, read
from napari_spectrai.io import inspect

POSITIONS = np.round(np.linspace(400, 720, 33) + np.linspace(0, 1, 33) ** 2 * 7, 2)
SPECTRA = np.round(np.random.default_rng(0).normal(100, 20, (3, 33)), 2)
HEADS = {
    "titled": "Sample {n}\nWavelength (nm)\tIntensity\n",
    "quoted": '"Sample {n}"\n"Wavelength nm."\t"Abs."\n',
    "settings": "Title: Sample {n}\nDate: 2024-01-0{n}\nIntegration time: 10\nWavelength (nm)\tCounts\n",
    "marks": "[Sample {n}]\nnm\tcounts\n",
    "in the titles": "Wavelength (nm)\tSample {n}\n",
    "name alone": "Sample {n}\n",
}


def lines(positions, values) -> str:
    return "".join(f"{position:.2f}\t{value:.2f}\n" for position, value in zip(positions, values, strict=True))


@pytest.mark.parametrize("tail", ["", "\n", "##### End\n\n"])
@pytest.mark.parametrize("head", HEADS.values(), ids=list(HEADS))
def test_tables_at_the_same_positions_are_one_set(head, tail, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("".join(head.format(n=number + 1) + lines(POSITIONS, SPECTRA[number]) + tail for number in range(3)))
    with pytest.warns(SpectralWarning, match="3 tables.*one set of spectra"):
        cube = read(path, axis="nm")
    np.testing.assert_allclose(cube.data, SPECTRA)
    np.testing.assert_allclose(cube.axis.values, POSITIONS)
    assert cube.metadata["labels"] == ["Sample 1", "Sample 2", "Sample 3"]
    assert inspect(path)["table"] == (3, 33)


def test_one_of_them_is_read_by_its_name(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("".join(HEADS["titled"].format(n=number + 1) + lines(POSITIONS, SPECTRA[number]) for number in range(3)))
    np.testing.assert_allclose(read(path, dataset="Sample 2").data, SPECTRA[1:2])
    with pytest.raises(ValueError, match="no table 'Sample 7' in it; known: Sample 1"):
        read(path, dataset="Sample 7")


def test_tables_at_other_positions_are_chosen_by_name(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(
        HEADS["titled"].format(n=1) + lines(POSITIONS, SPECTRA[0]) + HEADS["titled"].format(n=2) + lines(POSITIONS + 3, SPECTRA[1])
    )
    with pytest.warns(SpectralWarning, match=r"2 tables \(Sample 1, Sample 2\) have different positions; 'Sample 1' is read"):
        np.testing.assert_allclose(read(path).data, SPECTRA[:1])
    other = read(path, dataset="Sample 2")
    np.testing.assert_allclose(other.axis.values, POSITIONS + 3)
    assert sorted(inspect(path)) == ["Sample 1", "Sample 2"]


def test_dark_and_reference_tables_are_left_out(tmp_path):
    path = tmp_path / "x.txt"
    names = ("Dark", "Leaf", "White reference")
    path.write_text("".join(f"{name}\nnm\tcounts\n" + lines(POSITIONS, values) for name, values in zip(names, SPECTRA, strict=True)))
    with pytest.warns(SpectralWarning, match="Dark, White reference left out"):
        cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA[1:2])


def test_a_list_of_peaks_below_a_spectrum_is_no_spectrum(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("Wavelength (nm)\tCounts\n" + lines(POSITIONS, SPECTRA[0]) + "\nPeaks\nPos\tHeight\n410\t5\n500\t6\n600\t4\n")
    with pytest.warns(SpectralWarning, match="different positions"):
        np.testing.assert_allclose(read(path).data, SPECTRA[:1])


def test_tables_of_a_map_with_a_place_in_each_are_an_image(tmp_path):
    path = tmp_path / "x.txt"
    spectra = np.round(np.random.default_rng(1).normal(100, 20, (6, 33)), 2)
    rows = [f"{number % 3 * 0.5}\t{number // 3}\t{w}\t{v}" for number in range(6) for w, v in zip(POSITIONS, spectra[number], strict=True)]
    titles = "#X (µm)\t#Y (µm)\t#Wavelength (nm)\t#Intensity\n"
    blocks = [titles + "\n".join(rows[33 * n : 33 * n + 33]) + "\nend of spectrum\n" for n in range(6)]
    path.write_text("".join(blocks), encoding="utf-8")
    cube = read(path)
    np.testing.assert_allclose(cube.data, spectra.reshape(2, 3, 33))
    assert (cube.pixel_size, cube.pixel_unit) == ((1.0, 0.5), "um")


@pytest.mark.parametrize(("title", "lines_above"), [("HT [V]", "YUNITS\tCD [mdeg]\nY2UNITS\tHT [V]\n"), ("Temperature(°C)", "")])
def test_voltages_and_temperatures_are_no_spectra(title, lines_above, tmp_path):
    path = tmp_path / "x.txt"
    titles = "XYDATA\n" if lines_above else f"Wavelength (nm)\tA1\t{title}\n"
    body = "".join(f"{w}\t{v}\t{25 + n}\n" for n, (w, v) in enumerate(zip(POSITIONS, SPECTRA[0], strict=True)))
    path.write_text(f"TITLE\tx\nXUNITS\tNANOMETERS\n{lines_above}NPOINTS\t33\n{titles}{body}", encoding="utf-8")
    with pytest.warns(SpectralWarning, match="is read, and not"):
        cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA[:1])
    assert cube.axis.unit == "nm"


def columns(head: str) -> str:
    return head + "".join("\t".join(map(str, [w, *values])) + "\n" for w, values in zip(POSITIONS, SPECTRA.T, strict=True))


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("A\tB\tC\tD\nWavelength\tAbs\tAbs\tAbs\nnm\t\t\t\nF(x)=\t\t\t\n", "utf-8"),
        ("Длина волны, нм\tA\tB\tC\n", "cp1251"),
        ("Длина волны, нм\tA\tB\tC\n", "utf-8"),
    ],
    ids=["formulas of Origin", "Russian of Windows", "Russian"],
)
def test_titles_with_formulas_and_in_russian_encodings(head, encoding, tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(columns(head).encode(encoding))
    cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA)
    np.testing.assert_allclose(cube.axis.values, POSITIONS)
    assert cube.axis.unit == "nm"


@pytest.mark.parametrize("lead", [False, True], ids=["bare", "named"])
def test_names_that_matlab_makes_of_positions(lead, tmp_path):
    titles = [f"x{value:g}".replace(".", "_") for value in POSITIONS]
    rows = [[*([f"s{number}"] if lead else []), *map(str, values)] for number, values in enumerate(SPECTRA)]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(",".join(row) for row in [[*(["name"] if lead else []), *titles], *rows]))
    cube = read(path, axis="nm")
    np.testing.assert_allclose(cube.data, SPECTRA)
    np.testing.assert_allclose(cube.axis.values, POSITIONS)


@pytest.mark.parametrize("count", [1, 2])
def test_waves_of_igor_lie_where_their_scale_says(count, tmp_path):
    path = tmp_path / "x.itx"
    body = "".join("\t" + "\t".join(map(str, values)) + "\n" for values in SPECTRA[:count].T)
    names = " ".join(f"w{number}" for number in range(count))
    scales = "".join(f'X SetScale/P x 400,2.5,"nm", w{n}; SetScale y 0,0,"", w{n}\n' for n in range(count))
    path.write_text(f"IGOR\nWAVES/D {names}\nBEGIN\n{body}END\n{scales}")
    cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA[:count])
    np.testing.assert_allclose(cube.axis.values, 400 + 2.5 * np.arange(33))
    assert cube.axis.unit == "nm"


@pytest.mark.parametrize("mark", ["Page {n}\n", "end of page\n", ""])
def test_pages_of_one_spectrum_are_joined(mark, tmp_path):
    path = tmp_path / "x.txt"
    parts = (slice(0, 12), slice(12, 24), slice(24, 33))
    pages = [mark.format(n=n + 1) + "Wavelength (nm)\tCounts\n" + lines(POSITIONS[part], SPECTRA[0][part]) for n, part in enumerate(parts)]
    path.write_text("".join(pages))
    cube = read(path)
    np.testing.assert_allclose(cube.data, SPECTRA[:1])
    np.testing.assert_allclose(cube.axis.values, POSITIONS)


def test_positions_and_intensities_may_alternate_under_numbered_letters(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("x1,y1,x2,y2\n" + "".join(f"{w},{a},{w},{b}\n" for w, a, b in zip(POSITIONS, *SPECTRA[:2], strict=True)))
    cube = read(path, axis="nm")
    np.testing.assert_allclose(cube.data, SPECTRA[:2])
    np.testing.assert_allclose(cube.axis.values, POSITIONS)
