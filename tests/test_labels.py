"""Labels: from arrays, names, layers and files."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import zarr
from PIL import Image
from scipy.io import savemat
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment
from napari_spectrai.cli import app
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.io import SpectralWarning, UnreadableError
from napari_spectrai.io.labels import holds_labels, read_labels, write_labels, write_table
from napari_spectrai.label_conversion import as_labels, labels_of
from napari_spectrai.labels import UNKNOWN, Class, Labels, in_short
from napari_spectrai.placement import KEY, Placement
from napari_spectrai.plan.truths import class_table, numbered


def test_names_are_numbered_in_alphabetical_order():
    labels = as_labels(["water", "fat", "water"])
    assert labels.data.tolist() == [2, 1, 2]
    assert labels.classes(None) == [Class(1, "fat"), Class(2, "water")]


def test_a_layer_brings_names_and_colours():
    layer = SimpleNamespace(
        data=np.array([[0, 3], [7, 3]]), metadata={"class_names": {3: "cell"}}, name="paint", get_color=lambda value: (value / 10, 0, 0, 1)
    )
    labels = as_labels(layer)
    assert labels.classes() == [Class(3, "cell", (0.3, 0.0, 0.0, 1.0)), Class(7, "class 7", (0.7, 0.0, 0.0, 1.0))]
    named = SimpleNamespace(data=layer.data, metadata={}, name="x", features={"class": ["none", "a", "b", "cell"]})
    assert as_labels(named).names[3] == "cell"


@pytest.mark.parametrize(("values", "message"), [([0.5, 1], "whole numbers.*0.5"), ([np.inf, 1], "whole numbers.*inf"), ([1j], "complex")])
def test_what_is_no_label_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        as_labels(np.array(values))


def test_whole_numbers_of_matlab_and_masks_are_labels():
    assert as_labels(np.array([0.0, 2.0])).data.dtype.kind == "i"
    assert as_labels(np.array([True, False])).values() == [1]


@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy", ".npz", ".zarr"])
def test_label_files_keep_numbers_and_names(tmp_path, suffix):
    data = np.arange(12).reshape(3, 4) % 5
    with pytest.warns(SpectralWarning, match="are left out") if suffix == ".npy" else nullcontext():
        path = write_labels(Labels(data, {1: "fat", 4: "water"}), tmp_path / f"labels{suffix}")
    again = read_labels(path)
    np.testing.assert_array_equal(again.data, data)
    assert holds_labels(path) == (suffix != ".npy")
    if suffix != ".npy":
        assert {value: name for value, name in again.names.items() if name} == {1: "fat", 4: "water"}


def test_a_png_stays_readable_where_names_are_too_many_for_it(tmp_path):
    names = {number: f"particle number {number}" for number in range(1, 30_000)}
    labels = Labels(np.arange(30_000).reshape(100, 300), names)
    with pytest.warns(SpectralWarning, match="29,999 classes are too many"):
        path = write_labels(labels, tmp_path / "many.png")
    np.testing.assert_array_equal(read_labels(path).data, labels.data)
    assert read_labels(write_labels(labels, tmp_path / "many.tif")).names == names


def test_matlab_and_hdf5_by_name(tmp_path):
    import h5py
    from scipy.io import savemat

    data = np.arange(6).reshape(2, 3)
    savemat(tmp_path / "a.mat", {"pines_gt": data.astype(float), "other": np.ones((4, 4, 4))})
    np.testing.assert_array_equal(read_labels(tmp_path / "a.mat").data, data)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["one"], file["two"] = data, data + 1
    with pytest.raises(ValueError, match="it holds one 2×3, two 2×3.*choose one with dataset"):
        read_labels(tmp_path / "b.h5")
    np.testing.assert_array_equal(read_labels(tmp_path / "b.h5", dataset="two").data, data + 1)


def test_pictures_in_colours_and_broken_files_are_refused(tmp_path):
    Image.new("RGB", (4, 4), (255, 0, 0)).save(tmp_path / "c.png")
    with pytest.raises(UnreadableError, match="a picture in colours"):
        read_labels(tmp_path / "c.png")
    (tmp_path / "d.npy").write_bytes(b"\x93NUMPY\x01")
    with pytest.raises(UnreadableError, match="cannot be read as labels"):
        read_labels(tmp_path / "d.npy")
    with pytest.raises(UnreadableError, match="known"):
        (tmp_path / "e.xyz").write_text("")
        read_labels(tmp_path / "e.xyz")
    with pytest.raises(FileNotFoundError):
        read_labels(tmp_path / "none.png")


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_pictures_of_other_programs_are_not_taken_for_our_labels(suffix, tmp_path):
    Image.fromarray(np.eye(4, dtype=np.uint8)).save(tmp_path / f"mask{suffix}")
    assert not holds_labels(tmp_path / f"mask{suffix}")
    assert read_labels(tmp_path / f"mask{suffix}").values() == [1]


@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_info_describes_label_images(suffix, tmp_path):
    path = write_labels(Labels(np.array([[1, 2], [0, 2]]), {1: "water", 2: "fat"}), tmp_path / f"kinds{suffix}")
    shown = CliRunner().invoke(app, ["info", str(path)])
    assert shown.exit_code == 0
    assert "Labels(kinds: 2 × 2, 2 classes)" in shown.output


def test_the_classes_of_several_labels_are_one_table():
    first, second = Labels(np.array([[0, 5]])), Labels(np.array([[9, 5]]), {5: "bone", 9: "skin"})
    table = class_table([first, second], 0)
    assert [(one.value, one.name) for one in table] == [(5, "bone"), (9, "skin")]
    assert numbered(second, table).tolist() == [[2, 1]]
    assert numbered(first, table).tolist() == [[0, 1]]
    assert [one.value for one in class_table([first], None)] == [0, 5]


@pytest.mark.parametrize("suffix", [".zarr", ".tif", ".png"])
def test_colours_go_with_a_file_and_reach_the_model(suffix, tmp_path):
    labels = Labels(np.array([[1, 2], [0, 2]]), {1: "water"}, {1: (0.1, 0.2, 0.3, 1.0), 2: (1.0, 0.0, 0.0, 1.0)})
    again = read_labels(write_labels(labels, tmp_path / f"kinds{suffix}"))
    assert (again.names, again.colours) == (labels.names, labels.colours)
    assert [one.colour for one in class_table([again], 0)] == list(labels.colours.values())


def grains(count: int, side: int = 256) -> np.ndarray:
    """Discs, each with its number."""
    data, steps = np.zeros((side, side), int), int(np.ceil(count**0.5))
    rows, columns = np.ogrid[:side, :side]
    for number in range(count):
        y, x = ((np.array(divmod(number, steps)) + 0.5) * side / steps).astype(int)
        data[(rows - y) ** 2 + (columns - x) ** 2 < (0.4 * side / steps) ** 2] = number + 1
    return data


@pytest.mark.parametrize("count", [40, 400])
def test_numbers_of_objects_are_asked_about_in_one_sentence_and_not_listed(count):
    data = grains(count)
    assert Labels(data).objects() == count
    cube, experiment = (
        Cube(np.zeros((*data.shape, 3), np.float32)),
        Experiment.from_mapping({"task": "segmentation", "network": "spectral_mlp"}),
    )
    (problem,) = problems_with(experiment, [cube], [Labels(data, name="cells")])
    assert problem.path == "truth"
    assert f"'cells' contains {count} values without names" in problem.message
    assert "If they number objects" in problem.message
    assert len(problem.message) < 400
    assert not problems_with(experiment, [cube], [Labels((data > 0) + 1)])
    assert not problems_with(experiment, [cube], [Labels(data, {value: f"mineral {value}" for value in range(1, count + 1)})])


def test_amounts_of_spectra_are_asked_about_and_classes_of_few_spectra_are_not():
    amounts = np.random.default_rng(0).integers(0, 1000, 60)
    texts = {value: f"{value / 100:.2f}" for value in amounts.tolist()}
    cube, experiment = Cube(np.zeros((60, 3), np.float32)), Experiment.from_mapping({"task": "classification", "network": "spectral_mlp"})
    for given in (Labels(amounts), Labels(amounts, texts)):
        (problem,) = problems_with(experiment, [cube], [given])
        assert "If they are amounts" in problem.message
        assert "numpy.digitize" in problem.message
    named = Labels(amounts, {value: f"sample {value}" for value in texts})
    for classes in (named, Labels(amounts // 100), Labels(np.arange(60) // 2), Labels(np.arange(60) % 9)):
        assert not problems_with(experiment, [cube], [classes])
    with pytest.raises(ValueError, match="amounts are not learnt as such"):
        Labels(amounts / 7)


def test_classes_that_lie_all_over_an_image_are_no_objects():
    rng = np.random.default_rng(0)
    assert Labels(rng.integers(0, 60, (80, 80))).objects() == 0
    assert Labels(np.kron(rng.integers(1, 41, (20, 20)), np.ones((5, 5), int))).objects() == 0
    assert Labels(np.where(grains(9) == 0, 0, grains(9))).objects() == 0  # a stroke for each of a few classes


def test_long_lists_of_names_are_cut_short():
    assert in_short(["fat", "water"]) == "fat, water"
    assert in_short([f"class {n}" for n in range(400)]) == "class 0, class 1, class 2, class 3, class 4 and 395 more"


def test_a_container_of_two_labels_says_which_is_read(tmp_path):
    np.savez(tmp_path / "two.npz", labels=np.eye(4, dtype=int), mask=np.ones((4, 4), int), cube=np.ones((4, 4, 9)))
    with pytest.warns(SpectralWarning, match="may be labels .labels, mask.; 'labels' is read. Choose another with dataset="):
        assert read_labels(tmp_path / "two.npz").data.sum() == 4
    assert read_labels(tmp_path / "two.npz", dataset="mask").data.sum() == 16


def test_a_picture_is_read_as_what_its_name_says(tmp_path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nshowpage\n")
    with pytest.raises(UnreadableError, match="cannot be read as labels"):
        read_labels(tmp_path / "a.png")
    assert not holds_labels(tmp_path / "a.png")


@pytest.mark.parametrize(
    "given",
    [
        ["a", None, "b"], ["a", float("nan"), "b"], ["a", "", "b"], ["a", " ", "b"], [1, None, 2], [1.0, float("nan"), 2.0],
        np.array(["a", None, "b"], object), np.array(["a", "", "b"]), np.array([1, None, 2], object), np.array([1, np.nan, 2]),
        pd.Series(["a", None, "b"]), pd.Series(["a", pd.NA, "b"], dtype="string"), pd.Series(["a", None, "b"]).astype("category"),
        pd.Categorical(["a", None, "b"]), pd.Series([1, pd.NA, 2], dtype="Int64"), pd.Series([1, np.nan, 2]),
    ],
    ids=repr,
)  # fmt: skip
def test_a_missing_class_is_unlabelled_whatever_it_is_written_with(given):
    with pytest.warns(SpectralWarning, match="1 pixels of the labels are missing"):
        found = [as_labels(given), *labels_of(given, [(3,)])]
    for each in found:
        assert each.data.tolist() == [1, UNKNOWN, 2]
        assert each.values(None) == [1, 2]  # no class of its own, for a task in which every number is a class, either


def test_missing_truth_values_keep_true_and_false():
    with pytest.warns(SpectralWarning, match="missing"):
        assert as_labels(pd.Series([True, pd.NA, False], dtype="boolean")).data.tolist() == [1, UNKNOWN, 0]
    assert as_labels([True, False]).data.tolist() == [1, 0]


@pytest.mark.parametrize(("given", "words"), [(["a", 1], "'a' and 1"), ([None, None], "all labels are missing"), ("file.tif", "array")])
def test_what_holds_no_labels_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        as_labels(given)


def test_labels_take_a_shape_that_differs_by_dimensions_of_length_one():
    lies = Placement(np.diag([1.0, 2.0, 3.0, 1.0]), (1, 4, 5), ("pixel", "um", "um"))
    labels = Labels(np.arange(20).reshape(1, 4, 5), metadata={KEY: lies.to_json()})
    flat = labels.in_shape((4, 5))
    assert flat.shape == (4, 5)
    assert flat.placement.pixel_size == (2.0, 3.0)
    assert flat.placement.units == ("um", "um")
    assert labels.in_shape((5, 4)) is labels
    assert Labels(np.arange(20)[:, None]).in_shape((20,)).shape == (20,)


@pytest.mark.parametrize(
    ("data", "remedy"),
    [
        (np.zeros((3, 6, 7), int), "such as labels[0]"),
        (np.zeros((6, 7, 3), int), "labels.argmax(-1) + 1"),
        (np.zeros((7, 6), int), "give labels.T"),
        (np.zeros((3, 4), int), "crop or resample one of them"),
    ],
)
def test_labels_of_another_shape_are_refused_with_what_can_be_done(data, remedy):
    data.flat[:2] = 1, 2
    cube = Cube(np.ones((6, 7, 5), np.float32))
    found = problems_with(Experiment.default("segmentation", cube), [cube], [Labels(data)])
    assert any(remedy in problem.message for problem in found)


def test_what_is_advised_for_a_mask_of_two_values_can_be_set():
    cube = Cube(np.random.default_rng(0).random((6, 7, 5), np.float32))
    mask = Labels(np.arange(42).reshape(6, 7) % 2 == 0)
    for task in ("segmentation", "classification"):
        experiment = Experiment.default(task, cube, mask)
        (problem,) = problems_with(experiment, [cube], [mask])
        advice = problem.message.rpartition("set ")[2]
        assert not problems_with(experiment.override(advice), [cube], [mask])


LOOKUP = "class names = {Unclassified, Soil,\n Water}\nclass lookup = {0, 0, 0, 255, 0, 0, 0, 0, 51}\n"


def classification(folder, more=LOOKUP, bands=1, kind="ENVI Classification"):
    data = np.array([[0, 1, 2], [2, 2, 1]], np.uint8)
    header = f"ENVI\nsamples = 3\nlines = 2\nbands = {bands}\ndata type = 1\ninterleave = bsq\nfile type = {kind}\nclasses = 3\n{more}"
    (folder / "gt.hdr").write_text(header)
    (folder / "gt.img").write_bytes(data.tobytes() * bands)
    return folder / "gt.hdr", data


def test_a_classification_of_envi_is_read_with_names_and_colours(tmp_path):
    path, data = classification(tmp_path)
    assert holds_labels(path)
    labels = read_labels(path)
    np.testing.assert_array_equal(labels.data, data)
    assert labels.classes() == [Class(1, "Soil", (1.0, 0.0, 0.0, 1.0)), Class(2, "Water", (0.0, 0.0, 0.2, 1.0))]
    assert "2 classes" in CliRunner().invoke(app, ["info", str(path)]).output


def test_what_a_header_of_envi_leaves_open_or_contradicts_is_said(tmp_path):
    path, data = classification(tmp_path, "")
    np.testing.assert_array_equal(read_labels(path).data, data)
    path, _ = classification(tmp_path, "class names = {Soil, Water, Road}\nclass lookup = {1, 2}\n")
    with pytest.warns(SpectralWarning, match="its class 0, 'Soil', counts as unlabelled"):
        assert read_labels(path).names == {1: "Water", 2: "Road"}
    path, data = classification(tmp_path, "", kind="ENVI Standard")
    assert not holds_labels(path)
    np.testing.assert_array_equal(read_labels(path).data, data)
    path, _ = classification(tmp_path, bands=2)
    with pytest.raises(ValueError, match=r"gt\.hdr: .*its 2 bands are spectra"):
        read_labels(path)


@pytest.mark.parametrize(
    ("text", "values", "names"),
    [
        ("class\nPE\nPP\nPE\n", [1, 2, 1], {1: "PE", 2: "PP"}),
        ("id;species\n1;PP\n2;PE\n3;\n", [2, 1, -1], {1: "PE", 2: "PP"}),
        ("Klasse\tx1\tx2\n3\t0.5\t7\n4\t0.5\t8\n", [3, 4], {}),
        ("1,fat\n2,water\n3,fat\n", [1, 2, 1], {1: "fat", 2: "water"}),
        ("0\n2\n\n1\n", [0, 2, -1, 1], {}),
        ("0 1 2\n".replace(" ", ",") * 2, [[0, 1, 2], [0, 1, 2]], {}),
    ],
)
@pytest.mark.filterwarnings("ignore::napari_spectrai.io.SpectralWarning")
def test_classes_of_a_table(text, values, names, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    labels = read_labels(tmp_path / "a.csv")
    np.testing.assert_array_equal(labels.data, values)
    assert {value: name for value, name in labels.names.items() if value > 0} == names


def test_the_table_of_a_prediction_is_read_as_its_labels(tmp_path):
    labels = Labels(np.array([[0, 1, 2], [2, 1, 0]]), {1: "fat", 2: "=water"})
    write_table(labels, np.full((2, 3, 2), 0.5), labels.classes(), tmp_path / "a.csv")
    again = read_labels(tmp_path / "a.csv")
    np.testing.assert_array_equal(again.data, labels.data)
    assert again.names[1] == "fat"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1.5,2\n3,4\n", "could all be the classes, or none"),
        ("y,x,class\n0,0,a\n3,5,b\n7,6,a\n", "are not the pixels of an image, one line for each; list all its pixels"),
        ("y,x,class\n0,0,1\n1,3,2\n5,5,1\n", "or give the classes of single places as points"),
        ("class,n\na,1\nb\n", "its line 3 holds 1 values and its first 2"),
        ("\n", "it is empty"),
    ],
)
def test_a_table_without_classes_is_refused(text, words, tmp_path):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"a\.csv: .*{words}"):
        read_labels(tmp_path / "a.csv")


@pytest.mark.parametrize("kind", ["h5", "nxs", "he5", "zarr", "npz", "mat"])
def test_the_only_image_of_whole_numbers_of_a_container_is_the_labels(kind, tmp_path):
    path, numbers = tmp_path / f"a.{kind}", np.array([[0, 1, 2], [2, 1, 0]], "u1")
    arrays = {"cube": np.random.default_rng(0).random((2, 3, 4)), "segmentation": numbers, "wavelength": np.arange(4)}
    if kind == "zarr":
        for name, values in arrays.items():
            zarr.open_group(str(path), mode="a").create_array(name, data=values)
    elif kind in ("npz", "mat"):
        np.savez(path, **arrays) if kind == "npz" else savemat(path, {name: arrays[name] for name in ("cube", "segmentation")})
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    np.testing.assert_array_equal(read_labels(path).data, numbers)


@pytest.mark.parametrize("version", [2, 3])
def test_label_images_of_ome_zarr(version, tmp_path):
    """The highest resolution of the only one; of several, one is asked for."""
    numbers = np.random.default_rng(0).integers(0, 4, (1, 6, 8)).astype("u1")
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=version)
    for name, values in {"0": np.zeros((5, 6, 8)), "labels/cells/1": numbers[:, ::2, ::2], "labels/cells/0": numbers}.items():
        group.create_array(name, data=values)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.ome.zarr").data, numbers)
    group.create_array("labels/nuclei/0", data=numbers)
    with pytest.raises(UnreadableError, match=r"labels/cells/0 1×6×8, labels/nuclei/0 1×6×8.*choose one"):
        read_labels(tmp_path / "a.ome.zarr")


@pytest.mark.parametrize("kept", [{"names": {1: "a", 2: "b"}}, {"colours": {1: (1.0, 0.0, 0.0, 1.0)}}])
def test_what_a_npy_cannot_hold_is_said(kept, tmp_path):
    with pytest.warns(SpectralWarning, match=r"a \.npy holds numbers alone; names and colours of [12] classes are left out; \.npz"):
        write_labels(Labels(np.array([[0, 1], [2, 1]]), **kept), tmp_path / "a.npy")
