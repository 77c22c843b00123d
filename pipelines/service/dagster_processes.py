"""Dagster's processes: one code server, shared by the webserver and the daemon.

The three are started by us and not by `dagster dev`, which mixes their logs, looks every five
seconds whether they live, and waits a minute for each to stop. Like it, we have one code server for
both, behind a proxy that can load the definitions anew.
"""

import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines.errors import ServiceFailed
from pipelines.paths import ROOT
from pipelines.service.files import ServiceFiles
from pipelines.service.ports import HOST
from pipelines.service.processes import Child, spawn
from pipelines.service.webserver import LOCATION, Webserver
from pipelines.settings import Settings

START_SECONDS = 120.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class DagsterProcesses:
    children: tuple[Child, ...]
    webserver: Webserver


def start_code_server(files: ServiceFiles, settings: Settings, module: str, sockets: Path) -> Child:
    """Start loading the definitions of `module`, to be served on a socket in `sockets`."""
    arguments = ["dagster", "code-server", "start", "--socket", str(_socket(sockets))]
    arguments += ["--module-name", module, "--working-directory", str(ROOT)]
    arguments += ["--location-name", LOCATION, "--log-level", "warning"]
    return spawn(files, "code-server", arguments, _environment(files, settings, sockets))


def start_dagster(
    files: ServiceFiles, settings: Settings, code_server: Child, sockets: Path, port: int
) -> DagsterProcesses:
    """Start the webserver and the daemon as soon as the code server serves, and wait until the
    webserver answers with definitions that can be used.

    Raises ServiceFailed with the end of its log where one of them ends instead.
    """
    _wait(files, (code_server,), lambda: _listens(_socket(sockets)), "load the definitions")
    workspace = sockets / "workspace.yaml"
    server = {"location_name": LOCATION, "socket": str(_socket(sockets))}
    workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}))
    environment = _environment(files, settings, sockets)
    daemon = ["dagster._daemon", "run", "--workspace", str(workspace)]
    web = ["pipelines.service.dagster_ui", "--workspace", str(workspace)]
    web += ["--host", HOST, "--port", str(port)]
    children = (
        code_server,
        spawn(files, "webserver", web, environment),
        spawn(files, "daemon", daemon, environment),
    )
    webserver = Webserver(address_of(port))
    _wait(files, children, webserver.answers, "start")
    if error := webserver.load_error():
        raise ServiceFailed(f"Dagster can't use the definitions: {error}")
    return DagsterProcesses(children, webserver)


def address_of(port: int) -> str:
    return f"http://{HOST}:{port}"


def check_alive(files: ServiceFiles, children: tuple[Child, ...]) -> None:
    """Raises ServiceFailed with the end of its log where one has ended by itself."""
    for child in children:
        if child.ended:
            raise ServiceFailed(
                f"Dagster's {child.name} ended by itself, with exit code"
                f" {child.process.returncode}. {files.last_words(child.name)}"
            )


def heal_code_server(dagster: DagsterProcesses) -> bool:
    """Have the definitions served again where the process that did has ended; whether it had.

    The proxy before it does not notice, and the schedules would stop without a word. It tells the
    reload that replaces a dead process as failed, because it can't say goodbye to that one.
    Raises ServiceFailed where there is none afterwards.
    """
    code_server = dagster.children[0]
    if code_server.has_children():
        return False
    fault = dagster.webserver.reload()
    if not code_server.has_children():
        raise ServiceFailed(f"Dagster's code server ended and can't be started again: {fault}")
    return True


def _wait(
    files: ServiceFiles, children: tuple[Child, ...], done: Callable[[], bool], what: str
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not done():
        check_alive(files, children)
        if time.monotonic() > deadline:
            names = ", ".join(str(files.log(child.name)) for child in children)
            raise ServiceFailed(f"Dagster did not {what} within {START_SECONDS:g} s; see {names}")
        time.sleep(POLL_SECONDS)


def _socket(sockets: Path) -> Path:
    return sockets / "code"


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _environment(files: ServiceFiles, settings: Settings, sockets: Path) -> dict[str, str]:
    """Ours, with the settings that the supervisor was given, and of Dagster's its home alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAGSTER_")}
    binaries = settings.holdfast_postgres_bin
    return {
        **kept,
        **({"HOLDFAST_POSTGRES_BIN": str(binaries)} if binaries else {}),
        "HOLDFAST_HOME": str(settings.holdfast_home.resolve()),
        "HOLDFAST_TARGETS": str(files.targets),
        "HOLDFAST_CHUNK_SIZE": str(settings.holdfast_chunk_size),
        "HOLDFAST_ALLOWED_HOSTS": settings.holdfast_allowed_hosts,
        "DAGSTER_HOME": str(files.dagster),
        "TMPDIR": str(sockets),  # where Dagster puts sockets of its own: they go with the folder
        "PYTHONSAFEPATH": "1",  # a folder `pipelines` where the person stands is not ours
    }
