"""How a training is shown, from its events alone."""

from __future__ import annotations

from napari_spectrai.experiment.metrics import METRICS
from napari_spectrai.runs import Epoch, Finished, Started, Step
from napari_spectrai.widgets.train_dock import progress_view
from napari_spectrai.widgets.train_dock.progress_words import how_it_ended


def started(resumed_after):
    figures = {"training": 96, "validation": 24, "test": 0, "epochs": 50, "parameters": 10, "metric": "mse"}
    return Started("cpu", "fp32", **figures, baselines={"ridge": 0.1}, notes=[], resumed_after=resumed_after)


def epoch(number):
    return Epoch(number, 50, 0.3 / number, 0.2 / number, {"mse": 0.2 / number}, 1e-3, True, 0.1, 5.0)


def test_a_resumed_run_shows_its_old_curve_at_once(viewer, monkeypatch):
    monkeypatch.setattr(progress_view, "REDRAW", 1e6)
    view = viewer.window.add_plugin_dock_widget("napari-spectrai", "Train")[1].view
    view.begin("starting")
    # the whole journal in one go, and the first new epoch is far from its end
    view.show_events([started(0), epoch(1), epoch(2), epoch(3), started(2), Step(3, 1, 100, 0.1, 1e-3)])
    assert list(view.curves.data("validation")[0]) == [1, 2]
    assert "step 1 of 100" in view.status
    view.show_events([epoch(3)])
    assert list(view.curves.data("training")[0]) == [1, 2]  # later
    view.catch_up()
    assert list(view.curves.data("training")[0]) == [1, 2, 3]


def test_the_score_of_an_automatic_choice_is_not_called_that_of_a_network():
    ending = Finished("done", scores={"validation": {"SVM": {"average_accuracy": 0.8}, "network": {"average_accuracy": 0.9}}})
    chosen, trained = (how_it_ended(ending, METRICS["average_accuracy"], candidates) for candidates in (3, 0))
    assert "SVM 0.800, automatic choice 0.900" in chosen
    assert "network" not in chosen
    assert "SVM 0.800, network 0.900" in trained


def test_an_automatic_choice_that_leaves_the_data_as_they_are_is_said_in_words():
    rows = {"raw": {"mse": 0.1}, "SVD": {"mse": 0.2}, "network": {"mse": 0.1}}
    unchanged = how_it_ended(Finished("done", scores={"validation": rows}), METRICS["mse"], 3)
    assert "none improves the data, which the model leaves as they are" in unchanged
    better = how_it_ended(Finished("done", scores={"validation": rows | {"network": {"mse": 0.05}}}), METRICS["mse"], 3)
    assert "none improves" not in better
