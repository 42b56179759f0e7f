"""Models, runs and documents that earlier versions wrote still load, and predict what they predicted; published scores can be repeated."""

import re
from pathlib import Path

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Model, Run, SpectralAxis, sample, write_report
from napari_spectrai.experiment.card import read_card
from napari_spectrai.experiment.network_spec import networks
from napari_spectrai.learn.classical.method import fitted
from napari_spectrai.learn.data.assemble import assemble
from napari_spectrai.runs import Epoch, Finished, RunFolder, Stage, Started

VERSIONS = sorted(path for path in (Path(__file__).parent / "golden").iterdir() if path.is_dir())


@pytest.fixture(params=VERSIONS, ids=lambda path: path.name)
def written(request):
    return request.param


def pairs(folder):
    with np.load(folder / "pairs.npz") as kept:
        return Cube(kept["noisy"], SpectralAxis(kept["axis"], "1/cm")), kept["clean"], kept["denoised"]


def test_a_denoiser_predicts_what_it_predicted(written):
    cube, _, denoised = pairs(written)
    model = Model.load(written / "run" / "best.safetensors")
    np.testing.assert_allclose(model.predict(cube).result.numpy(), denoised, rtol=1e-4, atol=1e-5)


def test_the_classical_methods_of_a_denoiser_are_rows_of_its_evaluation(written):
    cube, clean, _ = pairs(written)
    model = Model.load(written / "run" / "best.safetensors")
    found = model.evaluate(cube, clean)
    assert set(model.classical) | {"network"} <= {name.removesuffix(" (classical)") for name in found.rows}
    assert len(model.classical) >= 4
    assert model.card().baselines


def test_a_classifier_predicts_what_it_predicted(written):
    cube, _, _ = pairs(written)
    with np.load(written / "classes.npz") as kept:
        np.testing.assert_array_equal(Model.load(written / "classes.safetensors").predict(cube).result, kept["predicted"])
    assert [one.value for one in read_card(written / "classes.safetensors").classes] == [1, 2]


def test_a_run_is_listed_reported_and_its_experiment_read(written, tmp_path):
    folder = RunFolder(written / "run")
    kinds = [kind for event in folder.events() if (kind := type(event)) is not Stage]  # which earlier versions did not have
    assert kinds[0] is Started
    assert kinds[0] is Started
    assert kinds.count(Epoch) == 3
    assert kinds[-1] is Finished
    assert folder.state() == "finished"
    assert isinstance(folder.experiment(), Experiment)
    assert Run(folder).model().axis == pairs(written)[0].axis
    assert "<svg" in write_report(folder, tmp_path / "report.html").read_text()


def test_the_classical_rows_of_the_benchmark_of_raman_pairs_are_those_of_its_page():
    page = (Path(__file__).parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    published = {kind: re.search(rf"^\| {kind}(?:, tuned)? \| ([\d.]+) \|$", page, re.MULTILINE)[1] for kind in ("raw", "PCA", "ridge")}
    pairs = sample("raman_pairs")
    experiment = Experiment.default("denoising", pairs.cube[:800], pairs.truth[:800])
    data = assemble(experiment, [pairs.cube[:800]], [pairs.truth[:800]])
    methods = {label: fitted(networks.parse(label.lower()), data, "training", "validation") for label in published}
    model = Model.of(methods["ridge"], data, experiment.override("network=ridge"), "golden", classical=methods)
    scores = model.evaluate(pairs.cube[800:], pairs.truth[800:], normalise="maximum").rows
    assert {label: f"{scores[label]['mse']:.5f}" for label in published} == published
