"""The event loop on which zarr reads and writes: what it has not finished when the process ends is cancelled.

zarr closes its loop at exit as it is. A read that a thread had asked for stays pending then, and Python prints "Task was destroyed but it
is pending!" for each of its chunks.
"""

from __future__ import annotations

import asyncio
import atexit
from contextlib import suppress

from zarr.core import sync

_PATIENCE = 5.0
"""Seconds to wait for the cancelled tasks, of which some may hang in a read of a network drive."""


async def _cancel() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def cancel_pending() -> None:
    """Cancel what is still being read or written through zarr, as `asyncio.run` does when it ends."""
    loop = sync.loop[0]
    if loop is None or not loop.is_running():
        return
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(_cancel(), loop).result(_PATIENCE)


atexit.register(cancel_pending)  # handlers run in reverse order: this one before that of zarr, which was imported above
