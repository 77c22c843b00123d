"""A server, a proxy or a library repeats a credential, in every place and spelling that got past a
guard or might; nothing that leaves towards people has it, in any spelling."""

import base64
import html
import json
import logging
import re
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from urllib.parse import quote, unquote

import pytest

from pipelines.errors import HoldfastError
from pipelines.extract.http import Client
from pipelines.providers import PROVIDERS
from pipelines.redaction import REDACTED, keep, keep_password_of, redacted, repeats
from tests.extract.conftest import connect, plain_environment, raw_server
from tests.extract.test_http import STATUS, Connect, get, read_request

__all__ = ["connect", "plain_environment", "raw_server"]

CANARY = "canary/7f3a91b2+Xz"
"""With a slash, which JSON may escape, and capitals, which a host loses."""
PASSWORD = "canary-d07c1e55"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: text,
    "capitals": str.upper,
    "a slash escaped": lambda text: text.replace("/", "\\/"),
    "unicode escapes": lambda text: "".join(f"\\u{ord(letter):04X}" for letter in text),
    "one unicode escape": lambda text: text.replace("7", "\\u0037"),
    "escapes escaped": lambda text: "".join(f"\\\\u{ord(letter):04x}" for letter in text),
    "percent": lambda text: "".join(f"%{ord(letter):02x}" for letter in text),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "entities in hexadecimal": lambda text: "".join(f"&#x{ord(letter):X};" for letter in text),
}


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", "Connection: close", *fields, "", ""]).encode()


def sized(line: str, body: str, *fields: str) -> bytes:
    return head(line, f"Content-Length: {len(body)}", *fields) + body.encode()


PLACES: dict[str, Callable[[str], bytes]] = {
    "a redirect's host": lambda said: sized("302 Found", "", f"Location: https://{said}.example/"),
    "a redirect's user": lambda said: sized("302 Found", "", f"Location: https://x:{said}@y/"),
    "an ETag": lambda said: sized("200 OK", "{}", f'ETag: "{said}"'),
    "another header": lambda said: sized("200 OK", "{}", f"X-Request: {said}"),
    "a status line": lambda said: f"HTTP/1.1 {said}\r\n\r\n".encode(),
    "a version": lambda said: f"{said} 200 OK\r\n\r\n".encode(),
    "a reason": lambda said: sized(f"500 {said}", ""),
    "a chunk's size": lambda said: (
        head("200 OK", "Transfer-Encoding: chunked") + f"{said}\r\n".encode()
    ),
    "a header without a colon": lambda said: sized("200 OK", "{", said, "X-Y: z"),
    "a length": lambda said: head("200 OK", f"Content-Length: {said}") + b"{",
    "an encoding": lambda said: sized("200 OK", "{", f"Content-Encoding: gzip, {said}"),
    "a time to wait": lambda said: sized("429 Too Many", "", f"Retry-After: {said}"),
    "a refusal in JSON": lambda said: sized(
        "403 No", f'{{"error": "{said}", "message": "{said}"}}'
    ),
    "a refusal in words": lambda said: sized("401 No", f"who is {said}?"),
    "a failure's page": lambda said: sized("500 No", f"<p>{said}</p>"),
    "at the cut of a message": lambda said: sized("404 No", f"{'x' * 112}{said}"),
    "a row": lambda said: sized("200 OK", f'{{"holders": [{{"name": "{said}"}}]}}'),
    "broken JSON": lambda said: sized("200 OK", f'{{"holders": "{said}'),
    "a body of another length": lambda said: head("200 OK", "Content-Length: 999") + said.encode(),
}


def traces(shown: str, secret: str) -> list[str]:
    """The first letters of the secret, wherever they can be read out of what is shown."""
    forms = [shown]
    for read in (html.unescape, unquote, _json, html.unescape, unquote, _json):
        forms.append(read(forms[-1]))
    beginning = secret[:10].lower()
    return [form for form in forms if beginning in re.sub(r"[\x00\s]", "", form.lower())]


def _json(text: str) -> str:
    text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    text = re.sub(r"\\+x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), text)
    return text.replace("\\", "")


def outcome(client: Client, log: pytest.LogCaptureFixture) -> str:
    """All that a request leaves behind: what is shown of its failure, or what is gone on with."""
    try:
        told = get(client)
    except HoldfastError as error:
        return shown_by(error, log)
    return f"{told.body!r} {told.headers} {log.text}"


def shown_by(error: BaseException, log: pytest.LogCaptureFixture) -> str:
    """All that anybody can see of a failure."""
    trace = "".join(traceback.format_exception(error))
    arguments = " ".join(map(str, error.args))
    return f"{error} {error!r} {arguments} {trace} {log.text} {log.messages}"


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_key_that_a_server_repeats_is_not_shown(
    connect: Connect, raw_server, caplog: pytest.LogCaptureFixture, place, spell
):
    caplog.set_level("DEBUG")

    def serve(connection: socket.socket, number: int) -> None:
        read_request(connection)
        connection.sendall(place(spell(CANARY)))

    client = connect("hiro", raw_server(serve).url, max_tries=2, api_key=CANARY)
    assert traces(outcome(client, caplog), CANARY) == []


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_signature_that_a_server_repeats_is_not_shown(
    connect: Connect, raw_server, caplog: pytest.LogCaptureFixture, spell
):
    caplog.set_level("DEBUG")
    sent = []

    def serve(connection: socket.socket, number: int) -> None:
        signature = re.search(rb"Signature=([0-9a-f]+)", read_request(connection))[1].decode()
        sent.append(signature)
        connection.sendall(sized("401 No", f'{{"status":"error","message":"{spell(signature)}"}}'))

    with pytest.raises(HoldfastError) as refused:
        get(connect("catenis", raw_server(serve).url))
    assert traces(shown_by(refused.value, caplog), sent[0]) == []


def proxy_answers(said: bytes) -> Callable[[socket.socket, int], None]:
    def serve(connection: socket.socket, number: int) -> None:
        request = read_request(connection)
        sent = re.search(rb"Proxy-Authorization: Basic (\S+)", request)[1]
        connection.sendall(said.replace(b"SENT", sent).replace(b"READ", base64.b64decode(sent)))

    return serve


@pytest.fixture
def through(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Client]]:
    """through("http://user:password@proxy") → a client that asks a host behind it."""
    with ExitStack() as stack:

        def ask(proxy: str, url: str = "http://provider.example") -> Client:
            monkeypatch.setenv(f"{url.partition(':')[0].upper()}_PROXY", proxy)
            kind = PROVIDERS["hiro"].settings_type
            settings = kind(base_url=url, max_tries=1, requests_per_minute=60_000)
            return stack.enter_context(Client(PROVIDERS["hiro"], settings))

        yield ask


@pytest.mark.parametrize(
    "proxy",
    [
        f"http://user:{PASSWORD}@proxy.example:port",
        f"http://user:{PASSWORD}@proxy.example:99999999",
        f"http://user:{PASSWORD}@[proxy.example",
        f"user:{PASSWORD}@proxy.example:port",
        f"http://user:{PASSWORD}@",
        f"http://user:{PASSWORD}@127.0.0.1:1",
        f"socks9://user:{PASSWORD}@127.0.0.1:1",
    ],
)
@pytest.mark.parametrize("url", ["http://provider.example", "https://provider.example"])
def test_the_password_of_a_proxy_that_can_t_be_used_is_not_shown(through, caplog, proxy, url):
    caplog.set_level("DEBUG")
    with pytest.raises(HoldfastError) as failed:
        get(through(proxy, url))
    assert traces(shown_by(failed.value, caplog), PASSWORD) == []


@pytest.mark.parametrize(
    "said",
    [
        sized("407 Proxy Authentication Required", "READ may not; SENT"),
        sized("502 Bad Gateway", '{"error": "SENT", "message": "READ"}'),
        b"HTTP/1.1 SENT READ\r\n\r\n",
        sized("200 OK", "{}", "X-Proxy: SENT"),
        sized("302 Found", "", "Location: http://READ/"),
    ],
    ids=["407", "502", "a status line", "a header", "a redirect"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_password_that_a_proxy_repeats_is_not_shown(through, raw_server, caplog, said, scheme):
    caplog.set_level("DEBUG")
    proxy = raw_server(proxy_answers(said))
    client = through(f"http://user:{PASSWORD}@{proxy.host}", f"{scheme}://provider.example")
    with pytest.raises(HoldfastError) as failed:
        get(client, STATUS)
    sent = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    shown = shown_by(failed.value, caplog)
    assert traces(shown, PASSWORD) + traces(shown, sent) == []


# --- the redactor itself ------------------------------------------------------------------------


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_a_text_keeps_all_but_the_secret(spell):
    keep(CANARY)
    assert redacted(f"before {spell(CANARY)}, after") == f"before {REDACTED}, after"
    assert repeats(f"before {spell(CANARY)}, after".encode())


def test_a_folded_secret_and_one_in_utf_16_are_found():
    keep(CANARY)
    assert redacted(f"a {CANARY[:9]}\r\n {CANARY[9:]} b") == f"a {REDACTED} b"
    assert CANARY[:9] not in re.sub("\x00", "", redacted(CANARY.encode("utf-16").decode("latin-1")))


def test_a_secret_that_the_text_breaks_off_in_is_not_begun():
    keep(CANARY)
    assert redacted(f"it is {CANARY[:9]}") == f"it is {REDACTED}"
    assert redacted("it is can") == "it is can"


def test_an_escape_that_swallows_the_first_letter_hides_nothing():
    keep("41f0cabc")
    assert redacted("%41f0cabc %2541f0cabc") == f"%{REDACTED} %25{REDACTED}"


def test_text_without_a_secret_stays_as_it_is():
    keep(CANARY)
    for text in ("", "100 % sure\n\\u0041 \\n &amp;", '{"a": "c\\u0061nary"}'):
        assert redacted(text) == text
        assert not repeats(text.encode())


def test_what_is_too_short_to_be_one_is_passed_over():
    keep("a")
    keep("false")
    assert redacted("a false step") == "a false step"
    assert not repeats(b"a false step")


def test_the_word_that_stands_elsewhere_in_a_url_is_no_password():
    keep_password_of("postgresql://postgres:postgres@db/postgres")
    assert redacted("postgresql can't be reached") == "postgresql can't be reached"
    keep_password_of("postgresql://me:open%20s3same@db/holdfast")
    assert redacted("open%20s3same, open s3same") == f"{REDACTED}, {REDACTED}"


def test_the_log_of_a_library_and_its_tracebacks_are_clean(caplog: pytest.LogCaptureFixture):
    keep(CANARY)
    library = logging.getLogger("a.library.of.somebody")
    library.warning("failed for %s with %r", CANARY, {"key": json.dumps(CANARY)})
    library.warning("%d is no number but %s", CANARY)
    try:
        raise ValueError(CANARY)  # noqa: TRY301 - it is what is logged
    except ValueError:
        library.exception("it failed")
    assert "ValueError" in caplog.text
    assert traces(caplog.text, CANARY) == []


@pytest.mark.parametrize("name", ["message", "where"])
def test_an_error_that_grew_is_clean(name):
    keep(CANARY)
    error = HoldfastError("it failed")
    setattr(error, name, f"for {CANARY}")
    assert CANARY not in f"{error} {error!r}"
