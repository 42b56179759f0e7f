"""Which kinds of settings a form offers, and what they begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from napari_spectrai.spec import Named, Registry


class Choices(Protocol):
    """Says which kinds a choice offers, and what they begin with."""

    def why_not(self, cls: type[Named]) -> str:
        """Return why a kind is not offered, in words; nothing where it is."""

    def instead(self, kinds: Sequence[str]) -> str:
        """Return which of the kinds that fit takes the place of one that does no longer."""

    def start(self, cls: type[Named]) -> dict[str, Any]:
        """Return what differs from the kind's own defaults when it is chosen."""


def defaults(cls: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a spec as they are when nobody has set them; one without a default is empty."""
    return {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}


def not_offered(registry: Registry[Any], offer: Choices | None) -> str:
    """Return which kinds are not offered, by the reason, as the end of a tooltip; nothing where all are."""
    reasons: dict[str, list[str]] = {}
    for kind in registry:
        why = "" if offer is None else offer.why_not(registry[kind])
        if why:
            reasons.setdefault(why, []).append(registry[kind].title or kind)
    told = [f"{', '.join(names)}: {why}" for why, names in reasons.items()]
    return "\n\nNot offered here:\n" + "\n".join(told) if told else ""
