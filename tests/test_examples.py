"""The example experiments, against stand-ins of the true shapes that take no memory."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest

from napari_spectrai import Cube, Experiment
from napari_spectrai.experiment.checks import problems_with
from napari_spectrai.labels import Labels
from napari_spectrai.networks import build

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
STUDIES = sorted(path.stem for path in EXAMPLES.glob("*.yml"))


def empty(*shape):
    return Cube(da.zeros(shape, dtype=np.float32, chunks=(-1,) * (len(shape) - 1) + (1,)))


def stand_ins(name):
    """Return cubes and truths of the shapes that were published."""
    if name.startswith("aerorit"):
        labels = np.broadcast_to(np.arange(6, dtype=np.uint8).repeat(663)[:3975], (1973, 3975))
        return [empty(1973, 3975, 51)], [Labels(labels)]
    if name.startswith("deeper"):
        return [empty(172_312, 500)], [empty(172_312, 500)]
    return [empty(439, 400, 826) for _ in range(10)], []


def test_three_studies_as_published_and_better():
    assert len(STUDIES) == 6
    assert all(name.removesuffix("_better") in STUDIES for name in STUDIES)


@pytest.mark.parametrize("name", STUDIES)
def test_an_example_loads_and_suits_the_data(name):
    experiment = Experiment.load(EXAMPLES / f"{name}.yml")
    assert problems_with(experiment, *stand_ins(name)) == []
    assert Experiment.from_mapping(experiment.model_dump(mode="json")) == experiment
    assert all(path.is_absolute() for path in experiment.data.input)


@pytest.mark.parametrize("name", STUDIES)
def test_its_network_can_be_built(name):
    experiment = Experiment.load(EXAMPLES / f"{name}.yml")
    bands = stand_ins(name)[0][0].shape[-1]
    classes = experiment.task.truth == "labels"
    network = build(
        experiment.network, bands, 5 if classes else bands, ridge=experiment.over_ridge, classes=classes, enlarges=experiment.task.enlarges
    )
    assert 1e5 < sum(p.numel() for p in network.parameters()) < 5e7
