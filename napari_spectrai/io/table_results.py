"""Which columns of a table are spectra of the sample: not its dark and reference spectra, nor what a result was computed from."""

from __future__ import annotations

import re
from collections.abc import Sequence

_AUXILIARY = re.compile(
    r"\b(dark|ref(?:erence)?|background|white|blank)\b(?!.*subtract)|^baseline\s*(?:$|[\[(\d])|\bfwhm\b|\bband ?width|\bstd(?![\s.-]*\d)"
    r"|\bstandard dev|\bs\.?[de]\.?(?=\s*(?:$|[(\[]|[a-z]))"
    r"|^temp(?:erature)?s?\.?\s*(?:$|[(\[/°])|^t\s*[(\[/,]\s*(?:°|℃|k\b|deg)|^(?:relative )?humidity\b"
    r"|^(?:ht|pmt|high tension|(?:ht |pmt )?voltage)\s*(?:$|[(\[/]|v(?:olts?)?\s*$)"
    r"|^\s*(?:±|\+/-)|(?:±|\+/-)\s*$|\b(?:lower|upper)\s*(?:95|ci|conf|bound|limit)|\b(?:ci|conf(?:idence)?)\s*(?:95|low|up|interval)"
    r"|\buncertaint|\berr(?:or)?s?\b|\bsigma\b|\bsem\b|\bivar\b|\binverse variance|^(?:dy|ey|yerr|delta y)$",
    re.IGNORECASE,
)
_CORRECTED = re.compile(r"dark.?subtract|subtracted|corrected|\bprocessed\b", re.IGNORECASE)
_RESULT = re.compile(
    r"reflectan|\breflect\.|tgt\./ref|transmi(?:ttan|ssion)|absorb|\babs\b|%\s*[rt]\b|irradian|^scope\b|[\[(]\s*%|\bratio\b", re.IGNORECASE
)
_MEASURED = re.compile(r"\b(sample|raw|target|tgt|scope|signal|counts?|dn|scan)\b", re.IGNORECASE)
_STD, _STD_OF_ONE = re.compile(r"std\.?", re.IGNORECASE), re.compile(r"std[\s.-]*\d+", re.IGNORECASE)
_NORMALISED = re.compile(r"\bnorm(?:ali[sz]ed|\.)?\b", re.IGNORECASE)


def _words(title: str) -> str:
    return title.replace("_", " ")


_OF_STATISTICS = re.compile(
    r"mean|average|avg\.?|median|min(?:imum)?|max(?:imum)?|s\.?[de]\.?m?\.?|st\.?d(?:ev)?\.?|standard (?:deviation|error)|variance|rsd",
    re.IGNORECASE,
)


def of_statistics(names: Sequence[str]) -> list[str]:
    """Return those names of lines that are called as means, deviations and the like of the others; none where most are."""
    found = [name for name in names if _OF_STATISTICS.fullmatch(name.strip())]
    return found if len(found) < len(names) / 2 else []


def is_auxiliary(title: str) -> bool:
    """Whether a title is that of a dark or a reference spectrum, of widths or of errors."""
    return _AUXILIARY.search(_words(title)) is not None and not _CORRECTED.search(_words(title))


def of_sample(titles: Sequence[str]) -> list[int]:
    """Return which of several columns, by their titles, are spectra of the sample.

    Where there are corrected spectra, they are; where results stand next to what they were computed from, the results
    are; else all are but the dark and reference spectra, widths and errors. A spectrum that another column holds in counts is left out
    in its normalised form.
    """
    words = [_words(title) for title in titles]
    everything = list(range(len(words)))
    if [word.strip().casefold() for word in words] == ["y", "e"]:  # Mantid's values and errors
        return [0]
    of_errors = any(_STD.fullmatch(word) for word in words)  # so that "Std 2" is that of a second spectrum, and no standard
    plain = [number for number in everything if not (is_auxiliary(words[number]) or (of_errors and _STD_OF_ONE.fullmatch(words[number])))]
    corrected = [number for number in plain if _CORRECTED.search(words[number])]
    results = [number for number in plain if _RESULT.search(words[number])]
    if corrected:
        return corrected
    if len(plain) < len(words) and results and all(number in results or _MEASURED.search(words[number]) for number in plain):
        plain = results
    bare = {words[number].casefold().strip() for number in plain}
    kept = [number for number in plain if not _is_copy(words[number], bare)]
    return kept or plain or everything


def _is_copy(title: str, titles: set[str]) -> bool:
    """Whether a title is that of another column but for the word that it is normalised."""
    rest = " ".join(_NORMALISED.sub(" ", title).casefold().split())
    return rest != " ".join(title.casefold().split()) and rest.strip(" ()[]") in titles
