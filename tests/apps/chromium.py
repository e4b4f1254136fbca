"""Debian's Chromium without a screen, driven through its DevTools protocol."""

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PROGRAM = "chromium"
SECONDS = 30.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--force-color-profile=srgb", "--remote-debugging-port=0",
)  # fmt: skip


class Page:
    """One tab. `said`: what its console said at the level of a warning or worse, exceptions too."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._asked = connection, 0
        self.said: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """The answer to one command; what happens meanwhile is noted."""
        self._asked += 1
        self._connection.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        while True:
            found = json.loads(self._connection.recv(timeout=SECONDS))
            if found.get("id") == self._asked:
                assert "error" not in found, (method, found)
                return found["result"]
            self._note(found)

    def _note(self, found: dict[str, Any]) -> None:
        what, more = found.get("method"), found.get("params", {})
        if what == "Log.entryAdded" and more["entry"]["level"] in ("warning", "error"):
            self.said.append(f"{more['entry']['text']} {more['entry'].get('url', '')}")
        elif what == "Runtime.exceptionThrown":
            self.said.append(json.dumps(more["exceptionDetails"]))
        elif what == "Runtime.consoleAPICalled" and more["type"] in ("warning", "error", "assert"):
            self.said.append(json.dumps(more["args"]))

    def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise's, once it is there."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until an expression is true; the page's own frames are the clock."""
        return self.run(
            "new Promise((done, never) => { const began = performance.now(); (function look () {"
            f" let found = false; try {{ found = ({script}) }} catch {{ }} if (found) done(found);"
            f" else if (performance.now() - began > {1000 * SECONDS}) never(new Error('never came true'));"
            " else setTimeout(look, 50) })() })"
        )

    def open(self, url: str, width: int, height: int, dark: bool = False) -> None:
        """Open a page, in a window of that size in CSS pixels."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        motion = {"name": "prefers-reduced-motion", "value": "reduce"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme, motion])
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
            mobile=width < 600,
        )  # fmt: skip
        self.ask("Page.navigate", url=url)

    def screenshot(self, file: Path, whole: bool = True) -> None:
        """A PNG, of the whole page or of what the window shows."""
        clip = {}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        found = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **clip)
        file.write_bytes(base64.b64decode(found["data"]))


@contextlib.contextmanager
def page() -> Iterator[Page]:
    """A browser with an empty profile and one tab; gone afterwards."""
    profile = Path(tempfile.mkdtemp(prefix="chainfirst-chromium-"))
    command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
    with (profile / "log").open("wb") as log:
        browser = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        # what nobody reads for a while must not end it
        with connect(
            _tab(profile, browser), max_size=None, open_timeout=SECONDS, ping_interval=None
        ) as connection:
            yield Page(connection)
    finally:
        browser.terminate()
        browser.wait(SECONDS)
        shutil.rmtree(profile, ignore_errors=True)


def _tab(profile: Path, browser: "subprocess.Popen[bytes]") -> str:
    """The WebSocket's URL of the first tab, once the browser has said its port."""
    import urllib.request

    file, limit = profile / "DevToolsActivePort", time.monotonic() + SECONDS
    while time.monotonic() < limit and browser.poll() is None:
        lines = file.read_text().splitlines() if file.exists() else []
        if len(lines) == 2:
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list") as answer:
                tabs = [each for each in json.load(answer) if each["type"] == "page"]
            if tabs:
                return str(tabs[0]["webSocketDebuggerUrl"])
        time.sleep(0.02)
    raise AssertionError((profile / "log").read_text())
