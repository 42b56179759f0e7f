"""The documentation: every code block runs, every link to a file of the project leads somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RUNNER = ROOT / "docs" / "run_blocks.py"

specification = importlib.util.spec_from_file_location("run_blocks", RUNNER)
assert specification is not None
assert specification.loader is not None
run_blocks = importlib.util.module_from_spec(specification)
sys.modules["run_blocks"] = run_blocks
specification.loader.exec_module(run_blocks)

PAGES = [*ROOT.glob("*.md"), *(page for page in ROOT.glob("docs/**/*.md") if not {"_build", "reference"} & set(page.parts))]
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    titles = re.findall(r"^#+ +(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files_and_headings(page):
    dead = []
    for target, anchor in LINK.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        file = (page.parent / target).resolve() if target else page
        generated = "reference" in file.parts
        if not (generated or file.exists()) or (anchor and not generated and anchor[1:] not in anchors(file)):
            dead.append(target + anchor)
    assert not dead


def test_every_page_is_reached_from_the_readme():
    reached, todo = set(), [ROOT / "README.md", ROOT / "docs" / "index.md"]
    while todo:
        page = todo.pop()
        if page in reached or page.suffix != ".md" or not page.exists():
            continue
        reached.add(page)
        text = page.read_text(encoding="utf-8")
        todo += [(page.parent / target).resolve() for target, _ in LINK.findall(text)]
        todo += [(page.parent / f"{name.strip()}.md").resolve() for block in re.findall(r"```{toctree}(.*?)```", text, re.DOTALL)
                 for name in block.splitlines()]  # fmt: skip
    assert set(PAGES) - reached == set()


@pytest.mark.parametrize("page", ["README.md", "docs/start.md"])
def test_the_readme_is_one_page(page):
    assert len((ROOT / page).read_text(encoding="utf-8").splitlines()) < 120


def test_every_code_block_runs_as_it_is_written(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "QT_QPA_PLATFORM"} if "DISPLAY" in os.environ else os.environ
    done = subprocess.run([sys.executable, RUNNER], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    assert not list(tmp_path.iterdir())


def test_the_reference_says_everything_as_it_is_now(tmp_path):
    """`make docs` writes these pages anew; what is in the repository must not lag behind."""
    found = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert found is not None
    assert found.loader is not None
    make_reference = importlib.util.module_from_spec(found)
    found.loader.exec_module(make_reference)
    make_reference.write(tmp_path)
    for name in ("kinds.md", "experiment.md", "commands.md", "errors.md"):
        page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8").splitlines()
        assert [line for line in (tmp_path / name).read_text(encoding="utf-8").splitlines() if line not in page] == []


def test_a_block_that_fails_is_named(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n")
    monkeypatch.setattr(run_blocks, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError, match=r"page.md:6: this block fails:\nassert x == 2"):
        run_blocks.run(page)
    page.write_text("```\nls\n```\n")
    with pytest.raises(RuntimeError) as caught:
        run_blocks.run(page)
    assert "no language of a code block" in str(caught.value.__cause__)
