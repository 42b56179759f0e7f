"""Fit classical methods in closed form, and emit the events and files of a training."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.learn import classical
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.classical.scored_pixels import asked_pixels, predict_pixels, units_of
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.pool import Scene
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.scoring import intervals
from napari_spectrai.learn.scoring.spectrum_sums import of_spectra
from napari_spectrai.learn.stages import Say, Stages
from napari_spectrai.learn.train.final_scores import few_validated
from napari_spectrai.learn.train.removed import what_was_removed
from napari_spectrai.learn.train.snapshots import confusion, preview
from napari_spectrai.learn.train.unpaired_data import prepare_unpaired
from napari_spectrai.reports.run_report import concluded
from napari_spectrai.runs import Event, Finished, RunFolder, Saved, Started


def fit_closed_form(experiment: Experiment, data: Dataset, folder: RunFolder) -> Generator[Event, None, Model]:
    """Fit the classical method of an experiment, with the other classical methods as baselines."""
    start = time.monotonic()
    spec: Any = experiment.network
    names, parts = experiment.task.metrics, data.parts
    task = experiment.task.load()(experiment, data)
    unpaired = prepare_unpaired(task, data, experiment.training.seed)
    can_score = (data.truths is not None or unpaired is not None) and experiment.task.enlarges == 1

    def recorded(event: Event) -> Event:
        folder.append(event)
        return event

    def scores(part: str, methods: dict[str, Any]) -> dict[str, dict[str, float]]:
        scenes, rows = list((data if unpaired is None else unpaired.data).scenes(part)), {}
        for name, one in methods.items():
            outputs = predict_pixels(one, scenes) if unpaired is None else unpaired.predict_pixels(one, part, task)
            rows[name] = task.scores(*outputs)
            ranges.setdefault(part, {})[name] = _intervals(data, scenes, outputs[0], outputs[1], tuple(names))
            if name == "network":
                if part == "validation" and data.classes:
                    said.extend(few_validated(data.classes, outputs[1]))
                said.extend(filter(None, [intervals.lacking(units_of(asked_pixels(scenes)), f"{part} score")]))
                shown.extend(_shown(data, part, scenes, outputs[0], outputs[1], experiment.task.target))
        return rows

    shown: list[Event] = []
    said: list[str] = []
    ranges: dict[str, dict[str, intervals.Intervals]] = {}
    stages = Stages(folder)

    def first(say: Say) -> tuple[dict[str, Any], dict[str, Any]]:
        method = classical.fitted(spec, data, "training")
        methods = classical.fit_baselines(experiment, data, "training", fitted_method=method, say=say) if can_score else {}
        say("Scoring the methods")
        return methods, {"validation": scores("validation", methods | {"network": method})} if can_score else {}

    methods, scored = yield from stages.run(f"Fitting {spec.label}", first)
    baselines = {name: row[names[0]] for name, row in scored.get("validation", {}).items() if name != "network"}
    yield recorded(
        Started(
            device=str(data.inputs.device), precision="fp32", training=len(parts["training"]), validation=len(parts["validation"]),
            test=len(parts.get("test", ())), epochs=1, parameters=0, metric=names[0], baselines=baselines, notes=data.notes,
        )
    )  # fmt: skip
    # as for a network, settings are chosen without the test rows; the final fit may use all others

    def last(say: Say) -> tuple[Any, dict[str, Any], list[str]]:
        method, others = classical.fitted(spec, data, "training", "validation"), methods
        if can_score and "test" in parts:
            others = classical.fit_baselines(experiment, data, "training", "validation", before=methods, say=say)
            say("Scoring the methods")
            scored["test"] = scores("test", others | {"network": method})
        return method, others, what_was_removed(experiment, data, method.eval())

    method, methods, took = yield from stages.run(f"Fitting {spec.label} to all training and validation samples", last)
    notes = [*filter(None, [method.said(data.preparation)]), *said, *took]
    model = Model.of(
        method, data, experiment, folder.path.name, classical=methods, applicability=Applicability.of_data(data),
        scores=scored, intervals=ranges, notes=notes,
    )  # fmt: skip
    for which, path in (("best", folder.best), ("last", folder.last)):
        model.save(path)
        yield recorded(Saved(which, str(path)))  # type: ignore[arg-type]
    yield from map(recorded, shown)
    yield concluded(
        folder, Finished("done", 1, 1, scored, time.monotonic() - start, str(folder.best), notes=[*said, *took], intervals=ranges)
    )
    return model


def _intervals(
    data: Dataset, scenes: Sequence[Scene], output: torch.Tensor, truth: torch.Tensor, names: tuple[str, ...]
) -> intervals.Intervals:
    units = units_of(asked_pixels(scenes))
    output, truth = output.detach().cpu(), truth.detach().cpu()
    if data.classes:
        return intervals.of_classes(output, truth, units, names)
    return of_spectra(output, truth, units, names, data.truth_axis.values)


def _shown(data: Dataset, part: str, scenes: Sequence[Scene], output: torch.Tensor, truth: torch.Tensor, target: str) -> Iterator[Event]:
    """Yield previews of a method: one validation spectrum, or the confusion matrix of a part."""
    if data.classes:
        yield confusion(1, data.classes, output, truth, part)
    elif part == "validation":
        seen, middle = predict_pixels(nn.Identity(), scenes)[0], len(output) // 2
        yield preview(1, data.truth_axis, seen[middle], output[middle], truth[middle], target)
