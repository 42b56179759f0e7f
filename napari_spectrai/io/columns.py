"""What each column of a table means: positions, intensities, coordinates, labels; guessed, or given by the caller."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_spectrai.io.tables import Table
from napari_spectrai.spec import listed
from napari_spectrai.units import quantity_of, unit_of

ROLES = ("position", "intensity", "x", "y", "z", "time", "index", "label", "ignored")
"""What a column can hold: positions of bands, a spectrum or values of several, a coordinate, a running number, a name, or nothing."""
COORDINATES = ("x", "y", "z", "time")

_COUNTED = (
    r"(p[ií]xel(?:e|es|s)?|px|points?|punkt|punto|data ?point|ccd ?pixel|index|idx|no\.?"
    r"|nr\.?|rows?|columns?|frames?|rois?|strips?|unnamed: 0|spectrum|id|sample ?id|#)(\s*(no\.?|number|nr\.?|#))?"
)
_CALLED = (
    r"(class|label|target|name|sample|species|type|group|category|material|patient|file|filename|klasse|kategorie|probe|bezeichnung|classe"
    r"|clase|catégorie|categoría|étiquette|etiqueta|espèce|especie|échantillon|muestra|类别|类|标签|样品|ラベル|クラス|試料|класс|образец"
    r")(es|s|n| ?name)?"
)
_BEHIND = r"(?:[ _.-]*(?:pos|coord|stage|pixel|px|um|µm|mm).*)?\s*(?:[\[(/].*)?"
_NAMED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("index", re.compile(_COUNTED)),
    ("label", re.compile(_CALLED)),
    ("time", re.compile(r"(t|time|elapsed.*|delay|.* time|zeit)\s*([\[(/].*)?")),
    ("z", re.compile(r"(depth|focus|z[ _-]?depth|tiefe|profondeur)\s*([\[(/].*)?")),
    *((side, re.compile(rf"(?:(?:pos(?:ition)?|stage|coord(?:inate)?|map|pixel|px)s?[ _.-]*)?{side}{_BEHIND}")) for side in "xyz"),
)
INTENSITY = re.compile(
    r"inten[sz]|zähl|count|absor|assorb|extink|transm|reflect|réflect|reflekt|irradian|%|signal|\b[mµμun]?w\s*/|\bw\s+m|mol\s*/|photons?\s*/|/\s*sr\b|\babs\b|\bcps\b|\ba\.?u\.?\b",
    re.IGNORECASE,
)
_PERHAPS_INTENSITY = re.compile(r"emiss|dark|refer|raw", re.IGNORECASE)
_DIGITS = re.compile(r"(?<=\d)(?:[.,]?\d)+")
"""What follows the first digit of a number in a title; no role depends on it."""
_MEASURE = re.compile(r"[-+]?\d[\d.,]*\s*[a-zµμ°%å]")
_MOST_TITLES = 50_000
_POSITION = re.compile(r"(x|x-? ?axis.*|abscissa.*|wave|wave\s*\(.*|shift.*|freq.*|position.*)")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a text table.

    Parameters
    ----------
    name : its title, or its number from 0
    role : one of `ROLES`
    sample : its first values, as text
    """

    name: str
    role: str
    sample: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a table holds its spectra.

    Parameters
    ----------
    kind : ``"columns"`` (one column per spectrum, with a column of positions), ``"rows"`` (one line per spectrum, below the positions),
        ``"long"`` (one line per value, with its position and coordinates), or ``"bare"`` (numbers without positions or titles)
    roles : the role of each column
    head : positions over the columns of intensities, for rows
    head_unit : their unit as words
    skip : how many lines of numbers precede the spectra, since they are positions
    notes : what was guessed, in words
    """

    kind: str
    roles: tuple[str, ...]
    head: npt.NDArray[np.float64] | None = None
    head_unit: str = ""
    skip: int = 0
    notes: tuple[str, ...] = ()

    def columns(self, role: str) -> list[int]:
        """Return the numbers of the columns that have a role."""
        return [number for number, known in enumerate(self.roles) if known == role]


def role_of(name: str) -> str:
    """Return the role that a title alone gives a column, or ``""``."""
    text = name.strip().casefold()
    if not text:
        return ""
    for role, pattern in _NAMED:
        if pattern.fullmatch(text):
            return role
    if INTENSITY.search(text):
        return "intensity"
    named = unit_of(text) if len(text) > 1 and not _MEASURE.search(text) else None  # "350 nm" and "layer 5 µm" are names of spectra
    if quantity_of(text) or named is not None or _POSITION.fullmatch(text):
        return "position"
    return "intensity" if _PERHAPS_INTENSITY.search(text) else ""


def named_roles(titles: Sequence[str], units: Sequence[str] = ()) -> list[str]:
    """Return the roles that titles give their columns, or the units below them where the titles say nothing.

    Raises
    ------
    ValueError
        If there are more different titles, apart from their numbers, than any instrument writes.
    """
    roles: dict[str, str] = {}
    short = [[_DIGITS.sub("0", text) for text in texts] for texts in (titles, units)]
    for name in set().union(*short):
        if len(roles) >= _MOST_TITLES:
            raise ValueError(f"its columns have more than {_MOST_TITLES:,} different titles; save its spectra in rows, or as .npz or .h5")
        roles[name] = role_of(name)
    found = [roles[title] for title in short[0]]
    return [role or roles[unit] for role, unit in zip(found, short[1], strict=True)] if units else found


def columns_in_order(numbers: npt.NDArray[np.float64], share: float = 1.0) -> npt.NDArray[np.bool_]:
    """Whether each column of a table is `in_order`."""
    if len(numbers) < 3:
        return np.zeros(numbers.shape[1], bool)
    steps = np.diff(numbers, axis=0)
    found: npt.NDArray[np.bool_] = np.maximum((steps > 0).mean(0), (steps < 0).mean(0)) >= share
    for column in np.flatnonzero(~np.isfinite(numbers).all(0)):
        found[column] = in_order(numbers[:, column], share)
    return found


def in_order(values: npt.NDArray[np.float64], share: float = 1.0) -> bool:
    """Whether at least `share` of the steps between three or more values have one sign; nothing else identifies an axis."""
    found = values[np.isfinite(values)]
    if found.size < 3 or found.size < values.size * 0.5:
        return False
    moves = np.sign(np.diff(found))
    return float(max((moves > 0).mean(), (moves < 0).mean())) >= share


def counts_up(values: npt.NDArray[np.float64]) -> bool:
    """Whether values are 0, 1, 2, … or 1, 2, 3, …, which are running numbers and no positions."""
    return bool(values.size > 1 and values[0] in (0, 1) and np.array_equal(np.diff(values), np.ones(values.size - 1)))


def period_of(values: npt.NDArray[np.float64]) -> int | None:
    """Return after how many lines the positions start again, if they repeat exactly, twice or more; the last repeat may be cut short."""
    if len(values) < 4 or not np.isfinite(values).all():
        return None
    again = np.flatnonzero(values == values[0])
    period = int(again[1]) if again.size > 1 else 0
    if period < 2 or len(values) < 2 * period or not in_order(values[: max(period, 3)], 0.5):
        return None
    whole = len(values) // period * period
    same = (values[:whole].reshape(-1, period) == values[:period]).all()
    return period if same and np.array_equal(values[whole:], values[: len(values) - whole]) else None


def plane_of(values: npt.NDArray[np.float64]) -> int | None:
    """Return for how many lines each position stays the same: planes of an image, band by band."""
    changes = np.flatnonzero(np.diff(values)) + 1
    if not changes.size:
        return None
    length = int(changes[0])
    return length if length > 1 and len(values) % length == 0 and np.array_equal(changes, np.arange(length, len(values), length)) else None


def repeats(values: npt.NDArray[np.float64]) -> bool:
    """Whether the positions are repeated for each of several spectra."""
    found = values[np.isfinite(values)]
    return period_of(found) is not None or plane_of(found) is not None


def recur(values: npt.NDArray[np.float64]) -> bool:
    """Whether several positions occur twice and more on average, in any order."""
    known = np.unique(values[np.isfinite(values)]).size
    return 1 < known <= len(values) / 2


def are_distinguished(names: Sequence[Any], wave: npt.NDArray[np.float64]) -> bool:
    """Whether spectra whose positions recur in lines of one value differ by their names: each has every position once."""
    known = np.unique(wave[np.isfinite(wave)]).size
    return recur(wave) and len(set(names)) * known == len(wave) == len(set(zip(names, wave.tolist(), strict=True)))


def keys_of(table: Table, roles: Sequence[str], more: Sequence[int] = ()) -> list[Any]:
    """Return what names or counts the spectrum of each line: the cells of its labels and numbers, without those that count the lines."""
    found = []
    for column, role in enumerate(roles):
        if role in ("label", "index") or column in more:
            cells = table.words.get(column) or table.numbers[:, column].tolist()
            found += [cells] if len(set(cells)) < len(cells) else []
    return list(zip(*found, strict=True))


def distinguishing(table: Table, roles: Sequence[str], wave: npt.NDArray[np.float64]) -> list[int] | None:
    """Return the columns of whole numbers that, with labels and other numbers, distinguish spectra of one value a line; else None."""
    free = [column for column, role in enumerate(roles) if role == "intensity"]
    values = table.numbers[:, free]
    whole = [column for column, one in zip(free, values.T, strict=True) if np.array_equal(one, np.rint(one)) and recur(one)]
    for more in ([], *([column] for column in whole), whole):
        keys = keys_of(table, roles, more) if len(more) < len(free) else []
        if keys and are_distinguished(keys, wave):
            return more
    return None


def changed(layout: Layout, table: Table, wanted: Mapping[str | int, str]) -> Layout:
    """Return the layout with other roles: by the titles of the columns, or by their numbers from 0."""
    names = names_of(table)
    roles = list(layout.roles)
    given: dict[int, str] = {}
    for key, role in wanted.items():
        if role not in ROLES:
            raise ValueError(f"the list of columns gives {key!r} the role {role!r}; {listed(ROLES, role)}")
        known = [number for number, name in enumerate(names) if name == str(key)]
        if not known and str(key).lstrip("-").isdigit() and -len(roles) <= int(key) < len(roles):
            known = [int(key) % len(roles)]
        if not known:
            raise ValueError(f"the list of columns names {key!r}; {listed(names, str(key))}")
        given |= dict.fromkeys(known, role)
    for single in ("position", "intensity"):
        if single in given.values():
            rest = "ignored" if single == "position" or layout.kind != "rows" else "intensity"
            roles = [rest if role == single else role for role in roles]
    for column, role in given.items():
        roles[column] = role
    if "position" not in roles:
        return replace(layout, roles=tuple(roles), notes=())
    place = roles.index("position")
    long = any(role in COORDINATES for role in roles) or repeats(table.numbers[:, place])
    long = long or are_distinguished(keys_of(table, roles), table.numbers[:, place])
    return Layout("long" if long else "columns", tuple(roles))


def column_roles(pairs: Sequence[str]) -> dict[str | int, str]:
    """Return the roles of columns from texts such as ``"Raman Shift=position"``.

    Raises
    ------
    ValueError
        If a text is not a column and its role.
    """
    found: dict[str | int, str] = {}
    for pair in pairs:
        name, _, role = pair.rpartition("=")
        if not name or not role:
            raise ValueError(f"{pair!r} gives no column a role; write COLUMN=ROLE, such as 'Raman Shift=position'")
        found[name] = role
    return found


def names_of(table: Table) -> list[str]:
    """Return the titles of the columns; those without one are called by their number."""
    titles = table.names or ("",) * table.width
    return [title or str(number) for number, title in enumerate(titles)]


def described(table: Table, layout: Layout) -> list[Column]:
    """Return the columns with their roles and first values."""
    found: list[Column] = []
    for number, name in enumerate(names_of(table)):
        cells: Any = table.words.get(number, [f"{value:g}" for value in table.numbers[:5, number]])
        found.append(Column(name, layout.roles[number], tuple(str(cell) for cell in cells[:5])))
    return found
