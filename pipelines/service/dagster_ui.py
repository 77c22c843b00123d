"""Dagster's webserver behind our guards: `python -m pipelines.service.dagster_ui`.

A proxy before it would not do, as its own port stays open. Dagster's class for the webserver has a
place for middleware, and this is its command line with that class's heir in place of it.
"""

import argparse
import asyncio
import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from dagster import DagsterInstance
from dagster import __version__ as dagster_version
from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._utils.log import configure_loggers
from dagster_webserver.webserver import DagsterWebserver
from starlette.middleware import Middleware

from pipelines.service.guard import guards

ALLOWED_HOSTS = "HOLDFAST_ALLOWED_HOSTS"
POLL_MILLISECONDS = 2000
"""How often the pages ask for what is new, as Dagster's own command has it."""


class GuardedWebserver(DagsterWebserver[WorkspaceProcessContext, WorkspaceRequestContext]):
    """Dagster's webserver, which answers its own pages and scripts alone, in no frame of another
    page (a click there would be a click here)."""

    def __init__(self, context: WorkspaceProcessContext, allowed_hosts: Sequence[str]) -> None:
        self._allowed_hosts = allowed_hosts
        super().__init__(context, live_data_poll_rate=POLL_MILLISECONDS)

    def build_middleware(self) -> list[Middleware]:
        return [*guards(self._allowed_hosts), *super().build_middleware()]

    def make_security_headers(self) -> dict[str, str]:
        return {**super().make_security_headers(), "X-Frame-Options": "SAMEORIGIN"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", required=True, type=int)
    given = parser.parse_args()
    configure_loggers(log_level="INFO")
    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(15000, 3600, 20)  # as Dagster's command does
        with WorkspaceProcessContext(
            instance,
            version=dagster_version,
            workspace_load_target=WorkspaceFileTarget([given.workspace]),
        ) as context:
            hosts = os.environ.get(ALLOWED_HOSTS, "").split(",")
            webserver = GuardedWebserver(context, [host for host in hosts if host])
            app = webserver.create_asgi_app(lifespan=_until_ended)
            uvicorn.run(app, host=given.host, port=given.port, log_level="warning")


@asynccontextmanager
async def _until_ended(_: Any) -> AsyncIterator[None]:
    try:
        yield
    except asyncio.CancelledError:  # uvicorn's way to end it
        logging.getLogger(__name__).info("ended")


if __name__ == "__main__":
    main()
