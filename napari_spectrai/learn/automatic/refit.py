"""Refit the chosen candidates on all samples, and make the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import nn

from napari_spectrai.experiment import Experiment
from napari_spectrai.experiment.automatic import Automatic, Member
from napari_spectrai.experiment.candidates import Candidate
from napari_spectrai.learn.applicability import Applicability
from napari_spectrai.learn.automatic import map_accuracy
from napari_spectrai.learn.automatic.candidate_scores import Scoring
from napari_spectrai.learn.automatic.choice import Choice, probabilities
from napari_spectrai.learn.automatic.comparison import FoldOutcome
from napari_spectrai.learn.automatic.fold_fit import Bench
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.learn.classical.scored_pixels import units_of
from napari_spectrai.learn.mixture.blend import Blend
from napari_spectrai.learn.mixture.guided_filter import components
from napari_spectrai.learn.model import Model
from napari_spectrai.plan.folds import Folds
from napari_spectrai.plan.subsets import TEST, Map


class Refit:
    """Fits the chosen candidates on all pixels except those of the test part, and makes the model.

    Parameters
    ----------
    experiment : Experiment
    bench : Bench
    base : maps
        The pixels of the comparison, and those of the test part.
    folds : Folds
    scoring : Scoring
    """

    def __init__(self, experiment: Experiment, bench: Bench, base: Sequence[Map], folds: Folds, scoring: Scoring) -> None:
        self.experiment, self.bench, self.base, self.folds, self.scoring = experiment, bench, list(base), folds, scoring
        self._fitted: dict[str, nn.Module] = {}

    def fitted(self, outcome: FoldOutcome) -> nn.Module:
        """Return a candidate fitted on all samples; each is fitted once."""
        name = outcome.candidate.name
        if name not in self._fitted:
            self._fitted[name] = self.bench.fitted(outcome.candidate, self.base, lambda: False, chosen=outcome.tuned)
        return self._fitted[name]

    def model(
        self, outcomes: Sequence[FoldOutcome], members: Sequence[FoldOutcome], chosen: Choice, radius: int, notes: list[str], name: str
    ) -> Model:
        """Return the model of the chosen members, with its scores, intervals and the candidates it was compared with."""
        data, held = self.bench.base, self.scoring.held
        network, temperature, own = self._network(members, chosen, radius)
        compared = [outcome for outcome in outcomes if outcome.answers is not None]
        rows, bands = self.scoring.validation(compared, chosen)
        scores, ranges = {"validation": rows}, {"validation": bands}
        tested = self._test(compared, network, own, temperature)
        if tested is not None:
            scores["test"], ranges["test"] = tested
        sentences, expected = self._map_accuracy(network, own, temperature, chosen)
        notes = [*notes, *sentences]
        if expected is not None:
            scores["map"] = {"network": {"average_accuracy": expected.accuracy}}
            ranges["map"] = {"network": {"average_accuracy": [expected.low, expected.high]}}
        baselines = self._baselines(compared)
        weights = dict(zip(chosen.names, chosen.weights, strict=True))
        if data.of_images:  # their scenes are mean spectra, and predictions are compared pixel by pixel
            applies = Applicability.of_data(data)
        else:
            spectra = torch.cat([scene.x[a] for maps in self.scoring.asked for scene, a in zip(data.scenes(), maps, strict=True)])
            applies = Applicability.of(spectra, held.fold) if len(spectra) > 2 else None
        return Model.of(
            network, data, self.experiment.model_copy(update={"network": own.network}), name, classical=baselines, applicability=applies,
            scores=scores, intervals=ranges, notes=notes, temperature=temperature,
            compared=[asdict(self.scoring.compared(o, weights.get(o.candidate.name, 0.0))) for o in outcomes],
        )  # fmt: skip

    def _network(self, members: Sequence[FoldOutcome], chosen: Choice, radius: int) -> tuple[nn.Module, float, Candidate]:
        data, spec = self.bench.base, self.experiment.network
        modules = [self.fitted(outcome) for outcome in members]
        if not isinstance(spec, Automatic):
            return modules[0], chosen.temperatures[0], members[0].candidate
        kept = [
            Member(network=o.candidate.network, weight=w, temperature=t, sees=o.candidate.sees)
            for o, w, t in zip(members, chosen.weights, chosen.temperatures, strict=True)
        ]
        settings = spec.model_copy(update={"members": kept, "radius": radius})
        image = any(min(place.shape[1:]) > 1 for place in data.places)
        guide = components(data.inputs[data.inputs.any(-1)]) if data.classes and image else None
        blend = Blend.of(settings, modules, data.inputs.shape[-1], data.out, classes=bool(data.classes), guide=guide)
        return blend, chosen.crossed.temperature, Candidate("network", self.experiment.model_copy(update={"network": settings}))

    def _test(
        self, compared: Sequence[FoldOutcome], network: nn.Module, own: Candidate, temperature: float
    ) -> tuple[dict[str, Any], dict[str, Any]] | None:
        asked = self.bench.asked(self.base, "test")
        if not any(bool(a.any()) for a in asked):
            return None
        truth = self.bench.truth(asked)
        units = units_of(asked)
        outputs_of = {"network": self.bench.answers(own, network, asked)}
        for outcome in compared if len(compared) > 1 else ():
            if outcome.candidate.network.classical:  # a network would have to be trained only for this
                outputs_of[outcome.candidate.name] = self.bench.answers(outcome.candidate, self.fitted(outcome), asked)
        outputs = {
            n: probabilities(o, temperature if n == "network" else 1.0) if self.bench.base.classes else o for n, o in outputs_of.items()
        }
        rows = {name: self.scoring.scores(output, truth) for name, output in outputs.items()}
        return rows, {name: self.scoring.intervals(output, truth, units) for name, output in outputs.items()}

    def _map_accuracy(
        self, network: nn.Module, own: Candidate, temperature: float, chosen: Choice
    ) -> tuple[list[str], map_accuracy.Expected | None]:
        """Return sentences on the validity of the scores of a class map, and the expected accuracy over the map."""
        held, data = self.scoring.held, self.bench.base
        if not held.classes or not len(self.folds.ahead):
            return [], None
        marked = [scene.y for scene in data.scenes()]
        wanted = [
            np.asarray((y == 0).cpu()) & np.asarray(scene.x.any(-1).cpu()) & (m != TEST)
            for y, scene, m in zip(marked, data.scenes(), self.base, strict=True) if y is not None
        ]  # fmt: skip
        confidence = None
        if any(w.any() for w in wanted):
            answers = self.bench.answers(own, network, map_accuracy.spread(wanted))
            confidence = float(probabilities(answers, temperature).max(-1).values.mean())
        distances = np.concatenate([a[m.numpy()] for maps in self.scoring.asked for a, m in zip(self.folds.away, maps, strict=True)])
        expected = map_accuracy.expected_accuracy(chosen.output, held.truth, held.unit, reached=self.folds.reached, confidence=confidence)
        sentences = (map_accuracy.near_and_far(chosen.output, held.truth, distances), expected.words if expected else "")
        return [words for words in sentences if words], expected

    def _baselines(self, compared: Sequence[FoldOutcome]) -> dict[str, Method]:
        """Return the classical candidates fitted on all samples, as baselines of the model."""
        kept: dict[str, Method] = {}
        for outcome in compared if len(compared) > 1 else ():
            if outcome.candidate.sees == "spectra" and outcome.candidate.network.classical:
                module = self.fitted(outcome)
                if isinstance(module, Method):
                    kept[module.spec.label] = module
        return kept
