"""The denoiser that is chosen where no truth is known: never worse than the data, chosen as the truth would have chosen."""

from __future__ import annotations

import numpy as np
import pytest

from napari_spectrai import Cube, Experiment, Model, fit, predict, train
from napari_spectrai.experiment.automatic import Automatic
from napari_spectrai.experiment.candidates import denoisers_for, denoisers_in_turn
from napari_spectrai.experiment.continuation import members_of
from napari_spectrai.experiment.data_size import Size
from napari_spectrai.learn.automatic.blind_selection import MOST_DRAWS
from napari_spectrai.networks import build
from napari_spectrai.runs import Compared


def clean_scene() -> np.ndarray:
    """Two materials that fade into each other, forty bands."""
    bands = np.linspace(0, 1, 40)
    materials = np.stack([1 + np.exp(-(((bands - place) / 0.08) ** 2)) for place in (0.3, 0.7)])
    share = np.linspace(0, 1, 24)[:, None].repeat(24, 1)
    return share[..., None] * materials[0] + (1 - share[..., None]) * materials[1]


def noisy(kind: str) -> np.ndarray:
    rng, clean = np.random.default_rng(1), clean_scene()
    return {"gaussian": clean + rng.normal(0, 0.2, clean.shape), "photons": rng.poisson(clean * 10) / 10, "none": clean}[kind].astype(
        np.float32
    )


def denoised(cube: Cube, folder) -> tuple[Model, list, np.ndarray]:
    experiment = Experiment.default("denoising", cube)
    assert isinstance(experiment.network, Automatic)
    events = list(fit(experiment, cube, run=folder))
    model = Model.load(folder / "best.safetensors")
    return model, events, predict(model, cube).result.numpy()


@pytest.mark.parametrize("kind", ["gaussian", "photons"])
def test_noise_is_removed_without_a_truth(kind, tmp_path):
    cube = Cube(noisy(kind))
    model, events, result = denoised(cube, tmp_path / "run")
    before, after = (float(np.mean((values - clean_scene()) ** 2)) for values in (cube.numpy(), result))
    assert after < before / 5
    compared = {event.name: event for event in events if isinstance(event, Compared)}
    assert len(compared) == 3
    assert sum(event.weight for event in compared.values()) == pytest.approx(1, abs=1e-3)


def test_the_risk_orders_the_candidates_as_the_truth_does(tmp_path):
    cube = Cube(noisy("gaussian"))
    _, events, _ = denoised(cube, tmp_path / "run")
    risk = {event.name: float(np.mean(event.folds)) for event in events if isinstance(event, Compared)}
    kinds = {"raw": None, "Whittaker": "whittaker", "SVD+NLM": "svd_nlm"}
    error = {
        name: float(np.mean(((cube if kind is None else predict(kind, cube).result).numpy() - clean_scene()) ** 2))
        for name, kind in kinds.items()
    }
    assert risk.keys() == error.keys()
    assert sorted(error, key=error.__getitem__) == sorted(error, key=risk.__getitem__)


@pytest.mark.all_candidates
def test_methods_that_usually_win_on_images_are_compared_first_and_raw_stays_the_simplest():
    cube = Cube(noisy("gaussian"))
    experiment = Experiment.default("denoising", cube)
    found = denoisers_for(experiment, Size(24 * 24, 40, (64, 64)))
    kinds = [candidate.network.kind for candidate in denoisers_in_turn(found)]
    assert kinds[:3] == ["raw", "svd_nlm", "nl_bayes"]
    assert set(kinds) == {candidate.network.kind for candidate in found}
    assert not found[[candidate.network.kind for candidate in found].index(kinds[-1])].network.classical
    of_a_set = denoisers_for(experiment, Size(300, 40, None))
    assert denoisers_in_turn(of_a_set) == of_a_set


def test_a_comparison_cut_short_says_which_methods_it_did_not_reach(tmp_path):
    cube = Cube(noisy("gaussian"))
    experiment = Experiment.default("denoising", cube).override("network.seconds=0.001")
    *_, ending = fit(experiment, cube, run=tmp_path / "run")
    card = Model.load(tmp_path / "run" / "best.safetensors").card()
    for notes in (ending.notes, card.notes, [(tmp_path / "run" / "report.html").read_text()]):
        assert any("Not compared for lack of time: Whittaker" in note for note in notes)
    weights = {one["name"]: one["weight"] for one in card.compared}
    assert weights["SVD+NLM"] == 1, "one denoiser is compared whatever the time"


def test_data_without_noise_stay_what_they_are(tmp_path):
    cube = Cube(noisy("none"))
    _, events, result = denoised(cube, tmp_path / "run")
    assert np.abs(result - cube.numpy()).max() < 0.02 * np.ptp(cube.numpy())
    assert "Nothing was removed." in events[-1].notes


def test_the_card_says_that_there_was_no_truth(tmp_path):
    model, _, _ = denoised(Cube(noisy("gaussian")), tmp_path / "run")
    assert "Scored against:   noisy target (no truth was given)" in str(model.card())


def test_a_method_that_fails_when_it_is_applied_is_left_out(tmp_path, monkeypatch):
    def fails(*_):
        raise RuntimeError("singular matrix")

    monkeypatch.setattr("napari_spectrai.learn.classical.subspace.SVDNLM.denoised", fails)
    _, events, _ = denoised(Cube(noisy("gaussian")), tmp_path / "run")
    notes = {event.name: event.note for event in events if isinstance(event, Compared)}
    assert notes.pop("SVD+NLM") == "left out: singular matrix"
    assert not any(notes.values())


def test_a_chosen_network_is_the_mean_of_those_that_were_compared_and_one_trained_on_the_data(tmp_path, monkeypatch):
    def untrained(experiment, data, stopping):
        return build(experiment.network, 10, 10).eval()

    monkeypatch.setattr("napari_spectrai.learn.automatic.blind_selection.trained_on", untrained)
    clean = clean_scene()[:, :, ::4].repeat(3, 0).repeat(3, 1)
    cube = Cube((clean + np.random.default_rng(0).normal(0, 0.2, clean.shape)).astype(np.float32))
    experiment = Experiment.default("denoising", cube).override("network.candidates=[eigenimage_cnn]")
    model = train(experiment, cube, run=tmp_path / "run")
    settings = model.card().experiment.network
    networks = [member for member in settings.members if member.network.kind == "eigenimage_cnn"]
    assert len(networks) == 1 + MOST_DRAWS
    assert len({member.weight for member in networks}) == 1
    assert settings.describe().count("Eigenimage CNN") == 1
    assert any("is the mean of 5 networks" in note for note in model.card().notes)
    assert len(members_of(tmp_path / "run" / "best.safetensors")) == 1
