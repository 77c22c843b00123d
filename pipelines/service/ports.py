"""The port to open Dagster at."""

import socket

from pipelines.errors import ConfigurationError

HOST = "127.0.0.1"
FIRST, LAST = 3000, 3099


def choose_port(wanted: int | None) -> int:
    """`wanted`, or else the first of 3000 to 3099 that nobody has.

    Raises ConfigurationError where it is taken, or may not be had.
    """
    if wanted is not None:
        if fault := _fault(wanted):
            raise ConfigurationError(
                f"can't open Dagster on {HOST}:{wanted}: {fault}. Choose another port, or none, and"
                f" the first free one from {FIRST} on is taken"
            )
        return wanted
    for port in range(FIRST, LAST + 1):
        if not _fault(port):
            return port
    raise ConfigurationError(f"all ports from {FIRST} to {LAST} are taken: choose one with --port")


def _fault(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the webserver does
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            return getattr(error, "strerror", None) or str(error)
    return None
