"""The Predict dock: a model, its card, a layer, and the result beside the source."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, ProgressBar, PushButton, SpinBox
from napari.layers import Image
from napari.qt.threading import thread_worker
from napari.viewer import Viewer

from napari_spectrai.cube import as_cube
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.io import read
from napari_spectrai.runs import Event, Failed, Finished, Job, Progress, all_runs, prepare_prediction
from napari_spectrai.samples import sample_model
from napari_spectrai.widgets.dock import Dock, line, message, rows, say, text
from napari_spectrai.widgets.form import Fold
from napari_spectrai.widgets.jobs import Follower, ends, guard
from napari_spectrai.widgets.layers import add_cube, likely_source, spectral_layers

IN_MEMORY = 2_000_000_000
"""Results of up to this many bytes are loaded; larger ones stay on disk and are read as they are looked at."""


class PredictDock(Dock):
    """Apply a model to a layer, in a process of its own.

    From a script: set ``dock.model`` and ``dock.layer``, call ``dock.start()``; the result is added as a layer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        viewer = napari_viewer
        self._viewer = viewer
        self._follower: Follower | None = None
        self._source: Image | None = None
        self._card: ModelCard | None = None
        self._opened: list[Path] = []
        self._last: Image | None = None
        self._trouble, self._busy, self._gone = "", False, False
        self._found: list[tuple[str, str]] = []
        self._build()
        super().__init__("Predict", self._sections)
        layers = viewer.layers.events
        for event in (layers.inserted, layers.removed):
            event.connect(self._on_layers)
        layers.renamed.connect(self._on_renamed)
        self.native.destroyed.connect(self._leave)
        self._models.changed.connect(self._on_model)
        self._file.changed.connect(self._on_file)
        self._layer.changed.connect(self._check)
        self._start.changed.connect(self.start)
        self._cancel.changed.connect(self.cancel)
        ends.ended.connect(self.refresh)  # a training that has ended leaves a model
        self.refresh()

    def _build(self) -> None:
        self._models = ComboBox(
            choices=lambda _: self._found,
            nullable=True,
            label="Model",
            name="model_choice",
            tooltip="models of your runs, and the bundled one",
        )
        self._file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, filter="*.safetensors", label="or file", name="file", tooltip="a model file"
        )
        self._layer = ComboBox(
            choices=self._layers, nullable=True, label="Layer", name="layer_choice", tooltip="what the model is applied to"
        )
        self._description = text("card")
        self._problem = message()
        self._tile = SpinBox(
            value=0, min=0, max=100_000, label="Tile", name="tile", tooltip="height and width of a tile in pixels; 0: chosen automatically"
        )
        self._device = ComboBox(choices=["auto", "cpu", "cuda", "mps"], label="Device", name="device", tooltip="where to compute")
        self._uncertain = CheckBox(
            value=False, text="Uncertainty", name="uncertainty", tooltip="standard deviation over passes with dropout, as a second layer"
        )
        self._start = PushButton(text="Predict", name="start", enabled=False, tooltip="apply the model; the source stays as it is")
        self._cancel = PushButton(text="Cancel", name="cancel", enabled=False, tooltip="stop; nothing half-done is shown")
        self._bar = ProgressBar(value=0, max=1, name="progress", visible=False)
        self._status = text("status")
        self._sections = [
            rows(self._models, self._file, self._layer), self._description,
            Fold("Tiles, device, uncertainty", [rows(self._tile, self._device, self._uncertain)]),
            self._problem, line(self._start, self._cancel), self._bar, self._status,
        ]  # fmt: skip

    def _leave(self) -> None:
        self._gone = True
        layers = self._viewer.layers.events
        for event, slot in ((layers.inserted, self._on_layers), (layers.removed, self._on_layers), (layers.renamed, self._on_renamed)):
            event.disconnect(slot)
        ends.ended.disconnect(self.refresh, missing_ok=True)

    def _on_renamed(self, _: Any = None) -> None:
        """Choose again what was chosen: napari makes the list anew, and forgets."""
        self._layer.reset_choices()
        if self._last is not None and self._last in self._viewer.layers:
            self._layer.value = self._last

    def _layers(self, _: Any = None) -> list[Image]:
        return spectral_layers(self._viewer)

    # ---------------------------------------------------------------- choices

    @property
    def model(self) -> Path | None:
        """The model file."""
        return None if self._models.value is None else Path(self._models.value)

    @model.setter
    def model(self, path: str | Path) -> None:
        self._on_file(Path(path))

    @property
    def layer(self) -> Image | None:
        """The layer it is applied to."""
        return self._layer.value

    @layer.setter
    def layer(self, layer: Image) -> None:
        self._layer.value = layer

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._status.value)

    def refresh(self) -> None:
        """List the models there are now."""
        chosen = self._models.value
        found = [(path.stem, path) for path in self._opened]
        found += [(folder.path.name, folder.best) for folder in all_runs()[:50] if folder.best.exists()]
        if sample_model().exists():
            found.append(("Bundled: Raman denoiser", sample_model()))
        # through a function: napari resets the choices of docked widgets whenever a layer comes or goes
        self._found = [(label, str(path)) for label, path in found]
        self._models.reset_choices()
        paths = [str(path) for _, path in found]
        self._models.value = chosen if chosen in paths else next(iter(paths), None)
        self._on_layers()
        self._on_model()

    def _on_layers(self, _: Any = None) -> None:
        self._layer.reset_choices()
        if self._layer.value is None or "truth" in self._layer.value.name.lower():
            self._layer.value = likely_source(self._layers())
        self._check()

    def _on_file(self, path: Path) -> None:
        path = Path(path)
        if not path.is_file():
            return
        try:
            read_card(path)
        except (ValueError, OSError) as error:
            say(self._problem, str(error))
            return
        self._opened = [path, *(p for p in self._opened if p != path)]
        self.refresh()
        self._models.value = str(path)

    def _on_model(self, _: Any = None) -> None:
        self._card = None
        text, trouble = "", ""
        if self.model is not None:
            try:
                self._card = read_card(self.model)
                rows = "".join(
                    f"<tr><td style='padding-right:8px;'><b>{label}</b></td><td>{words}</td></tr>" for label, words in self._card.lines()
                )
                text = f"<table>{rows}</table>"
            except (ValueError, OSError) as error:
                trouble = str(error)
        self._description.value = text
        self._trouble = trouble
        self._check()

    def _check(self, _: Any = None) -> None:
        layer, trouble = self.layer, self._trouble
        self._last = layer or self._last
        if self.model is None:
            trouble = trouble or "Train a model in the Train dock, or choose a model file."
        elif layer is None:
            trouble = trouble or "Open a hypercube, or try File ▸ Open Sample ▸ napari-spectrai ▸ Raman pairs."
        elif self._card is not None:
            difference = self._card.axis.mismatch(as_cube(layer).axis)
            if difference:
                trouble = (
                    f"{layer.name!r} has {difference} (the model: {self._card.axis.describe()}). Bring it onto the model's axis with "
                    "preprocess(layer, [Resample.onto(model.axis)]), or choose another layer."
                )
        say(self._problem, trouble)
        self._start.enabled = not trouble and self._card is not None and not self._busy

    # ---------------------------------------------------------------- work

    def start(self) -> None:
        """Apply the model to the layer."""
        if not self._start.enabled or self.layer is None or self.model is None:
            return
        self._source = self.layer
        self._busy = True
        self._start.enabled = False
        self._status.value = "copying data …"
        options = ["--device", self._device.value]
        if self._tile.value:
            options += ["--tile", str(max(8, self._tile.value))]
        if self._uncertain.value:
            options.append("--uncertainty")
        worker = thread_worker(prepare_prediction)(self.model, as_cube(self.layer), options=options)
        worker.returned.connect(self._started)
        worker.errored.connect(lambda error: self._ended(Failed(str(error))))
        worker.start()

    def _started(self, job: Job) -> None:
        if self._gone:  # the dock was closed while the data were copied
            return
        guard(self.native)
        job.start()
        self._status.value = "starting: loading torch and the model …"
        self._cancel.enabled = True
        self._bar.visible = True
        self._bar.max, self._bar.value = 1, 0
        self._follower = Follower(job, self.native)
        self._follower.told.connect(self._on_events)
        self._follower.ended.connect(self._ended)
        self._follower.start()

    def _on_events(self, events: list[Event]) -> None:
        event = events[-1]
        if isinstance(event, Progress):
            self._bar.max, self._bar.value = event.total, event.done
            self._status.value = f"{event.done} of {event.total}"

    def cancel(self) -> None:
        """Stop; nothing half-done is shown."""
        if self._follower is not None:
            self._follower.stop()
            self._status.value = "stopping …"

    def _ended(self, ending: Any) -> None:
        follower, self._follower, self._busy = self._follower, None, False
        self._cancel.enabled = self._bar.visible = False
        if isinstance(ending, Failed):
            self._status.value = "failed"
            say(self._problem, ending.message)
            self._start.enabled = True
        elif isinstance(ending, Finished) and ending.reason == "done" and follower is not None:
            self._show(follower.job.folder.path)
            self._check()
        else:
            self._status.value = "cancelled"
            self._check()
        if follower is not None and not isinstance(ending, Failed):
            shutil.rmtree(follower.job.folder.data, ignore_errors=True)

    def _show(self, folder: Path) -> None:
        """Add the result, and its uncertainty, beside the source."""
        source = self._source
        for file in (folder / "result-sd.zarr", folder / "result.zarr"):
            if not file.exists():
                continue
            cube = read(file)
            if cube.data.nbytes <= IN_MEMORY:
                cube = cube.with_data(cube.data.compute(), name=cube.name)
                shutil.rmtree(file)
            base = source.name if source is not None else cube.name
            name = f"{base} · {'uncertainty' if file.stem.endswith('sd') else 'denoised'}"
            layer = add_cube(self._viewer, cube, name=name)
            if source is not None and source in self._viewer.layers:
                layer.colormap = source.colormap.name
                if layer.ndim == source.ndim:
                    layer.scale, layer.translate = source.scale, source.translate
                    layer.units = source.units
                if not file.stem.endswith("sd"):
                    layer.contrast_limits = source.contrast_limits
                self._viewer.layers.move(self._viewer.layers.index(layer), self._viewer.layers.index(source) + 1)
            self._status.value = f"done: layer {layer.name!r}"
