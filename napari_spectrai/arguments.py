"""Errors for arguments of the wrong type, with what was expected and how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, cast

T = TypeVar("T")


def of_type(given: Any, kind: type[T] | Any, what: str, remedy: str) -> T:
    """Return `given` if it is of a type.

    Parameters
    ----------
    given : object
    kind : type
    what : str
        What the argument is, as the subject of a sentence: ``"the first argument of train"``.
    remedy : str
        How to get such an object, as a clause.

    Raises
    ------
    TypeError
        With what was expected, what was given, and the remedy.
    """
    if isinstance(given, kind):
        return cast("T", given)
    kinds = getattr(kind, "__args__", (kind,))
    expected = " or ".join(_article(one.__name__) for one in kinds)
    raise TypeError(f"{what} is {expected}, not {described(given)}; {remedy}")


def described(given: Any) -> str:
    """Return the type of an object for a message, and the value where it is short."""
    if given is None:
        return "None"
    name = type(given).__name__
    if isinstance(given, str | int | float | bool | Path):
        return f"the {name} {str(given)!r:.60}"
    return _article(name)


def _article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
