"""A training by cross-validation: candidates compared, one or a blend chosen, refitted on everything, and saved as a model."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic, Member
from napari_spectrai.experiment.candidates import Candidate, Size, candidates_for
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.learn import classical, intervals
from napari_spectrai.learn.automatic import choice
from napari_spectrai.learn.automatic.bench import Bench, Stopped
from napari_spectrai.learn.automatic.blend import Blend
from napari_spectrai.learn.automatic.choice import Choice, crossed, losses_of
from napari_spectrai.learn.automatic.comparison import Comparison, Outcome
from napari_spectrai.learn.automatic.guided import components
from napari_spectrai.learn.automatic.smoothing import best_radius
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.model import Model
from napari_spectrai.learn.shown import confusion, preview
from napari_spectrai.plan.division import as_volume, divide, flatters, parts_of, pixel_groups
from napari_spectrai.plan.folds import Folds, folds_of
from napari_spectrai.plan.split import TEST, TRAINING, VALIDATION, Map
from napari_spectrai.plan.truths import Truth
from napari_spectrai.runs import Compared, Event, Finished, Fold, Paused, RunFolder, Saved, Started
from napari_spectrai.runs.report import concluded


def is_cross_validated(experiment: Experiment) -> bool:
    """Whether an experiment is trained by cross-validation: its network is ``automatic``, or its split asks for folds."""
    return isinstance(experiment.network, Automatic) or experiment.split.folds > 0


LEAST_REACHED = 0.5
"""Share of the pixels to be predicted that the folds have to reach for neighbourhoods to be judged."""


class CrossValidation:
    """One training by cross-validation; `events` runs it.

    Parameters
    ----------
    experiment : Experiment
    cubes, truths : as `gather` returns them
    folder : RunFolder
    """

    def __init__(self, experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], folder: RunFolder) -> None:
        self.experiment, self.folder = experiment, folder
        self.began = time.monotonic()
        self.base = _base_maps(experiment, cubes, truths)
        folder.keep_maps(self.base)
        division = divide(experiment, cubes, truths, self.base)
        folds = folds_of(
            self.base, experiment.split, classes=division.marked or None, groups=pixel_groups(experiment, cubes, division.shapes),
            by_file=len(cubes) > 1,
        )  # fmt: skip
        self.folds: Folds = folds
        self.bench = Bench(experiment, cubes, truths, self.base)
        seconds = experiment.network.seconds if isinstance(experiment.network, Automatic) else float("inf")
        self.comparison = Comparison(self.bench, folds, self.base, seconds, self._stopping)
        samples = len(self.comparison.held.truth)
        image = next((cube for cube in cubes if cube.is_image), None)
        self.size = Size(samples, self.bench.base.inputs.shape[-1], image.spatial_shape[-2:] if image is not None else None)  # type: ignore[arg-type]
        self.names = experiment.task.metrics
        self.task = experiment.task.load()(experiment, self.bench.base)
        self.outcomes: list[Outcome] = []
        self._whole: dict[str, nn.Module] = {}
        self.notes = [f"{folds.words[0].upper()}{folds.words[1:]}.", *self.bench.base.notes]
        missing = self.comparison.not_validated()
        if missing:
            self.notes.append(
                f"Not validated: {', '.join(missing)}. All their labels lie in one fold, so no score speaks for them; label them in a second place."
            )
        if flatters(experiment, cubes):
            self.notes.append("Neighbouring pixels are held out at random: scores are optimistic. Use split.method=auto or blocks.")

    # ------------------------------------------------------------------ steering

    def _stopping(self) -> bool:
        while self.folder.command() == "pause":
            time.sleep(0.05)
        return self.folder.command() == "stop"

    def _pausing(self) -> Generator[Event, None, None]:
        if self.folder.command() == "pause":
            yield self._record(Paused(True))
            self._stopping()
            yield self._record(Paused(False))

    def _record(self, event: Event) -> Event:
        self.folder.append(event)
        return event

    # ------------------------------------------------------------------ events

    def events(self) -> Generator[Event, None, Model]:
        """Compare, choose, refit and save."""
        candidates = self._candidates()
        held, parts = self.comparison.held, self.bench.base.parts
        yield self._record(
            Started(
                device=str(self.bench.base.inputs.device), precision="fp32", training=len(held.truth), validation=len(held.truth),
                test=int(sum((m == TEST).sum() for m in self.base)) if "test" in parts else 0, epochs=len(candidates), parameters=0,
                metric=self.names[0], notes=self.notes,
            )
        )  # fmt: skip
        reason = "done"
        try:
            for step in self.comparison.over(candidates):
                if isinstance(step, Outcome):
                    self.outcomes.append(step)
                    yield self._record(self._compared(step))
                else:
                    candidate, number = step
                    left = max(self.comparison.left, 0.0) if self.comparison.seconds < float("inf") else 0.0
                    place = candidates.index(candidate) + 1
                    yield self._record(
                        Fold(candidate.name, number, self.folds.count, place, len(candidates), left)
                    )
                yield from self._pausing()
        except Stopped:
            reason = "stopped"
            self.folder.say("")
        compared = [outcome for outcome in self.outcomes if outcome.answers is not None]
        if not compared:
            if reason == "stopped":
                ending = Finished("stopped", notes=["Stopped before any candidate was compared; there is no model yet."])
                yield concluded(self.folder, ending)
                raise StoppedEarly("stopped before any candidate was compared; resume the run, or start it again")
            reasons = "; ".join(f"{outcome.candidate.name}: {outcome.note}" for outcome in self.outcomes)
            raise ValueError(f"no candidate could be fitted ({reasons})")
        return (yield from self._concluded(compared, reason))

    def _candidates(self) -> list[Candidate]:
        if isinstance(self.experiment.network, Automatic):
            found = candidates_for(self.experiment, self.size)
            if self.experiment.network.candidates or self.folds.reached >= LEAST_REACHED:
                return found
            self.notes.append(
                f"Only {100 * self.folds.reached:.0f} % of the pixels to be predicted lie as near to a label as held-out pixels lie to "
                "training pixels: methods that average neighbours cannot be judged by that, and are left out. Label further places."
            )
            return [c for c in found if not (c.network.dims_seen > 1 or c.sees == "superpixels")]
        plain = self.experiment.model_copy(update={"split": self.experiment.split.model_copy(update={"folds": 0, "beside": False})})
        return [Candidate("network", plain)]

    def _output(self, outcome: Outcome) -> Tensor:
        assert outcome.answers is not None  # noqa: S101
        return crossed([outcome.answers], self.comparison.held, blend=False).output

    def _compared(self, outcome: Outcome, weight: float = 0.0) -> Compared:
        candidate, held = outcome.candidate, self.comparison.held
        if outcome.answers is None:
            return Compared(candidate.name, candidate.network.kind, candidate.sees, seconds=outcome.seconds, note=outcome.note)
        output = self._output(outcome)
        scores = self._scores(output, held.truth)
        folds = [self._scores(output[held.fold == number], held.truth[held.fold == number])[self.names[0]] for number in np.unique(held.fold)]
        interval = self._intervals(output, held.truth, held.unit).get(self.names[0], [])
        loss = float(losses_of(output, held).mean())
        return Compared(candidate.name, candidate.network.kind, candidate.sees, scores, folds, interval, loss, outcome.seconds, weight)

    # ------------------------------------------------------------------ scores

    def _scores(self, output: Tensor, truth: Tensor) -> dict[str, float]:
        return dict(self.task.scores(output.float(), truth))

    def _intervals(self, output: Tensor, truth: Tensor, units: Any) -> dict[str, list[float]]:
        if self.bench.base.classes:
            return intervals.of_classes(output, truth, units, self.names)
        error = (output.double() - truth.double()).square().mean(-1).numpy()
        return intervals.of_cubes({"mse": error}, units)

    # ------------------------------------------------------------------ the model

    def _concluded(self, compared: list[Outcome], reason: Any) -> Generator[Event, None, Model]:
        held, classes = self.comparison.held, bool(self.bench.base.classes)
        spec = self.experiment.network
        automatic = isinstance(spec, Automatic)
        chosen = choice.choose([o.answers for o in compared if o.answers is not None], held, blend=automatic and spec.blend)
        self.notes.append(chosen.why)
        by_name = {outcome.candidate.name: outcome for outcome in compared}
        members = [by_name[name] for name in chosen.names]
        modules = [self._refitted(outcome) for outcome in members]
        radius = 0
        if automatic and spec.smooth and classes and self.size.sides and not self.experiment.task.of_images:
            radius, chosen, why = best_radius(self.comparison, members, chosen)
            self.notes += [why] if why else []
        network, temperature = self._network(spec, members, chosen, modules, radius)
        rows, bands = self._rows(compared, chosen, network)
        yield from (self._record(self._compared(o, w)) for o, w in zip(members, chosen.weights, strict=True))
        model = self._model(network, temperature, rows, bands, compared, chosen)
        for which, path in (("best", self.folder.best), ("last", self.folder.last)):
            model.save(path)
            yield self._record(Saved(which, str(path)))  # type: ignore[arg-type]
        yield from map(self._record, self._shown(chosen))
        if reason != "stopped":
            self.folder.discard_data()
        seconds = time.monotonic() - self.began
        yield concluded(
            self.folder,
            Finished(reason, len(self.outcomes), len(self.outcomes), rows, seconds, str(self.folder.best), notes=self.notes, intervals=bands),
        )
        return model

    def _refitted(self, outcome: Outcome) -> nn.Module:
        """Return a candidate fitted on all pixels but those of the test; fitted once."""
        name = outcome.candidate.name
        if name not in self._whole:
            self._whole[name] = self.bench.fitted(outcome.candidate, self.base, lambda: False, chosen=outcome.tuned)
        return self._whole[name]

    def _network(
        self, spec: Any, members: Sequence[Outcome], chosen: Choice, modules: list[nn.Module], radius: int
    ) -> tuple[nn.Module, float]:
        data = self.bench.base
        if not isinstance(spec, Automatic):
            return modules[0], chosen.temperatures[0]
        kept = [
            Member(network=o.candidate.network, weight=w, temperature=t, sees=o.candidate.sees)  # type: ignore[arg-type]
            for o, w, t in zip(members, chosen.weights, chosen.temperatures, strict=True)
        ]
        images = "images" if self.experiment.task.of_images else "pixels"
        fitted = spec.model_copy(update={"members": kept, "radius": radius, "answers_for": images})
        guide = components(data.inputs[data.inputs.any(-1)]) if radius else None
        return Blend.of(fitted, modules, data.inputs.shape[-1], data.out, classes=bool(data.classes), guide=guide), 1.0

    def _rows(self, compared: Sequence[Outcome], chosen: Choice, network: nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return scores and intervals of the choice and of all candidates, out of fold, and where there is one for the test part."""
        held = self.comparison.held
        validation: dict[str, Any] = {}
        bands: dict[str, Any] = {"validation": {}}
        for name, output in [*((o.candidate.name, self._output(o)) for o in compared), ("network", chosen.output)]:
            if name == "network" or len(compared) > 1:
                validation[name] = self._scores(output, held.truth)
                bands["validation"][name] = self._intervals(output, held.truth, held.unit)
        rows = {"validation": validation}
        asked = self.bench.asked(self.base, "test")
        if not any(bool(a.any()) for a in asked):
            return rows, bands
        truth = self.bench.truth(asked)
        units = np.concatenate([_regions(a) + number * 10**9 for number, a in enumerate(asked)])
        rows["test"], bands["test"] = {}, {}
        own = compared[0].candidate
        if isinstance(network, Blend):
            own = Candidate("network", self.experiment.model_copy(update={"network": network.spec}))
        found = {"network": self.bench.answers(own, network, asked)}
        for outcome in compared if len(compared) > 1 else ():
            if outcome.candidate.network.classical:  # a network would have to be trained for this alone
                found[outcome.candidate.name] = self.bench.answers(outcome.candidate, self._refitted(outcome), asked)
        for name, output in found.items():
            shares = output.softmax(-1) if held.classes else output
            rows["test"][name] = self._scores(shares, truth)
            bands["test"][name] = self._intervals(shares, truth, units)
        return rows, bands

    def _model(
        self, network: nn.Module, temperature: float, rows: Any, bands: Any, compared: Sequence[Outcome], chosen: Choice
    ) -> Model:
        data = self.bench.base
        spec = network.spec if isinstance(network, Blend) else self.experiment.network
        weights = dict(zip(chosen.names, chosen.weights, strict=True))
        rivals = self._rivals(compared)
        card = ModelCard(
            name=self.experiment.name or self.folder.path.name,
            experiment=self.experiment.model_copy(update={"preparation": list(data.preparation.steps), "network": spec}),
            axis=data.axis, truth_axis=data.truth_axis, classes=data.classes, date=f"{datetime.now():%Y-%m-%d %H:%M}",
            rivals=[method.spec.kind for method in rivals.values()], trained_on=data.names, scores=rows, intervals=bands,
            versions={name: version(name) for name in ("napari-spectrai", "torch")}, temperature=temperature, notes=self.notes,
            compared=[asdict(self._compared(o, weights.get(o.candidate.name, 0.0))) for o in self.outcomes],
        )  # fmt: skip
        return Model(network.eval(), card, rivals)

    def _rivals(self, compared: Sequence[Outcome]) -> dict[str, Method]:
        """Return the classical candidates refitted on everything, for tables beside the model's results."""
        kept: dict[str, Method] = {}
        for outcome in compared:
            candidate = outcome.candidate
            if len(compared) > 1 and candidate.sees == "spectra" and candidate.network.classical:
                module = self._refitted(outcome)
                if isinstance(module, Method):
                    kept[module.spec.label] = module
        return kept

    def _shown(self, chosen: Choice) -> Generator[Event, None, None]:
        held, data = self.comparison.held, self.bench.base
        if data.classes:
            yield confusion(1, data.classes, chosen.output, held.truth)
            return
        middle = len(held.truth) // 2
        seen = torch.cat([scene.x[a] for asked in self.comparison.asked for scene, a in zip(data.scenes(), asked, strict=True)])
        yield preview(1, data.truth_axis, seen[middle], chosen.output[middle], held.truth[middle])


class StoppedEarly(RuntimeError):
    """A cross-validation was stopped before there was anything to keep."""


def _base_maps(experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth]) -> list[Map]:
    """Return which pixels are cross-validated (as training), and which are kept for the test."""
    split = experiment.split
    if parts_of(cubes) is None and not split.test:
        return [np.full(as_volume(cube), TRAINING, np.uint8) for cube in cubes]
    if parts_of(cubes) is None:  # the test part is drawn as a split without validation draws it
        held = split.model_copy(update={"validation": split.test, "test": 0.0})
        maps = divide(experiment.model_copy(update={"split": held}), cubes, truths).maps
        return [np.where(m == VALIDATION, TEST, m).astype(np.uint8) for m in maps]
    maps = divide(experiment, cubes, truths).maps
    return [np.where(m == VALIDATION, TRAINING, m).astype(np.uint8) for m in maps]


def _regions(asked: Tensor, side: int = 12) -> Any:
    """Return the square of an image that each pixel asked about lies in; of a set of spectra each spectrum."""
    z, y, x = (c.cpu().numpy().astype(np.int64) for c in torch.nonzero(asked, as_tuple=True))
    if asked.shape[2] == 1:
        return y
    return (z * 10**4 + y // side) * 10**4 + x // side
