"""Run every code block of the documentation in order, as it is written: ``python docs/run_blocks.py [PAGE]...``.

Each page has an empty folder and a Python session of its own. Python blocks are executed, bash blocks run line by line; a YAML, TOML or
Python block that starts with a comment such as ``# experiment.yml`` is saved under that name. ``text`` and ``mermaid`` are not code.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|:{3,})(?P<info>.*)$")
FILE = re.compile(r"^#\s+(?P<name>[\w./-]+\.(?:ya?ml|toml|py))\b")
NOT_CODE = {"text", "mermaid"}
ELSEWHERE = {"docs/cluster.md"}
"""Pages whose commands need a cluster; `tests/test_cluster_page.py` runs what needs none, and checks the others against the program."""
SHOWN = 2.0
"""Seconds of the processor from which a block's time is printed."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language, its text, and the line of the page on which the text starts."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page, in order."""
    found: list[Block] = []
    opened: tuple[str, str, int, int] | None = None
    text: list[str] = []
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        match = FENCE.match(line)
        if opened is None:
            if match is not None and match["fence"][0] == "`":
                opened, text = (match["fence"], match["info"].strip(), number + 1, len(match["indent"])), []
        elif match is not None and match["fence"] == opened[0] and not match["info"].strip():
            found.append(Block(opened[1], "\n".join(text) + "\n", opened[2]))
            opened = None
        else:
            text.append(line[opened[3] :])
    if opened is not None:
        raise ValueError(f"{page}:{opened[2] - 1}: this block is not closed")
    return found


def pages() -> list[Path]:
    """Return the pages of the documentation that contain code."""
    every = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
    kept = [page for page in every if not {"_build", "reference"} & set(page.parts) and page.relative_to(ROOT).as_posix() not in ELSEWHERE]
    return [page for page in kept if any(not one.language.startswith("{") for one in blocks(page))]


def run(page: Path) -> None:
    """Run the blocks of a page in the current folder.

    Raises
    ------
    RuntimeError
        If a block fails, or its language is not known; with the page and the line.
    """
    session: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        started = time.process_time()
        try:
            _run_block(block, session, f"{page.relative_to(ROOT)}:{block.line}")
        except (Exception, SystemExit) as error:
            raise RuntimeError(f"{page}:{block.line}: this block fails:\n{block.text}") from error
        if (seconds := time.process_time() - started) > SHOWN:
            print(f"{page.relative_to(ROOT)}:{block.line}: {seconds:.1f} s of the processor", flush=True)


def _run_block(block: Block, session: dict[str, Any], place: str) -> None:
    named = FILE.match(block.text)
    if block.language.startswith("{") or block.language in NOT_CODE:
        return
    if block.language in ("yaml", "toml"):
        (yaml.safe_load if block.language == "yaml" else tomllib.loads)(block.text)
    if block.language in ("yaml", "toml", "python") and named is not None:
        Path(named["name"]).parent.mkdir(parents=True, exist_ok=True)
        Path(named["name"]).write_text(block.text, encoding="utf-8")
    elif block.language == "python":
        exec(compile("\n" * (block.line - 1) + block.text, place, "exec"), session)
    elif block.language == "bash":
        _run_shell(block.text)
    elif block.language not in ("yaml", "toml"):
        raise ValueError(f"{block.language!r} is no language of a code block here; name one: python, bash, yaml, toml or text")


def _run_shell(text: str) -> None:
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if any(_is_compound(line) for line in lines):
        _bash(text)
        return
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "napari-spectrai":  # in this process, where its libraries are loaded already
            _command(words[1:])
        elif words[0] == "make":  # of the whole project: whether there is such a target
            subprocess.run(["make", "-C", str(ROOT), "--dry-run", *words[1:]], check=True, stdout=subprocess.DEVNULL)
        else:
            _bash(line)


def _is_compound(line: str) -> bool:
    """Whether a line needs a shell: pipes, redirections, variables, several commands."""
    return any(set(token) <= set("();<>|&") or "$" in token for token in shlex.shlex(line, posix=True, punctuation_chars=True))


def _command(words: list[str]) -> None:
    from napari_spectrai.cli import app

    try:
        app(words)
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"exit code {end.code}") from end


def _bash(text: str) -> None:
    variables = os.environ | {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    subprocess.run(["bash", "-euo", "pipefail", "-c", text], check=True, env=variables)


def main(names: list[str]) -> int:
    """Run pages, all by default; print the time that each takes, and return the number of those that fail."""
    failed = 0
    for page in [Path(name).resolve() for name in names] or pages():
        started = time.perf_counter()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, chdir(folder):
            os.environ["NAPARI_SPECTRAI_RUNS"] = str(Path(folder, "runs of this page"))
            try:
                run(page)
            except RuntimeError:
                failed += 1
                traceback.print_exc()
        print(f"{page.relative_to(ROOT)}: {time.perf_counter() - started:.1f} s", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
