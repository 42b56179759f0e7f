"""Numbers of classes in several labels: the same name has the same number everywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from napari_spectrai.labels import UNKNOWN, Labels, in_short


def in_one_numbering(labels: Sequence[Labels]) -> tuple[list[Labels], str]:
    """Return labels in which every named class has one number, that of the first labels with this name, and what was assumed.

    Names that were numbered separately, such as those of two tables, would otherwise be confused: number 1 is the first name of each.
    Numbers without a name keep their number, and so does 0 in images, which means unlabelled.

    Parameters
    ----------
    labels : sequence of Labels

    Returns
    -------
    labels : list of Labels
        The same objects where nothing changes.
    words : str
        What was renumbered, and which numbers without a name are taken for a named class, in sentences; empty if there are none.

    Raises
    ------
    ValueError
        If a number without a name would coincide with that of a named class.
    """
    numbers: dict[tuple[str, int], int] = {}
    owners: dict[int, str] = {}
    top = max((value for one in labels for value in (*one.values(None), *one.names)), default=0)
    found: list[Labels] = []
    changed: dict[str, tuple[int, int]] = {}
    for one in labels:
        moved: dict[int, int] = {}
        times: Counter[str] = Counter()
        for value, name in sorted(_named(one).items()):
            at = numbers.get((name, times[name]))  # labels may have a name twice
            if at is None or at in moved.values():
                at = value if value not in owners and value not in moved.values() else (top := top + 1)
                numbers.setdefault((name, times[name]), at)
                owners[at] = name
            moved[value] = at
            times[name] += 1
        if any(value != at for value, at in moved.items()):
            _refuse_ambiguous(one, moved)
            changed |= {one.names[value]: (value, at) for value, at in moved.items() if value != at}
            found.append(renumbered(one, moved))
        else:
            found.append(one)
    words = [_taken_by_number(found)]
    if changed:
        shown = in_short([f"{name} {value} → {at}" for name, (value, at) in sorted(changed.items())])
        words.insert(0, f"Labels number their classes differently; classes are matched by name ({shown}).")
    return found, " ".join(filter(None, words))


def _taken_by_number(labels: Sequence[Labels]) -> str:
    """Return a sentence on numbers without a name that other labels name."""
    named = [_named(one) for one in labels]
    names = {value: name for known in reversed(named) for value, name in known.items()}
    taken, owners = dict[int, str](), list[str]()
    for number, (one, known) in enumerate(zip(labels, named, strict=True), 1):
        met = {value: names[value] for value in one.values() if value in names and value not in known}
        taken |= met
        owners += [repr(one.name) if one.name else f"labels {number}"] if met else []
    if not taken:
        return ""
    shown = in_short([f"{value}: {name}" for value, name in sorted(taken.items())])
    return f"In {in_short(owners)}, numbers without a name are taken for the classes that other labels name ({shown})."


def on_the_numbers_of(known: Labels, names: Mapping[int, str], labels: Labels) -> tuple[Labels, str]:
    """Return labels with the class numbers of others, if both have names in common; otherwise unchanged.

    Parameters
    ----------
    known : Labels
        Whose numbers are kept.
    names : mapping of int to str
        Further names of these numbers.
    labels : Labels

    Returns
    -------
    labels : Labels
    words : str
        As from `in_one_numbering`.
    """
    first = replace(known, names={**names, **known.names})
    if not {*_named(first).values()} & {*_named(labels).values()}:
        return labels, ""
    (_, other), words = in_one_numbering([first, labels])
    return other, words


def named_on_one_side(mine: Mapping[int, str], theirs: Mapping[int, str], what: str) -> str:
    """Say that only one of two sides names its classes, so that numbers decide; empty if both do, or none.

    Parameters
    ----------
    mine : mapping of int to str
        The names of `what`, such as ``"the model"``; names made of the number are none.
    theirs : mapping of int to str
        The names of the truth.
    """
    sides = [{value: name for value, name in names.items() if value > UNKNOWN and name != f"class {value}"} for names in (mine, theirs)]
    if bool(sides[0]) == bool(sides[1]):
        return ""
    named, other = (what, "the truth") if sides[0] else ("the truth", what)
    shown = in_short([f"{value}: {name}" for value, name in sorted((sides[0] or sides[1]).items())])
    return f"Only {named} names its classes ({shown}); the numbers of {other} are taken for the same classes."


def renumbered(labels: Labels, numbers: Mapping[int, int]) -> Labels:
    """Return labels with other numbers, and their names and colours."""
    data = labels.data.astype(np.int64)
    for value, number in numbers.items():
        data[labels.data == value] = number
    names = {numbers.get(value, value): name for value, name in labels.names.items()}
    colours = {numbers.get(value, value): colour for value, colour in labels.colours.items()}
    return replace(labels, data=data, names=names, colours=colours, source=None)


def _named(labels: Labels) -> dict[int, str]:
    """Return the names of classes, without those made of their number."""
    fixed = {UNKNOWN, 0} if labels.data.ndim > 1 else {UNKNOWN}
    return {value: name for value, name in labels.names.items() if value not in fixed and name != f"class {value}"}


def _refuse_ambiguous(labels: Labels, moved: Mapping[int, int]) -> None:
    unnamed = {*labels.values(None)} - {*moved}
    met = sorted(unnamed & {*moved.values()} - {0})
    if met:
        raise ValueError(
            f"class {met[0]} of {labels.name or 'the labels'!r} has no name, and other labels use this number for the class "
            f"{next(labels.names[value] for value, at in moved.items() if at == met[0])!r}; name all classes, or none"
        )
