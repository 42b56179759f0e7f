"""The Maps dock: what is in each pixel, shown for the spectrum under the cursor and made for the whole layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from magicgui.widgets import CheckBox
from napari.layers import Image
from napari.viewer import Viewer
from pydantic import ValidationError

from napari_spectrai.cube import Cube
from napari_spectrai.mapping import MapKind, Maps, kinds
from napari_spectrai.spec import Problem, problems
from napari_spectrai.units import axis_title
from napari_spectrai.widgets import shared_range
from napari_spectrai.widgets.arrangement import holder_of
from napari_spectrai.widgets.dock import message, rows, say, text
from napari_spectrai.widgets.jobs import guard
from napari_spectrai.widgets.latest_only import LatestOnly
from napari_spectrai.widgets.layer_choice import LayerChoice
from napari_spectrai.widgets.layer_dock import LayerDock
from napari_spectrai.widgets.layer_frame import LayerFrame
from napari_spectrai.widgets.layer_words import nothing_chosen, unsuitable
from napari_spectrai.widgets.layers import as_cube, likely_source, pixel_at, turned
from napari_spectrai.widgets.maps_dock.band_preview import BandPreview
from napari_spectrai.widgets.maps_dock.band_ranges import BandRanges
from napari_spectrai.widgets.maps_dock.live_view import Inspector, Look
from napari_spectrai.widgets.maps_dock.look_view import LookView
from napari_spectrai.widgets.maps_dock.map_form import GIVEN, MapForm
from napari_spectrai.widgets.maps_dock.map_layers import add_maps
from napari_spectrai.widgets.maps_dock.references import ReferenceChoice
from napari_spectrai.widgets.maps_dock.result_view import ResultView
from napari_spectrai.widgets.maps_dock.work import Cancelled, MapWork
from napari_spectrai.widgets.spectra_dock.region_means import Watch

SAMPLE = "Cartilage Raman map"
MISSING = "Choose where the reference spectra come from: painted regions, points, a layer of spectra, or files."


class MapsDock(LayerDock):
    """Make maps of a layer: bands, fitted peaks, components, abundances of given spectra, library matches.

    From a script: set ``dock.layer`` and ``dock.settings = {"kind": "peaks", "low": 950, "high": 1050}``, call ``dock.start()``; the maps
    are added as layers, and ``dock.result`` holds them.
    """

    def __init__(self, napari_viewer: Viewer) -> None:
        self._viewer = napari_viewer
        self._place: tuple[int, ...] | None = None
        self._inspector: Inspector | None = None
        self._asked = 0
        self._frame: LayerFrame | None = None
        self._mapped: LayerFrame | None = None
        """Of the layer whose maps are being computed, which may be removed meanwhile."""
        self._has_started = False
        super().__init__("Maps")

    def _parts(self) -> Iterator[Sequence[Any]]:
        viewer = self._viewer
        self._layer = LayerChoice(viewer, self._layers, label="Layer", name="layer_choice", tooltip="the layer that is mapped")
        self._about = text("about")
        self.form = MapForm()
        yield [rows(self._layer), self._about, self.form]
        self.ranges = BandRanges(self.form)
        self.references = ReferenceChoice(viewer, lambda: self.layer)
        yield [self.ranges, self.references]
        self._shown = shown = LookView(viewer)
        self._follow = CheckBox(value=True, text="Show the map while dragging", name="follow", tooltip="a preview layer follows the range")
        self._plot, self._fit, self._note = shown.spectrum, shown.fit, shown.note
        yield [self._plot, self._follow, self._fit, self._note]
        self._remarks, self._similar, self._problem = shown.remarks, shown.similar, message()
        self.work = MapWork()
        self.leaving.callback(self.work.leave)
        yield [shown.scree, self._remarks, self._similar, self._problem, self.work]
        self.view = ResultView(viewer)
        yield [self.view]
        self.pin(self.work)
        self._live = LatestOnly(self.column)
        self._live.answered.connect(self._on_look)
        self._live.failed.connect(self._on_look_failed)
        self._preview = BandPreview(viewer, self.column)
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
        self._layer.changed.connect(self._on_layer)
        self.form.edited.connect(self._check)
        self.references.edited.connect(self._check)
        self.references.repainted.connect(self._on_repainted)
        self._follow.changed.connect(self._show_band)
        shared_range.dragged.connect(self._on_shared)
        self.work.start.changed.connect(self.start)
        self.work.done.connect(self._on_done)
        self.work.failed.connect(self._on_failed)
        self.leaving.callback(self._leave)

    @property
    def occupied(self) -> bool:
        """Whether work goes on whose result becomes a layer."""
        return self.work.busy

    @property
    def computing(self) -> str:
        """What is computed in this process, in words."""
        return "Maps are" if self.work.busy else ""

    def _leave(self) -> None:
        self._live.leave()
        self._preview.leave()
        self.references.leave()
        self._data.follow(None)
        turned.turned.disconnect(self._on_layer, missing_ok=True)
        shared_range.dragged.disconnect(self._on_shared, missing_ok=True)
        for event in self._layer_events:
            event.disconnect(self._on_layers)
        if self._on_mouse in self._viewer.mouse_move_callbacks:
            self._viewer.mouse_move_callbacks.remove(self._on_mouse)

    # ---------------------------------------------------------------- choices

    @property
    def settings(self) -> dict[str, Any]:
        """The kind of map and its settings, without references; these are in ``dock.references``."""
        return self.form.read()

    @settings.setter
    def settings(self, values: dict[str, Any]) -> None:
        self.form.fill(values)
        self._check()

    @property
    def result(self) -> Maps | None:
        """The latest result."""
        return self.view.result

    @property
    def problem(self) -> str:
        """What is wrong, in words."""
        return str(self._problem.value)

    def _on_layers(self, _: Any = None) -> None:
        self._layer.reset_choices()
        self.references.reset_choices()
        if not self._has_started:
            self._layer.choose(likely_source(self._layers()))
            self._on_layer()
        elif self.layer is None:
            self._on_layer()

    def _on_data(self, _: Any = None) -> None:
        self._layer.reset_choices()  # data without spectra are not offered
        self._on_layer()

    def _on_layer(self, _: Any = None) -> None:
        layer = self.layer
        self._data.follow(layer)
        self._has_started = self._has_started or layer is not None
        self._preview.forget()
        self._frame = None if layer is None else LayerFrame.of(layer)
        self._place = None
        self._inspector = None
        self._plot.clear_curves()
        if layer is None:
            self._about.value = nothing_chosen(self._viewer, self._layer, SAMPLE)
        else:
            cube = as_cube(layer)
            self._about.value = f"{' × '.join(map(str, cube.spatial_shape))} spectra, {cube.axis.describe()}"
            for plot in (self._plot, self._fit):
                plot.titles(x=axis_title(cube.axis, cube.metadata))
            self.form.axis = cube.axis
        self._check()

    # ---------------------------------------------------------------- settings

    def _reader(self) -> tuple[Callable[[], tuple[Cube, MapKind]] | None, list[Problem]]:
        """Return what gives cube and kind on a thread (references may be read from files), or what is wrong."""
        layer = self.layer
        if layer is None:
            return None, []
        values, cube = self.form.read(), as_cube(layer)
        given = self.references.read() if self.form.wants_references else None
        if self.form.wants_references and given is None:
            return None, [Problem(GIVEN, MISSING)]
        try:
            kind = kinds.parse(values | ({GIVEN: cube} if given else {}))
        except ValidationError as error:
            return None, problems(error)
        except ValueError as error:
            return None, [Problem("", str(error))]

        def read() -> tuple[Cube, MapKind]:
            if given is None:
                return cube, kind
            return cube, kinds.parse(values | {GIVEN: given(cube)})

        return read, []

    def _check(self, _: Any = None) -> None:
        """Say what is wrong at its field, draw the range, and look at the spectrum again."""
        self.references.visible = self.form.wants_references
        self._follow.visible = self.form.kind.value == "band"
        self._shown.begin()
        self.ranges.show_ranges()
        self._plot.axis_tools.shade(self.ranges.others())
        read, found = self._reader()
        self.form.show_problems(found)
        asked = unsuitable(self.layer)
        say(self._problem, asked or next((problem.message for problem in found if problem.path == GIVEN), ""))
        say(self._remarks, "")
        self.work.start.enabled = read is not None and not asked and not self.work.busy
        wrong = self._problem.value or next((str(problem) for problem in found), "")
        self.because("" if self.work.start.enabled or self.work.busy else wrong or self._about.value)
        self._draw_range()
        if read is None or asked:
            self._inspector = None
            self._asked += 1
            self._preview.remove()
            self._shown.clear_fits()
            return
        self._look_again(read)
        self._show_band()

    def _look_again(self, read: Callable[[], tuple[Cube, MapKind]]) -> None:
        """Make the settings ready for single spectra, and look at the one under the cursor."""
        self._inspector = None
        self._asked += 1
        number, place = self._asked, self._place
        self._live.ask(lambda: (number, inspector := Inspector.of(*read()), place, inspector.at(place)))

    def _on_repainted(self) -> None:
        """Follow references that somebody paints; what is shown of them stays until the new look is there."""
        read, _ = self._reader()
        if read is None or self._problem.value or not self.form.wants_references:
            self._check()
        else:
            self._look_again(read)

    def _draw_range(self) -> None:
        values = self.form.read()
        low, high = values.get("low"), values.get("high")
        shown = self.layer is not None and self.form.has_range and all(isinstance(limit, int | float) for limit in (low, high))
        self._plot.axis_tools.range(*((low, high) if shown else (None, None)), self._on_dragged, self._on_dragging)

    def _on_dragging(self, low: float, high: float) -> None:
        """Follow the range while it is dragged; the fields follow, too, and everything else when it is let go."""
        self.form.fill_range(low, high)
        self._show_band()

    def _on_dragged(self, low: float, high: float) -> None:
        self.form.fill_range(low, high)
        self._check()

    def _on_shared(self, layer: Image, low: float, high: float, ended: bool) -> None:  # noqa: FBT001  # a signal's
        """Follow a range that is dragged in the Spectra dock."""
        if layer is not self.layer or self.form.kind.value != "band":
            return
        self.form.fill_range(low, high)
        self._draw_range()
        if ended:
            self._check()
        else:
            self._show_band()

    # ---------------------------------------------------------------- the map while dragging

    def _show_band(self, _: Any = None) -> None:
        values = self.form.read()
        wanted = values["kind"] == "band" and bool(self._follow.value) and self._visibility.in_view
        remark = self._preview.follow(values, self._frame, wanted=wanted)
        if remark:
            say(self._remarks, remark)

    def _on_visible(self, visible: bool) -> None:  # noqa: FBT001
        holder, _ = holder_of(self.column)
        if visible:
            self._show_band()
        elif holder is None or holder.isHidden():
            self._preview.remove()
        else:  # behind another tab, for as long as somebody works there
            self._preview.hide()

    # ---------------------------------------------------------------- the spectrum under the cursor

    def _on_mouse(self, _: Any, event: Any) -> None:
        layer, world = self.layer, tuple(event.position)
        if layer is None or len(world) < layer.ndim:
            return
        place = pixel_at(layer, world[-layer.ndim :])
        if place is not None:
            self.look_at(place)

    def look_at(self, place: tuple[int, ...]) -> None:
        """Show the spectrum of a pixel, and what is fitted to it."""
        if place == self._place:
            return
        self._place = place
        inspector, number = self._inspector, self._asked
        if inspector is not None:
            self._live.ask(lambda: (number, inspector, place, inspector.at(place)))

    def _on_look(self, answer: tuple[int, Inspector, tuple[int, ...] | None, Look]) -> None:
        number, inspector, place, look = answer
        if number != self._asked:
            return
        first = self._inspector is None
        self._inspector = inspector
        if first and self.form.begin_at_peak(inspector.mean):
            self._check()
            return
        if first:
            self._shown.show_data(inspector)
        self._shown.show_look(look, place)
        if place != self._place and self._place is not None:  # the cursor moved on while the settings were read
            wanted = self._place
            self._live.ask(lambda: (number, inspector, wanted, inspector.at(wanted)))

    def _on_look_failed(self, error: Exception) -> None:
        self._shown.clear_fits()
        say(self._remarks, "")
        say(self._problem, str(error))
        self.work.start.enabled = False
        self.because(str(error))

    # ---------------------------------------------------------------- work

    def start(self) -> None:
        """Compute the maps of the whole layer on a thread."""
        read, _ = self._reader()
        if not self.work.start.enabled or read is None or self.layer is None:
            return
        say(self._problem, "")
        self._mapped = LayerFrame.of(self.layer)
        guard(self.column)
        self.work.run(read)

    def _on_done(self, cube: Cube, kind: MapKind, result: Maps) -> None:
        frame, self._mapped = self._mapped, None
        self.view.show_result(result, cube.metadata)
        self._preview.remove()
        if frame is not None and cube.is_image:
            self._follow.value = False  # the maps are there; the preview would cover them
            add_maps(self._viewer, result, kind, frame.now(self._viewer))
        self._check()
        self.scroll_to(self.view)

    def _on_failed(self, error: Exception) -> None:
        self._check()
        say(self._problem, "" if isinstance(error, Cancelled) else str(error))
