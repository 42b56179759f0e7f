"""Untrusted YAML and JSON: plain data, limited in size, depth and expansion; whatever is wrong is a ValueError."""

from __future__ import annotations

import json
import re
import reprlib
import stat
from pathlib import Path
from typing import Any

import yaml

LARGEST = 2**25
"""Bytes of a document, 32 MB."""
DEEPEST = 100
"""Levels of nested lists and mappings."""
MOST_REPEATED = 100_000
"""Entries that aliases may add to those that are written out."""
LONGEST_NUMBER = 400
"""Characters of a number; the largest float has 309 digits."""

_PRIVATE = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_BACK = {private: byte for byte, private in _PRIVATE.items()}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Controls of terminals, and marks that change the direction in which the rest of a line is read."""
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_brief = reprlib.Repr()
_brief.maxlevel, _brief.maxstring, _brief.maxother = 3, 60, 60


def brief(value: Any, most: int = 80) -> str:
    """Return a value as text of at most `most` characters, however large it is."""
    try:
        return _brief.repr(value)[:most]
    except (ValueError, RecursionError):  # an integer of too many digits
        return f"a {type(value).__name__}"


def printable(text: str) -> str:
    """Return a text whose control characters are written out, except the ends of lines and tabs: a terminal would obey them."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def refuse_special(path: str | Path) -> None:
    """Refuse what is neither a file nor a folder: a device or a pipe, which may never end, or never begin.

    Raises
    ------
    ValueError
        If `path` is, or leads to, something of that kind.
    """
    try:
        mode = Path(path).stat().st_mode
    except OSError:  # whoever opens it says what is wrong
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ValueError(f"{path} is a device or a pipe and no file; choose a file, or save in one what it gives")


def read_document(path: str | Path) -> str:
    """Return the text of a document, which must be UTF-8 and not larger than `LARGEST`."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    refuse_special(path)
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path} holds {size:,} bytes; a document has at most {LARGEST:,}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}; save it as UTF-8") from error


def parse_yaml(text: str, where: str = "the document") -> Any:
    """Return the contents of a YAML document; nothing in it is executed.

    Raises
    ------
    ValueError
        If it is not YAML, too large, too deeply nested, repeats itself too often by aliases, holds a number of too many digits, or gives a
        name twice.
    """
    if len(text) > LARGEST:
        raise ValueError(f"{where} holds {len(text):,} characters; a document has at most {LARGEST:,}")
    if any("\udc80" <= one <= "\udcff" for one in set(text)):  # bytes of a file's name that are no UTF-8, which YAML does not know
        return _restored(parse_yaml(text.translate(_PRIVATE), where))
    try:
        _refuse_excess(text, where)
        _refuse_doubtful_keys(text, where)
        return yaml.load(text, Loader=_loader(text))  # noqa: S506  # a safe loader, the faster one where it is available
    except (yaml.YAMLError, UnicodeError) as error:
        raise ValueError(f"{where} is not a YAML document: {_one_line(error)}") from error
    except RecursionError as error:
        raise ValueError(f"{where} is not a usable YAML document: it contains itself; write it out without aliases") from error
    except (ValueError, TypeError, OverflowError, KeyError) as error:
        if str(error).startswith(where):
            raise
        raise ValueError(f"{where} is not a usable YAML document: {error}") from error


def _restored(value: Any) -> Any:
    """Return parsed contents with the bytes that stood for themselves as private characters."""
    if isinstance(value, str):
        return value.translate(_BACK)
    if isinstance(value, list):
        return [_restored(one) for one in value]
    if isinstance(value, dict):
        return {_restored(name): _restored(one) for name, one in value.items()}
    return value


def _one_line(error: Exception) -> str:
    """Return what is wrong with a document and where, without the lines that the parser quotes."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())
    words = " ".join(filter(None, (getattr(error, "context", None), getattr(error, "problem", None))))
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}"


def _loader(text: str) -> Any:
    # the faster one cannot read names of files that are not UTF-8, which are written as \\uDCxx
    return yaml.SafeLoader if re.search(r"\\u[dD][cC]", text) else _Loader


def _refuse_excess(text: str, where: str) -> None:
    """Walk through the document once without building it; raise if its contents would exceed the bounds."""
    sizes: dict[str, int] = {}
    stack: list[tuple[str | None, int]] = []
    written = 0
    count = 0
    for event in yaml.parse(text, Loader=_loader(text)):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes and any(name == event.anchor for name, _ in stack):
                raise ValueError(f"{where}: *{event.anchor} stands inside &{event.anchor} itself; write it out without aliases")
            count += sizes.get(event.anchor or "", 1)
        elif isinstance(event, yaml.ScalarEvent):
            if event.implicit[0] and len(event.value) > LONGEST_NUMBER and event.value[:1] in "+-.0123456789" and " " not in event.value:
                raise ValueError(
                    f"{where}: {event.value[:20]!r}… is a number of {len(event.value):,} characters; at most {LONGEST_NUMBER} fit"
                )
            count, written = count + 1, written + 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            stack.append((event.anchor, count))
            count, written = count + 1, written + 1
            if len(stack) > DEEPEST:
                raise ValueError(f"{where} is nested more than {DEEPEST} levels deep; no document of ours is")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = stack.pop()
            if anchor:
                sizes[anchor] = count - before
        if count - written > MOST_REPEATED:
            raise ValueError(f"{where}: its aliases repeat more than {MOST_REPEATED:,} entries; write out what is needed")


def _refuse_doubtful_keys(text: str, where: str) -> None:
    """Raise where a mapping has a name twice, of which YAML would use the last one in silence, or where a name is no text."""
    open_: list[dict[str, int] | None] = []  # names of each open mapping with their lines; None for a list
    keys: list[bool] = []  # whether a name comes next in each of them
    for event in yaml.parse(text, Loader=_loader(text)):
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            keys.pop()
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        known = open_[-1] if open_ else None
        if known is not None and keys[-1] and not isinstance(event, yaml.AliasEvent):
            line = 0 if event.start_mark is None else event.start_mark.line + 1
            if not isinstance(event, yaml.ScalarEvent):
                raise ValueError(f"{where}: line {line}: the name of a setting is a word, not a list or a mapping")
            if event.value in known and event.value != "<<":
                raise ValueError(f"{where}: {brief(event.value)} is given twice, in lines {known[event.value]} and {line}; keep one")
            known[event.value] = line
        if known is not None:
            keys[-1] = not keys[-1]
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append({} if isinstance(event, yaml.MappingStartEvent) else None)
            keys.append(isinstance(event, yaml.MappingStartEvent))


def parse_json(text: str | bytes, where: str = "the document") -> Any:
    """Return the contents of a JSON document.

    Raises
    ------
    ValueError
        If it is not JSON, too large, too deeply nested, or holds an integer of too many digits.
    """
    if len(text) > LARGEST:
        raise ValueError(f"{where} holds {len(text):,} bytes of JSON; at most {LARGEST:,} are read")
    try:
        found = json.loads(text, parse_int=_whole)
    except RecursionError as error:
        raise ValueError(f"{where} is nested too deeply to be read") from error
    except (ValueError, UnicodeError) as error:
        raise ValueError(f"{where} is no usable JSON: {error}") from error
    _refuse_depth(found, where)
    return found


def _whole(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(f"a whole number of {len(digits):,} digits; at most {LONGEST_NUMBER} fit")
    return int(digits)


def _refuse_depth(value: Any, where: str) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for item in level if isinstance(item, dict | list) for inner in (item.values() if isinstance(item, dict) else item)]
        level = [item for item in level if isinstance(item, dict | list)]
        if not level:
            return
    raise ValueError(f"{where} is nested more than {DEEPEST} levels deep; no document of ours is")
