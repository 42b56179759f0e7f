"""Files in and out of the window: readers, writers, samples, and the Open dock."""

from __future__ import annotations

import struct
import threading
from io import BytesIO
from pathlib import Path

import npe2
import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from napari_spectrai import Cube, SpectralAxis, as_cube, read, sample, write
from napari_spectrai.io import UnreadableError
from napari_spectrai.widgets.contributions import get_reader
from napari_spectrai.widgets.dock import opened
from napari_spectrai.widgets.layers import add_cube, layers_from_file

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize("name", ["raman_pairs", "cartilage", "lambda_stack", "indian_pines", "microplastic"])
def test_the_samples_open_through_the_menu(viewer, name):
    bundled = sample(name)
    layers = viewer.open_sample("napari-spectrai", name)
    cubes = [as_cube(layer) for layer in layers if layer.data.ndim == bundled.cube.data.ndim]
    assert any(np.array_equal(cube.data, bundled.cube.data) and cube.axis == bundled.cube.axis for cube in cubes)
    assert bundled.title
    assert "Source:" in bundled.notice


def test_indian_pines_has_its_classes_with_names(viewer):
    viewer.open_sample("napari-spectrai", "indian_pines")
    labels = viewer.layers["Indian Pines · classes"]
    assert labels.data.shape == (145, 145)
    assert (labels.data == 11).sum() == 2455
    assert labels.metadata["class_names"][11] == "Soybean-mintill"
    assert labels.features["class"][11] == "Soybean-mintill"
    axis = as_cube(viewer.layers["Indian Pines"]).axis
    assert (np.diff(axis.values) <= 0).sum() == 3


def test_bundled_samples_are_small():
    from napari_spectrai.samples import sample_folder

    names = ("raman_pairs", "cartilage", "lambda_stack", "indian_pines", "microplastic")
    size = sum(path.stat().st_size for name in names for path in (sample_folder() / name).iterdir())
    assert size < 12_000_000
    assert all((sample_folder() / name / "LICENSE").exists() for name in names)


@pytest.mark.parametrize("suffix", [".zarr", ".ome.zarr", ".hdr", ".h5", ".npz", ".npy", ".ome.tif", ".mat", ".csv"])
def test_layers_are_saved_and_open_again_as_they_were(viewer, tmp_path, image_pairs, suffix):
    cube = Cube(image_pairs[0].data, image_pairs[0].axis, (0.5, 0.25), "um", "cells")
    layer = add_cube(viewer, cube)
    path = str(tmp_path / f"c{suffix}")
    assert layer.save(path, plugin="napari-spectrai") == [path]
    (data, options, _) = layers_from_file(path)[-1]
    again = as_cube(viewer.add_image(data, **options))
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)
    assert (again.axis, again.pixel_size, again.pixel_unit) == (cube.axis, cube.pixel_size, cube.pixel_unit)


def test_the_reader_leaves_tables_and_pictures_to_napari(tmp_path):
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((4, 5), np.uint8))
    for name in ("plain.tif", "points.csv", "a.png"):
        plugins = [reader.plugin_name for reader in npe2.PluginManager.instance().iter_compatible_readers([str(tmp_path / name)])]
        assert "napari-spectrai" not in plugins
    for name in ("a.wdf", "a.lsm", "a.hdr", "A.NPZ"):
        plugins = [reader.plugin_name for reader in npe2.PluginManager.instance().iter_compatible_readers([str(tmp_path / name)])]
        assert "napari-spectrai" in plugins
    assert get_reader("a.doc") is None


def test_a_container_of_several_arrays_says_where_to_choose(tmp_path):
    np.savez(tmp_path / "c.npz", one=np.ones((3, 4, 5)), two=np.ones((3, 4, 5)))
    with pytest.raises(UnreadableError, match="several arrays.*Open as a spectral image"):
        get_reader(str(tmp_path / "c.npz"))(str(tmp_path / "c.npz"))


def test_a_white_light_picture_lies_under_its_map(viewer, tmp_path):
    picture = BytesIO()
    exif = Picture.Exif()
    exif[0xFEA0] = (-8.0, 1.0)
    exif.get_ifd(0x8769)[0xA20E] = 12.0
    exif.get_ifd(0x8769)[0xA20F] = 10.0
    Picture.new("RGB", (24, 20), (9, 200, 9)).save(picture, "JPEG", exif=exif)
    whole = bytearray((DATA / "sp.wdf").read_bytes())
    content = picture.getvalue()
    path = tmp_path / "m.wdf"
    path.write_bytes(bytes(whole) + struct.pack("<4sIQ", b"WHTL", 0, 16 + len(content)) + content)
    (rgb, options, _), (spectra, _, _) = layers_from_file(path)
    assert rgb.shape == (20, 24, 3)
    assert options["scale"] == (0.5, 0.5)
    assert options["translate"] == (1.25, -7.75)
    assert spectra.shape == (1015, 1)


@pytest.fixture
def open_dock(viewer, until):
    """The dock that opens files, and a function that gives it a file and waits until it is read."""
    _, dock = viewer.window.add_plugin_dock_widget("napari-spectrai", "Open as a spectral image")

    def give(path, **fields):
        if path is not None:
            dock.path = path
        for name, value in fields.items():
            until(lambda: not dock.reading)
            getattr(dock, name).value = value
        until(lambda: not dock.reading)
        return dock

    return dock, give


def test_the_open_dock_asks_which_array_and_which_dimension(viewer, open_dock, tmp_path, until):
    dock, give = open_dock
    assert not dock._open.enabled
    one, two = np.random.default_rng(0).random((2, 5, 6, 7)).astype(np.float32)
    np.savez(tmp_path / "c.npz", one=one, two=two, wavelengths=np.arange(5.0) + 400)
    give(tmp_path / "c.npz")
    assert dock.problem == "The file holds several arrays: choose one in the field Array."
    assert not dock._open.enabled
    assert set(dock.array.choices) >= {"one", "two"}
    give(None, array="two")
    assert dock.about == "6 × 7 spectra, 5 bands, 400–404 nm"
    dock.open()
    until(lambda: len(viewer.layers) == 1)
    cube = as_cube(viewer.layers[0])
    np.testing.assert_array_equal(cube.data, np.moveaxis(two, 0, -1))
    assert cube.axis == SpectralAxis(np.arange(5.0) + 400, "nm")
    tifffile.imwrite(tmp_path / "plain.tif", np.zeros((4, 5, 6), np.uint8), photometric="minisblack")
    give(tmp_path / "plain.tif")
    assert "0 is taken. If that is wrong choose another in the field Spectral dimension" in dock.about
    give(None, dimension=2)
    assert dock.about == "4 × 5 spectra, 6 bands, no spectral axis given"
    (tmp_path / "bad.wdf").write_bytes(b"WDF1")
    give(tmp_path / "bad.wdf")
    assert "bad.wdf: cannot be read as Renishaw WiRE" in dock.problem
    assert not dock._open.enabled


def test_the_open_dock_shows_which_array_is_read(open_dock, tmp_path):
    dock, give = open_dock
    np.savez(tmp_path / "c.npz", data=np.ones((4, 5, 16)), other=np.ones((4, 5, 16)))
    give(tmp_path / "c.npz")
    assert dock.array.value == "data"
    assert "'data' is read. Choose another in the field Array" in dock.about
    assert dock._open.enabled


def test_the_open_dock_shows_the_columns_of_a_table_and_changes_them(open_dock, tmp_path):
    dock, give = open_dock
    rows = "\n".join(f"{n},{400 + 5 * n},{n % 3},{n % 7}" for n in range(20))
    (tmp_path / "t.csv").write_text("Pixel,Wavelength (nm),Dark,Counts\n" + rows)
    give(tmp_path / "t.csv")
    assert [role.value for role in dock.columns] == ["index", "position", "ignored", "intensity"]
    assert dock.about.startswith("1 spectrum, 20 bands, 400–495 nm")
    dock.columns[2].value = "intensity"
    give(None)
    assert dock.about.startswith("2 spectra, 20 bands, 400–495 nm")
    for role in dock.columns:
        role.value = "ignored"
    give(None)
    assert not dock._open.enabled
    assert "=" not in dock.problem


def test_the_open_dock_asks_for_the_size_of_an_unfolded_image_and_for_its_unit(open_dock, tmp_path):
    dock, give = open_dock
    np.save(tmp_path / "u.npy", np.zeros((7, 20)))
    give(tmp_path / "u.npy", image_height="4")
    assert dock.problem == "Height × width needs two whole numbers of pixels, such as 40 × 50, and not 4 × ?."
    assert not dock._open.enabled
    give(None, image_width="5", unit="nm")
    assert "it gives no positions of its 7 bands" in dock.problem
    give(None, first="400")
    assert dock.problem == "Positions needs two numbers, such as 400 – 700, and not 400 – ?."
    give(None, last="700")
    assert dock.about == "4 × 5 spectra, 7 bands, 400–700 nm"
    assert dock._open.enabled
    give(None, image_width="6")
    assert "an image of 4 × 6 has 24 pixels" in dock.problem
    assert "in the fields Height and Width" in dock.problem
    (tmp_path / "t.csv").write_text("\n".join(f"{n * 7},{n % 3}" for n in range(100, 120)))
    give(tmp_path / "t.csv")
    assert (dock.image_height.value, dock.unit.value) == ("", "")
    assert "set it in the fields Positions and Unit" in dock.about
    give(None, unit="um")
    assert dock.about == "1 spectrum, 20 bands, 700–833 µm"


def test_the_open_dock_offers_spectra_that_have_positions_of_their_own(open_dock):
    dock, give = open_dock
    give(DATA / "field" / "m_xyxy.spc")
    assert dock.problem == "The file holds several arrays: choose one in the field Array."
    give(None, array="5")
    assert dock.about.startswith("1 spectrum, ")


def test_the_open_dock_reads_in_a_thread_and_scripts_may_wait(open_dock, tmp_path, monkeypatch, until):
    import threading

    from napari_spectrai.widgets import open_dock as module

    dock, _ = open_dock
    np.save(tmp_path / "u.npy", np.zeros((4, 5, 16)))
    threads, look_at = [], module.look_at
    monkeypatch.setattr(module, "look_at", lambda *given: threads.append(threading.current_thread()) or look_at(*given))
    dock.path = tmp_path / "u.npy"
    assert not dock._open.enabled
    until(lambda: not dock.reading)
    assert threading.main_thread() not in threads
    dock.dimension.value = 0
    dock.settle()
    assert dock._open.enabled


def test_a_layer_as_another_reader_makes_it(viewer, tmp_path):
    """Nikon, Zeiss CZI and Leica files come through their own readers: channels somewhere, no spectral axis."""
    from napari_spectrai.widgets.dock import opened

    data = np.random.default_rng(0).random((3, 16, 20, 24)).astype(np.float32)  # z, channel, y, x, as napari-nd2 has it
    layer = viewer.add_image(data, name="nd2", scale=(1, 1, 0.3, 0.3), axis_labels=("z", "c", "y", "x"), units=("um", "pixel", "um", "um"))
    viewer.window.add_plugin_dock_widget("napari-spectrai", "Spectra")
    spectra = opened(viewer, "Spectra")
    spectra._dimension.value = 1
    cube = as_cube(layer)
    assert cube.shape == (3, 20, 24, 16)
    assert cube.pixel_size == (0.3, 0.3)
    again = read(write(cube, tmp_path / "c.ome.zarr"))
    np.testing.assert_array_equal(np.asarray(again.data), cube.data)


# ---------------------------------------------------------------- choices of files in the Train dock


def test_truths_can_be_chosen_after_the_inputs(viewer, until, pairs, tmp_path):
    """Inputs alone can be learnt from without truths; the field for truths stays, and truths are used when they come."""
    noisy, clean = (write(cube, tmp_path / name) for cube, name in zip(pairs, ("in.h5", "out.h5"), strict=True))
    data = opened(viewer, "Train").data
    data.source.value = "Files"
    data.inputs.paths = [noisy]
    data.inputs.edited.emit()
    until(lambda: not data.reading and bool(data.candidates()[0]))
    assert data.truths.visible
    data.truths.paths = [clean]
    data.truths.edited.emit()
    until(lambda: not data.reading and len(data.candidates()[1]) == 1)
    until(lambda: len(data.held()[1]) == 1)
    assert data.title == "in"
    data.inputs.paths = [noisy, clean]
    assert data.title == "in and 1 more"


def test_missing_files_are_named_in_the_words_of_the_dock(viewer, until, tmp_path):
    data = opened(viewer, "Train").data
    data.show_task("segmentation", takes_truth=True)
    data.source.value = "Files"
    (tmp_path / "images").mkdir()
    data.inputs.paths = [tmp_path / "images"]
    data.inputs.edited.emit()
    until(lambda: not data.reading)
    assert data.problem.value
    assert "data." not in data.problem.value


def test_a_file_dropped_on_the_window_is_read_in_a_thread_while_its_event_loop_goes_on(viewer, qtbot, tmp_path, image_pairs):
    """What is read waits for a timer of the window, which would never fire if the reader stood in its way."""
    from qtpy.QtCore import QTimer

    from napari_spectrai.widgets import opening

    path = write(image_pairs[0], tmp_path / "c.mat")
    fired, opened_layers = threading.Event(), []

    def slowly(file):
        assert fired.wait(60)
        return layers_from_file(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "layers_from_file", slowly)
        QTimer.singleShot(0, lambda: (QTimer.singleShot(50, fired.set), opened_layers.extend(viewer.open(path, plugin="napari-spectrai"))))
        qtbot.waitUntil(lambda: bool(opened_layers), timeout=60_000)
    assert as_cube(opened_layers[0]).axis == image_pairs[0].axis


def test_errors_and_notes_of_a_dropped_file_reach_the_window(viewer, qtbot, tmp_path):
    from qtpy.QtCore import QTimer

    (tmp_path / "bad.mat").write_bytes(b"MATLAB 5.0" + bytes(200))
    np.save(tmp_path / "stack.npy", np.zeros((4, 30, 31), np.float32))
    found = []

    def drop():
        with pytest.warns(UserWarning, match="does not say which dimension"):
            found.append(len(viewer.open(tmp_path / "stack.npy", plugin="napari-spectrai")))

    QTimer.singleShot(0, drop)
    qtbot.waitUntil(lambda: len(found) == 1, timeout=60_000)
    assert found == [1]

    def fail():
        try:
            viewer.open(tmp_path / "bad.mat", plugin="napari-spectrai")
        except ValueError as error:
            found.append(str(error))

    QTimer.singleShot(0, fail)
    qtbot.waitUntil(lambda: len(found) == 2, timeout=60_000)
    assert "cannot be read as MATLAB" in found[1]


@pytest.mark.parametrize("spectral", [True, False])
def test_an_axis_that_naparis_own_reader_left_out_is_one_click_away(viewer, qtbot, tmp_path, image_pairs, spectral):
    from napari.utils.notifications import notification_manager

    from napari_spectrai.widgets import lost_axis
    from napari_spectrai.widgets.first_look import band_contrast

    path = tmp_path / "c.ome.tif"
    if spectral:
        write(image_pairs[0], path)
    else:
        tifffile.imwrite(path, np.zeros((3, 20, 30), np.uint8), photometric="minisblack")
    asked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lost_axis, "_axis_of", lambda file, looked=lost_axis._axis_of: asked.append(looked(file)) or asked[-1])
        band_contrast(viewer)
        before = len(notification_manager.records)
        (layer,) = viewer.open(path, plugin="napari")
        assert "spectral_axis" not in layer.metadata
        qtbot.waitUntil(lambda: len(asked) == 1, timeout=600_000)
        if not spectral:
            qtbot.wait(50)
            assert asked == [""]
            assert len(notification_manager.records) == before
            return
        qtbot.waitUntil(lambda: len(notification_manager.records) > before, timeout=600_000)
    said = notification_manager.records[-1]
    assert said.message.startswith("The axis of c.ome.tif was left out by napari's own reader: 12 bands, 400–700 nm. Open it in File ▸ IO")
    ((words, again),) = said.actions
    again(None)
    assert words == "Open with its axis"
    assert as_cube(viewer.layers[-1]).axis == image_pairs[0].axis
