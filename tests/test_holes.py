"""Pixels without data are treated alike in training, in memory or streamed, in validation and in prediction, whatever marks them."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_spectrai import Cube, Experiment, Model, evaluate, predict, read, train, write
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.generators import drain
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.inference.empty_spectra import EmptySpectra
from napari_spectrai.learn.inference.parts import predicting_part
from napari_spectrai.learn.inference.sliding_window import SlidingWindow
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.part import Part

CPU = torch.device("cpu")
MARKS = {"zero": 0.0, "NaN": np.nan, "infinite": np.inf, "ignored": -9999.0}
BANDS, SIDE = 8, 28
HOLES = np.zeros((SIDE, SIDE), bool)
HOLES[:, :6] = HOLES[12:17, 14:19] = HOLES[22, 22] = HOLES[0] = True
LABELS = np.zeros((SIDE, SIDE), int)
LABELS[3:12, 4:24], LABELS[17:26, 4:24] = 1, 2
CLEAN = (np.stack([np.zeros(BANDS), np.linspace(1, 2, BANDS), np.linspace(2, 1, BANDS)])[LABELS] + 0.5).astype(np.float32)
CLEAN[..., 3] -= CLEAN[..., 3].min()  # zero in one band is a value
SMALL = ("network.width=8", "network.depth=1", "data.patch=8")
JOBS = {
    "U-Net, classes": ("segmentation", ("network=unet", *SMALL)),
    "local means": ("segmentation", ("network=logistic_local_means",)),
    "network on local means": ("segmentation", ("network=local_means_mlp",)),
    "mixture": ("segmentation", ("network.candidates=[logistic_regression,logistic_local_means,local_means_mlp]",)),
    "U-Net, pairs": ("denoising", ("network=unet", "network.dims=2", *SMALL)),
    "U-Net without truth": ("denoising alone", ("network=unet", "network.dims=2", *SMALL)),
    "eigenimages": ("denoising alone", ("network=svd_nlm",)),
    "centred": ("segmentation", ("network=unet", *SMALL, "preparation=[{kind: normalise, by: snv}]")),
    "enlarged": ("super_resolution alone", ("network=bicubic",)),
}


def cube(mark="zero", seed=0):
    values = (CLEAN + 0.1 * np.random.default_rng(seed).standard_normal(CLEAN.shape)).astype(np.float32)
    values[HOLES] = MARKS[mark]
    return Cube(values, metadata={"ignore_value": -9999.0} if mark == "ignored" else {}, name="scene")


def trained(job, mark, folder):
    task, overrides = JOBS[job]
    task, _, alone = task.partition(" ")
    truth = None if alone else LABELS if task == "segmentation" else Cube(CLEAN)
    common = ("training.epochs=1", "training.precision=fp32", "network.seconds=600") if job == "mixture" else ("training.epochs=1",)
    experiment = Experiment.default(task, cube(mark), truth).override(*overrides, *common)
    return train(experiment, [cube(mark)], None if truth is None else [truth], run=folder / mark)


def result(prediction):
    return (prediction.result if prediction.probabilities is None else prediction.probabilities).numpy()


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
@pytest.mark.parametrize("job", JOBS)
def test_a_model_does_not_depend_on_how_pixels_without_data_are_marked(job, tmp_path):
    known, times = trained(job, "zero", tmp_path), 2 if job == "enlarged" else 1
    inside = ~HOLES.repeat(times, 0).repeat(times, 1)
    wanted = result(predict(known, cube("zero")))
    other = trained(job, "NaN", tmp_path)
    for name, tensor in other.network.state_dict().items():
        torch.testing.assert_close(tensor, known.network.state_dict()[name], rtol=0, atol=0, msg=f"{job}: {name}")
    np.testing.assert_equal(other.card().scores, known.card().scores)
    for mark in ("NaN", "infinite", "ignored"):
        np.testing.assert_array_equal(result(predict(known, cube(mark)))[inside], wanted[inside])
    loaded = Model.load(known.save(tmp_path / "model.safetensors"))
    np.testing.assert_allclose(result(predict(loaded, cube()))[inside], wanted[inside], atol=1e-5)
    if known.card().classes:
        scores = [evaluate(known, LABELS, source=cube(mark)).rows for mark in ("zero", "NaN")]
        np.testing.assert_equal(*scores)


@pytest.mark.usefixtures("few_rivals")
@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
@pytest.mark.parametrize("job", ["network on local means", "mixture"])
def test_pixels_without_data_are_continued_from_beyond_a_tile(job, tmp_path):
    model, rng = trained(job, "zero", tmp_path), np.random.default_rng(1)
    values = np.tile(cube().data[4:24, 6:24], (6, 7, 1)) + rng.normal(0, 0.3, (120, 126, BANDS)).astype(np.float32)
    for top, left in rng.integers(0, 110, (40, 2)):
        values[top : top + 9, left : left + 9] = np.nan
    values[rng.random(values.shape[:2]) < 0.3] = 0
    whole = predict(model, Cube(values), tile=4096)
    tiled = predict(model, Cube(values), tile=2 * 2 * SlidingWindow([model], CPU, None).context + 8)
    np.testing.assert_allclose(result(tiled), result(whole), atol=1e-6)


@pytest.mark.parametrize("network", ["network.dims=1", "network.dims=2"])
@pytest.mark.parametrize("alone", [False, True])
def test_batches_of_a_stream_do_not_depend_on_it_either(network, alone, tmp_path):
    given = ("preparation=[]", "split.method=contiguous", "split.gap=0", "network=unet", network, *SMALL, "training.batch=16")
    experiment = Experiment().override(*given, *(["task.learns_from=bands"] if alone else []))
    for limit in ((), ("training.memory=0.00005",)):
        found = []
        for mark in ("zero", "NaN"):
            place = tmp_path / mark
            place.mkdir(exist_ok=True)
            paths = [place / "x.zarr", place / "y.zarr"]
            scene = [read(write(Cube(np.tile(one, (2, 1, 1))), path)) for one, path in zip((cube(mark).data, CLEAN), paths, strict=True)]
            data = assemble(experiment.override(*limit), scene[:1], [] if alone else scene[1:])
            assert (data.stream is not None) == bool(limit)
            drawn = len(data.parts["training"]) if data.stream is None else len(data.stream)
            found.append(
                next(data.batches("training", drawn, CPU)) if data.stream is None else next(data.stream.batches(0, drawn, [drawn], CPU))
            )
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
        assert bool(found[0][0].isfinite().all())


def unet(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectralWarning)
        return trained("U-Net without truth", "zero", tmp_path)


def seen_by(model, source, **options):
    window = SlidingWindow([model], CPU, None)
    return window.prepared(source, **options).inputs[0][0].reshape(*source.spatial_shape, -1)


def test_models_of_earlier_versions_get_zeros_as_they_did(tmp_path):
    model = unet(tmp_path)
    plain = json.loads(model.card().to_json())
    assert plain.pop("continues_empty") is True
    old = replace(model, description=ModelCard.from_json(json.dumps(plain)))
    assert old.card().continues_empty is False
    source = cube("zero")
    assert not seen_by(old, source)[HOLES].any()
    assert seen_by(model, source)[HOLES].any(-1).all()
    np.testing.assert_array_equal(seen_by(old, source)[~HOLES], seen_by(model, source)[~HOLES])
    np.testing.assert_array_equal(seen_by(old, cube("NaN")), seen_by(model, source))  # missing pixels have always been continued


def test_pixels_that_counted_no_photon_are_input_as_they_are(tmp_path):
    model = replace(unet(tmp_path))
    counts = np.random.default_rng(0).poisson(0.3, (SIDE, SIDE, BANDS)).astype(np.float32)
    counts[:, :12] = 0  # not measured
    source = Cube(counts)
    dark = ~counts.any(-1)
    dark[:, :12] = False
    assert dark.any()
    seen = seen_by(model, source, empty=EmptySpectra(source, []))
    assert not seen[dark].any()
    np.testing.assert_array_equal(seen[:, 0], seen[:, 12])


@pytest.mark.filterwarnings("ignore::napari_spectrai.layer_axes.SpectralWarning")
def test_a_prediction_in_parts_continues_the_image_as_the_whole_does(tmp_path):
    model, source = unet(tmp_path), Cube(np.tile(cube("zero").data, (5, 3, 1)))
    path = write(source, tmp_path / "x.zarr")
    whole = predict(model, read(path)).result.numpy()
    for number in (1, 2):
        made = drain(predicting_part(model, path, PredictOptions(), out=tmp_path / "y.zarr", part=Part(number, 2)))
    np.testing.assert_array_equal(made.result.numpy(), whole)
