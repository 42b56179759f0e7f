"""The Predict dock: a model, its card, its input, and the result next to the source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.experiment.compatibility import another_scale, brought, fit_axis
from napari_spectrai.experiment.obstacles import Onto
from napari_spectrai.widgets.dock import Dock, rows, say, text
from napari_spectrai.widgets.job_queue import JobQueue
from napari_spectrai.widgets.jobs import ends
from napari_spectrai.widgets.layer_words import nothing_chosen, unsuitable
from napari_spectrai.widgets.layers import as_cube, spectral_layers, turned
from napari_spectrai.widgets.predict_dock.before_after import BeforeAfter
from napari_spectrai.widgets.predict_dock.file_list import Looked
from napari_spectrai.widgets.predict_dock.file_table import FileTable
from napari_spectrai.widgets.predict_dock.inputs import FILES, Targets
from napari_spectrai.widgets.predict_dock.model_card import CardView
from napari_spectrai.widgets.predict_dock.model_list import ModelList, as_model, named, shown_name, state_of
from napari_spectrai.widgets.predict_dock.predict_options import PredictOptionsForm
from napari_spectrai.widgets.predict_dock.predict_request import Around, PredictRequest, on_axis
from napari_spectrai.widgets.predict_dock.region_choice import IN_VIEW
from napari_spectrai.widgets.predict_dock.remedy import Remedy
from napari_spectrai.widgets.predict_dock.untrained_methods import MethodForm

_NO_MODEL = "Train a model in the Train dock, or choose a model file."
SAMPLE = "Raman pairs"


class PredictDock(Dock):
    """Apply a model to layers or files, in a separate process.

    From a script: set ``dock.model`` and ``dock.layer`` (or ``dock.layers``, ``dock.files``), call ``dock.start()``; the result is added
    as a layer next to its source, or written as a file for a file.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._card: ModelCard | None = None
        self._trouble = ""
        self._read: tuple[int, int] | None = None
        """The state of the model's file when it was read."""
        self._pairs: list[tuple[Path, Path]] = []
        super().__init__("Predict")

    def _parts(self) -> Iterator[Sequence[Any]]:
        self._models = ModelList()
        self._description = CardView(self._viewer)
        self._method = MethodForm()
        yield [rows(self._models), self._description, self._method]
        self._targets = Targets(self._viewer)
        self._targets.files.live_in(self.column)
        self.leaving.callback(self._targets.leave)
        yield [self._targets]
        self._options = PredictOptionsForm()
        self._note = text("note")
        yield [self._options, self._note]
        self._make_job()
        self.compare = BeforeAfter(self._viewer)
        self.table = FileTable()
        yield [self._applying, self.compare, self.table]
        self.pin(self._applying.steering)
        self._connect()
        yield []
        self.refresh()

    def _make_job(self) -> None:
        self._remedy = Remedy(self._viewer, self._targets, self._check)
        self._applying = JobQueue(
            self._viewer, "Predict", "apply the model; the source stays unchanged", "starting: loading torch and the model …",
            kept="finished tiles are kept", remedies=[self._remedy.button],
        )  # fmt: skip
        self._start, self._cancel, self._problem = self._applying.start, self._applying.cancel, self._applying.problem

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        self._layer_events = [layers.inserted, layers.removed, layers.renamed]
        for event in self._layer_events:
            event.connect(self._on_layers)
        self.leaving.callback(self._leave)
        self._models.chosen.connect(self._on_model)
        self._models.refused.connect(lambda words: say(self._problem, words))
        self._targets.updated.connect(self._check)
        self._method.changed.connect(self._check)
        self._options.updated.connect(self._check)
        self._remedy.button.changed.connect(self.mend)
        self._start.changed.connect(self.start)
        self._applying.ended.connect(self._on_end)
        turned.turned.connect(self._check)
        ends.ended.connect(self.refresh)  # a training that has ended has saved a model

    @property
    def occupied(self) -> bool:
        """Whether work goes on whose result becomes a layer."""
        return self._applying.busy

    def _leave(self) -> None:
        self._applying.gone = True
        for event in self._layer_events:
            event.disconnect(self._on_layers)
        turned.turned.disconnect(self._check, missing_ok=True)
        ends.ended.disconnect(self.refresh, missing_ok=True)

    # ---------------------------------------------------------------- choices

    @property
    def model(self) -> Path | str | None:
        """The model file, or the kind of a method without training."""
        return self._models.model

    @model.setter
    def model(self, path: str | Path) -> None:
        self._models.choose(path)

    @property
    def layer(self) -> Image | None:
        """The layer to apply the model to; the first of several."""
        return next(iter(self._targets.layers), None)

    @layer.setter
    def layer(self, layer: Image) -> None:
        self._targets.take([layer])

    @property
    def layers(self) -> list[Image]:
        """The layers to apply the model to."""
        return self._targets.layers

    @layers.setter
    def layers(self, layers: Sequence[Image]) -> None:
        self._targets.take(layers)

    @property
    def files(self) -> list[Path]:
        """The files to apply the model to; empty if layers are chosen."""
        return self._targets.files.paths if self._targets.what.value == FILES else []

    @files.setter
    def files(self, paths: Sequence[str | Path]) -> None:
        self._targets.what.value = FILES
        self._targets.files.fill(paths)

    def take(self, layer: Layer) -> None:
        """Choose the layer to apply the model to."""
        if layer in spectral_layers(self._viewer):
            self._targets.take([layer])

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._applying.status.value)

    @property
    def problem(self) -> str:
        """What prevents the start, in words."""
        return str(self._problem.value)

    def refresh(self) -> None:
        """Update the lists of models and layers."""
        self._models.refresh()
        self._on_layers()

    def _on_layers(self, _: Any = None) -> None:
        self._targets.refresh()

    def _on_model(self, _: Any = None) -> None:
        self._card, self._trouble, self._remedy.agreed = None, "", frozenset()
        model = self.model
        self._read = state_of(model) if isinstance(model, Path) else None
        self._method.show_kind(model if isinstance(model, str) else "")
        if isinstance(model, Path):
            try:
                self._card = read_card(model)
            except FileNotFoundError:
                self._trouble = f"{model} no longer exists; choose another model."
            except (ValueError, OSError) as error:
                self._trouble = str(error)
        self._description.show_card(self._card)
        if isinstance(model, str):
            self._description.show_method(model)
        self._options.offer(self._models.found, model, self._card)
        self._check()

    # ---------------------------------------------------------------- checks

    def _check(self, _: Any = None) -> None:
        """Show what is wrong, offer the remedy, and enable the start if nothing is wrong."""
        self._remedy.begin()
        self._pairs = []
        trouble, note = self._trouble, ""
        if self.model is None:
            gone = self._models.gone
            trouble = trouble or (f"{gone} no longer exists; choose another model." if gone else _NO_MODEL)
        elif not trouble:
            trouble, note = self._against_files() if self._targets.what.value == FILES else (self._against_layers(), "")
            note = note or ("" if trouble or self._targets.what.value == FILES else self._of_another_scale())
        card, layer = self._card, self.layer
        self._options.suit(card)
        of_file = self._targets.what.value == FILES
        axis = self._targets.files.first_axis if of_file else None if layer is None else as_cube(layer).axis
        self._description.show_axes(None if self._method.kind else card, axis, "file" if of_file else "layer")
        if not self._applying.busy:
            say(self._problem, trouble)
        self._note.value, self._note.visible = note, bool(note)
        ready = bool(self._pairs) if self._targets.what.value == FILES else bool(self.layers)
        self._start.enabled = ready and not trouble and card is not None and not self._applying.busy
        self.because("" if self._start.enabled or self._applying.busy else trouble or note or self._targets_wanted())
        self._remedy.show(busy=self._applying.busy)

    def _targets_wanted(self) -> str:
        return "Choose the files to apply the model to." if self._targets.what.value == FILES else "Choose a layer."

    def _against_layers(self) -> str:
        layers = self.layers
        if not layers:
            return nothing_chosen(self._viewer, self._targets.choice, SAMPLE)
        for layer in layers:
            if words := unsuitable(layer):
                return words
            cube = as_cube(layer)
            if self._method.kind:
                try:
                    self._card = self._method.card(cube.axis)
                except ValueError as error:
                    return str(error)
            assert self._card is not None  # noqa: S101
            found = self._options.obstacles(self._name, self._card, Onto(str(layer.name), cube.axis, cube.is_image))
            if found:
                if found[0].step is not None:
                    self._remedy.layer = (layer, found[0].step)
                return found[0].words
            if self._targets.region.choice.value != IN_VIEW:  # no signal announces a change of the view; it is read at the start
                try:
                    self._targets.region.of(layer)
                except ValueError as error:
                    return str(error)
        return ""

    def _of_another_scale(self) -> str:
        """Return a warning about layers in memory whose intensities differ by a factor from those of the training data."""
        card = self._card
        cubes = [] if card is None else [cube for layer in self.layers if isinstance((cube := as_cube(layer)).data, np.ndarray)]
        words = [another_scale(card, brought(cube, card, fit_axis(card, cube.axis, cube.name))) for cube in cubes if card is not None]
        return " ".join(filter(None, words))

    @property
    def _name(self) -> str:
        """What a person calls the model that is chosen."""
        return "" if self.model is None else named(str(self.model))

    def _against_files(self) -> tuple[str, str]:
        if self._method.kind:
            first = self._targets.files.first_axis
            if first is not None:
                try:
                    self._card = self._method.card(first)
                except ValueError as error:
                    return str(error), ""
        card, name = self._card, self._name

        def against(one: Looked) -> str:
            assert one.axis is not None  # noqa: S101
            onto = Onto(one.path.name, one.axis, one.is_image)
            found = [] if card is None else self._options.obstacles(name, card, onto, resample=one.path in self._remedy.agreed)
            if found and found[0].step is not None:
                self._remedy.files.append(one.path)
            return found[0].words if found else ""

        self._pairs, trouble, note = self._targets.files.ready(name, against)
        return trouble, note

    # ---------------------------------------------------------------- jobs

    def start(self) -> None:
        """Apply the model to the chosen layers or files, one after the other."""
        self._check()  # the data of the layer may have changed
        if isinstance(self.model, Path) and state_of(self.model) != self._read:
            self._on_model()  # its file is another one now
        if not self._start.enabled:
            return
        order = self._order()
        if self._targets.what.value == FILES:
            self.table.clear_rows()
            works = [order.on_file(path, out) for path, out in self._pairs]
            self._targets.files.made.update(out for _, out in self._pairs)
        else:
            try:
                works = [order.on_layer(layer, self._targets.region.of(layer)) for layer in self.layers]
            except ValueError as error:
                say(self._problem, str(error))
                return
        self._applying.run_all(works, self.native)
        self._remedy.button.enabled = False

    def _order(self) -> PredictRequest:
        model, card, options = self.model, self._card, self._options
        assert model is not None  # noqa: S101
        assert card is not None  # noqa: S101
        first = card
        asked, settings, name = options.chosen(), options.settings(), shown_name(model, card)
        if self._method.kind:
            asked, settings = self._method.added_to(asked), settings | self._method.settings()
        if self._remedy.agreed and self._targets.what.value == FILES:
            asked, settings = replace(asked, resample=True), settings | {"resample": True}
        if options.ensemble.ticked:
            name = f"{name} and {len(options.ensemble.ticked)} more"
        follower = options.follower(card.truth_axis)
        if follower is not None:
            name, card = f"{name}, {named(options.then.value)}", follower
        models = [as_model(value) for value in (str(model), *options.ensemble.ticked, options.then.value or None)]
        files = [one for one in models if isinstance(one, Path)]
        around = Around.of([options.smoothed(first), *options.averaged_with], follower)
        return PredictRequest(
            self._viewer, model, name, lambda axis: on_axis(card, axis), asked, settings, files, around, self.table.add, trained=first
        )

    def mend(self) -> None:
        """Resample the layer that does not fit to the model's axis, as a new layer, and choose that; for files, agree to resample them."""
        self._remedy.apply(self._applying, self.native)

    def cancel(self) -> None:
        """Stop; finished tiles are kept."""
        self._applying.stop()

    def _on_end(self, _: str) -> None:
        self.compare.follow()
        self._check()
        self.scroll_to(self._applying)
