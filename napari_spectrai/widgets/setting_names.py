"""Settings as forms name them: ``split.folds=5`` in a message of the core is ``Split ▸ Folds = 5`` in a dock."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from napari_spectrai.spec import Registry

FOLDED = {
    "split": "Split", "data": "Patches and groups", "preparation": "Preparation", "augmentation": "Augmentation", "training": "Training",
}  # fmt: skip
"""Sections of a document that stand in folds of the Train dock, with the titles of these."""
_SECTIONS = {"task": "", "network": "Network", "loss": "Loss"} | FOLDED
_PATH = re.compile(rf"\b({'|'.join(_SECTIONS)})((?:\.(?:[a-z_]+|\d+))+)(?:=([\w.\[\]-]*[\w\]]))?")
_LABELS = 2
"""Largest number of labels of one setting that are named, where kinds of networks or steps differ in them."""
_VALUES = {"null": "empty", "[]": "empty", "true": "on", "false": "off"}


def words(name: str) -> str:
    """Return a field's name as words, for fields without a title."""
    return name.replace("_", " ").capitalize()


def label_of(name: str, field: FieldInfo | None) -> str:
    """Return the label of a field: its title, else its name as words."""
    return (field.title if field is not None else None) or words(name)


def extra_of(field: FieldInfo) -> dict[str, Any]:
    """Return what a field declares beyond its type, bounds and description."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def as_labelled(text: str) -> str:
    """Return a text in which settings are named, and their values written, as a form shows them; what is no setting stays as it is."""
    return _PATH.sub(_labelled, text) if "." in text else text


def _labelled(found: re.Match[str]) -> str:
    section, path, value = found[1], found[2], found[3]
    names = path.removeprefix(".").split(".")
    labels = _labels((section, *names))
    if labels is None:
        return found[0]
    title, field = labels
    return title if value is None else f"{title} = {_said(value, field)}"


def _said(value: str, field: FieldInfo) -> str:
    """Return a value as the field shows it."""
    for registry in _registries(field):
        if value in registry:
            return registry[value].title or value
    said: Any = extra_of(field).get("words", {})
    plain = value.replace("_", " ") if get_origin(field.annotation) is Literal else value
    return str(said.get(value, _VALUES.get(value, plain)))


@lru_cache(maxsize=256)
def _labels(path: Sequence[str]) -> tuple[str, FieldInfo] | None:
    """Return where a setting stands in the form, and its field; None if there is no such setting."""
    from napari_spectrai.experiment import Experiment  # whoever names a setting has loaded it

    classes: list[type[BaseModel]] = [Experiment]
    titles = [_SECTIONS[path[0]]]
    field: FieldInfo | None = None
    for number, name in enumerate(path):
        if name == "kind" and number == len(path) - 1:  # the choice itself
            break
        if name.isdigit():  # an entry of a list
            titles.append(str(int(name) + 1))
            continue
        found = [cls.model_fields[name] for cls in classes if name in cls.model_fields]
        if not found:
            return None
        field = found[0]
        if number:
            labels = list(dict.fromkeys(label_of(name, one) for one in found))  # kinds may have labels of their own
            titles.append(" or ".join(labels) if len(labels) <= _LABELS else words(name))
        classes = list(_inside(field))
    assert field is not None  # noqa: S101
    return " ▸ ".join(filter(None, titles)) or label_of(path[0], field), field


def _registries(field: FieldInfo) -> Iterator[Registry[Any]]:
    """Yield the kinds of which a field holds one, or a list."""
    inner = get_args(field.annotation)[:1] if get_origin(field.annotation) is list else ()
    for item in (*field.metadata, *(part for one in inner for part in getattr(one, "__metadata__", ()))):
        if isinstance(item, Registry):
            yield item


def _inside(field: FieldInfo) -> Iterator[type[BaseModel]]:
    """Yield the classes whose fields a field holds: all kinds of a registry, or a nested spec."""
    for registry in _registries(field):
        yield from (registry[kind] for kind in registry)
    if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
        yield field.annotation
