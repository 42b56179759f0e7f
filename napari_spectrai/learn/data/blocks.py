"""Blocks of training samples in files larger than memory, and their order in an epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from napari_spectrai.plan.memory import SHOWN
from napari_spectrai.plan.partition import Division
from napari_spectrai.plan.patches import whole_patches
from napari_spectrai.plan.storage import Region, Source
from napari_spectrai.plan.subsets import TRAINING

PER_BUFFER = 8
"""Minimum number of blocks in half the shuffle buffer, as far as a patch allows."""

Corners = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Block:
    """The training samples whose first corners lie in a region of a cube; patches extend beyond it.

    Attributes
    ----------
    cube : int
        Number of the cube.
    region, extended : Region
        Where the first corners lie, and all pixels of the patches.
    count : int
        Number of samples.
    least : int
        Minimum number of pixels of a patch that hold data.
    """

    cube: int
    region: Region
    extended: Region
    count: int
    least: int


def blocks_of(division: Division, sources: Sequence[Source], values: int) -> list[Block]:
    """Return the blocks with training samples, of about so many values each, in the order of storage."""
    found: list[Block] = []
    for number, source in enumerate(sources):
        for least in [max(1, division.layout.patch**2 // 4), 1]:
            blocks = [_block(division, number, region, least) for region in _regions(source, division.layout.patch, values)]
            if any(block.count for block in blocks):
                found += [block for block in blocks if block.count]
                break
    return found


def _regions(source: Source, patch: int, values: int) -> Iterator[Region]:
    """Yield regions; for patches, with sides of at least twice the patch, since the pixels around are read as well."""
    if patch == 1:
        return source.regions(values)
    side = max(2 * patch, math.isqrt(max(1, values // source.bands)) - patch)
    return source.regions(values, least=side)


def _block(division: Division, number: int, region: Region, least: int) -> Block:
    _, rows, columns = division.shapes[number]
    beyond = division.layout.patch - 1
    extended = Region(region.z, region.y, min(rows, region.y_end + beyond), region.x, min(columns, region.x_end + beyond))
    block = Block(number, region, extended, 0, least)
    return Block(number, region, extended, len(corners_in(division, block)), least)


def corners_in(division: Division, block: Block) -> Corners:
    """Return the first corners (n, 2) of the samples of a block, relative to it."""
    labels, data = division.maps[block.cube][block.extended.key][None], division.data[block.cube][block.extended.key][None]
    patch = division.layout.patch
    if patch == 1:
        return np.argwhere(labels[0] == TRAINING)
    missing = [(0, 0), *((0, max(0, patch - side)) for side in division.shapes[block.cube][1:])]
    if any(after for _, after in missing):  # an image smaller than a patch is continued by reflection, which belongs to its part
        labels, data = np.pad(labels, missing, mode="edge"), np.pad(data, missing, mode="edge")
    found: Corners = whole_patches(labels, TRAINING, patch, data, block.least)[:, 1:]
    return found


@dataclass(frozen=True, slots=True)
class Order:
    """The order of the samples in an epoch: it follows from seed and epoch, so that a resumed training repeats it.

    Blocks are drawn at random, without repetition. Those that fill half the shuffle buffer form a group, within which samples are shuffled.
    """

    blocks: Sequence[Block]
    patch: int
    group_pixels: int
    per_image: int | None = None

    def groups(self, seed: int, epoch: int, drawn: int) -> Iterator[list[tuple[Block, Corners]]]:
        """Yield the blocks of each group, and numbers of their samples (n,); `drawn` samples in all."""
        group: list[tuple[Block, Corners]] = []
        pixels = 0
        for number, take in self._takes(np.random.default_rng((seed, epoch)), drawn):
            block = self.blocks[number]
            if group and pixels + block.extended.pixels > self.group_pixels:
                yield group
                group, pixels = [], 0
            group.append((block, _chosen(block.count, take, np.random.default_rng((seed, epoch, number)))))
            pixels += block.extended.pixels
        if group:
            yield group

    def _takes(self, rng: np.random.Generator, drawn: int) -> Iterator[tuple[int, int]]:
        """Yield numbers of blocks in random order, and how many samples each contributes."""
        if self.per_image is None:
            yield from self._share(rng.permutation(len(self.blocks)), drawn)
            return
        images: dict[tuple[int, int], list[int]] = {}
        for number, block in enumerate(self.blocks):
            images.setdefault((block.cube, block.region.z), []).append(number)
        found = [take for numbers in images.values() for take in self._share(rng.permutation(numbers), self.per_image)]
        yield from (found[place] for place in rng.permutation(len(found)))

    def _share(self, order: npt.NDArray[np.int64], drawn: int) -> list[tuple[int, int]]:
        counts = np.array([self.blocks[number].count for number in order])
        # of all samples each one; of a part, as many as show the pixels of a block several times, from fewer blocks
        takes = counts if drawn >= counts.sum() else np.minimum(counts, np.ceil(SHOWN * counts / self.patch**2)).astype(np.int64)
        if (factor := drawn / takes.sum()) > 1:
            takes = np.ceil(takes * factor).astype(np.int64)
        ends = np.minimum(np.cumsum(takes), drawn)
        parts = np.diff(ends, prepend=0)
        return [(int(number), int(take)) for number, take in zip(order, parts, strict=True) if take]


def _chosen(count: int, take: int, rng: np.random.Generator) -> Corners:
    """Return numbers of `take` samples out of `count`, each once before any is repeated."""
    whole, rest = divmod(take, count)
    return np.concatenate([*(np.arange(count) for _ in range(whole)), rng.choice(count, rest, replace=False)]).astype(np.int64)
