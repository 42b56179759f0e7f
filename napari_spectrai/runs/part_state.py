"""How far a part of a job is."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class State:
    """How far a part is.

    Attributes
    ----------
    done, total : steps of its work
    finished : whether all of it is written
    notes : remarks on its result, in sentences
    """

    done: int = 0
    total: int = 0
    finished: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def is_possible(self) -> bool:
        """Whether a file that says so can have been written by a part."""
        numbers = type(self.done) is int and type(self.total) is int and 0 <= self.done <= self.total
        noted = isinstance(self.notes, list) and all(isinstance(note, str) for note in self.notes)
        return numbers and noted and isinstance(self.finished, bool) and (self.done == self.total or not self.finished)
