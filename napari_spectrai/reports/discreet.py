"""Privacy of reports: they name files, but neither their folders nor the machine."""

from __future__ import annotations

import platform
import re
from typing import Any

_PATH = re.compile(r"""(?<![\w./:<])(?:[A-Za-z]:\\|\\\\|/|~/)(?:[^\s/\\'"<>|:;,()\[\]]+[/\\])+(?=[^\s/\\'"<>|:;,()\[\]])""")


def discreet(text: str) -> str:
    """Return text in which absolute paths are shortened to the names of their files, and the name of this machine is replaced."""
    host = platform.node()
    shown = _PATH.sub("", text)
    return re.sub(rf"(?<!\w){re.escape(host)}(?!\w)", "this machine", shown) if len(host) > 3 else shown


def without_folders(plain: Any) -> Any:
    """Return plain data with `discreet` applied to all its texts."""
    if isinstance(plain, dict):
        return {name: without_folders(value) for name, value in plain.items()}
    if isinstance(plain, list):
        return [without_folders(value) for value in plain]
    return _name(plain) if isinstance(plain, str) else plain


def _name(text: str) -> str:
    """Return a path's last part, where the whole text is an absolute path; it may contain spaces."""
    whole = re.fullmatch(r"(?:[A-Za-z]:[\\/]|\\\\|/)(?:[^\n]*[/\\])?([^/\\\n]+)[/\\]?", text)
    return whole[1] if whole else discreet(text)
