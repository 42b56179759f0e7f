"""Undo and redo of the states of a form, in which changes of one field in quick succession are one change."""

from __future__ import annotations

from typing import Any

State = list[dict[str, Any]]
"""Entries of a list of steps: ``{"on": bool, "value": {"kind": …, …}}``."""

MOST = 200
"""States kept at most."""


class History:
    """The states of a list, of which one is the present one."""

    def __init__(self, state: State) -> None:
        self._states, self._at = [state], 0
        self._typing: tuple[int, str] | None = None

    @property
    def can_undo(self) -> bool:
        """Whether there is an earlier state."""
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a later state, which was undone."""
        return self._at < len(self._states) - 1

    def record(self, state: State) -> None:
        """Add a state; a further change of the same field replaces the last state until `settle` is called."""
        if state == self._states[self._at]:
            return
        changed = _field_changed(self._states[self._at], state)
        replaces = changed is not None and changed == self._typing and self._at > 0
        self._typing = changed
        self._states = [*self._states[: self._at if replaces else self._at + 1], state][-MOST:]
        self._at = len(self._states) - 1

    def settle(self) -> None:
        """End a change: the next one is a state of its own, also in the same field."""
        self._typing = None

    def undo(self) -> State | None:
        """Return the state before; None if there is none."""
        return self._go(-1) if self.can_undo else None

    def redo(self) -> State | None:
        """Return the state that was undone; None if there is none."""
        return self._go(1) if self.can_redo else None

    def _go(self, by: int) -> State:
        self.settle()
        self._at += by
        return self._states[self._at]


def _field_changed(before: State, after: State) -> tuple[int, str] | None:
    """Return the number of the entry and the name of the only field that differs; None if more differs than one field."""
    if len(before) != len(after):
        return None
    places = [
        (number, name)
        for number, (one, other) in enumerate(zip(before, after, strict=True))
        for name in one["value"] | other["value"]
        if one["value"].get(name) != other["value"].get(name)
    ]
    switched = any(one["on"] != other["on"] for one, other in zip(before, after, strict=True))
    return places[0] if len(places) == 1 and not switched and places[0][1] != "kind" else None
