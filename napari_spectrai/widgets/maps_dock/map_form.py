"""The form of a kind of map: which kind, its first settings, and the others behind a fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from magicgui.widgets import ComboBox, Container
from psygnal import Signal
from qtpy.QtWidgets import QApplication

from napari_spectrai.mapping import MapKind, kinds
from napari_spectrai.mapping.kind import Doubles, around_peak
from napari_spectrai.spec import Problem
from napari_spectrai.spectral_axis import SpectralAxis
from napari_spectrai.widgets.choices import defaults
from napari_spectrai.widgets.dock import message, rows, say
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.form import SpecForm

ORDER = ("band", "peaks", "components", "unmix", "library")
GIVEN = "references"
"""Name of the setting that the dock asks for by layers and files."""
_RANGE = frozenset({"low", "high"})


class MapForm(Container[Any]):
    """Chooses a kind of map and its settings. Kinds keep their settings while another is shown.

    Signals
    -------
    edited : a setting has changed
    """

    edited = Signal()

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Any]] = {}
        self._at_peak: dict[str, dict[str, Any]] = {}
        """Ranges at peaks, of kinds whose range nobody has chosen."""
        self._axis: SpectralAxis | None = None
        self._forms: list[SpecForm] = []
        self._silent = False
        self.kind = ComboBox(choices=lambda _: self._offered(), value="band", label="What", name="kind", tooltip="what is mapped")
        self.fields = Container[Any](labels=False)
        self.fields.margins = (0, 0, 0, 0)
        self.problem = message()
        super().__init__(widgets=[rows(self.kind), self.fields, self.problem], labels=False)
        self.margins = (0, 0, 0, 0)
        self._shown = "band"
        self._show()
        self.kind.changed.connect(self._on_kind)

    def _offered(self) -> list[tuple[str, str]]:
        ours = [kind for kind in ORDER if kind in kinds]
        return [(kinds[kind].title or kind, kind) for kind in [*ours, *(kind for kind in kinds if kind not in ours)]]

    @property
    def cls(self) -> type[MapKind]:
        """The class of the kind shown."""
        return kinds[self._shown]

    @property
    def wants_references(self) -> bool:
        """Whether the kind needs given spectra."""
        return GIVEN in self.cls.model_fields

    @property
    def has_range(self) -> bool:
        """Whether the kind works on a range that can be dragged."""
        return {"low", "high"} <= set(self.cls.first)

    @property
    def axis(self) -> SpectralAxis | None:
        """The axis of the layer, by which a range begins."""
        return self._axis

    @axis.setter
    def axis(self, axis: SpectralAxis | None) -> None:
        if axis == self._axis:
            return
        self._keep()
        before, self._axis = self._axis, axis
        chosen = {kind: _chosen(kinds[kind], values, before, self._at_peak.pop(kind, {})) for kind, values in self._values.items()}
        self._values = chosen if axis is None else {kind: _moved(kinds[kind], values, axis) for kind, values in chosen.items()}
        self._show()

    def begin_at_peak(self, spectrum: Doubles) -> bool:
        """Let a range that nobody has chosen begin at the most prominent peak of a spectrum; return whether it did.

        Only where peaks are narrow, on an axis in 1/cm, and not while somebody types.
        """
        focus = QApplication.focusWidget()
        typed = focus is not None and self.fields.native.isAncestorOf(focus)
        if typed or not self.has_range or self._axis is None or self._axis.unit != "1/cm":
            return False
        now, started = self._read(), self.cls.start(self._axis)
        if any(name not in started or now[name] != started[name] for name in _RANGE):
            return False
        found = around_peak(self._axis, spectrum)
        if found:
            self._at_peak[self._shown] = found
            self.fill(found)
        return bool(found)

    def _on_kind(self, kind: str) -> None:
        self._keep()
        self._shown = kind
        self._show()
        self.edited.emit()

    def _keep(self) -> None:
        if self._forms:
            self._values[self._shown] = self._read()

    def _show(self) -> None:
        cls = self.cls
        begin = {} if self._axis is None else cls.start(self._axis)
        values = (
            {name: value for name, value in defaults(cls).items() if name not in ("kind", GIVEN)}
            | begin
            | self._values.get(self._shown, {})
        )
        self.kind.tooltip = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
        rest = [name for name in cls.model_fields if name not in (*cls.first, "kind", GIVEN)]
        first = SpecForm(cls, values, skip=[*rest, GIVEN])
        second = SpecForm(cls, values, skip=[*cls.first, GIVEN], late=True)
        self._forms = [first, second]
        self.fields.clear()
        self.fields.append(first)
        if second.has_fields:
            self.fields.append(FoldBox("More settings", [second], key=f"{self._shown}: more settings"))
        for form in self._forms:
            form.changed.connect(self._on_edit)

    def _on_edit(self, _: Any = None) -> None:
        if not self._silent:
            self.edited.emit()

    def _read(self) -> dict[str, Any]:
        return {name: value for form in self._forms for name, value in form.read().items()}

    def read(self) -> dict[str, Any]:
        """Return the kind and its settings, without the references."""
        return {"kind": self._shown, **self._read()}

    def fill(self, values: dict[str, Any]) -> None:
        """Show a kind, or settings of the one shown, without a word to those who listen."""
        values = dict(values)
        kind = values.pop("kind", self._shown)
        if kind != self._shown:
            self._keep()
            self._shown = kind
            with self.kind.changed.blocked():
                self.kind.value = kind
            self._show()
        self._silent = True
        try:
            for form in self._forms:
                form.fill(values)
        finally:
            self._silent = False

    def fill_range(self, low: float, high: float) -> None:
        """Show another range, with as many digits as its axis needs."""
        spread = 1.0 if self._axis is None else float(np.ptp(self._axis.values))
        digits = max(0, 4 - int(np.floor(np.log10(max(spread, 1e-9)))))
        self.fill({"low": round(low, digits), "high": round(high, digits)})

    def show_problems(self, found: Sequence[Problem]) -> None:
        """Say each problem at its field, and the others under the form."""
        rest = list(found)
        for form in self._forms:
            rest = form.show_problems(rest)
        say(self.problem, "; ".join(problem.message for problem in rest if problem.path != GIVEN))


def _chosen(cls: type[MapKind], values: dict[str, Any], axis: SpectralAxis | None, at_peak: dict[str, Any]) -> dict[str, Any]:
    """Return those of some settings that are not what a kind starts with on an axis, or at a peak; a range as a whole."""
    started = defaults(cls) | ({} if axis is None else cls.start(axis)) | at_peak
    chosen = {name: value for name, value in values.items() if value != started.get(name)}
    return {name: value for name, value in values.items() if name in chosen or (name in _RANGE and chosen.keys() & _RANGE)}


def _moved(cls: type[MapKind], values: dict[str, Any], axis: SpectralAxis) -> dict[str, Any]:
    """Return settings whose range begins again where it does not lie on an axis."""
    low, high = values.get("low"), values.get("high")
    given = isinstance(low, int | float) and isinstance(high, int | float)
    if given and low < axis.values.max() and high > axis.values.min():
        return values
    started = cls.start(axis)
    return values | {name: started.get(name) for name in ("low", "high") if name in values}
