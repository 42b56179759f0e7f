"""Lists of steps as YAML: saved by the Preprocess dock, applied by the command line, and part of an experiment as ``preparation``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import SerializeAsAny, ValidationError

from napari_spectrai.files import write_text
from napari_spectrai.parsing import parse_yaml, read_document
from napari_spectrai.preparation.step import Step, steps
from napari_spectrai.spec import SettingsError, Spec, problems


class _Steps(Spec):
    steps: list[Annotated[SerializeAsAny[Step], steps]]


def read_steps(listed: Any, where: str = "") -> list[Step]:
    """Return the steps of a plain list; each problem has the number of its step, value, limit and remedy.

    Raises
    ------
    SettingsError
        A ValueError that lists the problems.
    """
    if not isinstance(listed, list):
        raise ValueError(f"{where or 'this'} contains no list of steps; write one per line, such as '- kind: normalise'")
    try:
        return _Steps.model_validate({"steps": listed}).steps
    except ValidationError as error:
        listed_problems = [type(p)(p.path.removeprefix("steps").lstrip("."), p.message) for p in problems(error)]
        raise SettingsError(listed_problems, where) from error


def load_steps(path: str | Path) -> list[Step]:
    """Read a YAML list of steps, or the preparation of an experiment.

    Raises
    ------
    ValueError
        If the file is not YAML, is not a list, or a step has a problem.
    """
    path = Path(path)
    document = parse_yaml(read_document(path), str(path))
    if isinstance(document, dict) and "preparation" in document:
        document = document["preparation"]
    return read_steps(document, str(path))


def save_steps(listed: Iterable[Step], path: str | Path) -> Path:
    """Write steps as a YAML list, including their fitted values, so that other data are treated identically."""
    plain = [step.model_dump(mode="json", exclude_none=True) for step in listed]
    write_text(path, yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
    return Path(path)
