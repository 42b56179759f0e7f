"""A few of the kills of benchmarks/drills.py, which does hundreds of them."""

import importlib.util
import random
import sys
from pathlib import Path

import pytest

KILLS = {"overwriting": 8, "preprocessing": 4, "saving": 3, "prediction": 3, "training": 2}


@pytest.fixture(scope="module")
def drills():
    path = Path(__file__).parents[2] / "benchmarks" / "drills.py"
    spec = importlib.util.spec_from_file_location("drills", path)
    module = sys.modules["drills"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["drills"]


@pytest.mark.parametrize("kind", list(KILLS))
def test_nothing_is_lost_by_kills_at_random_moments(kind, drills, tmp_path):
    seed = random.randrange(10**6)
    try:
        drills.drill(kind, KILLS[kind], seed, tmp_path / kind)
    except drills.LostError as error:
        raise AssertionError(f"seed {seed}") from error
