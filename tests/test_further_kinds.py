"""Files as further programs write them: what stands behind numbers, places without positions, names that follow their spectra."""

from __future__ import annotations

import json
import struct
import warnings
import zipfile

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_spectrai import Cube, SpectralAxis, read, sample, write
from napari_spectrai.io import SpectralWarning, UnreadableError, columns_of, inspect

pytestmark = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE = np.linspace(400.12, 900.5, 30).round(2)
S = np.random.default_rng(0).integers(0, 10000, (12, 30)) / 10
PLACES = [(x, y) for y in (1.5, 2.5, 3.5) for x in (10.0, 12.0, 14.0, 16.0)]
NAMES = [f"s{number}" for number in range(12)]


def table(*columns, mark: str = ",") -> str:
    return "".join(mark.join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def opened(folder, text: str, name: str = "t.txt", **options):
    (folder / name).write_text(text, encoding="utf-8")
    return read(folder / name, **options)


@pytest.mark.parametrize(
    ("title", "cells", "mark", "unit"),
    [
        ("Wavelength,Intensity\n", ("{} nm", "{} cps"), ",", "nm"), ("", ("{} nm", "{}"), "\t", "nm"), ("", ("{}eV", "{}"), ";", "eV"),
        ("Raman shift;Intensity\n", ("{} cm-1", "{}"), "; ", "1/cm"), ("Wavelength (nm)\tI\n", ("{}", "{} ± 0.2"), "\t", "nm"),
        ("Wavelength (nm) I # what\n", ("{}", "{} # note 1"), " ", "nm"), ("Energy (eV),I\n", ("{}", "{} +/- 0.25 counts"), ",", "eV"),
    ],
)  # fmt: skip
def test_units_uncertainties_and_remarks_behind_numbers_are_no_part_of_them(title, cells, mark, unit, tmp_path):
    columns = [[cell.format(value) for value in values] for cell, values in zip(cells, (WAVE, S[0]), strict=True)]
    for comma in (False, True) if ";" in mark else (False,):
        text = table(*columns, mark=mark)
        cube = opened(tmp_path, title + (text.replace(".", ",") if comma else text))
        np.testing.assert_allclose(cube.data, S[:1])
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert cube.axis.unit == unit


def test_names_with_a_number_and_a_unit_stay_names(tmp_path):
    for unit in ("mM", "s", "nm"):
        cube = opened(tmp_path, "dose," + ",".join(map(str, WAVE)) + "\n" + table([f"{n} {unit}" for n in range(12)], *S.T))
        assert cube.metadata["labels"][:2] == [f"0 {unit}", f"1 {unit}"]
        np.testing.assert_allclose(cube.data, S)
    cube = opened(tmp_path, table([f"{at} nm" for at in WAVE], *S[:3]))  # positions of spectra in columns
    assert cube.axis == SpectralAxis(WAVE, "nm")


@pytest.mark.parametrize(
    ("titles", "index"), [("x,y,peak", False), ("ID,X,Y,B1,B2,B3", True), (";  ID   X   Y   B1   B2   B3", True), ("x,y,area,width", False)]
)
def test_values_at_places_without_positions_are_bands_of_an_image(titles, index, tmp_path):
    count = len(titles.replace(",", " ").strip("; ").split()) - 2 - index
    mark = "   " if ";" in titles else ","
    x, y = zip(*PLACES, strict=True)
    text = f"{titles}\n" + table(*([range(1, 13)] if index else []), x, y, *S[:, :count].T, mark=mark)
    cube = opened(tmp_path, text)
    np.testing.assert_allclose(cube.data, S[:, :count].reshape(3, 4, count))
    if index:  # a region of one row is no spectrum over x
        cube = opened(tmp_path, "\n".join(text.splitlines()[:5]) + "\n")
        np.testing.assert_allclose(cube.data, S[:4, :count])


@pytest.mark.parametrize("order", ["spectrum after spectrum", "band after band", "any"])
@pytest.mark.parametrize("placed", [False, True])
def test_names_of_spectra_in_lines_of_one_value(order, placed, tmp_path):
    rows = [(*PLACES[n], NAMES[n], WAVE[band], S[n, band]) for n in range(12) for band in range(30)]
    if order != "spectrum after spectrum":
        rows = [rows[n * 30 + band] for band in range(30) for n in range(12)]
    if order == "any":
        rows = [rows[number] for number in np.random.default_rng(1).permutation(len(rows)).tolist()]
    titles = ("x", "y", "sample", "wavelength (nm)", "I")
    text = "".join(",".join(map(str, row if placed else row[2:])) + "\n" for row in (titles, *rows))
    cube = opened(tmp_path, text, "t.csv")
    np.testing.assert_allclose(cube.axis.values, WAVE)
    names = cube.metadata["labels"]
    assert sorted(names) == sorted(NAMES)
    np.testing.assert_allclose(cube.data.reshape(12, 30), S[[NAMES.index(name) for name in names]])
    assert cube.shape == ((3, 4, 30) if placed else (12, 30))
    roles = {number: column.role for number, column in enumerate(columns_of(tmp_path / "t.csv"))}
    np.testing.assert_allclose(read(tmp_path / "t.csv", columns=roles).data, cube.data)


def test_a_zero_where_line_and_column_meet_is_no_position_and_times_are_none(tmp_path):
    times = np.arange(-1, 5, 0.5)
    cube = opened(
        tmp_path, table(["0", *WAVE], *([time, *row] for time, row in zip(times, S, strict=True))) + "\nchirp: corrected\n", "t.csv"
    )
    np.testing.assert_allclose(cube.data, S)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    even = opened(tmp_path, table(range(0, 120, 10), *S[:3, :12]), "t.csv")  # here it is one
    assert even.shape == (3, 12)


def test_titles_of_spectra_in_columns_are_their_names_and_shorter_ones_end_in_nan(tmp_path):
    text = "nm,leaf,nm,bark\n" + table(WAVE, S[0], [*WAVE[:20], *[""] * 10], [*S[1, :20], *[""] * 10])
    with pytest.warns(SpectralWarning, match="not equally long"):
        cube = opened(tmp_path, text)
    assert cube.metadata["labels"] == ["leaf", "bark"]
    np.testing.assert_allclose(cube.data, [S[0], [*S[1, :20], *[np.nan] * 10]])


@pytest.mark.parametrize("words", ["Number of Points\t{}", "NPOINTS={}", "Number of Pixels in Spectrum: {}", "Num Points,{}"])
def test_points_that_a_text_promises_and_does_not_hold_are_mentioned(words, tmp_path, recwarn):
    text = "\nWavelength (nm)\tI\n" + table(WAVE, S[0], mark="\t")
    opened(tmp_path, words.format(30) + text)
    assert not recwarn.list
    with pytest.warns(SpectralWarning, match="promises 40 points and gives 30"):
        opened(tmp_path, words.format(40) + text)


def test_values_that_the_usgs_deleted_are_missing(tmp_path):
    values = np.where(np.arange(30) < 3, -1.23e34, S[0])
    np.testing.assert_allclose(opened(tmp_path, "title\n" + table(WAVE, values, mark="  ")).data, [np.where(values < 0, np.nan, values)])


@pytest.mark.parametrize(("kind", "square"), [("mat", True), ("mat", False), ("h5", True), ("npz", False)])
def test_matrices_of_excitation_and_emission_lie_on_their_emission(kind, square, tmp_path):
    emission, excitation = np.linspace(300, 600, 12 if square else 20), np.linspace(250, 400, 12)
    values, path = np.random.default_rng(2).random((3, len(emission), 12)), tmp_path / f"a.{kind}"
    if kind == "mat":
        savemat(path, {"X": values, "Ex": excitation, "Em": emission})
    elif kind == "npz":
        np.savez(path, eem=values, excitation=excitation, emission=emission)
    else:
        with h5py.File(path, "w") as file:
            file["eem"], file["ex"], file["em"] = values, excitation, emission
    if square:
        with pytest.warns(SpectralWarning, match="both as long as its dimensions 1 and 2; 1 is taken"):
            cube = read(path)
    else:
        cube = read(path)
    np.testing.assert_allclose(cube.data, values.transpose(0, 2, 1))
    assert cube.axis == SpectralAxis(emission, "nm")


def test_containers_by_their_numbers_lists_and_groups(tmp_path):
    image = np.random.default_rng(3).random((4, 3, 30))
    savemat(tmp_path / "a.mat", {"size": [4, 3, 30], "data": image.reshape(12, 30, order="F"), "wavelength": WAVE})
    np.testing.assert_array_equal(read(tmp_path / "a.mat").data, image)
    savemat(tmp_path / "b.mat", {"rad": image, "bands": WAVE, "rgb": image[..., :3]})
    np.testing.assert_array_equal(read(tmp_path / "b.mat").data, image)
    savemat(tmp_path / "c.mat", {"spectra": S.T, "x": WAVE})
    with pytest.warns(SpectralWarning, match="'x' is taken"):
        np.testing.assert_array_equal(read(tmp_path / "c.mat").data, S)
    savemat(tmp_path / "d.mat", {"height": image[..., 0], "x": np.arange(3) * 10.0, "y": np.arange(4) * 10.0})
    assert not read(tmp_path / "d.mat").axis.unit
    with h5py.File(tmp_path / "e.h5", "w") as file:
        for name, spectrum in zip("abc", S, strict=False):
            file[f"{name}/wavelength"], file[f"{name}/intensity"] = WAVE, spectrum
    cube = read(tmp_path / "e.h5")
    np.testing.assert_array_equal(cube.data, S[:3])
    assert (cube.metadata["labels"], cube.axis) == (["a", "b", "c"], SpectralAxis(WAVE, "nm"))
    with h5py.File(tmp_path / "e.h5", "a") as file:
        file["b/wavelength"][...] = WAVE + 1
    with pytest.raises(UnreadableError, match="different positions; choose one of a/intensity"):
        read(tmp_path / "e.h5")


def test_windows_of_detection_in_ome_are_positions(tmp_path, recwarn):
    path, middles = tmp_path / "a.ome.tif", np.arange(410.0, 450, 10)
    tifffile.imwrite(path, np.zeros((4, 3, 2), "u1"), photometric="minisblack", metadata={"axes": "CYX"})
    with tifffile.TiffFile(path) as file:
        xml = file.ome_metadata
    filters = "".join(
        f'<Filter ID="F:{n}"><TransmittanceRange CutIn="{at - 5}" CutOut="{at + 5}" CutInUnit="nm" CutOutUnit="nm"/></Filter>'
        for n, at in enumerate(middles)
    )
    xml = xml.replace("<Image ", f'<Instrument ID="I:0">{filters}</Instrument><Image ', 1)
    for n in range(4):
        start = xml.index(f'<Channel ID="Channel:0:{n}"')
        end = xml.index(">", start) + 1
        opening = xml[start:end].rstrip("/>")
        rest = xml[end:] if xml[end - 2] == "/" else xml[xml.index("</Channel>", end) + len("</Channel>") :]
        xml = f'{xml[:start]}{opening}><LightPath><EmissionFilterRef ID="F:{n}"/></LightPath></Channel>{rest}'
    tifffile.tiffcomment(path, xml.encode())
    assert read(path).axis == SpectralAxis(middles, "nm")
    assert not recwarn.list


def test_names_and_places_of_spectra_are_written_and_follow_an_index(tmp_path):
    for suffix in (".h5", ".npz", ".npy", ".mat", ".zarr", ".ome.zarr", ".ome.tif", ".csv", ".hdr"):
        count = 4000 if suffix == ".h5" else 12
        names = [f"leaf {number}" for number in range(count)]
        coordinates = {"z": {"values": [0.5 * number for number in range(count)], "unit": "um"}}
        cube = Cube(np.zeros((count, 3), "f4"), SpectralAxis([400, 500, 600], "nm"), metadata={"labels": names, "coordinates": coordinates})
        back = read(write(cube, tmp_path / f"a{suffix}"))
        assert back.metadata["labels"] == names
        assert suffix == ".hdr" or back.metadata["coordinates"] == coordinates
    part = cube[[5, 2]][..., :2]
    assert part.metadata["labels"] == ["leaf 5", "leaf 2"]
    assert part.metadata["coordinates"]["z"]["values"] == [2.5, 1.0]
    assert "labels" not in cube.with_data(np.zeros((2, 3))).metadata
    planes = Cube(np.zeros((6, 2, 2, 3)), metadata={"planes": {"z": {"start": 1.0, "step": 2.0, "unit": "um"}}})[2::2]
    assert planes.metadata["planes"]["z"] == {"start": 5.0, "step": 4.0, "unit": "um"}


def test_folders_and_headers_say_what_they_are(tmp_path):
    store = write(Cube(np.ones((2, 3, 4), "f4")), tmp_path / "a.zarr")
    store.rename(tmp_path / "store")
    assert inspect(tmp_path / "store")
    with pytest.raises(UnreadableError, match="it is a folder, which holds store; open a file in it"):
        read(tmp_path)
    with pytest.raises(ValueError, match=r"no format is written under '\.qqq'; known: .*\.h5"):
        write(np.ones((2, 3)), tmp_path / "a.qqq")
    (tmp_path / "e.hdr").write_text("ENVI\ndescription = { a {b\n }\nsamples = 2\nlines = 2\nbands = 3\ndata type = 1\ninterleave = bip\n")
    (tmp_path / "e.dat").write_text("not these\n")
    (tmp_path / "e.raw").write_bytes(bytes(range(12)))
    np.testing.assert_array_equal(read(tmp_path / "e.hdr").data.ravel(), np.arange(12))
    head = struct.pack("<BBBbiddi", 0, 0x4B, 0, -128, 3, 400.0, 402.0, 1)  # a spectrum of the name of a scene is none of its values
    (tmp_path / "e.spc").write_bytes(head.ljust(512, b"\0") + bytes(32) + np.array([1, 2, 3], "<f4").tobytes())
    np.testing.assert_array_equal(read(tmp_path / "e.spc").data, [[1, 2, 3]])
    (tmp_path / "e.spc").write_bytes(bytes(range(12)))
    np.testing.assert_array_equal(read(tmp_path / "e.spc").data.ravel(), np.arange(12))
    with zipfile.ZipFile(tmp_path / "sheet", "w") as sheet:
        sheet.writestr("[Content_Types].xml", "")
    foreign = {
        b"SIMPLE  =                    T": "FITS is not read; save its array as", b"\x89PNG\r\n\x1a\n": "it is a picture",
        b"%PDF-1.4": "a document", b"<!DOCTYPE html>\n<table>": "a document; save its table as .csv",
        (tmp_path / "sheet").read_bytes(): "it is a spreadsheet; save",
        b"Andor Technology Multi-Channel File\n": "Andor Solis .* export it", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an OLE file",
    }  # fmt: skip
    for suffix in (".gwy", ".jws", ".asd", ".dsw", ".ser"):
        (tmp_path / f"x{suffix}").write_bytes(bytes(range(256)))
        with pytest.raises(ValueError, match=f"no reader for {suffix}: .* not read; (save|export)"):
            read(tmp_path / f"x{suffix}")
    for content, words in foreign.items():  # whatever the suffix is
        for name in ("f.csv", "f.dat", "f.tif", "f.h5", "f", "f.img"):
            (tmp_path / name).write_bytes(content.ljust(600, b" "))
            with pytest.raises(ValueError, match=words):
                read(tmp_path / name)


def test_titles_and_sizes_that_a_text_lists_in_a_way_of_its_own(tmp_path):
    values, bands = S[:5, :12], np.arange(400, 520, 10)
    rows = table([f"A{n}" for n in range(5)], *values.T)
    arff = "@RELATION r\n@ATTRIBUTE id STRING\n" + "".join(f"@attribute 'w{at}' NUMERIC\n" for at in bands) + "@DATA\n" + rows
    np.testing.assert_array_equal(opened(tmp_path, arff, "a.arff").axis.values, bands)
    listed = ["SAMPLE_NAME", *(f"SPECTRAL_NM{at}" for at in bands)]
    for between in ("\t", "\n"):
        cgats = f"CGATS.17\nBEGIN_DATA_FORMAT\n{between.join(listed)}\nEND_DATA_FORMAT\nNUMBER_OF_SETS 5\nBEGIN_DATA\n" + rows.replace(
            ",", "\t"
        )
        cube = opened(tmp_path, cgats + "END_DATA\n")
        assert cube.axis == SpectralAxis(bands, "nm")
        np.testing.assert_allclose(cube.data, values)
    lines = table(WAVE, S[0], [0.0] * 30, [0] * 30, mark=" ")
    units = "Unit1 = $05 $01 Nanometers\nUnit2 = $03 $05 mW/(m^2 nm)\nUnit3 = $f0 $05 mW/(m^2 nm)\nUnit4 = $f1 $00 Status\n"
    cube = opened(tmp_path, f"[Attributes]\n{units}[END] of [Attributes]\n\n[DATA]\n{lines}[END] of [DATA]\n")
    assert (cube.shape, cube.axis.unit) == ((1, 30), "nm")
    head = "[SpectrumHeader]\nTitle = {}\nSpectrumSize = 30\nXDataKind = nm\n\n[SpectrumData]\n"
    cube = opened(tmp_path, "".join(head.format(name) + table(WAVE, one, mark="\t") + "\n" for name, one in zip("ab", S, strict=False)))
    assert (cube.shape, cube.axis.unit, cube.metadata["labels"]) == ((2, 30), "nm", ["a", "b"])
    np.testing.assert_allclose(opened(tmp_path, "30 2\n" + table(WAVE, S[0], mark=" ")).axis.values, WAVE)
    emsa = (
        "#FORMAT : EMSA/MAS Spectral Data File\n#BEAMKV   -kV: 200\n#{}:\n#NPOINTS : 30.\n#XUNITS : eV\n#DATATYPE : XY\n#SPECTRUM : here\n"
    )
    pairs = emsa.format(" " * 9999 + "a" + " " * 9999) + table(WAVE, S[0], mark=", ") + "#ENDOFDATA :\n"
    for name in ("a.emsa", "a.txt"):
        cube = opened(tmp_path, pairs, name)
        np.testing.assert_allclose(cube.data, S[:1])
        assert cube.axis == SpectralAxis(WAVE, "eV")
    image = S[:, :5].reshape(3, 4, 5)
    planes = "\n".join(table(*image[..., band].T, mark=" ") for band in range(5))
    with pytest.warns(SpectralWarning, match="5 bands one after another"):
        cube = opened(tmp_path, f"; ENVI Output of ASCII Data\n; File Dimensions: 4 samples x 3 lines x 5 bands\n{planes}")
    np.testing.assert_allclose(cube.data, image)
    size = "ncols 4\nnrows 3\nxllcorner 0.0\nyllcorner 5.0\ncellsize 50.0\nNODATA_value -9999\n"
    cube = opened(tmp_path, size + table(*image[..., 0].T, mark=" ").replace(str(image[0, 0, 0]), "-9999"), "dem.asc")
    np.testing.assert_allclose(cube.data[..., 0], np.where(image[..., 0] == image[0, 0, 0], np.nan, image[..., 0]))


def test_a_column_that_is_in_order_by_chance_is_no_position(tmp_path):
    for lines in (3, 5):
        values = S[:lines].copy()
        values[:, lines - 3] = np.sort(values[:, lines - 3])
        with pytest.warns(SpectralWarning, match="does not say which dimension"):
            np.testing.assert_allclose(opened(tmp_path, table(*values.T)).data, values)
    both = np.vstack([WAVE, np.sort(S[:4], axis=0)[::-1]])
    np.testing.assert_allclose(opened(tmp_path, table(*both.T)).data, both[1:])


def test_numbers_in_names_and_units_and_dashes_in_footers_are_no_numbers_of_the_table(tmp_path):
    rows = [("s 1", at, value) for at, value in zip(WAVE, S[0], strict=True)] + [
        ("b", at, value) for at, value in zip(WAVE, S[1], strict=True)
    ]
    for mark in "\t;|":  # blanks would make more cells of numbers
        cube = opened(tmp_path, table(*zip(("sample", "Wavenumber (cm-1)", "I"), *rows, strict=True), mark=mark))
        np.testing.assert_allclose(cube.data, S[:2])
        assert cube.metadata["labels"] == ["s 1", "b"]
    for title in ("Wavenumber 1/cm", "Wavenumber_1/cm", "wave number /cm", ",Wavenumber (1/cm)"):
        lead = [range(2)] if title[0] == "," else []
        text = f"{title}," + ",".join(map(str, WAVE)) + "\n" + table(*lead, "ab", *S[:2].T)
        cube = opened(tmp_path, text)
        np.testing.assert_allclose(cube.data, S[:2])
        assert cube.axis == SpectralAxis(WAVE, "1/cm")
    german = ";".join(["Klasse", *(f"{at} nm." for at in WAVE)]) + "\n" + table("ab", *S[:2].T, mark=";")
    assert opened(tmp_path, german.replace(".", ",").replace("nm,", "nm.")).axis == SpectralAxis(WAVE, "nm")
    text = "sample Energy_eV I\n" + table(*zip(*[(name.replace(" ", ""), *rest) for name, *rest in rows], strict=True), mark=" ")
    assert opened(tmp_path, text + "\n-- end --\n").metadata["labels"] == ["s1", "b"]


def test_lines_between_titles_and_numbers_are_no_positions_and_powers_are_numbers(tmp_path, recwarn):
    for line in (",1,2,1,2", "plot,1,2,3,4", "year,2019,2020,2021,2022"):
        cube = opened(tmp_path, f"Wavelength (nm),A,A,B,B\n{line}\n" + table(WAVE, *S[:4]))
        np.testing.assert_allclose(cube.data, S[:4])
        assert cube.axis == SpectralAxis(WAVE, "nm")
    for form in ("×10^2", " x 10^2", "·10^{2}"):
        np.testing.assert_allclose(opened(tmp_path, "nm,I\n" + table(WAVE, [f"{one / 100:.5f}{form}" for one in S[0]])).data, S[:1])
    assert not recwarn.list
    opened(tmp_path, "nm\tI\n" + table(range(400, 430), [f"{n:,}" for n in range(5000, 5030)], mark="\t"))
    assert "thousands" in str(recwarn.pop(SpectralWarning).message)


def test_numbered_fields_and_objects_in_texts_of_a_tiff_are_lists(tmp_path, recwarn):
    stack, wave = np.zeros((8, 7, 6), "u2"), np.arange(410.0, 490, 10)
    numbered = "\n".join(f"Information|Image|Channel|EmissionWavelength #{n + 1} = {at}" for n, at in enumerate(wave))
    windows = "\n".join(
        f"Information|Image|Channel|DetectionWavelength|Ranges #{n:02d} = {at - 5}-{at + 5}" for n, at in enumerate(wave, 1)
    )
    for info in (numbered, windows):
        tifffile.imwrite(tmp_path / "a.tif", stack, imagej=True, metadata={"axes": "CYX", "Info": info})
        assert read(tmp_path / "a.tif").axis == SpectralAxis(wave, "nm")
    for words in (json.dumps({"bands": [{"wavelength": at} for at in wave]}), "Wavelengths: " + ", ".join(f"{at:.0f} nm" for at in wave)):
        tifffile.imwrite(tmp_path / "b.tif", stack, photometric="minisblack", description=words, metadata=None)
        assert read(tmp_path / "b.tif").axis == SpectralAxis(wave, "nm")
    assert not recwarn.list


def test_numbers_of_repeats_distinguish_spectra_of_one_value_a_line_in_any_order(tmp_path):
    rows = [("ab"[n // 3], n % 3 + 1, at, value) for n in range(6) for at, value in zip(WAVE, S[n], strict=True)]
    by_band = [rows[n * 30 + band] for band in range(30) for n in range(6)]
    any_order = [rows[number] for number in np.random.default_rng(4).permutation(len(rows)).tolist()]
    for listed in (rows, by_band, any_order):
        cube = opened(tmp_path, table(*zip(("sample", "rep", "nm", "I"), *listed, strict=True)), "t.csv")
        found = np.asarray(cube.data)[np.lexsort(np.asarray(cube.data).T[::-1])]
        np.testing.assert_allclose(found, S[:6][np.lexsort(S[:6].T[::-1])])
        assert sorted(cube.metadata["labels"]) == list("aaabbb")
    numbered = [(2 * "ab".index(name) + rep, *rest) for name, rep, *rest in any_order if rep < 3]
    cube = opened(tmp_path, table(*zip(("id", "wavelength", "R"), *numbered, strict=True)), "t.csv")
    np.testing.assert_allclose(cube.data, S[[0, 1, 3, 4]])


def test_values_in_the_byte_order_that_a_header_does_not_name_are_said(tmp_path):
    smooth = np.add.outer(np.add.outer(np.arange(8.0), np.sin(np.arange(19) / 5)), np.cos(np.arange(20) / 7)) + 3
    noise = np.random.default_rng(0).random(smooth.shape)
    for values, kinds in ((smooth * 2000, ("f4", "f8", "u2", "i4")), (noise * 4000, ("f4", "f8", "u2")), (noise - 0.5, ("f4", "f8"))):
        for kind in kinds:
            for stored, named in (("<", 0), (">", 1), ("<", 1), (">", 0)):
                code = {"f4": 4, "f8": 5, "u2": 12, "i4": 3}[kind]
                (tmp_path / "a.dat").write_bytes(values.astype(stored + kind).tobytes())
                (tmp_path / "a.hdr").write_text(
                    f"ENVI\nsamples = 20\nlines = 19\nbands = 8\ndata type = {code}\ninterleave = bsq\nbyte order = {named}\n"
                )
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    read(tmp_path / "a.hdr")
                said = [str(one.message) for one in caught if "the other byte order" in str(one.message)]
                assert bool(said) == ((stored == "<") == bool(named)), (kind, stored, named, said)
                assert all(f"change 'byte order' in a.hdr to {1 - named}" in one for one in said)


def test_values_in_the_interleave_that_a_header_does_not_name_are_said(tmp_path):
    scene = np.asarray(sample("cartilage").cube.data)[:24, :30, :60]
    orders = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
    ramp = np.arange(24 * 30 * 60).reshape(24, 30, 60)
    noise = np.random.default_rng(0).random((24, 30, 60))
    for cube, is_scene in ((scene, True), (noise, False), (ramp, False), (scene[:5], False)):
        for stored, order in orders.items():
            (tmp_path / "a.dat").write_bytes(cube.transpose(order).astype("<f4").tobytes())
            for named in orders:
                (tmp_path / "a.hdr").write_text(
                    f"ENVI\nsamples = 30\nlines = {len(cube)}\nbands = 60\ndata type = 4\ninterleave = {named}\nbyte order = 0\n"
                )
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    read(tmp_path / "a.hdr")
                said = [str(one.message) for one in caught if "interleave" in str(one.message)]
                assert bool(said) == (is_scene and stored != named), (stored, named, said)
                assert all(f"were {stored}, and its header says {named}; if they are change 'interleave' in a.hdr" in one for one in said)


def test_what_lines_above_a_table_say_of_its_directions_and_columns(tmp_path):
    """Offsets of scans are no positions; titles may stand further above; starts of scans tell emission from excitation."""
    columns = table(WAVE, *S[:3])
    scans = f"Labels,a,b,c\nFixed/Offset,350,360,370\nXaxis{',Wavelength(nm)' * 3}\nYaxis{',Counts' * 3}\n\n{columns}"
    starts = f"EX start WL: 350.0 nm\nEM start WL: {WAVE[0]} nm\n\n,350.0,360.0,370.0\n{columns}"
    for text in (scans, starts):
        cube = opened(tmp_path, text, "a.csv")
        np.testing.assert_allclose(cube.data, S[:3])
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert cube.axis.unit == "nm"
    assert opened(tmp_path, scans, "b.csv").metadata["labels"] == ["a", "b", "c"]
    corner = opened(tmp_path, f"NaN,350,360,370\n{columns}")  # next to times
    np.testing.assert_allclose(corner.data, np.transpose(S[:3]))
    frames = table(np.tile(WAVE, 3), [1] * 90, np.repeat([1, 2, 3], 30), S[:3].ravel(), mark=" ")
    np.testing.assert_allclose(opened(tmp_path, frames).data, S[:3])
    library = "3 columns:\n wavelength    reflectance    standard deviation\n\n(0.0 means not measured)\n-----\nActinolite HS22 W1R1\n"
    cube = opened(tmp_path, library + table(WAVE / 1000, S[0], S[1] * 0, mark="    "), "c.asc")
    np.testing.assert_allclose(cube.data, S[:1])
    assert cube.axis.unit == "um"


def test_columns_that_count_the_bands_of_a_map_and_titles_that_count_or_place_them(tmp_path):
    long = [(y, x, n, at, S[2 * y + x, n], S[n % 12, n]) for y in (0, 1) for x in (0, 1) for n, at in enumerate(WAVE)]
    for titles in ("Row\tColumn\tOmega\tWavenumber\tO1A\tO1P\n", "#L Row  Column  Omega  Wavenumber  O1A  O1P\n"):
        cube = opened(tmp_path, titles + table(*zip(*long, strict=True), mark="\t"))
        np.testing.assert_allclose(cube.data, S[:4].reshape(2, 2, 30))
    for first, cells, others in (("fid", range(6), ""), ("name", NAMES[:6], ""), ("system:index", range(6), "class")):
        titles = ",".join([first, *[f"B{n + 1}" for n in range(30)], *others.split()])
        columns = [cells, *S[:6].T, *([[0, 1, 2] * 2] if others else [])]
        with pytest.warns(SpectralWarning, match="B1 to B30 are taken for bands"):
            cube = opened(tmp_path, f"{titles}\n{table(*columns)}")
        np.testing.assert_allclose(cube.data, S[:6])
        assert cube.axis.unit == ""
    wells = opened(tmp_path, f"Wavelength,{','.join(f'B{n + 1}' for n in range(6))}\n{table(WAVE, *S[:6])}")
    np.testing.assert_allclose(wells.data, S[:6])
    soils = ",".join(["id", *[f"scan_mir.{600 + 2 * n}_abs" for n in range(30)]])  # of the Open Soil Spectral Library
    cube = opened(tmp_path, f"{soils}\n{table(NAMES[:6], *S[:6].T)}")
    np.testing.assert_allclose(cube.data, S[:6])
    np.testing.assert_array_equal(cube.axis.values, np.arange(30) * 2 + 600)
    named = opened(tmp_path, f"x,{','.join(f'sample_{n}' for n in range(500, 506))}\n{table(WAVE, *S[:6])}")  # of spectra
    np.testing.assert_allclose(named.data, S[:6])
    two = opened(tmp_path, f"x,y,{','.join(map(str, WAVE))}\n{table([0, 1], [0, 2], *S[:2].T)}")  # not the corners of an image
    np.testing.assert_allclose(two.data, S[:2])
    placed = ",".join(["lat", "lon", "date", *[f"Rrs_{100 * n + 400}" for n in range(30)]])
    days = [20240101, 20240102, 20240101, 20240102, 20240102, 20240101]
    cube = opened(tmp_path, f"{placed}\n{table([50.1, 50.2, 50.5, 51, 52, 53], [9, 8, 7, 7.5, 8, 9], days, *S[:6].T)}")
    np.testing.assert_allclose(cube.data, S[:6])
    np.testing.assert_array_equal(cube.axis.values, np.arange(30) * 100 + 400)
    assert cube.metadata["labels"] == list(map(str, days))
    for named, sides in (("band {0} ({1} Nanometers)", ("x", "y")), ("Band {0}: {1} nm", ("column (x)", "row (y)"))):
        titles = ",".join([*sides, *[named.format(n + 1, at) for n, at in enumerate(WAVE)]])
        x, y = zip(*PLACES, strict=True)
        cube = opened(tmp_path, f"{titles}\n{table(x, y, *S.T)}")
        np.testing.assert_allclose(cube.data, S.reshape(3, 4, 30))
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert cube.axis.unit == "nm"


def test_spectra_with_positions_of_their_own_that_begin_or_end_earlier(tmp_path):
    wave, expected = WAVE[::-1], np.full((3, 30), np.nan)
    parts = (slice(0, 20), slice(4, 30), slice(8, 15))
    for row, part in zip(expected, parts, strict=True):
        row[part] = S[0, part]
    cells = [[(wave[part][n], S[0, part][n]) if n < part.stop - part.start else ("", "") for n in range(26)] for part in parts]
    text = (
        "a,,b,,c,\n"
        + ",".join(["Wavelength (nm),Abs"] * 3)
        + "\n"
        + "".join(",".join(f"{at},{value}" for at, value in line) + "\n" for line in zip(*cells, strict=True))
    )
    with pytest.warns(SpectralWarning, match="begin or end at different positions; they are NaN where they have none"):
        cube = opened(tmp_path, text)
    np.testing.assert_allclose(cube.data, expected)
    np.testing.assert_allclose(cube.axis.values, wave)
    with pytest.raises(UnreadableError, match="its spectra lie at different positions"):
        opened(tmp_path, f"Raman Shift,A,Wavelength (nm),B\n{table(WAVE, S[0], WAVE + 600, S[1])}")
    for between in (wave + 0.5, wave[::3]):  # which would leave gaps
        pairs = table(wave[: len(between)], S[0, : len(between)], between, S[1, : len(between)])
        with pytest.raises(UnreadableError, match="its spectra lie at different positions"):
            opened(tmp_path, f"{','.join(['Wavelength (nm),Abs'] * 2)}\n{pairs}")


def test_headers_of_esri_and_files_of_others_next_to_one(tmp_path):
    cube = np.random.default_rng(0).integers(0, 4000, (5, 7, 12))
    orders = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
    for layout, order in orders.items():
        for kind, words in (("u2", "UNSIGNEDINT"), ("i2", "SIGNEDINT"), ("f4", "FLOAT")):
            for end, stored in (("I", "<"), ("M", ">")):
                size = 7 * int(kind[1])
                (tmp_path / f"a.{layout}").write_bytes(bytes(3) + cube.transpose(order).astype(stored + kind).tobytes())
                lines = [f"BYTEORDER {end}", f"LAYOUT {layout.upper()}", "NROWS 5", "NCOLS 7", "NBANDS 12", f"NBITS {8 * int(kind[1])}",
                         f"BANDROWBYTES {size}", f"TOTALROWBYTES {size * (1 if layout == 'bsq' else 12)}", f"PIXELTYPE {words}",
                         "SKIPBYTES 3",
                         f"NODATA {cube[0, 0, 0]}", "XDIM 30"]  # fmt: skip
                (tmp_path / "a.hdr").write_text("\r\n".join(lines))
                for name in ("a.hdr", f"a.{layout}"):
                    found = np.asarray(read(tmp_path / name).data)
                    np.testing.assert_array_equal(found, np.where(cube == cube[0, 0, 0], np.nan, cube))
        (tmp_path / f"a.{layout}").unlink()
    (tmp_path / "a.cu3s").write_bytes(bytes(2000))  # as long as the values and longer, but of the program that exported them
    with pytest.raises(ValueError, match=r"no reader for \.cu3s: .* export the cube"):
        read(tmp_path / "a.cu3s")
    for name, content, words in (
        ("b.hdr", b"\nScanDefinition = { Label", "scanning X-ray microscope"), ("b.hdr", b"\x5c\x01\0\0" + bytes(344), "Analyze or NIfTI"),
        ("b.hdr", b"nrows 5\nncols 7\nbandgapbytes 2\n", "bytes of other things"), ("b.hdr", b"ncols 7\n", "says nothing of NROWS"),
        ("b.hdr", b"nrows 5\nncols 7\nnbits 4\n", "numbers of 4 bits"), ("b.xml", b"<?xml version='1.0'?><a/>", "no XML of LabSpec"),
        ("b.spc", struct.pack("<f", 0.61) + bytes(4000), "a spectrum of EDAX"), ("b.nc", b"CDF\x05" + bytes(99), "nccopy -k nc4"),
        ("b.h5", b"\x0e\x03\x13\x01" + bytes(99), "a file of HDF4"),
        ("c.map", b"Spectral Exte File\r\n" + bytes(99), "groups and maps of OMNIC"),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=words):
            read(tmp_path / name)


def test_positions_in_metres_of_an_axis_without_a_name(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:  # as Odemis writes them
        file["Image"], file["DimensionScaleC"] = np.zeros((30, 1, 1, 5, 7)), WAVE * 1e-9
        file["DimensionScaleC"].make_scale("C")
        file["Image"].dims[0].attach_scale(file["DimensionScaleC"])
        for number, label in enumerate("CTZYX"):
            file["Image"].dims[number].label = label
    with pytest.warns(SpectralWarning, match="without a unit; nm is assumed, times 1e\\+09"):
        axis = read(tmp_path / "a.h5").axis
    np.testing.assert_allclose(axis.values, WAVE)
    assert axis.unit == "nm"
