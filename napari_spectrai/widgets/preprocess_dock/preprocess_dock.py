"""The Preprocess dock: an ordered list of steps, the spectrum before and after them, and the result as a new layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from magicgui.widgets import Label
from napari.viewer import Viewer

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.preparation import Step, load_steps, read_steps, save_steps, steps
from napari_spectrai.runs import prepare_preprocessing
from napari_spectrai.runs.last_steps import remember_steps
from napari_spectrai.spec import SettingsError
from napari_spectrai.widgets.dock import line, message, open_in_turns, say, text
from napari_spectrai.widgets.elided_choice import dress
from napari_spectrai.widgets.form import late_form
from napari_spectrai.widgets.job_queue import JobQueue
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layer_choice import PREPARED, LayerChoice
from napari_spectrai.widgets.layer_dock import LayerDock
from napari_spectrai.widgets.layer_frame import LayerFrame, add_above
from napari_spectrai.widgets.layer_words import nothing_chosen, unsuitable
from napari_spectrai.widgets.layers import as_cube, likely_source, spectral_position, turned
from napari_spectrai.widgets.preprocess_dock.before_after import BeforeAfter
from napari_spectrai.widgets.preprocess_dock.chain_tools import ChainTools, ReadyChoice
from napari_spectrai.widgets.preprocess_dock.found_in_steps import FoundInSteps
from napari_spectrai.widgets.preprocess_dock.spectrum_preview import Effect, SpectrumPreview
from napari_spectrai.widgets.preprocess_dock.step_scroll import Heights, StepScroll
from napari_spectrai.widgets.spectra_dock.region_means import Watch
from napari_spectrai.widgets.step_list import OrderedForm

SAMPLE = "Cartilage Raman map"


class PreprocessDock(LayerDock):
    """Preprocess a layer step by step.

    From a script: set ``dock.steps`` and ``dock.layer``, then call ``dock.start()``; the result is added as a layer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._place: tuple[int, ...] | None = None
        self._preview: SpectrumPreview | None = None
        super().__init__("Preprocess")

    def _parts(self) -> Iterator[Sequence[Any]]:
        self._layer = LayerChoice(self._viewer, self._layers, name="layer_choice", tooltip="the layer to preprocess")
        self._has_chosen = False
        self._about = text("about")
        self._form = OrderedForm(steps, [], late_form, own_choice=False, further=self._resampling)
        self._ready = ReadyChoice(lambda: self._form.axis)
        self._scroll = StepScroll(self._form)
        dress(self._layer)
        self._layer.native.setAccessibleName("Layer")
        top = line(Label(value="Layer"), self._layer, self._ready.choice)
        for number in (1, 2):
            top.native.layout().setStretch(number, 1)
        yield [top, self._about, self._scroll]
        self._tools, self._problem = ChainTools(self._form), message()
        yield [self._tools, self._problem]
        self._effect = BeforeAfter(self._viewer)
        self._plot, self._after, self._note = self._effect.before, self._effect.after, self._effect.note
        yield [self._effect]
        self._applying = JobQueue(self._viewer, "Apply to new layer", "preprocess the layer; the source stays unchanged", "starting …")
        yield [self._applying]
        self.pin(self._applying.steering)
        self.pack(4)  # list and plots share what is left
        self._tools.bind_keys(self.column)
        self._heights = Heights(self.column, self._scroll, self._effect, self._about)
        self.column.on_resize = self._heights.fit
        self._latest = LatestOnly(self.column)
        self._latest.answered.connect(self._on_preview)
        self._latest.failed.connect(self._on_preview_failed)
        self._findings = FoundInSteps(self._viewer, self.column, self._form, self.look_at, self._mark)
        self._connect()
        yield []
        self._on_layers()

    def _connect(self) -> None:
        layers = self._viewer.layers.events
        self._layer_events = [layers.inserted, layers.removed, layers.renamed]
        for event in self._layer_events:
            event.connect(self._on_layers)
        self._viewer.mouse_move_callbacks.append(self._on_mouse)
        turned.turned.connect(self._on_layer)
        self._data = Watch(self._on_data)
        self.leaving.callback(self._leave)
        self._layer.changed.connect(self._on_layer)
        self._form.edited.connect(self._check)
        self._ready.chosen.connect(self._form.fill)
        self._ready.reopened.connect(self.open_steps)
        self._tools.load.connect(self.open_steps)
        self._tools.save.connect(self.save_steps)
        self._tools.train.changed.connect(self.hand_to_train)
        self._effect.switched.connect(lambda review, number: review.switch(number))
        self._applying.start.changed.connect(self.start)
        self._applying.ended.connect(lambda how: self._check() if how != "failed" else None)

    @property
    def occupied(self) -> bool:
        """Whether work goes on whose result becomes a layer."""
        return self._applying.busy

    def _leave(self) -> None:
        self._applying.gone = True
        self._latest.leave()
        self._findings.leave()
        self._data.follow(None)
        turned.turned.disconnect(self._on_layer, missing_ok=True)
        for event in self._layer_events:
            event.disconnect(self._on_layers)
        if self._on_mouse in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_mouse)

    # ---------------------------------------------------------------- choices

    def _resampling(self) -> list[tuple[str, dict[str, Any]]]:
        """Return a step for each other layer that resamples to its axis."""
        others = [layer for layer in self._layers() if layer is not self._layer.value and "spectral_axis" in layer.metadata]
        axes = [(str(layer.name), as_cube(layer).axis) for layer in others]
        return [
            (f"Resample onto {name}", {"kind": "resample", "values": axis.values.tolist(), "unit": axis.unit, "method": "linear"})
            for name, axis in axes
        ]

    @property
    def steps(self) -> list[Step]:
        """The enabled steps, in order.

        Raises
        ------
        SettingsError
            If a field has a problem.
        """
        return read_steps(self._form.read())

    @steps.setter
    def steps(self, wanted: Sequence[Step | dict[str, Any] | str]) -> None:
        self._form.fill([steps.parse(step).model_dump(mode="json") for step in wanted])

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._applying.status.value)

    @property
    def form(self) -> OrderedForm:
        """The list of steps."""
        return self._form

    def _on_layers(self, _: Any = None) -> None:
        self._layer.reset_choices()
        if not self._has_chosen:  # before any choice was made, the first suitable layer is the default
            self._layer.value = likely_source(self._layers())
        self._on_layer()

    def _on_data(self, _: Any = None) -> None:
        self._findings.forget()
        self._layer.reset_choices()  # data without spectra are not offered
        self._on_layer()

    def _on_layer(self, _: Any = None) -> None:
        layer = self.layer
        self._data.follow(layer)
        self._form.refresh()
        self._has_chosen = self._has_chosen or layer is not None
        self._ready.choice.enabled = layer is not None  # chains are adapted to its axis
        if layer is None:
            self._place = None
            self._about.value = nothing_chosen(self._viewer, self._layer, SAMPLE)
            self._about.native.setWordWrap(True)  # there is space while there is nothing to draw
            self._form.axis = None
        else:
            cube = as_cube(layer)
            bad = len(cube.metadata.get("bad_bands", ()))
            self._about.native.setWordWrap(False)
            self._about.value = f"{' × '.join(map(str, cube.spatial_shape))} spectra, {cube.axis.describe()}" + (
                f"; {bad} of them are marked as bad in its file" if bad else ""
            )
            self._layer.tooltip = f"the layer to preprocess: {self._about.value}"
            self._form.axis = cube.axis
            if self._place is None or len(self._place) != len(cube.spatial_shape) or not _inside(self._place, cube):
                self._place = tuple(length // 2 for length in cube.spatial_shape)
        self._check()

    def _check(self, _: Any = None) -> None:
        """Show each problem next to its field, and the effect of the steps on one spectrum."""
        found, wanted = [], None
        try:
            wanted = self.steps
        except SettingsError as error:
            found = error.problems
        self._form.show_problems(found)
        asked = unsuitable(self.layer)
        ready = self.layer is not None and wanted is not None and bool(wanted) and not asked
        self._applying.start.enabled = ready and not self._applying.busy
        self._tools.refresh(usable=bool(wanted))
        self._preview = SpectrumPreview(as_cube(self.layer), wanted) if self.layer is not None and wanted is not None else None
        if wanted is not None or asked:
            say(self._problem, asked)
        missing = self._about.value if self.layer is None else "Add a step, or choose a ready chain."
        wrong = asked or next((problem.message for problem in found), missing)
        self.because("" if self._applying.start.enabled or self._applying.busy else wrong)
        self._findings.count(self.layer, wanted)
        self._look()

    # ---------------------------------------------------------------- before and after

    def _mark(self) -> None:
        """Mark what was found in the spectrum that is shown."""
        if self._place is not None:
            self._effect.mark(self._place, self._findings.shown())

    def _on_mouse(self, _: Any, event: Any) -> None:
        layer = self.layer
        world = tuple(event.position)
        if layer is None or len(world) < layer.ndim:
            return
        place = [round(float(c)) for c in layer.world_to_data(world[-layer.ndim :])]
        del place[spectral_position(layer)]
        if _inside(place, as_cube(layer)):
            self.look_at(tuple(place))

    def look_at(self, place: tuple[int, ...]) -> None:
        """Show the spectrum of a pixel, before and after."""
        if place != self._place:
            self._place = place
            self._look()

    def _look(self) -> None:
        preview, place = self._preview, self._place
        if preview is None or place is None:
            self._effect.clear_plots()
            return
        self._effect.wait()
        self._latest.ask(lambda: (preview, place, preview.at(place)))

    def _on_preview(self, answer: tuple[SpectrumPreview, tuple[int, ...], Effect]) -> None:
        preview, place, effect = answer
        if preview is not self._preview:
            return
        moved = f" (without {', '.join(preview.left_out)}, which moves pixels)" if preview.left_out else ""
        self._effect.show_effect(effect, preview.cube, f"pixel {place[0] if len(place) == 1 else place}{moved}")
        self._heights.fit()
        if place == self._place:
            self._mark()
        if unsuitable(self.layer):
            return
        say(
            self._problem,
            "" if np.isfinite(effect.after).any() else "The result contains NaN; add 'Fill missing values' as the first step.",
        )

    def _on_preview_failed(self, error: Exception) -> None:
        say(self._problem, str(error))
        self._effect.fail()
        self._applying.start.enabled = False
        self.because(str(error))

    # ---------------------------------------------------------------- files, Train, jobs

    def open_steps(self, path: str | Path) -> None:
        """Show the steps of a file."""
        try:
            self.steps = load_steps(path)
        except (ValueError, OSError) as error:
            say(self._problem, str(error))

    def save_steps(self, path: str | Path) -> None:
        """Write the enabled steps."""
        try:
            save_steps(self.steps, Path(path).with_suffix(Path(path).suffix or ".yml"))
        except (ValueError, OSError) as error:
            say(self._problem, str(error))

    def hand_to_train(self) -> None:
        """Use these steps as the preparation in the Train dock, which is opened if necessary."""
        experiment = Experiment.from_mapping({"preparation": self._form.read()})

        def hand(train: Any) -> None:
            train.experiment = train.experiment.model_copy(update={"preparation": experiment.preparation})

        open_in_turns(self._viewer, "Train", hand)

    def start(self) -> None:
        """Preprocess the layer in a separate process."""
        if not self._applying.start.enabled or self.layer is None:
            return
        frame, cube, wanted = LayerFrame.of(self.layer), as_cube(self.layer), self.steps
        say(self._applying.problem, "")
        try:
            remember_steps(wanted)
            self._ready.refresh()
        except OSError as error:
            say(self._problem, f"These steps will not be offered as the last ones ({error}).")
        self._applying.run(lambda: prepare_preprocessing(wanted, cube), lambda prepared: self._show(prepared, frame), self.native)

    def cancel(self) -> None:
        """Stop, and discard the unfinished result."""
        self._applying.stop()

    def _show(self, prepared: Cube, frame: LayerFrame) -> str:
        frame = frame.now(self._viewer)
        layer = add_above(self._viewer, prepared, frame, f"{frame.name} · prepared", alike=False)
        layer.metadata[PREPARED] = {"source": frame.name}
        return f"layer {layer.name!r}"


def _inside(place: Sequence[int], cube: Cube) -> bool:
    return all(0 <= c < length for c, length in zip(place, cube.spatial_shape, strict=True))
