"""The example plug-in: installed into a folder of its own, found, trained with."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

PLUGIN = Path(__file__).resolve().parents[1] / "examples" / "plugin"
SCRIPT = """
import numpy as np
import napari_spectrai as spectrai
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.experiment.schema import schema
from napari_spectrai.preparation.step import steps

assert "mean_cnn" in networks and "divide_by_median" in steps
assert "NetworkSpec.mean_cnn" in schema()["$defs"] and "NetworkSpec.mean_cnn" not in schema(plugins=False)["$defs"]
image = np.random.default_rng(0).uniform(1, 2, (12, 10, 8)).astype("float32")
prepared = spectrai.preprocess(spectrai.as_cube(image), ["divide_by_median"])
assert np.allclose(np.median(prepared.numpy(), -1), 1)
settings = ("network=mean_cnn", "training.epochs=1", "training.batch=4", "data.patch=4", "split.validation=0.3")
model = spectrai.train(spectrai.Experiment().override(*settings), image, image + 0.1)
model.save("model.safetensors")
assert spectrai.predict("model.safetensors", image).result.shape == image.shape
print("works")
"""


def test_the_example_plug_in_is_found_and_trained_with(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=PLUGIN, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)  # what an installer does with a wheel of pure Python
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert "works" in done.stdout, done.stderr[-3000:]
