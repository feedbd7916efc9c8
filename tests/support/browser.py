"""A headless Chromium, driven through its DevTools protocol: what a reader of a report does, and what the console says.

Only the standard library and tornado (which comes with Dask) are needed.
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tornado.websocket import websocket_connect

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-port=0",
    # No name resolves: a page that asks for anything that is not on this disk fails, and the console tells.
    "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip
_PATIENCE = 60.0


async def _connected(address: str) -> Any:
    return await websocket_connect(address, max_message_size=2**28)


class NavigatedError(Exception):
    """A page was left before it had answered."""


class Browser:
    """One tab. Every message that a page writes to the console, and every error in it, is in ``messages``."""

    def __init__(self, port: int) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._loop = asyncio.new_event_loop()
        with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_PATIENCE) as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        self._socket = self._loop.run_until_complete(_connected(tab["webSocketDebuggerUrl"]))
        self._number = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come before it are kept."""
        self._number += 1
        text = json.dumps({"id": self._number, "method": method, "params": parameters})
        self._loop.run_until_complete(self._send(text))
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "navigated" in answer.get("error", {}).get("message", ""):
                    raise NavigatedError
                assert "error" not in answer, answer
                return answer["result"]

    async def _send(self, text: str) -> None:
        await self._socket.write_message(text)

    async def _receive(self) -> Any:
        return await asyncio.wait_for(self._socket.read_message(), _PATIENCE)

    def _next(self) -> dict[str, Any]:
        text = self._loop.run_until_complete(self._receive())
        assert text is not None, "the browser has gone"
        answer = json.loads(text)
        told = answer.get("params", {})
        if answer.get("method") == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
            self.messages.append(str(told["args"]))
        elif answer.get("method") == "Runtime.exceptionThrown":
            self.messages.append(str(told["exceptionDetails"]))
        elif answer.get("method") == "Log.entryAdded":
            self.messages.append(str(told["entry"]))
        elif answer.get("method") == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        return answer

    def open(self, path: Path) -> None:
        self.ask("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return what an expression gives, promises waited for."""
        found = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        """Wait until an expression is true; a page that is on its way may not have what it asks for."""
        end = time.monotonic() + _PATIENCE
        while not self._holds(f"(() => {{ try {{ return {condition}; }} catch {{ return false; }} }})()"):
            assert time.monotonic() < end, f"never came: {condition}"
            time.sleep(0.05)

    def _holds(self, script: str) -> bool:
        try:
            return bool(self.run(script))
        except NavigatedError:  # the page left while it was asked: the next one is asked
            return False

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press a key as a person does."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def screenshot(self, path: Path) -> Path:
        picture = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))
        return path


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Yield a browser with an empty profile in a folder."""
    profile = folder / "profile"
    process = subprocess.Popen(
        [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        told = profile / "DevToolsActivePort"
        end = time.monotonic() + _PATIENCE
        while not (told.is_file() and told.read_text().count("\n")):
            assert process.poll() is None, "the browser did not start"
            assert time.monotonic() < end, "the browser opened no port"
            time.sleep(0.05)
        browser = Browser(int(told.read_text().splitlines()[0]))
        try:
            yield browser
        finally:
            browser.close()
    finally:
        process.terminate()
        process.wait(timeout=_PATIENCE)
