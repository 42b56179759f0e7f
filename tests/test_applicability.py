"""Which spectra a model's scores hold for: their distance from the training data, for every task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Labels, Model, SpectralAxis, predict, read, samples, train, write
from napari_spectrai.cli import app
from napari_spectrai.experiment.card import APPLICABILITY, KEY, has_applicability
from napari_spectrai.learn.applicability import Applicability, said_of

AXIS = SpectralAxis(np.linspace(400, 700, 12), "nm")


@pytest.fixture(scope="module")
def scene():
    """A noisy image of two components, the clean one, and classes of its pixels."""
    rng = np.random.default_rng(0)
    share = np.linspace(0, 1, 24)[None, :, None].repeat(20, 0)
    band = np.arange(12)
    pure = np.exp(-0.5 * ((band - np.array([[3], [8]])) / 1.5) ** 2)
    clean = (share * pure[0] + (1 - share) * pure[1] + 0.2).astype(np.float32)
    noisy = (clean + rng.normal(0, 0.05, clean.shape)).astype(np.float32)
    classes = np.where(share[..., 0] > 0.6, 1, np.where(share[..., 0] < 0.4, 2, 0))
    return Cube(noisy, AXIS, name="scene"), Cube(clean, AXIS, name="clean"), Labels(classes, {1: "a", 2: "b"})


QUICK = ("training.epochs=1", "training.batch=64", "training.device=cpu")
TRAININGS = {
    "network": ("denoising", "truth", ("network={kind: residual_mlp, width: 8}", *QUICK)),
    "closed form": ("denoising", "truth", ("network=ridge",)),
    "without truth": ("denoising", None, ()),
    "cross-validated": ("segmentation", "classes", ("network=logistic_regression", "split.folds=2")),
    "enlarging": ("super_resolution", None, ("network={kind: bicubic}",)),
}


@pytest.fixture(scope="module", params=TRAININGS)
def trained(request, scene, tmp_path_factory):
    task, truth, settings = TRAININGS[request.param]
    cube, clean, classes = scene
    target = {"truth": clean, "classes": classes, None: None}[truth]
    experiment = Experiment.default(task, cube, target).override(*settings)
    folder = tmp_path_factory.mktemp("trained")
    return train(experiment, cube, target, run=folder / "run").save(folder / "model.safetensors")


def _with_a_foreign_line(cube):
    """The cube with a line that no training spectrum has, in its last rows."""
    data = cube.numpy().copy()
    data[-4:, :, 11] += 2
    return cube.with_data(data)


@pytest.mark.filterwarnings("ignore:.*intensit")
def test_every_task_shows_which_spectra_are_unlike_its_training_data(trained, scene):
    cube = _with_a_foreign_line(scene[0])
    prediction = predict(trained, cube)
    values = prediction.applicability.numpy()[..., 0]
    assert values.shape == cube.spatial_shape
    assert (values[-4:] > 1).all()
    assert (values[:-4] <= 1).mean() > 0.9
    share = f"{round(100 * float((values > 1).mean()))} % of the spectra are unlike"
    assert any(share in words for words in prediction.found)


def test_it_is_not_computed_where_it_is_switched_off(trained, scene):
    prediction = predict(trained, scene[0], applicability=False)
    assert prediction.applicability is None
    assert not any("applicability" in words or "unlike" in words for words in prediction.found)


def test_tiles_have_the_values_of_the_whole(trained, scene):
    whole, tiled = (predict(trained, scene[0], tile=tile).applicability.numpy() for tile in (None, 16))
    np.testing.assert_allclose(tiled**2, whole**2, atol=1e-4)  # roots of differences, which magnify rounding near zero


@pytest.fixture
def earlier(trained, tmp_path):
    """The model as an earlier version wrote it, without training spectra."""
    tensors = {name: value for name, value in load_file(trained).items() if not name.startswith(APPLICABILITY)}
    from safetensors import safe_open

    with safe_open(trained, framework="numpy") as file:
        header = file.metadata()
    save_file(tensors, tmp_path / "earlier.safetensors", header)
    assert KEY in header
    return tmp_path / "earlier.safetensors"


def test_earlier_model_files_say_that_it_is_not_available(trained, earlier, scene):
    assert has_applicability(trained)
    assert not has_applicability(earlier)
    prediction = predict(earlier, scene[0])
    assert prediction.applicability is None
    assert any("no applicability map is available" in words for words in prediction.found)
    with pytest.raises(ValueError, match="contains no training spectra"):
        predict(earlier, scene[0], applicability=True)


def test_index_of_earlier_files_without_residuals_still_applies():
    rng = np.random.default_rng(0)
    spectra = torch.from_numpy(rng.normal(size=(60, 5)).astype(np.float32))
    made = Applicability.of(spectra, np.arange(60) % 3)
    tensors = made.tensors()
    count = made.basis.shape[1]
    old = {name: value for name, value in tensors.items() if name.rpartition(".")[2] not in ("scale", "residual")}
    old[APPLICABILITY + "reference"] = old[APPLICABILITY + "reference"][:, :count].contiguous()
    before = Applicability.from_tensors(old)
    assert before is not None
    assert before(spectra).shape == (60, 1)
    del old[APPLICABILITY + "mean"]
    with pytest.raises(ValueError, match="do not fit"):
        Applicability.from_tensors(old)


def test_a_line_outside_of_the_components_is_noticed():
    """What the components leave of a spectrum counts as well: projected, it would look like the others."""
    rng = np.random.default_rng(0)
    spectra = (rng.random((300, 1)) * np.hanning(50) + rng.normal(0, 1e-3, (300, 50))).astype(np.float32)
    made = Applicability.of(torch.from_numpy(spectra), np.arange(300) % 5)
    foreign = spectra[:20].copy()
    foreign[:, 40] += 0.2
    assert (made(torch.from_numpy(spectra)) <= 1).float().mean() > 0.95
    assert (made(torch.from_numpy(foreign)) > 1).all()


def test_methods_without_training_say_nothing_of_it(scene):
    prediction = predict("savitzky_golay", scene[0])
    assert prediction.applicability is None
    assert not prediction.found


def test_spectra_without_data_have_no_distance(trained, scene):
    data = scene[0].numpy().copy()
    data[3, 4] = np.nan
    with pytest.warns(match="1 of 480"):
        values = predict(trained, scene[0].with_data(data)).applicability.numpy()[..., 0]
    assert np.isnan(values).sum() == 1
    assert np.isnan(values[3, 4])


def test_the_command_says_the_share_and_writes_the_map(trained, scene, tmp_path):
    write(scene[0], tmp_path / "scene.zarr")
    command = ["predict", str(trained), str(tmp_path / "scene.zarr"), "-o", str(tmp_path / "out.zarr")]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    assert "training data" in said.output
    assert not (tmp_path / "out-applicability.zarr").exists()
    assert CliRunner().invoke(app, [*command, "--overwrite", "--applicability"]).exit_code == 0
    assert read(tmp_path / "out-applicability.zarr").shape == (20, 24, 1)
    without = CliRunner().invoke(app, [*command, "--overwrite", "--no-applicability"])
    assert "dissimilarity" not in without.output


def test_the_bundled_model_still_loads():
    model = Model.load(samples.sample_model())
    assert replace(model, applicability=None).applicability is None


@pytest.mark.parametrize(
    ("values", "words"), [([0.2, 0.9], "All spectra"), ([2.0] + [0.1] * 999, "Less than 1 %"), ([2.0, 0.5], "50 %"), ([np.nan], "")]
)
def test_the_share_in_words(values, words):
    assert said_of(np.array(values, np.float32)).startswith(words)
