"""The processes of one training: process 0 gives orders, all of them compute their share of each batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from itertools import pairwise
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from napari_spectrai.runs.launcher import Rank


class Order(IntEnum):
    """What process 0 asks the others to do."""

    END = 0
    PREPARE = 1
    """Take over the experiment, read the data and build the network."""
    REPORT = 2
    """Say whether that has succeeded."""
    BEGIN = 3
    """Take over the weights, the state of the optimiser and the position."""
    STEP = 4
    VALIDATE = 5
    ADVANCE = 6
    """Go on to the next epoch; with the validation score, for schedules that follow it."""


class ProcessLostError(RuntimeError):
    """Another process of the training has ended, or cannot be reached."""


class ProcessGroup:
    """The processes of one training, of which this is one.

    Parameters
    ----------
    rank : Rank
    why : callable, optional
        Returns what is known of a process that was lost, as the end of a sentence.

    Attributes
    ----------
    busy : bool
        Whether the processes may be in the middle of an order, and not wait for the next one: also after an error within it.

    Notes
    -----
    Each process draws every batch as a whole, from the same random numbers, and computes its share of the samples. The outputs are
    gathered, so that each loss is that of the whole batch, also where it is no mean over samples; gradients are summed. The training is
    thus the same as that of one process, within rounding, but for dropout, whose masks are drawn by each process.
    """

    def __init__(self, rank: Rank | None = None, why: Callable[[], str] = str) -> None:
        self.rank = rank or Rank()
        self.busy = False
        self._why = why

    @property
    def size(self) -> int:
        """Number of processes."""
        return self.rank.size

    @property
    def leads(self) -> bool:
        """Whether this is process 0, which alone writes files."""
        return self.rank.number == 0

    # ------------------------------------------------------------------ orders

    def announce(self, order: Order, value: float = 0.0) -> None:
        """Give an order to the other processes."""
        if self.size > 1:
            # a tensor of the CPU: no GPU is waited for
            self._together(dist.broadcast, torch.tensor([order, value], dtype=torch.float64), 0)

    @contextmanager
    def ordered(self, order: Order, value: float = 0.0) -> Iterator[None]:
        """Give an order that process 0 carries out, too, in this context."""
        self.announce(order, value)
        self.busy = self.size > 1
        yield
        self.busy = False

    def listen(self) -> tuple[Order, float]:
        """Wait for an order; return it with its value."""
        word = torch.zeros(2, dtype=torch.float64)
        self._together(dist.broadcast, word, 0)
        return Order(int(word[0])), float(word[1])

    def shared(self, content: bytes = b"") -> bytes:
        """Return the bytes of process 0, in all processes: tensors and plain text, since nothing from a connection is unpickled."""
        if self.size == 1:
            return content
        length = torch.tensor([len(content)])
        self._together(dist.broadcast, length, 0)
        sent = _as_tensor(content, int(length)) if self.leads else torch.zeros(int(length), dtype=torch.uint8)
        self._together(dist.broadcast, sent, 0)
        return sent.numpy().tobytes()

    def gathered(self, text: str) -> list[str]:
        """Return the texts of all processes."""
        if self.size == 1:
            return [text]
        content = text.encode()
        lengths = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        self._together(dist.all_gather, lengths, torch.tensor([len(content)]))
        longest = max(int(length) for length in lengths)
        received = [torch.zeros(longest, dtype=torch.uint8) for _ in range(self.size)]
        self._together(dist.all_gather, received, _as_tensor(content, longest))
        return [one[: int(length)].numpy().tobytes().decode() for one, length in zip(received, lengths, strict=True)]

    # ------------------------------------------------------------------ tensors

    def divided(self, compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Return ``compute(x)`` in float32, of which each process computes its share of the samples.

        Gradients flow into the own share alone.
        """
        if self.size == 1 or len(x) < self.size:
            return compute(x).float()
        ends = [len(x) * number // self.size for number in range(self.size + 1)]
        own = compute(x[ends[self.rank.number] : ends[self.rank.number + 1]]).float()
        counts = [end - start for start, end in pairwise(ends)]
        sent = own.new_zeros(max(counts), *own.shape[1:])
        sent[: len(own)] = own.detach()
        received = [torch.empty_like(sent) for _ in counts]
        self._together(dist.all_gather, received, sent)
        shares = [one[:count] for one, count in zip(received, counts, strict=True)]
        shares[self.rank.number] = own
        return torch.cat(shares)

    def stacked(self, values: Tensor) -> Tensor:
        """Return the values of all processes, (processes, …)."""
        received = [torch.empty_like(values) for _ in range(self.size)]
        self._together(dist.all_gather, received, values.contiguous())
        return torch.stack(received)

    def sum(self, values: Tensor) -> Tensor:
        """Return the sum over all processes, in place."""
        self._together(dist.all_reduce, values)
        return values

    def copy(self, module: nn.Module) -> None:
        """Let a module of all processes have the weights and buffers that it has in process 0."""
        if self.size > 1:
            for values in module.state_dict().values():
                self._together(dist.broadcast, values, 0)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace the gradients by their sums over all processes."""
        if self.size == 1:
            return
        gradients = [one.grad for one in parameters if one.grad is not None]
        whole = self.sum(torch.cat([one.reshape(-1) for one in gradients]))
        for one, summed in zip(gradients, whole.split([one.numel() for one in gradients]), strict=True):
            one.copy_(summed.view_as(one))

    def _together(self, collective: Callable[..., Any], *arguments: Any) -> None:
        try:
            collective(*arguments)
        except RuntimeError as error:  # torch has no type of its own for a peer that is gone
            who = self._why() or "another process ended, or cannot be reached"
            raise ProcessLostError(
                f"this training lost one of its {self.size} processes: {who}. What it had saved is kept; resume the run, with as many "
                "devices or another number of them"
            ) from error


def _as_tensor(content: bytes, length: int) -> Tensor:
    """Return bytes as a tensor of a length, padded with zeros."""
    return torch.frombuffer(bytearray(content.ljust(length, b"\0")), dtype=torch.uint8) if length else torch.zeros(0, dtype=torch.uint8)


ALONE = ProcessGroup()
"""A single process, which computes everything."""
