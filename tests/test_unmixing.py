"""Methods that need no labels, and Hydra: against what is known, by name, beside a network, and in words where they cannot."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import nnls
from typer.testing import CliRunner

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, predict, read, train, write
from napari_spectrai.cli import app
from napari_spectrai.experiment.classifiers import PCALDA, HydraRidge
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.unmixing import VCA
from napari_spectrai.experiment.untrained import ready_kinds
from napari_spectrai.io.labels import read_labels
from napari_spectrai.learn.classical import from_tensors, to_tensors
from napari_spectrai.learn.classical.abundances import abundances, onto_simplex
from napari_spectrai.learn.classical.scored_pixels import predict_pixels
from napari_spectrai.learn.classical.unmixing import vertices
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.inference.predict import predicting
from napari_spectrai.learn.model import ready
from napari_spectrai.runs.options import PredictOptions

WITHOUT_LABELS = [kind for kind in ready_kinds() if networks[kind]().finds]
BAND = np.arange(40)
PURE = np.stack([np.exp(-0.5 * ((BAND - middle) / 5) ** 2) + 0.2 for middle in (5, 18, 33)])


@pytest.fixture
def mixture():
    """A scene of 24 × 20 pixels mixed of three spectra, pure in three corners, with a little noise; and its abundances."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(3, 0.7), (24, 20))
    shares[0, 0], shares[0, -1], shares[-1, 0] = np.eye(3)
    spectra = shares @ PURE + rng.normal(0, 1e-3, (24, 20, 40))
    return Cube(spectra.astype(np.float32), SpectralAxis(np.linspace(400, 700, 40), "nm"), name="mixture"), shares


@pytest.fixture
def blobs():
    """An image in three stripes of well separated spectra, of 12, 8 and 4 columns; and its stripes, from 1."""
    rng = np.random.default_rng(1)
    stripes = np.repeat([1, 2, 3], [12, 8, 4])[None].repeat(16, 0)
    return Cube((PURE[stripes - 1] + rng.normal(0, 0.05, (16, 24, 40))).astype(np.float32), name="blobs"), stripes


def test_all_of_them_are_known_here():
    assert WITHOUT_LABELS == ["kmeans", "nmf", "vca_fcls"]


@pytest.mark.parametrize("sum_to_one", [True, False])
def test_abundances_solve_the_constrained_problem(sum_to_one):
    rng = np.random.default_rng(0)
    for count in (2, 4, 7):
        components = rng.random((count, 30)) + 1
        spectra = rng.dirichlet(np.full(count, 0.5), 40) @ components + rng.normal(0, 0.2, (40, 30))
        found = abundances(torch.from_numpy(spectra), torch.from_numpy(components), sum_to_one=sum_to_one, tolerance=1e-7).numpy()
        heavy = 1e4  # the row that makes them add to one
        system = np.vstack([components.T, np.full(count, heavy)]) if sum_to_one else components.T
        known = np.stack([nnls(system, np.append(one, heavy) if sum_to_one else one)[0] for one in spectra])
        np.testing.assert_allclose(found, known, atol=2e-4)
        assert found.min() >= 0


def test_the_nearest_point_of_the_simplex():
    points = torch.tensor([[0.2, 0.3, 0.5], [3.0, 0.0, 0.0], [1.0, 1.0, 1.0], [-5.0, 0.6, 0.6]])
    known = torch.tensor([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.0, 0.5, 0.5]])
    torch.testing.assert_close(onto_simplex(points), known)


def test_components_that_are_all_alike_share_evenly():
    same = torch.ones(3, 5)
    torch.testing.assert_close(abundances(torch.rand(4, 5), same), torch.full((4, 3), 1 / 3))


@pytest.mark.parametrize("noise", [1e-4, 0.1])  # on either side of the paper's threshold
def test_vertices_are_the_pure_pixels(noise):
    rng = np.random.default_rng(0)
    shares = np.concatenate([np.eye(3), rng.dirichlet(np.ones(3) * 2, 500)])
    spectra = torch.from_numpy(shares @ PURE + rng.normal(0, noise, (503, 40)))
    found = vertices(spectra, 3, torch.Generator().manual_seed(0)).numpy()
    nearest = np.square(found[:, None] - PURE).mean(-1)
    assert sorted(nearest.argmin(1)) == [0, 1, 2]
    assert np.sqrt(nearest.min(1)).max() < max(2 * noise, 1e-3)


def test_vca_finds_the_pure_spectra_and_the_abundances(mixture):
    cube, shares = mixture
    prediction = predict("vca_fcls", cube, settings={"count": 3})
    components = prediction.components
    assert components.axis == cube.axis
    order = np.square(components.numpy()[:, None] - PURE).mean(-1).argmin(1)
    np.testing.assert_allclose(components.numpy(), PURE[order], atol=0.02)
    np.testing.assert_allclose(prediction.probabilities.numpy(), shares[..., order], atol=0.02)
    assert [one.name for one in prediction.classes] == ["component 1", "component 2", "component 3"]
    assert (prediction.result == shares[..., order].argmax(-1) + 1).mean() > 0.99


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_separate_spectra_become_components_in_order_of_abundance(kind, blobs):
    cube, stripes = blobs
    prediction = predict(kind, cube, settings={"count": 3})
    np.testing.assert_array_equal(prediction.result, stripes)
    shares = prediction.probabilities.numpy()
    assert shares.min() >= 0
    np.testing.assert_allclose(shares.sum(-1), 1, atol=1e-5)
    assert prediction.components.shape == (3, 40)


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_neither_direction_of_the_axis_nor_the_form_of_the_cube_matters(kind, blobs):
    cube, stripes = blobs
    axis = SpectralAxis(np.linspace(700, 400, 40), "nm")
    assert (predict(kind, Cube(cube.data[..., ::-1].copy(), axis), settings={"count": 3}).result == stripes).all()
    spectra = Cube(cube.data.reshape(-1, 40))
    assert (predict(kind, spectra, settings={"count": 3}).result == stripes.ravel()).all()
    stack = Cube(np.stack([cube.data, cube.data[:, ::-1]]))  # one search for all planes
    assert (predict(kind, stack, settings={"count": 3}).result == np.stack([stripes, stripes[:, ::-1]])).all()
    tiled = predict(kind, cube, settings={"count": 3}, tile=8)
    assert (tiled.result == stripes).all()


def test_what_goes_below_zero_is_raised_for_factors(blobs):
    cube, stripes = blobs
    below = predict("nmf", cube.with_data(cube.data - 0.5), settings={"count": 3})
    assert (below.result == stripes).mean() > 0.95
    assert below.components.numpy().min() < -0.1


def test_an_unmixing_model_computes_components_for_every_cube(blobs):
    cube, stripes = blobs
    model = ready("kmeans", cube.axis, settings={"count": 3})
    first, other = predict(model, cube), predict(model, cube.with_data(cube.data[:, ::-1] * 2))
    assert (first.result == stripes).all()
    np.testing.assert_allclose(other.components.numpy(), 2 * first.components.numpy(), rtol=1e-4)
    assert not model.network.has_learnt
    saved = ready("kmeans", cube.axis, settings={"count": 3})
    assert "K-means" in str(saved.card())


def test_a_method_saved_without_having_learnt_is_one_again(blobs, tmp_path):
    cube, stripes = blobs
    path = ready("vca_fcls", cube.axis, settings={"count": 3}).save(tmp_path / "m.safetensors")
    assert (predict(Model.load(path), cube).result == stripes).all()


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_data_that_hold_too_little_are_refused_in_words(kind, blobs):
    cube, _ = blobs
    for flat in (np.ones((4, 5, 6), np.float32), np.ones((1, 1, 6), np.float32)):
        with pytest.raises(ValueError, match=r"\(count\), but the .* values contain at most 1; all spectra are the same"):
            predict(kind, Cube(flat))
    missing = cube.data.copy()
    missing[3, 4, 5] = np.nan
    with pytest.warns(UserWarning, match="1 with missing values .* and have no class"):
        told = predict(kind, Cube(missing))
    assert told.result[3, 4] == 0
    assert np.isnan(told.probabilities.data).sum() == told.probabilities.shape[-1]
    for value, words in ((0, "all 3 spectra are zero"), (np.nan, "no other spectrum is left; choose other data")):
        with pytest.raises(ValueError, match=words):
            predict(kind, Cube(np.full((3, 6), value, np.float32)))
    with pytest.raises(ValueError, match=r"count: 1 does not fit: .*greater than or equal to 2"):
        predict(kind, cube, settings={"count": 1})
    with pytest.raises(ValueError, match=r"there is no setting 'counts' here; known: count, kind, seed"):
        predict(kind, cube, settings={"counts": 3})


def test_one_band_holds_two_endmembers():
    cube = Cube(np.linspace(1, 3, 30, dtype=np.float32).reshape(6, 5, 1))
    assert predict("vca_fcls", cube, settings={"count": 2}).components.numpy().ravel().tolist() == pytest.approx([1, 3], abs=1e-5)
    with pytest.raises(ValueError, match="set count to 2 or less"):
        predict("vca_fcls", cube)


def test_settings_are_for_methods_by_name(pairs, tmp_path):
    model = ready("whittaker", pairs[0].axis)
    with pytest.raises(ValueError, match="settings count are for a classical method given by its name"):
        next(predicting(model, pairs[0], PredictOptions(settings={"count": 3})))
    rough, smooth = (predict("whittaker", pairs[0], settings={"smoothness": value}).result.numpy() for value in (0.1, 1e4))
    assert np.diff(smooth).std() < np.diff(rough).std()


@pytest.mark.parametrize("kind", WITHOUT_LABELS)
def test_components_of_a_baseline_are_named_by_training_labels_alone(kind, blobs):
    cube, stripes = blobs
    x, y = torch.from_numpy(cube.data)[None], torch.from_numpy(stripes)[None]
    counts = torch.zeros(1, 16, 24, dtype=torch.bool)
    counts[:, :3] = True
    spec = networks.parse(kind)
    method = spec.load()(spec, 40, 3, classes=True)
    method.fit([Scene(x, y, counts)])
    assert len(method.components) == 6
    assert (method(x).argmax(-1) + 1 == y).float().mean() > 0.95
    other = spec.load()(spec, 40, 3, classes=True)
    other.fit([Scene(x, torch.where(counts, y, 1), counts)])
    torch.testing.assert_close(other(x), method(x))
    again = from_tensors([kind], to_tensors({"it": method}), 40, 3, 1)[spec.label]
    torch.testing.assert_close(again(x), method(x))


def test_a_trained_clustering_is_a_model_with_the_names_of_the_labels(blobs, tmp_path):
    cube, stripes = blobs
    experiment = Experiment.default("segmentation", cube, stripes).override("network=kmeans", "split.block=4", "split.validation=0.2")
    model = train(experiment, cube, stripes, run=tmp_path / "run")
    again = Model.load(tmp_path / "run" / "best.safetensors")
    assert (predict(again, cube).result == stripes).mean() > 0.98
    assert predict(again, cube).components is None
    rows = model.card().scores["validation"]
    assert {"k-means (named)", "NMF (named)", "VCA+FCLS (named)", "PCA-LDA (means)", "logistic (means)"} <= rows.keys()
    assert rows["network"] == rows["k-means (named)"]


def test_by_name_on_the_command_line(blobs, tmp_path):
    cube, stripes = blobs
    write(cube, tmp_path / "in.npz")

    def told(*arguments):
        return CliRunner().invoke(app, ["predict", *map(str, arguments)])

    done = told("kmeans", tmp_path / "in.npz", "-o", tmp_path / "out.npz", "--set", "count=3", "--set", "seed=4")
    assert done.exit_code == 0, done.output
    labels = read_labels(tmp_path / "out.npz")
    np.testing.assert_array_equal(labels.data, stripes)
    assert labels.names == {1: "cluster 1", 2: "cluster 2", 3: "cluster 3"}
    assert read(tmp_path / "out-probabilities.zarr").shape == (16, 24, 3)
    assert read(tmp_path / "out-components.csv").shape == (3, 40)
    for wrong in ("count", "count=1", "size=3"):
        assert told("kmeans", tmp_path / "in.npz", "-o", tmp_path / "x.npz", "--set", wrong).exit_code == 2


def test_methods_of_single_spectra_score_the_same_on_the_whole_image(blobs):
    cube, stripes = blobs
    x, y = torch.from_numpy(cube.data)[None], torch.from_numpy(stripes)[None]
    scene = Scene(x, y, torch.rand(1, 16, 24, generator=torch.Generator().manual_seed(0)) < 0.4)
    method = VCA().load()(VCA(), 40, 3, classes=True)
    method.fit([scene])
    shares, truth = predict_pixels(method, [scene])
    torch.testing.assert_close(shares, method(x)[scene.counts].softmax(-1))
    torch.testing.assert_close(truth, y[scene.counts] - 1)


# ---------------------------------------------------------------- Hydra


@pytest.fixture
def peaks():
    """Spectra whose class is the position of a peak, over a slope that varies; classes from 1."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3 + 1
    peak = np.exp(-0.5 * ((BAND - np.array([12, 20, 28])[y - 1][:, None]) / 2) ** 2)
    x = peak + rng.normal(0, 1, (300, 1)) * BAND / 40 + rng.normal(0, 0.15, (300, 40))
    return torch.from_numpy(x.astype(np.float32))[None, :, None], torch.from_numpy(y)[None, :, None]


@pytest.mark.parametrize("spec", [HydraRidge(), HydraRidge(groups=8, kernels=4), PCALDA()])
def test_hydra_classifies_peak_positions_as_well_as_discriminants(spec, peaks):
    x, y = peaks
    learnt = torch.zeros(1, 300, 1, dtype=torch.bool)
    learnt[:, :150] = True
    method = spec.load()(spec, 40, 3, classes=True)
    method.fit([Scene(x, y, learnt)])
    assert (method(x).argmax(-1) + 1 == y)[~learnt].float().mean() > 0.9


def test_hydra_counts_every_band_once_in_each_group():
    spec = HydraRidge(groups=6, kernels=5)
    method = spec.load()(spec, 33, 2, classes=True)
    kernels = method._drawn(33)
    assert kernels.shape == (3, 2, 3, 5, 9)  # dilations 1, 2 and 4
    counts = method._counts(torch.rand(7, 33), kernels).square().view(7, 3, 2, 2, 5, 3)  # dilation, input, largest or smallest, …
    hard = counts[:, :, :, 1].sum(-2)
    torch.testing.assert_close(hard[:, :, 0], torch.full((7, 3, 3), 33.0))
    torch.testing.assert_close(hard[:, :, 1], torch.full((7, 3, 3), 32.0))
    torch.testing.assert_close(
        method._counts(torch.rand(1, 33).expand(500, -1), kernels).std(0).max(), torch.tensor(0.0), atol=1e-3, rtol=0
    )


@pytest.mark.parametrize("bands", [9, 10, 16])
@pytest.mark.parametrize("classes", [1, 2])
def test_hydra_takes_few_bands_and_few_classes(bands, classes):
    x = torch.randn(1, 40, 1, bands, generator=torch.Generator().manual_seed(0))
    y = torch.arange(40).view(1, 40, 1) % classes + 1
    x = x + 3 * (y[..., None] == 2) * torch.sin(torch.arange(bands))
    method = HydraRidge().load()(HydraRidge(), bands, 3, classes=True)
    method.fit([Scene(x, y, torch.ones(1, 40, 1, dtype=torch.bool))])
    assert (method(x).argmax(-1) + 1 == y).float().mean() > 0.9


def test_hydra_says_how_many_bands_it_needs():
    method = HydraRidge().load()(HydraRidge(), 8, 2, classes=True)
    with pytest.raises(ValueError, match="Hydra and ridge needs at least 9 bands, the length of its kernels, not 8"):
        method.fit([Scene(torch.rand(1, 10, 1, 8), torch.arange(10).view(1, 10, 1) % 2 + 1, torch.ones(1, 10, 1, dtype=torch.bool))])
