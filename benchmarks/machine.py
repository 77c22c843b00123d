"""What a figure was obtained on: without it, no figure says anything."""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import psutil

from benchmarks.databases import Databases
from benchmarks.folders import PEERS_PYTHON
from benchmarks.results import Machine

PEERS = ("dlt", "pyarrow", "adbc-driver-postgresql", "psycopg2-binary", "requests", "msgspec")
_ASK = (
    "import json, sys, importlib.metadata as m;"
    "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
)


def machine(databases: Databases) -> Machine:
    return Machine(
        cpu=_cpu(),
        cores=os.cpu_count() or 0,
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        postgres=databases.version(),
        postgres_settings=databases.settings(),
        peers=_peers(),
        load_before=os.getloadavg()[0],
    )


def _cpu() -> str:
    found = re.search(
        r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
    )
    return found[1] if found else platform.machine()


def _peers() -> dict[str, str]:
    if not PEERS_PYTHON.exists():
        return {}
    asked = subprocess.run(  # noqa: S603 - a program of ours
        [PEERS_PYTHON, "-c", _ASK, *PEERS], check=True, stdout=subprocess.PIPE, text=True
    )
    versions: dict[str, str] = json.loads(asked.stdout)
    return versions
