"""Memory maps: the pages that were read are released, so that a file larger than memory can be read through."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np


def mapped_file(array: Any) -> np.memmap[Any, Any] | None:
    """Return the memory map of a file that an array views; None if its values are in memory."""
    while array is not None:
        if isinstance(array, np.memmap):
            return array
        array = getattr(array, "base", None)
    return None


def release(array: Any) -> None:
    """Release the pages of the file that an array maps: until then, they count as memory of this process.

    Nothing is lost: values that are read again come from the file. Arrays in memory, and maps that may be written, are left alone.
    """
    whole = mapped_file(array)
    pages: Any = getattr(whole, "_mmap", None)
    if whole is not None and whole.mode == "r" and hasattr(mmap, "MADV_DONTNEED") and hasattr(pages, "madvise"):  # not on Windows
        pages.madvise(mmap.MADV_DONTNEED)
