"""The XML of imzML as different programs write it, and damaged."""

from __future__ import annotations

import re

import numpy as np
import pytest
from pyimzml.compression import NoCompression, ZlibCompression
from pyimzml.ImzMLWriter import ImzMLWriter

from napari_spectrai import read
from napari_spectrai.io import SpectralWarning, UnreadableError
from napari_spectrai.io.imzml_index import unwrapped

MASSES = np.linspace(100, 500, 20)
PIXELS = [(x, y) for y in (1, 2) for x in (1, 2, 3)]
VALUES = np.array([[np.arange(20) + 10 * y + x for x in (1, 2, 3)] for y in (1, 2)])


def written(folder, edit=lambda text: text, *, packed=False, pixels=PIXELS, types=("f8", "f4")):
    """Write an image and edit its XML."""
    path = folder / "a.imzML"
    how = ZlibCompression() if packed else NoCompression()
    kinds = {f"{name}_dtype": np.dtype(kind).type for name, kind in zip(("mz", "intensity"), types, strict=True)}
    with ImzMLWriter(str(path), mz_compression=how, intensity_compression=how, **kinds) as file:
        for x, y in pixels:
            file.addSpectrum(MASSES, VALUES[y - 1, x - 1], (x, y, 1))
    text = path.read_text("latin-1")
    edited = edit(text)
    path.write_text(edited, "latin-1")
    return path


def inline(text: str) -> str:
    """Parameters in the arrays themselves, and no groups of them."""
    for name, inside in re.findall(r'<referenceableParamGroup id="(\w+)">(.*?)</referenceableParamGroup>', text, re.DOTALL):
        text = text.replace(f'<referenceableParamGroupRef ref="{name}"/>', inside)
    return re.sub(r"<referenceableParamGroupList.*?</referenceableParamGroupList>", "", text, flags=re.DOTALL)


def compression_in_arrays(text: str) -> str:
    word = re.search(r"<cvParam[^>]*MS:1000574[^>]*/>", text).group(0)
    return re.sub(r"(<binaryDataArray [^>]*>)", rf"\1{word}", text.replace(word, ""))


def another_group(text: str) -> str:
    """A group of masses that no pixel uses."""
    masses = '<cvParam cvRef="MS" accession="MS:1000514" name="m/z array" value=""/>'
    group = f'<referenceableParamGroup id="other">{masses}</referenceableParamGroup>'
    return text.replace("</referenceableParamGroupList>", f"{group}</referenceableParamGroupList>")


def a_third_array(text: str) -> str:
    third = ('<binaryDataArray encodedLength="0"><cvParam cvRef="MS" accession="MS:1003006" name="mean inverse reduced ion mobility array" '
             'value=""/><binary/></binaryDataArray></binaryDataArrayList>')  # fmt: skip
    return text.replace("</binaryDataArrayList>", third)


def with_points(text: str) -> str:
    return re.sub(r'(IMS:100005[012]"[^>]*value="\d+)"', r'\1.0"', text)


def indexed(text: str) -> str:
    head, _, rest = text.partition("<mzML")
    return f'{head}<indexedmzML xmlns="http://psi.hupo.org/ms/mzml"><mzML{rest}</indexedmzML>'


def no_names(text: str) -> str:
    return re.sub(r'(accession="(?:MS:10005|IMS:10001)\d\d" name=)"[^"]*"', r'\1""', text)


@pytest.mark.parametrize("edit", [inline, another_group, a_third_array, with_points, indexed, no_names])
def test_the_same_image_in_other_xml(edit, tmp_path):
    cube = read(written(tmp_path, edit))
    np.testing.assert_array_equal(np.asarray(cube.data), VALUES)
    np.testing.assert_allclose(cube.axis.values, MASSES)


@pytest.mark.parametrize("edit", [inline, compression_in_arrays])
def test_compression_that_is_said_elsewhere(edit, tmp_path):
    np.testing.assert_array_equal(np.asarray(read(written(tmp_path, edit, packed=True)).data), VALUES)


@pytest.mark.parametrize(("accession", "name", "kind"), [("IMS:1100001", "16-bit integer", "<i2"), ("IMS:1100000", "8-bit integer", "i1")])
def test_small_whole_numbers(accession, name, kind, tmp_path):
    path = written(tmp_path, lambda text: text.replace("MS:1000521", accession).replace("32-bit float", name))
    values = path.with_suffix(".ibd")
    content = values.read_bytes()
    for y, x in np.ndindex(2, 3):
        wide, narrow = VALUES[y, x].astype("<f4").tobytes(), VALUES[y, x].astype(kind).tobytes()
        assert wide in content
        content = content.replace(wide, narrow.ljust(len(wide), b"\x7f"))
    values.write_bytes(content)
    np.testing.assert_array_equal(np.asarray(read(path).data), VALUES)


def replaced(accession: str, value: str):
    return lambda text: re.sub(rf'({accession}"[^>]*value=")[^"]*"', rf'\g<1>{value}"', text, count=1)


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda text: text.replace("MS:1000521", "MS:1999999").replace("32-bit float", "24-bit float"), "does not say the type"),
        (replaced("IMS:1000103", str(2**40)), r"pixel 1 has [\d,]+ of 8,796,093,022,208 bytes"),
        (replaced("IMS:1000103", "-5"), "pixel 1 has -5 values"),
        (replaced("IMS:1000103", "x"), "pixel 1 has no length that is a whole number"),
        (replaced("IMS:1000102", str(2**60)), "pixel 1 has 0 of 160 bytes"),
        (replaced("IMS:1000102", "-16"), "pixel 1 has 0 of 160 bytes"),
        (replaced("IMS:1000050", "9" * 30), "pixel 1 has no place in the image that is a whole number"),
        (lambda text: re.sub(r"<cvParam[^>]*IMS:100005[01][^>]*/>", "", text), "pixel 1 has no place in the image"),
        (lambda text: re.sub(r"<spectrum .*</spectrum>", "", text, flags=re.DOTALL), "it holds no pixels"),
        (lambda text: text.replace("<mzML", '<!DOCTYPE a [<!ENTITY b "c">]><mzML'), "declares entities"),
        (lambda text: text[: len(text) // 2], "cannot be read as imzML"),
        (lambda _: "", "cannot be read as imzML"),
    ],
)  # fmt: skip
def test_damaged_files_say_what_is_wrong(edit, words, tmp_path):
    with pytest.raises(UnreadableError, match=words):
        read(written(tmp_path, edit))


def test_spectra_at_the_same_place_stay_a_set(tmp_path):
    with pytest.warns(SpectralWarning, match="7 spectra lie partly at the same places; they are read as a set"):
        cube = read(written(tmp_path, pixels=[*PIXELS, (1, 1)]))
    assert (cube.shape, cube.metadata["stage_x"][-1]) == ((7, 20), 1)


def test_offsets_that_were_written_with_a_sign():
    offsets = [16, 2**31 - 8, 2**31 + 8, 2**32 - 8, 2**32 + 8, 3 * 2**31, 2**33 + 1]
    signed = [int(np.int64(offset % 2**32) - (2**32 if offset % 2**32 >= 2**31 else 0)) for offset in offsets]
    assert unwrapped(signed) == offsets
    assert unwrapped([5, 3, 9]) == [5, 3, 9]
