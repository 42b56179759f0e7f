"""An ordered list of specs: add, remove, move, duplicate, switch off, edit the settings of each, undo and redo."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from magicgui.widgets import ComboBox, Container
from psygnal import Signal
from qtpy.QtCore import Qt, QTimer

from napari_spectrai.cube import SpectralAxis
from napari_spectrai.spec import Problem, Registry
from napari_spectrai.widgets.choices import Choices, defaults, not_offered
from napari_spectrai.widgets.dock import as_field, say
from napari_spectrai.widgets.step_history import History, State
from napari_spectrai.widgets.step_item import GROUP_ORDER, Item, group_of, name_in_group
from napari_spectrai.widgets.undo_keys import keep_focus

TYPING = 1000
"""Milliseconds after which a further change of the same field can be undone separately."""


_HEADING = "heading: "
"""Start of the values of headings among the choices."""
_ENTRY = "entry: "
"""Start of the values of further entries."""


def _one(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"


class _GroupedChoice(ComboBox):
    """A choice in which headings cannot be chosen, and what is offered stays in its order."""

    def reset_choices(self, *_: Any) -> None:
        """Rebuild the list."""
        wanted = [str(name) for name, _ in self._default_choices(self)] if callable(self._default_choices) else []
        box: Any = self.native
        if [box.itemText(row) for row in range(box.count())] != wanted:  # magicgui would append new names at the end
            with self.changed.blocked():
                box.clear()
        super().reset_choices()
        for row in range(box.count()):
            if str(box.itemData(row)).startswith(_HEADING):
                box.model().item(row).setFlags(Qt.ItemFlag.NoItemFlags)


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
    own_choice : bool
        Whether the choice of kinds to add is the last row; otherwise the caller shows `choice`.
    further : callable, optional
        Returns further entries to offer: a text, and the settings of the spec.
    """

    edited = Signal()

    def __init__(
        self,
        registry: Registry[Any],
        value: Sequence[dict[str, Any]],
        make_form: Callable[[type[Any], dict[str, Any]], Any],
        *,
        offer: Choices | None = None,
        own_choice: bool = True,
        further: Callable[[], Sequence[tuple[str, dict[str, Any]]]] = tuple,
    ) -> None:
        self._registry, self._make_form = registry, make_form
        self.axis: SpectralAxis | None = None
        """Properties of the present data: new entries start with settings that fit them."""
        self._items: list[Item] = []
        self._offer, self._further = offer, further
        self._grouped = any(group_of(registry[kind]) for kind in registry)
        # through a function: napari resets the choices of docked widgets whenever a layer comes or goes
        self.choice = _GroupedChoice(choices=lambda _: self._offered(), value="", name="add")
        as_field(self.choice, f"add {_one(registry.what)}")
        self._describe()
        super().__init__(widgets=[self.choice] if own_choice else [], labels=False)
        self.margins = (0, 0, 0, 0)
        self.native.layout().setSpacing(2)  # a low window shows as many steps as it can
        self._history: History | None = None
        self._pause = QTimer(self.native)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING)
        self._pause.timeout.connect(self._settle)
        self.choice.changed.connect(self._on_choice)
        self.fill(value)
        self._history = History(self._state())

    # ---------------------------------------------------------------- what can be added

    def _why_not(self, kind: str) -> str:
        return "" if self._offer is None else self._offer.why_not(self._registry[kind])

    def _offered(self) -> list[tuple[str, str]]:
        first = (f"+ Add {self._registry.what} …", "")
        kinds = sorted((self._registry[kind].title or kind, kind) for kind in self._registry if not self._why_not(kind))
        if not self._grouped:
            return [first, *kinds]
        further = [(f"    {words}", f"{_ENTRY}{number}") for number, (words, _) in enumerate(self._further())]
        return [first, *self._by_group([kind for _, kind in kinds]), *further]

    def _by_group(self, kinds: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield kinds under the headings of their groups; headings have values of their own."""
        for group in GROUP_ORDER:
            own = [kind for kind in kinds if group_of(self._registry[kind]) == group]
            if own:
                yield group, f"{_HEADING}{group}"
                yield from sorted((f"    {name_in_group(self._registry[kind])}", kind) for kind in own)

    def refresh(self) -> None:
        """Update the choices to what fits now; the list stays unchanged."""
        with self.choice.changed.blocked():
            self.choice.reset_choices()
            self.choice.value = ""
        self._describe()

    def _describe(self) -> None:
        self.choice.tooltip = f"add {_one(self._registry.what)} at the end{not_offered(self._registry, self._offer)}"

    def _on_choice(self, kind: str) -> None:
        if kind:
            with self.choice.changed.blocked():
                self.choice.value = ""
            if kind.startswith(_ENTRY):
                self._insert(len(self._items), self._further()[int(kind.removeprefix(_ENTRY))][1])
                self._emit()
            elif not kind.startswith(_HEADING):
                self.add(kind)

    # ---------------------------------------------------------------- changes

    def add(self, kind: str) -> Item:
        """Append an entry, with its settings shown."""
        cls = self._registry[kind]
        start = cls.start(self.axis) if self.axis is not None and hasattr(cls, "start") else {}
        item = self._insert(len(self._items), {"kind": kind, **start}, open_=True)
        self._emit()
        return item

    def _insert(self, place: int, value: dict[str, Any], *, on: bool = True, open_: bool = False) -> Item:
        cls = self._registry[str(value["kind"])]
        whole = defaults(cls) | value
        item = Item(cls, whole, self._make_form(cls, whole), on=on, open_=open_, grouped=self._grouped)
        item.up.changed.connect(lambda: keep_focus(self.native, lambda: self.move(item, -1), item.on.native))
        item.down.changed.connect(lambda: keep_focus(self.native, lambda: self.move(item, 1), item.on.native))
        item.double.changed.connect(lambda: self.duplicate(item))
        item.remove_button.changed.connect(lambda: self._take_out(item))
        item.on.changed.connect(self._emit)
        item.form.changed.connect(self._emit)
        self._items.insert(place, item)
        self.insert(place, item)
        return item

    def duplicate(self, item: Item) -> Item:
        """Insert a copy of an item after it."""
        place = self._items.index(item) + 1
        copy = self._insert(place, {"kind": item.kind, **item.form.read()}, on=bool(item.on.value), open_=bool(item.form.visible))
        self._emit()
        return copy

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

    def _take_out(self, item: Item) -> None:
        """Remove an item; the keyboard goes on with the next one, or with the choice of what to add."""
        rest = [other for other in self._items if other is not item]
        place = min(self._items.index(item), len(rest) - 1)
        keep_focus(self.native, lambda: self.take_out(item), (rest[place].remove_button if rest else self.choice).native)

    def take_out(self, item: Item) -> None:
        """Remove an item."""
        self._items.remove(item)
        self.remove(item)
        item.native.deleteLater()
        self._emit()

    def fill(self, value: Sequence[dict[str, Any]]) -> None:
        """Show another list; entries switched off are dropped."""
        self._show([{"on": True, "value": dict(entry)} for entry in value])

    def _show(self, state: State) -> None:
        for item in self._items:
            self.remove(item)
            item.native.deleteLater()
        self._items = []
        for entry in state:
            self._insert(len(self._items), entry["value"], on=entry["on"])
        self._emit()

    def _emit(self, _: Any = None) -> None:
        for number, item in enumerate(self._items):
            item.up.enabled, item.down.enabled = number > 0, number < len(self._items) - 1
        if self._history is not None:
            self._history.record(self._state())
            self._pause.start()
        self.edited.emit()
        self.changed.emit(self)

    # ---------------------------------------------------------------- undo and redo

    def _settle(self) -> None:
        if self._history is not None:
            self._history.settle()

    def _state(self) -> State:
        return [{"on": bool(item.on.value), "value": {"kind": item.kind, **item.form.read()}} for item in self._items]

    @property
    def can_undo(self) -> bool:
        """Whether a change can be undone."""
        return self._history is not None and self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether an undone change can be repeated."""
        return self._history is not None and self._history.can_redo

    def undo(self) -> None:
        """Undo the last change."""
        self._return_to(self._history.undo() if self._history is not None else None)

    def redo(self) -> None:
        """Repeat the change that was undone last."""
        self._return_to(self._history.redo() if self._history is not None else None)

    def _return_to(self, state: State | None) -> None:
        """Show a state of the history; entries that keep their kind keep their form, so that the settings shown stay shown."""
        if state is None:
            return
        if [entry["value"]["kind"] for entry in state] != [item.kind for item in self._items]:
            self._show(state)
            return
        history, self._history = self._history, None  # these changes are none of a person
        for item, entry in zip(self._items, state, strict=True):
            item.on.value = entry["on"]
            item.form.fill(entry["value"])
        self._history = history
        self._emit()

    # ---------------------------------------------------------------- reading

    @property
    def items(self) -> list[Item]:
        """The items in order."""
        return list(self._items)

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
