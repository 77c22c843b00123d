"""The port to open Dagster at.

Between the look whether a port is free and Dagster's opening it lie seconds, in which another
service may start, find it free as well, and even take the other's Dagster for its own. So a service
holds, for as long as it runs, the UDP port of the same number: nobody sends anything to it, two
can't have it, and the system takes it back however the service ends.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.errors import ConfigurationError

HOST = "127.0.0.1"
FIRST, LAST = 3000, 3099


@contextmanager
def claimed_port(wanted: int | None) -> Iterator[int]:
    """`wanted`, or else the first of 3000 to 3099 that nobody has; no other service's meanwhile.

    Raises ConfigurationError where it is taken, or may not be had.
    """
    for port in range(FIRST, LAST + 1) if wanted is None else [wanted]:
        with socket.socket(type=socket.SOCK_DGRAM) as claim:
            fault = _fault(claim, port) or _fault_of_tcp(port)
            if fault is None:
                yield port
                return
        if wanted is not None:
            raise ConfigurationError(
                f"can't open Dagster on {HOST}:{wanted}: {fault}. Choose another port, or none, and"
                f" the first free one from {FIRST} on is taken"
            )
    raise ConfigurationError(f"all ports from {FIRST} to {LAST} are taken: choose one with --port")


def _fault_of_tcp(port: int) -> str | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the webserver does
        return _fault(probe, port)


def _fault(probe: socket.socket, port: int) -> str | None:
    try:
        probe.bind((HOST, port))
    except (OSError, OverflowError) as error:
        return getattr(error, "strerror", None) or str(error)
    return None
