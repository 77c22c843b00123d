"""Opens what a run needs from the settings: the warehouse, and a provider's client.

Without DATABASE_URL the project's own server is started, or joined, and migrated; a database that
was given is only checked, since who loads it need not own it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import ProviderSettings
from pipelines.settings import Settings, load_all_settings
from pipelines.warehouse import embedded
from pipelines.warehouse.migrate import check_schema, migrate
from pipelines.warehouse.postgres import Warehouse, parse_url, place
from pipelines.warehouse.request_budget import SharedLedger, account_of
from pipelines.warehouse.runs import Pulse, living, session_name

FEWEST_FAILURES = 5
"""Failures in a row from which on a provider is left alone, but as many as requests under way."""


@dataclass(frozen=True)
class OpenRun:
    """A run under way: where it writes, and the signs that it lives."""

    warehouse: Warehouse
    pulse: Pulse


@dataclass(frozen=True)
class Runtime:
    """The settings, and what is opened from them."""

    settings: Settings
    providers: Mapping[str, ProviderSettings]

    @classmethod
    def from_environment(cls) -> Self:
        """Raises ConfigurationError naming each variable that can't be used, and its place."""
        return cls(*load_all_settings(parse_url=parse_url))

    def database_url(self) -> str:
        """The URL to connect to; starts the project's own server where none is given."""
        if self.settings.database_url:
            return self.settings.database_url.get_secret_value()
        home, binaries = self.settings.holdfast_home, self.settings.holdfast_postgres_bin
        return embedded.start(home, binaries=binaries).url

    @property
    def uri(self) -> str:
        """Where the warehouse is, without user or password; known without connecting."""
        if self.settings.database_url:
            return f"postgresql://{place(parse_url(self.settings.database_url.get_secret_value()))}"
        return f"postgresql://127.0.0.1/holdfast (own server in {self.settings.holdfast_home})"

    @contextmanager
    def open_warehouse(
        self, *, connections: int = 5, session: str | None = None
    ) -> Iterator[Warehouse]:
        """The warehouse, at the schema of this version, with that many connections at once.

        `session` names them for who looks at the server. Raises WarehouseUnreachable,
        SchemaNotReady, EmbeddedPostgresError.
        """
        url = self.database_url()
        with Warehouse(url, connections=connections, session=session) as warehouse:
            if self.settings.own_server:
                migrate(url)
            else:
                with warehouse.transaction() as connection:
                    check_schema(connection)
            yield warehouse

    @contextmanager
    def open_run(self, run_id: str, job: str, *, connections: int = 1) -> Iterator[OpenRun]:
        """The warehouse for a run, whose row tells from now on that it lives. Raises RunEnded where
        it was ended before it began."""
        with (
            self.open_warehouse(connections=connections, session=session_name(run_id)) as warehouse,
            living(warehouse, run_id, job) as pulse,
        ):
            yield OpenRun(warehouse, pulse)

    @contextmanager
    def open_provider(self, provider: str, run: OpenRun) -> Iterator[Client]:
        """A provider's client, whose requests and waits are signs that the run lives. It shares its
        budget with all that use this warehouse, and sends nothing more once the run was ended from
        outside."""
        settings = self.providers[provider]
        ledger = SharedLedger(
            run.warehouse,
            provider,
            account_of(settings.base_url, settings.secrets),
            requests_per_minute=settings.requests_per_minute,
            failures=max(FEWEST_FAILURES, settings.concurrency),
            probe_seconds=settings.connect_timeout + settings.total_timeout,
        )
        with (
            ledger,
            Client(
                PROVIDERS[provider], settings, ledger=ledger, on_work=run.pulse.expect
            ) as client,
        ):
            run.pulse.when_ended(client.cancel)
            yield client
