"""One value in a form: an editor that suits its type, and an error message under it."""

from __future__ import annotations

import csv
import math
from copy import deepcopy
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from magicgui.widgets import CheckBox, ComboBox, Container, LineEdit, SpinBox
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from napari_spectrai.parsing import parse_yaml
from napari_spectrai.widgets.dock import message, rows, say
from napari_spectrai.widgets.setting_names import as_labelled, extra_of, label_of


class FormRow(Container[Any]):
    """One value: its label, its field, and an error message under it."""

    def __init__(self, name: str, field: FieldInfo, value: Any) -> None:
        self._is_text = field.annotation is str
        self._entry = _entry_of(field)
        self.editor = _editor(name, field, value)
        self.editor.label = label_of(name, field)
        self.editor.tooltip = as_labelled(field.description or "")
        self.problem = message()
        super().__init__(widgets=[rows(self.editor), self.problem], labels=False)
        self.margins = (0, 0, 0, 0)

    def read(self) -> Any:
        """Return the value; text is parsed as YAML, so that an empty field is None, and the entries of a list stand between commas."""
        if not isinstance(self.editor, LineEdit) or self._is_text:
            return self.editor.value
        try:
            if self._entry is not None:
                return _entries(self.editor.value, self._entry)
            return deepcopy(_parsed(self.editor.value))
        except ValueError:
            return self.editor.value  # reported when the field is validated

    def fill(self, value: Any) -> None:
        """Show another value."""
        self.editor.value = _shown(value, self._entry) if isinstance(self.editor, LineEdit) else value

    def show_problem(self, text: str) -> None:
        """Show an error message; hide it if it is empty."""
        say(self.problem, text)


@lru_cache(maxsize=1024)
def _parsed(words: str) -> Any:
    """Return the value of a text in YAML syntax; a form reads the same ones after every stroke."""
    return parse_yaml(words)


def _entry_of(field: FieldInfo) -> Any:
    """Return the type of the entries of a list that cannot be missing; None if the field holds no such list."""
    return get_args(field.annotation)[0] if get_origin(field.annotation) in (list, tuple) else None


def _entries(text: str, entry: Any) -> list[Any]:
    """Return the entries of a list: words or numbers between commas, or the whole list in YAML syntax."""
    if entry is str or get_origin(entry) is Literal:
        if not text.strip().startswith("["):
            return [one for row in csv.reader([text], skipinitialspace=True) for one in map(str.strip, row) if one]
        return [str(one) for one in _parsed(text)]
    found = deepcopy(_parsed(f"[{text}]"))
    whole = len(found) == 1 and isinstance(found[0], list)
    if whole and (get_origin(entry) not in (list, tuple) or all(isinstance(one, list) for one in found[0])):
        found = found[0]
    return list(found)


def _text(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return ""
    if isinstance(value, tuple):  # in YAML syntax
        return str([list(part) if isinstance(part, tuple) else part for part in value])
    return repr(value) if isinstance(value, float) else str(value)


def _shown(value: Any, entry: Any) -> str:
    """Return a value as its field shows it: of a list the entries, between commas."""
    if entry is None or not isinstance(value, list | tuple):
        return _text(value)
    words = [_text(tuple(one) if isinstance(one, list) else one) for one in value]
    if entry is str:
        words = [f'"{word}"' if "," in word or word.startswith("[") else word for word in words]
    return ", ".join(words)


def _editor(name: str, field: FieldInfo, value: Any) -> Any:
    annotation = field.annotation
    if annotation is bool:
        return CheckBox(value=value, text=label_of(name, field))
    if get_origin(annotation) is Literal:
        said: Any = extra_of(field).get("words", {})
        return ComboBox(choices=[(said.get(choice, str(choice).replace("_", " ")), choice) for choice in get_args(annotation)], value=value)
    if annotation is int:
        low, high = _bounds(field)
        return SpinBox(value=value, min=low, max=high)
    # text: a spin box would show 1e-4 as 0.0, and None not at all
    return LineEdit(value=_shown(value, _entry_of(field)))


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
