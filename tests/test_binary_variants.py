"""Variants of the files of instruments other than tables: ENVI, NeXus and containers, JCAMP-DX, SPC; names and notes in any wording."""

from __future__ import annotations

import struct

import h5py
import numpy as np
import pytest
import tifffile
from scipy.io import savemat

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning, UnreadableError

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE = np.linspace(400, 700, 8)
CUBE = (1000 + np.random.default_rng(0).random((5, 6, 1)) * 300 + np.sin(np.linspace(0, 6, 8)) * 500).astype(np.float32)
FIRST = np.moveaxis(CUBE, -1, 0)


# ------------------------------------------------------------------ ENVI


def listed(values, mark=", ", form="{:g}") -> str:
    return "{" + mark.join(form.format(value) for value in values) + "}"


def envi(folder, fields, *, suffix=".img", header="a.hdr", newline="\n", encoding="utf-8", interleave="bsq", dtype="<f4", data=CUBE):
    """A pair of files; its values and its header."""
    order = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[interleave]
    values = folder / f"a{suffix}"
    values.write_bytes(np.transpose(data, order).astype(dtype).tobytes())
    usual = {
        "samples": data.shape[1], "lines": data.shape[0], "bands": data.shape[2], "header offset": 0, "interleave": interleave,
        "data type": {"f4": 4, "f8": 5, "i2": 2}[dtype[1:]], "byte order": int(dtype[0] == ">"),
    }  # fmt: skip
    lines = [f"{key} = {value}" for key, value in (usual | fields).items() if value is not None]
    (folder / header).write_bytes(newline.join(["ENVI", *lines, ""]).encode(encoding))
    return folder / header, values


NANOMETRES = {"wavelength": listed(WAVE), "wavelength units": "nm"}
NAMED = [f"Band {number + 1} ({value:.2f})" for number, value in enumerate(WAVE)]


@quiet
@pytest.mark.parametrize(
    ("fields", "options", "unit", "scale"),
    [
        (NANOMETRES, {"interleave": "bil", "dtype": ">f4"}, "nm", 1),
        (NANOMETRES, {"interleave": "bip", "dtype": "<f8", "newline": "\r\n"}, "nm", 1),
        (NANOMETRES, {"encoding": "utf-8-sig"}, "nm", 1),
        (NANOMETRES, {"header": "a.img.hdr"}, "nm", 1),
        (NANOMETRES, {"header": "a.HDR"}, "nm", 1),
        (NANOMETRES, {"data": CUBE[:1]}, "nm", 1),
        (NANOMETRES, {"data": CUBE[:, :1]}, "nm", 1),
        ({"wavelength": listed(WAVE / 1000), "wavelength units": "Micrometers"}, {}, "um", 1e-3),
        ({"wavelength": listed(WAVE * 10), "wavelength units": "Ångström"}, {"encoding": "cp1252"}, "nm", 1),
        ({"wavelength": listed(WAVE * 10), "wavelength units": "angstroms"}, {}, "nm", 1),
        ({"wavelength": listed(WAVE * 1e-9, form="{:.5e}"), "wavelength units": "meters"}, {}, "nm", 1),
        ({"wavelength": listed(WAVE), "wavelength units": "Wavenumber (cm^-1)"}, {}, "1/cm", 1),
        ({"wavelength": listed(WAVE), "wavelength units": "GHz"}, {}, "1/cm", 1 / 29.9792458),
        ({"wavelength": listed(WAVE * 1e3), "wavelength units": "MHz"}, {}, "1/cm", 1 / 29.9792458),
        ({"wavelength": listed(WAVE, " "), "wavelength units": "Nanometers"}, {}, "nm", 1),
        ({"wavelength": listed(WAVE, "; "), "wavelength units": "Nanometer"}, {}, "nm", 1),
        ({"wavelength": listed(WAVE, ",\n  "), "wavelength units": "nm"}, {"newline": "\r\n"}, "nm", 1),
        ({"Wavelength": listed(WAVE), "WAVELENGTH UNITS": "NM"}, {}, "nm", 1),
        ({"wavelengths": listed(WAVE), "wavelength_units": "nm"}, {}, "nm", 1),
        ({"Wavenumbers": listed(WAVE)}, {}, "1/cm", 1),
        ({"Raman shift": listed(WAVE), "wavelength units": "cm-1"}, {}, "1/cm", 1),
        ({"wavenumber": listed(WAVE + 1), "wavelength": listed(WAVE), "wavelength units": "nm"}, {}, "nm", 1),
        ({"wavelength": listed(WAVE), "z plot titles": "{Wavelength (nm), Reflectance}"}, {}, "nm", 1),
        ({"band names": listed(NAMED, form="{}")}, {}, "nm", 1),
        ({"band names": listed([f"Resize (Band 1:a.img) ({v:.2f} Nanometers)" for v in WAVE], form="{}")}, {}, "nm", 1),
        ({"band names": listed([f"{v / 1000:.4f} Micrometers" for v in WAVE], form="{}")}, {}, "um", 1e-3),
        ({"band names": listed([f"Band {n + 1}" for n in range(8)], form="{}")}, {}, "", 0),
        *((NANOMETRES, {"suffix": suffix}, "nm", 1) for suffix in (".hyspex", ".cue", "", ".bin", ".refl", ".raw.img")),
    ],
)
def test_headers_of_envi_in_any_wording(fields, options, unit, scale, tmp_path):
    header, values = envi(tmp_path, fields, **options)
    for path in (header, values) if values.suffix in (".hyspex", ".cue", ".bin") else (header,):
        cube = read(path)
        np.testing.assert_allclose(np.asarray(cube.data), options.get("data", CUBE), rtol=1e-6)
        assert cube.axis.unit == unit
        np.testing.assert_allclose(cube.axis.values, WAVE * scale if scale else range(8), rtol=1e-4)


@pytest.mark.parametrize(
    "fields", [{"wavelength": listed(WAVE)}, {"wavelength": listed(WAVE[:5])}, NANOMETRES | {"wavelength units": "Unknown"}]
)
def test_what_a_header_of_envi_leaves_open_is_mentioned(fields, tmp_path):
    with pytest.warns(SpectralWarning, match="give axis="):
        read(envi(tmp_path, fields)[0])


# ------------------------------------------------------------------ containers


NEXUS = ("attributes", "bytes", "axis", "axis as text", "colons", "brackets", "indices", "dots")


@pytest.mark.parametrize("style", NEXUS)
@pytest.mark.parametrize(("name", "unit", "values", "known"), [
    ("energy", "eV", np.linspace(280, 290, 8), "eV"), ("wavelength", "nm", WAVE, "nm"), ("wavenumber", "cm^-1", WAVE[::-1], "1/cm"),
    ("en", "keV", np.linspace(0.28, 0.29, 8), "eV"),
])  # fmt: skip
@pytest.mark.parametrize("group", ["entry/data", "entry/instrument/detector/counts"])
def test_nexus_in_all_its_styles(style, name, unit, values, known, group, tmp_path):
    names = (name, "y", "x")
    with h5py.File(tmp_path / "a.nxs", "w") as file:
        holder = file.create_group(group)
        signal = holder.create_dataset("counts", data=FIRST)
        axes = [
            holder.create_dataset(names[0], data=values),
            *(holder.create_dataset(n, data=np.arange(k) / 2) for n, k in (("y", 5), ("x", 6))),
        ]
        for axis, said in zip(axes, (unit, "um", "um"), strict=True):
            axis.attrs["units"] = said
        if style in ("attributes", "bytes", "indices", "dots"):
            holder.attrs["signal"] = np.bytes_("counts") if style == "bytes" else "counts"
            listing = {"bytes": np.array([n.encode() for n in names]), "indices": [".", ".", "."], "dots": [name, ".", "."]}
            holder.attrs["axes"] = listing.get(style, list(names))
            for number, one in enumerate(names if style == "indices" else ()):
                holder.attrs[f"{one}_indices"] = number
        else:
            signal.attrs["signal"] = 1
            if style in ("colons", "brackets"):
                signal.attrs["axes"] = ":".join(names) if style == "colons" else f"[{','.join(names)}]"
            for number, axis in enumerate(axes if style.startswith("axis") else ()):
                axis.attrs["axis"] = str(number + 1) if style == "axis as text" else number + 1
    cube = read(tmp_path / "a.nxs")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    assert cube.axis.unit == known
    np.testing.assert_allclose(cube.axis.values, values * (1000 if unit == "keV" else 1))


NAMES = [
    ("Wavelength_nm", 1, "nm"), ("wavelengths", 1, "nm"), ("wavelengths", 1e-3, "um"), ("wavelength", 1e-9, "nm"),
    ("Wavenumber", 1, "1/cm"), ("raman_shift", 1, "1/cm"),
    ("RamanShift", 1, "1/cm"), ("lambda_nm", 1, "nm"), ("wl", 1, "nm"), ("wn", 1, "1/cm"), ("m_z", 1, "m/z"),
    ("photon_energy_eV", 1, "eV"), ("waveLengths", 1, "nm"), ("bands_nm", 1, "nm"), ("Wellenlaenge", 1, "nm"), ("band_centers", 1, None),
    ("spectral_positions_um", 1e-3, "um"),
]  # fmt: skip


@quiet
@pytest.mark.parametrize(("name", "factor", "unit"), NAMES)
@pytest.mark.parametrize("kind", ["h5", "h5 attribute", "npz", "mat", "mat struct"])
def test_axes_by_any_name(kind, name, factor, unit, tmp_path):
    """Values in metres and micrometres, too; the array lies bands first where its container is not MATLAB's."""
    values = WAVE * factor
    path = tmp_path / f"a.{kind.split()[0]}"
    if kind.startswith("h5"):
        with h5py.File(path, "w") as file:
            cube = file.create_dataset("a/cube", data=FIRST)
            if kind == "h5":
                file[name] = values
            else:
                cube.attrs[name] = values
    elif kind == "npz":
        np.savez(path, cube=FIRST, **{name: values})
    else:
        savemat(path, {"cube": CUBE, name: values} if kind == "mat" else {"s": {"data": CUBE, name: values[:, None]}})
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE * (1e-3 if unit == "um" else 1), rtol=1e-6)
    assert unit in (None, cube.axis.unit)


@pytest.mark.parametrize("said", ["label", "NAME", "long_name", "units"])
def test_an_axis_of_any_name_that_the_file_explains(said, tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["cube"], file["w"] = CUBE, WAVE
        if said == "units":
            file["w"].attrs["units"] = "nm"
        else:
            file["w"].make_scale("wavelength" if said == "NAME" else "")
            file["cube"].dims[2].attach_scale(file["w"])
        if said == "label":
            file["cube"].dims[2].label = "wavelength"
        elif said == "long_name":
            file["w"].attrs["long_name"] = "Wavelength (nm)"
    cube = read(tmp_path / "a.h5")
    assert cube.axis.unit == "nm"
    np.testing.assert_allclose(cube.axis.values, WAVE)


@pytest.mark.parametrize("kind", ["h5", "npz", "mat"])
def test_the_only_list_of_positions_is_the_axis_and_its_unit_is_asked_for(kind, tmp_path):
    path, arrays = tmp_path / f"a.{kind}", {"cube": CUBE, "bands": WAVE, "temperature": WAVE[::-1], "number": np.arange(len(WAVE))}
    if kind == "h5":
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    else:
        savemat(path, arrays) if kind == "mat" else np.savez(path, **arrays)
    with pytest.warns(SpectralWarning, match="it does not say their unit"):
        cube = read(path)
    np.testing.assert_allclose(cube.axis.values, WAVE)


def test_positions_of_other_things_are_no_axis(tmp_path):
    for name in ("excitation_wavelength", "laser_wavelength", "fwhm_nm", "x_axis_um", "bandwidth_nm"):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["cube"], file[name] = CUBE, WAVE
        assert read(tmp_path / "a.h5").axis.unit == "", name


@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8", "u2", ">i2", "i4"])
@pytest.mark.parametrize("kind", ["npy", "npz", "mat", "h5"])
def test_arrays_of_any_type_that_lie_bands_first_are_asked_about(kind, dtype, tmp_path):
    spectrum = np.sin(np.linspace(0, 9, 40))[:, None, None] * 100
    values = (300 + spectrum + np.random.default_rng(0).random((1, 5, 6)) * 10).astype(dtype)
    path = tmp_path / f"a.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["g/x"] = values
    else:
        {"npy": lambda: np.save(path, values), "npz": lambda: np.savez(path, x=values), "mat": lambda: savemat(path, {"x": values})}[kind]()
    with pytest.warns(SpectralWarning, match="does not say which dimension holds the bands"):
        read(path)
    assert read(path, spectral=0).shape == (5, 6, 40)


FORMS = [
    "{}-{} nm",
    "{}–{} nm",
    "{} - {} nm",
    "{}nm-{}nm",
    "{} to {} nm",
    "Ch {}-{}nm",
    "[{}..{}] nm",
    "Em: {}-{} nm",
    "{},0-{},0 nm",
    "{}–{}",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("imagej", [True, False])
def test_channels_named_after_their_windows(form, imagej, tmp_path):
    names = [form.format(410 + 10 * n, 420 + 10 * n) for n in range(5)]
    metadata = {"axes": "CYX", "Labels": names} if imagej else {"axes": "CYX", "Channel": {"Name": names}}
    path = tmp_path / ("a.tif" if imagej else "a.ome.tif")
    tifffile.imwrite(path, np.zeros((5, 6, 7), np.uint8), imagej=imagej, photometric="minisblack", metadata=metadata)
    with pytest.warns(SpectralWarning, match="taken for"):
        cube = read(path)
    np.testing.assert_allclose(cube.axis.values, np.arange(415, 456, 10))
    assert cube.axis.unit == "nm"


# ------------------------------------------------------------------ JCAMP-DX


X = np.linspace(4000, 400, 121)
Y = (1000 * np.sin(np.linspace(0, 12, 121)) + 1200).round().astype(int)


def coded(value: int, plus: str, minus: str) -> str:
    text = str(abs(value))
    return (plus[int(text[0])] if value >= 0 else minus[int(text[0]) - 1]) + text[1:]


def squeezed(value: int) -> str:
    return coded(value, "@ABCDEFGHI", "abcdefghi")


def runs(values, code) -> str:
    """Values in a form of differences or squeezed, each followed by how often it stands."""
    text, place = "", 0
    while place < len(values):
        count = next((n for n in range(1, len(values) - place) if values[place + n] != values[place]), len(values) - place)
        text += code(int(values[place])) + ("" if count == 1 else "STUVWXYZs"[int(str(count)[0]) - 1] + str(count)[1:])
        place += count
    return text


def tabled(form: str, y) -> list[str]:
    found = []
    for start in range(0, len(y), 12):
        part, place = y[start : start + 13 if form.startswith("DIF") else start + 12], f"{X[start]:.4f}"
        if form == "AFFN":
            found.append(f"{place} " + " ".join(map(str, part)))
        elif form == "PAC":
            found.append(place + "".join(f"{value:+d}" for value in part))
        elif form in ("SQZ", "DUP"):
            found.append(place + ("".join(map(squeezed, part)) if form == "SQZ" else runs(part, squeezed)))
        else:
            steps = np.diff(part)
            difference = [coded(int(step), "%JKLMNOPQR", "jklmnopqr") for step in steps]
            rest = "".join(difference) if form == "DIF" else runs(steps, lambda step: coded(step, "%JKLMNOPQR", "jklmnopqr"))
            found.append(place + squeezed(int(part[0])) + rest)
    return found


def jcamp(lines, y=Y, *, title="t", units="1/CM", label="XYDATA=(X++(Y..Y))", end="##END=", factor=1.0, tidy=str) -> str:
    head = {
        "TITLE": title, "JCAMP-DX": "4.24", "DATA TYPE": "INFRARED SPECTRUM", "XUNITS": units, "YUNITS": "ABSORBANCE", "FIRSTX": X[0],
        "LASTX": X[-1], "XFACTOR": 1, "YFACTOR": factor, "NPOINTS": len(y), "FIRSTY": y[0] * factor,
    }  # fmt: skip
    return "\n".join([*(f"##{tidy(key)}={value}" for key, value in head.items()), f"##{label}", *lines, end, ""])


@pytest.mark.parametrize("form", ["AFFN", "PAC", "SQZ", "DUP", "DIF", "DIFDUP"])
@pytest.mark.parametrize("values", [Y, Y - 1500, np.repeat(Y[::11], 11), np.full(121, 7)], ids=["peaks", "negative", "steps", "constant"])
def test_every_form_of_jcamp(form, values, tmp_path):
    (tmp_path / "a.jdx").write_text(jcamp(tabled(form, values), values))
    cube = read(tmp_path / "a.jdx")
    np.testing.assert_allclose(cube.data[0], values)
    np.testing.assert_allclose(cube.axis.values, X)


PAIRS = [f"{x:.4f},{y}" for x, y in zip(X, Y, strict=True)]
LINES = tabled("SQZ", Y)


@quiet
@pytest.mark.parametrize(
    "content",
    [
        jcamp(LINES).replace("\n", "\r\n").encode(), jcamp(LINES).replace("\n", "\r").encode(), jcamp(LINES).encode("utf-16"),
        jcamp(LINES).encode("utf-8-sig"), jcamp(LINES, title="µ°").encode("cp1252"), jcamp(LINES).encode() + b"\x1a\0\0rest",
        jcamp([f"{line} $$ note 12" for line in LINES]).encode(), jcamp([part for line in LINES for part in (line, "$$ r")]).encode(),
        jcamp(LINES, tidy=str.lower).encode(), jcamp(LINES, units="cm-1").encode(), jcamp(LINES, end="").encode(),
        b"\n\n" + jcamp(LINES).encode(),
        jcamp(PAIRS, label="XYPOINTS=(XY..XY)").encode(), jcamp(PAIRS, label="XYDATA=(XY..XY)").encode(),
        jcamp(["; ".join(PAIRS[n : n + 4]) for n in range(0, 121, 4)], label="XYPOINTS=(XY..XY)").encode(),
        jcamp([line.replace(" ", "\t") for line in tabled("AFFN", Y)]).encode(),
        jcamp([f"{X[n]:.4f} " + " ".join(f"{v:.3E}" for v in Y[n : n + 6]) for n in range(0, 121, 6)]).encode(),
    ],
)  # fmt: skip
def test_jcamp_as_programs_write_it(content, tmp_path):
    (tmp_path / "a.dx").write_bytes(content)
    cube = read(tmp_path / "a.dx")
    np.testing.assert_allclose(cube.data[0], Y)
    np.testing.assert_allclose(cube.axis.values, X)
    assert cube.axis.unit == "1/cm"


@pytest.mark.parametrize(("titles", "end"), [(("a", "b"), "##END=\n"), (("a", "a"), "##END=\n"), (("", ""), ""), (("a", "b"), "")])
@pytest.mark.parametrize("linked", [True, False])
def test_compound_files_of_jcamp(titles, end, linked, tmp_path):
    head = "##TITLE=c\n##JCAMP-DX=5.0\n##DATA TYPE=LINK\n##BLOCKS=2\n" if linked else ""
    (tmp_path / "a.jdx").write_text(head + jcamp(LINES, title=titles[0]) + jcamp(tabled("DIF", Y + 5), Y + 5, title=titles[1]) + end)
    np.testing.assert_allclose(read(tmp_path / "a.jdx").data, [Y, Y + 5])


# ------------------------------------------------------------------ SPC


def spc(order, spectra, *, flags=0, exponent=-128, positions=None, kind=1) -> bytes:
    """A file in the published layout of the new version."""
    head = bytearray(512)
    head[0], head[1] = flags, 0x4B if order == "<" else 0x4C
    struct.pack_into("b", head, 3, exponent)
    struct.pack_into(f"{order}iddiBBB", head, 4, len(spectra[0]), 4000.0, 400.0, len(spectra), kind, 2, 0)
    content = bytes(head)
    if flags & 128 and not flags & 64:
        content += positions.astype(f"{order}f4").tobytes()
    for number, values in enumerate(spectra):
        content += struct.pack(f"{order}bbhfffii8x", 0, exponent, number, number, number + 1, 0, len(values), 0)
        content += X.astype(f"{order}f4").tobytes() if flags & 64 else b""
        scale, form = (1.0, "f4") if exponent == -128 else (2.0 ** (16 - exponent), "i2") if flags & 1 else (2.0 ** (32 - exponent), "i4")
        content += np.round(values * scale, 0 if scale > 1 else 6).astype(order + form).tobytes()
    return content


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("spectra", "options"),
    [
        ([Y], {}), ([Y], {"exponent": 13}), ([Y], {"exponent": 13, "flags": 1}), ([Y, Y + 5, Y + 9], {"flags": 4}),
        ([Y, Y + 5], {"flags": 4, "exponent": 13}), ([Y], {"flags": 128, "positions": X}), ([Y, Y + 5], {"flags": 4 | 64 | 128}),
    ],
)  # fmt: skip
def test_spc_in_both_byte_orders_and_all_types(order, spectra, options, tmp_path):
    (tmp_path / "a.SPC").write_bytes(spc(order, spectra, **options))
    cube = read(tmp_path / "a.SPC")
    np.testing.assert_allclose(cube.data, spectra, atol=0.3)
    np.testing.assert_allclose(cube.axis.values, X, rtol=1e-6)
    assert cube.axis.unit == "1/cm"


@pytest.mark.parametrize(("kind", "unit"), [(1, "1/cm"), (2, "um"), (3, "nm"), (9, "m/z"), (13, "1/cm"), (14, "eV")])
def test_units_of_spc(kind, unit, tmp_path):
    (tmp_path / "a.spc").write_bytes(spc("<", [Y], kind=kind))
    assert read(tmp_path / "a.spc").axis.unit == unit


def test_a_damaged_length_of_jcamp_is_an_error(tmp_path):
    (tmp_path / "a.jdx").write_text(jcamp(LINES).replace("NPOINTS=121", "NPOINTS=122"))
    with pytest.raises(UnreadableError, match="promises 122 points and gives 121"):
        read(tmp_path / "a.jdx")


@quiet
@pytest.mark.parametrize(
    "fields",
    [
        {"map info": "{UTM, 1, 1, a, b, c, d, 11, North}"},
        {"pixel size": "{abc, 0.5}"},
        {"pixel size": "{abc}"},
        {"header offset": "{0}"},
        {"wavelength": "{" + ", ".join(f'"{value}"' for value in WAVE) + "}"},
        {"major frame offsets": "{0, 0}", "minor frame offsets": "{0, 0}"},
    ],
)
def test_fields_of_envi_that_are_odd_do_not_make_values_unreadable(fields, tmp_path):
    cube = read(envi(tmp_path, NANOMETRES | fields)[0])
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE, rtol=1e-5)
    assert (cube.axis.unit, cube.pixel_size) == ("nm", None)


@pytest.mark.parametrize("frame", ["major", "minor"])
def test_lines_of_envi_with_other_bytes_between_them_are_refused(frame, tmp_path):
    with pytest.raises(UnreadableError, match=r"bytes of other things between them \(frame offsets\)"):
        read(envi(tmp_path, NANOMETRES | {f"{frame} frame offsets": "{0, 8}"})[0])


@pytest.mark.parametrize("marks", ["{x}, {y}", "{x} {y}", "{x}\t{y}"])
def test_pairs_with_decimal_commas_below_records_with_points(marks, tmp_path):
    across, along = np.linspace(400, 700, 31), np.round(np.random.default_rng(0).uniform(1, 9, 31), 3)
    lines = "\n".join(
        marks.format(x=f"{x:.2f}".replace(".", ","), y=f"{y:.3f}".replace(".", ",")) for x, y in zip(across, along, strict=True)
    )
    head = (
        "##TITLE=a\n##JCAMP-DX=4.24\n##DATA TYPE=UV/VIS SPECTRUM\n##XUNITS=NANOMETERS\n##YUNITS=ABSORBANCE\n##FIRSTX=400.0\n##LASTX=700.0\n"
    )
    path = tmp_path / "x.jdx"
    path.write_text(f"{head}##NPOINTS=31\n##XYPOINTS=(XY..XY)\n{lines}\n##END=\n")
    cube = read(path)
    np.testing.assert_allclose(cube.axis.values, across)
    np.testing.assert_allclose(np.asarray(cube.data)[0], along)


def test_pairs_of_which_some_are_missing_are_mentioned(tmp_path):
    path = tmp_path / "x.jdx"
    head = "##TITLE=a\n##JCAMP-DX=4.24\n##DATA TYPE=UV/VIS SPECTRUM\n##XUNITS=NANOMETERS\n##YUNITS=ABSORBANCE\n"
    path.write_text(f"{head}##NPOINTS=31\n##XYPOINTS=(XY..XY)\n" + "".join(f"{400 + n}, {n}\n" for n in range(20)) + "##END=\n")
    with pytest.warns(SpectralWarning, match="it promises 31 points and gives 20"):
        assert read(path).shape == (1, 20)
