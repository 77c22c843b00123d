"""What a contender is told, and what it tells when it is done.

The job comes on standard input, so that no password stands in a process list; what it took goes to
a file, out of the way of what a contender prints. The clock starts when the job is read, which is
after the imports at the head of the contender's module, and stops when `run` returns: for every
contender the same. What it imports later counts as work.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

PAGE_SIZE = 200
DONE = "done.json"


@dataclass(frozen=True)
class Job:
    """`again`: an earlier run has loaded another state already. `folder` is the contender's own,
    and lasts from the first run to the next. `options` are particular to a contender."""

    base_url: str
    database_url: str
    principals: tuple[str, ...]
    rows: int
    connections: int
    folder: str
    options: dict[str, str]
    again: bool = False

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Done:
    """`seconds` of work, of which `parts`; CPU of the process and the most memory it held."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    parts: dict[str, float]


Run = Callable[[Job], dict[str, float]]
"""Does the job, and returns the seconds of its parts where it can tell them."""


def contend(run: Run) -> None:
    """Read the job, do it, and write down what it took."""
    fields = json.loads(sys.stdin.read())
    job = Job(**{**fields, "principals": tuple(fields["principals"])})
    cpu, began = time.process_time(), time.perf_counter()
    parts = run(job)
    seconds = time.perf_counter() - began
    done = Done(seconds, time.process_time() - cpu, _peak_bytes(), parts)
    Path(job.folder, DONE).write_text(json.dumps(asdict(done)), encoding="utf-8")


def _peak_bytes() -> int:
    """The most memory this process has held. Not getrusage's figure: that one begins with what the
    process had that started this one."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    if not found:
        raise OSError("/proc/self/status tells no VmHWM")
    return int(found[1]) * 1024
