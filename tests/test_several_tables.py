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
