"""The Predict dock: a model, its card, a layer, and the result beside the source."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from magicgui.types import FileDialogMode
from magicgui.widgets import CheckBox, ComboBox, FileEdit, SpinBox
from napari.layers import Image, Layer
from napari.viewer import Viewer

from napari_spectrai.cube import as_cube
from napari_spectrai.experiment.card import ModelCard, read_card
from napari_spectrai.experiment.networks import networks
from napari_spectrai.experiment.ready import ready_kinds
from napari_spectrai.io import read
from napari_spectrai.runs import all_runs, prepare_prediction
from napari_spectrai.samples import sample_model
from napari_spectrai.widgets.applying import Applying
from napari_spectrai.widgets.dock import Dock, rows, say, text
from napari_spectrai.widgets.form import Fold
from napari_spectrai.widgets.jobs import ends
from napari_spectrai.widgets.layers import likely_source, spectral_layers
from napari_spectrai.widgets.methods import MethodForm, offered


class PredictDock(Dock):
    """Apply a model to a layer, in a process of its own.

    From a script: set ``dock.model`` and ``dock.layer``, call ``dock.start()``; the result is added as a layer.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        viewer = napari_viewer
        self._viewer = viewer
        self._card: ModelCard | None = None
        self._opened: list[Path] = []
        self._last: Image | None = None
        self._trouble = ""
        self._applied: ModelCard | None = None
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
        self._method.changed.connect(self._check)
        self._start.changed.connect(self.start)
        self._applying.ended.connect(self._on_end)
        ends.ended.connect(self.refresh)  # a training that has ended leaves a model
        self.refresh()

    def _build(self) -> None:
        self._models = ComboBox(
            choices=lambda _: self._found,
            nullable=True,
            label="Model",
            name="model_choice",
            tooltip="models of your runs, the bundled one, and methods that need no training",
        )
        self._file = FileEdit(
            mode=FileDialogMode.EXISTING_FILE, filter="*.safetensors", label="or file", name="file", tooltip="a model file"
        )
        self._layer = ComboBox(
            choices=self._layers, nullable=True, label="Layer", name="layer_choice", tooltip="what the model is applied to"
        )
        self._description = text("card")
        self._method = MethodForm()
        self._tile = SpinBox(
            value=0, min=0, max=100_000, label="Tile", name="tile", tooltip="height and width of a tile in pixels; 0: chosen automatically"
        )
        self._device = ComboBox(choices=["auto", "cpu", "cuda", "mps"], label="Device", name="device", tooltip="where to compute")
        self._uncertain = CheckBox(
            value=False, text="Uncertainty", name="uncertainty", tooltip="standard deviation over passes with dropout, as a second layer"
        )
        self._views = CheckBox(
            value=False,
            text="Eight views",
            name="views",
            tooltip="mean over the rotations and reflections of each image: slower, a little better",
        )
        self._applying = Applying(
            self._viewer, "Predict", "apply the model; the source stays as it is", "starting: loading torch and the model …"
        )
        self._start, self._cancel, self._problem = self._applying.start, self._applying.cancel, self._applying.problem
        self._sections = [
            rows(self._models, self._file, self._layer), self._method, self._description,
            Fold("Tiles, device, uncertainty, views", [rows(self._tile, self._device, self._uncertain, self._views)]),
            self._applying,
        ]  # fmt: skip

    def _leave(self) -> None:
        self._applying.gone = True
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
    def model(self) -> Path | str | None:
        """The model file, or the kind of a method that needs no training."""
        chosen = self._models.value
        return chosen if chosen is None or chosen in ready_kinds() else Path(chosen)

    @model.setter
    def model(self, path: str | Path) -> None:
        if path in ready_kinds():
            self._models.value = path
        else:
            self._on_file(Path(path))

    @property
    def layer(self) -> Image | None:
        """The layer it is applied to."""
        return self._layer.value

    @layer.setter
    def layer(self, layer: Image) -> None:
        self._layer.value = layer

    def take(self, layer: Layer) -> None:
        """Choose the layer that the model is applied to."""
        if layer in self._layers():
            self._layer.value = layer

    @property
    def status(self) -> str:
        """The status in words."""
        return str(self._applying.status.value)

    def refresh(self) -> None:
        """List the models there are now."""
        chosen = self._models.value
        found = [(path.stem, path) for path in self._opened]
        found += [(folder.path.name, folder.best) for folder in all_runs()[:50] if folder.best.exists()]
        if sample_model().exists():
            found.append(("Bundled: Raman denoiser", sample_model()))
        # through a function: napari resets the choices of docked widgets whenever a layer comes or goes
        self._found = [*((label, str(path)) for label, path in found), *offered()]
        self._models.reset_choices()
        paths = [value for _, value in self._found]
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
        model = self.model
        self._method.show_kind(model if isinstance(model, str) else "")
        if isinstance(model, str):
            text = inspect.cleandoc(networks[model].__doc__ or "").partition("\n\n")[0]
        elif model is not None:
            try:
                self._card = read_card(model)
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
        elif not trouble:
            trouble = self._against(layer)
        self._views.enabled = self._card is not None and self._card.experiment.looks_around
        say(self._problem, trouble)
        self._start.enabled = not trouble and self._card is not None and not self._applying.busy

    def _against(self, layer: Image) -> str:
        """Return what stands against applying the model to a layer, in words; nothing if it fits."""
        cube = as_cube(layer)
        if self._method.kind:
            try:
                self._card = self._method.card(cube.axis)
            except ValueError as error:
                return str(error)
        assert self._card is not None  # noqa: S101
        difference = self._card.axis.mismatch(cube.axis)
        if self._card.experiment.looks_around and not cube.is_image:
            return f"{layer.name!r} is a set of spectra, and this model looks at images; choose an image."
        if difference and not self._card.experiment.any_axis:
            return (
                f"{layer.name!r} has {difference} (the model: {self._card.axis.describe()}). Bring it onto the model's axis with "
                "preprocess(layer, [Resample.onto(model.axis)]), or choose another layer."
            )
        return ""

    # ---------------------------------------------------------------- work

    def start(self) -> None:
        """Apply the model to the layer."""
        if not self._start.enabled or self.layer is None or self.model is None:
            return
        source, model = self.layer, self.model
        self._applied = self._card
        options = ["--device", self._device.value]
        if self._method.kind:
            options += self._method.arguments()
        if self._tile.value:
            options += ["--tile", str(max(8, self._tile.value))]
        if self._uncertain.value:
            options.append("--uncertainty")
        if self._views.value and self._views.enabled:
            options.append("--views")
        cube = as_cube(source)
        self._applying.run(lambda: prepare_prediction(model, cube, options=options), lambda folder: self._show(folder, source), self.native)

    def cancel(self) -> None:
        """Stop; nothing half-done is shown."""
        self._applying.stop()

    def _on_end(self, how: str) -> None:
        if how != "failed":  # whose words stay
            self._check()

    def _show(self, folder: Path, source: Image) -> str:
        """Add the result, and its uncertainty, beside the source."""
        spread, shares = folder / "result-sd.zarr", folder / "result-probabilities.zarr"
        card = self._applied
        assert card is not None  # noqa: S101
        if spread.exists():
            self._applying.add(spread, source, f"{source.name} · uncertainty", alike=False)
        if card.experiment.task.of_images:
            colours = {one.value: one.colour for one in card.classes if one.colour is not None}
            layer: Any = self._applying.add_classes(folder / "result.zarr", source, f"{source.name} · classes", colours)
            if layer.data.ndim == 2:  # a single image
                (told,) = (one for one in card.classes if one.value == layer.data.flat[0])
                return f"done: {told.name} ({float(read(shares).numpy().max()):.0%})"
        elif card.classes:
            self._applying.add(shares, source, f"{source.name} · probabilities", alike=False).visible = False
            colours = {one.value: one.colour for one in card.classes if one.colour is not None}
            layer = self._applying.add_classes(folder / "result.zarr", source, f"{source.name} · classes", colours)
        else:
            done = {"denoising": "denoised", "calibration": "calibrated"}.get(card.experiment.task.kind)
            done = done or f"{card.experiment.task.enlarges} × enlarged"
            layer = self._applying.add(folder / "result.zarr", source, f"{source.name} · {done}")
        return f"done: layer {layer.name!r}"
