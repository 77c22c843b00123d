"""One HTTP client per provider: connection reuse, timeouts, the request budget, the one retry loop.

The retry loop is ours because a library's would resend an old signature and escape the budget. What
another attempt can't change is never retried. Redirects are refused (a signature covers the host
and the path), netrc is not read, cookies are not kept, and an answer is bounded from its first byte
on, in bytes and in seconds.
"""

import logging
import random
import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, ReadTimeoutError

from pipelines.errors import (
    Cancelled,
    ConfigurationError,
    MalformedAnswer,
    ProviderError,
    QuotaExhausted,
    RequestRefused,
    TornWalk,
    Unreachable,
)
from pipelines.extract.bounded import BoundedAdapter, Bounds, TooMuch, bounded
from pipelines.extract.budget import LONGEST_WAIT, Ledger, OwnLedger, RequestBudget
from pipelines.extract.limits import asked_to_wait, until_reset
from pipelines.extract.notices import Notices
from pipelines.extract.sending import Sender
from pipelines.extract.turns import Turns
from pipelines.providers.pages import Answer, PageRequest
from pipelines.providers.provider import (
    Outgoing,
    Provider,
    ProviderSettings,
    printable,
)
from pipelines.redaction import keep, keep_sent, redacted, repeats

logger = logging.getLogger(__name__)

Read = TypeVar("Read")

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 30.0
DEFAULT_PORTS = {"http": 80, "https": 443}

CHUNK = 64 * 1024
FRAMING = 64 * 1024
"""Bytes that an answer may have on the wire beyond twice its largest body: headers, mostly."""

_LONG_WORD = re.compile(r"[^\s,;=]{32,}")
"""A signature among the words of an Authorization header."""

REFUSAL_BYTES = 64 * 1024
"""What is read of the body beside another status than 200: it serves the message alone."""

HEADERS = {
    "User-Agent": "holdfast/0.1",
    "Accept": "application/json",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True)
class Received(Answer):
    """`asked_at` and `answered_at` are monotonic seconds that enclose the try that gave it."""

    asked_at: float
    answered_at: float


class _Auth(AuthBase):
    """Signs the finished request. The host that it is sent for is written here, as signed: the
    library's own header leaves a default port out, which a base URL may have in it."""

    def __init__(self, provider: Provider, settings: ProviderSettings) -> None:
        self._provider = provider
        self._settings = settings

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        host = _host_header(request.url or "")
        request.headers["Host"] = host
        outgoing = Outgoing(method=request.method or "GET", target=request.path_url, host=host)
        headers = self._provider.auth_headers(self._settings, outgoing, datetime.now(UTC))
        for name, value in headers.items():
            if not _fits_a_header(value):
                raise ConfigurationError(
                    f"what goes into the header {name} has a line break or another character that"
                    f" no header can hold: check the {self._provider.name.upper()}_… settings"
                )
        keep_sent(_LONG_WORD.findall(headers.get("Authorization", "")))
        request.headers.update(headers)
        return request


class Client:
    """Fetches pages of one provider; safe to share between threads."""

    def __init__(
        self,
        provider: Provider,
        settings: ProviderSettings,
        *,
        ledger: Ledger | None = None,
        first_backoff: float | None = None,
        on_work: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`ledger` keeps the request budget; without one it is this client's own. `first_backoff`:
        seconds that the first wait between two tries takes at most.

        `on_work` is called before each request and each wait, by the thread that makes it, with the
        seconds that it may take.
        """
        self.provider = provider
        self.settings = settings
        self._first_backoff = FIRST_BACKOFF if first_backoff is None else first_backoff
        self._on_work = on_work
        self._cancelled = threading.Event()
        self.ahead = ThreadPoolExecutor(settings.concurrency, f"{provider.name}-pages")
        ledger = ledger or OwnLedger(settings.requests_per_minute)
        self._budget = RequestBudget(ledger, sleep=self._sleep)
        self._turns = Turns()
        self._in_flight = threading.Semaphore(settings.concurrency)
        for secret in settings.secrets:
            keep(secret)
        self.notices = Notices()
        self._sender = Sender(
            settings.base_url,
            BoundedAdapter(pool_maxsize=settings.concurrency, max_retries=0),
            headers=HEADERS,
            auth=_Auth(provider, settings),
            timeouts=(settings.connect_timeout, settings.read_timeout),
        )

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
        self._sender.close()

    def cancel(self) -> None:
        """End every wait and let no further request out: threads that fetch raise Cancelled."""
        self._cancelled.set()

    def _sleep(self, seconds: float) -> None:
        if seconds:
            self._on_work(seconds)
        if self._cancelled.wait(seconds):
            raise Cancelled("the run was ended before the target was complete")

    def get(self, request: PageRequest, on_try: Callable[[], None]) -> Received:
        """One answer, as it came: see `get_and_read`."""
        return self.get_and_read(request, on_try, lambda answer: answer)

    def get_and_read(
        self,
        request: PageRequest,
        on_try: Callable[[], None],
        read: Callable[[Received], Read],
        turn: str = "",
    ) -> Read:
        """Fetch one page and `read` it, trying again as long as that can help; `on_try` counts what
        it costs. An answer that `read` finds to be cut off is a failed try like any other.

        Requests of different `turn`s go out in turns. Raises what `read` does, and a ProviderError:
        immediately when another try would change nothing, the last one when the tries are used up
        or the server wants us back later than `LONGEST_WAIT`.
        """
        _refuse_unsendable(request)
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._try_in_turn(request, on_try, read, turn)
            except ProviderError as error:
                wait = self._pause(error, attempt)
                if wait is None:
                    if error.retry_after is not None and error.retry_after > LONGEST_WAIT:
                        error.message += f"; it asks to come back in {error.retry_after:.0f} s"
                    error.message += f" (tried {attempt} times)" if attempt > 1 else ""
                    raise
                logger.warning("%s: %s; trying again in %.1f s", self.provider.name, error, wait)
            self._sleep(wait)

    def _pause(self, error: ProviderError, attempt: int) -> float | None:
        """Seconds until the next try, or None when there shall be none."""
        if not error.transient or attempt >= self.settings.max_tries:
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= LONGEST_WAIT else None
        longest = min(LONGEST_BACKOFF, self._first_backoff * 2.0 ** (attempt - 1))
        return longest * random.uniform(0.5, 1)  # noqa: S311 - spreads retries, guards nothing

    def _try_in_turn(
        self,
        request: PageRequest,
        on_try: Callable[[], None],
        read: Callable[[Received], Read],
        turn: str,
    ) -> Read:
        """One try, as soon as the budget allows it; the budget learns what became of it."""
        is_probe = self._await_turn(turn)
        try:
            try:
                on_try()
                answer = self._try(request)
            finally:
                self._in_flight.release()
            page = read(answer)
        except ProviderError as error:
            if error.transient or isinstance(error, QuotaExhausted):
                self._budget.failed(error, was_probe=is_probe)
            else:
                self._budget.answered()
            raise
        except TornWalk:
            self._budget.answered()
            raise
        self._budget.answered()
        return page

    def _await_turn(self, turn: str) -> bool:
        """Take one of the requests that may be under way, and one of the budget; True where it is a
        probe. The first comes first: what the budget grants goes out at its time."""
        with self._turns.of(turn):
            self._sleep(0)
            self._in_flight.acquire()
            try:
                return self._budget.spend()
            except BaseException:
                self._in_flight.release()
                raise

    def _try(self, request: PageRequest) -> Received:
        settings = self.settings
        self._on_work(settings.total_timeout)
        asked_at = time.monotonic()
        deadline = asked_at + settings.total_timeout
        most_bytes = 2 * settings.max_body_bytes + FRAMING
        try:
            with (
                bounded(Bounds(deadline, settings.read_timeout, most_bytes)),
                self._sender.get(request.target, request.headers) as response,
            ):
                body = self._read(response) if response.status_code == 200 else _glance(response)
        except TooMuch:
            raise self._too_large() from None
        except (requests.RequestException, HTTPError) as error:
            raise self._network_error(error, deadline) from None
        answered_at = time.monotonic()
        headers = {name.lower(): value for name, value in response.headers.items()}
        self._obey_limit(until_reset(headers, time.time()))
        self.notices.hear(headers)
        is_unchanged = response.status_code == 304 and request.is_conditional
        if response.status_code != 200 and not is_unchanged:
            refusal = self._refusal(response, headers, body)
            refusal.retry_after = asked_to_wait(headers, time.time())
            raise refusal
        credential = response.request.headers.get("Authorization", "")
        told = "\n".join(headers.values()).encode("utf-8", "surrogateescape")
        if any(repeats(part, _LONG_WORD.findall(credential)) for part in (told, body)):
            raise MalformedAnswer("the answer repeats one of the credentials that were sent")
        return Received(response.status_code, headers, body, asked_at, answered_at)

    def _obey_limit(self, closed: float | None) -> None:
        """Let nothing out until the limit is reset. One that is reset later than anybody waits, or
        never, is left to the next answer: the server says 429 when it means it."""
        if not closed or closed > LONGEST_WAIT:
            return
        if self._budget.close_for(closed):
            logger.warning(
                "%s: its limit of requests is spent, waiting %.0f s for its reset",
                self.provider.name,
                closed,
            )

    def _read(self, response: requests.Response) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(CHUNK, decode_content=True):  # read() waits for a CHUNK
            body += chunk
            if len(body) > self.settings.max_body_bytes:
                raise self._too_large()
        return bytes(body)

    def _too_large(self) -> MalformedAnswer:
        return MalformedAnswer(
            f"the body is larger than {self.settings.max_body_bytes} bytes;"
            f" {self.provider.name.upper()}_MAX_BODY_BYTES sets the bound"
        )

    def _refusal(
        self, response: requests.Response, headers: Mapping[str, str], body: bytes
    ) -> ProviderError:
        if response.status_code == 304:
            return RequestRefused("answered 304 to a request without a condition")
        if 300 <= response.status_code < 400:
            host = printable(_host(headers.get("location", ""))) or "the same host"
            return RequestRefused(
                f"answered {response.status_code}, a redirect to {host}, which is not followed."
                f" Check {self.provider.name.upper()}_BASE_URL"
            )
        clean = redacted(body.decode("latin-1")).encode("latin-1")
        return self.provider.explain(response.status_code, headers, clean)

    def _network_error(self, error: Exception, deadline: float) -> ProviderError:
        """An error without the request in it: the library's own texts quote the whole URL."""
        host = urlsplit(self.settings.base_url).netloc
        if isinstance(error, requests.ConnectTimeout):
            if time.monotonic() >= deadline:
                return Unreachable(f"{host} took over {self.settings.total_timeout:g} s to connect")
            return Unreachable(f"no connection to {host} in {self.settings.connect_timeout:g} s")
        if isinstance(error, requests.ReadTimeout | ReadTimeoutError):
            if time.monotonic() >= deadline:
                return Unreachable(f"{host} took over {self.settings.total_timeout:g} s to answer")
            return Unreachable(f"no data from {host} for {self.settings.read_timeout:g} s")
        cause = _innermost(error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return RequestRefused(f"the certificate of {host} is not valid: {cause.verify_message}")
        said = getattr(cause, "strerror", None) or str(cause) or cause.__class__.__name__
        detail = printable(" ".join(said.split()))  # may quote what the server sent
        return Unreachable(f"the connection to {host} failed: {detail}")


def _refuse_unsendable(request: PageRequest) -> None:
    for name, value in request.headers:
        if not _fits_a_header(value):
            raise MalformedAnswer(
                f"what should go back in the header {name} is {value[:80]!a}, which no header can"
                " hold"
            )


def _fits_a_header(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _glance(response: requests.Response) -> bytes:
    """The beginning of the body beside another status than 200, as far as it can be read."""
    body = bytearray()
    # The status has come and decides, whatever becomes of a body that only explains it.
    with suppress(HTTPError, TooMuch):
        while len(body) < REFUSAL_BYTES and (chunk := response.raw.read1(CHUNK, True)):
            body += chunk
    return bytes(body)


def _host_header(url: str) -> str:
    """The host, and the port where it is not the scheme's own (RFC 9110, 7.2 and 4.2.3)."""
    parts = urlsplit(url)
    return parts.netloc.removesuffix(f":{DEFAULT_PORTS.get(parts.scheme)}")


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2]
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
