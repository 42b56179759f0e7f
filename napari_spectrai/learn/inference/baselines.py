"""Apply a model's baselines; and the progress of one row among several."""

from __future__ import annotations

import tempfile
from collections.abc import Generator, Iterable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_spectrai import generators
from napari_spectrai.cube import Cube
from napari_spectrai.learn.classical import Method
from napari_spectrai.learn.inference.predict import predicting
from napari_spectrai.learn.model import Model
from napari_spectrai.runs import Progress

IN_MEMORY = 2**31
"""Number of values of a source from which the result of a baseline is written to disk, and read while it is scored."""
STEPS = 100
"""Number of progress steps per row."""

Steps = Generator[Progress, None, Any]


def baselines(model: Model | None, *, spare: str = "") -> dict[str, Method]:
    """Return the classical methods saved in a model by label, except one."""
    return {} if model is None else {name: method for name, method in model.classical.items() if name != spare}


def free(name: str, taken: Iterable[str]) -> str:
    """Return a name that no row has yet."""
    return f"{name} (classical)" if name in set(taken) else name


def mapped(model: Model | None, method: Method, source: Cube | None, files: ExitStack, *, labels: bool = False) -> Steps:
    """Apply a classical method saved in a model, as `predict` applies models; yield (done, total), return the result."""
    assert model is not None  # noqa: S101
    assert source is not None  # noqa: S101
    card = model.description
    experiment = card.experiment.model_copy(update={"network": method.spec})
    alone = Model(method.eval(), replace(card, experiment=experiment, baselines=[], temperature=1.0), {})
    out = None
    if not labels and source.count * card.out >= IN_MEMORY:
        out = Path(files.enter_context(tempfile.TemporaryDirectory(prefix="napari-spectrai-"))) / "method.zarr"
    prediction = yield from predicting(alone, source, out=out)
    return prediction.labels if labels else prediction.result


def within(steps: Generator[Any, None, Any], number: int, count: int, *, begin: float = 0.0) -> Steps:
    """Tell the progress of one row as that of the whole."""

    def of_all(step: Any) -> Progress:
        done, total = (step.done, step.total) if isinstance(step, Progress) else step
        part = begin + (1 - begin) * done / total
        return Progress(int(STEPS * (number + part)), STEPS * count)

    return (yield from generators.mapped(steps, of_all))
