"""Forms made from specs: bounds, labels and tooltips come from the spec's fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args, get_origin

from magicgui.widgets import ComboBox, Container
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from napari_spectrai.spec import Problem, Registry
from napari_spectrai.widgets.choices import Choices, not_offered
from napari_spectrai.widgets.dock import message, rows, say
from napari_spectrai.widgets.fold_box import FoldBox
from napari_spectrai.widgets.form_row import FormRow
from napari_spectrai.widgets.late import FirstShow
from napari_spectrai.widgets.setting_names import extra_of, label_of
from napari_spectrai.widgets.step_list import OrderedForm


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
    late : whether its widgets are made only when they are first shown, or a problem has to be shown next to one of them
    """

    def __init__(
        self, cls: type[BaseModel], value: dict[str, Any], *, offer: Choices | None = None, skip: Sequence[str] = (), late: bool = False
    ) -> None:  # fmt: skip
        self._offer, self._made = offer, False
        self._fields = {name: field for name, field in cls.model_fields.items() if name not in skip and name not in ("kind", "version")}
        learnt = [name for name, field in self._fields.items() if extra_of(field).get("learnt")]  # fitted values, not settings
        self._kept = {name: value[name] for name in learnt if value.get(name) is not None}
        self._fields = {name: field for name, field in self._fields.items() if name not in learnt}
        self._value: dict[str, Any] = {name: value.get(name) for name in self._fields}
        """Values of the fields while there are no widgets."""
        self._conditions: dict[str, dict[str, list[Any]]] = {
            name: extra_of(field)["only_with"] for name, field in self._fields.items() if "only_with" in extra_of(field)
        }
        self._widgets: dict[str, Any] = {}
        super().__init__(labels=False)
        self.margins = (0, 0, 0, 0)
        if late and self._fields:
            FirstShow(self.native, self._make)
        else:
            self._make()

    @property
    def has_fields(self) -> bool:
        """Whether there is anything to set."""
        return bool(self._fields)

    @property
    def _parts(self) -> dict[str, Any]:
        """The forms of the fields."""
        self._make()
        return self._widgets

    def _make(self) -> None:
        if self._made:
            return
        self._made = True
        self._widgets = {name: part_form(name, field, self._value[name], self._offer) for name, field in self._fields.items()}
        with self.changed.blocked():
            self.extend(self._widgets.values())
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
        if not self._made:
            return self._kept | {name: _as_read(value) for name, value in self._value.items()}
        return self._kept | {name: part.read() for name, part in self._parts.items()}

    def fill(self, value: dict[str, Any]) -> None:
        """Show other values."""
        given = {name: value[name] for name in self._fields if name in value}
        if not self._made:
            before = _as_read(self._value)
            self._value |= given
            if _as_read(self._value) != before:  # as fields would report it
                self.changed.emit(self)
            return
        for name, one in given.items():
            self._parts[name].fill(one)

    def refresh(self) -> None:
        """Update the choices to what fits now."""
        if not self._made and all(_fits(field, self._value[name], self._offer) for name, field in self._fields.items()):
            return
        for part in self._parts.values():
            if hasattr(part, "refresh"):
                part.refresh()

    def show_problems(self, problems: Sequence[Problem]) -> list[Problem]:
        """Show each problem next to its field; return those that belong to no field here."""
        rest = list(problems)
        if not self._made and not rest:
            return rest
        for name, part in self._parts.items():
            mine = [p for p in rest if p.path == name or p.path.startswith(f"{name}.")]
            if isinstance(part, FormRow):
                part.show_problem("; ".join(p.message for p in mine))
                rest = [p for p in rest if p not in mine]
            else:
                inner = part.show_problems([Problem(p.path.removeprefix(name).lstrip("."), p.message) for p in mine])
                rest = [p for p in rest if p not in mine] + inner
        return rest


def _as_read(value: Any) -> Any:
    """Return a value as its field would return it."""
    if isinstance(value, list | tuple):
        return [_as_read(part) for part in value]
    if isinstance(value, dict):
        return {name: _as_read(part) for name, part in value.items()}
    return None if value is PydanticUndefined else value


def _fits(field: FieldInfo, value: Any, offer: Choices | None) -> bool:
    """Whether the kinds chosen in a field are offered."""
    registry = _registry(field.metadata)
    if registry is not None:
        return offer is None or not offer.why_not(registry[value["kind"]])
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        return all(_fits(inner, (value or {}).get(name), offer) for name, inner in field.annotation.model_fields.items())
    return True


def late_form(cls: type[BaseModel], value: dict[str, Any], *, offer: Choices | None = None) -> SpecForm:
    """Return the form of an entry of a list, which is folded until it is opened."""
    return SpecForm(cls, value, offer=offer, late=True)


def part_form(name: str, field: FieldInfo, value: Any, offer: Choices | None = None, *, late: bool = False) -> Any:
    """Return the form of one field: a row, a choice of kinds, a list of specs, or a nested spec."""
    annotation = field.annotation
    registry = _registry(field.metadata)
    if registry is not None:
        return KindForm(name, field, registry, value, offer=offer)
    if get_origin(annotation) is list:
        inner = _registry(getattr(get_args(annotation)[0], "__metadata__", ()))
        if inner is not None:
            return OrderedForm(inner, value or [], late_form, offer=offer)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return SpecForm(annotation, value or {}, offer=offer, late=late)
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
        self._fold = FoldBox("Settings", [], key=f"{label_of(name, field)}, settings")
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
        # it may contain choices of kinds in turn, as a sum of losses does
        self._settings = SpecForm(cls, value, offer=self._offer, late=True)
        self._fold.content.clear()
        self._fold.content.append(self._settings)
        self._fold.visible = self._settings.has_fields

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
