"""Parts of a job as tasks of Dask's scheduler (`dask.distributed`)."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.part import Part
from napari_spectrai.runs.part_record import STOP, PartRecord

PER_WORKER = 4
"""Parts for each worker: where one is slower, or is killed, others do more of them."""
RETRIES = 3
"""How often a part that failed, such as one whose former process still holds it, is tried again."""
REMEDY = "Dask's scheduler needs a package that is not installed; pip install 'napari-spectrai[cluster]'"

Job: TypeAlias = Callable[[Part], Generator[Progress, None, Any]]
"""Given a part, yields its progress; it is sent to the workers, so that it consists of paths and plain values."""

_one_at_a_time = threading.Lock()


def connected(address: str) -> Any:
    """Return a client of a scheduler, such as ``"tcp://host:8786"``; close it after use.

    Raises
    ------
    ImportError
        If `distributed` is not installed.
    RuntimeError
        If there is no scheduler at the address.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError(REMEDY) from error
    try:
        return Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError) as error:
        raise RuntimeError(f"there is no scheduler at {address} ({error}); start one with: dask scheduler") from error


def parts_for(client: Any, store: Path) -> int:
    """Return into how many parts a job is divided: as it was started, else some for each worker.

    Raises
    ------
    RuntimeError
        If the scheduler has no workers.
    """
    started = PartRecord.started(store)
    workers = len(client.nthreads())
    if not workers:
        raise RuntimeError("the scheduler has no workers; start some with: dask worker ADDRESS")
    return PER_WORKER * workers if started is None else started


def computing(client: Any, job: Job, record: PartRecord) -> Generator[Progress, None, None]:
    """Do what is missing of a job in parts by the workers of a client; yield progress.

    A part whose worker is killed is continued by another one. Closing the generator cancels the tasks; what they have finished is
    kept, and is not done again.

    Raises
    ------
    Exception
        That of a part that failed.
    """
    mark = record.folder / f"{STOP}{uuid.uuid4().hex}"
    futures = [
        client.submit(_part, job, Part(number, record.count), str(mark), key=f"part-{number}-{mark.name}", retries=RETRIES)
        for number in record.missing
    ]
    try:
        while any(future.status == "pending" for future in futures) and not any(future.status == "error" for future in futures):
            yield record.progress()
            time.sleep(max(0.05, record.count / 1000))
        for future in futures:
            if future.done():
                future.result()
    finally:
        left = [future for future in futures if not future.done()]
        if left:
            if record.folder.exists():
                mark.touch()  # which those that are at work see
            client.cancel(left, force=True)


def _part(job: Job, part: Part, mark: str) -> None:
    """Do a part on a worker, one at a time in each process; stop where the mark appears."""
    import dask
    from distributed import get_worker

    stop = Path(mark)
    # what a part reads is computed by the threads of its worker: a task that waited for other tasks would block it
    with _one_at_a_time, dask.config.set(scheduler="threads", num_workers=get_worker().state.nthreads):
        steps = job(part)
        try:
            for _ in steps:
                if stop.exists():
                    return
        finally:
            steps.close()
