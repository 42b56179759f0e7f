"""JSON schema of experiments, for editors that complete and check YAML: derived from the specs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_spectrai.experiment.augmentations import AugmentationSpec, augmentations
from napari_spectrai.experiment.document import Experiment
from napari_spectrai.experiment.losses import LossSpec, losses
from napari_spectrai.experiment.network_spec import NetworkSpec, networks
from napari_spectrai.experiment.tasks import TaskSpec, tasks
from napari_spectrai.experiment.training import OptimiserSpec, ScheduleSpec, optimisers, schedules
from napari_spectrai.preparation.step import Step, steps
from napari_spectrai.spec import Registry

REGISTRIES: dict[type, Registry[Any]] = {
    TaskSpec: tasks,
    Step: steps,
    AugmentationSpec: augmentations,
    NetworkSpec: networks,
    LossSpec: losses,
    OptimiserSpec: optimisers,
    ScheduleSpec: schedules,
}
"""Registries of the kinds in an experiment, by the class that their settings share."""

SHIPPED = Path(__file__).with_name("experiment.schema.json")
"""The schema without plug-ins, a file of the package."""

_DEFINED = "#/$defs/"


def schema(*, plugins: bool = True) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of an experiment document.

    A field with several kinds accepts the name of a kind, or a mapping with a ``kind`` and the settings of that kind.

    Parameters
    ----------
    plugins : bool
        Whether kinds of other installed packages, and of this process, are included.
    """
    document = Experiment.model_json_schema()
    defined = {name: one for name, one in document.pop("$defs").items() if name not in {base.__name__ for base in REGISTRIES}}
    for base, registry in REGISTRIES.items():
        kinds = [kind for kind in registry if plugins or registry[kind].__module__.startswith("napari_spectrai.")]
        group = base.__name__
        for kind in kinds:
            defined |= dict(_kind(registry[kind], f"{group}.{kind}"))
        each = [{"$ref": f"{_DEFINED}{group}.{kind}"} for kind in kinds]
        defined[group] = {"anyOf": [{"enum": kinds}, *each], "description": f"a {registry.what}: its kind, or a mapping with its kind"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document, "$defs": dict(sorted(defined.items()))}


def _kind(spec: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the definition of a kind, and those of the settings in it, under names that no other kind uses."""
    own = spec.model_json_schema()
    inner = {one: part for one, part in own.pop("$defs", {}).items() if one not in {base.__name__ for base in REGISTRIES}}
    own["required"] = sorted({"kind", *own.get("required", [])})
    renamed = {f"{_DEFINED}{one}": f"{_DEFINED}{name}.{one}" for one in inner}
    yield name, _with_references(own, renamed)
    for one, part in inner.items():
        yield f"{name}.{one}", _with_references(part, renamed)


def _with_references(part: Any, renamed: dict[str, str]) -> Any:
    if isinstance(part, dict):
        return {key: renamed.get(value, value) if key == "$ref" else _with_references(value, renamed) for key, value in part.items()}
    return [_with_references(value, renamed) for value in part] if isinstance(part, list) else part


def schema_text(*, plugins: bool = True) -> str:
    """Return `schema` as the text of a file."""
    return json.dumps(schema(plugins=plugins), indent=1, ensure_ascii=False) + "\n"
