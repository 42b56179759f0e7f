"""Pixels without data: told in one place, left out of everything, and counted."""

import warnings

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, compare, evaluate, maps, predict, preprocess, read, sample, train
from napari_spectrai.label_conversion import as_labels
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.plan.partition import divide
from napari_spectrai.plan.truths import gather
from napari_spectrai.preparation import steps
from napari_spectrai.preparation.axis import Fill, RemoveBands
from napari_spectrai.preparation.missing import usable
from napari_spectrai.preparation.reference import Reflectance
from napari_spectrai.valid import held_by, holds_data, said

WITHOUT = {"zeros": 0.0, "NaN": np.nan, "infinity": np.inf, "ignored": -9999.0}


def scene(kind="zeros", side=48, object_side=20, bands=12, seed=0):
    """Return an object of two materials in a field without data: noisy and clean cube, and labels that reach into the field."""
    rng = np.random.default_rng(seed)
    x = np.arange(bands)
    shapes = np.stack([np.exp(-(((x - 3) / 2) ** 2)), np.exp(-(((x - 8) / 2) ** 2))]) + 0.2
    labels = np.ones((side, side), int)
    labels[:, side // 2 :] = 2
    clean = shapes[labels - 1].astype(np.float32) * rng.uniform(0.7, 1.3, (side, side, 1)).astype(np.float32)
    noisy = (clean + 0.05 * rng.standard_normal(clean.shape)).astype(np.float32)
    first = (side - object_side) // 2
    inside = np.zeros((side, side), bool)
    inside[first : first + object_side, first : first + object_side] = True
    noisy[~inside] = clean[~inside] = WITHOUT[kind]
    metadata = {"ignore_value": -9999} if kind == "ignored" else {}
    return Cube(noisy, name="noisy", metadata=metadata), Cube(clean, name="clean", metadata=metadata), labels, inside


def quiet(work, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectralWarning)
        return work(*args, **kwargs)


# ---------------------------------------------------------------- the decision


@pytest.mark.parametrize("kind", WITHOUT)
@pytest.mark.parametrize("lazy", [False, True])
def test_pixels_without_data_are_found_in_memory_and_block_by_block(kind, lazy):
    noisy, _, _, inside = scene(kind)
    cube = Cube(da.from_array(noisy.data, chunks=(10, 7, 5)), metadata=noisy.metadata) if lazy else noisy
    held = holds_data(cube)
    np.testing.assert_array_equal(held.mask, inside)
    assert (held.empty if kind == "zeros" else held.missing) == (~inside).sum()
    assert held.count == inside.sum()
    assert f"{(~inside).sum():,} of {inside.size:,} spectra hold no data" in said([held])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, bool, np.float64])
def test_of_any_type_of_numbers(dtype):
    data = np.ones((5, 4, 6), dtype)
    data[2] = 0
    np.testing.assert_array_equal(holds_data(Cube(data)).mask, data.any(-1))
    assert holds_data(Cube(data + dtype(1))).complete


def test_the_memory_of_lazy_cubes_is_not_mixed_up():
    one, other = da.ones((4, 4, 3)), da.zeros((4, 4, 3))
    for _ in range(2):
        assert holds_data(Cube(one)).complete
        assert not holds_data(Cube(other)).count


def test_a_spectrum_with_some_missing_values_counts_where_they_are_filled_or_removed():
    data = np.random.default_rng(0).random((6, 5, 8), np.float32)
    data[1, 1, 3], data[2, 2] = np.nan, np.nan
    cube = Cube(data)
    assert usable(cube, []).missing == 2
    assert usable(cube, [steps.parse("fill")]).missing == 1
    assert usable(cube, [RemoveBands(bands=(3,))]).missing == 1
    assert usable(cube, [steps.parse({"kind": "crop", "low": 4, "high": 7})]).missing == 1
    assert usable(cube, [RemoveBands(bands=(2,)), steps.parse("normalise")]).missing == 2


@pytest.mark.parametrize("peak", [1, 2, 5, 20])
def test_pixels_that_counted_no_photon_are_data_and_denoised(peak):
    """A few counts leave some pixels of a bright region without any; they are no holes."""
    rng = np.random.default_rng(0)
    stack = sample("lambda_stack").cube.numpy()[..., :256, :256, :]
    smooth = stack.reshape(-1, stack.shape[-1]).mean(0)
    rate = peak * smooth / smooth.max() * (0.3 + 0.7 * rng.random((64, 64, 1)))
    counts = rng.poisson(rate / 4).astype(np.float32)
    zero = ~counts.any(-1)
    held = held_by(counts)
    assert held.complete
    framed = np.pad(counts, ((12, 0), (0, 3), (0, 0)))  # a border is told from them
    held = held_by(framed)
    assert not held.mask[:12].any()
    assert not held.mask[:, 64:].any()
    assert held.mask[12:, :64].all()
    if zero.any():
        result = quiet(predict, "svd_nlm", Cube(counts)).result.data
        assert np.abs(result[zero]).max(-1).min() > 0


def test_photons_of_the_bundled_stack_at_low_counts_leave_no_holes():
    stack = sample("lambda_stack").cube.numpy()
    stack = stack.reshape(-1, *stack.shape[-3:])[0].astype(float)
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(stack, (2, 2, 1))
    for peak in (5, 20):
        rate = smooth / smooth.max() * peak
        counts = np.random.default_rng(1).poisson(rate).astype(np.float32)
        lost = ~held_by(counts).mask
        # what is left out is the dark between the cells, not dim pixels within them
        assert rate[lost].sum(-1).max(initial=0) < 1.0
        assert rate[lost].sum() < 0.01 * rate.sum()


def test_dead_pixels_of_data_that_are_not_counted_have_no_data():
    noisy, *_ = scene(object_side=48)
    noisy.data[5, 5] = noisy.data[20, 30] = 0
    assert holds_data(noisy).empty == 2


# ---------------------------------------------------------------- split and training


@pytest.mark.parametrize("kind", WITHOUT)
@pytest.mark.parametrize("method", ["contiguous", "blocks", "random", "stratified"])
@pytest.mark.parametrize("object_side", [6, 20, 33])
def test_every_split_is_among_pixels_that_hold_data(kind, method, object_side):
    noisy, _, labels, inside = scene(kind, object_side=object_side)
    experiment = Experiment.default("segmentation", noisy, labels).override(
        f"split.method={method}", "network=spectral_mlp", "split.validation=0.2", "split.test=0.2"
    )
    division = divide(experiment, *gather(experiment, noisy, labels))
    (parts,) = division.maps
    assert not parts[0][~inside].any()
    counts = division.counts()
    assert set(counts) == {"training", "validation", "test"}
    assert division.of_classes().sum() == inside.sum()
    np.testing.assert_array_equal(division.data[0][0], inside)
    assert 0.02 * inside.sum() < counts["validation"] < 0.6 * inside.sum()


def test_shares_are_as_asked_among_the_pixels_with_data():
    noisy, _, _, inside = scene()
    for method in ("contiguous", "random"):
        experiment = Experiment().override(f"split.method={method}", "split.validation=0.25", "split.gap=0")
        division = divide(experiment, [noisy], [noisy])
        assert division.counts()["validation"] == pytest.approx(0.25 * inside.sum(), abs=20)


def test_files_without_data_are_left_out_and_others_split():
    cubes = [Cube(np.random.default_rng(n).random((6, 6, 5), np.float32), name=str(n)) for n in range(4)]
    cubes[1].data[:] = 0
    experiment = Experiment().override("split.validation=0.3")
    division = divide(experiment, cubes, cubes)
    assert [int(m.max()) for m in division.maps] == [1, 0, 1, 2]
    assert division.notes == ["36 of 144 spectra hold no data (36 all zero) and are left out."]


SMALL_UNET = ["training.epochs=1", "network=unet", "network.dims=2", "network.depth=1", "data.patch=8"]
TRAINED = {
    "spectra with truth": ("denoising", "clean", ["training.epochs=2"]),
    "image without truth": ("denoising", None, ["training.epochs=1"]),
    "image, masked": ("denoising", None, ["training.epochs=1", "task.learns_from=masked"]),
    "image, recorrupted": ("denoising", None, ["training.epochs=1", "task.learns_from=recorrupted"]),
    "image with truth": ("denoising", "clean", SMALL_UNET),
    "ridge": ("denoising", "clean", ["network=ridge"]),
    "PCA": ("denoising", "clean", ["network=pca"]),
    "classes of pixels": ("segmentation", "labels", ["training.epochs=1", "network=spectral_mlp"]),
    "classes by windows": ("segmentation", "labels", ["training.epochs=1"]),
    "classes by patches": (
        "segmentation", "labels", [*SMALL_UNET, "split.block=8"],
    ),
    "forest": ("segmentation", "labels", ["network=random_forest"]),
    "k-means": ("segmentation", "labels", ["network=kmeans"]),
    "enlarging": ("super_resolution", None, ["training.epochs=1", "training.batch=4", "data.samples=8"]),
}  # fmt: skip


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.parametrize("kind", ["zeros", "NaN"])
@pytest.mark.parametrize("name", TRAINED)
def test_an_object_in_a_field_without_data_trains_and_the_field_stays_empty(kind, name, tmp_path):
    task, given, settings = TRAINED[name]
    noisy, clean, labels, inside = scene(kind)
    truth = {"clean": clean, "labels": labels, None: None}[given]
    experiment = Experiment.default(task, noisy, truth).override(*settings, "split.beside=false")
    model = quiet(train, experiment, noisy, truth, run=tmp_path / "run")
    for rows in model.card().scores.values():
        assert all(np.isfinite(value) for figures in rows.values() for value in list(figures.values())[:1])
    with pytest.warns(SpectralWarning, match=f"{(~inside).sum():,} of {inside.size:,} spectra hold no data"):
        told = predict(model, noisy)
    if task == "segmentation":
        assert (told.result[~inside] == 0).all()
        assert (told.result[inside] > 0).all()
        assert np.isnan(told.probabilities.data[~inside]).all()
        np.testing.assert_allclose(told.probabilities.data[inside].sum(-1), 1, atol=1e-5)
        assert set(told.labels.names) == {1, 2}
    else:
        times = experiment.task.enlarges
        large = inside.repeat(times, 0).repeat(times, 1)
        result = told.result.data
        np.testing.assert_array_equal(result[~large], np.broadcast_to(np.float32(WITHOUT[kind]), result[~large].shape))
        assert np.isfinite(result[large]).all()


def test_spectra_without_data_do_not_change_what_a_method_learns(tmp_path):
    """A closed-form method learns the same with and without the field."""
    noisy, clean, _, inside = scene()
    first = np.flatnonzero(inside.any(1))[0]
    cut = (slice(first, first + 20),) * 2
    models = []
    for number, (one, other) in enumerate([(noisy, clean), (noisy[cut], clean[cut])]):
        experiment = Experiment().override("network=ridge", "preparation=[scale]", "split.method=contiguous", "split.validation=0.2")
        models.append(train(experiment, one, other, run=tmp_path / str(number)))
    whole, alone = models
    assert whole.card().intensities == alone.card().intensities
    one, other = (model.card().scores["validation"]["network"]["mse"] for model in models)
    assert one == pytest.approx(other, rel=1e-5)
    told = quiet(predict, whole, noisy).result.data[inside]
    np.testing.assert_allclose(told, predict(alone, noisy[cut]).result.data.reshape(-1, 12), atol=1e-5)


def test_data_without_any_data_are_refused_in_words(tmp_path):
    blank = Cube(np.zeros((12, 12, 5), np.float32), name="blank")
    with pytest.raises(ValueError, match="'blank': all 144 spectra are zero"):
        train(Experiment(), blank, blank.with_data(np.ones((12, 12, 5), np.float32)), run=tmp_path / "a")
    data = np.random.default_rng(0).random((12, 12, 5), np.float32)
    data[..., 2] = np.nan
    striped, whole = Cube(data, name="striped"), Cube(np.nan_to_num(data, nan=1))
    with pytest.raises(ValueError, match=r"remove the bands that are missing everywhere \(2\) with the step 'remove_bands', or .* 'fill'"):
        train(Experiment().override("training.epochs=1"), striped, whole, run=tmp_path / "b")
    for number, remedy in enumerate(["[{kind: remove_bands, bands: [2]}, normalise]", "[fill, normalise]"]):
        train(Experiment().override("training.epochs=1", f"preparation={remedy}"), striped, whole, run=tmp_path / f"c{number}")
    with pytest.raises(ValueError, match="all 144 spectra are zero"):
        predict("whittaker", blank)
    with pytest.raises(ValueError, match="missing everywhere"):
        predict("whittaker", striped)


def test_spectra_that_the_preparation_makes_infinite_are_left_out_and_said():
    noisy, clean, *_ = scene(object_side=48)
    experiment = Experiment().override("preparation=[{kind: reflectance, white: [2.0, 2, 0, 2, 2, 2, 2, 2, 2, 2, 2, 2], dark: [0.0]}]")
    with pytest.raises(ValueError, match="remove the step that causes them, or remove those bands"):
        assemble(experiment, [noisy], [clean])


# ---------------------------------------------------------------- clusters, components, scores


@pytest.mark.parametrize("kind", ["kmeans", "nmf", "vca_fcls"])
@pytest.mark.parametrize("without", WITHOUT)
def test_clusters_and_components_are_those_of_the_data(kind, without):
    noisy, _, labels, inside = scene(without)
    told = quiet(predict, kind, noisy, settings={"count": 2})
    assert (told.result[~inside] == 0).all()
    assert all(len(np.unique(told.result[inside & (labels == value)])) == 1 for value in (1, 2))
    assert np.isfinite(told.components.data).all()
    assert "have no class" in told.notes[0]


@pytest.mark.parametrize("kind", ["svd_nlm", "nl_bayes"])
@pytest.mark.parametrize("without", ["zeros", "NaN"])
def test_images_are_denoised_as_well_with_holes(kind, without):
    noisy, clean, _, inside = scene(without)
    result = quiet(predict, kind, noisy).result.data
    error = np.square(result[inside] - clean.data[inside]).mean()
    assert error < 0.4 * np.square(noisy.data[inside] - clean.data[inside]).mean()


@pytest.mark.parametrize("kind", WITHOUT)
def test_scores_are_of_the_pixels_that_hold_data(kind):
    noisy, clean, _, inside = scene(kind)
    noisy, clean = (Cube(np.where(cube.data == -9999, np.nan, cube.data).astype(np.float32)) for cube in (noisy, clean))
    alone = np.square(noisy.data[inside] - clean.data[inside]).mean()
    report = evaluate(noisy, clean)
    assert report.metrics["mse"] == pytest.approx(alone, rel=1e-4)
    assert "are not scored" in str(report)
    evaluation = evaluate({"a": noisy, "b": clean}, clean, source=noisy)
    assert [row["mse"] for row in evaluation.rows.values()] == pytest.approx([alone, 0, alone], rel=1e-4)
    assert any("are not scored" in note for note in evaluation.notes)
    np.testing.assert_array_equal(np.isfinite(evaluation.maps["a"]["error"].numpy()[..., 0]), inside)
    assert 0 < evaluation.rows["a"]["ssim"] <= 1


def test_all_rows_are_scored_on_the_same_pixels():
    _, clean, *_ = scene(object_side=48)
    holed = clean.data.copy()
    holed[:10] = np.nan
    evaluation = evaluate({"a": holed, "b": clean.data + 1}, clean)
    assert any("480 of 2,304 spectra hold no data" in note for note in evaluation.notes)
    assert evaluation.rows["b"]["mse"] == pytest.approx(1, rel=1e-4)
    # a truth of zeros is a truth where a result says otherwise
    dark = clean.data.copy()
    dark[:10] = 0
    assert not any("hold no data" in note for note in evaluate(clean, Cube(dark)).notes)


def test_a_comparison_leaves_out_what_holds_no_data(tmp_path):
    for kind in ("zeros", "NaN"):
        noisy, clean, labels, inside = scene(kind)
        experiment = Experiment().override("network=ridge", "preparation=[scale]")
        model = quiet(train, experiment, noisy, clean, run=tmp_path / f"{kind}1")
        report = compare(model, noisy, clean)
        assert np.isfinite(report.metrics["mse"])
        assert any(f"{(~inside).sum():,} of" in note for note in report.notes)
        experiment = Experiment.default("segmentation", noisy, labels).override("network=random_forest", "split.beside=false")
        model = quiet(train, experiment, noisy, labels, run=tmp_path / f"{kind}2")
        report = compare(model, noisy, labels)
        assert sum(map(sum, report.confusion)) == inside.sum()


# ---------------------------------------------------------------- steps


def test_steps_learn_from_data_alone_and_leave_empty_spectra_empty():
    noisy, _, _, inside = scene()
    for step in ("scale", {"kind": "pca", "components": 3}, {"kind": "whiten"} if "whiten" in list(steps) else "scale"):
        whole = preprocess(noisy, [step]).numpy()
        alone = preprocess(Cube(noisy.data[inside]), [step]).numpy()
        assert not whole[~inside].any()
        np.testing.assert_allclose(whole[inside], alone, atol=1e-2 * np.abs(alone).max())
    dark = Reflectance(white=(2.0,), dark=(0.1,))
    for data in (noisy.data, da.from_array(noisy.data, chunks=(10, 10, -1))):
        done = preprocess(Cube(data), [dark]).numpy()
        assert not done[~inside].any()
        np.testing.assert_allclose(done[inside], (noisy.data[inside] - 0.1) / 1.9, rtol=1e-4, atol=1e-5)


def test_spectra_left_empty_are_the_same_in_whatever_blocks_they_are_prepared(monkeypatch):
    data = np.random.default_rng(0).random((3, 9, 8), np.float32) + 1
    data[1, 5:7] = 0
    steps = [Reflectance(white=(2.0,), dark=(0.1,))]
    whole = preprocess(Cube(data), steps).numpy()
    monkeypatch.setattr("napari_spectrai.preparation.blocks.BLOCK", 20)  # two pixels
    in_blocks = preprocess(Cube(data), steps).numpy()
    np.testing.assert_array_equal(in_blocks, whole)
    assert not in_blocks[1, 5:7].any()
    assert in_blocks[1, :5].all()


@pytest.mark.parametrize("lazy", [False, True])
def test_fill_says_what_it_filled(lazy):
    data = np.random.default_rng(0).random((6, 5, 8), np.float32)
    data[1, 1, 3] = data[2, 2, :2] = np.nan
    data[3, 3] = np.inf
    cube = Cube(da.from_array(data, chunks=(2, 5, -1)) if lazy else data)
    with pytest.warns(SpectralWarning, match="11 values of 3 of 30 spectra are interpolated; 1 of them contain no finite value"):
        preprocess(cube, [Fill()])
    assert Fill().notes(Cube(np.ones((2, 3), np.uint8))) == []


def test_a_model_that_fills_says_so_and_leaves_nothing_out(tmp_path):
    noisy, clean, *_ = scene(object_side=48)
    model = train(Experiment().override("network=ridge", "preparation=[fill, scale]"), noisy, clean, run=tmp_path / "run")
    noisy.data[3, 4, 5] = np.nan
    with pytest.warns(SpectralWarning, match="1 values of 1 of 2,304 spectra are interpolated"):
        told = predict(model, noisy)
    assert len(told.notes) == 1
    assert np.isfinite(told.result.data).all()


def test_a_white_reference_that_is_not_above_dark_is_said():
    cube = Cube(np.ones((3, 3, 4), np.float32))
    with pytest.warns(SpectralWarning, match=r"white is not above dark in 2 of 4 bands \(1, 3\), which become NaN"):
        preprocess(cube, [Reflectance(white=(2, 1, 2, 0.5), dark=(1, 1, 1, 1))])
    with pytest.warns(SpectralWarning, match="in 4 of 4 bands"):
        preprocess(cube, [Reflectance(white=(1.0,), dark=(1.0,))])
    preprocess(cube, [Reflectance(white=(2.0,), dark=(1.0,))])


# ---------------------------------------------------------------- labels, files


@pytest.mark.parametrize("unknown", [-1, np.nan])
def test_labels_of_minus_one_and_nan_are_unlabelled_and_said(unknown, tmp_path):
    noisy, _, labels, _ = scene(object_side=48)
    marked = labels.astype(float)
    marked[:20] = unknown
    with pytest.warns(SpectralWarning, match="960 pixels of the labels are missing .* and count as unlabelled"):
        known = as_labels(marked)
    assert known.values() == [1, 2]
    assert known.values(None) == [1, 2]
    experiment = Experiment.default("segmentation", noisy, known).override("network=spectral_mlp")
    division = divide(experiment, *gather(experiment, noisy, known))
    assert division.of_classes().sum() == 2304 - 960
    assert not division.marked[0][0][:20].any()
    assert evaluate(labels, known, "segmentation").metrics["overall_accuracy"] == 1
    np.save(tmp_path / "labels.npy", marked)
    from napari_spectrai.io.labels import read_labels

    with pytest.warns(SpectralWarning, match="960 pixels of 'labels'"):
        read_labels(tmp_path / "labels.npy")


def test_zero_stays_a_class_where_minus_one_means_unlabelled():
    rng = np.random.default_rng(0)
    with pytest.warns(SpectralWarning, match="so does 0 where 0 means unlabelled"):
        known = as_labels(np.repeat([-1, 0, 1], 20))
    assert known.values(None) == [0, 1]
    spectra = Cube(rng.random((60, 5), np.float32) + 0.1)
    experiment = Experiment.default("classification", spectra, known)
    division = divide(experiment, *gather(experiment, spectra, known))
    assert [one.value for one in division.classes] == [0, 1]
    assert division.of_classes().tolist() == [20, 20]


def test_a_class_zero_leaves_another_number_for_no_class(tmp_path):
    noisy, _, labels, inside = scene()
    experiment = Experiment.default("classification", noisy, labels).override(
        "task.unlabelled=null", "network=random_forest", "split.method=random", "split.beside=false"
    )
    model = quiet(train, experiment, noisy, labels - 1, run=tmp_path / "run")
    told = quiet(predict, model, noisy)
    assert set(np.unique(told.result[~inside])) == {2}
    assert told.labels.names[2] == "no data"


def test_the_ignore_value_of_a_file_is_left_out(tmp_path):
    noisy, _, _, inside = scene("ignored", side=20, object_side=12)
    header = "ENVI\nsamples = 20\nlines = 20\nbands = 12\ndata type = 4\ninterleave = bip\nbyte order = 0\nheader offset = 0\n"
    (tmp_path / "a.hdr").write_text(header + "data ignore value = -9999\n")
    noisy.data.tofile(tmp_path / "a.img")
    cube = read(tmp_path / "a.hdr")
    np.testing.assert_array_equal(holds_data(cube).mask, inside)
    told = quiet(predict, "kmeans", cube, settings={"count": 2})
    np.testing.assert_array_equal(told.result > 0, inside)


@pytest.mark.parametrize("said", ["-9999", "nan", "-9999.0 "])
def test_the_ignore_value_of_a_geotiff_is_left_out(said, tmp_path):
    import tifffile

    noisy, _, _, inside = scene("NaN" if said == "nan" else "ignored")
    bands_first = np.moveaxis(noisy.data, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", bands_first, photometric="minisblack", extratags=[(42113, "s", 0, said, True)])
    np.testing.assert_array_equal(holds_data(read(tmp_path / "a.tif", spectral=0)).mask, inside)


def test_a_prediction_in_tiles_and_in_a_store_leaves_the_same_out(tmp_path):
    noisy, *_ = scene("NaN")
    noisy.data[20:24, 20:24] = 0
    whole = quiet(predict, "savitzky_golay", noisy).result.data
    lazy = Cube(da.from_array(noisy.data, chunks=(10, 10, -1)))
    stored = quiet(predict, "savitzky_golay", lazy, tile=16, out=tmp_path / "r.zarr").result
    np.testing.assert_allclose(np.asarray(stored.data), whole, atol=1e-6)
    assert not whole[20:24, 20:24].any()


@pytest.mark.parametrize(
    "kind", ["normalise", "msc", "emsc", "mnf", "pca", "savitzky_golay", "als", "continuum_removal", "scale", "stabilise"]
)
def test_steps_treat_infinite_and_ignored_values_as_missing(kind):
    rng = np.random.default_rng(0)
    data = (rng.random((8, 9, 12)) + 1).astype(np.float32)
    missing, infinite, ignored = data.copy(), data.copy(), data.copy()
    missing[2, 3, 4], infinite[2, 3, 4], ignored[2, 3, 4] = np.nan, np.inf, -9999
    wanted = preprocess(Cube(missing), [kind]).numpy()
    np.testing.assert_array_equal(preprocess(Cube(infinite), [kind]).numpy(), wanted)
    for stored in (ignored, da.from_array(ignored)):
        done = preprocess(Cube(stored, metadata={"ignore_value": -9999}), [kind])
        np.testing.assert_allclose(done.numpy(), wanted, rtol=1e-6)
        assert not holds_data(done).mask[2, 3]
        assert holds_data(done).count == 71


def test_maps_name_bands_that_are_missing_everywhere_and_the_remedy_works():
    data = (np.random.default_rng(0).random((8, 9, 12)) + 1).astype(np.float32)
    data[..., 4:6] = np.nan
    with pytest.raises(ValueError, match=r"bands 4, 5 are missing everywhere: remove them first \(Preprocess: remove_bands\)"):
        maps(Cube(data), {"kind": "components", "count": 2})
    kept = preprocess(Cube(data), [{"kind": "remove_bands", "bands": [4, 5]}])
    assert maps(kept, {"kind": "components", "count": 2})
    with pytest.raises(ValueError, match="none of the 72 spectra holds data"):
        maps(Cube(np.zeros_like(data)), {"kind": "components", "count": 2})


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_class_whose_spectra_hold_no_data_is_named(value, tmp_path):
    rng = np.random.default_rng(0)
    data = (rng.random((12, 14, 8)) + 1).astype(np.float32)
    labels = np.ones((12, 14), int)
    labels[:, 7:] = 2
    data[:, :7] = value
    experiment = Experiment.default("segmentation", Cube(data), labels).override("network=logistic_regression")
    with pytest.raises(ValueError, match="no labelled spectrum of class 1 holds data"):
        train(experiment, Cube(data), labels, run=tmp_path / "run")


# ---------------------------------------------------------------- steps in the image plane


@pytest.mark.parametrize("lazy", [False, True], ids=["in memory", "lazy"])
@pytest.mark.parametrize("kind", ["zeros", "NaN", "ignored"])
@pytest.mark.parametrize(
    "step", [{"kind": "bin", "y": 3, "x": 2}, {"kind": "shift", "y": 0.5, "x": -1.25}, "destripe"], ids=["bin", "shift", "destripe"]
)
def test_a_step_in_the_image_plane_mixes_no_pixels_without_data_in(step, kind, lazy):
    noisy, _, _, inside = scene(kind, side=30, object_side=17)
    cube = Cube(da.from_array(noisy.data, chunks=(10, 9, 5)), metadata=noisy.metadata) if lazy else noisy
    done = quiet(preprocess, cube, [step]).numpy()
    known = np.where(inside[..., None], noisy.data, np.float32(np.nan))
    expected = quiet(preprocess, Cube(known), [step]).numpy()
    held = np.isfinite(expected).all(-1)
    np.testing.assert_allclose(done[held], expected[held], rtol=1e-5)
    assert 0 < held.sum() < held.size
    rest = done[~held]
    assert ((rest == 0) | np.isnan(rest)).all()
    if kind == "zeros" and step != {"kind": "shift", "y": 0.5, "x": -1.25}:
        assert (rest == 0).all()
