"""Writing without ever leaving half a file: a temporary name, then a rename."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STORE = ("zarr.json", ".zarray", ".zgroup", ".zattrs")
_ELSEWHERE = "choose a folder that can be written"
_REMEDIES = {errno.ENOSPC: "free some space there, and go on", errno.EROFS: _ELSEWHERE, errno.EACCES: _ELSEWHERE, errno.EPERM: _ELSEWHERE}


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it takes `path`'s place.

    Works for a file, for a folder (a Zarr store), and for files that belong together: what the body writes beside the
    temporary under the same stem comes along, before the file itself. If the body raises, all of it is removed and
    whatever stood at `path` before is untouched.
    """
    path = Path(path)
    if path.is_dir():
        _refuse_foreign(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(error.errno, f"{os.strerror(error.errno or 0)}: {_ELSEWHERE}", str(path.parent)) from error
    # the suffix stays, since writers choose their format by it
    temporary = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.partial{path.suffix}")
    try:
        yield temporary
        for companion in _companions(temporary):
            companion.replace(path.with_name(companion.name.replace(temporary.stem, path.stem, 1)))
        if path.is_dir():
            _refuse_foreign(path)
            shutil.rmtree(path)
        temporary.replace(path)
    except BaseException as error:
        for companion in _companions(temporary):
            companion.unlink(missing_ok=True)
        if temporary.is_dir():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno in _REMEDIES:
            words = f"{os.strerror(error.errno)}: {_REMEDIES[error.errno]}; what was saved before is untouched"
            raise type(error)(error.errno, words, str(path)) from error
        if isinstance(error, OSError) and error.errno is not None and error.filename == str(temporary):  # a name that nobody has given
            raise type(error)(error.errno, error.strerror, str(path)) from error
        raise


def _refuse_foreign(folder: Path) -> None:
    """Refuse to put a file in the place of a folder that is not a Zarr store."""
    if any(folder.iterdir()) and not any((folder / mark).exists() for mark in _STORE):
        raise FileExistsError(f"{folder} is a folder with other things in it; choose another name, or remove it yourself")


def _companions(temporary: Path) -> list[Path]:
    return [other for other in temporary.parent.iterdir() if other.name.startswith(temporary.stem) and other != temporary]


def write_text(path: str | Path, text: str) -> None:
    """Write `text` to `path` in one step, as UTF-8."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
