"""Layers saved from napari's menu and opened again: same values, place, names and colours. No window is needed."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import Colormap
from qtpy.QtWidgets import QFileDialog

from napari_spectrai import Cube, SpectralAxis, SpectralWarning, as_cube
from napari_spectrai.files import ending
from napari_spectrai.widgets import save_dialog
from napari_spectrai.widgets.layers import layer_data
from napari_spectrai.widgets.opening import _from_file
from napari_spectrai.widgets.saving import NotSavedError, save_image, save_labels

RNG = np.random.default_rng(0)
AXIS = SpectralAxis([500.0, 510.0, 525.0, 560.0], "1/cm")
HERE = {"scale": (0.5, 0.25), "translate": (3.0, -2.0), "units": ("um", "um")}
TURNED = {"scale": (0.5, 0.25), "rotate": 30, "units": ("um", "um")}
SUFFIXES = (".zarr", ".ome.zarr", ".hdr", ".h5", ".npz", ".npy", ".ome.tif", ".mat", ".csv")
"""Those that the manifest offers in the dialog."""


def saved(layer, path):
    """Return the layer that a saved one is opened as."""
    data, meta, kind = layer.as_layer_data_tuple()
    (written,) = (save_labels if kind == "labels" else save_image)(str(path), data, meta)
    (again,) = _from_file(type(path)(written))
    return Layer.create(*again)


def same_place(one, other) -> bool:
    corners = np.array([[0] * one.ndim, [length - 1 for length in one.data.shape[: one.ndim]]], float)
    placed = all(np.allclose(one.data_to_world(at), other.data_to_world(at)) for at in corners)
    return placed and [str(unit) for unit in one.units] == [str(unit) for unit in other.units]


@pytest.mark.parametrize("place", [HERE, TURNED, {}])
@pytest.mark.parametrize("suffix", [one for one in SUFFIXES if one != ".hdr"])
def test_maps_stay_maps(suffix, place, tmp_path):
    own = Colormap([(0, 0, 0, 1), (0.9, 0.2, 0.1, 1)], name="dye")
    about = {"spectral": False, "map": {"source": "cells", "kind": "unmix", "map": "dye"}}
    layer = Image(RNG.random((6, 7)), name="cells · dye", colormap=own, contrast_limits=(0, 2), metadata=about, **place)
    again = saved(layer, tmp_path / f"map{suffix}")
    assert (again.name, again.ndim, again.metadata) == (layer.name, 2, about)
    assert np.allclose(again.data, layer.data)
    assert tuple(again.contrast_limits) == (0, 2)
    assert np.allclose(again.colormap.colors, own.colors)
    assert same_place(again, layer)


@pytest.mark.parametrize("place", [HERE, TURNED])
def test_colours_and_planes_of_others_stay_pictures(place, tmp_path):
    colours = Image(RNG.random((6, 7, 3)), rgb=True, name="true colour", metadata={"spectral": False}, **place)
    plane = Image(RNG.random((6, 7)), name="white light", **place)
    for number, layer in enumerate((colours, plane)):
        again = saved(layer, tmp_path / f"{number}.h5")
        assert (again.name, again.rgb, again.data.shape) == (layer.name, layer.rgb, layer.data.shape)
        assert same_place(again, layer)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cubes_that_were_moved_lie_where_they_lay(suffix, tmp_path):
    cube = Cube(
        RNG.random((6, 7, 4)).astype(np.float32), AXIS, name="cells", pixel_size=(0.5, 0.25), pixel_unit="um", metadata={"origin": (9, 9)}
    )
    data, options, _ = layer_data(cube)
    layer = Image(data, **options)
    layer.translate = [0, 3, -2]
    again = saved(layer, tmp_path / f"cells{suffix}")
    assert as_cube(again).axis == AXIS
    assert same_place(again, layer)


def test_envi_says_that_it_loses_a_rotation(tmp_path):
    cube = Cube(RNG.random((6, 7, 4)).astype(np.float32), AXIS, name="cells", pixel_size=(0.5, 0.25), pixel_unit="um")
    data, options, _ = layer_data(cube)
    layer = Image(data, **options, rotate=np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]))
    with pytest.warns(SpectralWarning, match=r"neither rotation nor shear, which are left out; \.h5 and \.zarr keep them"):
        saved(layer, tmp_path / "cells.hdr")


@pytest.mark.parametrize("named", [{"metadata": {"class_names": {1: "fat", 3: "bone"}}}, {"features": {"class": ["", "fat", "", "bone"]}}])
@pytest.mark.parametrize("suffix", [".npz", ".zarr"])
def test_labels_keep_names_colours_and_place(suffix, named, tmp_path):
    layer = Labels((np.arange(42) % 3).reshape(6, 7), name="strokes", **named, **HERE)
    again = saved(layer, tmp_path / f"strokes{suffix}")
    assert again.metadata["class_names"] == {1: "fat", 3: "bone"}
    for value in (1, 2, 3):  # also of the class that is named and not painted yet
        assert np.allclose(again.get_color(value), layer.get_color(value), atol=1e-3)
    assert same_place(again, layer)
    assert again.get_color(9)[3] == 1  # a class that is painted later is seen


def test_a_refusal_is_not_mistaken_for_another_plug_ins_task(tmp_path):
    data, meta, _ = Image(RNG.random((3, 4, 5, 6)), axis_labels=("wavelength", "z", "y", "x")).as_layer_data_tuple()
    with pytest.raises(NotSavedError, match="not 4 dimensions; choose .zarr or .h5") as caught:
        save_image(str(tmp_path / "series.hdr"), data, meta)
    assert not isinstance(caught.value, ValueError)


@pytest.mark.parametrize("labels", [True, False])
def test_the_dialog_offers_formats_that_keep_everything(labels, tmp_path, monkeypatch):
    layer = Labels(np.eye(6, dtype=np.uint8), name="a/b") if labels else Image(RNG.random((6, 7)), name="a/b", metadata={"spectral": False})
    said = []
    monkeypatch.setattr(save_dialog, "show_info", said.append)
    for chosen, suffix in save_dialog.formats_for(layer).items():
        asked = []

        def answer(_, caption, start, filters, *, chosen=chosen, suffix=suffix, asked=asked):
            asked.append((caption, start.rpartition("/")[2], chosen in filters))
            return str(tmp_path / f"mine.v{len(suffix)}{suffix[-1]}"), chosen

        monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
        path = save_dialog.ask_and_save(layer)
        assert asked == [("Save a/b", "ab", True)]
        assert path.name.endswith(suffix)
        assert path.name.startswith("mine.v")
        assert said[-1] == f"a/b was saved as {path}."
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: ("", ""))
    assert save_dialog.ask_and_save(layer) is None
    save_dialog.ask_and_save(None)
    assert "select an Image or a Labels layer" in said[-1]


def test_a_table_replaces_no_file_that_was_not_named(tmp_path):
    assert [ending(tmp_path / name, ".csv").name for name in ("a", "a.csv", "a.v1", "a.CSV")] == ["a.csv", "a.csv", "a.v1.csv", "a.CSV"]
