"""What all parts of a job have to share, and how an output that was started otherwise is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_WORDS = {
    "verb": "the command", "count": "the number of parts", "input": "the input", "model": "the model", "options": "the options",
    "shape": "the shape of the result", "format": "the format", "record": "the version of napari-spectrai",
}  # fmt: skip


class OtherJobError(ValueError):
    """An output that another job, or the same job with other inputs, has started."""


def compare(output: Path, started: Mapping[str, Any], plan: Mapping[str, Any]) -> None:
    """Refuse to continue an output with another plan than the one it was started with.

    Raises
    ------
    OtherJobError (a ValueError)
    """
    differing = [name for name in plan if started.get(name) != plan[name]]
    if not differing:
        return
    if "record" in differing:  # versions may describe the same input in other ways
        differing = ["record"]
    words = " and ".join(_WORDS.get(name, name) for name in differing)
    if differing == ["count"]:
        raise OtherJobError(
            f"{output} was started in {started['count']} parts, and this is one of {plan['count']}; "
            f"use --part i/{started['count']}, or choose another output"
        )
    shown = {name: (started.get(name), plan[name]) for name in differing if isinstance(plan[name], str | int) and name != "input"}
    details = "".join(f" ({_WORDS.get(name, name)}: {old} then, {new} now)" for name, (old, new) in shown.items())
    raise OtherJobError(
        f"{output} was started with other settings: {words} changed{details}. Use those that it was started with, "
        f"or remove {output.name}, or choose another output"
    )
