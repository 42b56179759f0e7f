"""What was measured on this machine, kept in one small file of the user's cache for the next time."""

from __future__ import annotations

import json
import platform
from functools import lru_cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from napari_spectrai.files import write_text

MOST = 300
"""Number of measurements that are kept, the newest."""
WORTH = 0.1
"""Seconds that a faster way of computing a network has to save: folding takes a little less. Below, the network is computed as it is."""


@lru_cache(maxsize=1)
def processor() -> str:
    """Return the name of the processor: measurements on one do not apply to another, which may share the user's folders."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def recalled(key: str) -> Any:
    """Return what was measured for `key`, or None."""
    return _all().get(key)


def keep(key: str, value: Any) -> None:
    """Keep a measurement, unless the cache cannot be written: then it is measured again the next time."""
    known = {name: kept for name, kept in _all().items() if name != key} | {key: value}
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        write_text(_file(), json.dumps(dict(list(known.items())[-MOST:])), durable=False)
    except OSError:
        return


def _file() -> Path:
    return user_cache_path("napari-spectrai", appauthor=False) / "measured.json"


def _all() -> dict[str, Any]:
    try:
        known = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):  # none yet, or damaged
        return {}
    return known if isinstance(known, dict) else {}
