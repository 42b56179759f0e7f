"""Choices of kinds in forms: which kinds are offered, and their initial settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from napari_spectrai.spec import Named, Registry


class Choices(Protocol):
    """Determines which kinds a choice offers, and their initial settings."""

    def why_not(self, cls: type[Named]) -> str:
        """Return why a kind is not offered, in words; empty if it is offered."""

    def instead(self, kinds: Sequence[str]) -> str:
        """Return the kind that replaces one that is no longer offered, out of those that are."""

    def start(self, cls: type[Named]) -> dict[str, Any]:
        """Return the initial settings that differ from the kind's own defaults."""


def defaults(cls: type[BaseModel]) -> dict[str, Any]:
    """Return the default values of a spec's fields; fields without a default are empty."""
    return {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}


def not_offered(registry: Registry[Any], offer: Choices | None) -> str:
    """Return which kinds are not offered, grouped by reason, as the end of a tooltip; empty if all are offered."""
    reasons: dict[str, list[str]] = {}
    for kind in registry:
        why = "" if offer is None else offer.why_not(registry[kind])
        if why:
            reasons.setdefault(why, []).append(registry[kind].title or kind)
    lines = [f"{', '.join(names)}: {why}" for why, names in reasons.items()]
    return "\n\nNot offered here:\n" + "\n".join(lines) if lines else ""
