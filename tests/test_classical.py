"""Every classical method: fitted, saved, read again, and against what is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from napari_spectrai import Cube, Experiment, Model, compare, predict, train
from napari_spectrai.experiment.classical import Ridge, SavitzkyGolay, Whittaker
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.learn.classical import fitted, from_tensors, to_tensors
from napari_spectrai.learn.classical.classify import PLSDA
from napari_spectrai.learn.classical.forest import RandomForest
from napari_spectrai.learn.classical.kernel_search import best_settings
from napari_spectrai.learn.classical.pls import Components
from napari_spectrai.learn.classical.scored_pixels import predict_pixels, units_of
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.scoring import metrics
from napari_spectrai.networks.ridge import ridge_map
from napari_spectrai.networks.upsampling import back_projected, bicubic, degraded, lanczos
from napari_spectrai.noise import eigenimages, noise_of_bands

# what blends others has tests of its own (test_automatic.py)
CLASSICAL = [kind for kind in networks if networks[kind].classical and kind != "automatic"]
OF_CUBES = [kind for kind in CLASSICAL if "denoising" in networks[kind].tasks]
OF_CLASSES = [kind for kind in CLASSICAL if "segmentation" in networks[kind].tasks]


@pytest.fixture
def data(image_pairs):
    """The image pairs as a data set of single pixels."""
    noisy, clean = image_pairs
    return assemble(Experiment().override("preparation=[]", "split.validation=0.2"), [noisy], [clean])


@pytest.fixture
def classes():
    """Standardised spectra of three classes as a scene, one pixel a spectrum."""
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    x = rng.normal(0, 0.6, (300, 10)) + np.eye(3, 10)[y] * 2
    scene = torch.from_numpy(x.astype(np.float32)).view(1, 20, 15, 10)
    return scene, torch.from_numpy(y + 1).view(1, 20, 15)


@pytest.mark.parametrize("kind", OF_CUBES)
def test_a_denoiser_beats_raw_and_travels_as_tensors(kind, data):
    method = fitted(networks.parse(kind), data, "training")
    (scene,) = data.scenes("validation")
    x, y = scene.x, scene.y
    result = method(x)
    assert result.shape == y.shape
    assert result.dtype == torch.float32
    assert metrics.mse(result, y) <= metrics.mse(x, y)
    again = from_tensors([kind], to_tensors({"it": method}), 12, 12, 1)[method.spec.label]
    torch.testing.assert_close(again(x), result)


@pytest.mark.parametrize("kind", OF_CLASSES)
def test_a_classifier_separates_classes_and_is_saved_as_tensors(kind, classes):
    x, y = classes
    if networks[kind].images:  # blocks of one class, as neighbours are alike
        y = torch.arange(1, 4).repeat_interleave(5).expand(1, 20, 15)
        x = x[0].flatten(0, 1)[torch.argsort(classes[1].flatten() - 1)].view(3, 20, 5, 10).permute(1, 0, 2, 3).reshape(1, 20, 15, 10)
    spec = networks.parse(kind)
    method = spec.load()(spec, 10, 4, classes=True)  # a fourth class that never occurs
    learnt = torch.zeros(1, 20, 15, dtype=torch.bool)
    learnt[:, ::2] = True
    method.fit([Scene(x, y, learnt)])
    scores = method(x)
    assert scores.shape == (1, 20, 15, 4)
    # noise below zero is nothing that factors describe, and counts of winners forget most of where a band is
    least = {"nmf": 0.5, "hydra_ridge": 0.7, "vca_fcls": 0.8}.get(kind, 0.85)
    assert (scores.argmax(-1) + 1 == y)[~learnt].float().mean() > least
    assert not (scores.argmax(-1) == 3).any()
    again = from_tensors([kind], to_tensors({"it": method}), 10, 4, 1)[spec.label]
    torch.testing.assert_close(again(x), scores)


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize("few", [0, 1])
def test_the_settings_of_a_kernel_are_those_that_a_grid_search_finds(few):
    rng = np.random.default_rng(few)
    y = np.concatenate([rng.integers(0, 2, 60), np.full(few, 2)])
    x = rng.normal(size=(len(y), 5)) + 0.8 * y[:, None] * np.sign(rng.normal(size=(len(y), 1)))
    grid, folds = {"C": [0.01, 1.0, 10.0, 100.0], "gamma": [0.01, 0.2, 3.0]}, StratifiedKFold(3)
    wanted = GridSearchCV(SVC(), grid, cv=folds).fit(x, y)
    assert len(set(wanted.cv_results_["mean_test_score"])) > 4
    for threads in (1, 2):
        assert best_settings(x, y, grid, folds.split(x, y), threads) == wanted.best_params_
    alone = np.arange(len(y)) == 0
    assert set(best_settings(x, alone.astype(int), grid, [(np.flatnonzero(~alone), np.flatnonzero(alone))])) == {"C", "gamma"}


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("kind", ["svm", "random_forest", "logistic_regression", "pca_lda"])
def test_a_saved_classifier_predicts_as_scikit_learn_does(kind, count, classes, monkeypatch):
    x, y = classes
    x, y = x.reshape(-1, 10).double().numpy(), y.flatten().numpy() - 1
    x, y = x[y < count], y[y < count]
    seen = {}
    for module, name in (("sklearn.svm", "SVC"), ("sklearn.ensemble", "RandomForestClassifier"),
                         ("sklearn.linear_model", "LogisticRegression"), ("sklearn.pipeline", "Pipeline")):  # fmt: skip
        model = getattr(__import__(module, fromlist=[name]), name)

        def fit(self, *args, original=model.fit, **kwargs):
            seen["model"] = original(self, *args, **kwargs)
            return seen["model"]

        monkeypatch.setattr(model, "fit", fit)
    spec = networks.parse(kind)
    method = spec.load()(spec, 10, count, classes=True)
    x = (x - x.mean(0)) / x.std(0)
    learnt = method.learnt(x, y)
    tensors = {name: torch.from_numpy(np.ascontiguousarray(values)) for name, values in learnt.items()}
    method.learn({name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()})
    told = method.scores(torch.from_numpy(x).float()).argmax(1).numpy()
    assert (told == seen["model"].predict(x)).mean() > 0.99


def test_a_class_with_a_single_spectrum_is_no_obstacle(classes):
    x, y = classes
    counts = torch.zeros(1, 20, 15, dtype=torch.bool)
    counts.view(-1)[:41] = True
    y = torch.where(y == 3, 2, y)
    y.view(-1)[0] = 3
    for kind in OF_CLASSES:
        spec = networks.parse(kind)
        method = spec.load()(spec, 10, 3, classes=True)
        method.fit([Scene(x, y, counts)])
        assert torch.isfinite(method(x)).all()


def test_given_settings_are_used_and_empty_ones_tuned(data):
    fixed = fitted(SavitzkyGolay(window=5, order=2), data, "training")
    assert fixed._buffers["tuned"].tolist() == [5, 2]
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 50, 1, 40)).astype(np.float32))
    for spec in (Whittaker(), SavitzkyGolay(), networks.parse("wavelet")):
        untuned = spec.load()(spec, 40, 40)
        assert not untuned.has_learnt
        assert untuned(x).square().mean() < 0.6 * x.square().mean()


def test_whittaker_is_the_solution_of_its_equations():
    x = np.random.default_rng(0).normal(size=(3, 30))
    for bands in (30, 5, 4, 3):
        spec = Whittaker(smoothness=7.0)
        differences = np.diff(np.eye(bands), 2, axis=0)
        expected = np.linalg.solve(np.eye(bands) + 7 * differences.T @ differences, x[:, :bands].T).T
        np.testing.assert_allclose(spec.load()(spec, bands, bands).smooth(x[:, :bands], (7.0,)), expected, rtol=1e-8)


def test_tuned_ridge_is_about_the_best_penalty(pairs):
    noisy, clean = pairs
    data = assemble(Experiment().override("preparation=[]", "split.validation=0.25"), [noisy], [clean])
    method = fitted(Ridge(), data, "training")
    (x, y), (fit_x, fit_y) = data.spectra("validation"), data.spectra("training")
    others = [metrics.mse(x @ weight + intercept, y) for weight, intercept in (ridge_map(fit_x, fit_y, 10.0**e) for e in range(-4, 6))]
    assert metrics.mse(method(x), y) < 1.2 * min(others)


def test_eigenimages_find_the_noise_and_the_rank():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    abundance = np.stack([np.sin(x / 7) + 2, np.cos(y / 6) + 2, np.sin((x + y) / 9) + 2], -1)
    noise = np.linspace(0.05, 0.2, 30)
    image = abundance @ rng.random((3, 30)) + rng.normal(size=(40, 40, 30)) * noise
    found = noise_of_bands(image.reshape(-1, 30))
    np.testing.assert_allclose(found, noise, rtol=0.3)  # the other bands are noisy too, which makes it a little too large
    scores, back, mean = eigenimages(image)
    assert scores.shape[-1] in (2, 3)  # the mean takes one direction nearly away
    everything, back, mean = eigenimages(image, 30)
    np.testing.assert_allclose(everything @ back + mean, image, rtol=1e-6)


def test_enlarging_is_exact_where_it_can_be():
    flat = torch.full((1, 6, 5, 2), 3.0)
    for times in (2, 3, 4, 8):
        for method in (bicubic, lanczos):
            torch.testing.assert_close(method(flat, times), torch.full((1, 6 * times, 5 * times, 2), 3.0), rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(degraded(bicubic(flat, times), times), flat)
    y = torch.linspace(0, 3, 48)
    smooth = (torch.sin(y)[:, None] * torch.cos(y))[None, ..., None]
    for method in (bicubic, lanczos):
        assert (method(degraded(smooth, 2), 2) - smooth)[:, 8:-8, 8:-8].abs().max() < 0.01
    coarse = torch.rand(1, 8, 8, 1)
    begun = bicubic(coarse, 2)
    before, after = ((degraded(result, 2) - coarse).abs().mean() for result in (begun, back_projected(begun, coarse, 2)))
    assert after < 0.2 * before


@pytest.mark.parametrize("kind", ["savitzky_golay", "whittaker", "wavelet", "svd_nlm"])
def test_methods_that_need_no_training_apply_by_name(kind, pairs, image_pairs):
    noisy, clean = image_pairs if networks[kind].images else pairs
    result = predict(kind, noisy).result
    assert result.axis == noisy.axis
    assert np.square(result.numpy() - clean.data).mean() < np.square(noisy.data - clean.data).mean()


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("kind", ["svd_nlm", "nl_bayes"])
def test_data_of_few_components_and_no_noise_stay_as_they_are(kind, unit):
    rng = np.random.default_rng(3)
    shares, spectra = gaussian_filter(rng.random((14, 16, 4)), (2, 2, 0)), gaussian_filter1d(rng.random((4, 60)), 3, axis=1)
    clean = (unit * (0.2 + shares) @ spectra).astype(np.float32)
    mask = (rng.random((3, 60)) < 0.5)[np.mgrid[:14, :16][0] // 5]  # without noise that float32 resolves
    for cube in (clean, mask * np.float32(unit)):
        result = predict(kind, Cube(cube)).result.numpy()
        assert np.abs(result - cube).max() < 1e-3 * cube.std()


def test_enlarging_by_name_in_tiles_and_whole(image_pairs):
    cube = image_pairs[0]
    for kind in ("bicubic", "lanczos"):
        whole = predict(kind, cube, factor=3).result
        assert whole.shape == (72, 60, 12)
        np.testing.assert_allclose(predict(kind, cube, factor=3, tile=18).result.numpy(), whole.numpy(), atol=1e-4)


def test_what_has_to_learn_is_not_applied_by_name(image_pairs):
    with pytest.raises(ValueError, match=r"'ridge' is neither a model file nor a method without training; known: back_projection"):
        predict("ridge", image_pairs[0])


@pytest.mark.parametrize("kind", ["ridge", "pca", "savitzky_golay"])
def test_a_classical_method_is_trained_saved_and_compared_as_a_network_is(kind, pairs, tmp_path):
    experiment = Experiment.default("denoising", *pairs).override(f"network={kind}", "split.test=0.2", "split.validation=0.1")
    model = train(experiment, *pairs, run=tmp_path / "run")
    again = Model.load(tmp_path / "run" / "best.safetensors")
    assert again.card().experiment.network.kind == kind
    np.testing.assert_allclose(predict(again, pairs[0]).result.numpy(), predict(model, pairs[0]).result.numpy(), rtol=1e-5, atol=1e-6)
    scores = again.card().scores["test"]
    assert scores["network"] == scores[networks[kind].label]
    report = compare(again, pairs[0], pairs[1])
    assert report.rows["network"]["mse"] == pytest.approx(report.rows[networks[kind].label]["mse"], rel=1e-4)


def test_a_classifier_is_a_model_too(tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    cube = Cube((rng.normal(0, 0.3, (120, 8)) + y[:, None]).astype(np.float32))
    experiment = Experiment.default("classification", cube, y).override("network=svm", "preparation=[scale]")
    model = train(experiment, cube, y, run=tmp_path / "run")
    assert (predict(Model.load(model.save(tmp_path / "m.safetensors")), cube).result == y).mean() > 0.95


def test_a_classifier_is_scored_on_a_subset_of_many_similar_pixels():
    torch.manual_seed(0)
    x = torch.rand(1, 60, 50, 4)
    y = (x[..., 0] > 0.5).long() + 1
    y[:, :3] = 0
    scenes = [Scene(x, y, torch.ones(1, 60, 50, dtype=torch.bool))]
    method = networks.parse("logistic_regression").load()(networks.parse("logistic_regression"), 4, 2, classes=True)
    method.fit(scenes)
    whole, truth = predict_pixels(method, scenes)
    some, its_truth = predict_pixels(method, scenes, most=100)
    assert len(whole) == 57 * 50
    every = -(-len(whole) // 100)
    torch.testing.assert_close(some, whole[::every])
    assert torch.equal(its_truth, truth[::every])


@pytest.mark.parametrize("rank", [0, 1, 3])
def test_partial_least_squares_stays_finite_on_spectra_of_few_components(rank):
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    amounts = rng.random((60, rank)) + labels[:, None]
    x = amounts @ rng.random((rank, 30)) + 1
    for components in (None, 20):
        spec = networks["pls_da"](components=components) if components else networks["pls_da"]()
        learnt = PLSDA(spec, 30, 2).learnt(x, labels)
        assert np.isfinite(learnt["weight"]).all()
        assert np.abs(learnt["weight"]).max() < 1e3
        right = ((x @ learnt["weight"].T + learnt["intercept"]).argmax(1) == labels).mean()
        assert right > 0.9 or rank == 0


def test_pixels_of_different_images_are_never_one_unit():
    asked = [torch.ones((25, 30, 14), dtype=torch.bool), torch.zeros((2, 3, 3), dtype=torch.bool), torch.ones((1, 7, 1), dtype=torch.bool)]
    units = units_of(asked)
    first, last = units[:-7], units[-7:]
    assert len(np.unique(first)) == 25 * 3 * 2  # squares of 12 pixels
    assert len(np.unique(last)) == 7
    assert not set(first.tolist()) & set(last.tolist())
    assert len(units_of([asked[1]])) == 0


@pytest.mark.parametrize("count", [20, 200])
def test_partial_least_squares_of_few_and_of_many_spectra_are_those_of_scikit_learn(count):
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, count)
    x = random.normal(0, 1, (count, 12)) + random.normal(0, 1, (3, 12))[classes]
    indicator = np.eye(3)[classes]
    found = Components.of(x, indicator, 10)
    for components in (1, 4, 10):
        wanted = PLSRegression(components, scale=False).fit(x, indicator)
        weight, intercept = found.regression(components)
        np.testing.assert_allclose(weight, wanted.coef_, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(x @ weight.T + intercept, wanted.predict(x), rtol=1e-8, atol=1e-10)


def test_a_forest_is_the_same_on_any_number_of_threads():
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 60)
    x = random.normal(0, 1, (60, 5)) + classes[:, None]
    forest = RandomForest(networks.parse({"kind": "random_forest", "trees": 12}), 5, 3, classes=True)
    learnt = []
    for forest.threads in (1, 3):
        learnt.append(forest.learnt(x, classes))
    assert all(np.array_equal(learnt[0][name], learnt[1][name]) for name in learnt[0])
