"""Tables as further programs write them: results next to what they were computed from, corners, marks of thousands, texts of any suffix."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning

pytestmark = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE = np.linspace(400, 1800, 40).round(2)
S = np.random.default_rng(0).integers(0, 10000, (12, 40)) / 10
EMPTY = [""] * 40


def table(*columns, mark: str = ",") -> str:
    return "".join(mark.join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def opened(folder, text: str, name: str = "t.txt", **options):
    (folder / name).write_text(text, encoding=options.pop("encoding", "utf-8"))
    return read(folder / name, **options)


AVANTES = "Integration time [ms]: 100.0\nData measured with spectrometer [name]: 0911147U1\n"
JAZ = "Jaz Data File\nProcessing Method: Reflectance\n>>>>>Begin Processed Spectral Data<<<<<\n"


@pytest.mark.parametrize(
    ("titles", "others"),
    [
        *((f"{AVANTES}Wave   ;Sample   ;Dark     ;Reference;{result}\n[nm]   ;[counts] ;[counts] ;[counts]{unit}\n", 3)
          for result, unit in (("Transmittance", " ;[%]"), ("Absorbance", ";[A.U.]"), ("Irradiance", ";[uW/cm2/nm]"), ("Scope", ""))),
        ("Wave;Dark;Ref;Sample;Transmittance\n[nm];[counts];[counts];[counts];[% transmittance]\n", 3),
        (f"{JAZ}W;D;R;S;P\n", 3), (f"{JAZ}W;D;S;P\n", 2),
        ("Wvl;Rad. (Ref.);Rad. (Target);Reflect. %\n", 2), ("Wvl;Norm. DN (Ref.);Norm. DN (Target);Reflect. [1.0]\n", 2),
        ("Wavelength (nm);Reference Signal (unitless);Sample Signal (unitless);Absorbance (AU)\n", 2),
        ("Wavelength;Background;Reference;Sample;Reflectance (%)\n", 3), ("Raman shift;Raw;Dark;Processed\n", 2),
        ("wavelength;std_reflectance;mean_reflectance\n", 1), ("wavelength;flux_err;flux\n", 1),
        ("wavelength;standard dev.;reflectance\n", 1), ("wavelength;± reflectance;reflectance\n", 1),
        ("Raman shift (cm-1);Normalised counts;Counts\n", 1),
    ],
)  # fmt: skip
def test_of_a_result_and_what_it_was_computed_from_the_result_is_read(titles, others, tmp_path):
    with pytest.warns(SpectralWarning, match="is read, and not"):
        cube = opened(tmp_path, titles + table(WAVE, *S[1 : others + 1], S[0], mark=";"))
    np.testing.assert_allclose(cube.data, S[:1])
    assert cube.axis.unit in ("nm", "1/cm")


@pytest.mark.parametrize(
    ("titles", "count"), [("Wavelength (nm);Reflectance (%);Transmittance (%)\n", 2), ("Wavelength (nm);Absorbance A;Absorbance B\n", 2),

                          ("Wavelength (nm);Std 1;Sample 1\n", 2),
                          ("Wavelength (nm);baseline day 1;day 7\n", 2), ("Wavelength (nm);quartz;reference powder A\n", 1)]
)  # fmt: skip
def test_results_and_samples_stay_next_to_each_other(titles, count, tmp_path):
    np.testing.assert_allclose(opened(tmp_path, titles + table(WAVE, *S[:2], mark=";")).data, S[:count])


def test_titles_that_a_program_leaves_out_are_known(tmp_path):
    text = "/*** Spectra Vista SIG Data ***/\nname= a.sig\nunits= Radiance, Radiance\ndata= \n" + table(WAVE, S[2], S[1], S[0], mark="  ")
    cube = opened(tmp_path, text, "a.sig")
    assert cube.axis.unit == "nm"
    np.testing.assert_allclose(cube.data, S[:1])


@pytest.mark.parametrize("titles", ["Pixel,Wavelength,Wavenumber,Processed,Raw,Dark,Reference", "Pixel,Wavelength,Wavenumber,Processed,,,"])
def test_titles_over_empty_columns_at_the_end_are_titles(titles, tmp_path):
    raw = S[1] if "Raw" in titles else EMPTY
    cube = opened(tmp_path, f"Laser,785\nNote,\n\n{titles}\n" + table(range(40), WAVE, 1e7 / WAVE, S[0], raw, EMPTY, EMPTY), "t.csv")
    np.testing.assert_allclose(cube.data, S[:1])
    np.testing.assert_allclose(cube.axis.values, WAVE)


def matrix(title: str, across, down, values, mark: str = ",") -> str:
    rows = (mark.join(map(str, [one, *row])) for one, row in zip(down, values, strict=True))
    return "\n".join([mark.join([title, *map(str, across)]), *rows]) + "\n"


@pytest.mark.parametrize("title", ["EX Wavelength/EM Wavelength", "Ex\\Em", "Time (s)/Wavelength (nm)", "Time [s] \\ Wavelength [nm]"])
def test_the_second_name_of_a_corner_is_that_of_the_first_line(title, tmp_path):
    cube = opened(tmp_path, matrix(title, WAVE, np.arange(12) * 10 + 250, S))
    np.testing.assert_allclose(cube.data, S)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.axis.unit == "nm"
    assert ("coordinates" in cube.metadata) == ("Time" in title)


@pytest.mark.parametrize("title", ["Em\\Ex", "EM Wavelength/EX Wavelength", "Wavelength (nm)\\Time (ps)", "Wavelength (nm)"])
def test_the_first_name_of_a_corner_is_that_of_the_first_column(title, tmp_path):
    names = [f"{n} nm" if "\\" not in title and "/" not in title else n for n in range(250, 370, 10)]
    cube = opened(tmp_path, matrix(title, names, WAVE, S.T))
    np.testing.assert_allclose(cube.data, S)
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_a_corner_that_counts_the_columns_is_no_position(tmp_path):
    cube = opened(tmp_path, matrix("40", WAVE, range(12), S, " "))
    np.testing.assert_allclose(cube.data, S)
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_a_corner_without_a_name_is_a_guess_that_can_be_changed(tmp_path):
    text = matrix("", range(250, 370, 10), WAVE, S.T)
    with pytest.warns(SpectralWarning, match="both in order"):
        assert opened(tmp_path, text).shape == (40, 12)
    np.testing.assert_allclose(opened(tmp_path, text, columns={0: "position"}).data, S)


@pytest.mark.parametrize("titles", ["excitation (nm),emission (nm),intensity", "Frame,ROI,Row,Wavelength,Column,Intensity"])
def test_lines_of_one_value_with_excitations_and_counters(titles, tmp_path):
    def lead(n: int, k: int) -> str:
        return f"{250 + 10 * n},{WAVE[k]}" if "emission" in titles else f"{n + 1},1,1,{WAVE[k]},{k}"

    text = "\n".join([titles, *(f"{lead(n, k)},{S[n][k]}" for n in range(12) for k in range(40))])
    cube = opened(tmp_path, text, "t.csv")
    np.testing.assert_allclose(cube.data, S)
    np.testing.assert_allclose(cube.axis.values, WAVE)


@pytest.mark.parametrize("mark", ["'", "\u2019", "\u202f", "\u2009", "\xa0"])
def test_marks_between_thousands(mark, tmp_path):
    text = "".join(f"{a:,.2f}\t{b:,.1f}\n".replace(",", mark) for a, b in zip(WAVE, S[0] * 100, strict=True))
    cube = opened(tmp_path, text)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    np.testing.assert_allclose(cube.data[0], S[0] * 100)


@pytest.mark.parametrize("brackets", ["[]", "()", "{}"])
def test_brackets_around_lines_of_numbers(brackets, tmp_path):
    lines = [f"{brackets[0]}{a}, {b}{brackets[1]}" for a, b in zip(WAVE, S[0], strict=True)]
    for text in ("\n".join(lines), "[\n" + ",\n".join(lines) + "\n]"):
        np.testing.assert_allclose(opened(tmp_path, text).data, S[:1])


def test_a_minus_of_mathematics_is_one(tmp_path):
    np.testing.assert_allclose(
        opened(tmp_path, "".join(f"{a}\t\u2212{b + 1}\n" for a, b in zip(WAVE, S[0], strict=True))).data[0], -S[0] - 1
    )


@pytest.mark.parametrize("word", ["1.#QNAN", "-1.#IND", "OVER", "***", "#DIV/0!", "1.#INF"])
def test_words_for_numbers_that_are_none_are_missing(word, tmp_path):
    values = [*map(str, S[0][:38]), word, word]
    for other in ((), (S[1],)):
        cube = opened(tmp_path, "Wavelength (nm),A" + ",B" * len(other) + "\n" + table(WAVE, values, *other))
        assert cube.shape == (1 + len(other), 40)
        assert np.isnan(np.asarray(cube.data)[0, 38:]).all()


@pytest.mark.parametrize(
    ("words", "unit"),
    [
        ("Anregungswellenlänge: 532 nm\nX-Achse: Wellenzahl [cm-1]", "1/cm"), ("Axe X : Nombre d'onde (cm-1)", "1/cm"),
        ("Ось X: Рамановский сдвиг, см-1", "1/cm"), ("励起波長\t532 nm\n横軸\tラマンシフト [cm-1]", "1/cm"),
        ("Range: 400 - 1800 1/cm", "1/cm"),
        ("Laser: 532 nm\nWavenumber units: cm-1", "1/cm"), ("First column: Raman shift (cm-1); second column: counts", "1/cm"),
        ("Detector range 200-1100 nm", ""), ("Resolution: 4 cm-1", ""),
    ],
)  # fmt: skip
def test_the_unit_of_the_axis_in_the_words_above(words, unit, tmp_path):
    assert opened(tmp_path, words + "\n" + table(WAVE, S[0], mark="\t")).axis.unit == unit


@pytest.mark.parametrize("name", ["a.itx", "a.xmu", "a", "a.spectrum", "a.trt", "a.tab", "a.sed"])
def test_a_table_is_read_whatever_its_suffix(name, tmp_path):
    cube = opened(tmp_path, table(WAVE, S[0], mark="\t"), name)
    np.testing.assert_allclose(cube.data, S[:1])
    assert cube.name == "a"


@pytest.mark.parametrize("name", ["a.zip", "a.txt.gz", "a.tar"])
def test_an_archive_is_named_as_one(name, tmp_path):
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="is an archive; unpack it"):
        read(tmp_path / name)


def test_a_text_without_a_table_has_no_reader(tmp_path):
    with pytest.raises(ValueError, match="no reader for '.notes'"):
        opened(tmp_path, "nothing but words\n", "a.notes")


def test_what_is_known_of_each_spectrum_in_tables_of_orange(tmp_path):
    """Three lines of titles: names, types and roles of the columns."""
    names = [*map(str, WAVE), "map_x", "map_y", "name", *(f"{n}.0 - {n + 9}.0" for n in range(9))]
    roles = ["c"] * 42 + ["s"] + ["c"] * 9, [""] * 40 + ["meta"] * 12
    rows = [[*map(str, S[n]), str(n % 4), str(n // 4), f"leaf {n}", *["0.5"] * 9] for n in range(12)]
    cube = opened(tmp_path, "\n".join("\t".join(row) for row in (names, *roles, *rows)), "a.tab")
    np.testing.assert_allclose(cube.data, S.reshape(3, 4, 40))
    np.testing.assert_allclose(cube.axis.values, WAVE)


@pytest.mark.parametrize("mark", ["\t", ","])
@pytest.mark.parametrize("titles", ["", "{0}Wavelength (nm){0}A\n"])
def test_an_empty_first_column_makes_no_positions_of_the_first_line(titles, mark, tmp_path):
    cube = opened(tmp_path, titles.format(mark) + table(EMPTY, WAVE, S[0], mark=mark))
    np.testing.assert_allclose(cube.data, S[:1])
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_quoted_thousands_and_a_setting_before_the_positions(tmp_path):
    counts = (S[0] * 1000).astype(int)
    cube = opened(tmp_path, "nm,counts\n" + table(WAVE, [f'"{one:,}"' for one in counts]), "t.csv")
    np.testing.assert_array_equal(cube.data[0], counts)
    np.testing.assert_allclose(opened(tmp_path, "step,wavelength,flux\n" + table([1.0] * 40, WAVE, S[0])).data, S[:1])


@pytest.mark.parametrize("form", ["{}", "X{}", "{} nm", "{}nm", "wl_{}", "{} cm-1", "R{}", '"{}"'])
@pytest.mark.parametrize(("mark", "decimal"), [("\t", "."), (";", "."), (",", "."), ("\t", ","), (";", ",")])
@pytest.mark.parametrize("lead", [(), ("class",), ("",), ("", "class")])
def test_titles_of_bands_in_every_form_behind_an_index_and_a_class(form, mark, decimal, lead, tmp_path):
    decimal = "." if form[0].isalpha() else decimal  # as R writes names
    for wave in (WAVE, WAVE[::-1]):
        titles = [form.format(f"{w:g}".replace(".", decimal)) for w in wave]
        own = {"": [str(n) for n in range(6)], "class": list("abcabc")}
        rows = [[*(own[one][n] for one in lead), *(f"{v:g}".replace(".", decimal) for v in S[n])] for n in range(6)]
        cube = opened(tmp_path, "\n".join(mark.join(row) for row in ([*lead, *titles], *rows)), "t.csv")
        np.testing.assert_allclose(cube.data, S[:6])
        np.testing.assert_allclose(cube.axis.values, [float(f"{w:g}") for w in wave])
        assert cube.metadata.get("labels") == (own["class"] if "class" in lead else None)


@pytest.mark.parametrize("names", ["s1,s2,s3", "10,20,30", "1 mg/L,2 mg/L,5 mg/L", "2020-01-01,2020-01-02,2020-01-03"])
@pytest.mark.parametrize("above", ["", "class,a,b,a\n", "class,a,b,a\nreplicate,1,2,3\n", "conc,0.5,1.0,1.5\n", "a,1,2,3\nb,5,4,6\n"])
@pytest.mark.parametrize("below", ["", ",,,\n"])
def test_what_is_known_of_each_spectrum_above_its_name_is_no_position(names, above, below, tmp_path):
    cube = opened(tmp_path, f"{above}Wavelength (nm),{names}\n{below}" + table(WAVE, *S[:3]))
    np.testing.assert_allclose(cube.data, S[:3])
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.axis.unit == "nm"


def test_positions_repeated_before_each_spectrum_and_errors_behind_it_are_no_spectra(tmp_path):
    np.testing.assert_allclose(opened(tmp_path, "X,Y,X,Y\n" + table(WAVE, S[0], WAVE, S[1])).data, S[:2])
    np.testing.assert_allclose(opened(tmp_path, "x y dy\n" + table(WAVE, S[0], S[1], mark=" ")).data, S[:1])
    np.testing.assert_allclose(opened(tmp_path, "Wavelength (nm),T\n" + table(WAVE, [f"{v}%" for v in S[0]])).data, S[:1])


def test_titles_of_r_and_of_witec(tmp_path):
    rows = "\n".join([" ".join(f'"X{w}"' for w in WAVE), *(f'"leaf {n}" ' + " ".join(map(str, S[n])) for n in range(12))])
    cube = opened(tmp_path, rows)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.metadata["labels"][0] == "leaf 0"
    names = "\t".join(["X-Axis", *(f"Scan ({x}/{y})" for y in range(3) for x in range(4))]) + "\n" + "\t".join(["rel. 1/cm", *["cts"] * 12])
    cube = opened(tmp_path, f"{names}\n" + table(WAVE, *S, mark="\t"), "w.txt")
    np.testing.assert_allclose(cube.data, S.reshape(3, 4, 40))
    assert opened(tmp_path, "Pixel\tIntensity\n" + table(range(40), S[0], mark="\t"), "p.txt").shape == (1, 40)


def test_units_of_wavenumbers_other_than_1_cm_are_converted_and_a_laser_has_its_own(tmp_path):
    said = {"mm-1": 10, "m⁻¹": 0.01, "1/µm": 1e4, "kK": 1e3, "10^3 cm-1": 1e3, "rel. cm-1, 532 nm": 1, "laser 532 nm": 1}
    for unit, factor in said.items():
        cube = opened(tmp_path, f"Wavenumber ({unit})\tI\n" + table(WAVE, S[0], mark="\t"))
        assert cube.axis.unit == "1/cm"
        np.testing.assert_allclose(cube.axis.values, WAVE * factor, err_msg=unit)


def test_points_next_to_decimal_commas_set_thousands_apart(tmp_path):
    counts = 12_000 + np.arange(40)
    rows = [(f"{w:.1f}".replace(".", ","), f"{c:,}".replace(",", ".")) for w, c in zip(WAVE, counts, strict=True)]
    for mark in ("\t", ";", ","):
        text = "\n".join(mark.join(f'"{cell}"' if mark == "," else cell for cell in row) for row in rows)
        cube = opened(tmp_path, f"nm{mark}counts\n{text}")
        np.testing.assert_array_equal(cube.data[0], counts)


def test_a_remark_between_numbers_that_go_on_ends_no_table(tmp_path):
    lines = table(WAVE, S[0]).splitlines()
    for remark in ("; filter", "Filter change at 600 nm", "detector 2;"):
        (tmp_path / "a.txt").write_text("\n".join([*lines[:20], remark, *lines[20:]]))
        with pytest.warns(SpectralWarning, match="between numbers that go on below them"):
            np.testing.assert_allclose(read(tmp_path / "a.txt").data, S[:1])


def test_positions_that_each_occur_twice_are_said_to_make_two_spectra(tmp_path):
    for wave, order in ((np.repeat(WAVE, 2), "in a row"), (np.tile(WAVE, 2), "one run after another")):
        (tmp_path / "a.txt").write_text("Wavelength (nm),I\n" + table(wave, np.arange(80.0)))
        with pytest.warns(SpectralWarning, match=f"occurs 2 times, {order}, and they are taken for so many spectra"):
            assert read(tmp_path / "a.txt").shape == (2, 40)


def test_encodings_of_countries_are_known_by_the_words_of_spectra_in_them(tmp_path):
    titles = {
        "cp932": ("波長(nm)", "試料ア"), "euc_jp": ("波長(nm)", "強度"), "gb18030": ("波长(nm)", "样品一"), "big5": ("波長(nm)", "樣品一"),
        "cp949": ("파장(nm)", "시료 나"), "cp1251": ("Длина волны (нм)", "проба"), "cp1250": ("Długość fali (nm)", "próbka"),
        "cp1252": ("Wellenlänge (nm)", "Prüfkörper"),
    }  # fmt: skip
    for encoding, (wave, name) in titles.items():
        cube = opened(tmp_path, f"{wave},{name},{name} 2\n" + table(WAVE, S[0], S[1]), encoding=encoding)
        assert (cube.axis.unit, cube.metadata["labels"]) == ("nm", [name, f"{name} 2"]), encoding


def test_titles_positions_and_settings_that_programs_list_above_their_tables(tmp_path):
    plot = (
        "ENVI ASCII Plot File [Mon]\nColumn 1: Wavelength (nm)\nColumn 2: Mean: a~~2##255,0,0\nColumn 3: Mean: b~~3\nColumn 4: Stdev: b\n"
    )
    cube = opened(tmp_path, plot + table(WAVE, S[0], S[1], S[2], mark="  "))
    np.testing.assert_allclose(cube.data, S[:2])
    assert (cube.axis.unit, cube.metadata["labels"]) == ("nm", ["Mean: a", "Mean: b"])
    names = [f"p{n}" for n in range(6)]
    pins = (
        "\t".join(["Name", "X", "Y", *(f"rad_{n}" for n in range(40))])
        + "\n"
        + table(names, range(6), [5, 3, 8, 1, 9, 2], *S[:6].T, mark="\t")
    )
    for line in ("# Wavelength:\t\t\t" + "\t".join(map(str, WAVE)), "# Wavelengths: " + ", ".join(map(str, WAVE))):
        cube = opened(tmp_path, f"# BEAM pin export table\n{line}\n{pins}")
        np.testing.assert_allclose(cube.data, S[:6])
        np.testing.assert_allclose(cube.axis.values, WAVE)
        assert (cube.axis.unit, cube.metadata["labels"]) == ("nm", names)
    cube = opened(tmp_path, "# X , Y , E\n1\n" + table(WAVE, S[0], S[1]), "t.dat")  # Mantid's, of one spectrum
    np.testing.assert_allclose(cube.data, S[:1])
    for form in ("({}, {})", "X={} Y={}", "p x={}µm, y={}µm", "x{}_y{}"):  # places of spectra in columns
        titles = [form.format(x, y) for y in (0, 1.5) for x in (0, 2.5, 5)]
        cube = opened(tmp_path, "\t".join(["Wavelength (nm)", *titles]) + "\n" + table(WAVE, *S[:6], mark="\t"))
        np.testing.assert_allclose(cube.data, S[:6].reshape(2, 3, 40))
        assert (cube.axis.unit, cube.pixel_size) == ("nm", (1.5, 2.5) if "µm" in form else None)
    names = ["layer 5 µm", "layer 10 µm", "after 2 nm Au"]  # are no positions
    cube = opened(tmp_path, "\t".join(["Wavelength (nm)", *names]) + "\n" + table(WAVE, *S[:3], mark="\t"))
    np.testing.assert_allclose(cube.data, S[:3])
    assert cube.metadata["labels"] == names
    scans = "Labels,A,B\nXaxis,Wavelength,Wavelength\nNum. Points,40,40\n\n"
    np.testing.assert_allclose(opened(tmp_path, scans + table(WAVE, S[0], S[1])).data, S[:2])
    rows = table([1] * 40, [1] * 40, [1] * 40, range(1, 41), WAVE, S[0])
    np.testing.assert_allclose(opened(tmp_path, "ROI,Frame,Row,Column,Wavelength,Intensity\n" + rows).data, S[:1])
