"""The benchmark's HTTP server as the process that measures sees it."""

import json
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from benchmarks.folders import ROOT
from benchmarks.worlds import Truth


@dataclass(frozen=True)
class Stats:
    """CPU seconds that the server has used, and requests that it has answered, since its start."""

    cpu_seconds: float
    requests: int

    def __sub__(self, before: "Stats") -> "Stats":
        return Stats(self.cpu_seconds - before.cpu_seconds, self.requests - before.requests)


class HttpServer:
    """Runs from `with` to its end; it would end by itself if this process were killed."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._process.stdout is None:
            raise RuntimeError("the server's output was asked for and is not there")
        self._address = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()

    def prepare(self, world: str) -> Truth:
        """Have a world made, so that no measurement pays for it."""
        return Truth(**self._ask(f"/prepare/{world}"))

    def forget(self) -> None:
        """Let go of all worlds; their rows are kept."""
        self._ask("/forget")

    def stats(self) -> Stats:
        return Stats(**self._ask("/stats"))

    def base_url(self, world: str, latency_ms: int) -> str:
        return f"{self._address}/{world}/{latency_ms}"

    def _ask(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self._address + path) as answer:  # noqa: S310 - http, ours
            told: dict[str, Any] = json.load(answer)
            return told
