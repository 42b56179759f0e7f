"""Minimum noise fraction components of images, and the classifier on them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.suitability import Suitability
from napari_spectrai.experiment.tasks import tasks
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.noise.fractions import MOST_BANDS, least_noisy

BANDS = 60


def an_image(noise, rng):
    """Return an image (30, 40, λ) of two materials in stripes, whose noise has the covariance `noise` (λ, λ), and the stripes."""
    material = (np.arange(40) // 5 % 2)[None].repeat(30, 0)
    spectra = np.stack([np.full(BANDS, 5.0), 5 + 0.15 * np.sin(np.linspace(0, 9, BANDS))])
    return spectra[material] + rng.multivariate_normal(np.zeros(BANDS), noise, (30, 40)), material


def neighbours(image):
    return np.concatenate([np.diff(image, axis=0).reshape(-1, image.shape[-1]), np.diff(image, axis=1).reshape(-1, image.shape[-1])])


NOISE = {
    "white": 0.01 * np.eye(BANDS),
    "of some bands": np.diag(np.where(np.arange(BANDS) % 3 == 0, 0.003, 1.0)),
    "shared by bands": 0.002 * np.eye(BANDS) + 0.02 * np.outer(np.cos(np.linspace(0, 3, BANDS)), np.cos(np.linspace(0, 3, BANDS))) + 0.02,
}


@pytest.mark.parametrize("kind", NOISE)
def test_the_first_component_is_what_differs_between_materials(kind):
    image, material = an_image(NOISE[kind], np.random.default_rng(0))
    scores = image.reshape(-1, BANDS) @ least_noisy(image.reshape(-1, BANDS), neighbours(image))
    assert abs(np.corrcoef(scores[:, 0], material.ravel())[0, 1]) > 0.9
    assert scores[:, 0].var() > 1.5 * scores[:, 1].var()


def test_components_are_in_units_of_their_noise():
    image, material = an_image(NOISE["white"], np.random.default_rng(0))
    scores = image.reshape(-1, BANDS) @ least_noisy(image.reshape(-1, BANDS), neighbours(image))
    within = [scores[material.ravel() == one].var(0) for one in (0, 1)]
    assert np.mean(within, 0) == pytest.approx(1, rel=0.7)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 1, 3), (4, 4, 1), (30, 1, MOST_BANDS + 50)])
@pytest.mark.parametrize("kind", ["constant", "zeros", "noise"])
def test_components_of_any_image_are_finite(shape, kind):
    image = {"constant": np.ones(shape), "zeros": np.zeros(shape), "noise": np.random.default_rng(0).normal(0, 1, shape)}[kind]
    weights = least_noisy(image.reshape(-1, shape[-1]), neighbours(image))
    assert weights.shape[0] == shape[-1]
    assert np.isfinite(weights).all()


def test_a_scale_of_intensities_or_of_bands_changes_no_score():
    image, _ = an_image(0.01 * np.eye(BANDS), np.random.default_rng(1))
    flat = image.reshape(-1, BANDS)
    scores = flat @ least_noisy(flat, neighbours(image))
    for factor in (1e-9, 1e9, np.linspace(0.1, 10, BANDS)):
        other = flat * factor @ least_noisy(flat * factor, neighbours(image * factor))
        assert np.abs(other) == pytest.approx(np.abs(scores), rel=1e-3, abs=1e-3 * np.abs(scores).max())


def recall(kind, image, material, labelled):
    spec = networks.parse(kind)
    method = spec.load()(spec, BANDS, 2, classes=True)
    x, y = torch.from_numpy(image.astype(np.float32))[None], torch.from_numpy(material + 1)[None]
    method.fit([Scene(x, y, torch.from_numpy(labelled)[None])])
    found = method(x).argmax(-1)[0].numpy()
    return np.mean([(found[material == one] == one).mean() for one in (0, 1)])


def few(material, rng, count=5):
    labelled = np.zeros(material.shape, bool)
    for one in (0, 1):
        places = np.argwhere(material == one)
        labelled[tuple(places[rng.permutation(len(places))[:count]].T)] = True
    return labelled


def test_few_labels_suffice_where_some_bands_are_noisy():
    found = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        image, material = an_image(3 * NOISE["of some bands"], rng)
        labelled = few(material, rng, 4)
        found.append([recall(kind, image, material, labelled) for kind in ("logistic_regression", "mnf_logistic")])
    plain, mnf = np.mean(found, 0)
    assert mnf > plain + 0.05, found


def test_pixels_without_data_take_no_part_in_the_noise():
    rng = np.random.default_rng(3)
    image, material = an_image(0.05 * np.eye(BANDS), rng)
    labelled = few(material, rng, 20)
    whole = recall("mnf_logistic", image, material, labelled)
    empty = np.zeros(material.shape, bool)
    empty[::4, ::3] = True
    holds = torch.from_numpy(~empty)[None]
    image[empty] = 1e6
    method = networks.parse("mnf_logistic").load()(networks.parse("mnf_logistic"), BANDS, 2, classes=True)
    x, y = torch.from_numpy(image.astype(np.float32))[None], torch.from_numpy(material + 1)[None]
    method.fit([Scene(x, y, torch.from_numpy(labelled & ~empty)[None], holds=holds)])
    found = method(x).argmax(-1)[0].numpy()[~empty]
    assert (found == material[~empty]).mean() > whole - 0.03


def test_spectra_in_a_list_are_no_neighbours():
    rng = np.random.default_rng(4)
    y = torch.from_numpy(rng.permutation(np.arange(200) % 2) + 1).view(1, 200, 1)
    x = torch.from_numpy(rng.normal(0, 0.3, (1, 200, 1, 6)).astype(np.float32)) + 2.0 * y[..., None]
    for order in (torch.arange(200), torch.argsort(y.flatten())):  # sorted, all neighbours but two are of one class
        method = networks.parse("mnf_logistic").load()(networks.parse("mnf_logistic"), 6, 2, classes=True)
        scene = Scene(x[:, order], y[:, order], torch.ones(1, 200, 1, dtype=torch.bool))
        method.fit([scene])
        assert (method(scene.x).argmax(-1) + 1 == scene.y).float().mean() > 0.9
    assert "without neighbours" in Suitability(tasks.parse("segmentation"), is_image=False).why_not(networks["mnf_logistic"])
