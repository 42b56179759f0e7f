"""Forms made from specs: bounds, labels and tooltips come from the spec's fields."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, PushButton, SpinBox
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from napari_spectrai.parsing import parse_yaml
from napari_spectrai.spec import Problem, Registry
from napari_spectrai.widgets import fold_state
from napari_spectrai.widgets.choices import Choices, not_offered
from napari_spectrai.widgets.dock import Visibility, dock_name, message, rows, say
from napari_spectrai.widgets.step_list import OrderedForm


def words(name: str) -> str:
    """Return a field's name as words, for fields without a title."""
    return name.replace("_", " ").capitalize()


def label_of(name: str, field: FieldInfo | None) -> str:
    """Return the label of a field: its title, else its name as words."""
    return (field.title if field is not None else None) or words(name)


class FoldBox(Container[Any]):
    """A heading that shows or hides its content, and remembers from session to session whether it was open.

    Parameters
    ----------
    title : text of the heading
    content : widgets under the heading
    open_ : whether it is open until a person has opened or closed it
    key : name under which its state is saved in its dock; default: the title
    """

    def __init__(self, title: str, content: Sequence[Any], *, open_: bool = False, key: str = "") -> None:
        self._title, self._key, self._open = title, key or title, open_
        self.heading = PushButton(text="", tooltip="show or hide the section under this heading")
        self.heading.native.setFlat(True)
        self.heading.native.setStyleSheet("text-align: left; padding: 3px;")
        self.content = Container(widgets=list(content), labels=False)
        self.content.margins = (10, 0, 0, 0)
        super().__init__(widgets=[self.heading, self.content], labels=False)
        self.margins = (0, 0, 0, 0)
        self._show()
        self.heading.changed.connect(self.toggle)
        # the name of the dock is known only once the widget is shown
        self._recalled = False
        Visibility(self.native, self._recall)

    @property
    def is_open(self) -> bool:
        """Whether the content is shown."""
        return self._open

    def toggle(self) -> None:
        """Open or close the section."""
        self._open = not self._open
        self._show()
        name = dock_name(self.native)
        if name:
            fold_state.save(f"{name}: {self._key}", is_open=self._open)

    def _recall(self, visible: bool) -> None:  # noqa: FBT001
        name = dock_name(self.native)
        if not visible or self._recalled or not name:
            return
        self._recalled = True
        left = fold_state.load(f"{name}: {self._key}")
        if left is not None and left != self._open:
            self._open = left
            self._show()

    def _show(self) -> None:
        self.heading.text = f"{'▾' if self._open else '▸'} {self._title}"
        self.content.visible = self._open


class FormRow(Container[Any]):
    """One value: its label, its field, and an error message under it."""

    def __init__(self, name: str, field: FieldInfo, value: Any) -> None:
        self._is_text = field.annotation is str
        self.editor = _editor(name, field, value)
        self.editor.label = label_of(name, field)
        self.editor.tooltip = field.description or ""
        self.problem = message()
        super().__init__(widgets=[rows(self.editor), self.problem], labels=False)
        self.margins = (0, 0, 0, 0)

    def read(self) -> Any:
        """Return the value; text is parsed as YAML, so that an empty field is None."""
        if not isinstance(self.editor, LineEdit) or self._is_text:
            return self.editor.value
        try:
            return deepcopy(_parsed(self.editor.value))
        except ValueError:
            return self.editor.value  # reported when the field is validated

    def fill(self, value: Any) -> None:
        """Show another value."""
        self.editor.value = _text(value) if isinstance(self.editor, LineEdit) else value

    def show_problem(self, text: str) -> None:
        """Show an error message; hide it if it is empty."""
        say(self.problem, text)


@lru_cache(maxsize=1024)
def _parsed(words: str) -> Any:
    """Return the value of a text in YAML syntax; a form reads the same ones after every stroke."""
    return parse_yaml(words)


def _text(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, tuple):  # in YAML syntax
        return str([list(part) if isinstance(part, tuple) else part for part in value])
    return repr(value) if isinstance(value, float) else str(value)


def _editor(name: str, field: FieldInfo, value: Any) -> Any:
    annotation = field.annotation
    if annotation is bool:
        return CheckBox(value=value, text=label_of(name, field))
    if get_origin(annotation) is Literal:
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        said: Any = extra.get("words", {})
        return ComboBox(choices=[(said.get(choice, str(choice)), choice) for choice in get_args(annotation)], value=value)
    if annotation is int:
        low, high = _bounds(field)
        return SpinBox(value=value, min=low, max=high)
    # text: a spin box would show 1e-4 as 0.0, and None not at all
    return LineEdit(value=_text(value))


def _bounds(field: FieldInfo) -> tuple[int, int]:
    low, high = -(2**31), 2**31 - 1
    for bound in field.metadata:
        for name, sign, strict in (("ge", 1, 0), ("gt", 1, 1), ("le", -1, 0), ("lt", -1, 1)):
            limit = getattr(bound, name, None)
            if limit is not None and sign > 0:
                low = math.floor(limit) + 1 if strict else math.ceil(limit)
            elif limit is not None:
                high = math.ceil(limit) - 1 if strict else math.floor(limit)
    return low, high


def _registry(metadata: Sequence[Any]) -> Registry[Any] | None:
    return next((item for item in metadata if isinstance(item, Registry)), None)


class SpecForm(Container[Any]):
    """The fields of a spec in a column; nested specs are indented.

    Parameters
    ----------
    cls : class of the spec
    value : the fields as a mapping
    offer : determines which kinds a choice offers
    skip : names of fields that are shown elsewhere
    """

    def __init__(self, cls: type[BaseModel], value: dict[str, Any], *, offer: Choices | None = None, skip: Sequence[str] = ()) -> None:
        self._parts: dict[str, Any] = {}
        self._kept: dict[str, Any] = {}
        self._conditions: dict[str, dict[str, list[Any]]] = {}
        for name, field in cls.model_fields.items():
            if name in skip or name in ("kind", "version"):
                continue
            if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("learnt"):  # fitted values, not settings
                if value.get(name) is not None:
                    self._kept[name] = value[name]
                continue
            self._parts[name] = part_form(name, field, value.get(name), offer)
            if isinstance(field.json_schema_extra, dict) and "only_with" in field.json_schema_extra:
                self._conditions[name] = field.json_schema_extra["only_with"]  # type: ignore[assignment]
        super().__init__(widgets=list(self._parts.values()), labels=False)
        self.margins = (0, 0, 0, 0)
        if self._conditions:
            self._hide()
            self.changed.connect(self._hide)

    def _hide(self, _: Any = None) -> None:
        """Hide the fields that do not apply to the values of others; they keep their own."""
        values = {name: part.read() for name, part in self._parts.items()}
        for name, condition in self._conditions.items():
            self._parts[name].visible = all(values.get(other) in wanted for other, wanted in condition.items())

    def read(self) -> dict[str, Any]:
        """Return the fields as a mapping."""
        return self._kept | {name: part.read() for name, part in self._parts.items()}

    def fill(self, value: dict[str, Any]) -> None:
        """Show other values."""
        for name, part in self._parts.items():
            if name in value:
                part.fill(value[name])

    def refresh(self) -> None:
        """Update the choices to what fits now."""
        for part in self._parts.values():
            if hasattr(part, "refresh"):
                part.refresh()

    def show_problems(self, problems: Sequence[Problem]) -> list[Problem]:
        """Show each problem next to its field; return those that belong to no field here."""
        rest = list(problems)
        for name, part in self._parts.items():
            mine = [p for p in rest if p.path == name or p.path.startswith(f"{name}.")]
            if isinstance(part, FormRow):
                part.show_problem("; ".join(p.message for p in mine))
                rest = [p for p in rest if p not in mine]
            else:
                inner = part.show_problems([Problem(p.path.removeprefix(name).lstrip("."), p.message) for p in mine])
                rest = [p for p in rest if p not in mine] + inner
        return rest


def part_form(name: str, field: FieldInfo, value: Any, offer: Choices | None = None) -> Any:
    """Return the form of one field: a row, a choice of kinds, a list of specs, or a nested spec."""
    annotation = field.annotation
    registry = _registry(field.metadata)
    if registry is not None:
        return KindForm(name, field, registry, value, offer=offer)
    if get_origin(annotation) is list:
        inner = _registry(getattr(get_args(annotation)[0], "__metadata__", ()))
        if inner is not None:
            return OrderedForm(inner, value or [], SpecForm, offer=offer)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return SpecForm(annotation, value or {}, offer=offer)
    return FormRow(name, field, value)


class KindForm(Container[Any]):
    """One of several kinds, and the settings of the one chosen."""

    def __init__(
        self, name: str, field: FieldInfo, registry: Registry[Any], value: dict[str, Any], *, offer: Choices | None = None
    ) -> None:
        self._registry, self._offer = registry, offer
        self._values: dict[str, dict[str, Any]] = {}
        self.choice = ComboBox(
            # through a function: napari resets the choices of docked widgets whenever a layer comes or goes
            choices=lambda _: self._offered(), value=value["kind"], label=label_of(name, field),
            tooltip=field.description or "",
        )  # fmt: skip
        self.problem = message()
        self._settings: SpecForm | None = None
        self._fold = FoldBox("settings", [], key=f"{label_of(name, field)}, settings")
        super().__init__(widgets=[rows(self.choice), self.problem, self._fold], labels=False)
        self.margins = (0, 0, 0, 0)
        self._shown = ""
        self._show(value)
        self.choice.changed.connect(self._chosen)

    def _why_not(self, kind: str) -> str:
        return "" if self._offer is None else self._offer.why_not(self._registry[kind])

    def _offered(self) -> list[tuple[str, str]]:
        kinds = [kind for kind in self._registry if not self._why_not(kind)]
        return [(self._registry[kind].title or kind, kind) for kind in kinds]

    def refresh(self) -> None:
        """Update the choices to what fits now; a kind that no longer fits is replaced by one that does."""
        offered = [kind for _, kind in self._offered()]
        with self.choice.changed.blocked():
            self.choice.reset_choices()
        if self._shown not in offered and offered:
            self.fill(self._initial(offered[0] if self._offer is None else self._offer.instead(offered)))
        self._describe()

    def _chosen(self, kind: str) -> None:
        if self._settings is not None:
            self._values[self._shown] = self._settings.read()
        if kind != self._shown:
            self._show(self._initial(kind) | self._values.get(kind, {}))
            self.changed.emit(self)

    def _initial(self, kind: str) -> dict[str, Any]:
        """Return the initial settings of a kind."""
        start: dict[str, Any] = self._registry.parse(kind).model_dump(mode="json")
        return start | ({} if self._offer is None else self._offer.start(self._registry[kind]))

    def _show(self, value: dict[str, Any]) -> None:
        self._shown = value["kind"]
        cls = self._registry[self._shown]
        self._describe()
        self._settings = SpecForm(cls, value, offer=self._offer)  # it may contain choices of kinds in turn, as a sum of losses does
        self._fold.content.clear()
        self._fold.content.append(self._settings)
        self._fold.visible = len(self._settings) > 0

    def _describe(self) -> None:
        """Describe the chosen kind, and list why others are not offered."""
        cls = self._registry[self._shown]
        about = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
        self.choice.tooltip = about + not_offered(self._registry, self._offer)

    def read(self) -> dict[str, Any]:
        """Return the kind and its settings."""
        if self.choice.value != self._shown or self._settings is None:  # just chosen; its settings are not shown yet
            return {"kind": self.choice.value}
        return {"kind": self._shown, **self._settings.read()}

    def fill(self, value: dict[str, Any]) -> None:
        """Show another kind or other settings."""
        with self.choice.changed.blocked():
            self.choice.value = value["kind"]
        self._show(value)

    def show_problems(self, problems: Sequence[Problem]) -> list[Problem]:
        """Show each problem next to its field or, while the fields are folded away, next to the choice."""
        rest = self._settings.show_problems(problems) if self._settings is not None else list(problems)
        folded = [] if self._fold.is_open else [p for p in problems if p not in rest]
        fields = self._registry[self._shown].model_fields
        names = [p.path.rpartition(".")[2] for p in folded]
        lines = [f"{label_of(name, fields.get(name))}: {p.message}" for name, p in zip(names, folded, strict=True)]
        say(self.problem, "; ".join([*lines, *(p.message for p in rest)]))
        return []
