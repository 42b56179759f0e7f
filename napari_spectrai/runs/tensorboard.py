"""Curves of a run as an event file that TensorBoard shows, written without it: records with checksums, each a protocol buffer."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from napari_spectrai.files import replacing
from napari_spectrai.runs.curves import curves
from napari_spectrai.runs.folder import RunFolder

_CASTAGNOLI = 0x82F63B78
_MASK = 0xA282EAD8


def write_tensorboard(folder: RunFolder, path: str | Path) -> Path:
    """Write the losses, metrics and learning rate of each epoch into a folder for TensorBoard; return the event file.

    Parameters
    ----------
    folder : RunFolder
    path : str or Path
        Folder, which is created; ``tensorboard --logdir`` takes it, or the one around several of them.

    Raises
    ------
    ValueError
        If no epoch of the run has ended.
    """
    rows = curves(folder)
    if not rows:
        raise ValueError(f"{folder.path} has no epochs: it is new, or a method that is fitted in one step; its scores are in the report")
    ended = folder.journal.stat().st_mtime
    left = sum(row["seconds"] for row in rows)
    file = Path(path) / f"events.out.tfevents.{ended - left:.0f}.napari-spectrai"
    with replacing(file) as temporary, temporary.open("wb") as out:
        out.write(_record(_event(ended - left, version="brain.Event:2")))
        for row in rows:
            left -= row["seconds"]
            values = {f"loss/{name}": row[name] for name in ("training", "validation")} | {"lr": row["lr"]}
            values |= {f"validation/{name}": row[name] for name in row if name not in (*_OTHERS, "training", "validation", "lr")}
            out.write(_record(_event(ended - left, step=row["epoch"], values=values)))
    return file


_OTHERS = ("epoch", "best", "seconds")


def _event(time: float, *, step: int = 0, version: str = "", values: dict[str, float] | None = None) -> bytes:
    """Return an Event: wall_time = 1, step = 2, file_version = 3, summary = 5."""
    parts = [b"\x09", struct.pack("<d", time), b"\x10", _varint(step)]
    if version:
        parts += [b"\x1a", _sized(version.encode())]
    if values:
        parts += [b"\x2a", _sized(b"".join(_values(values)))]
    return b"".join(parts)


def _values(values: dict[str, float]) -> Iterator[bytes]:
    """Yield each value of a Summary (1): tag = 1, simple_value = 2."""
    for tag, value in values.items():
        yield b"\x0a" + _sized(b"\x0a" + _sized(tag.encode()) + b"\x15" + struct.pack("<f", value))


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def _sized(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _record(content: bytes) -> bytes:
    length = struct.pack("<Q", len(content))
    return length + _checksum(length) + content + _checksum(content)


def _checksum(content: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ _CASTAGNOLI * (crc & 1)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + _MASK) & 0xFFFFFFFF)
