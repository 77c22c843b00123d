r"""The one redactor: no credential leaves towards people, in whatever spelling a server repeats it.

An API key came back as the host of a redirect, in an ETag, in a broken status line that a library
quotes, and as `\u0041` in a body. So everything that is told passes here: the messages of our
errors (errors.py), what is cut for a message (`shorten`), every log record of the process, also
those of libraries, and what the command line prints. Credentials are kept here as soon as they are
read or made; `repeats` looks for them in an answer before anything of it is used.
"""

import base64
import logging
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

REDACTED = "[secret]"
SHORTEST = 6
"""Characters: less than that stands in any text by chance, and keeps nobody out."""
RECOGNISABLE = 8
"""Letters of its beginning by which a credential is known that a text breaks off in."""
RECENT = 256
"""Signatures that are remembered: those of all requests under way, and of some before."""
DEEPEST = 4
"""Escapes within escapes that are looked into: JSON in JSON, in a repr, in a URL."""

_ESCAPE = re.compile(
    r"\\(?:\\*u([0-9a-f]{4})|\\*x([0-9a-f]{2})|\\*[nrtfb]|\\*)|%([0-9a-f]{2})"
    r"|&(?:#x0*([0-9a-f]{1,4});?|#0*([0-9]{1,5});?|(amp|lt|gt|quot|apos);)"
)
"""In small letters. Each branch begins with a character: only so is a long text skipped quickly."""
_GAP = re.compile(r"[\x00-\x20\x7f]+")
"""What a header that is folded, or UTF-16 read as bytes, has between letters."""
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_LOWER = {capital: capital + 32 for capital in range(ord("A"), ord("Z") + 1)}
"""For str.translate: unlike str.lower it keeps every letter in its place."""
_USER_INFO = re.compile(r"^(?:[a-z0-9+]*://)?(.*)@", re.DOTALL | re.IGNORECASE)
"""User and password of a URL, also of one that no parser takes."""

_lock = threading.Lock()
_kept: tuple[str, ...] = ()
_recent: deque[str] = deque(maxlen=RECENT)


def keep(secret: str) -> None:
    """Let nothing show `secret` from now on, in this process. One that is shorter than `SHORTEST`
    is passed over."""
    global _kept  # noqa: PLW0603 - a process has one memory of what must not leave it
    with _lock:
        if len(secret) < SHORTEST or secret in _kept:
            return
        if not _kept:
            _watch_logs()
        _kept = tuple(sorted({*_kept, secret}, key=len, reverse=True))


def keep_password_of(url: str) -> None:
    """Keep the password of a URL, also of one that is malformed, as it stands there, decoded, and
    as it is sent to a proxy. One that the rest of the URL has in it as well, as in
    postgresql://postgres:postgres@db, is a word and not a secret."""
    if not (found := _USER_INFO.match(url)):
        return
    user, _, password = found[1].partition(":")
    if password and password not in url[: found.start(1)] + user + url[found.end(1) :]:
        keep(password)
        keep(unquote(password))
        keep(base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode())


def keep_sent(credentials: Iterable[str]) -> None:
    """Keep what is made for one request, such as its signature, until many more were made."""
    with _lock:
        _recent.extend(word for word in credentials if len(word) >= SHORTEST)


def redacted(text: str) -> str:
    """`text` with `REDACTED` in place of every credential, however it is escaped or written."""
    secrets = [_plain(secret) for secret in (*_kept, *_recent)]
    if not secrets or not text:
        return text
    forms = list(_forms(text))
    spans = [span for form in forms for span in _found(secrets, *form)]
    told, at = [], 0
    for start, end in sorted(spans):
        if end > at:
            told += [text[at:start], REDACTED] if start >= at else []
            at = end
    return "".join([*told, text[at:]])


def repeats(answer: bytes, credentials: Iterable[str] = ()) -> bool:
    """Whether something kept, or one of these `credentials`, stands in what a server sent."""
    words = [word for word in (*_kept, *credentials) if len(word) >= SHORTEST]
    secrets = {spelling for word in words for spelling in _plain(word)}
    form = answer.replace(b"\0", b"").lower().decode("latin-1")
    for _ in range(DEEPEST):
        if any(secret in form for secret in secrets):
            return True
        form, escapes = _ESCAPE.subn(_meaning, form) if secrets else (form, 0)
        form = form.translate(_LOWER) if escapes else form
        if not escapes:
            break
    return False


@lru_cache(maxsize=4 * RECENT)
def _plain(secret: str) -> tuple[str, ...]:
    """How a secret stands in a text whose escapes were read: what looks like one in the secret
    itself was read as well."""
    return tuple({"".join(letters) for letters, _ in _forms(secret)})


def _found(
    secrets: Iterable[tuple[str, ...]], form: str, where: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    for secret in {spelling for spellings in secrets for spelling in spellings}:
        at = form.find(secret)
        while at >= 0:
            yield where[at][0], where[at + len(secret) - 1][1]
            at = form.find(secret, at + 1)
        at = form.rfind(secret[:RECOGNISABLE], max(0, len(form) - len(secret)))
        if at >= 0 and secret.startswith(form[at:]):  # a server may cut where it likes
            yield where[at][0], where[-1][1]


def _forms(text: str) -> Iterator[tuple[str, list[tuple[int, int]]]]:
    """The text in small letters as it is, without gaps, and with its escapes read once, twice, …;
    with each, from where to where its letters stand in the text."""
    form, where = text.translate(_LOWER), [(at, at + 1) for at in range(len(text))]
    yield form, where
    for pattern in (_GAP, *[_ESCAPE] * DEEPEST):
        letters: list[str] = []
        places: list[tuple[int, int]] = []
        at = 0
        for found in pattern.finditer(form):
            start, end = found.span()
            meaning = _meaning(found) if pattern is _ESCAPE else ""
            letters += [form[at:start], meaning]
            places += where[at:start]
            places += [(where[start][0], where[end - 1][1])] * len(meaning)
            at = end
        if at:
            form, where = "".join([*letters, form[at:]]), places + where[at:]
            form = form.translate(_LOWER)
            yield form, where


def _meaning(escape: re.Match[str]) -> str:
    unicode, byte, percent, hexadecimal, decimal, name = escape.groups()
    if name:
        return _NAMED[name]
    if decimal:
        return chr(int(decimal))
    digits = unicode or byte or percent or hexadecimal
    return chr(int(digits, 16)) if digits and int(digits, 16) else ""


def _watch_logs() -> None:
    """Pass every log record from now on through `redacted`: a library's logger knows no secrets,
    and has handlers of its own."""
    make = logging.getLogRecordFactory()

    def redacting(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = make(*arguments, **named)
        try:
            told = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not fit: logging tells both
            told = f"{record.msg} {record.args}"
        if (clean := redacted(told)) != told:
            record.msg, record.args = clean, None
        if record.exc_info and record.exc_info[0]:
            trace = logging.Formatter().formatException(record.exc_info)
            if (clean := redacted(trace)) != trace:
                record.exc_text, record.exc_info = clean, None
        return record

    logging.setLogRecordFactory(redacting)
