"""One HTTP client per provider: connection reuse, timeouts, the request budget, the one retry loop.

The retry loop is ours because a library's would resend an old signature and escape the budget. What
another attempt can't change is never retried. Redirects are refused (a signature covers the host
and the path), netrc is not read, cookies are not kept, and a body is bounded while it is read, in
bytes and in seconds.
"""

import logging
import random
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from pydantic import SecretStr
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, ReadTimeoutError

from pipelines.errors import (
    Cancelled,
    ConfigurationError,
    MalformedAnswer,
    ProviderError,
    RequestRefused,
    Unreachable,
)
from pipelines.extract.budget import RequestBudget
from pipelines.extract.limits import asked_to_wait, until_reset
from pipelines.providers.provider import (
    Outgoing,
    PageRequest,
    Provider,
    ProviderSettings,
    shorten,
)

logger = logging.getLogger(__name__)

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
LONGEST_WAIT = 300.0
"""Seconds: a server that wants us back later than this is left to the next tick."""

CHUNK = 64 * 1024
USER_AGENT = "holdfast/0.1"


@dataclass(frozen=True)
class Answer:
    """A 200. `asked_at` and `answered_at` are monotonic seconds that enclose the try that gave
    it."""

    headers: Mapping[str, str]
    body: bytes
    asked_at: float
    answered_at: float


class _Auth(AuthBase):
    """Signs the finished request. Being set, it also keeps requests from reading netrc."""

    def __init__(self, provider: Provider, settings: ProviderSettings) -> None:
        self._provider = provider
        self._settings = settings

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        outgoing = Outgoing(
            method=request.method or "GET",
            target=request.path_url,
            host=urlsplit(request.url or "").netloc,
        )
        headers = self._provider.auth_headers(self._settings, outgoing, datetime.now(UTC))
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()):
                raise ConfigurationError(
                    f"what goes into the header {name} has a line break or another character that"
                    f" no header can hold: check the {self._provider.name.upper()}_… settings"
                )
        request.headers.update(headers)
        return request


class _Session(requests.Session):
    """Takes no redirect for one: `allow_redirects=False` alone still parses the new address and
    reads the whole body, without a bound."""

    def get_redirect_target(self, resp: requests.Response) -> None:  # noqa: ARG002
        return None


class Client:
    """Fetches pages of one provider; safe to share between threads."""

    def __init__(
        self,
        provider: Provider,
        settings: ProviderSettings,
    ) -> None:
        self.provider = provider
        self.settings = settings
        self._cancelled = threading.Event()
        self.ahead = ThreadPoolExecutor(settings.concurrency, f"{provider.name}-pages")
        self._budget = RequestBudget(settings.requests_per_minute, sleep=self._sleep)
        self._in_flight = threading.Semaphore(settings.concurrency)
        self._auth = _Auth(provider, settings)
        secrets = (value for _, value in settings if isinstance(value, SecretStr))
        self._secrets = [value.get_secret_value().encode() for value in secrets if value]
        self._session = _Session()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update(
            {
                "User-Agent": USER_AGENT,
                "Accept": "application/json",
                "Cache-Control": "no-cache",
            }
        )
        adapter = HTTPAdapter(pool_maxsize=settings.concurrency, max_retries=0)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()
        self.ahead.shutdown(wait=True, cancel_futures=True)
        self._session.close()

    def cancel(self) -> None:
        """End every wait and let no further request out: threads that fetch raise Cancelled."""
        self._cancelled.set()

    def _sleep(self, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise Cancelled("the run was ended before the target was complete")

    def get(self, request: PageRequest, on_try: Callable[[], None]) -> Answer:
        """Fetch one page, trying again as long as that can help; `on_try` counts what it costs.

        Raises a ProviderError: at once when another try would change nothing, the last one when
        the tries are used up or the server wants us back later than `LONGEST_WAIT`.
        """
        attempt = 0
        while True:
            attempt += 1
            self._sleep(0)
            self._budget.spend()
            on_try()
            try:
                with self._in_flight:
                    return self._try(request)
            except ProviderError as error:
                wait = self._pause(error, attempt)
                if wait is None:
                    error.message += f" (tried {attempt} times)" if attempt > 1 else ""
                    raise
                logger.warning("%s: %s; trying again in %.1f s", self.provider.name, error, wait)
            self._sleep(wait)

    def _pause(self, error: ProviderError, attempt: int) -> float | None:
        """Seconds until the next try, or None when there shall be none."""
        if not error.transient or attempt >= self.settings.max_tries:
            return None
        if error.retry_after is not None:
            if error.retry_after > LONGEST_WAIT:
                return None
            self._budget.close_for(error.retry_after)
            return error.retry_after
        longest = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads retries, guards nothing

    def _try(self, request: PageRequest) -> Answer:
        asked_at = time.monotonic()
        try:
            with self._session.get(
                self.settings.base_url + request.target,
                auth=self._auth,
                timeout=(self.settings.connect_timeout, self.settings.read_timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                body = self._read(response, asked_at + self.settings.total_timeout)
        except (requests.RequestException, HTTPError) as error:
            raise self._network_error(error) from None
        answered_at = time.monotonic()
        headers = {name.lower(): value for name, value in response.headers.items()}
        if (closed := until_reset(headers, time.time())) is not None:
            self._budget.close_for(min(closed, LONGEST_WAIT))
        if response.status_code != 200:
            refusal = self._refusal(response, headers, body)
            refusal.retry_after = asked_to_wait(headers, time.time())
            raise refusal
        if any(secret in body for secret in self._secrets):
            raise MalformedAnswer("the answer repeats one of the credentials that were sent")
        return Answer(headers, body, asked_at, answered_at)

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        most = self.settings.max_body_bytes
        body = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):  # read() waits for a CHUNK
            body += chunk
            if len(body) > most:
                raise MalformedAnswer(
                    f"the body is larger than {most} bytes;"
                    f" {self.provider.name.upper()}_MAX_BODY_BYTES sets the bound"
                )
            if time.monotonic() > deadline:
                host = urlsplit(self.settings.base_url).netloc
                raise Unreachable(f"{host} took over {self.settings.total_timeout:g} s to answer")
        return bytes(body)

    def _refusal(
        self, response: requests.Response, headers: Mapping[str, str], body: bytes
    ) -> ProviderError:
        if 300 <= response.status_code < 400:
            host = _host(headers.get("location", "")) or "the same host"
            return RequestRefused(
                f"answered {response.status_code}, a redirect to {host}, which is not followed."
                f" Check {self.provider.name.upper()}_BASE_URL"
            )
        for secret in self._secrets:
            body = body.replace(secret, b"[secret]")
        return self.provider.explain(response.status_code, headers, body)

    def _network_error(self, error: Exception) -> ProviderError:
        """An error without the request in it: the library's own texts quote the whole URL."""
        host = urlsplit(self.settings.base_url).netloc
        if isinstance(error, requests.ConnectTimeout):
            return Unreachable(f"no connection to {host} in {self.settings.connect_timeout:g} s")
        if isinstance(error, requests.ReadTimeout | ReadTimeoutError):
            return Unreachable(f"no data from {host} for {self.settings.read_timeout:g} s")
        cause = _innermost(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RequestRefused(f"the certificate of {host} is not valid: {cause.verify_message}")
        said = getattr(cause, "strerror", None) or str(cause) or cause.__class__.__name__
        detail = " ".join(shorten(said).split())  # may quote what the server sent
        return Unreachable(f"the connection to {host} failed: {detail}")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return "a malformed address"


def _innermost(error: BaseException) -> BaseException:
    seen = {id(error)}
    while True:
        inner = getattr(error, "reason", None) or error.__cause__ or error.__context__
        if inner is None and error.args and isinstance(error.args[-1], BaseException):
            inner = error.args[-1]
        if not isinstance(inner, BaseException) or id(inner) in seen:
            return error
        seen.add(id(inner))
        error = inner
