"""Cross-validation of candidates: each is fitted without one fold at a time, and predicts the held-out samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from napari_spectrai.experiment.candidates import Candidate
from napari_spectrai.experiment.data_size import class_weights
from napari_spectrai.learn.automatic.choice import Answers, HeldOut
from napari_spectrai.learn.automatic.fold_fit import Bench, Stopped
from napari_spectrai.learn.classical.method import Method
from napari_spectrai.plan.folds import Folds
from napari_spectrai.plan.subsets import Map

NOT_VALIDATED = (
    "no class can be validated, since no two classes are left to learn from while others are held out; label each class in a second place"
)

Scores = Callable[[Tensor, Tensor], dict[str, float]]


@dataclass(slots=True)
class FoldOutcome:
    """One candidate after its folds.

    Attributes
    ----------
    candidate : Candidate
    answers : Answers or None
        None if it was left out.
    seconds : float
        Time for all its folds.
    note : str
        The reason why it was left out.
    late : bool
        Whether it was left out because the time limit was reached.
    tuned : dict
        Settings of a classical method tuned on the first fold and used in the others.
    modules : dict of fold to module
        The modules fitted without each fold.
    """

    candidate: Candidate
    answers: Answers | None
    seconds: float
    note: str = ""
    late: bool = False
    tuned: dict[str, Any] = field(default_factory=dict)
    modules: dict[int, nn.Module] = field(default_factory=dict)


class Comparison:
    """Compares candidates over folds within a time limit; iterate, then read `held`.

    Parameters
    ----------
    bench : Bench
    folds : Folds
    base : maps of shape (z, y, x)
        The pixels of the comparison, and those of the test part.
    seconds : float
        Time limit; candidates that would exceed it are left out.
    stopping : callable
        Whether to stop now.
    now : callable
        The clock.
    """

    def __init__(
        self,
        bench: Bench,
        folds: Folds,
        base: Sequence[Map],
        seconds: float,
        stopping: Callable[[], bool],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bench, self.stopping, self.seconds, self.now = bench, stopping, seconds, now
        self.began = self.now()
        self.maps = [folds.maps(number, base) for number in range(folds.count)]
        learnable = [self._teachable(maps) for maps in self.maps]
        self.asked = [[chosen & known for chosen, known in zip(bench.asked(maps), kept, strict=True)]
                      for maps, kept in zip(self.maps, learnable, strict=True)]  # fmt: skip
        if not self.folds_asked():
            raise ValueError(NOT_VALIDATED)
        units = [torch.from_numpy(u) for u in folds.units]
        self.held = HeldOut.of(
            torch.cat([bench.truth(asked) for asked in self.asked]),
            np.concatenate([np.full(sum(int(a.sum()) for a in asked), number) for number, asked in enumerate(self.asked)]),
            torch.cat([u.view(a.shape[0], *u.shape[1:])[a] if a.shape == u.shape else u[:, :1, :1][a]
                       for asked in self.asked for a, u in zip(asked, units, strict=True)]).numpy(),
            len(bench.base.classes),
            class_weights(image=any(cube.is_image for cube in bench.cubes)),
        )  # fmt: skip

    def _teachable(self, maps: Sequence[Map]) -> list[Tensor]:
        """Return which pixels have a class with training samples while they are held out; others cannot be predicted correctly."""
        taught = self.bench.asked(maps, "training")
        scenes = list(self.bench.base.scenes())
        if not self.bench.base.classes:
            return [torch.ones_like(chosen) for chosen in taught]
        learnt = torch.cat([scene.y[chosen] for scene, chosen in zip(scenes, taught, strict=True) if scene.y is not None]).unique()
        if len(learnt) < 2:  # one class alone cannot be learnt
            return [torch.zeros_like(chosen) for chosen in taught]
        return [torch.isin(scene.y, learnt) for scene in scenes if scene.y is not None]

    @property
    def left(self) -> float:
        """Remaining seconds."""
        return self.seconds - (self.now() - self.began)

    def not_validated(self) -> list[str]:
        """Return the names of the classes that no fold can validate, since all their pixels are held out together."""
        if not self.bench.base.classes:
            return []
        present = torch.zeros(len(self.bench.base.classes) + 1, dtype=torch.bool)
        present[self.held.truth.unique() + 1] = True
        return [one.name for one, known in zip(self.bench.base.classes, present[1:].tolist(), strict=True) if not known]

    def folds_asked(self) -> list[tuple[int, list[Tensor]]]:
        """Return the folds with held-out pixels, and these pixels for each cube."""
        return [(number, asked) for number, asked in enumerate(self.asked) if any(bool(a.any()) for a in asked)]

    def over(self, candidates: Sequence[Candidate]) -> Iterator[FoldOutcome | tuple[Candidate, int]]:
        """Yield (candidate, finished folds), and each candidate once it was compared or left out."""
        for number, candidate in enumerate(candidates):
            began = self.now()
            if self.left <= 0 and number:
                yield FoldOutcome(candidate, None, 0.0, "not compared: the time was used up", late=True)
                continue
            yield from self._one(candidate, began, first=number == 0)

    def _one(self, candidate: Candidate, began: float, *, first: bool) -> Iterator[FoldOutcome | tuple[Candidate, int]]:
        outputs: list[Tensor] = []
        tuned: dict[str, Any] = {}
        modules: dict[int, nn.Module] = {}

        def stopping() -> bool:
            return self.stopping() or (not first and self.left <= 0)

        for number, asked in self.folds_asked():
            try:
                module = self.bench.fitted(candidate, self.maps[number], stopping, chosen=tuned)
                outputs.append(self.bench.answers(candidate, module, asked))
            except Stopped:
                if self.stopping():
                    raise
                took, of = self.now() - began, f"fold {number + 1} of {len(self.maps)}"
                yield FoldOutcome(candidate, None, took, f"not compared: {of} was not finished when the time was used up", late=True)
                return
            except (ArithmeticError, ValueError, RuntimeError) as error:
                yield FoldOutcome(candidate, None, self.now() - began, f"left out: {error}")
                return
            modules[number] = module
            if isinstance(module, Method):
                tuned = module.chosen
            if self.stopping():
                raise Stopped
            yield candidate, number + 1
            a_fold = (self.now() - began) / (number + 1)
            if not first and a_fold * (len(self.maps) - number - 1) > max(self.left, 0):
                note = f"not compared: its folds would take about {a_fold * len(self.maps):.0f} s, and {max(self.left, 0):.0f} s were left"
                yield FoldOutcome(candidate, None, self.now() - began, note, late=True)
                return
        yield FoldOutcome(
            candidate, Answers(candidate.name, torch.cat(outputs), candidate.prior), self.now() - began, tuned=tuned, modules=modules
        )
