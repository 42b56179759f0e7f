"""The page on clusters: what needs no scheduler runs as it is written, every other command is one that the program has."""

from __future__ import annotations

import re
import shlex
import string
from pathlib import Path

import distributed
import pytest
import typer
from test_documentation import ROOT, run_blocks
from typer.testing import CliRunner

from napari_spectrai.cli import app

PAGE = ROOT / "docs" / "cluster.md"
JOB = {"SLURM_ARRAY_TASK_ID": "2", "LSB_JOBINDEX": "2"}
"""Variables that a scheduler sets in the second of its jobs."""
ELSEWHERE = {"--workers", "--scheduler", "sweep", "train", "--resume"}
"""Words of commands that start processes or train: `test_workers`, `test_sweep` and `test_devices` run them."""


def commands(text):
    """Yield the words of each call of the program in a block, also those within a call of another program."""
    for line in text.replace("\\\n", " ").splitlines():
        found = re.search(r"napari-spectrai (?!sample)[^'#;]*", line)
        if found is not None:
            yield shlex.split(string.Template(found[0].replace("{}", "2").partition(" :::")[0]).safe_substitute(JOB))[1:]


BLOCKS = run_blocks.blocks(PAGE)
COMMANDS = [words for block in BLOCKS if block.language == "bash" for words in commands(block.text)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the files that the page makes."""
    made = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        CliRunner().invoke(app, ["sample", "raman_denoiser"])
        for block in BLOCKS[:3]:
            run_blocks._run_block(block, {}, "docs/cluster.md")
        yield made


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_page_is_one_of_the_program(words, folder, monkeypatch):
    monkeypatch.chdir(folder)
    Path("run").mkdir(exist_ok=True)
    group = typer.main.get_command(app)
    _, command, _ = group.resolve_command(typer.Context(group), words)
    context = command.make_context(words[0], words[1:])
    assert not context.args or command.context_settings.get("allow_extra_args")


def test_the_parts_of_the_page_run_as_they_are_written(folder, monkeypatch):
    monkeypatch.chdir(folder)
    outputs = set()
    first, _, *others = (list(words) for words in COMMANDS if not ELSEWHERE & set(words))
    for words in [*([*first[:-1], f"{number}/8"] for number in range(1, 9)), *others]:
        place, count = words.index("-o") + 1, words[-1].partition("/")[2]
        outputs.add(words[place])
        if count != "8":  # another way to divide the same command has an output of its own
            words[place] = f"{count}-{words[place]}"
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{words}: {result.output}"
        assert "is finished" in result.output
    assert outputs == {"denoised.zarr", "prepared.zarr", "maps", "scores"}


def test_the_dask_block_runs_on_a_scheduler_of_this_process(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("scene.zarr", "raman_denoiser.safetensors"):
        Path(name).symlink_to(folder / name)
    (block,) = [one for one in BLOCKS if "import Client" in one.text]
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        session: dict[str, object] = {}
        exec(block.text.replace("tcp://host:8786", cluster.scheduler_address), session)
        client, denoised = session["client"], session["denoised"]
        client.close()
    assert denoised.shape == (96, 40, 500)
