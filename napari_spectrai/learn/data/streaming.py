"""Training data larger than memory: an excerpt is pooled for fits, validation and test, training batches are read from the files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from napari_spectrai.cube import Cube
from napari_spectrai.experiment import Experiment
from napari_spectrai.learn.data.blocks import PER_BUFFER, Block, Corners, Order, blocks_of, corners_in
from napari_spectrai.learn.data.dataset import Dataset
from napari_spectrai.learn.data.excerpt import Window, cut, cut_division, windows_of
from napari_spectrai.learn.data.filling import fine, note_on_lost, prepared
from napari_spectrai.learn.data.fingerprints import Fingerprints
from napari_spectrai.learn.data.pool import Samples
from napari_spectrai.learn.data.pooling import pool
from napari_spectrai.learn.data.scan import scan
from napari_spectrai.learn.stages import Say, silent
from napari_spectrai.plan.memory import MemoryPlan, bytes_of_pixel
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.reflection import reflect
from napari_spectrai.plan.remedies import refuse_empty
from napari_spectrai.plan.storage import Source
from napari_spectrai.plan.subsets import PARTS, TRAINING
from napari_spectrai.plan.truths import Truth
from napari_spectrai.preparation import Preparation
from napari_spectrai.valid import continue_into

Batch = tuple[Tensor, Tensor | None]
Group = list[tuple[Block, Corners]]


@dataclass(slots=True)
class Work:
    """What a stream has read so far.

    Attributes
    ----------
    blocks, pixels : int
        Number of blocks and of input pixels read.
    most_bytes : int
        Largest number of bytes of prepared spectra held at a time, with those that are being read.
    """

    blocks: int = 0
    pixels: int = 0
    most_bytes: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Training batches that are read from files, block by block, through a shuffle buffer that a thread fills.

    Parameters
    ----------
    data : Dataset
        The excerpt, whose layout and preparation batches have.
    sources, truths : list of Source
        The cubes, and their truths or none.
    division : Division
        Part of each pixel.
    order : Order
    seed : int
    """

    data: Dataset
    sources: list[Source]
    truths: list[Source]
    division: Division
    order: Order
    seed: int
    work: Work = field(default_factory=Work)

    def __len__(self) -> int:
        """Return the number of training samples."""
        return sum(block.count for block in self.order.blocks)

    @property
    def pixels(self) -> int:
        """Number of training pixels."""
        return sum(int(np.count_nonzero(labels == TRAINING)) for labels in self.division.maps)

    @property
    def images(self) -> int:
        """Number of images (planes) with training samples."""
        return len({(block.cube, block.region.z) for block in self.order.blocks})

    def batches(self, epoch: int, drawn: int, sizes: Sequence[int], device: torch.device) -> Iterator[Batch]:
        """Yield the last batches of an epoch of `drawn` samples, as `Dataset.batch` does.

        Parameters
        ----------
        sizes : sequence of int
            Their numbers of samples; what precedes them is not read.
        """
        skipped = drawn - sum(sizes)
        parts: list[Batch] = []
        held, wanted = 0, iter(sizes)
        size = next(wanted, None)
        windows = self._windows(epoch, drawn, skipped)
        while size is not None:
            window, samples = next(windows)
            start = 0
            while size is not None and start < len(samples):
                take = min(size - held, len(samples) - start)
                parts.append(window.batch(samples[start : start + take], device))
                start, held = start + take, held + take
                if held == size:
                    yield _joined(parts)
                    parts, held, size = [], 0, next(wanted, None)
            del window, samples  # before the next half is read

    def _windows(self, epoch: int, drawn: int, skipped: int) -> Iterator[tuple[Dataset, Samples]]:
        """Yield filled halves of the buffer with their samples in shuffled order; the next half is read meanwhile."""
        with ThreadPoolExecutor(1, thread_name_prefix="shuffle-buffer") as reader:
            waiting: Future[tuple[Dataset, Samples]] | None = None
            ready: Future[tuple[Dataset, Samples]] | None
            for number, group in enumerate(self.order.groups(self.seed, epoch, drawn)):
                count = sum(len(chosen) for _, chosen in group)
                if skipped >= count:
                    skipped -= count
                    continue
                ready, waiting = waiting, reader.submit(self._load, group, epoch, number, skipped)
                skipped = 0
                if ready is not None:
                    yield ready.result()
                del ready
            if waiting is not None:
                yield waiting.result()

    def _load(self, group: Group, epoch: int, number: int, skipped: int) -> tuple[Dataset, Samples]:
        """Read and prepare the blocks of a group, and shuffle their samples."""
        patch, times, data = self.division.layout.patch, self.data.times, self.data
        shapes = [tuple(max(patch, side) for side in block.extended.shape) if patch > 1 else block.extended.shape for block, _ in group]
        bases = np.cumsum([0, *(height * width for height, width in shapes)])
        inputs = torch.empty(int(bases[-1]), data.inputs.shape[1])
        truths = None if data.truths is None else torch.empty(int(bases[-1]) * times**2, data.truths.shape[1])
        holds = torch.empty(int(bases[-1]), dtype=torch.bool)
        first, column, row = [], [], []
        for (block, chosen), base, (height, width) in zip(group, bases[:-1].tolist(), shapes, strict=True):
            place = slice(base, base + height * width)
            x, held = self._prepared(self.sources, block, data.preparation, (height, width), 1)
            inputs[place], holds[place] = torch.from_numpy(x), torch.from_numpy(held)
            if truths is not None:
                y, _ = self._prepared(self.truths, block, data.preparation.for_target(), (height, width), times)
                truths[place.start * times**2 : place.stop * times**2] = torch.from_numpy(y)
            corners = corners_in(self.division, block)[chosen]
            first.append(base + corners[:, 0] * width + corners[:, 1])
            column.append(corners[:, 1])
            row.append(np.full(len(corners), width))
        firsts, columns, rows = (torch.from_numpy(np.concatenate(parts)) for parts in (first, column, row))
        samples = Samples(firsts, columns, rows, patch)
        order = np.random.default_rng((self.seed, epoch, len(self.order.blocks) + number)).permutation(len(samples))
        self._count(group, inputs, truths)
        window = replace(data, inputs=inputs, truths=truths, holds=None if bool(holds.all()) else holds, stream=None)
        return window, samples[torch.from_numpy(order[skipped:])]

    def _prepared(
        self, sources: list[Source], block: Block, preparation: Preparation, shape: tuple[int, ...], times: int
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the prepared spectra (n, λ) of a block, and which of its pixels hold data (n,); small images are reflected."""
        held = fine(self.division.data[block.cube], block.extended, times)
        done = prepared(sources[block.cube], block.extended.times(times), held, preparation)
        if self.division.layout.patch > 1:
            continue_into(done.spectra[None], (done.empty | done.gone)[None])
        spectra = reflect(done.spectra, [side * times for side in shape])
        after = [(0, whole * times - side) for whole, side in zip(shape, held.shape, strict=True)]
        return spectra.reshape(-1, spectra.shape[-1]), np.pad(held, after).ravel()

    def _count(self, group: Group, inputs: Tensor, truths: Tensor | None) -> None:
        work = self.work
        work.blocks, work.pixels = work.blocks + len(group), work.pixels + len(inputs)
        size = 4 * (inputs.nelement() + (0 if truths is None else truths.nelement()))
        work.most_bytes = max(work.most_bytes, 2 * size)


def _joined(parts: list[Batch]) -> Batch:
    if len(parts) == 1:
        return parts[0]
    given = torch.cat([x for x, _ in parts])
    if all(y is None for _, y in parts):
        return given, None
    return given, torch.cat([x if y is None else y for x, y in parts])  # without a truth, `y` marks pixels without data


def stream(
    experiment: Experiment, cubes: Sequence[Cube], truths: Sequence[Truth], division: Division, plan: MemoryPlan, say: Say = silent
) -> Dataset:
    """Return the excerpt of data larger than memory, with a stream of all training data.

    Raises
    ------
    ValueError
        If a part has no samples, with the remedy.
    """
    sharp = [truth for truth in truths if isinstance(truth, Cube)]
    sources, sources_of_truths = [Source(cube) for cube in cubes], [Source(truth) for truth in sharp]
    times = experiment.task.enlarges if experiment.task.needs_truth else 1
    a_pixel = bytes_of_pixel(cubes, truths, experiment)
    group_pixels = max(1, plan.buffer // 2 // a_pixel)
    values = group_pixels * cubes[0].shape[-1] // PER_BUFFER
    blocks = blocks_of(division, sources, values)
    most = plan.excerpt // a_pixel
    windows = windows_of(division, most, _spread(division, blocks))
    held = {PARTS[part] for _, _, part in windows}
    refuse_empty(experiment, division, sorted(held), cubes, truths)
    part = cut_division(division, windows)
    data = pool(experiment, cut(cubes, windows), cut(sharp, windows, times), part)
    known, lost = scan(division, sources, sources_of_truths, data.preparation, times, say)
    if lost:
        division.notes.append(note_on_lost(lost))
        blocks = blocks_of(division, sources, values)
    order = Order(blocks, division.layout.patch, group_pixels, experiment.data.per_image)
    if experiment.training.start is not None and experiment.training.start.is_file():
        known |= Fingerprints.load(experiment.training.start)
    notes = [plan.words, _words(division, data, windows), *division.notes, *(note for note in data.notes if note not in part.notes)]
    names = [f"{cube.name or 'unnamed'} ({cube.count:,} spectra)" for cube in cubes]
    has_holes = not all(one.all() for one in division.data)
    holds = torch.ones(len(data.inputs), dtype=torch.bool) if has_holes and data.holds is None else data.holds
    data = replace(data, names=names, notes=notes, fingerprints=known, holds=holds, divided=division.maps)
    return replace(data, stream=Stream(data, sources, sources_of_truths, division, order, experiment.training.seed))


def _spread(division: Division, blocks: Sequence[Block]) -> list[tuple[int, Corners]]:
    """Return the corners of one training patch of each block, with the number of its cube."""
    if division.layout.patch == 1:
        return []
    found = []
    for block in blocks:
        corners = corners_in(division, block)
        y, x = corners[len(corners) // 2]
        found.append((block.cube, np.array([[block.region.z, block.region.y + y, block.region.x + x]])))
    return found


def _words(division: Division, data: Dataset, windows: Sequence[Window]) -> str:
    """Return what is computed on how many samples."""
    pixels = sum(int(np.count_nonzero(labels == TRAINING)) for labels in division.maps)
    fitted = int((data.labels == TRAINING).sum())
    counts = [f"{len(data.parts[name]):,} samples for {name}" for name in ("validation", "test") if name in data.parts]
    return (
        f"An evenly spread excerpt of {len(windows):,} windows is kept in memory: the preparation, classical methods and other fits use "
        f"{fitted:,} of the {pixels:,} training spectra; {' and '.join(counts)} are scored."
    )
