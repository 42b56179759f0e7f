"""Layers of µm and of pixels on one canvas: napari is given units it can draw, and each layer keeps its own."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_spectrai import Cube, Labels, SpectralAxis, as_cube, as_labels
from napari_spectrai.widgets.first_look import band_contrast
from napari_spectrai.widgets.layer_frame import LayerFrame, add_above, add_classes_above, add_map_above
from napari_spectrai.widgets.layers import add_labels, label_options, opened_layer
from napari_spectrai.widgets.shared_units import agreeing

VALUES = np.random.default_rng(0).random((8, 7, 12), np.float32)
SHIFT, UNEVEN = SpectralAxis(np.linspace(600, 1800, 12), "1/cm"), SpectralAxis(np.geomspace(400, 700, 12), "nm")
FILES = {
    "map": lambda: opened_layer(Cube(VALUES, SHIFT, name="map", pixel_size=(0.5, 0.5), pixel_unit="um")),
    "stack": lambda: opened_layer(Cube(VALUES, UNEVEN, name="stack", pixel_size=(2.0, 2.0), pixel_unit="mm")),
    "array": lambda: opened_layer(Cube(VALUES, SHIFT, name="array")),
    "spectra": lambda: opened_layer(Cube(VALUES[0], UNEVEN, name="spectra")),
    "classes": lambda: (np.ones((8, 7), np.int32), label_options(Labels(np.ones((8, 7), np.int32), {1: "fat"})), "labels"),
}


def opened(model, which):
    ((data, options, kind),) = agreeing(model, [FILES[which]()])
    return getattr(model, f"add_{kind}")(data, **options)


@pytest.fixture
def model(qapp):
    model = ViewerModel()
    band_contrast(model)
    return model


@pytest.mark.parametrize("order", list(permutations(FILES, 3)), ids="-".join)
def test_files_of_other_units_open_without_a_quarrel_and_keep_their_own(model, order):
    layers = [opened(model, which) for which in order]
    assert model.layers.extent.units is not None
    for which, layer in zip(order, layers, strict=True):
        if which == "classes":
            assert as_labels(layer).placement.units == ("pixel", "pixel")
        else:
            alone = Cube(VALUES) if which == "spectra" else as_cube(opened(ViewerModel(), which))
            assert (as_cube(layer).pixel_size, as_cube(layer).pixel_unit) == (alone.pixel_size, alone.pixel_unit)
        assert not {"own_units"} & as_cube(layer).metadata.keys() if which != "classes" else True


@pytest.mark.parametrize("order", [("map", "array"), ("array", "map")], ids="-".join)
def test_what_is_made_of_a_layer_has_the_units_of_its_file_too(model, order):
    _, source = (opened(model, which) for which in order)
    cube, frame = as_cube(source), LayerFrame.of(source)
    made = [
        add_above(model, cube.with_data(cube.data, name="result"), frame, "result"),
        add_map_above(model, VALUES[..., 0], frame, "map of it"),
        add_classes_above(model, Labels(np.ones((8, 7), np.int32)), frame, "classes of it"),
        add_labels(model, Labels(np.ones((8, 7), np.int32)), source),
    ]
    assert model.layers.extent.units is not None
    assert {layer.units[-1] for layer in made} == {source.units[-1]}
    own = cube.placement.units[-1]
    assert [as_cube(made[0]).pixel_unit, *(as_labels(layer).placement.units[-1] for layer in made[2:3])] == [own, own]


@pytest.mark.parametrize("others", [(), ("spectra",), ("stack",), ("map",)], ids="-".join)
@pytest.mark.parametrize("stay", [True, False])
@pytest.mark.parametrize("axis", [SHIFT, UNEVEN, SpectralAxis(np.linspace(1, 3, 12), "eV")], ids=lambda axis: axis.unit)
def test_results_on_any_axis_are_drawn_with_their_source(model, others, stay, axis):
    """Also where others have been there that had another unit along the bands, as before a resampling."""
    source = opened(model, "array")
    for which in others:
        layer = opened(model, which)
        if not stay:
            model.layers.remove(layer)
    made = add_above(model, Cube(VALUES, axis), LayerFrame.of(source), "result")
    assert model.layers.extent.units is not None
    assert as_cube(made).axis == axis


def test_a_scale_that_is_set_afterwards_counts(model):
    _, layer = opened(model, "map"), opened(model, "array")
    assert as_cube(layer).pixel_size is None
    layer.scale = [layer.scale[0], 0.25, 0.25]
    assert (as_cube(layer).pixel_size, as_cube(layer).pixel_unit) == ((0.25, 0.25), "um")


def test_layers_of_napari_are_left_as_they_are(model):
    photo = model.add_image(VALUES[..., 0], name="photo")
    opened(model, "map")
    assert [str(unit) for unit in photo.units] == ["pixel", "pixel"]
    assert model.layers.extent.units is not None
