"""Chromium without a window, driven through its own protocol over a pipe: no package is needed."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--disable-quic", "--disable-dev-shm-usage", "--allow-file-access-from-files", "--remote-debugging-pipe",
)  # fmt: skip


def program() -> str:
    """Return the browser of this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise FileNotFoundError(f"no browser: none of {', '.join(NAMES)} is on the path; `make browser-test` installs Debian's chromium")
    return found


class Chromium:
    """One tab of a browser; a page is shown at a width, in a colour scheme, on the screen or as printed."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        root = ("--no-sandbox",) if os.geteuid() == 0 else ()
        # the protocol wants its pipe at the descriptors 3 and 4, which the shell puts there
        joined = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        command = ["bash", "-c", joined, program(), *OPTIONS, *root, f"--user-data-dir={self.folder.name}", "about:blank"]
        with Path(self.folder.name, "log.txt").open("wb") as log:
            self.process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stdout=log, stderr=log)
        os.close(theirs_in)
        os.close(theirs_out)
        self.output, self.input = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.numbers, self.session, self.rest = itertools.count(1), None, b""
        self.events: list[str] = []
        (page,) = (one for one in self.ask("Target.getTargets")["targetInfos"] if one["type"] == "page")
        self.session = self.ask("Target.attachToTarget", targetId=page["targetId"], flatten=True)["sessionId"]
        self.ask("Page.enable")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session = None
        self.ask("Browser.close")
        self.process.wait(60)
        self.input.close()
        self.output.close()
        self.folder.cleanup()

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            more = os.read(self.output.fileno(), 1 << 20)
            if not more:
                raise RuntimeError("the browser has ended: " + Path(self.folder.name, "log.txt").read_text(errors="replace")[-2000:])
            self.rest += more
        message, _, self.rest = self.rest.partition(b"\0")
        return json.loads(message)

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol, and return its result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters} | ({"sessionId": self.session} if self.session else {})
        self.input.write(json.dumps(message).encode() + b"\0")
        self.input.flush()
        while (answer := self._receive()).get("id") != number:
            self.events.append(answer.get("method", ""))
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def show(self, page: Path, *, width: int, scheme: str = "light", printed: bool = False) -> None:
        """Show a file at a width in CSS pixels."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        wishes = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wishes.items()]
        self.ask("Emulation.setEmulatedMedia", media="print" if printed else "screen", features=features)
        self.events.clear()
        answer = self.ask("Page.navigate", url=page.as_uri())
        if "errorText" in answer:
            raise RuntimeError(f"{page}: {answer['errorText']}")
        while "Page.loadEventFired" not in self.events:
            self.events.append(self._receive().get("method", ""))

    def value(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def picture(self, path: Path) -> Path:
        """Write the whole page as a PNG file."""
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))
        return path

    def pdf(self) -> bytes:
        """Return the page as it is printed on A4."""
        return base64.b64decode(self.ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)["data"])
