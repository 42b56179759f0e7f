"""Classes with hardly a spectrum each, of which classical methods know no spread."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, fit, train

pytestmark = pytest.mark.usefixtures("few_rivals")


@pytest.mark.parametrize(("classes", "each"), [(2, 1), (3, 2), (12, 2), (12, 3), (40, 2)])
def test_pca_lda_of_few_spectra_of_each_class(classes: int, each: int) -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (classes, 20))
    names = np.tile(np.arange(classes), each + 1)
    cube = Cube(centres[names] + rng.normal(0, 0.02, (len(names), 20)))
    experiment = Experiment.default("classification", cube, names + 1).override(
        "network=pca_lda", "split.method=contiguous", f"split.validation={1 / (each + 1):g}", "split.gap=0"
    )
    predicted = train(experiment, cube, names + 1).predict(cube).labels.data
    assert (predicted == names + 1).mean() > 0.95


@pytest.mark.parametrize("kind", ["pca_lda", "svm", "kmeans", "logistic_local_means", "vca_fcls", "spectral_mlp"])
def test_a_class_without_validation_samples_is_said_whatever_learns(kind, tmp_path):
    labels = np.ones((24, 26), np.uint8)
    labels[8:12, 8:12] = 2  # in one block of the image
    values = np.random.default_rng(0).normal(labels[..., None], 0.05, (24, 26, 8)).astype(np.float32)
    values[labels == 2, 4:] += 1
    experiment = Experiment.default("segmentation", Cube(values), labels).override(f"network={{kind: {kind}}}", "training.epochs=1")
    finished = list(fit(experiment, Cube(values), labels, run=tmp_path))[-1]
    assert [note for note in finished.notes if note.startswith("Not validated: class 2.")]
    assert [note for note in finished.notes if note.startswith("The validation score has no interval")]
