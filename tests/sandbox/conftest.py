"""Real sandboxes on real sockets, over worlds small enough to look through."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import requests

from pipelines.sandbox.answers import Exchange
from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.providers.catenis.signature import signature
from pipelines.sandbox.server import Sandbox
from tests.patience import PATIENCE


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def get(sandbox: Sandbox, http: requests.Session) -> Callable[..., requests.Response]:
    """get("hiro", "/path?query") → the response."""

    def get(provider: str, target: str, **headers: str) -> requests.Response:
        return http.get(sandbox.url(provider) + target, headers=headers, timeout=PATIENCE)

    return get


@pytest.fixture
def get_signed(sandbox: Sandbox, http: requests.Session) -> Callable[..., requests.Response]:
    """As `get` for Catenis, signed for what the keyword arguments say and sent as it is."""

    def get_signed(
        target: str,
        *,
        device: str = ISSUER,
        secret: str = ISSUER_SECRET,
        at: datetime | None = None,
        date: str | None = None,
        signed_target: str | None = None,
        signed_host: str | None = None,
        encoding: str = "identity",
    ) -> requests.Response:
        url = sandbox.url("catenis")
        timestamp = f"{at or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        date = date or timestamp[:8]
        host = signed_host or url.removeprefix("http://")
        exchange = Exchange(
            "catenis", "GET", signed_target or target, {"host": host}, b"", 1, datetime.now(UTC)
        )
        signed = signature(exchange, secret, timestamp, date)
        headers = {
            "accept-encoding": encoding,
            "x-bcot-timestamp": timestamp,
            "authorization": f"CTN1-HMAC-SHA256 Credential={device}/{date}/ctn1_request,"
            f" Signature={signed}",
        }
        return http.get(url + target, headers=headers, timeout=PATIENCE)

    return get_signed
