"""The model of the noise, the transform that makes it equal, and what is made of both."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_spectrai import Cube, Experiment, Model, predict, sample, train
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.learn.automatic.blind_selection import BlindComparison
from napari_spectrai.learn.classical.method import fit_baselines
from napari_spectrai.learn.classical.subspace import nl_bayes
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.learn.train.removed import sentences
from napari_spectrai.learn.train.tasks import Restoration
from napari_spectrai.learn.train.unpaired_data import prepare_unpaired
from napari_spectrai.noise import NoiseModel, Stabiliser, eigenimages, noise_model
from napari_spectrai.noise.correlation import correlated_noise
from napari_spectrai.noise.spatial import spatial_noise
from napari_spectrai.plan.subsets import TRAINING
from napari_spectrai.preparation import Preparation
from napari_spectrai.preparation.normalise import Normalise, Scale
from napari_spectrai.preparation.stabilise import Stabilise

DENOISERS = [kind for kind in networks if hasattr(networks[kind], "stabilise") or "stabilise" in networks[kind].model_fields]


def signal(bands=30, side=60, seed=0):
    """Return an image (side, side, bands) from 0 to 1 of three smooth spectra in smooth places."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    places = [np.exp(-((y - a) ** 2 + (x - b) ** 2) / 0.08) for a, b in rng.uniform(0.2, 0.8, (3, 2))]
    spectra = [np.exp(-(((np.arange(bands) - c) / (0.15 * bands)) ** 2)) for c in rng.uniform(0.2, 0.8, 3) * bands]
    image = np.stack(places, -1) @ np.stack(spectra)
    return 0.02 + 0.98 * image / image.max()


def counted(image, peak, gain=1.0, read=0.0, offset=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return (gain * rng.poisson(image * peak) + read * rng.normal(size=image.shape) + offset).astype(np.float32)


class TestCorrelation:
    """Noise that neighbouring bands share, as interpolated spectra have it."""

    @pytest.mark.parametrize("kernel", [(0.5, 0.5), (0.25, 0.5, 0.25), (0.1, 0.25, 0.4, 0.25, 0.1)])
    def test_its_level_and_correlation_are_found(self, kernel):
        noise = np.apply_along_axis(np.convolve, -1, np.random.default_rng(0).normal(0, 0.05, (60, 60, 40)), kernel, "valid")
        kernel, level = correlated_noise(signal(noise.shape[-1]) + noise)
        assert level == pytest.approx(noise.std(), rel=0.05)
        known = np.corrcoef(noise[..., 1:].ravel(), noise[..., :-1].ravel())[0, 1]
        assert (kernel[1:] * kernel[:-1]).sum() == pytest.approx(known, abs=0.05)
        assert (kernel**2).sum() == pytest.approx(1)

    @pytest.mark.parametrize("bands", [3, 12, 40])
    def test_there_is_none_where_bands_are_independent(self, bands):
        assert correlated_noise(signal(bands) + np.random.default_rng(0).normal(0, 0.05, (60, 60, bands))) is None
        assert correlated_noise(counted(signal(bands), 20)) is None
        for plain in (np.ones((3, 3, bands)), np.ones((16, 16, bands)), np.random.default_rng(0).normal(size=(16, 16, bands))):
            assert correlated_noise(plain) is None

    def test_weak_signal_in_all_components_does_not_correlate_it(self):
        smooth = gaussian_filter(sample("lambda_stack").cube.numpy()[64:192, 64:192].astype(float), (1.5, 1.5, 0.7))
        assert correlated_noise(counted(smooth / smooth.max(), 200)) is None

    def test_a_denoiser_is_chosen_as_for_other_noise(self, tmp_path):
        rng = np.random.default_rng(0)
        clean = signal(40, 32)
        noise = rng.normal(0, 0.05, (32, 32, 41))
        cube = Cube((clean + (noise[..., 1:] + noise[..., :-1]) / 2).astype(np.float32))
        experiment = Experiment.default("denoising", cube).override("network.candidates=[raw, whittaker, svd_nlm]")
        error = [
            np.square(predict(m, cube).result.numpy() - clean).mean() for m in (train(experiment, cube, run=tmp_path / "a"), "svd_nlm")
        ]
        assert error[0] < 1.1 * error[1]


def test_noise_that_is_subtracted_is_independent_of_the_square_of_the_noisier_values():
    clean = np.full((48, 48, 24), 2.0)
    cube = Cube(counted(clean, 1))
    experiment = Experiment.default("denoising", cube)
    data = assemble(experiment, [cube], [], [np.full((1, 48, 48), TRAINING, np.uint8)], validates=False)
    comparison = BlindComparison(data, 60, lambda: False, lambda _: data)
    truth = data.inputs.mean()
    error = comparison.posed[0].noisier.inputs - truth, comparison.posed[0].target - truth
    skewness = float((data.inputs - truth).pow(3).mean())
    assert float((error[0] * error[1]).mean()) == pytest.approx(0, abs=0.1 * float(data.inputs.var()))
    assert float((error[0].square() * error[1]).mean()) == pytest.approx(0, abs=0.25 * skewness)  # of Gaussian noise: 1


def shared_by_pixels(kind, shape, seed=0):
    """Return noise of standard deviation one, half of whose variance columns or rows share, or smoothed over the image."""
    rng, (height, width, bands) = np.random.default_rng(seed), shape
    if kind == "smooth":
        noise = gaussian_filter(rng.normal(size=shape), (1, 1, 0))
        return noise / noise.std()
    stripes = rng.normal(size=(1, width, bands) if kind == "columns" else (height, 1, bands))
    return np.sqrt(0.5) * (rng.normal(size=shape) + stripes)


class TestSpatialNoise:
    """Noise that pixels share, as push-broom cameras and resampled images have it."""

    @pytest.mark.parametrize("shape", [(30, 40, 100), (16, 20, 200), (60, 50, 20)])
    @pytest.mark.parametrize("kind", ["columns", "rows", "smooth"])
    def test_its_share_level_and_correlation_are_found(self, kind, shape):
        noise = 0.05 * shared_by_pixels(kind, shape)
        clean = signal(shape[-1])[: shape[0], : shape[1]]
        found = spatial_noise(clean + noise)
        expected = {"columns": (0.5, 0.0), "rows": (0.0, 0.5), "smooth": (0.0, 0.0)}[kind]
        assert (found.columns, found.rows) == pytest.approx(expected, abs=0.12)
        assert found.level == pytest.approx(0.05, rel=0.3 if kind == "smooth" else 0.05)
        assert found.correlation == pytest.approx(np.exp(-0.25) if kind == "smooth" else 0.25, abs=0.15)
        assert (kind in str(found)) == (kind != "smooth")
        spread = np.var([shared_by_pixels(kind, shape, seed).mean((0, 1)) for seed in range(20)]) * shape[0] * shape[1]
        assert found.inflation(*shape[:2]) == pytest.approx(spread, rel=0.5)
        assert f"pure noise: {found.correlation:.2g}" in sentences(clean + noise, clean, Cube(clean).axis)[1]

    @pytest.mark.parametrize("bands", [3, 12, 40, 300])
    def test_there_is_none_where_pixels_are_independent(self, bands):
        rng = np.random.default_rng(0)
        for clean in (
            signal(bands, 24),
            np.round(signal(bands, 24), 1),
            np.broadcast_to(np.linspace(0, 1, 24)[:, None, None], (24, 24, bands)),
        ):
            assert spatial_noise(clean + rng.normal(0, 0.05, clean.shape)) is None
        assert spatial_noise(counted(signal(bands, 24), 20)) is None
        for plain in (np.ones((3, 3, bands)), np.ones((16, 16, bands)), np.zeros((16, 16, bands)), rng.normal(size=(16, 16, bands))):
            assert spatial_noise(plain) is None

    @pytest.mark.parametrize("kind", ["columns", "smooth"])
    def test_candidates_are_ranked_without_a_truth_as_by_their_errors(self, kind, tmp_path):
        clean = signal(40, 32)
        cube = Cube((clean + 0.1 * shared_by_pixels(kind, clean.shape)).astype(np.float32))
        experiment = Experiment.default("denoising", cube).override("network.candidates=[raw, whittaker, svd_nlm]")
        model = train(experiment, cube, run=tmp_path / "a")
        error = {name: np.square(predict(name, cube).result.numpy() - clean).mean() for name in ("raw", "whittaker", "svd_nlm")}
        told = {each["kind"]: each["scores"]["mse"] for each in model.card().compared}
        assert sorted(told, key=told.get) == sorted(error, key=error.get)
        assert kind == "smooth" or told == pytest.approx(error, rel=0.35)
        assert np.square(predict(model, cube).result.numpy() - clean).mean() < 1.1 * min(error.values())
        known = "stripes" if kind == "columns" else "neighbouring pixels is correlated"
        assert any(known in note for note in model.card().notes)
        alone = train(experiment.override("network=svd_nlm"), cube, run=tmp_path / "b").card().notes
        assert any(known in note and "takes such noise for signal" in note for note in alone)
        assert not any("takes such noise for signal" in note for note in model.card().notes)


class TestModel:
    @pytest.mark.parametrize("peak", [5, 20, 100])
    @pytest.mark.parametrize(("gain", "offset"), [(1, 0), (2.5, 100), (0.01, -0.3)])
    def test_photons_are_found_and_weighed(self, peak, gain, offset):
        found = noise_model(counted(signal(), peak, gain, offset=offset))
        assert found.kind == "counting"
        assert np.median(found.gain) == pytest.approx(gain, rel=0.1)
        image = np.median(found.variance(gain * peak * signal() + offset) / (gain**2 * peak * signal()))
        assert image == pytest.approx(1, rel=0.1)
        assert "Photon noise, gain" in str(found)

    def test_read_noise_is_separated_from_photon_noise(self):
        found = noise_model(counted(signal(), 50, read=3))
        assert found.kind == "counting"
        assert np.median(found.gain) == pytest.approx(1, rel=0.15)
        assert np.median(found.read) == pytest.approx(3, rel=0.1)

    def test_each_band_may_have_its_own_gain(self):
        gain = np.linspace(0.5, 3, 30)
        found = noise_model(counted(signal(), 50) * gain)
        assert len(found.gain) == 30
        assert np.corrcoef(found.gain, gain)[0, 1] > 0.9

    @pytest.mark.parametrize("seed", range(6))
    def test_noise_that_does_not_grow_is_not_taken_for_photons(self, seed):
        rng = np.random.default_rng(seed)
        found = noise_model(signal() + rng.normal(0, 0.1, (60, 60, 30)))
        assert found.kind == "constant"
        assert np.median(found.read) == pytest.approx(0.1, rel=0.05)
        assert "independent of intensity" in str(found)
        by_band = np.linspace(0.02, 0.2, 30)
        assert noise_model(signal() + rng.normal(0, 1, (60, 60, 30)) * by_band).kind == "constant"

    def test_noise_in_proportion_to_the_intensity_is_not_taken_for_photons(self):
        image = signal(60) + 0.05
        assert noise_model(image * (1 + 0.1 * np.random.default_rng(0).normal(size=image.shape))).kind == "proportional"

    @pytest.mark.parametrize(("offset", "read"), [(100, 0), (1000, 0), (1000, 2)])
    @pytest.mark.parametrize("peak", [3, 30])
    def test_photons_above_an_offset_are_not_taken_for_proportional_noise(self, peak, offset, read):
        image = signal(48, 60)
        found = noise_model(counted(image, peak) + offset + np.random.default_rng(0).normal(0, read, image.shape))
        assert found.kind == "counting"
        light = peak * image / image.max()
        ratio = np.sqrt(found.variance(light + offset) / (light + read**2))[light > 0.05 * peak]
        assert np.percentile(ratio, (5, 95)) == pytest.approx([1, 1], rel=0.15)

    @pytest.mark.parametrize("bands", [1, 3, 700])
    def test_photon_noise_is_found_with_any_number_of_bands(self, bands):
        image = signal(max(30, bands), 60 if bands > 3 else 100)
        first = int(image.std((0, 1)).argmax()) - 1 if bands <= 3 else 0
        found = noise_model(counted(image[..., first : first + bands] + 0.1, 30))
        assert found.kind == "counting"
        assert np.median(found.gain) == pytest.approx(1, rel=0.15)
        assert len(found.gain) in (1, bands)

    def test_a_limit_of_the_detector_is_no_noise(self):
        clipped = np.minimum(np.round(counted(signal(), 60, gain=6)), 255)
        found = noise_model(clipped)
        assert found.kind == "counting"
        assert np.median(found.gain) == pytest.approx(6, rel=0.15)

    @pytest.mark.parametrize(
        ("bands", "side", "peak", "base"), [(100, 25, 5, 0.3), (100, 25, 20, 0.3), (60, 20, 20, 0.3), (24, 40, 2, 0.0)]
    )
    def test_photons_are_found_in_small_maps_and_where_there_are_few(self, bands, side, peak, base):
        clean = base + signal(bands, side)
        found = noise_model(counted(clean, peak).reshape(-1, bands))
        assert found.counting
        assert found.variance(clean * peak).mean() == pytest.approx((clean * peak).mean(), rel=0.06)

    def test_cosmic_rays_are_no_noise(self):
        rng = np.random.default_rng(0)
        image = counted(signal(), 50)
        image[rng.random(image.shape) < 1e-3] += 500
        found = noise_model(image)
        assert found.gain == pytest.approx(1, rel=0.03)

    @pytest.mark.parametrize(
        "values",
        [
            np.zeros((6, 6, 8)), np.ones((6, 6, 8)), np.full((5, 5, 6), np.nan), np.zeros((0, 5)), np.ones((1, 1, 1)), np.ones((1, 200)),
            np.random.default_rng(0).normal(size=(2, 2)), np.random.default_rng(0).normal(size=(1, 1, 3)), np.ones(7),
            np.random.default_rng(0).normal(size=(3, 2000)), np.linspace(0, 1, 20)[:, None] @ np.ones((1, 12)),
        ],
    )  # fmt: skip
    def test_little_or_strange_data_get_a_sensible_answer(self, values):
        found = noise_model(values.astype(np.float32))
        assert not found.counting
        assert np.isfinite(found.variance(np.ones(1))).all()
        assert str(found).endswith(".")

    def test_missing_values_are_left_out(self):
        image = counted(signal(), 50)
        image[5:9, 5:9, 3] = np.nan
        image[20:30] = 0
        assert np.median(noise_model(image).gain) == pytest.approx(1, rel=0.1)

    def test_a_map_that_was_denoised_already_has_no_photons(self):
        assert not noise_model(sample("cartilage").cube.numpy()).counting

    def test_a_confocal_lambda_stack_has_photons(self):
        assert noise_model(sample("lambda_stack").cube.numpy()).counting


class TestTransform:
    @pytest.mark.parametrize("read", [0.0, 0.5, 3.0])
    @pytest.mark.parametrize("mean", [0.5, 1, 3, 10, 100])
    def test_the_inverse_is_unbiased_down_to_half_a_photon(self, mean, read):
        rng = np.random.default_rng(0)
        counts = rng.poisson(mean, 400_000) + read * rng.normal(size=400_000)
        transform = NoiseModel.of(2.0, 10.0, 2 * read).stabiliser()
        stable = transform.forward(2.0 * counts + 10)
        assert stable.std() == pytest.approx(1, abs=0.07 if mean >= 2 else 0.35)
        assert float(transform.inverse(stable.mean(keepdims=True))[0] - 10) / 2 == pytest.approx(mean, abs=max(0.05, 0.01 * mean))

    def test_it_rises_all_the_way_and_below_no_light(self):
        transform = NoiseModel.of(1.0, 0.0, 1.0).stabiliser()
        there = transform.inverse(np.linspace(-10, 60, 2000))
        assert (np.diff(there) > 0).all()
        assert there[0] < 0

    def test_a_band_without_photons_is_divided_by_its_noise(self):
        transform = Stabiliser(np.array([1.0, 0.0]), np.zeros(2), np.array([0.0, 4.0]))
        values = np.array([[9.0, 8.0]], np.float32)
        assert transform.forward(values)[0, 1] == 2
        assert transform.inverse(transform.forward(values))[0, 1] == 8
        assert transform.forward(values).dtype == np.float32


class TestStep:
    def test_the_noise_is_found_kept_and_undone(self):
        image = counted(signal(), 20, gain=3)
        step = Stabilise().fitted(image.reshape(-1, 30), Cube(image).axis)
        stable, _, removed = Preparation((step,)).apply(image, Cube(image).axis)
        again = Stabilise.model_validate(step.model_dump(mode="json"))
        np.testing.assert_array_equal(again.apply(image, Cube(image).axis)[0], stable)
        restored = Preparation.restore(stable, removed)
        assert float((restored - image).mean()) == pytest.approx(0.5, abs=0.3)  # of single values, not of means, up to a quarter photon

    def test_data_without_photons_stay_as_they_are(self):
        image = (signal() + np.random.default_rng(0).normal(0, 0.1, (60, 60, 30))).astype(np.float32)
        step = Stabilise().fitted(image, Cube(image).axis)
        assert step.apply(image, Cube(image).axis)[0] is image

    def test_a_network_learns_and_gives_back_intensities(self, tmp_path):
        clean = 20 * signal(side=24)
        noisy = Cube(counted(signal(side=24), 20, gain=5))
        experiment = Experiment.default("denoising", noisy).override(
            "preparation=[stabilise, scale]", "training={epochs: 3, batch: 8}", "data={samples: 8, patch: 8}", "split.gap=0",
            "network={kind: unet, dims: 2, width: 8, depth: 1, ridge: false, components: 4}", "task.learns_from=bands",
        )  # fmt: skip
        model = Model.load(train(experiment, noisy, run=tmp_path / "run").save(tmp_path / "model.safetensors"))
        result = predict(model, noisy).result.numpy()
        assert np.square(result / 5 - clean).mean() < np.square(noisy.data / 5 - clean).mean()
        assert float(result.mean() / 5) == pytest.approx(clean.mean(), rel=0.1)


class TestDenoisers:
    @pytest.mark.parametrize("kind", ["svd_nlm", "nl_bayes", "wavelet"])
    def test_photon_noise_is_removed_better_inside_the_transform(self, kind):
        clean = 20 * signal(60)
        noisy = Cube(counted(signal(60), 20))
        errors = {}
        for way in ("never", "auto", "always"):
            prediction = predict(kind, noisy, settings={"stabilise": way})
            assert bool(prediction.found) == (way != "never")
            assert not prediction.notes
            errors[way] = np.square(prediction.result.numpy() - clean).mean()
        assert errors["auto"] < errors["never"]
        assert errors["always"] == pytest.approx(errors["auto"], rel=0.1)

    @pytest.mark.parametrize("times", [6, 50])
    @pytest.mark.parametrize("every", [3, 10])
    def test_bands_far_noisier_than_most_are_as_noisy_as_they_are(self, every, times):
        rng, clean = np.random.default_rng(3), signal(60)
        noise = np.where(np.arange(60) % every, 0.01, 0.01 * times)
        model = noise_model((clean + rng.normal(0, noise, clean.shape)).astype(np.float32))
        found = np.sqrt(model.variance(clean).mean((0, 1)))
        np.testing.assert_allclose(found, noise, rtol=0.15)

    @pytest.mark.parametrize("kind", ["savitzky_golay", "whittaker", "wavelet"])
    def test_smoothing_a_spectrum_never_mixes_the_units_of_its_bands(self, kind):
        rng, clean = np.random.default_rng(2), signal()
        noisy = (clean + rng.normal(0, np.where(np.arange(30) % 10, 0.01, 0.3), clean.shape)).astype(np.float32)
        # as if each band had a gain of its own
        model = NoiseModel(rng.gamma(0.2, 0.1, 30), rng.normal(0, 0.1, 30), rng.gamma(1, 0.01, 30), "counting")
        assert not model.common.counting
        spec = networks[kind]()
        method = spec.load()(spec, 30, 30)
        kept = {"noise": torch.from_numpy(np.stack([model.gain, model.offset, model.read]))}
        for keep in (lambda: method.keep(model), lambda: method.learn(kept)):  # the latter as earlier versions did
            keep()
            result = method(torch.from_numpy(noisy)).numpy()
            assert np.square(result - clean).mean() < 1.05 * np.square(noisy - clean).mean()

    def test_other_noise_is_left_alone(self):
        noisy = Cube((signal() + np.random.default_rng(0).normal(0, 0.1, (60, 60, 30))).astype(np.float32))
        one, other = (predict("svd_nlm", noisy, settings={"stabilise": way}) for way in ("auto", "never"))
        np.testing.assert_array_equal(one.result.numpy(), other.result.numpy())
        assert not one.found

    def test_tiles_and_lazy_cubes_share_the_noise(self):
        import dask.array as da

        noisy = counted(signal(), 20)
        whole = predict("whittaker", Cube(noisy), settings={"smoothness": 10}).result.numpy()
        lazy = Cube(da.from_array(noisy, chunks=(17, 23, 30)))
        tiled = predict("whittaker", lazy, tile=16, settings={"smoothness": 10}).result.numpy()
        np.testing.assert_allclose(tiled, whole, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("kind", DENOISERS)
    def test_what_was_trained_keeps_the_noise(self, kind, tmp_path):
        noisy, clean = Cube(counted(signal(side=32), 20)), Cube((20 * signal(side=32)).astype(np.float32))
        experiment = Experiment.default("denoising", noisy, clean).override(f"network={kind}", "preparation=[]", "split.validation=0.2")
        model = train(experiment, noisy, clean, run=tmp_path / "run")
        again = Model.load(model.save(tmp_path / "model.safetensors"))
        np.testing.assert_array_equal(predict(again, noisy).result.numpy(), predict(model, noisy).result.numpy())
        assert np.square(predict(again, noisy).result.numpy() - clean.data).mean() < np.square(noisy.data - clean.data).mean()

    def test_components_that_lie_at_random_in_the_image_are_noise(self):
        from scipy.ndimage import gaussian_filter1d

        rng = np.random.default_rng(0)
        shared = gaussian_filter1d(rng.normal(size=(60, 60, 60)), 2, axis=-1) * 0.3
        assert eigenimages(signal(60) + shared)[0].shape[-1] < 10  # 30 stand above the edge of noise that bands do not share

    def test_pixels_that_share_nothing_keep_their_signal(self):
        rng = np.random.default_rng(0)
        spectra = rng.random((5, 60))
        apart = rng.random((40, 40, 5)) @ spectra + rng.normal(0, 0.02, (40, 40, 60))
        assert eigenimages(apart)[0].shape[-1] == 5
        grains = signal(60)
        places = rng.integers(0, 60, (2, 25))
        grains[*places] += spectra[0]
        scores, back, mean = eigenimages(grains + rng.normal(0, 0.02, grains.shape))
        rebuilt = (scores @ back + mean)[*places]
        assert np.abs(rebuilt - grains[*places]).mean() < 0.02

    @pytest.mark.parametrize("shape", [(1, 1), (2, 9), (5, 40), (33, 26)])
    def test_non_local_bayes_covers_every_pixel(self, shape):
        scores = torch.from_numpy(np.random.default_rng(0).normal(size=(*shape, 4)).astype(np.float32))
        patch = min(3, *shape)
        first = nl_bayes(scores, None, patch=patch, reach=6, similar=20)
        second = nl_bayes(scores, first, patch=patch, reach=6, similar=20)
        assert first.shape == second.shape == scores.shape
        assert bool(torch.isfinite(second).all())
        if min(shape) > 20:
            assert float(second.std()) < 0.6


class TestWithoutTruth:
    @pytest.fixture
    def data(self):
        noisy = Cube(counted(signal(side=48), 20))
        settings = ("split.gap=0", "split.validation=0.3", "data.patch=8", "preparation=[]")
        return lambda learns: (
            e := Experiment.default("denoising", noisy).override(f"task.learns_from={learns}", *settings),
            assemble(e, [noisy], []),
        )

    @pytest.mark.parametrize("learns", ["bands", "masked", "recorrupted"])
    def test_all_methods_are_measured_on_the_same_noise(self, learns, data):
        experiment, found = data(learns)
        task = Restoration(experiment, found)
        asked = prepare_unpaired(task, found, 0)
        methods = fit_baselines(experiment, found, "training")
        assert "ridge" not in methods
        scores = {name: task.scores(*asked.predict_pixels(method, "validation", task))["mse"] for name, method in methods.items()}
        posed = asked.batch(found.parts["validation"], torch.device("cpu"))
        output, target = task.score_inputs(posed.x, posed)
        assert float((output - target).square().mean()) == pytest.approx(scores["raw"], rel=0.35)  # patches overlap
        assert learns == "bands" or scores["SVD+NLM"] < scores["raw"]  # halves are told in the subspace already

    def test_removed_noise_is_distinguished_from_signal(self):
        clean, rng = signal(60), np.random.default_rng(0)
        axis = Cube(clean).axis
        noisy = clean + rng.normal(0, 0.1, clean.shape)
        honest, blunt = sentences(noisy, clean, axis), sentences(noisy, 0.7 * noisy, axis)
        assert "standard errors" in honest[0]
        numbers = [float(text[0].split(" by ")[1].split(" ")[0]) for text in (honest, blunt)]
        assert numbers[0] < 2 < 10 < numbers[1]
        correlation = [float(text[1].rsplit(" is ", 1)[1].split(" ")[0]) for text in (honest, blunt)]
        assert abs(correlation[0]) < 0.05 < 0.2 < correlation[1]

    def test_figures_of_the_noise_are_those_of_the_source(self):
        counts = 20 * counted(signal(), 50)
        found = {}
        for steps in ([Scale()], [Scale(), Scale(factor=0.1)], [], [Normalise()]):
            fitted = Preparation(tuple(steps)).fitted(counts, Cube(counts).axis)
            spectra = fitted.apply(counts.astype(np.float32), Cube(counts).axis)[0]
            words = fitted.noise_in_words(noise_model(spectra))
            removed = sentences(spectra, 0.9 * spectra, Cube(counts).axis, unit=fitted.unit)[1]
            assert ("prepared intensities" in words) == ("(prepared intensities)" in removed) == (steps == [Normalise()])
            if steps != [Normalise()]:
                found[len(steps)] = float(re.search("gain ([0-9.]+)", words)[1]), float(re.search("deviation of ([0-9.]+)", removed)[1])
        for gain, size in found.values():
            assert (gain, size) == pytest.approx((20, 0.1 * np.median(np.sqrt(np.square(counts).mean((0, 1))))), rel=0.15)
