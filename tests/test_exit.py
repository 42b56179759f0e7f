"""How processes end: nothing on standard error, whatever was still being read; and what the demo says last."""

import re
import subprocess
import sys
from pathlib import Path

from napari_spectrai.cli.train_command import _next
from napari_spectrai.runs import RunFolder

WRITTEN_AND_SLOWLY_READ = """
import numpy as np
from napari_spectrai import Cube, read, write
write(Cube(np.zeros((1000, 500), np.float32)), {path!r})
assert np.asarray(read({path!r}).data[850]).sum() == 0
import asyncio, contextlib, concurrent.futures.thread, itertools, threading
from zarr.storage import LocalStore
get, begun, count = LocalStore.get, threading.Event(), itertools.count()
async def slow(self, key, *more, **options):
    if "/c/" in f"/{{key}}":  # every second chunk waits until the process ends, the others for ever
        ever = next(count) % 2
        begun.set()
        while ever or not concurrent.futures.thread._shutdown:
            await asyncio.sleep(0.01)
    return await get(self, key, *more, **options)
LocalStore.get = slow
cube = read({path!r})
def reader():
    with contextlib.suppress(Exception):  # the read is cancelled
        np.asarray(cube.data)
threading.Thread(target=reader, daemon=True).start()
assert begun.wait(900)
"""


def test_a_process_that_ends_while_it_reads_zarr_ends_in_silence(tmp_path):
    code = WRITTEN_AND_SLOWLY_READ.format(path=str(tmp_path / "x.zarr"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_demo_ends_with_commands_that_exist():
    advice = _next(Path("out/model.safetensors"), RunFolder("out/run"))
    assert "out/run/report.html" in advice
    assert re.search(r"napari-spectrai info out/model\.safetensors ", advice)
    assert re.search(r"napari FILE ", advice)
