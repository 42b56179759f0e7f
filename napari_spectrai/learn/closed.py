"""Classical methods as models: found at once, told and saved as a training is."""

from __future__ import annotations

import time
from collections.abc import Generator
from datetime import datetime
from importlib.metadata import version
from typing import Any

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.learn import classical
from napari_spectrai.learn.classical.judge import judged
from napari_spectrai.learn.dataset import Dataset
from napari_spectrai.learn.model import Model
from napari_spectrai.runs import Event, Finished, RunFolder, Saved, Started


def closed_form(experiment: Experiment, data: Dataset, folder: RunFolder) -> Generator[Event, None, Model]:
    """Fit the classical method of an experiment; its rivals stand beside it as beside a network."""
    begun = time.monotonic()
    spec: Any = experiment.network
    names, parts = experiment.task.metrics, data.parts
    judges = data.truths is not None and experiment.task.enlarges == 1

    def told(event: Event) -> Event:
        folder.append(event)
        return event

    def scores(part: str, methods: dict[str, Any]) -> dict[str, dict[str, float]]:
        task = experiment.task.load()(experiment, data)
        scenes = list(data.scenes(part))
        return {name: task.scores(*judged(method, scenes)) for name, method in methods.items()}

    method = classical.fitted(spec, data, "training")
    rivals = classical.rivals(experiment, data, "training") if judges else {}
    figures = {"validation": scores("validation", rivals | {"network": method})} if judges else {}
    baselines = {name: row[names[0]] for name, row in figures.get("validation", {}).items() if name != "network"}
    yield told(
        Started(
            device=str(data.inputs.device), precision="fp32", training=len(parts["training"]), validation=len(parts["validation"]),
            test=len(parts.get("test", ())), epochs=1, parameters=0, metric=names[0], baselines=baselines, notes=data.notes,
        )
    )  # fmt: skip
    # as a network's, its settings were chosen without the test rows; what it keeps may be learnt from all others
    method = classical.fitted(spec, data, "training", "validation")
    if judges and "test" in parts:
        rivals = classical.rivals(experiment, data, "training", "validation")
        figures["test"] = scores("test", rivals | {"network": method})
    card = ModelCard(
        name=experiment.name or folder.path.name,
        experiment=experiment.model_copy(update={"preparation": list(data.preparation.steps)}),
        axis=data.axis, truth_axis=data.truth_axis, date=f"{datetime.now():%Y-%m-%d %H:%M}", trained_on=data.names, scores=figures,
        versions={name: version(name) for name in ("napari-spectrai", "torch")}, classes=data.classes,
        rivals=[rival.spec.kind for rival in rivals.values()],
    )  # fmt: skip
    model = Model(method.eval(), card, rivals)
    for which, path in (("best", folder.best), ("last", folder.last)):
        model.save(path)
        yield told(Saved(which, str(path)))  # type: ignore[arg-type]
    folder.discard_data()
    yield told(Finished("done", 1, 1, figures, time.monotonic() - begun, str(folder.best)))
    return model
