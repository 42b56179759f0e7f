"""Obstacles and the core agree: models are applied exactly where no obstacle was reported."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_spectrai import Cube, Experiment, Model, SpectralAxis, predict
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.experiment.obstacles import Applied, Onto, obstacles
from napari_spectrai.labels import Class
from napari_spectrai.learn.model import built

BANDS = np.linspace(500, 590, 10)
AXIS = SpectralAxis(BANDS, "nm")


def model(name, *changes, axis=AXIS, classes=()):
    """Return an untrained model."""
    experiment = Experiment(name=name, preparation=[]).override(*changes)
    card = ModelCard(name, experiment, axis, axis, "2026-01-01", classes=[Class(n, kind) for n, kind in enumerate(classes, 1)])
    return Model(built(experiment, len(axis), card.out, classes=bool(classes)).eval(), card, {})


@pytest.fixture(scope="module")
def models():
    fat = ("fat", "water")
    return {
        "mlp": model("mlp", "network.width=8", "network.ridge=false"),
        "dropout": model("dropout", "network.width=8", "network.ridge=false", "network.dropout=0.2"),
        "unet": model("unet", "network={kind: unet, dims: 2, width: 4, depth: 1, ridge: false}"),
        "classes": model("classes", "task=segmentation", "loss=cross_entropy", "network={kind: spectral_mlp, width: 16}", classes=fat),
        "other classes": model(
            "other", "task=segmentation", "loss=cross_entropy", "network={kind: spectral_mlp, width: 16}", classes=("sky", "sea")
        ),
        "fewer bands": model("fewer", "network.width=8", "network.ridge=false", axis=AXIS.take(slice(2, 8))),
        "numbers": model("numbers", "network.width=8", "network.ridge=false", axis=SpectralAxis.bands(10)),
        "sharper": model("sharper", "task={kind: super_resolution, factor: 2}", "network={kind: rcan, width: 8, groups: 1, blocks: 1}"),
    }


def cubes():
    values = np.random.default_rng(0).random((12, 12, 10)).astype(np.float32)
    return {
        "image": Cube(values, AXIS), "set": Cube(values[0], AXIS), "µm": Cube(values, SpectralAxis(BANDS / 1e3, "um")),
        "descending": Cube(values, AXIS.take(slice(None, None, -1))), "numbers": Cube(values),
        "wider": Cube(np.random.default_rng(1).random((12, 12, 16)), SpectralAxis(np.linspace(470, 620, 16), "nm")),
        "narrower": Cube(values[..., 3:], AXIS.take(slice(3, None))), "1/cm": Cube(values, SpectralAxis(BANDS, "1/cm")),
    }  # fmt: skip


NAMES = ["mlp", "dropout", "unet", "classes", "other classes", "fewer bands", "numbers", "sharper"]


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    first=st.sampled_from(NAMES), others=st.lists(st.sampled_from(NAMES), max_size=2), then=st.lists(st.sampled_from(NAMES), max_size=2),
    which=st.sampled_from(sorted(cubes())), tile=st.sampled_from([None, 4, 64]), views=st.booleans(), uncertainty=st.booleans(),
    resample=st.booleans(),
)  # fmt: skip
def test_models_are_applied_exactly_where_there_is_no_obstacle(models, first, others, then, which, tile, views, uncertainty, resample):
    cube = cubes()[which]
    averaged = [Applied(name, models[name].card()) for name in (first, *others)]
    followers = [Applied(name, models[name].card()) for name in then]
    options = {"tile": tile, "views": views, "uncertainty": uncertainty, "resample": resample}
    found = obstacles(averaged, followers, Onto.of(cube), **options)
    chain = {"ensemble": [models[name] for name in others], "then": [models[name] for name in then]}
    if found:
        with pytest.raises(ValueError, match=r"."):
            predict(models[first], cube, **chain, **options)
    else:
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert predict(models[first], cube, **chain, **options).result is not None
