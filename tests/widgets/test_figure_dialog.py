"""A layer as a figure for print, through the menu and the dialog."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_spectrai import Cube, SpectralAxis
from napari_spectrai.widgets import figure_dialog, menus
from napari_spectrai.widgets.figure_dialog import FigureDialog, figure_of, open_figure
from napari_spectrai.widgets.layers import add_cube


@pytest.fixture
def mapped(viewer):
    """A 2-D map of 10 × 20 pixels of 2 µm."""
    return viewer.add_image(
        np.add.outer(np.zeros(10), np.arange(20.0)), name="cells · area", scale=(2, 2), units=("um", "um"), colormap="magma",
        contrast_limits=(2, 15),
    )  # fmt: skip


def test_colours_limits_and_scale_are_those_of_the_layer(viewer, mapped):
    drawn = figure_of(viewer, mapped)
    assert drawn.limits == (2, 15)
    assert drawn.scale_bar == (5.0, "10 µm")
    _, pixels = drawn.drawing.images[0]
    low, high = (np.round(255 * mapped.colormap.map(np.array([end]))[0, :3]) for end in (0.0, 1.0))
    np.testing.assert_allclose(pixels[0, 0], low, atol=1)
    np.testing.assert_allclose(pixels[0, -1], high, atol=1)


def test_the_band_that_the_slider_shows_is_drawn(viewer):
    data = np.zeros((6, 7, 5), np.float32)
    data[..., 3] = 8
    layer = add_cube(viewer, Cube(data, SpectralAxis(np.linspace(500, 540, 5), "nm"), name="stack"))
    layer.contrast_limits = (0, 10)
    viewer.dims.set_current_step(0, 3)
    assert (figure_dialog.plane(viewer, layer) == 8).all()
    assert figure_dialog.title_of(viewer, layer) == "530 nm"
    viewer.dims.set_current_step(0, 2)
    assert (figure_dialog.plane(viewer, layer) == 0).all()


def test_classes_have_the_colours_of_their_layer(viewer):
    layer = viewer.add_labels(np.repeat([[0, 1, 2]], 3, 0), features={"class": ["", "fat", "bone"]})
    drawn = figure_of(viewer, layer)
    words = [mark.words for mark in drawn.drawing.marks if hasattr(mark, "words")]
    assert words == ["fat", "bone", "no class"]
    _, pixels = drawn.drawing.images[0]
    np.testing.assert_allclose(pixels[0, 1], 255 * np.asarray(layer.get_color(1))[:3], atol=1)


def test_the_dialog_refuses_in_words_and_saves(viewer, mapped, tmp_path, monkeypatch, until):
    viewer.layers.selection.active = mapped
    menus.save_figure(viewer)
    (dialog,) = (one for one in QApplication.topLevelWidgets() if isinstance(one, FigureDialog) and one.isVisible())
    assert dialog.parent() is not None  # keeps it, and closes it with itself
    closed = []
    dialog.destroyed.connect(lambda: closed.append(True))
    assert dialog.preview.pixmap().width() > 100
    dialog.form.fill({"low": "20", "high": "15"})
    dialog.draw()
    assert "not below" in dialog._problem.value
    assert not dialog._save.enabled
    dialog.form.fill({"low": "0", "width": "50"})
    dialog.draw()
    assert dialog._save.enabled
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_, **__: (str(tmp_path / "map"), "TIFF (*.tif)"))
    dialog._save.native.click()
    until(lambda: closed)
    with Image.open(tmp_path / "map.tif") as file:
        assert file.size[0] == round(50 * 300 / 25.4)


def test_without_a_map_it_says_what_to_select(viewer):
    assert open_figure(viewer, None) is None
    assert open_figure(viewer, viewer.add_points(np.zeros((1, 2)))) is None


def test_a_long_name_ends_with_dots_in_a_choice(qtbot):
    from magicgui.widgets import ComboBox

    from napari_spectrai.widgets.elided_choice import dress, elided

    choice = ComboBox(choices=["a name that is far too long for this choice", "short"], label="Layer")
    dress(choice)
    qtbot.addWidget(choice.native)
    choice.native.resize(150, 26)
    choice.native.show()
    assert elided(choice.native).endswith("…")
    cut = choice.native.grab().toImage()
    choice.value = "short"
    assert elided(choice.native) == "short"
    assert choice.native.grab().toImage() != cut
    assert choice.native.accessibleName() == "Layer"
