"""What numbers and texts of labels mean: classes, missing classes, markers of missing data, however they are written."""

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from scipy.io import savemat

from napari_spectrai import Cube, Experiment, Labels, SpectralWarning, as_labels, evaluate, read
from napari_spectrai.experiment.label_shapes import resized
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.labels import MARKERS, UNKNOWN, Class, marker_among
from napari_spectrai.plan.partition import divide

IMAGE = np.array([[0, 0, 0], [1, 1, 2], [2, 1, 10]])


# ---------------------------------------------------------------- numbers in tables


@pytest.mark.parametrize("written", ["{:d}", "{:.1f}", "{:.3e}", "{:+d}"])
@pytest.mark.parametrize("missing", [None, "", "NA", "nan", "?", "unlabelled", "None"])
def test_a_table_has_the_same_class_numbers_however_they_are_written(written, missing, tmp_path):
    values = [0, 1, 2, 10, 2]
    cells = [written.format(value) for value in values] + ([] if missing is None else [missing])
    (tmp_path / "a.csv").write_text("class,n\n" + "".join(f"{cell},{n}\n" for n, cell in enumerate(cells)))
    if missing is None:
        labels = read_labels(tmp_path / "a.csv")
    else:
        with pytest.warns(SpectralWarning, match="1 pixels of 'a' are missing"):
            labels = read_labels(tmp_path / "a.csv")
    assert labels.data.tolist() == values + ([] if missing is None else [UNKNOWN])
    assert labels.names == {}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", " ", "   "])
@pytest.mark.parametrize("written", ["%d", "%.2f"])
def test_an_image_of_numbers_is_read_between_any_delimiters(delimiter, written, tmp_path):
    np.savetxt(tmp_path / "a.txt", IMAGE, delimiter=delimiter, fmt=written)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.txt").data, IMAGE)


def test_names_with_blanks_are_no_columns(tmp_path):
    (tmp_path / "a.txt").write_text("fat high\nfat low\nfat high\n")
    assert read_labels(tmp_path / "a.txt").names == {1: "fat high", 2: "fat low"}


def test_sodium_is_a_class(tmp_path):
    (tmp_path / "a.csv").write_text("class\nNa\nK\nNa\n")
    assert read_labels(tmp_path / "a.csv").data.tolist() == [2, 1, 2]


@pytest.mark.parametrize(("start", "step"), [(0, 1), (1, 1), (-3, 2), (10.5, 0.25)])
def test_places_of_pixels_may_start_anywhere_and_have_any_step(start, step, tmp_path):
    table = pd.DataFrame({"x": np.tile(range(3), 3), "y": np.repeat(range(3), 3), "class": IMAGE.ravel()}).sample(frac=1, random_state=0)
    table[["x", "y"]] = start + step * table[["x", "y"]]
    table.to_csv(tmp_path / "a.csv", index=False)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.csv").data, IMAGE)


@pytest.mark.filterwarnings("ignore:1 pixels of")
def test_pixels_without_a_line_are_unlabelled(tmp_path):
    (tmp_path / "a.csv").write_text("y,x,class\n0,0,1\n0,1,2\n1,0,1\n")
    with pytest.warns(SpectralWarning, match="1 of 4 places of its 2 × 2 grid have no line"):
        assert read_labels(tmp_path / "a.csv").data.tolist() == [[1, 2], [1, UNKNOWN]]


# ---------------------------------------------------------------- missing


def test_texts_and_categories_say_that_a_class_is_missing():
    texts = np.array(["a", np.nan, "b"])  # NumPy makes a text of NaN
    for given in (texts, pd.Series(texts).astype("category"), ["a", "Unclassified", "b"]):
        with pytest.warns(SpectralWarning, match="1 pixels"):
            labels = as_labels(given)
        assert labels.data.tolist()[1] == UNKNOWN
        assert sorted(labels.names.values()) == ["a", "b"]


def test_categories_that_are_numbers_keep_them():
    assert as_labels(pd.Series([3, 0, 3]).astype("category")).data.tolist() == [3, 0, 3]
    with pytest.warns(SpectralWarning, match="1 pixels"):
        assert as_labels(pd.Series([3.0, np.nan, 1.0]).astype("category")).data.tolist() == [3, UNKNOWN, 1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_of_floats_makes_no_other_class(dtype):
    np.testing.assert_array_equal(Labels((IMAGE * (1 + 1e-7)).astype(dtype)).data, IMAGE)
    with pytest.raises(ValueError, match=r"these hold 1\.01"):
        Labels(np.array([1, 1.01], dtype))


def _gdal(path, data, value):
    tifffile.imwrite(path, data, extratags=[(42113, "s", 0, str(value), True)])


def _hdf5(path, data, value):
    with h5py.File(path, "w") as file:
        file.create_dataset("labels", data=data).attrs["_FillValue"] = data.dtype.type(value)


@pytest.mark.parametrize(("suffix", "write"), [("tif", _gdal), ("h5", _hdf5)])
@pytest.mark.parametrize(("dtype", "value"), [("u1", 255), ("u2", 65535), ("i2", -999), ("f4", -9999), ("u1", 10)])
def test_the_value_that_a_file_names_for_missing_data_is_no_class(suffix, write, dtype, value, tmp_path):
    data = np.where(IMAGE == 10, value, IMAGE).astype(dtype)
    write(tmp_path / f"a.{suffix}", data, value)
    with pytest.warns(SpectralWarning, match="1 pixels of 'a' are missing"):
        np.testing.assert_array_equal(read_labels(tmp_path / f"a.{suffix}").data, np.where(IMAGE == 10, UNKNOWN, IMAGE))


# ---------------------------------------------------------------- markers


@pytest.mark.parametrize("marker", MARKERS)
def test_a_number_that_may_mark_missing_data_is_said(marker):
    said = marker_among([Class(value, f"class {value}") for value in (1, 2, 5, marker)], "learnt")
    assert f"{marker} is learnt as a class like the others, 1, 2, 5" in said
    labels = np.array([1, 2, 5, marker], np.uint32)
    exec(said.split("set them to -1: ")[1].split(". If it")[0], scope := {"labels": labels})  # the remedy works
    assert scope["labels"].tolist() == [1, 2, 5, UNKNOWN]


@pytest.mark.parametrize(
    "values", [[255], [127, 255], [50, 100, 150, 200, 255], [1, 2, 3], [*range(1, 256)], [10, 20, 95, 100], [1, 2, 40]]
)
def test_numbers_that_are_classes_are_not_doubted(values):
    assert not marker_among([Class(value, f"class {value}") for value in values], "learnt")
    assert not marker_among([Class(1, "fat"), Class(2, "water"), Class(255, "background")], "learnt")


@pytest.mark.parametrize("dtype", ["u1", "i8", "f4"])
def test_training_and_scores_say_that_255_may_be_no_class(dtype):
    truth = np.repeat([[0], [1], [1], [1], [2], [2], [2], [255], [255], [255]], 12, 1).astype(dtype)
    cube = Cube(np.random.default_rng(0).random((10, 12, 6), np.float32))
    division = divide(Experiment.default("segmentation", cube), [cube], [as_labels(truth)])
    assert any(note.startswith("255 is learnt as a class") for note in division.notes)
    assert any(note.startswith("255 is scored as a class") for note in evaluate(truth, truth, "segmentation").notes)


def test_zero_is_scored_where_a_result_names_it_as_a_class():
    truth = np.array([[0, 0, 1], [1, 2, 2]])
    assert evaluate(Labels(truth, {0: "glass", 1: "fat"}), truth).scored == 6
    assert evaluate(Labels(truth, {0: "Unclassified", 1: "fat"}), truth).scored == 4
    assert evaluate(Labels(truth, {1: "fat"}), truth).scored == 4


# ---------------------------------------------------------------- pictures and names


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_a_grey_picture_stored_in_colours_holds_its_grey_levels(mode, tmp_path):
    Image.fromarray(IMAGE.astype("u1")).convert(mode).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png").data, IMAGE)
    see_through = np.array(Image.open(tmp_path / "a.png"))
    see_through[0, 0] = 7
    see_through[0, 0, 0] = 8
    Image.fromarray(see_through, mode).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="holds no class numbers"):
        read_labels(tmp_path / "b.png")


def test_class_names_are_read_from_arrays(tmp_path):
    names = ["fat", "water", "fat"]
    np.save(tmp_path / "a.npy", np.array(names))
    savemat(tmp_path / "a.mat", {"labels": np.array(names, object)})
    for suffix in ("npy", "mat"):
        labels = read_labels(tmp_path / f"a.{suffix}")
        assert labels.data.tolist() == [1, 2, 1]
        assert labels.names == {1: "fat", 2: "water"}


def test_the_remedies_for_other_shapes_work():
    wanted = np.array([[0, 1, 2, 2], [1, 1, 2, 0], [1, 0, 2, 1]])
    masks = np.stack([wanted == 1, wanted == 2])
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], np.uint8)[wanted]
    for labels, start in [
        (masks, "np.where"),
        (np.moveaxis(masks, 0, -1), "np.where"),
        (wanted.T, "labels.T"),
        (wanted.ravel(), "labels.re"),
    ]:
        remedy = resized(labels.shape, wanted.shape)
        code = remedy[remedy.index(start) :].partition("; of colours")[0]
        np.testing.assert_array_equal(eval(code, {"np": np, "labels": labels}), wanted)
    found = eval(resized(colours.shape, wanted.shape).partition("; of colours, ")[2], {"np": np, "labels": colours})
    assert found.shape == wanted.shape
    assert len({(int(a), int(b)) for a, b in zip(found.ravel(), wanted.ravel(), strict=True)}) == 3


@pytest.mark.parametrize("suffix", ["tif", "zarr", "npz"])
@pytest.mark.filterwarnings("ignore:.*it does not say which dimension holds the bands")
def test_labels_that_are_read_as_a_cube_are_said(suffix, tmp_path):
    write_labels(Labels(IMAGE, {1: "fat"}), tmp_path / f"a.{suffix}")
    with pytest.warns(SpectralWarning, match="it holds class numbers"):
        read(tmp_path / f"a.{suffix}")
