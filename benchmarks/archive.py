"""How long an archive takes in parts, and what it costs: workers that are lost at random, parts that continue or start again.

    python benchmarks/archive.py --terabytes 1000 --workers 256 --rate 40 --failures 0.05 --price 0.08

Prints a table by the number of parts: wall time, the work that was lost and repeated, and the cost. Nothing is computed on data; the
rate is one that was measured with ``napari-spectrai predict`` on one worker.
"""

from __future__ import annotations

import argparse
import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Outcome:
    """Hours from the start to the end, worker hours that were paid, and the share of them that was lost."""

    hours: float
    paid: float
    lost: float


def simulated(
    parts: int, total: float, workers: int, failures: float, start: float, step: float, restart: float, generator: np.random.Generator
) -> Outcome:
    """Simulate parts that workers take one after another.

    Parameters
    ----------
    parts : how many parts there are
    total : worker hours of all of them
    workers : how many work at a time
    failures : losses of a worker per hour at work (spot machines, memory, power)
    start : hours from the start of a part to its first tile: import, model, plan
    step : hours of a step of a part, the work that a loss repeats at most
    restart : hours until a lost worker is replaced
    """
    free = [0.0] * workers
    heapq.heapify(free)
    paid = lost = end = 0.0
    for _ in range(parts):
        now, left = heapq.heappop(free), total / parts
        while True:
            until = generator.exponential(1 / failures) if failures else np.inf
            if until >= start + left:
                now, paid = now + start + left, paid + start + left
                break
            kept = max(0.0, until - start) // step * step if step else max(0.0, until - start)
            now, paid, lost, left = now + until + restart, paid + until, lost + until - kept, left - kept
        lost += start
        end = max(end, now)
        heapq.heappush(free, now)
    return Outcome(end, paid, lost / paid)


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--terabytes", type=float, default=1000, help="size of the archive")
    options.add_argument("--rate", type=float, default=40, help="megabytes per second that one worker reads, computes and writes")
    options.add_argument("--workers", type=int, default=256)
    options.add_argument("--failures", type=float, default=0.05, help="losses of a worker per hour")
    options.add_argument("--start", type=float, default=60, help="seconds until a part begins to compute")
    options.add_argument("--step", type=float, default=5, help="seconds of a step, which a loss repeats")
    options.add_argument("--restart", type=float, default=300, help="seconds until a lost worker is replaced")
    options.add_argument("--price", type=float, default=0.08, help="price of a worker hour")
    given = options.parse_args()
    total = given.terabytes * 1e6 / given.rate / 3600
    print(f"{given.terabytes:g} TB at {given.rate:g} MB/s: {total:,.0f} worker hours on {given.workers} workers")
    print(f"{'parts':>9} {'TB each':>9} {'hours':>8} {'lost':>7} {'cost':>10} {'hours if lost parts start again':>33}")
    for per_worker in (1, 4, 16, 64, 256):
        parts = per_worker * given.workers
        hours = given.start / 3600, given.step / 3600, given.restart / 3600
        fixed = (parts, total, given.workers, given.failures)
        one = simulated(*fixed, *hours, np.random.default_rng(0))
        size = f"{parts:>9,} {given.terabytes / parts:>9.3f}"
        row = f"{size} {one.hours:>8.1f} {one.lost:>7.2%} {one.paid * given.price:>10,.0f}"
        whole = total / parts
        if whole * given.failures > 12:  # such a part would hardly ever come to its end
            print(f"{row} {'never':>33}")
            continue
        other = simulated(*fixed, hours[0], 2 * whole, hours[2], np.random.default_rng(0))
        print(f"{row} {other.hours:>33.1f}")


if __name__ == "__main__":
    main()
