"""An ordered list of specs: add, remove, move, switch off, and edit the settings of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Container, PushButton
from psygnal import Signal

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.spec import Named, Problem, Registry
from napari_spectrai.widgets.choices import Choices, defaults, not_offered
from napari_spectrai.widgets.dock import line, message, say


def _button(text: str, tooltip: str) -> PushButton:
    made = PushButton(text=text, tooltip=tooltip)
    made.native.setFixedWidth(28)
    made.native.setStyleSheet("padding: 2px 0px;")
    made.native.setAccessibleName(tooltip)
    return made


class Item(Container[Any]):
    """One spec: its name with a switch, its settings in a fold, and buttons to move and remove it."""

    def __init__(self, cls: type[Named], value: dict[str, Any], form: Any, *, on: bool = True, open_: bool = False) -> None:
        self.kind = str(value["kind"])
        self.on = CheckBox(value=on, text=cls.title or self.kind, tooltip=(cls.__doc__ or "").split("\n\n")[0])
        self.up, self.down = _button("▲", "move up"), _button("▼", "move down")
        self.unfold, self.remove_button = _button("▾", "settings"), _button("✕", "remove")
        self.form = form
        self.form.margins = (20, 0, 0, 0)
        self.problem = message()
        self.extra: Container[Any] = Container(labels=False)
        """Shown under the name, also while the settings are folded: space for messages of a dock about this entry."""
        self.extra.margins = (0, 0, 0, 0)
        self.extra.visible = False
        heading = line(self.on, self.up, self.down, self.unfold, self.remove_button)
        heading.native.layout().setStretch(0, 1)
        super().__init__(widgets=[heading, self.extra, self.form, self.problem], labels=False)
        self.margins = (0, 0, 0, 0)
        self.form.visible = open_
        self.unfold.enabled = len(self.form) > 0
        self.unfold.changed.connect(self.toggle)

    def toggle(self) -> None:
        """Show or hide the settings."""
        self._open(not self.form.visible)

    def _open(self, open_: bool) -> None:  # noqa: FBT001
        self.form.visible = open_
        self.unfold.text = "▴" if open_ else "▾"


class OrderedForm(Container[Any]):
    """Specs of one registry, in an order that matters.

    Parameters
    ----------
    registry : Registry
    value : list of mappings
    make_form : callable
        Returns the form of one spec, from its class and its fields.
    offer : Choices, optional
        Which kinds are offered.
    """

    edited = Signal()

    def __init__(
        self,
        registry: Registry[Any],
        value: Sequence[dict[str, Any]],
        make_form: Callable[[type[Any], dict[str, Any]], Any],
        *,
        offer: Choices | None = None,
    ) -> None:
        self._registry, self._make_form = registry, make_form
        self.axis: SpectralAxis | None = None
        """Properties of the present data: new entries start with settings that fit them."""
        self._items: list[Item] = []
        self._offer = offer
        # through a function: napari resets the choices of docked widgets whenever a layer comes or goes
        self.choice = ComboBox(choices=lambda _: self._offered(), value="", name="add", tooltip=f"add a {registry.what} at the end")
        self._describe()
        super().__init__(widgets=[self.choice], labels=False)
        self.margins = (0, 0, 0, 0)
        self.choice.changed.connect(self._on_choice)
        self.fill(value)

    def _why_not(self, kind: str) -> str:
        return "" if self._offer is None else self._offer.why_not(self._registry[kind])

    def _offered(self) -> list[tuple[str, str]]:
        kinds = sorted((self._registry[kind].title or kind, kind) for kind in self._registry if not self._why_not(kind))
        return [(f"+ Add {self._registry.what} …", ""), *kinds]

    def refresh(self) -> None:
        """Update the choices to what fits now; the list stays unchanged."""
        with self.choice.changed.blocked():
            self.choice.reset_choices()
            self.choice.value = ""
        self._describe()

    def _describe(self) -> None:
        self.choice.tooltip = f"add a {self._registry.what} at the end{not_offered(self._registry, self._offer)}"

    def _on_choice(self, kind: str) -> None:
        if kind:
            with self.choice.changed.blocked():
                self.choice.value = ""
            self.add(kind)

    def add(self, kind: str) -> Item:
        """Append an entry, with its settings shown."""
        cls = self._registry[kind]
        start = cls.start(self.axis) if self.axis is not None and hasattr(cls, "start") else {}
        item = self._append({"kind": kind, **start}, open_=True)
        self._emit()
        return item

    def _append(self, value: dict[str, Any], *, open_: bool = False) -> Item:
        cls = self._registry[str(value["kind"])]
        whole = defaults(cls) | value
        item = Item(cls, whole, self._make_form(cls, whole), open_=open_)
        item.up.changed.connect(lambda: self.move(item, -1))
        item.down.changed.connect(lambda: self.move(item, 1))
        item.remove_button.changed.connect(lambda: self.take_out(item))
        item.on.changed.connect(self._emit)
        item.form.changed.connect(self._emit)
        self._items.append(item)
        self.insert(len(self) - 1, item)
        return item

    def move(self, item: Item, by: int) -> None:
        """Move an item up or down."""
        at = self._items.index(item)
        to = at + by
        if 0 <= to < len(self._items):
            self._items.insert(to, self._items.pop(at))
            shown, noted = bool(item.form.visible), bool(item.extra.visible)
            self.remove(item)
            self.insert(to, item)
            item.visible = True
            item.form.visible, item.extra.visible = shown, noted
            self._emit()

    def take_out(self, item: Item) -> None:
        """Remove an item."""
        self._items.remove(item)
        self.remove(item)
        item.native.deleteLater()
        self._emit()

    def _emit(self, _: Any = None) -> None:
        for number, item in enumerate(self._items):
            item.up.enabled, item.down.enabled = number > 0, number < len(self._items) - 1
        self.edited.emit()
        self.changed.emit(self)

    @property
    def items(self) -> list[Item]:
        """The items in order."""
        return list(self._items)

    def fill(self, value: Sequence[dict[str, Any]]) -> None:
        """Show another list; entries switched off are dropped."""
        for item in self._items:
            self.remove(item)
            item.native.deleteLater()
        self._items = []
        for entry in value:
            self._append(entry)
        self._emit()

    def read(self) -> list[dict[str, Any]]:
        """Return the enabled specs, in order."""
        return [{"kind": item.kind, **item.form.read()} for item in self._items if item.on.value]

    def show_problems(self, problems: Sequence[Problem]) -> list[Problem]:
        """Show each problem next to its field; its path starts with the number among the enabled entries."""
        active = [item for item in self._items if item.on.value]
        for item in self._items:
            item.form.show_problems([])
            say(item.problem, "")
        for number, item in enumerate(active):
            mine = [Problem(p.path.partition(".")[2], p.message) for p in problems if p.path.partition(".")[0] == str(number)]
            unplaced = item.form.show_problems(mine)
            say(item.problem, "; ".join(dict.fromkeys(p.message for p in unplaced)))
            if mine and len(unplaced) < len(mine) and not item.form.visible:
                item.toggle()
        return [p for p in problems if not p.path.partition(".")[0].isdigit() or int(p.path.partition(".")[0]) >= len(active)]
