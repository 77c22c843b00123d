r"""Text and keys as the warehouse keeps them.

Strangers choose names and token values, so no text may stop a target. What Postgres can't hold is
escaped reversibly: NUL and lone surrogates become `\uXXXX`, and a backslash that would read as such
an escape becomes `\u005c`; all other text stays as it is. An over-long attribute is cut and its
hash kept. A key is never cut: it may be a few kilobytes long, which no index takes, so rows are
keyed by a hash.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from uuid import UUID

LONGEST_ATTRIBUTE = 4096
"""Characters. Longer names and pictures have been seen nowhere."""

_CODES = r"u(0000|005c|d[89a-f][0-9a-f]{2})"
_TO_ESCAPE = re.compile(rf"[\x00\ud800-\udfff]|\\(?={_CODES})")
_ESCAPED = re.compile(rf"\\{_CODES}")


def escape(text: str) -> str:
    """`text` without the characters that Postgres can't hold. `unescape` is its inverse."""
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def may_look_escaped(text: str) -> bool:
    """Whether there may be a backslash in it that `escape` would escape: a quick look."""
    return "\\" in text and (r"\u0" in text or r"\ud" in text)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def cut(text: str) -> str:
    """Escaped `text`, if longer than `LONGEST_ATTRIBUTE` its beginning and the SHA-256 of all."""
    if len(text) <= LONGEST_ATTRIBUTE:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:LONGEST_ATTRIBUTE]}… sha256:{digest}"


def kept(text: str | None) -> str | None:
    """A text that a stranger may have chosen, such as a header, as it is kept; nothing stays so."""
    return None if text is None else cut(escape(text))


def key_hash(parts: tuple[str, ...]) -> UUID:
    """First 16 bytes of SHA-256 over the escaped key columns, each after its length.

    The length (bytes of UTF-8, four bytes big-endian) keeps ("ab", "c") apart from ("a", "bc"). In
    SQL: sha256(int4send(octet_length(k)) || convert_to(k, 'UTF8') || …).
    """
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4))
        digest.update(data)
    return UUID(bytes=digest.digest()[:16])


def key_hashes(columns: Sequence[Sequence[str]]) -> list[str]:
    """`key_hash` of many keys, as hexadecimal digits. `columns` holds the first parts of all keys,
    then the second ones, and so on; there is one column at least.
    """
    *before, last = columns
    heads: Iterable[tuple[str, ...]] = zip(*before, strict=True) if before else repeat(())
    sha256 = hashlib.sha256
    encoded = [text.encode() for text in last]
    return [
        sha256(_head(parts, len(data)) + data).hexdigest()[:32]
        for parts, data in zip(heads, encoded, strict=False)
    ]


@lru_cache(maxsize=1024)
def _head(parts: tuple[str, ...], length: int) -> bytes:
    """All that is hashed of a key before its last part, which is `length` bytes long: the same for
    all tokens of one class."""
    encoded = (part.encode() for part in parts)
    before = b"".join(len(data).to_bytes(4) + data for data in encoded)
    return before + length.to_bytes(4)
