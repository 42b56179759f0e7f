"""Keep private words out of names, strings, docstrings and comments; run by `make lint` as ``python tests/test_wording.py``."""

from __future__ import annotations

import io
import keyword
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "napari_spectrai"

WORDS = {
    "told": "shown, reported, predicted, scores",
    "tells?": "reports, shows, determines",
    "anew": "again, or a verb such as rebuild",
    "beside": "next to, with, in addition to",
    "heed(s|ed|ing)?": "apply, follow, consume",
    "rivals?": "baselines",
    "judg(e|es|ed|ing|e?ments?)": "evaluate, score, validate",
    "begun": "started",
    "begins? with": "starts with, initialise, default",
    "(leave|leaves|left|take|takes|took|taken) (it |them |this |all )?away": "omit, remove, subtract",
    "(is|are) (there )?no more": "no longer exists",
    "(pixels|times|many|columns) a side": "per side",
    "one an? (class|spectrum|pixel|level|block|stage|group|epoch|sample|file|image|band|line)": "one per …",
    "looks? at neighbou?ring": "uses neighbouring pixels",
    "stands? (beside|above|below|by itself|against|for it|back|there)": "is shown, precedes, prevents",
    "word of": "signal, message",
    "honest": "unbiased",
    "flatter(s|ing|ed)?": "too optimistic",
    "by itself": "individually, or separate",
    "whole or not at all": "atomically",
    "as (it|they) came": "unprocessed, raw",
    "made coarse": "degraded, downsampled",
    "learnt from": "trained on, training data",
}
"""Words of no field, by pattern, with what to write instead."""

KEPT = {
    "__init__.py": {"judge"},  # public function
    "learn/evaluation/evaluate.py": {"judge"},  # public function
    "runs/job.py": {"tell"},  # method of files
    "experiment/card.py": {"rivals"},  # key of model files before version 0.2
    "experiment/data_settings.py": {"beside"},  # key of documents
    "learn/automatic/supervised.py": {"beside"},
    "learn/train/step_timing.py": {"beside"},
    "learn/train/block_split.py": {"beside", "flatters"},
    "runs/journal.py": {"tell"},  # method of files
    "cli/evaluate_command.py": {"judgement"},  # name of files
    "runs/commands.py": {"judgement"},
    "runs/evaluation.py": {"judgement"},
    "widgets/evaluate_dock/evaluate_dock.py": {"judgement"},
}
"""Words that public names, names of files and keys of documents keep, by module."""

# a name is one word or several joined by "·", so that patterns of several words are looked for in text alone
_PATTERN = re.compile("|".join(rf"(?P<w{number}>(?<![a-zA-Z]){word}(?![a-zA-Z]))" for number, word in enumerate(WORDS)), re.IGNORECASE)


def pieces(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of every name, string and comment."""
    fields = {tokenize.NAME, tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", -1)}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in fields and not (token.type == tokenize.NAME and keyword.iskeyword(token.string)):
            text = token.string.replace("_", "·") if token.type == tokenize.NAME else token.string
            for offset, line in enumerate(text.split("\n")):
                yield token.start[0] + offset, line


def private_words(source: str, kept: frozenset[str] | set[str] = frozenset()) -> list[tuple[int, str, str]]:
    """Return the line, the word, and what to write instead, for every private word in a module."""
    instead = list(WORDS.values())
    return [
        (number, match[0], instead[int(str(match.lastgroup)[1:])])
        for number, text in pieces(source)
        for match in _PATTERN.finditer(text)
        if match[0].lower() not in kept
    ]


def modules() -> list[str]:
    """Return the modules whose wording is checked, relative to the package."""
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def test_modules_contain_no_private_words():
    found = [
        f"{name}:{line}: {word!r}; write {instead}"
        for name in modules()
        for line, word, instead in private_words((PACKAGE / name).read_text(encoding="utf-8"), KEPT.get(name, set()))
    ]
    assert not found, "\n".join(found)


def names_in_private_words() -> list[str]:
    """Return the tests, but those of this module, whose names contain private words."""
    return [
        f"{path.name}: {name}"
        for path in sorted(Path(__file__).parent.rglob("test_*.py"))
        for name in re.findall(r"^ *def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if path != Path(__file__) and private_words(name)
    ]


def test_names_of_tests_contain_no_private_words():
    assert names_in_private_words() == []


@pytest.mark.parametrize(
    "source", ['"""It is told anew."""', "x = 1  # beside it", "told = 1", 'f"{x} is judged"', "def begin_with_told(): ..."]
)
def test_private_words_are_found_in_strings_comments_and_names(source):
    assert private_words(source)


def test_ordinary_words_pass():
    assert not private_words('"""Thresholds stand next to the outstanding sidebars; a side effect."""\nthreshold = 2  # used per side')


if __name__ == "__main__":
    lines = [
        f"napari_spectrai/{name}:{line}: {word!r}; write {instead}"
        for name in modules()
        for line, word, instead in private_words((PACKAGE / name).read_text(encoding="utf-8"), KEPT.get(name, set()))
    ] + names_in_private_words()
    print("\n".join(lines) or "no private words")  # noqa: T201
    sys.exit(bool(lines))
