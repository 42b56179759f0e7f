"""Results do not depend on the order of an array in memory: layers have their bands first, other programs columns before rows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from napari_spectrai import Cube, SpectralAxis, maps, preprocess
from napari_spectrai.layer_axes import SpectralWarning
from napari_spectrai.preparation import steps

AXIS = SpectralAxis(np.linspace(500, 890, 40), "nm")
SETTINGS = {
    "crop": {"low": 520, "high": 800}, "resample": {"values": [600.0, 650.5, 700.0], "unit": "nm"}, "reference_peak": {"position": 620},
    "calibrate": {"measured": [500, 890], "known": [501, 888]}, "reflectance": {"white": [9.0] * 40},
    "standard_lines": {"standard": "neon"}, "shift": {"y": 1.5, "x": -0.5}, "bin": {"y": 2, "x": 3},
    "remove_bands": {"bands": [3, 4]},
}  # fmt: skip
ORDERS = [(2, 0, 1), (1, 0, 2), (2, 1, 0), (0, 2, 1)]


def scene():
    rng = np.random.default_rng(0)
    band = np.arange(40)
    shapes = np.stack([np.exp(-0.5 * ((band - place) / 3) ** 2) for place in (12, 28)])
    data = (rng.uniform(0.5, 2, (12, 15, 2)) @ shapes + 0.3 + rng.normal(0, 0.01, (12, 15, 40))).astype(np.float32)
    data[3, 4, 20] += 2
    data[5, 5] = 0
    data[7, 7, 3] = np.nan
    return data


def outcome(kind, data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectralWarning)
        try:
            return preprocess(Cube(data, AXIS), [{"kind": kind, **SETTINGS.get(kind, {})}]).numpy()
        except ValueError as error:
            return str(error)


@pytest.mark.parametrize("kind", sorted(steps))
def test_a_step_gives_the_same_whatever_the_order_in_memory(kind):
    data = scene()
    expected = outcome(kind, data)
    for order in ORDERS:
        moved = np.ascontiguousarray(data.transpose(order)).transpose(np.argsort(order))
        done = outcome(kind, moved)
        if isinstance(expected, str):
            assert done == expected
        else:
            np.testing.assert_allclose(done, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("band", {"low": 600, "high": 700}), ("peaks", {"low": 560, "high": 680}), ("components", {"method": "pca", "count": 2}),
        ("unmix", {"references": Cube(np.eye(2, 40, dtype=np.float32) + 0.1, AXIS)}),
    ],
)  # fmt: skip
def test_maps_are_the_same_whatever_the_order_in_memory(kind, settings):
    data = scene()
    expected = maps(Cube(data, AXIS), kind, **settings).maps
    for order in ORDERS:
        moved = np.ascontiguousarray(data.transpose(order)).transpose(np.argsort(order))
        for name, values in maps(Cube(moved, AXIS), kind, **settings).maps.items():
            np.testing.assert_allclose(values, expected[name], rtol=1e-4, atol=1e-5)
