"""What travels: the manifest, the sample data and their licences, in wheel and sdist."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import npe2
import numpy as np
import pytest

import napari_spectrai
from napari_spectrai import sample
from napari_spectrai.experiment.card import read_card
from napari_spectrai.samples import sample_model

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True, capture_output=True)
    return folder


def test_the_wheel_holds_manifest_sample_data_and_licences(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in (
        "napari.yaml",
        "sample_data/raman_pairs/cube.npz",
        "sample_data/raman_pairs/LICENSE",
        "sample_data/raman_denoiser/raman_denoiser.safetensors",
        *(f"sample_data/{bundled}/cube.npz" for bundled in ("cartilage", "lambda_stack", "indian_pines", "microplastic")),
        *(f"sample_data/{bundled}/LICENSE" for bundled in ("cartilage", "lambda_stack", "indian_pines", "microplastic")),
    ):
        assert f"napari_spectrai/{name}" in names
    assert not any("partial" in name or name.startswith("tests") for name in names)
    assert wheel.stat().st_size < 16_000_000  # of which the bundled data are 14 MB
    entries = zipfile.ZipFile(wheel).read(next(n for n in names if n.endswith("entry_points.txt"))).decode()
    assert "[napari.manifest]" in entries


def test_the_sdist_holds_what_its_tests_need(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = archive.getnames()
    stem = f"napari_spectrai-{napari_spectrai.__version__}"
    for name in (
        "napari_spectrai/napari.yaml",
        "sample_data/raman_pairs/truth.npz",
        "tests/conftest.py",
        "tests/data/sp.wdf",
        "LICENSE",
        "constraints.txt",
    ):
        assert f"{stem}/{name}" in names


def test_the_plug_in_is_listed():
    manifest = npe2.PluginManifest.from_distribution("napari-spectrai")
    assert [widget.display_name for widget in manifest.contributions.widgets] == [
        "Spectra",
        "Preprocess",
        "Train",
        "Predict",
        "Evaluate",
        "Maps",
        "Open as a spectral image",
    ]
    assert (ROOT / "napari.yaml").resolve() == ROOT / "napari_spectrai" / "napari.yaml"


def test_the_sample_and_its_model():
    pairs = sample("Raman pairs")
    assert pairs.cube.shape == pairs.truth.shape == (1000, 500)
    assert pairs.cube.axis.unit == ""
    assert np.isfinite(pairs.cube.data).all()
    assert "Apache-2.0" in pairs.notice
    card = read_card(sample_model())
    assert card.scores["test"]["network"]["mse"] < card.scores["test"]["ridge"]["mse"]
    with pytest.raises(ValueError, match="no sample 'ramen'; known: cartilage"):
        sample("ramen")


def test_the_manifest_lists_what_the_formats_know():
    """All suffixes but those that napari reads itself: two readers for a suffix make ``viewer.open`` fail."""
    from fnmatch import fnmatch

    from napari_spectrai.io import FORMATS

    manifest = npe2.PluginManifest.from_distribution("napari-spectrai")
    reader = next(one for one in manifest.contributions.readers if one.command == "napari-spectrai.read")
    left = {s for known in FORMATS for s in known.suffixes if not any(fnmatch(f"file{s}", p) for p in reader.filename_patterns)}
    assert left == {".csv", ".tif", ".tiff", ".ome.tif", ".ome.tiff", ".img", ".raw"}
    assert all(any(fnmatch(f"a{suffix}", pattern) for pattern in reader.filename_patterns) for suffix in (".00", ".001", ".10", ".0999"))
