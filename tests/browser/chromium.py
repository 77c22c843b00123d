"""A headless Chromium, driven by its DevTools protocol: what a person's browser does, and no more
than the tests need of it."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from websockets.sync.client import ClientConnection, connect

from tests.patience import PATIENCE, wait_until

LOOK_SECONDS = 0.2


class Page:
    """A tab. `events` are all that its network and console have told so far."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._asked = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Network", "Runtime"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._asked += 1
        told = {"id": self._asked, "method": method, "params": parameters}
        self._connection.send(json.dumps(told))
        while True:
            said = json.loads(self._connection.recv(PATIENCE))
            if said.get("id") == self._asked:
                assert "error" not in said, said
                return said["result"]
            self.events.append(said)

    def open(self, url: str) -> None:
        self.ask("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression; a promise's when it is kept."""
        found = self.ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self) -> str:
        return self.run("document.body ? document.body.innerText : ''")

    def wait_for(self, words: str) -> None:
        def shown() -> bool:
            time.sleep(LOOK_SECONDS)
            return words in self.text()

        try:
            wait_until(shown, f"{words!r} on the page")
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows:\n{self.text()}") from None

    def told(self, method: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") == method]

    def statuses(self) -> dict[str, int]:
        """The last status of each address that was asked for."""
        answers = [told["response"] for told in self.told("Network.responseReceived")]
        return {answer["url"]: answer["status"] for answer in answers}

    def frames(self) -> str:
        """All that came by websockets."""
        told = self.told("Network.webSocketFrameReceived")
        return "\n".join(frame["response"]["payloadData"] for frame in told)


@contextmanager
def chromium(folder: Path, *options: str) -> Iterator[Page]:
    program = shutil.which("chromium")
    assert program, "Chromium is not installed: apt-get install chromium"
    command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-dev-shm-usage", "--remote-debugging-port=0", *options]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=log,
            stderr=log,
        )
    try:
        said = folder / "profile" / "DevToolsActivePort"
        wait_until(lambda: said.exists() and said.read_text().count("\n"), "the browser")
        port = said.read_text().splitlines()[0]
        tabs = requests.get(f"http://127.0.0.1:{port}/json", timeout=PATIENCE).json()
        [address] = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
        with connect(address, max_size=None, proxy=None) as connection:
            yield Page(connection)
    finally:
        process.terminate()
        process.wait(PATIENCE)
