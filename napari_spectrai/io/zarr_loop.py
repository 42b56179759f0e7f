"""The event loop on which zarr reads and writes: what it has not finished after an error, or when the process ends.

zarr closes its loop at exit as it is. A read that a thread had asked for stays pending then, and Python prints "Task was destroyed but it
is pending!" for each of its chunks.
"""

from __future__ import annotations

import asyncio
import atexit
from collections.abc import Coroutine
from contextlib import suppress

from zarr.core import sync

from napari_spectrai import files

_PATIENCE = 5.0
"""Seconds to wait for tasks, of which some may hang in a read of a network drive."""


async def _cancel() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _wait() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    if tasks:
        await asyncio.wait(tasks, timeout=_PATIENCE)


def _run(work: Coroutine[None, None, None]) -> None:
    loop = sync.loop[0]
    if loop is None or not loop.is_running():
        work.close()
        return
    with suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(work, loop).result(2 * _PATIENCE)


def wait_pending() -> None:
    """Wait for what is being read or written through zarr: when one chunk fails, zarr raises while it still writes the others."""
    _run(_wait())


def cancel_pending() -> None:
    """Cancel what is still being read or written through zarr, as `asyncio.run` does when it ends."""
    _run(_cancel())


files.still_writing.append(wait_pending)
atexit.register(cancel_pending)  # handlers run in reverse order: this one before that of zarr, which was imported above
