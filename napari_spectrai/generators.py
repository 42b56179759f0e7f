"""Running a generator of progress to its end."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

T = TypeVar("T")
P = TypeVar("P")


def drain(steps: Generator[P, None, T], on_step: Callable[[P], Any] | None = None) -> T:
    """Return what a generator returns.

    Parameters
    ----------
    steps : generator
        It is closed if `on_step` raises.
    on_step : callable, optional
        Called with everything that the generator yields.
    """
    try:
        while True:
            step = next(steps)
            if on_step is not None:
                on_step(step)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


def mapped(steps: Generator[P, None, T], change: Callable[[P], Any]) -> Generator[Any, None, T]:
    """Yield what a generator yields, changed; return what it returns."""
    try:
        while True:
            yield change(next(steps))
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
