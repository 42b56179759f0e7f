"""Snapshot of the settings of the Predict dock at the moment its button is pressed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from napari.layers import Image
from napari.viewer import Viewer

from napari_spectrai.cube import Cube, SpectralAxis
from napari_spectrai.experiment.card import ModelCard
from napari_spectrai.files import clean
from napari_spectrai.io import read
from napari_spectrai.io.labels import holds_labels, read_labels
from napari_spectrai.preparation import Step
from napari_spectrai.runs import Job, prepare_prediction, prepare_preprocessing
from napari_spectrai.runs.options import PredictOptions
from napari_spectrai.runs.result_table import Row, of_cube, of_labels, row_of, unlike
from napari_spectrai.widgets.job_queue import JobSpec, loaded
from napari_spectrai.widgets.layer_choice import PREPARED
from napari_spectrai.widgets.layer_frame import LayerFrame, Region, add_above
from napari_spectrai.widgets.layers import as_cube
from napari_spectrai.widgets.predict_dock.result_layers import Applied, cut_out, read_outcome, show_outcome


@dataclass(frozen=True, slots=True)
class Around:
    """How far models look beyond a pixel, and the grid that their input starts on, in pixels of the source."""

    context: int = 0
    grid: int = 1

    @classmethod
    def of(cls, averaged: Sequence[ModelCard], follower: ModelCard | None) -> Self:
        """Combine those of averaged models, and of a model applied next."""
        first = [card.experiment.network for card in averaged if not card.experiment.task.of_images]
        context, grid = max((one.context for one in first), default=0), math.lcm(*(one.grid for one in first))
        if follower is not None:
            then, times = follower.experiment.network, averaged[0].experiment.task.enlarges
            context, grid = context + math.ceil(then.context / times), math.lcm(grid, then.grid)
        return cls(context, grid)

    def grown(self, region: Region, lengths: Sequence[int]) -> Region:
        """Return a region with the pixels that the models look at around it."""
        down, across = (
            (max(0, start - self.context) // self.grid * self.grid, min(length, stop + self.context))
            for (start, stop), length in zip(region, lengths, strict=True)
        )
        return down, across


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """A model and the settings it is applied with.

    Parameters
    ----------
    model : path of a file, or kind of a method
    name : display name, with those of models averaged with it or applied after it
    card : function that returns the card of the output, for a source on an axis
    options : how it is applied
    settings : the same as plain values, for the metadata of results
    files : files of all the models, which must exist at the start
    around : how far the models look
    rows : called with the row of each file in the table of results
    replaces : models whose results on a layer are brought up to date; without any, new layers are added
    trained : card of the model that is applied first
    """

    viewer: Viewer
    model: Path | str
    name: str
    card: Callable[[SpectralAxis], ModelCard]
    options: PredictOptions
    settings: Mapping[str, Any]
    files: Sequence[Path] = ()
    around: Around = field(default_factory=Around)
    rows: Callable[[Row], object] = lambda row: None
    replaces: frozenset[str] = frozenset()
    trained: ModelCard | None = None

    def on_layer(self, layer: Image, region: Region | None) -> JobSpec:
        """Return the job for a layer, or a part of it."""
        frame, cube = LayerFrame.of(layer, region), as_cube(layer)
        card = self.card(cube.axis)
        settings = {**self.settings, "region": None if region is None else [list(span) for span in region]}
        applied = Applied(str(self.model), self.name, card, settings, self.replaces)
        viewer, options = self.viewer, self.options
        part, seen = cube, region
        if region is not None:
            seen = self.around.grown(region, cube.spatial_shape[-2:])  # so that the part equals that of the whole
            part = cube[(*(slice(None) for _ in frame.spatial[:-2]), *(slice(*span) for span in seen))]
        return JobSpec(
            frame.name,
            prepare=lambda: self._prepared(part, options),
            load=lambda folder, stopped: cut_out(read_outcome(folder, card, stopped=stopped), region, seen),
            show=lambda outcome: show_outcome(viewer, outcome, applied, frame),
            unit="tiles" if cube.is_image else "spectra",
        )

    def on_file(self, path: Path, out: Path) -> JobSpec:
        """Return the job for a file, whose result is a file."""
        options = self.options
        return JobSpec(
            path.name,
            prepare=lambda: self._prepared(path, options, out),
            load=lambda _, stopped: _without_remains(out) if stopped else written_row(path, out),
            show=lambda row: self._listed(row, out),
            unit="tiles",
        )

    def _listed(self, row: Row, out: Path) -> str:
        self.rows(row)
        return f"written to {out}"

    def _prepared(self, source: Cube | Path, options: PredictOptions, out: Path | None = None) -> Job:
        gone = next((path for path in self.files if not path.is_file()), None)
        if gone is not None:
            raise FileNotFoundError(f"{gone} no longer exists; choose another model")
        if options.applicability and not self._comparable(source):
            options = replace(options, applicability=None)
        return prepare_prediction(self.model, source, options, out=out)

    def _comparable(self, source: Cube | Path) -> bool:
        """Whether spectra are known to lie on the axis of the training data; a model for any axis is applied to others, too."""
        if self.trained is None or not self.trained.experiment.any_axis:
            return True
        return isinstance(source, Cube) and self.trained.axis.mismatch(source.axis) is None


def written_row(path: Path, out: Path) -> Row:
    """Return the row of a file in the table of results, from the files that were written."""
    shares, distances = (out.with_name(f"{out.stem}-{name}.zarr") for name in ("probabilities", "applicability"))
    values = of_labels(read_labels(out), read(shares)) if shares.exists() and holds_labels(out) else of_cube(read(out))
    if distances.exists():
        values |= unlike(read(distances).numpy())
    return row_of(path, out, **values)


def _without_remains(out: Path) -> None:
    """Remove the incomplete file of a process that was killed."""
    clean(out)


def mending(viewer: Viewer, layer: Image, step: Step, then: Callable[[Image], None]) -> JobSpec:
    """Return the job that resamples a layer to a model's axis, as a new layer, which is passed to `then`."""
    frame, cube = LayerFrame.of(layer), as_cube(layer)
    done = "cropped" if step.kind == "crop" else "resampled"

    def show(brought: Cube) -> str:
        latest = frame.now(viewer)
        made = add_above(viewer, brought, latest, f"{latest.name} · {done}")
        made.metadata[PREPARED] = {"source": latest.name}
        then(made)
        return f"layer {made.name!r}was added and chosen"

    return JobSpec(
        frame.name,
        prepare=lambda: prepare_preprocessing([step], cube),
        load=lambda folder, stopped: None if stopped else loaded(folder / "result.zarr"),
        show=show,
    )


def on_axis(card: ModelCard, axis: SpectralAxis) -> ModelCard:
    """Return the card of a model that fits any axis, for a source on `axis`."""
    return replace(card, axis=axis, truth_axis=axis) if card.experiment.any_axis else card
