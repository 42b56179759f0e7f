"""What can be learnt, and what suits each."""

from __future__ import annotations

from typing import ClassVar, Literal

from napari_spectrai.spec import Named, Registry


class TaskSpec(Named):
    """A task: its words, what kind of truth it needs and gives, and the figures it is judged by."""

    truth: ClassVar[Literal["cube", "labels", "classes"]] = "cube"
    metrics: ClassVar[tuple[str, ...]] = ()
    """Names of metrics, the first the one that decides which epoch is best."""


class Denoising(TaskSpec):
    """Turn noisy spectra into clean ones, learnt from pairs of a short and a long acquisition."""

    title: ClassVar = "Denoising"
    kind: Literal["denoising"] = "denoising"
    implementation: ClassVar = "napari_spectrai.learn.tasks:Restoration"
    metrics: ClassVar = ("mse", "psnr", "sam")


tasks: Registry[TaskSpec] = Registry("task")
