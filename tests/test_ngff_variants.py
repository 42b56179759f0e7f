"""OME-Zarr as different writers lay it out: every version, transformation and kind of axis, plates and series."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_spectrai import inspect, read
from napari_spectrai.io import SeveralArraysError, SpectralWarning, UnreadableError
from napari_spectrai.io.labels import read_labels

quiet = pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
WAVE, STEP = np.linspace(400, 700, 8), 300 / 7
UNEVEN = np.array([400, 405, 430, 480, 500, 610, 650, 700.0])
CUBE = np.random.default_rng(0).integers(0, 1000, (5, 6, 8)).astype("u2")
FIRST = CUBE.transpose(2, 0, 1)
BANDS = {"name": "wavelength", "type": "wavelength", "unit": "nanometer"}
SIDES = [{"name": side, "type": "space", "unit": "micrometer"} for side in "yx"]
FIVE = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, {"name": "z", "type": "space"}, *SIDES]


def level(*transformations, path="0") -> dict:
    return {"path": path, "coordinateTransformations": list(transformations)}


def placed(scale, start=None) -> list[dict]:
    return [{"type": "scale", "scale": scale}, *([{"type": "translation", "translation": start}] if start else [])]


def store(path, arrays, attributes, version="0.5"):
    """Attributes of the groups by their paths, ``""`` for the root; Zarr 2 up to NGFF 0.4."""
    old = version < "0.5"
    root = zarr.open_group(str(path), mode="w", zarr_format=2 if old else 3)
    for name, values in arrays.items():
        root.create_array(name, data=values, chunks=values.shape)
    for name, said in attributes.items():
        group = root.require_group(name) if name else root
        group.attrs.update(said if old else {"ome": {"version": version} | said})
    return path


def image(axes, *levels, version="0.5", **more) -> dict:
    return {"multiscales": [{"axes": axes, "datasets": list(levels), "version": version} | more]}


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize(
    ("order", "scale", "start", "pixel", "origin"),
    [
        ("lyx", (STEP, 0.5, 0.25), (400, 1, 2), (0.5, 0.25), [1.0, 2.0]),
        ("yxl", (0.5, 0.25, STEP), (0, 0, 400), (0.5, 0.25), None),
        ("lxy", (STEP, 0.25, 0.5), (400, 2, 1), (0.5, 0.25), [1.0, 2.0]),
    ],
)
def test_axes_in_any_order(order, scale, start, pixel, origin, version, tmp_path):
    axes = [{"l": BANDS, "y": SIDES[0], "x": SIDES[1]}[name] for name in order]
    data = CUBE.transpose(["yxl".index(name) for name in order])
    path = store(tmp_path / "a.ome.zarr", {"0": data}, {"": image(axes, level(*placed(scale, start)), version=version)}, version)
    cube = read(path)
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.pixel_size, cube.pixel_unit, cube.metadata.get("origin")) == (pixel, "um", origin)


FIELDS = [
    lambda w: {"label": f"{w:.4f} nm"},
    lambda w: {"label": f"{w - 5:.4f}-{w + 5:.4f} nm"},
    lambda w: {"label": "ch", "emission_wavelength": w},
    lambda w: {"label": "ch", "emission_wavelength": {"value": w, "unit": "nm"}},
]


@quiet
@pytest.mark.parametrize("version", ["0.1", "0.2", "0.4", "0.5"])
@pytest.mark.parametrize("field", FIELDS)
def test_metadata_of_channels(field, version, tmp_path):
    said = image(FIVE, level(*placed([1.0] * 5)), version=version) | {"omero": {"channels": [field(float(w)) for w in WAVE]}}
    if version < "0.3":
        said["multiscales"][0] = {"datasets": [{"path": "0"}], "version": version}
    cube = read(store(tmp_path / "a.ome.zarr", {"0": FIRST[None, :, None]}, {"": said}, version))
    np.testing.assert_allclose(cube.axis.values, WAVE, rtol=1e-6)
    assert cube.axis.unit == "nm"


@pytest.mark.parametrize(
    "omero", [[1, 2], {"channels": "abcdefgh"}, {"channels": [1] * 8}, {"channels": [{}] * 8}, {"channels": [{"label": 3}]}]
)
def test_damaged_metadata_of_channels_are_left_out(omero, tmp_path):
    said = image(FIVE, level(*placed([1.0] * 5))) | {"omero": omero}
    assert read(store(tmp_path / "a.ome.zarr", {"0": FIRST[None, :, None]}, {"": said})).axis.unit == ""


def test_emission_comes_before_excitation(tmp_path):
    axes = [BANDS | {"name": "excitation_wavelength"}, BANDS | {"name": "emission_wavelength"}, *SIDES]
    said = image(axes, level(*placed([50.0, STEP, 1.0, 1.0], [405.0, 400.0, 0.0, 0.0])))
    cube = read(store(tmp_path / "a.ome.zarr", {"0": np.stack([FIRST, FIRST + 1])}, {"": said}))
    np.testing.assert_array_equal(np.asarray(cube.data), np.stack([CUBE, CUBE + 1]))
    np.testing.assert_allclose(cube.axis.values, WAVE)


# ------------------------------------------------------------------ 0.6

ALONG = placed([STEP], [400.0])
BOTH = {"type": "sequence", "transformations": placed([STEP, 0.5, 0.25], [400.0, 1.0, 2.0])}
MATRIX = [[STEP, 0, 0, 400], [0, 0.5, 0, 1], [0, 0, 0.25, 2]]


def by(inner, first, rest, *, nested=False) -> dict:
    parts = [(inner, first), ({"type": "scale", "scale": [0.5, 0.25]}, rest)]
    own = [{"transformation": one, "input_axes": axes} if nested else one | {"input_axes": axes} for one, axes in parts]
    return {"type": "byDimension", "transformations": own}


SIXTH = [
    BOTH, {"type": "sequence", "transformations": [BOTH, {"type": "identity"}]}, {"type": "affine", "affine": MATRIX},
    {"type": "affine", "affine": [*MATRIX, [0, 0, 0, 1]]}, {"type": "bijection", "forward": BOTH, "inverse": {}},
    by({"type": "sequence", "transformations": ALONG}, ["wavelength"], ["y", "x"]),
    by({"type": "sequence", "transformations": ALONG}, [0], [1, 2], nested=True),
    by({"type": "sequence", "transformations": ALONG}, ["dim_0"], ["dim_1", "dim_2"]),
    by({"type": "coordinates", "coordinates": WAVE.tolist()}, ["wavelength"], ["y", "x"]),
    by({"type": "coordinates", "path": "positions"}, ["wavelength"], ["y", "x"]),
]  # fmt: skip


def sixth(path, transformation, systems=None, **arrays):
    systems = systems or [{"name": "physical", "axes": [BANDS, *SIDES]}]
    said = {"coordinateSystems": systems, "datasets": [level({"input": "0", "output": "physical"} | transformation)]}
    return store(path, {"0": FIRST} | arrays, {"": {"multiscales": [said]}}, "0.6")


@pytest.mark.parametrize("transformation", SIXTH)
@pytest.mark.parametrize("places", ["alone", "second"])
def test_transformations_of_every_kind(transformation, places, tmp_path):
    pixels = {"name": "pixels", "axes": [{"name": name, "type": "array"} for name in "ijk"]}
    systems = [*([pixels] if places == "second" else []), {"name": "physical", "axes": [BANDS, *SIDES]}]
    cube = read(sixth(tmp_path / "a.ome.zarr", transformation, systems, positions=WAVE))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.axis.unit, cube.pixel_size) == ("nm", (0.5, 0.25))


@pytest.mark.parametrize(
    ("transformation", "words"),
    [
        ({"type": "affine", "affine": [[STEP, 1, 0, 400], *MATRIX[1:]]}, "affine mixes dimensions"),
        ({"type": "displacements", "path": "d"}, "displacements is not read"),
        ({"type": "anything", "scale": [3, 3, 3]}, "anything is not read"),
        ({"type": "scale", "scale": [2.0]}, "scale gives 1 numbers for 3 dimensions"),
        (by({"type": "coordinates", "coordinates": [1.0, 2.0]}, ["wavelength"], ["y", "x"]), "coordinates gives 2 positions for 8"),
        (by({"type": "coordinates", "path": "none"}, ["wavelength"], ["y", "x"]), "coordinates gives 0 positions for 8"),
        (by({"type": "sequence", "transformations": ALONG}, [99], ["y", "x"]), "names axes that it does not have"),
        (by({"type": "sequence", "transformations": ALONG}, [-1], ["y", "x"]), "names axes that it does not have"),
    ],
)
def test_positions_that_are_lost_are_mentioned(transformation, words, tmp_path):
    path = sixth(tmp_path / "a.ome.zarr", transformation)
    with pytest.warns(SpectralWarning, match=f"{words}; its bands are numbered"):
        assert read(path).axis.unit == ""


@pytest.mark.parametrize("order", [[0, 1, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1], [2, 1, 0]])
@pytest.mark.parametrize("way", ["mapAxis", "byDimension"])
def test_dimensions_that_are_exchanged_are_read_in_the_order_of_the_axes(order, way, tmp_path):
    """Axis number i is dimension ``order[i]`` of the array."""
    moved = {"type": "mapAxis", "mapAxis": order}
    if way == "byDimension":
        names = [axis["name"] for axis in (BANDS, *SIDES)]
        parts = zip(order, names, strict=True)
        moved = {"type": way, "transformations": [
            {"type": "identity", "input_axes": [f"dim_{number}"], "output_axes": [name]} for number, name in parts
        ]}  # fmt: skip
    axes = {"coordinateSystems": [{"name": "physical", "axes": [BANDS, *SIDES]}]}
    steps = {"type": "sequence", "output": "physical", "transformations": [moved, *placed([STEP, 0.5, 0.25], [400, 0, 0])]}
    described = {"multiscales": [axes | {"datasets": [level(steps)]}]}
    cube = read(store(tmp_path / "a.ome.zarr", {"0": FIRST.transpose(np.argsort(order))}, {"": described}, "0.6"))
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert (cube.axis.unit, cube.pixel_size, cube.pixel_unit) == ("nm", (0.5, 0.25), "um")


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [0, 1, 3], ["x", "y", "z"]])
def test_an_order_that_is_none_is_refused(order, tmp_path):
    with pytest.raises(UnreadableError, match=r"its transformation mapAxis .* is no order of 3 dimensions; it is damaged"):
        read(sixth(tmp_path / "a.ome.zarr", {"type": "mapAxis", "mapAxis": order}))


# ------------------------------------------------------------------ stores of several images


@pytest.mark.parametrize("suffix", [".ome.zarr", ".zarr"])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_plates_and_series(suffix, version, tmp_path):
    levels = [level(*placed([STEP, 0.5 * n, 0.25 * n], [400.0, 0.0, 0.0]), path=str(n - 1)) for n in (1, 2)]
    one = image([BANDS, *SIDES], *levels, version=version)
    groups = {"A/1/0": one, "A/1/1": one, "A/1/1/labels/cells": one | {"image-label": {}}, "": {"plate": {}}}
    arrays = {
        f"{group}/{number}": FIRST[:, :: number + 1, :: number + 1] + place
        for place, group in enumerate(["A/1/0", "A/1/1"])
        for number in (0, 1)
    }
    path = store(tmp_path / f"a{suffix}", arrays, groups, version)
    assert "A/1/1/1" in inspect(path)
    with pytest.raises(SeveralArraysError, match="2 images .A/1/0/0, A/1/1/0.; choose one"):
        read(path)
    cube = read(path, dataset="A/1/1/1")
    np.testing.assert_array_equal(np.asarray(cube.data), CUBE[::2, ::2] + 1)
    np.testing.assert_allclose(cube.axis.values, WAVE)
    assert cube.pixel_size == (1.0, 0.5)
    single = store(
        tmp_path / f"b{suffix}", {"0/0": FIRST}, {"0": image([BANDS, *SIDES], level(*placed([STEP, 1, 1], [400, 0, 0]))), "": {}}, version
    )
    np.testing.assert_allclose(read(single).axis.values, WAVE)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_sizes_without_a_unit_and_names_of_classes(version, tmp_path):
    """As ome-zarr-py writes them where it is not given units."""
    axes = [{"name": "c", "type": "channel"}, *({"name": side, "type": "space"} for side in "yx")]
    root = image(axes, level(*placed([1.0, 0.5, 0.25])), version=version)
    classes = {"image-label": {"properties": [{"label-value": 1, "class": "oak"}, {"label-value": 2, "area": 3.0}, {"label-value": 3}]}}
    groups = {"": root, "labels/cells": image(axes[1:], level(*placed([0.5, 0.25])), version=version) | classes}
    path = store(tmp_path / "a.ome.zarr", {"0": FIRST, "labels/cells/0": CUBE[..., 0] % 4}, groups, version)
    with pytest.warns(SpectralWarning, match="its pixels measure 0.5 × 0.25 in a unit that it does not give; their size is left out"):
        assert read(path).pixel_size is None
    assert read_labels(path).names == {1: "oak"}
