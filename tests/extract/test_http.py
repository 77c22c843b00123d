import gzip
import json
import socket
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import (
    Cancelled,
    ConfigurationError,
    MalformedAnswer,
    ProviderError,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFailed,
    Unreachable,
)
from pipelines.extract.budget import USED
from pipelines.extract.http import LONGEST_BACKOFF, LONGEST_WAIT, Client, Received
from pipelines.providers.pages import PageRequest
from pipelines.sandbox import answers
from pipelines.sandbox.answers import Exchange
from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET
from pipelines.sandbox.providers.catenis.signature import signer
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from tests.patience import PATIENCE

Connect = Callable[..., Client]
Serve = Callable[[socket.socket, int], None]
StartServer = Callable[[Serve], Any]

STATUS = PageRequest("/extended/", ())
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
OK = HEAD + b"Content-Length: 2\r\n\r\n{}"
CLOSES = b"Connection: close\r\n"
BAD_GZIP = CLOSES + b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!"
CANARY = "canary-7f3a91"


class Tries:
    """Counts what a page costs."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def tries() -> Tries:
    return Tries()


def get(client: Client, request: PageRequest = STATUS) -> Received:
    return client.get(request, lambda: None)


def read_request(connection: socket.socket) -> bytes:
    """One request without a body; b"" where the client hung up."""
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            return b""
        received += piece
    return received


def always(answer: bytes) -> Serve:
    """Answer every request on every connection with the same bytes."""

    def serve(connection: socket.socket, number: int) -> None:
        while read_request(connection):
            connection.sendall(answer)

    return serve


def once(answer: bytes) -> Serve:
    """Answer one request on each connection, then hang up.

    A client keeps a connection for another request after an answer that is whole, unless it was
    told that this one is closed, and finds out when it is: now or in the middle of that.
    """

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


def dripping(head: bytes, piece: bytes) -> Serve:
    """Send a piece every 10 ms for as long as the client stays; it ends after `PATIENCE`."""

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(head)
        for _ in range(int(PATIENCE * 100)):
            connection.sendall(piece)
            time.sleep(0.01)

    return serve


def reset(connection: socket.socket, number: int) -> None:
    """Drop the connection with a RST instead of an answer."""
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def status_line(status: int, *headers: str, body: bytes = b"{}") -> bytes:
    lines = [f"HTTP/1.1 {status} Whatever", *headers, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answering(sandbox: Sandbox, *given: answers.Answer | None) -> list[Exchange]:
    """Let the sandbox give these answers first (None: its own); returns what it is asked."""
    seen: list[Exchange] = []

    def before(exchange: Exchange) -> answers.Answer | None:
        seen.append(exchange)
        return given[len(seen) - 1] if len(seen) <= len(given) else None

    sandbox.before_response = before
    return seen


# --- connections --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 22\r\n\r\n" + gzip.compress(b"{}"),
        HEAD
        + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n"
        + gzip.compress(b"{}")
        + b"\r\n0\r\n\r\n",
    ],
    ids=["length", "chunked", "gzip", "gzip chunked"],
)
def test_one_connection_serves_page_after_page(
    connect: Connect, raw_server: StartServer, answer: bytes
) -> None:
    server = raw_server(always(answer))
    client = connect("hiro", server.url)
    assert [get(client).body for _ in range(5)] == [b"{}"] * 5
    assert server.connections == 1


def test_a_refusal_does_not_cost_the_connection(connect: Connect, raw_server: StartServer) -> None:
    server = raw_server(always(status_line(404)))
    client = connect("hiro", server.url)
    for _ in range(3):
        with pytest.raises(RequestRefused):
            get(client)
    assert server.connections == 1


def test_no_more_requests_are_under_way_than_the_concurrency(
    connect: Connect, raw_server: StartServer
) -> None:
    gate, lock = threading.Semaphore(0), threading.Lock()
    under_way, most = 0, 0

    def serve(connection: socket.socket, number: int) -> None:
        nonlocal under_way, most
        while read_request(connection):
            with lock:
                under_way += 1
                most = max(most, under_way)
                if under_way == 3:
                    gate.release(12)
            gate.acquire(timeout=PATIENCE)
            with lock:
                under_way -= 1
            connection.sendall(OK)

    server = raw_server(serve)
    client = connect("hiro", server.url, concurrency=3)
    with ThreadPoolExecutor(12) as threads:
        answered = list(threads.map(lambda _: get(client).body, range(12)))
    assert answered == [b"{}"] * 12
    assert most == 3
    assert server.connections == 3


def test_an_answer_has_lower_case_headers_and_encloses_its_try(
    connect: Connect, sandbox: Sandbox
) -> None:
    began = time.monotonic()
    answer = get(connect("hiro", sandbox.url("hiro")))
    assert began <= answer.asked_at <= answer.answered_at <= time.monotonic()
    assert answer.headers["x-api-version"].startswith("v9")
    assert json.loads(answer.body)["status"] == "ready"


def test_the_times_are_those_of_the_try_that_was_answered(
    connect: Connect, sandbox: Sandbox
) -> None:
    asked: list[float] = []

    def fail_twice(exchange: Exchange) -> answers.Answer | None:
        asked.append(time.monotonic())
        return answers.Answer(503) if len(asked) < 3 else None

    sandbox.before_response = fail_twice
    answer = get(connect("hiro", sandbox.url("hiro")))
    assert asked[1] < answer.asked_at < asked[2] < answer.answered_at


def test_a_request_goes_out_as_it_was_composed(connect: Connect, sandbox: Sandbox) -> None:
    seen = answering(sandbox, answers.Answer(200))
    query = (("b", "1"), ("a", "A.c::d,é /"), ("b", "2"))
    get(connect("hiro", sandbox.url("hiro") + "/"), PageRequest("/x/y", query))
    assert seen[0].target == "/x/y?b=1&a=A.c%3A%3Ad%2C%C3%A9%20%2F&b=2"
    assert seen[0].headers["cache-control"] == "no-cache"
    assert seen[0].headers["user-agent"].startswith("holdfast/")
    assert "gzip" in seen[0].headers["accept-encoding"]


def test_a_compressed_body_is_given_back_inflated(connect: Connect, sandbox: Sandbox) -> None:
    body = json.dumps(list(range(100_000))).encode()
    headers = {"content-encoding": "gzip"}
    answering(sandbox, answers.Answer(200, headers, gzip.compress(body)))
    assert get(connect("hiro", sandbox.url("hiro"))).body == body


# --- what is tried again ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (429, RateLimited),
        (500, ServerFailed),
        (502, ServerFailed),
        (503, ServerFailed),
        (408, ServerFailed),
    ],
)
def test_a_status_that_may_pass_is_tried_up_to_the_bound(
    connect: Connect, sandbox: Sandbox, tries: Tries, status: int, error: type[ProviderError]
) -> None:
    sandbox.before_response = lambda _: answers.Answer(status, {}, b'{"error":"not now"}')
    client = connect("hiro", sandbox.url("hiro"), max_tries=3)
    with pytest.raises(error, match=rf"answered {status}: not now.* \(tried 3 times\)"):
        client.get(STATUS, tries)
    assert tries.count == sandbox.requests["hiro"] == 3


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_status_that_passed_is_forgotten(
    connect: Connect, sandbox: Sandbox, tries: Tries, status: int
) -> None:
    answering(sandbox, answers.Answer(status), answers.Answer(status))
    answer = connect("hiro", sandbox.url("hiro")).get(STATUS, tries)
    assert json.loads(answer.body)["status"] == "ready"
    assert tries.count == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 304])
def test_a_status_that_will_not_change_is_asked_for_once(
    connect: Connect, sandbox: Sandbox, tries: Tries, status: int
) -> None:
    body = b"" if status in {204, 304} else b'{"error":"no"}'
    sandbox.before_response = lambda _: answers.Answer(status, {}, body)
    with pytest.raises(RequestRefused, match=f"answered {status}") as refused:
        connect("hiro", sandbox.url("hiro")).get(STATUS, tries)
    assert "tried" not in str(refused.value)
    assert tries.count == sandbox.requests["hiro"] == 1


def test_a_refused_connection_is_tried_again_and_named(connect: Connect, tries: Tries) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    client = connect("hiro", f"http://127.0.0.1:{port}", max_tries=3)
    with pytest.raises(Unreachable, match=rf"127.0.0.1:{port}.*refused.*\(tried 3 times\)"):
        client.get(STATUS, tries)
    assert tries.count == 3


def test_an_address_that_is_looked_up_for_ever_is_given_up_after_the_total_timeout(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, looked_up = threading.Event(), socket.getaddrinfo

    def hang(*asked: Any, **options: Any) -> Any:
        assert over.wait(PATIENCE)
        return looked_up("127.0.0.1", 1, type=socket.SOCK_STREAM)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    client = connect("hiro", "http://slow.example", max_tries=2, total_timeout=0.1)
    try:
        with pytest.raises(Unreachable, match=r"slow.example took over 0.1 s to connect \(tried 2"):
            get(client)
    finally:
        over.set()
        for thread in threading.enumerate():
            if thread.name == "connect":
                thread.join(PATIENCE)


def test_a_bundle_of_certificates_that_is_not_there_is_named(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    client = connect("hiro", "https://127.0.0.1:1")
    with pytest.raises(ConfigurationError, match=r"none\.pem: check REQUESTS_CA_BUNDLE"):
        get(client)


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("http://catenis.example:80", "catenis.example"),
        ("http://CATENIS.example", "catenis.example"),
        ("http://catenis.example:8080", "catenis.example:8080"),
        ("http://[2001:db8::1]:80", "[2001:db8::1]"),
    ],
)
def test_the_host_is_signed_as_it_is_sent(
    connect: Connect,
    raw_server: StartServer,
    monkeypatch: pytest.MonkeyPatch,
    base: str,
    host: str,
) -> None:
    """The server is a proxy here, so that the base URL may have any port."""
    seen: list[bytes] = []

    def serve(connection: socket.socket, number: int) -> None:
        seen.append(read_request(connection))
        connection.sendall(OK)

    monkeypatch.setenv("HTTP_PROXY", raw_server(serve).url)
    get(connect("catenis", base))
    line, *fields = seen[0].decode().strip().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ") for field in fields)}
    assert headers["host"] == host
    sent = Exchange(
        provider="catenis",
        method="GET",
        target="/" + line.split()[1].split("/", 3)[3],
        headers=headers,
        body=b"",
        number=1,
        at=datetime.now(UTC),
    )
    assert signer(sent, {ISSUER: ISSUER_SECRET}, sent.at) == ISSUER


def test_a_host_without_an_address_is_named(connect: Connect) -> None:
    client = connect("hiro", "http://nowhere.invalid", max_tries=2)
    with pytest.raises(Unreachable, match=r"nowhere\.invalid failed.*\(tried 2 times\)"):
        get(client)


@pytest.mark.parametrize(
    "serve",
    [
        reset,
        once(b""),
        once(HEAD + b"Content-Length: 100\r\nX-Cut-"),
        once(b"SSH-2.0-" + b"x" * 5000 + b"\r\n"),
        once(HEAD + b"Content-Length: 100\r\n\r\n[1, 2"),
        once(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n"),
        once(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n[1]\r\n0\r\n\r\n"),
        once(HEAD + BAD_GZIP),
        once(HEAD + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n"),
    ],
    ids=[
        "reset",
        "silence",
        "cut in the headers",
        "not HTTP",
        "cut in the body",
        "cut in a chunk",
        "a chunk without a length",
        "bad gzip",
        "two hundred headers",
    ],
)
def test_a_broken_answer_is_tried_again_and_its_host_named(
    connect: Connect, raw_server: StartServer, tries: Tries, serve: Serve
) -> None:
    server = raw_server(serve)
    client = connect("hiro", server.url, max_tries=2)
    said = rf"{server.host} failed: .*\(tried 2 times\)"
    with pytest.raises(Unreachable, match=said) as failed:
        client.get(STATUS, tries)
    assert len(str(failed.value)) < 300
    assert tries.count == server.connections == 2


@pytest.mark.parametrize("broken", [reset, once(HEAD + b"Content-Length: 9\r\n\r\n[1, 2")])
def test_a_broken_answer_is_healed_by_the_next(
    connect: Connect, raw_server: StartServer, tries: Tries, broken: Serve
) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        (broken if number == 1 else always(OK))(connection, number)

    client = connect("hiro", raw_server(serve).url)
    assert client.get(STATUS, tries).body == b"{}"
    assert tries.count == 2


def test_a_connection_that_was_closed_while_idle_is_replaced(
    connect: Connect, raw_server: StartServer
) -> None:
    server = raw_server(once(OK))
    client = connect("hiro", server.url, max_tries=2)
    assert [get(client).body for _ in range(3)] == [b"{}"] * 3
    assert server.connections == 3


@pytest.mark.parametrize("sent", [b"", HEAD + b"Content-Length: 100\r\n\r\n[1, 2"])
def test_a_server_that_falls_silent_is_given_up_after_the_read_timeout(
    connect: Connect, raw_server: StartServer, tries: Tries, sent: bytes
) -> None:
    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(sent)
        server.closing.wait()

    server = raw_server(serve)
    client = connect("hiro", server.url, max_tries=2, read_timeout=0.05)
    with pytest.raises(Unreachable, match=rf"no data from {server.host} for 0.05 s \(tried 2"):
        client.get(STATUS, tries)
    assert tries.count == server.await_connections(2) == 2


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"Content-Length: 100000\r\n\r\n", b"1"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n1\r\n"),
        (b"\r\n", b"1"),
    ],
    ids=["length", "chunked", "until closed"],
)
def test_an_answer_that_drips_is_given_up_after_the_total_timeout(
    connect: Connect, raw_server: StartServer, head: bytes, piece: bytes
) -> None:
    server = raw_server(dripping(HEAD + head, piece))
    client = connect("hiro", server.url, max_tries=2, total_timeout=0.1)
    said = rf"{server.host} took over 0.1 s to answer \(tried 2 times\)"
    with pytest.raises(Unreachable, match=said):
        get(client)


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
        (b"HTTP/1.1 200 ", b"O"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"", mtime=0)),
    ],
    ids=["headers", "status", "continue", "inflates to nothing"],
)
def test_no_part_of_an_answer_outlasts_the_total_timeout(
    connect: Connect, raw_server: StartServer, head: bytes, piece: bytes
) -> None:
    server = raw_server(dripping(head, piece))
    client = connect("hiro", server.url, max_tries=2, total_timeout=0.1)
    said = rf"{server.host} took over 0.1 s to answer \(tried 2 times\)"
    with pytest.raises(Unreachable, match=said):
        get(client)


def conditional(tag: str = '"v1"') -> PageRequest:
    return PageRequest("/x", (), (("If-None-Match", tag),))


def test_an_unchanged_set_is_an_answer_to_a_conditional_request(
    connect: Connect, raw_server: StartServer, tries: Tries
) -> None:
    """One that the version of a whole set can be asked by, whatever its size."""
    heads: list[bytes] = []

    def serve(connection: socket.socket, number: int) -> None:
        while head := read_request(connection):
            heads.append(head)
            connection.sendall(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n')

    client = connect("hiro", raw_server(serve).url)
    for _ in range(2):
        answer = client.get(conditional(), tries)
        assert (answer.status, answer.headers["etag"], answer.body) == (304, '"v1"', b"")
    assert all(b'\r\nIf-None-Match: "v1"\r\n' in head for head in heads)
    assert tries.count == len(heads) == 2


def test_a_changed_set_is_answered_as_ever(connect: Connect, raw_server: StartServer) -> None:
    answer = get(connect("hiro", raw_server(always(OK)).url), conditional())
    assert (answer.status, answer.body) == (200, b"{}")


def test_what_nobody_asked_about_can_t_be_unchanged(
    connect: Connect, raw_server: StartServer
) -> None:
    client = connect("hiro", raw_server(always(b"HTTP/1.1 304 Not Modified\r\n\r\n")).url)
    with pytest.raises(RequestRefused, match="answered 304 to a request without a condition"):
        get(client)


@pytest.mark.parametrize("tag", ['"a\r\nX-Evil: 1"', '"ä"', '"\0"'])
def test_a_tag_that_no_header_can_hold_is_not_sent(
    connect: Connect, sandbox: Sandbox, tag: str
) -> None:
    with pytest.raises(MalformedAnswer, match="the header If-None-Match"):
        get(connect("hiro", sandbox.url("hiro")), conditional(tag))
    assert sandbox.requests["hiro"] == 0


# --- how long is waited -------------------------------------------------------------------------


def test_without_advice_the_wait_doubles_up_to_a_bound(
    connect: Connect, sandbox: Sandbox, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.extract.http.FIRST_BACKOFF", 0.5)
    sandbox.before_response = lambda _: answers.Answer(503)
    client = connect("hiro", sandbox.url("hiro"), max_tries=10)
    clock.rule(client)
    with pytest.raises(ServerFailed):
        get(client)
    assert len(clock.waits) == 9
    for number, wait in enumerate(clock.waits):
        longest = min(LONGEST_BACKOFF, 0.5 * 2**number)
        assert longest / 2 <= wait <= longest


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_obeyed(
    connect: Connect, sandbox: Sandbox, clock: Any, status: int
) -> None:
    answering(sandbox, answers.Answer(status, {"Retry-After": "7"}))
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    get(client)
    assert clock.waits == [7]


def test_retry_after_as_a_date_is_obeyed(connect: Connect, sandbox: Sandbox, clock: Any) -> None:
    then = format_datetime(datetime.now(UTC) + timedelta(seconds=200), usegmt=True)
    answering(sandbox, answers.Answer(429, {"Retry-After": then}))
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    get(client)
    assert 100 < sum(clock.waits) <= 200


def test_a_429_without_retry_after_waits_as_for_any_failure(
    connect: Connect, sandbox: Sandbox, clock: Any
) -> None:
    answering(sandbox, answers.Answer(429, {"Retry-After": "soon"}), answers.Answer(429))
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    get(client)
    assert len(clock.waits) == 2
    assert sum(clock.waits) < 1


@pytest.mark.parametrize("seconds", [int(LONGEST_WAIT) + 1, 86_400, 10**400])
def test_a_server_that_wants_us_back_too_late_fails_at_once(
    connect: Connect, sandbox: Sandbox, tries: Tries, clock: Any, seconds: int
) -> None:
    sandbox.before_response = lambda _: answers.Answer(429, {"Retry-After": f"{seconds}"})
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    with pytest.raises(RateLimited):
        client.get(STATUS, tries)
    assert tries.count == 1
    assert clock.waits == []


def test_retry_after_holds_the_other_requests_back_too(
    connect: Connect, sandbox: Sandbox, clock: Any
) -> None:
    sandbox.before_response = lambda _: answers.Answer(429, {"Retry-After": "60"})
    client = connect("hiro", sandbox.url("hiro"), max_tries=2)
    clock.rule(client)
    sleep, others = clock.sleep, []

    def another_asks_meanwhile(seconds: float) -> None:
        if seconds and not others:
            others.append(clock.now)
            client._budget.spend()
            others.append(clock.now)
        sleep(seconds)

    client._sleep = another_asks_meanwhile  # type: ignore[method-assign]
    with pytest.raises(RateLimited):
        get(client)
    assert others[1] - others[0] == 60


@pytest.mark.parametrize("told_as", ["seconds", "unix time"])
def test_a_spent_limit_closes_the_budget_until_its_reset(
    connect: Connect, sandbox: Sandbox, clock: Any, told_as: str
) -> None:
    reset_at = 200 + (int(time.time()) if told_as == "unix time" else 0)
    spent = {"ratelimit-remaining": "0", "ratelimit-reset": str(reset_at)}
    answering(sandbox, answers.Answer(200, spent, b"{}"))
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    get(client)
    assert clock.waits == []
    get(client)
    assert 100 < sum(clock.waits) <= 200


@pytest.mark.parametrize("reset", [LONGEST_WAIT + 1, 86400, 10**30])
def test_a_reset_that_nobody_waits_for_is_left_to_the_next_answer(
    connect: Connect, sandbox: Sandbox, clock: Any, reset: float
) -> None:
    spent = {"ratelimit-remaining": "0", "ratelimit-reset": f"{reset:.0f}"}
    answering(sandbox, *[answers.Answer(200, spent, b"{}")] * 3)
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    for _ in range(3):
        get(client)
    assert sum(clock.waits) < 1


def test_a_spent_limit_is_waited_for_with_a_word(
    connect: Connect, sandbox: Sandbox, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    spent = {"ratelimit-remaining": "0", "ratelimit-reset": "200"}
    answering(sandbox, answers.Answer(200, spent, b"{}"))
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    get(client)
    assert caplog.messages == ["hiro: its limit of requests is spent, waiting 200 s for its reset"]


def test_a_limit_with_something_left_closes_nothing(
    connect: Connect, sandbox: Sandbox, clock: Any
) -> None:
    left = {"ratelimit-remaining": "1", "ratelimit-reset": "200"}
    answering(sandbox, answers.Answer(200, left, b"{}"))
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client)
    get(client)
    get(client)
    assert sum(clock.waits) < 1


def test_requests_are_spread_over_the_minute(
    connect: Connect, sandbox: Sandbox, clock: Any
) -> None:
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client, requests_per_minute=30 / USED)
    for _ in range(4):
        get(client)
    assert clock.waits == pytest.approx([2, 2, 2])


def test_tries_are_spent_from_the_budget_too(
    connect: Connect, sandbox: Sandbox, clock: Any
) -> None:
    answering(sandbox, *[answers.Answer(503, {"Retry-After": "0"})] * 3)
    client = connect("hiro", sandbox.url("hiro"))
    clock.rule(client, requests_per_minute=30 / USED)
    get(client)
    assert clock.waits == pytest.approx([2, 2, 2])


def test_a_spent_monthly_quota_fails_at_once(
    connect: Connect, sandbox: Sandbox, tries: Tries
) -> None:
    headers = {"Retry-After": "1", "X-RateLimit-Remaining-Stacks-Month": "0"}
    sandbox.before_response = lambda _: answers.Answer(429, headers, b'{"error":"limit"}')
    with pytest.raises(QuotaExhausted, match="month's quota of HIRO_API_KEY"):
        connect("hiro", sandbox.url("hiro")).get(STATUS, tries)
    assert tries.count == sandbox.requests["hiro"] == 1


# --- redirects and sizes ------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_refused_and_names_its_host(
    connect: Connect, raw_server: StartServer, tries: Tries, status: int
) -> None:
    elsewhere = raw_server(always(OK))
    server = raw_server(always(status_line(status, f"Location: {elsewhere.url}/x?a=b")))
    client = connect("hiro", server.url, api_key=CANARY)
    with pytest.raises(RequestRefused, match=rf"{status}.* to {elsewhere.host}, .*HIRO_BASE_URL"):
        client.get(STATUS, tries)
    assert tries.count == 1
    assert elsewhere.connections == 0


@pytest.mark.parametrize("location", ["Location: /elsewhere", "X-No: location"])
def test_a_redirect_on_the_same_host_is_refused_too(
    connect: Connect, raw_server: StartServer, location: str
) -> None:
    server = raw_server(always(status_line(302, location)))
    with pytest.raises(RequestRefused, match="302, a redirect to the same host"):
        get(connect("hiro", server.url))
    assert server.connections == 1


@pytest.mark.parametrize("location", ["http://[::1", "http://a:b:c/", "//", "http://\xff/"])
def test_a_redirect_to_nonsense_is_refused_like_any_other(
    connect: Connect, raw_server: StartServer, location: str
) -> None:
    answer = status_line(302).replace(b"\r\n", b"\r\nLocation: " + location.encode() + b"\r\n", 1)
    with pytest.raises(RequestRefused, match="302, a redirect to"):
        get(connect("hiro", raw_server(always(answer)).url))


class Endless:
    """Serves a body of 64 MB in pieces."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self._head = head
        self._piece = piece
        self._sent: Counter[int] = Counter()
        self._left = threading.Semaphore(0)

    def __call__(self, connection: socket.socket, number: int) -> None:
        try:
            read_request(connection)
            connection.sendall(self._head)
            while self._sent[number] < 64 * 2**20:
                connection.sendall(self._piece)
                self._sent[number] += len(self._piece)
        finally:
            self._left.release()

    def sent(self, connections: int) -> int:
        """The most that a client took, when all of them have left."""
        for _ in range(connections):
            assert self._left.acquire(timeout=PATIENCE)
        return max(self._sent.values(), default=0)


PIECE = b" " * 2**16
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (HEAD + b"Content-Length: 67108864\r\n\r\n", PIECE),
        (HEAD + CHUNKED, b"10000\r\n" + PIECE + b"\r\n"),
        (HEAD + b"\r\n", PIECE),
    ],
    ids=["length", "chunked", "until closed"],
)
def test_a_body_over_the_bound_is_refused_without_reading_all_of_it(
    connect: Connect, raw_server: StartServer, tries: Tries, head: bytes, piece: bytes
) -> None:
    body = Endless(head, piece)
    server = raw_server(body)
    client = connect("hiro", server.url, max_body_bytes=100_000)
    with pytest.raises(MalformedAnswer, match="larger than 100000 bytes; HIRO_MAX_BODY_BYTES"):
        client.get(STATUS, tries)
    assert tries.count == server.connections == 1
    client.__exit__(None, None, None)
    assert body.sent(1) < 32 * 2**20  # what the sockets' buffers took, and no more


@pytest.mark.parametrize(
    ("status", "error", "tried"),
    [(500, ServerFailed, 2), (429, RateLimited, 2), (404, RequestRefused, 1)],
)
@pytest.mark.parametrize(
    ("header", "piece"),
    [("Transfer-Encoding: chunked", b"10000\r\n" + PIECE + b"\r\n"), ("X-No: length", PIECE)],
    ids=["chunked", "until closed"],
)
def test_beside_another_status_an_endless_body_is_not_read_and_the_status_decides(
    connect: Connect,
    raw_server: StartServer,
    tries: Tries,
    header: str,
    piece: bytes,
    status: int,
    error: type[ProviderError],
    tried: int,
) -> None:
    body = Endless(f"HTTP/1.1 {status} Whatever\r\n{header}\r\n\r\n".encode(), piece)
    client = connect("hiro", raw_server(body).url, max_body_bytes=100_000, max_tries=2)
    with pytest.raises(error, match=f"answered {status}"):
        client.get(STATUS, tries)
    assert tries.count == tried
    client.__exit__(None, None, None)
    assert body.sent(tried) < 32 * 2**20


@pytest.mark.parametrize(
    ("status", "error", "tried"),
    [(503, ServerFailed, 2), (403, RequestRefused, 1), (302, RequestRefused, 1)],
)
@pytest.mark.parametrize(
    "rest",
    [
        BAD_GZIP,
        b"Content-Length: 100\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["bad gzip", "cut short", "bad chunk"],
)
def test_beside_another_status_a_broken_body_changes_nothing(
    connect: Connect,
    raw_server: StartServer,
    tries: Tries,
    rest: bytes,
    status: int,
    error: type[ProviderError],
    tried: int,
) -> None:
    server = raw_server(once(f"HTTP/1.1 {status} Whatever\r\n".encode() + rest))
    client = connect("hiro", server.url, max_tries=2)
    with pytest.raises(error, match=f"answered {status}"):
        client.get(STATUS, tries)
    assert tries.count == server.connections == tried


EMPTY_BLOCK = b"\0\0\0\xff\xff"  # of a deflate stream: it goes on, and inflates to nothing


def test_a_body_that_inflates_to_nothing_for_ever_is_refused(
    connect: Connect, raw_server: StartServer, tries: Tries
) -> None:
    opening = gzip.compress(b"", mtime=0)[:10]
    head = HEAD + b"Content-Encoding: gzip\r\n\r\n" + opening
    body = Endless(head, EMPTY_BLOCK * 10_000)
    client = connect("hiro", raw_server(body).url, max_body_bytes=100_000)
    with pytest.raises(MalformedAnswer, match="larger than 100000 bytes; HIRO_MAX_BODY_BYTES"):
        client.get(STATUS, tries)
    client.__exit__(None, None, None)
    assert tries.count == 1
    assert body.sent(1) < 32 * 2**20


def test_a_body_of_just_the_bound_is_accepted(connect: Connect, sandbox: Sandbox) -> None:
    answering(sandbox, answers.Answer(200, {}, b"x" * 2000), answers.Answer(200, {}, b"x" * 2001))
    client = connect("hiro", sandbox.url("hiro"), max_body_bytes=2000)
    assert len(get(client).body) == 2000
    with pytest.raises(MalformedAnswer, match="larger than 2000 bytes"):
        get(client)


@pytest.mark.parametrize("layers", [1, 2])
def test_a_body_that_is_small_on_the_wire_only_is_refused_before_it_is_inflated(
    connect: Connect, sandbox: Sandbox, tries: Tries, layers: int
) -> None:
    bomb = b" " * (64 * 2**20)
    for _ in range(layers):
        bomb = gzip.compress(bomb, 6)
    encoding = {"content-encoding": ", ".join(["gzip"] * layers)}
    sandbox.before_response = lambda _: answers.Answer(200, encoding, bomb)
    client = connect("hiro", sandbox.url("hiro"), max_body_bytes=100_000)
    tracemalloc.start()
    try:
        with pytest.raises(MalformedAnswer, match="larger than 100000 bytes"):
            client.get(STATUS, tries)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert tries.count == 1


# --- secrets, netrc, cookies --------------------------------------------------------------------


def test_the_key_goes_out_in_its_header(connect: Connect, sandbox: Sandbox) -> None:
    seen = answering(sandbox)
    get(connect("hiro", sandbox.url("hiro"), api_key=CANARY))
    assert seen[0].headers["x-api-key"] == CANARY


def test_netrc_is_not_read(
    connect: Connect, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login somebody password {CANARY}\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    seen = answering(sandbox)
    get(connect("hiro", sandbox.url("hiro")))
    assert "authorization" not in seen[0].headers


def test_a_cookie_is_not_sent_back(connect: Connect, sandbox: Sandbox) -> None:
    cookie = {"set-cookie": "session=1; Path=/"}
    seen = answering(sandbox, answers.Answer(200, cookie), answers.Answer(503, cookie))
    client = connect("hiro", sandbox.url("hiro"))
    get(client)
    get(client)
    assert len(seen) == 3
    assert not any("cookie" in exchange.headers for exchange in seen)


def test_every_try_is_signed_anew(connect: Connect, world: World, sandbox: Sandbox) -> None:
    key = world.add_catenis_asset(3)
    path = f"/api/0.6/assets/{key.removeprefix('catenis:')}/holders"
    request = PageRequest(path, (("limit", "500"), ("skip", "0")))
    seen: list[Exchange] = []

    def fail_until_the_second_is_over(exchange: Exchange) -> answers.Answer | None:
        seen.append(exchange)
        if len(seen) > 1:
            return None
        while datetime.now(UTC).replace(microsecond=0) <= exchange.at:
            time.sleep(0.01)
        return answers.Answer(503)

    sandbox.before_response = fail_until_the_second_is_over
    answer = get(connect("catenis", sandbox.url("catenis")), request)
    assert len(json.loads(answer.body)["data"]["assetHolders"]) == 3
    secrets = {ISSUER: ISSUER_SECRET}
    assert all(signer(exchange, secrets, exchange.at) for exchange in seen)
    first, second = (exchange.headers for exchange in seen)
    assert first["x-bcot-timestamp"] < second["x-bcot-timestamp"]
    assert first["authorization"] != second["authorization"]


def test_a_request_without_credentials_is_not_sent(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("catenis", sandbox.url("catenis"), api_secret=None)
    with pytest.raises(ConfigurationError, match="CATENIS_API_SECRET"):
        get(client)
    assert sandbox.requests["catenis"] == 0


@pytest.mark.parametrize("key", [f"{CANARY}\n", f"{CANARY}\r\nX-Other: 1", f"{CANARY}\u0142"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(
    connect: Connect, sandbox: Sandbox, key: str
) -> None:
    with pytest.raises(ConfigurationError, match="x-api-key") as refused:
        get(connect("hiro", sandbox.url("hiro"), api_key=key))
    assert CANARY not in str(refused.value)
    assert sandbox.requests["hiro"] == 0


FAILURES: dict[str, Serve] = {
    "reset": reset,
    "silence": once(b""),
    "cut short": once(HEAD + b"Content-Length: 100\r\n\r\n[1, 2"),
    "bad gzip": once(HEAD + BAD_GZIP),
    "too large": once(HEAD + b"Content-Length: 9999\r\n\r\n" + b"x" * 9999),
    "redirect": once(status_line(302, "Location: /x")),
    **{
        str(status): once(status_line(status, body=f'{{"error":"bad {CANARY}"}}'.encode()))
        for status in (400, 401, 403, 404, 410, 429, 500, 503)
    },
    "a page": once(status_line(403, body=f"<html>{'x' * 50}{CANARY}".encode())),
    "an answer": once(status_line(200, body=f'{{"name":"{CANARY}"}}'.encode())),
    "longer than is shown": once(status_line(403, body=f"{'x' * 110}{CANARY}".encode())),
}


@pytest.mark.parametrize("provider", ["altura", "hiro", "catenis"])
@pytest.mark.parametrize("serve", FAILURES.values(), ids=FAILURES.keys())
def test_no_failure_shows_the_secret_though_the_server_echoes_it(
    connect: Connect,
    raw_server: StartServer,
    caplog: pytest.LogCaptureFixture,
    provider: str,
    serve: Serve,
) -> None:
    caplog.set_level("DEBUG")
    secret = {"api_secret" if provider == "catenis" else "api_key": CANARY}
    server = raw_server(serve)
    client = connect(provider, server.url, max_tries=2, max_body_bytes=2000, **secret)
    with pytest.raises(ProviderError) as failed:
        get(client)
    shown = f"{failed.value}{failed.value!r}{caplog.text}{client.settings!r}"
    assert CANARY not in shown
    assert CANARY[:10] not in shown


# --- ending -------------------------------------------------------------------------------------


def test_cancel_ends_a_client_that_waits(connect: Connect, sandbox: Sandbox) -> None:
    answered = threading.Event()
    sandbox.before_response = lambda _: answers.Answer(503, {"Retry-After": "250"})
    sandbox.after_response = lambda *_: answered.set()
    client = connect("hiro", sandbox.url("hiro"))
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(get, client)
        assert answered.wait(PATIENCE)
        client.cancel()
        with pytest.raises(Cancelled):
            waiting.result(PATIENCE)
    assert sandbox.requests["hiro"] == 1


def test_cancel_ends_those_that_wait_for_the_budget(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("hiro", sandbox.url("hiro"), requests_per_minute=1)
    get(client)
    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(get, client) for _ in range(3)]
        client.cancel()
        for future in waiting:
            with pytest.raises(Cancelled):
                future.result(PATIENCE)
    assert sandbox.requests["hiro"] == 1


def test_a_cancelled_client_sends_nothing(connect: Connect, sandbox: Sandbox) -> None:
    client = connect("hiro", sandbox.url("hiro"))
    client.cancel()
    with pytest.raises(Cancelled):
        get(client)
    assert sandbox.requests["hiro"] == 0


def test_leaving_a_client_ends_its_connections_and_threads(
    connect: Connect, raw_server: StartServer
) -> None:
    ended = threading.Event()

    def serve(connection: socket.socket, number: int) -> None:
        while read_request(connection):
            connection.sendall(OK)
        ended.set()

    client = connect("hiro", raw_server(serve).url)
    with client:
        assert client.ahead.submit(get, client).result(PATIENCE).body == b"{}"
    assert ended.wait(PATIENCE)
    with pytest.raises(RuntimeError, match="shutdown"):
        client.ahead.submit(get, client)
