"""A headless Chromium, driven over its DevTools protocol; enough of it to take screenshots.

Chromium's own --screenshot takes the picture after a time; a page of Dagster is ready when it shows
what it is looked at for, and some of it only after a click.
"""
# ruff: noqa: INP001, S603 - a script's neighbour that starts a browser

import base64
import io
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from PIL import Image
from websockets.sync.client import connect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
PATIENCE = 60.0
LARGEST = 150 * 1024
"""Bytes of a picture."""


def wait_until(what: str, condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """What `condition` returns as soon as it is true. Raises TimeoutError naming `what`."""
    end = time.monotonic() + patience
    while not (found := condition()):
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience:.0f} s for {what}")
        time.sleep(0.2)
    return found


class Browser:
    """A context manager; the browser's profile is gone when it ends."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._numbers = itertools.count(1)
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        program = next(filter(None, map(shutil.which, NAMES)), None)
        if program is None:
            raise SystemExit(f"no browser found; looked for {', '.join(NAMES)}")
        self._profile = tempfile.mkdtemp()
        self._process = subprocess.Popen(
            [program, *OPTIONS, f"--user-data-dir={self._profile}", "about:blank"],
            stderr=subprocess.DEVNULL,
        )
        port_file = Path(self._profile) / "DevToolsActivePort"
        wait_until("the browser", lambda: port_file.exists() and "\n" in port_file.read_text())
        port = port_file.read_text().split()[0]
        pages = requests.get(f"http://127.0.0.1:{port}/json", timeout=PATIENCE).json()
        [page] = [page for page in pages if page["type"] == "page"]
        self._socket = connect(page["webSocketDebuggerUrl"], max_size=None)
        self.resize(*self._size)
        self._call("Emulation.setTimezoneOverride", timezoneId="UTC")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def resize(self, width: int, height: int) -> None:
        """For the pages that are opened from now on."""
        self._call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def open(self, url: str, *texts: str) -> None:
        """Go to `url` and wait until the page shows all of `texts` and is still."""
        self._evaluate("document.documentElement.replaceChildren()")  # nothing old is read
        self._call("Page.navigate", url=url)
        self.wait_for(*texts)

    def wait_for(self, *texts: str) -> None:
        for text in texts:
            wait_until(f"{text!r} on the page", lambda text=text: text in self.text())
        wait_until("a page that is still", self._is_still)

    def text(self) -> str:
        return str(self._evaluate("document.body ? document.body.innerText : ''"))

    def click(self, text: str) -> None:
        """Click the innermost thing that says exactly `text`."""
        script = (
            "(text => { const found = [...document.querySelectorAll('*')].filter(node =>"
            " node.innerText && node.innerText.trim() === text && node.getClientRects().length);"
            " if (!found.length) return false; found.at(-1).click(); return true; })"
        )
        wait_until(f"{text!r} to click", lambda: self._evaluate(f"{script}({json.dumps(text)})"))

    def replace(self, old: str, new: str) -> None:
        """Show `new` where the page says `old`: pictures tell nothing of this machine."""
        script = (
            "((old, now) => { const texts = document.createTreeWalker(document.body, 4);"
            " while (texts.nextNode()) { const text = texts.currentNode;"
            " if (text.data.includes(old)) text.data = text.data.replaceAll(old, now); } })"
        )
        self._evaluate(f"{script}({json.dumps(old)}, {json.dumps(new)})")

    def watch(self, *, dark: bool) -> None:
        """Before a page is opened: how its reader likes it, and that we want to know what it
        does, see `messages` and `loaded`."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        for domain in ("Log", "Runtime", "Network"):
            self._call(f"{domain}.enable")

    def messages(self) -> list[str]:
        """All that was logged since `watch`: by scripts, and by the browser about the page."""
        logged = self._told("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
        return [json.dumps(message) for message in logged]

    def loaded(self) -> list[str]:
        """The URLs of all that was asked for since `watch`."""
        return [sent["request"]["url"] for sent in self._told("Network.requestWillBeSent")]

    def page_width(self) -> int:
        """How many pixels wide the page is, what one has to scroll to included."""
        return int(self._evaluate("document.documentElement.scrollWidth"))

    def _told(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self._events if event.get("method") in methods]

    def picture(self, path: Path, *, left: int = 0, height: int | None = None) -> None:
        """Save what is seen from `left` on and down to `height`, in few colours."""
        shot = self._call("Page.captureScreenshot", format="png")["data"]
        with Image.open(io.BytesIO(base64.b64decode(shot))) as whole:
            seen = whole.convert("RGB").crop((left, 0, whole.width, height or whole.height))
        seen.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size > LARGEST:
            raise SystemExit(f"{path} has {path.stat().st_size:,} bytes, over {LARGEST:,}")

    def _is_still(self) -> bool:
        before = _without_clocks(self.text())
        time.sleep(1.5)
        return _without_clocks(self.text()) == before

    def _evaluate(self, script: str) -> Any:
        return self._call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get(
            "value"
        )

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=PATIENCE))
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return dict(answer["result"])
            self._events.append(answer)


def _without_clocks(text: str) -> str:
    """What a page says without its numbers: some of them count seconds."""
    return re.sub(r"([0-9]+|an?) (second|minute)s?|[0-9]+", "", text)
