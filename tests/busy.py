"""The tests that wait for something, again and again on a machine that is busy: `make test-busy`.

A test that waits by the clock passes on the machine it was written on and fails on a slower one, or
beside other work. Beside loops that keep every processor busy such a test shows itself. It stops at
the first round that is not green.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from pipelines.paths import ROOT

WAITING = (
    "tests/commands/test_ending.py",
    "tests/commands/test_export.py",
    "tests/commands/test_snapshot.py",
    "tests/end_to_end/test_crashes.py",
    "tests/end_to_end/test_crashes_dagster.py",
    "tests/end_to_end/test_crashes_postgres.py",
    "tests/end_to_end/test_service.py",
    "tests/extract/test_ahead.py",
    "tests/extract/test_http.py",
    "tests/extract/test_walk_ahead.py",
    "tests/sandbox/test_faults.py",
    "tests/sandbox/test_server.py",
    "tests/warehouse/test_embedded.py",
    "tests/warehouse/test_embedded_crashes.py",
    "tests/warm/test_processes.py",
)
BUSY = [sys.executable, "-c", "while True: pass"]


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that do nothing but take time, until the end of the block."""
    with ExitStack() as stack:
        for _ in range(loops):
            loop = stack.enter_context(subprocess.Popen(BUSY))
            stack.callback(loop.kill)
        yield


def main() -> int:
    parser = argparse.ArgumentParser(prog="make test-busy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--loops", type=int, default=os.cpu_count() or 1)
    parser.add_argument("tests", nargs="*", default=WAITING)
    asked = parser.parse_args()
    with busy(asked.loops):
        for number in range(1, asked.rounds + 1):
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *asked.tests], cwd=ROOT, check=False
            )
            took = time.monotonic() - began
            how = "green" if done.returncode == 0 else f"failed ({done.returncode})"
            print(f"Round {number} of {asked.rounds}: {how}, {took:.0f} s", flush=True)
            if done.returncode:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
