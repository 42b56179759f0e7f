"""What the parts of a job have done, in the folder ``parts`` of their common output, so that any of them can be repeated or resumed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_spectrai import swap
from napari_spectrai.files import write_text, writing
from napari_spectrai.parsing import refuse_special
from napari_spectrai.runs import lock
from napari_spectrai.runs.events import Progress
from napari_spectrai.runs.part import Part, Rectangle
from napari_spectrai.runs.part_chunks import WrittenChunks
from napari_spectrai.runs.part_files import (
    UNREADABLE,
    Arrays,
    DamagedRecordError,
    NamedArray,
    load,
    mapping,
    naming,
    published,
    save,
    write_plan,
)
from napari_spectrai.runs.part_plan import OtherJobError, compare
from napari_spectrai.runs.part_state import State

FOLDER = "parts"
STOP = "stop-"
"""Prefix of the files by which running tasks are stopped."""
RECORD = 4
"""Version of the record, among what all parts have to share."""
_LOOK = 0.1
"""Seconds between looks at a lock that another process holds."""
_PLAN, _FINISHED, _ARRAY = "plan.json", "finished.json", "zarr.json"


@dataclass(frozen=True, slots=True)
class PartRecord:
    """The record of a job in parts.

    Parameters
    ----------
    output : Path
        The store that all parts write into.
    count : int
        How many parts there are.
    """

    output: Path
    count: int

    @property
    def folder(self) -> Path:
        """Where the record is."""
        return self.output / FOLDER

    @classmethod
    def begin(cls, output: Path, plan: Mapping[str, Any], create: Callable[[Path], object] = Path.mkdir) -> PartRecord:
        """Return the record of a job, started now or by another part.

        Parameters
        ----------
        plan : mapping
            What all parts have to share, as plain values; among them ``count``.
        create : callable
            Makes the output, a store, under a temporary name; default: a folder.

        Raises
        ------
        OtherJobError (a ValueError)
            If the output was started with another plan, or exists and was not written in parts.
        """
        plan = json.loads(json.dumps(dict(plan)))
        record = cls(output, int(plan["count"]))
        if not (record.folder / _PLAN).exists():
            if os.path.lexists(output):
                raise OtherJobError(f"{output} exists and was not written in parts; remove it, or choose another output")
            if not output.parent.is_dir():
                raise FileNotFoundError(f"{output.parent}: no such folder, to write {output.name} into; make it first, or choose another")

            def both(folder: Path) -> None:
                create(folder)
                write_plan(folder / FOLDER / _PLAN, plan)

            with writing(output):
                published(output, both)
        compare(output, record.plan, plan)
        return record

    @staticmethod
    def started(output: Path) -> int | None:
        """Return in how many parts an output was started; None if it was not."""
        if not (output / FOLDER / _PLAN).exists():
            return None
        return Part(1, PartRecord(output, 1).plan["count"]).count

    @property
    def plan(self) -> dict[str, Any]:
        """What all parts share, as the first one wrote it."""
        with naming(self.folder / _PLAN, self.output):
            plan: dict[str, Any] = mapping(self.folder / _PLAN)
            if type(plan["count"]) is not int:
                raise TypeError("the number of parts is no number")
        return plan

    # ---------------------------------------------------------------- states of parts

    def state(self, number: int) -> State:
        """Return how far a part is; where that is not known, it is computed again."""
        path = self._path(number)
        try:
            state = State(**mapping(path)) if path.exists() else State()
        except UNREADABLE:
            return State()
        return state if state.is_possible else State()

    def keep(self, number: int, state: State) -> None:
        """Record how far a part is."""
        text = json.dumps({name: getattr(state, name) for name in State.__dataclass_fields__})
        write_text(self._path(number), text, durable=state.finished)

    def _path(self, number: int, suffix: str = ".json") -> Path:
        return self.folder / f"part-{number:06d}{suffix}"

    def progress(self) -> Progress:
        """Return the progress of all parts together."""
        states = [self.state(number) for number in range(1, self.count + 1)]
        done = sum(1.0 if state.finished else state.done / state.total if state.total else 0.0 for state in states)
        return Progress(int(1000 * done), 1000 * self.count)

    @property
    def missing(self) -> list[int]:
        """The numbers of the parts that are not finished."""
        return [number for number in range(1, self.count + 1) if not self.state(number).finished]

    def followed(
        self, part: Part, run: Callable[[int, Callable[[int], object]], Generator[Progress, None, None]], total: int, notes: Sequence[str],
        *, wrote: Sequence[Rectangle] = (),
    ) -> Generator[Progress, None, None]:  # fmt: skip
        """Do the steps of a part that are not done yet, and record each.

        Parameters
        ----------
        run : callable
            Given the number of steps to leave out and a function to call with the number of steps that are finished, yields progress.
        total : int
            Number of steps.
        notes : sequence of str
            Remarks on the result of this part.
        wrote : sequence of Rectangle
            What the part writes of the output, where that is the result; the sizes of its chunks are recorded.
        """

        def keep(done: int) -> None:
            self.keep(part.number, State(done, total))

        done = self.state(part.number).done
        if done and wrote and self._chunks.drop_empty(wrote):
            done = 0
        with writing(self.output):
            yield from run(done, keep)
            if wrote:
                self._chunks.keep(part.number, wrote)
        self.keep(part.number, State(total, total, finished=True, notes=list(notes)))

    @contextmanager
    def working(self, part: Part) -> Iterator[None]:
        """Hold a part, so that no other process does it at the same time.

        Raises
        ------
        HeldError (a RuntimeError)
            If another process does it.
        """
        with self._held(
            self._path(part.number, ".lock").name, f"another process is working on part {part} of {self.output}; wait until it ends"
        ):
            yield

    @contextmanager
    def _held(self, name: str, words: str) -> Iterator[None]:
        path = self.folder / name
        try:
            with writing(self.output):
                lock.hold(path, alone=False)
        except lock.HeldError as error:
            raise lock.HeldError(words) from error
        try:
            yield
        finally:
            lock.release(path)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other process completes the job, and hold it."""
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self._held("finish.lock", f"another process is completing {self.output}"))
                    break
                except lock.HeldError:
                    time.sleep(_LOOK)
            yield

    # ---------------------------------------------------------------- what parts share and leave

    def array(self, name: str, create: Callable[[Path], object]) -> Any:
        """Return a Zarr array that all parts write into, in the record, or (without a name) the output itself; the first part makes it."""
        place = self.folder / name if name else self.output
        if not (place / _ARRAY).exists():
            swap.sweep(self.folder)
            temporary = swap.temporary_name(self.folder / "array.zarr")
            try:
                with writing(self.output):
                    create(temporary)
                    place.mkdir(exist_ok=True)
                    (temporary / _ARRAY).replace(place / _ARRAY)
            finally:
                swap.remove(temporary)
                swap.finished(temporary)
        return self.opened(name)

    def opened(self, name: str) -> Any:
        """Return a Zarr array in the record, or (without a name) the output itself, which must be there.

        Raises
        ------
        DamagedRecordError (a ValueError)
            If it is not, or cannot be read.
        """
        import zarr

        place = self.folder / name if name else self.output
        with naming(place, self.output):
            refuse_special(place / _ARRAY)
            with zarr.config.set({"array.write_empty_chunks": True}):  # so that a chunk that is not there was lost
                return NamedArray(zarr.open_array(place, mode="r+"), place, self.output)

    @property
    def _chunks(self) -> WrittenChunks:
        return WrittenChunks(self.output, self.opened(""), [self._path(number, ".npz") for number in range(1, self.count + 1)])

    def refuse_changed(self) -> None:
        """Refuse an output of which chunks are gone or have another size than when their part had finished.

        Before the result is complete, such a part is computed again when its command is repeated.

        Raises
        ------
        DamagedRecordError (a ValueError)
        """
        changed = self._chunks.changed()
        if not changed:
            return
        parts = ", ".join(f"{number}/{self.count}" for number in changed)
        words = (
            f"{self.output}: {sum(map(len, changed.values())):,} chunks are not as part {parts} has written them: gone, or of another size"
        )
        if (self.folder / _FINISHED).exists():
            raise DamagedRecordError(f"{words}; remove {self.output.name} and compute its parts again, or choose another output")
        for number, some in changed.items():
            self._path(number).unlink(missing_ok=True)
            self._chunks.drop(some)
        raise DamagedRecordError(f"{words}; repeat the command, which computes again what is damaged")

    def changing(self) -> AbstractContextManager[None]:
        """Let a body change what the finished parts have written of the output."""
        return self._chunks.changing()

    def refuse_holes(self, *names: str) -> None:
        """Refuse arrays, named as in `opened`, of which chunks are not there that the finished parts have written.

        Raises
        ------
        DamagedRecordError (a ValueError)
        """
        for name in names:
            array = self.opened(name)
            with naming(self.folder / name if name else self.output, self.output):
                if lost := array.nchunks - array.nchunks_initialized:
                    raise ValueError(f"{lost:,} of {array.nchunks:,} chunks that its parts have written are gone")

    def shared(self, name: str, compute: Callable[[], Arrays]) -> Arrays:
        """Return what the first part has computed for all; parts that compute it at the same time use that of the first to finish."""
        place = self.folder / f"shared-{name}"
        if not place.exists():
            found = compute()
            with writing(self.output):
                published(place, lambda folder: save(folder, found))
        return load(place / "values.npz", self.output)

    # ---------------------------------------------------------------- the end

    @property
    def finished(self) -> list[str] | None:
        """The notes on the completed result; None until it is complete."""
        path = self.folder / _FINISHED
        if not path.exists():
            return None
        with naming(path, self.output):
            return [str(note) for note in list(mapping(path)["notes"])]

    def complete(self, finish: Callable[[], Sequence[str]]) -> list[str] | None:
        """Complete the job if every part is finished, and nobody has done so; return the notes on the result, None if parts are missing.

        Of parts that finish at the same time, one completes the job, and the others wait for it.
        """
        if self.finished is None and self.missing:
            return None
        notes = self._completed(finish)
        for item in (*self.folder.glob("*.zarr"), *self.folder.glob(f"{STOP}*")):  # also what a kill after the last part has left
            swap.remove(item)
        return notes

    def _completed(self, finish: Callable[[], Sequence[str]]) -> list[str]:
        if (notes := self.finished) is not None:
            return notes
        with self._turn():
            if (notes := self.finished) is not None:
                return notes
            notes = [*dict.fromkeys([*(note for number in range(1, self.count + 1) for note in self.state(number).notes), *finish()])]
            write_text(self.folder / _FINISHED, json.dumps({"notes": notes}))
        return notes
