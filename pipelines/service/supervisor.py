"""Runs everything in the foreground: the own Postgres, the demo's world, and Dagster.

In this order, and stopped in the opposite one. Dagster that ends by itself ends the service; a
Postgres that ends by itself is started again. What a killed service left is found and ended before
the next one starts.
"""

import shutil
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from pipelines.demo import demo_settings, keep_ticks, living_sandbox
from pipelines.errors import HoldfastError, ServiceFailed
from pipelines.paths import write_for_us_alone
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.sandbox.server import Sandbox
from pipelines.service.announcement import announce, command_of
from pipelines.service.dagster_home import end_cut_runs, refuse_company, write_settings
from pipelines.service.dagster_processes import (
    DagsterProcesses,
    address_of,
    check_alive,
    heal_code_server,
    start_code_server,
    start_dagster,
)
from pipelines.service.files import (
    ServiceFiles,
    explained,
    in_place_of_service,
    only_service,
    read_state,
    write_state,
)
from pipelines.service.ports import FIRST, claimed_port
from pipelines.service.processes import end_marked
from pipelines.service.signals import StopSignals
from pipelines.service.targets import ListKeeper
from pipelines.settings import Settings
from pipelines.warehouse import embedded
from pipelines.warehouse.postgres_life import is_alive

CHECK_SECONDS = 1.0
DEFINITIONS = "pipelines.definitions"
DEMO_DEFINITIONS = "pipelines.demo_definitions"


def run_service(
    settings: Settings, out: Console, err: Console, *, port: int | None, demo: bool
) -> None:
    """Run everything until Ctrl-C, SIGTERM or SIGHUP; then stop it all.

    With `demo`, on the sandbox's world and in the demo's folder. Dagster opens at `port`, or else
    at the first free one from 3000 on. Raises ConfigurationError where it can't start,
    HoldfastError where a part ends by itself.
    """
    own = demo_settings(settings) if demo else settings
    files = ServiceFiles(own.holdfast_home.resolve())
    write_for_us_alone()
    with explained(files), only_service(files, command_of(demo=demo)), StopSignals() as signals:
        service = _Service(settings, own, files, signals, out, err, demo=demo)
        try:
            with ExitStack() as parts:
                try:
                    service.start(parts, port)
                    service.watch()
                finally:
                    signals.stopping = True
                    if service.begun:
                        service.say("Stopping …")
        except KeyboardInterrupt:
            service.say("Stopped." if not signals.hurry else "Stopped at once.")


def stop_service(settings: Settings) -> bool:
    """Stop the service of the state folder, what a killed one left, and the own Postgres.

    For the demo's, `settings` are those of `demo_settings`. Returns whether any of them ran. Raises
    HoldfastError where something can't be stopped.
    """
    files = ServiceFiles(settings.holdfast_home.resolve())
    if not files.folder.exists():
        return embedded.stop(files.home)
    with explained(files), in_place_of_service(files) as stopped:
        left = end_marked(files.home)
        if left:
            end_cut_runs(files)
        _remove_traces(files)
        return embedded.stop(files.home) or stopped or left


def _remove_traces(files: ServiceFiles) -> None:
    """The files of a service that no longer runs."""
    if state := read_state(files):
        shutil.rmtree(state.sockets, ignore_errors=True)
        files.state.unlink()


class _Service:
    """What runs, between `start` and the end of the parts that it has entered."""

    def __init__(
        self,
        given: Settings,
        settings: Settings,
        files: ServiceFiles,
        signals: StopSignals,
        out: Console,
        err: Console,
        *,
        demo: bool,
    ) -> None:
        self._given = given
        self._settings = settings
        self._files = files
        self._signals = signals
        self._out = out
        self._err = err
        self._demo = demo
        self.begun = False
        self._postgres: embedded.EmbeddedServer | None = None
        self._sandbox: Sandbox | None = None
        self._list: ListKeeper
        self._dagster: DagsterProcesses

    def start(self, parts: ExitStack, port: int | None) -> None:
        """Start one part after the other; `parts` stops those that have been, in reverse."""
        files = self._files
        files.close()
        refuse_company(files)
        if end_marked(files.home):
            self.say("Ended what a service that was killed had left.")
        _remove_traces(files)
        self._list = ListKeeper(self._settings.holdfast_targets, files)
        wanted, port = port, parts.enter_context(claimed_port(port))
        if wanted is None and port != FIRST:
            self.say(f"Port {FIRST} is taken: Dagster opens at {port}.")
        address = address_of(port)
        sockets = Path(tempfile.mkdtemp(prefix="holdfast-"))  # a socket's path has to be short
        write_state(files, str(sockets), address)
        parts.callback(_remove_traces, files)
        self.begun = True
        postgres = self._start_postgres(parts)
        if self._demo:
            self.say("Starting the demo's world …")
            self._sandbox = parts.enter_context(living_sandbox(files.home))
        else:
            Runtime.from_environment()  # a mistake in a provider's variables is told here
        self.say("Starting Dagster …")
        self._start_dagster(parts, sockets, port)
        schedules = self._dagster.webserver.schedules()
        announce(files, address, postgres, schedules, self._out, demo=self._demo)

    def watch(self) -> None:
        """Look after everything until a signal ends it. Raises HoldfastError where Dagster ends."""
        while True:
            time.sleep(CHECK_SECONDS)
            self._check_dagster()
            self._heal_postgres()
            self._follow_list()
            self._files.trim_logs()
            if self._sandbox:
                keep_ticks(self._files.home, self._sandbox)

    def say(self, text: str, style: str | None = None) -> None:
        """A message to the person, who may have closed the terminal."""
        try:
            self._err.print(text, style=style, markup=False, highlight=False, soft_wrap=True)
        except (OSError, SystemExit):  # rich makes a SystemExit of a closed pipe
            self._err.quiet = True

    def _start_postgres(self, parts: ExitStack) -> str:
        """Start the own server, or see that the given one is ready; where it is, for people."""
        if self._settings.own_server:
            self.say("Starting Postgres …")
            parts.callback(embedded.stop, self._files.home)
        with Runtime(self._settings, {}).open_warehouse(connections=1) as warehouse:
            place = str(warehouse.place)
        if self._settings.own_server:
            self._postgres = embedded.status(self._files.home)
        return place

    def _start_dagster(self, parts: ExitStack, sockets: Path, port: int) -> None:
        files = self._files
        files.logs.mkdir(parents=True, exist_ok=True)
        write_settings(files)
        parts.callback(self._stop_dagster)
        if cut := end_cut_runs(files):
            runs = "1 run was" if cut == 1 else f"{cut} runs were"
            self.say(f"{runs} cut short and count as failed; Dagster retries them.")
        module = DEMO_DEFINITIONS if self._demo else DEFINITIONS
        code_server = start_code_server(files, self._given, module, sockets)
        self._dagster = start_dagster(files, self._given, code_server, sockets, port)
        if self._demo:
            for name, watch in self._list.watched.watches.items():
                self._dagster.webserver.launch(PROVIDERS[name], watch.targets)

    def _stop_dagster(self) -> None:
        end_marked(self._files.home, lambda: self._signals.hurry)
        end_cut_runs(self._files)

    def _check_dagster(self) -> None:
        check_alive(self._files, self._dagster.children)
        if heal_code_server(self._dagster):
            self.say(
                "Dagster's code server had ended by itself; it runs again. Schedules follow within"
                " a minute.",
                "yellow",
            )

    def _heal_postgres(self) -> None:
        if self._postgres and not is_alive(self._postgres.pid):
            ended = self._postgres.pid
            binaries = self._settings.holdfast_postgres_bin
            self._postgres = embedded.start(self._files.home, binaries=binaries)
            self.say(
                f"Postgres had ended by itself (process {ended}); it runs again, on"
                f" 127.0.0.1:{self._postgres.port}.",
                "yellow",
            )

    def _follow_list(self) -> None:
        """Hand a changed list of targets on; a mistake in it is told, and the last one stays."""
        if not self._list.changed():
            return
        path = self._settings.holdfast_targets
        try:
            difference = self._list.renew()
        except HoldfastError as error:
            self.say(f"{error}\nThe list from before stays in use.", "red")
            return
        if difference is None:
            return
        try:
            fault = self._dagster.webserver.reload()
        except ServiceFailed as error:  # a busy machine: Dagster imports everything for this
            self._list.try_again()
            self.say(f"{error}\n{path}: {difference}; Dagster is asked again.", "yellow")
            return
        if fault:
            self._list.go_back()
            self._dagster.webserver.reload()
            self.say(
                f"{path}: {difference}; Dagster can't use that: {fault}\nThe list from before stays"
                " in use.",
                "red",
            )
        else:
            self.say(f"{path}: {difference}. Schedules follow within a minute.")
