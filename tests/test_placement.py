"""Pairs by position: every pixel that is kept lies where its partner lies, and what cannot be exact is refused in words."""

from __future__ import annotations

from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, SpectralAxis, as_cube, evaluate, write
from napari_spectrai.correspondence import correspondence
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.io import read
from napari_spectrai.io.labels import read_labels, write_labels
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.labels import Labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.placement import KEY, Placement
from napari_spectrai.plan.pairing import paired
from napari_spectrai.plan.truths import gather
from napari_spectrai.preparation import steps
from napari_spectrai.runs import prepare

UNIT = np.array([0.5, 0.25])


def layer(data, spectral=True, name="cells", axis=None, **place):
    """What is read of a napari layer: λ leads where it is spectral."""
    count = data.ndim
    known = {"scale": np.ones(count), "translate": np.zeros(count), "units": ("pixel",) * count} | place
    metadata = {} if not spectral else {"spectral_axis": {"values": [*map(float, range(len(data)))], "unit": "nm", "position": 0}}
    return SimpleNamespace(data=data, metadata=metadata, name=name, **known)


def world(cube_or_labels, pixel):
    return (cube_or_labels.placement.matrix @ [*pixel, 1])[:-1]


def numbered(shape, scale, translate, *, turn=None, bands=2):
    """A cube whose values say where each pixel lies in the world, y then x."""
    matrix = np.eye(3)
    matrix[:2, :2] = np.eye(2) if turn is None else turn
    matrix[:2, :2] = matrix[:2, :2] @ np.diag(scale)
    matrix[:2, 2] = translate
    lies = Placement(matrix, tuple(shape))
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    data = (grid @ matrix[:2, :2].T + matrix[:2, 2]).astype(np.float32)
    return Cube(data[..., :bands], metadata={KEY: lies.to_json()}, name="placed")


@pytest.mark.parametrize("seed", range(30))
def test_kept_pixels_of_two_cubes_lie_at_the_same_place(seed):
    rng = np.random.default_rng(seed)
    one = numbered(rng.integers(5, 12, 2), UNIT, rng.normal(0, 100, 2))
    turns = [np.eye(2), np.diag([-1, 1]), np.diag([1, -1]), np.diag([-1, -1])]
    shape = rng.integers(5, 12, 2)
    turn = turns[rng.integers(4)]
    # a whole number of pixels away, wherever the second image begins
    shift = rng.integers(-3, 4, 2) + np.where(np.diag(turn) < 0, shape - 1, 0)
    other = numbered(shape, UNIT, world(one, shift), turn=turn)
    pair = paired(tasks.parse("denoising"), one, other)
    assert not pair.trouble
    assert pair.cube.shape == pair.truth.shape
    np.testing.assert_allclose(pair.cube.data, pair.truth.data, atol=1e-4)  # the values are places
    corner = np.array(pair.cube.spatial_shape) - 1
    for place in ((0, 0), corner):
        np.testing.assert_allclose(world(pair.cube, place), pair.cube.data[tuple(place)], atol=1e-3)
        np.testing.assert_allclose(world(pair.truth, place), world(pair.cube, place), atol=1e-9)
    first = np.where(np.diag(turn) < 0, shift - shape + 1, shift)
    sides = zip(one.spatial_shape, shape, first, strict=True)
    assert list(pair.cube.spatial_shape) == [min(own, length + start) - max(0, start) for own, length, start in sides]
    whole = pair.cube.shape == one.shape == other.shape and bool((turn == np.eye(2)).all())
    assert bool(pair.words) != whole


def test_an_image_turned_by_a_right_angle_is_turned_back():
    one = numbered((6, 6), (0.5, 0.5), (3.0, 4.0))
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    other = numbered((6, 6), (0.5, 0.5), world(one, (5, 0)), turn=turn)
    pair = paired(tasks.parse("denoising"), one, other)
    np.testing.assert_allclose(pair.cube.data, pair.truth.data, atol=1e-5)
    assert "rotated by a right angle" in pair.words


@pytest.mark.parametrize("seed", range(20))
def test_labels_of_coarser_and_finer_pixels_are_those_at_the_same_place(seed):
    rng = np.random.default_rng(seed)
    factor = int(rng.integers(2, 5))
    image = numbered(rng.integers(8, 16, 2), UNIT, rng.normal(0, 10, 2))
    coarse = bool(rng.integers(2))
    size = UNIT * factor if coarse else UNIT / factor
    shape = tuple(rng.integers(3, 8, 2) * (1 if coarse else factor))
    corner = image.placement.matrix[:2, 2] + (rng.integers(-2, 5, 2) - 0.5) * UNIT
    matrix = np.diag([*size, 1.0])
    matrix[:2, 2] = corner + size / 2
    values = rng.integers(1, 4, shape)
    if not coarse:  # every pixel of the image holds one class
        values = np.kron(rng.integers(1, 4, np.array(shape) // factor), np.ones((factor, factor), int))
    labels = Labels(values, metadata={KEY: Placement(matrix, shape).to_json()})
    pair = paired(tasks.parse("segmentation"), image, labels)
    assert pair.cube is image
    assert pair.truth.shape == image.spatial_shape
    assert "nearest pixel" in pair.words
    for place in np.ndindex(*image.spatial_shape):
        at = (np.linalg.inv(matrix) @ [*world(image, place), 1])[:2]
        inside = bool(((at > -0.5) & (at < np.array(shape) - 0.5)).all())
        wanted = values[tuple(np.floor(at + 0.5 + 1e-9).astype(int))] if inside else 0
        assert pair.truth.data[place] == wanted, (place, at)


def test_a_pixel_that_holds_several_classes_is_unlabelled_and_counted():
    image = numbered((4, 4), (1.0, 1.0), (0.0, 0.0))
    values = np.kron(np.array([[1, 2, 1, 2]] * 4), np.ones((2, 2), int))
    values[0, 0] = 2
    matrix = np.diag([0.5, 0.5, 1.0])
    matrix[:2, 2] = -0.25
    pair = paired(tasks.parse("segmentation"), image, Labels(values, metadata={KEY: Placement(matrix, (8, 8)).to_json()}))
    assert "1 pixels that contain several classes are unlabelled" in pair.words
    assert (pair.truth.data[0, 0], pair.truth.data[0, 1]) == (0, 2)
    every = paired(tasks.parse("classification"), image, Labels(values, metadata={KEY: Placement(matrix, (8, 8)).to_json()}))
    assert "set task.unlabelled" in every.trouble


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({"scale": (1, 1), "translate": (0, 0.4)}, "lies 0.4 pixels further right"),
        ({"scale": (1.3, 1.3)}, "not an integer ratio"),
        ({"rotate": np.array([[np.cos(0.1), -np.sin(0.1)], [np.sin(0.1), np.cos(0.1)]])}, "rotated by 5.73°"),
        ({"shear": np.array([0.2])}, "sheared"),
        ({"translate": (500, 0)}, "no pixel in common"),
        ({"affine": np.array([[1, 0, 0.5], [0, 1, 0], [0, 0, 1.0]])}, "lies 0.5 pixels lower"),
    ],
)
def test_what_cannot_be_exact_is_refused_in_words_with_a_remedy(place, words):
    cube = as_cube(layer(np.zeros((3, 20, 20), np.float32), translate=(0, 7.0, 3.0), name="map"))
    inner = {"translate": np.array([7.0, 3.0])} | {key: np.array(value, float) for key, value in place.items()}
    if place.get("translate") is not None:
        inner["translate"] = np.array([7.0, 3.0]) + place["translate"]
    labels = as_labels(layer(np.ones((20, 20), int), spectral=False, name="strokes", **inner))
    pair = paired(tasks.parse("segmentation"), cube, labels)
    assert any(part in pair.trouble for part in words.split("|")), pair.trouble
    assert "'map'" in pair.trouble
    assert "scale, translate" in pair.trouble
    with pytest.raises(ValueError, match=r"set data\.pairing=pixels"):
        gather(Experiment.from_mapping({"task": "segmentation"}), cube, labels)


def test_a_pixel_size_that_only_one_of_two_equal_images_has_is_asked_about():
    cube = as_cube(layer(np.zeros((3, 20, 20), np.float32), scale=(1, 0.5, 0.5), units=("pixel", "micrometer", "micrometer")))
    pair = paired(tasks.parse("segmentation"), cube, as_labels(layer(np.ones((20, 20), int), spectral=False, name="from elsewhere")))
    assert "Labels 'from elsewhere' has no pixel size of its own (1 pixel), and 'cells' has pixels of 0.5 × 0.5 µm" in pair.trouble
    alike = as_labels(layer(np.ones((20, 20), int), spectral=False, scale=(0.5, 0.5)))  # numbers copied, the unit forgotten
    assert not paired(tasks.parse("segmentation"), cube, alike).trouble
    metres = as_labels(layer(np.ones((20, 20), int), spectral=False, scale=(500, 500), units=("nanometer", "nanometer")))
    assert not paired(tasks.parse("segmentation"), cube, metres).trouble


def test_arrays_and_layers_that_nobody_placed_pair_by_shape_as_before():
    cube, data = as_cube(layer(np.zeros((3, 20, 20), np.float32))), np.ones((18, 20), int)
    for labels in (as_labels(data), as_labels(layer(data, spectral=False))):
        assert not paired(tasks.parse("segmentation"), cube, labels).trouble
        with pytest.raises(ValueError, match="they must have the same size"):
            gather(Experiment.from_mapping({"task": "segmentation"}), cube, labels)


def test_the_finer_truth_of_a_super_resolution_is_its_place(image_pairs):
    task = tasks.parse({"kind": "super_resolution", "factor": 2, "learns_from": "pairs"})
    coarse = as_cube(layer(np.zeros((3, 10, 12), np.float32), scale=(1, 2.0, 2.0), translate=(0, 5.0, 5.0)))
    fine = as_cube(layer(np.zeros((3, 20, 24), np.float32), translate=(0, 4.5, 4.5)))
    assert paired(task, coarse, fine).cube is coarse
    alone = as_cube(layer(np.zeros((3, 10, 12), np.float32), scale=(1, 2.0, 2.0)))  # a scale alone: first corners coincide
    assert not paired(task, alone, as_cube(layer(np.zeros((3, 20, 24), np.float32)))).trouble
    part = paired(task, coarse, fine[4:, 3:20])
    assert (part.cube.spatial_shape, part.truth.spatial_shape) == ((8, 8), (16, 16))
    np.testing.assert_allclose(world(part.truth, (0.5, 0.5)), world(part.cube, (0, 0)))
    assert "not an integer" in paired(task, coarse, as_cube(layer(np.zeros((3, 20, 24), np.float32), scale=(1, 0.7, 0.7)))).trouble
    assert "Bin pixels" in paired(tasks.parse("denoising"), coarse, fine).trouble


def test_gather_cuts_with_a_sentence_and_a_document_may_switch_it_off(image_pairs):
    noisy, clean = (np.moveaxis(cube.data, -1, 0) for cube in image_pairs)
    experiment = Experiment()
    pair = layer(noisy), layer(clean[:, 5:], translate=(0, 5.0, 0), name="clean")
    with pytest.warns(
        SpectralWarning, match=r"Truth 'clean' lies 5 pixels lower than 'cells': paired by position, both are cut to the 19 × 20"
    ):
        (cube,), (truth,) = gather(experiment, *pair)
    np.testing.assert_array_equal(cube.data, image_pairs[0].data[5:])
    np.testing.assert_array_equal(truth.data, image_pairs[1].data[5:])
    moved = layer(noisy), layer(clean, translate=(0, 5.0, 0), name="clean")
    with pytest.warns(SpectralWarning):
        (cube,), (truth,) = gather(experiment, *moved)
    np.testing.assert_array_equal(truth.data, image_pairs[1].data[:19])
    (cube,), _ = gather(experiment.override("data.pairing=pixels"), *moved)
    assert cube.shape == image_pairs[0].shape


def test_labels_outside_are_unlabelled_or_where_every_number_is_a_class_both_are_cut():
    cube = as_cube(layer(np.random.default_rng(0).random((3, 12, 10), np.float32)))
    labels = layer(np.repeat([[1], [2]], [4, 4], 0).repeat(10, 1), spectral=False, translate=(6.0, 0.0), name="strokes")
    with pytest.warns(SpectralWarning, match=r"60 of 120 pixels lie outside and are unlabelled"):
        (_,), (truth,) = gather(Experiment.from_mapping({"task": "segmentation", "network": "spectral_mlp"}), cube, labels)
    assert truth.data.shape == (12, 10)
    np.testing.assert_array_equal(truth.data[:, 0], [0] * 6 + [1] * 4 + [2] * 2)
    document = Experiment.from_mapping({"task": "classification", "network": "spectral_mlp"})
    with pytest.warns(SpectralWarning, match=r"cut to the 6 × 10 pixels"):
        (inside,), (truth,) = gather(document, cube, labels)
    np.testing.assert_array_equal(inside.data, cube.data[6:])
    assert inside.spatial_shape == truth.shape


def test_a_process_gets_the_pairs_as_they_were_in_the_window(image_pairs, tmp_path):
    noisy, clean = (np.moveaxis(cube.data, -1, 0) for cube in image_pairs)
    with pytest.warns(SpectralWarning, match="2 pixels further right"):
        run = prepare(Experiment(), layer(noisy), layer(clean, translate=(0, 0, 2.0), name="clean"), run=tmp_path / "run")
    document = run.folder.experiment()
    assert document.data.pairing == "pixels"
    (cube,), (truth,) = gather(document, None, None)
    np.testing.assert_array_equal(cube.numpy(), image_pairs[0].data[:, 2:])
    np.testing.assert_array_equal(truth.numpy(), image_pairs[1].data[:, :-2])


@pytest.mark.parametrize("suffix", [".zarr", ".npz", ".h5"])
def test_where_a_cube_lies_goes_with_its_file(tmp_path, suffix):
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    cube = numbered((5, 7), (0.5, 0.5), (10.0, 20.0), turn=turn)
    again = read(write(cube, tmp_path / f"c{suffix}"))
    np.testing.assert_allclose(again.placement.matrix, cube.placement.matrix)
    if suffix != ".h5":
        labels = Labels(np.ones((5, 7), int), metadata={KEY: cube.placement.to_json()})
        np.testing.assert_allclose(read_labels(write_labels(labels, tmp_path / f"l{suffix}")).placement.matrix, cube.placement.matrix)


def test_stage_coordinates_of_files_count(tmp_path):
    data = np.random.default_rng(0).random((10, 12, 4), np.float32)
    axis = SpectralAxis([1.0, 2, 3, 4], "nm")
    files = []
    for name, part, origin in (("a", data, (100.0, 50.0)), ("b", data[3:], (101.5, 50.0))):
        cube = Cube(part, axis, pixel_size=(0.5, 0.5), pixel_unit="um", metadata={"origin": origin}, name=name)
        files.append(write(cube, tmp_path / f"{name}.npz"))
    experiment = Experiment.from_mapping({"data": {"input": files[:1], "truth": files[1:]}})
    with pytest.warns(SpectralWarning, match="3 pixels lower"):
        (cube,), (truth,) = gather(experiment, None, None)
    np.testing.assert_array_equal(cube.data, truth.data)
    with pytest.raises(ValueError, match="must show the same pixels"):
        gather(experiment.override("data.pairing=pixels"), None, None)


def test_binned_pixels_and_lazy_cubes_keep_their_place():
    lazy = numbered((9, 7), UNIT, (3.0, 4.0))
    binned = steps.parse({"kind": "bin", "y": 2, "x": 3}).across(lazy)
    np.testing.assert_allclose(world(binned, (1, 1)), binned.data[1, 1], atol=1e-5)
    stack = Cube(da.from_array(lazy.data, chunks=3), metadata=lazy.metadata)
    pair = paired(tasks.parse("denoising"), stack, numbered((9, 7), UNIT, world(lazy, (2, 1))))
    assert isinstance(pair.cube.data, da.Array)
    np.testing.assert_allclose(pair.cube.numpy(), pair.truth.data, atol=1e-5)


# ---------------------------------------------------------------- results


def test_results_are_scored_at_their_position(image_pairs):
    noisy, clean = (np.moveaxis(cube.data, -1, 0) for cube in image_pairs)
    truth, moved = layer(clean, name="clean"), layer(noisy[:, 4:], translate=(0, 4.0, 0), name="result")
    with pytest.warns(SpectralWarning, match="Compared by position, on the 20 × 20 pixels"):
        report = evaluate(moved, truth)
    wanted = evaluate(image_pairs[0].data[4:], image_pairs[1].data[4:])
    assert report.rows["result"] == pytest.approx(wanted.rows["result"])
    with pytest.warns(SpectralWarning, match="Compared by position"):
        found = evaluate({"moved": moved, "whole": layer(noisy)}, truth, source=layer(noisy))
    assert found.rows["moved"]["mse"] == pytest.approx(wanted.rows["result"]["mse"])
    assert len({round(scores["mse"], 9) for scores in found.rows.values()}) == 1  # all of them on the same pixels
    assert any("4 pixels lower" in note for note in found.notes)
    with pytest.raises(ValueError, match="lies 0.5 pixels lower"):
        evaluate(layer(noisy, translate=(0, 0.5, 0)), truth)
    assert evaluate(layer(noisy, translate=(0, 0.5, 0)), truth, pairing="pixels").rows


def test_predicted_classes_are_scored_at_their_position():
    known = np.repeat([1, 2], [10, 10])[None].repeat(12, 0)
    truth = layer(known, spectral=False, name="known")
    part = layer(known[2:, 5:], spectral=False, translate=(2.0, 5.0), name="part")
    with pytest.warns(SpectralWarning, match="compared by position where they overlap"):
        report = evaluate(part, truth, "segmentation")
    assert np.sum(report.confusion) == 10 * 15
    assert report.rows["result"]["overall_accuracy"] == 1
    coarse = layer(known[::2, ::2], spectral=False, scale=(2.0, 2.0), translate=(0.5, 0.5), name="coarse")
    with pytest.warns(SpectralWarning, match="pixels of 2 × 2"):
        assert evaluate(coarse, truth, "segmentation").rows["result"]["overall_accuracy"] == 1
    with pytest.warns(SpectralWarning, match="position"):
        found = evaluate({"part": part, "coarse": coarse}, truth, "segmentation")
    assert {name: int(np.sum(matrix)) for name, matrix in found.confusions.items()} == {"part": 150, "coarse": 150}
    with pytest.raises(ValueError, match="no pixel in common"):
        evaluate(layer(known, spectral=False, translate=(99.0, 0.0)), truth, "segmentation")


def test_the_command_line_pairs_files_by_stage_coordinates_by_default(tmp_path, monkeypatch, image_pairs):
    from typer.testing import CliRunner

    from napari_spectrai.cli import app

    monkeypatch.setattr("napari_spectrai.cli.common.signal.signal", lambda *_: None)
    files = []
    for name, cube, rows in (("result", image_pairs[0], 2), ("truth", image_pairs[1], 0)):
        place = {"pixel_size": (0.5, 0.5), "pixel_unit": "um", "metadata": {"origin": (10.0 + rows / 2, 3.0)}}
        files.append(str(write(Cube(cube.data[rows:], cube.axis, **place), tmp_path / f"{name}.npz")))
    done = CliRunner().invoke(app, ["evaluate", *files])
    assert done.exit_code == 0, done.output
    assert "2 pixels lower" in done.output
    done = CliRunner().invoke(app, ["evaluate", *files, "--pairing", "pixels"])
    assert done.exit_code == 1
    assert "must show the same pixels" in done.output


def test_a_default_suits_what_will_be_cut(image_pairs):
    noisy, clean = (np.moveaxis(cube.data, -1, 0) for cube in image_pairs)
    moved = layer(clean[:, 5:], translate=(0, 5.0, 0))
    assert Experiment.default("denoising", layer(noisy), moved).task.learns_from == "pairs"
    with pytest.raises(ValueError, match="must show the same pixels and bands"):
        Experiment.default("denoising", layer(noisy), layer(clean[:, 5:]))


def test_compare_scores_a_model_at_the_position_of_the_truth(quick, image_pairs, tmp_path):
    import napari_spectrai as spectrai

    noisy, clean = (np.moveaxis(cube.data, -1, 0) for cube in image_pairs)
    model = spectrai.train(quick(), layer(noisy), layer(clean), run=tmp_path / "run")
    with pytest.warns(SpectralWarning, match="3 pixels lower"):
        report = spectrai.compare(model, layer(noisy), layer(clean[:, 3:], translate=(0, 3.0, 0)))
    wanted = spectrai.compare(model, layer(noisy[:, 3:]), layer(clean[:, 3:]))
    assert report.rows["network"] == pytest.approx(wanted.rows["network"], rel=1e-4)
    result = spectrai.predict(model, layer(noisy, translate=(0, 7.0, 2.0))).result
    np.testing.assert_allclose(result.placement.matrix[:2, 2], [7, 2])


@pytest.mark.parametrize(("unit", "factor"), [("micrometer", 1.0), ("nanometer", 1e3), ("millimeter", 1e-3), ("pixel", 1.0)])
def test_lengths_are_converted_and_numbers_without_a_unit_are_compared_as_they_are(unit, factor):
    size = np.array([1, 0.5, 0.25])
    cube = as_cube(layer(np.zeros((3, 8, 8), np.float32), scale=size, units=("pixel", "micrometer", "micrometer")))
    labels = as_labels(layer(np.ones((6, 8), int), spectral=False, scale=size[1:] * factor, translate=(1.0 * factor, 0), units=(unit,) * 2))
    pair = paired(tasks.parse("segmentation"), cube, labels)
    assert "lies 2 pixels lower" in pair.words
    assert labels.placement.units[-1] == {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "pixel": "pixel"}[unit]


@pytest.mark.parametrize(
    ("matrix", "kind"),
    [
        ([[-1, 0, 5], [0, 1, 0], [0, 0, 1]], "cut"), ([[0, -1, 6], [1, 0, 0], [0, 0, 1]], "cut"),
        ([[np.cos(0.5), -np.sin(0.5), 0], [np.sin(0.5), np.cos(0.5), 0], [0, 0, 1]], "refuse"),
    ],
    ids=["mirrored", "quarter turn", "turned"],
)  # fmt: skip
def test_labels_turned_over_an_image_without_a_pixel_size_are_turned_back_or_said(matrix, kind):
    matrix = np.array(matrix, float)
    shape = (6, 7) if abs(matrix[0, 0]) > 0.5 else (7, 7)
    found = correspondence(Placement(np.eye(3), (6, 7)), Placement(matrix, shape))
    assert found.kind == kind
    assert not found.unplaced
    assert "pixel size" not in found.words


@pytest.mark.parametrize("place", [{"translate": (0.0, 9.0)}, {"affine": np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])}])
def test_labels_that_all_lie_outside_are_said_to_do_so(place, tmp_path):
    rng = np.random.default_rng(0)
    image = layer(rng.random((5, 12, 14)))
    marks = np.zeros((12, 14), np.uint8)
    marks[2:5, 6:8], marks[7:10, 6:8] = 1, 2
    labels = layer(marks, spectral=False, name="strokes", **place)
    experiment = Experiment.default("segmentation", image, marks).override("network=pca_lda")
    with pytest.raises(ValueError, match=r"no labelled pixel of 'strokes' lies within 'cells' .* set data.pairing=pixels"):
        gather(experiment, image, labels)
    (_, (taken,)) = gather(experiment.override("data.pairing=pixels"), image, labels)  # the remedy
    np.testing.assert_array_equal(taken.data, marks)
