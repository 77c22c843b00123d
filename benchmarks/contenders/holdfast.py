"""`holdfast snapshot` as a user runs it, from reading the settings to the published history.

The settings come by the environment, as a user's would, and so do the job's options, which are
further settings. What the parts take is told by clocks
around the verbs of the staging table and around the publish transaction.
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contenders.job import PAGE_SIZE, Job, contend
from pipelines import cli, taking
from pipelines.warehouse.staging import Staging

NO_LIMIT = "1000000000"
"""Requests a minute."""


class Clocks:
    """Seconds spent in functions, and when each was called first, since this was made."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.first: dict[str, float] = {}
        self._began = time.perf_counter()

    def time(self, owner: Any, name: str) -> None:
        """Have `owner.name` timed from now on."""
        function: Callable[..., object] = getattr(owner, name)

        def timed(*arguments: object, **named: object) -> object:
            began = time.perf_counter()
            self.first.setdefault(name, began - self._began)
            try:
                return function(*arguments, **named)
            finally:
                self.seconds[name] += time.perf_counter() - began

        setattr(owner, name, timed)

    def parts(self) -> dict[str, float]:
        """Of one target: the time until its staging table was there, from then until the last row
        lay in it (`copy` of it in writing to Postgres), the checks on it, the publish."""
        return {
            "start": self.first["clear"],
            "walk": self.first["finish"] - self.first["clear"],
            "copy": self.seconds["write"],
            "checks": self.seconds["finish"],
            "publish": self.seconds["publish"],
        }


def run(job: Job) -> dict[str, float]:
    targets = Path(job.folder, "targets.yaml")
    lines = ["hiro:", '  cron: "17 * * * *"', "  targets:"]
    targets.write_text(
        "\n".join([*lines, *(f"    - principal: {name}" for name in job.principals)])
    )
    os.environ.update(
        DATABASE_URL=job.database_url,
        HOLDFAST_HOME=job.folder,
        HOLDFAST_TARGETS=str(targets),
        HIRO_BASE_URL=job.base_url,
        HIRO_REQUESTS_PER_MINUTE=NO_LIMIT,
        HIRO_PAGE_SIZE=str(PAGE_SIZE),
        HIRO_CONCURRENCY=str(job.connections),
        **job.options,
    )
    clocks = Clocks()
    for verb in ("clear", "write", "finish"):
        clocks.time(Staging, verb)
    clocks.time(taking, "publish")
    sys.argv = [cli.__file__, "snapshot", "--provider", "hiro"]
    try:
        cli.main()
    except SystemExit as ended:
        if ended.code:
            raise
    return clocks.parts() if len(job.principals) == 1 else {}


if __name__ == "__main__":
    contend(run)
