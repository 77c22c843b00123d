r"""Text and keys as the warehouse keeps them.

Strangers choose names and token values, so no text may stop a target. What Postgres can't hold is
escaped reversibly: NUL and lone surrogates become `\uXXXX`, and a backslash that would read as such
an escape becomes `\u005c`; all other text stays as it is. An over-long attribute is cut and its
hash kept. A key is never cut: it may be a few kilobytes long, which no index takes, so rows are
keyed by a hash.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import repeat
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from hashlib import _Hash

LONGEST_ATTRIBUTE = 4096
"""Characters. Longer names and pictures have been seen nowhere."""

_CODES = r"u(0000|005c|d[89a-f][0-9a-f]{2})"
_TO_ESCAPE = re.compile(rf"[\x00\ud800-\udfff]|\\(?={_CODES})")
_ESCAPED = re.compile(rf"\\{_CODES}")


def escape(text: str) -> str:
    """`text` without the characters that Postgres can't hold. `unescape` is its inverse."""
    return _TO_ESCAPE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def unescape(text: str) -> str:
    """The text that `escape` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def cut(text: str) -> str:
    """Escaped `text`, if longer than `LONGEST_ATTRIBUTE` its beginning and the SHA-256 of all."""
    if len(text) <= LONGEST_ATTRIBUTE:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:LONGEST_ATTRIBUTE]}… sha256:{digest}"


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

    Keys that differ in their last part alone, such as the tokens of one class, share the work on
    the parts before it.
    """
    *before, last = columns
    hashes = []
    for parts, text in zip(zip(*before, strict=True) if before else repeat(()), last, strict=False):
        data = text.encode()
        digest = _begun(parts, len(data)).copy()
        digest.update(data)
        hashes.append(digest.hexdigest()[:32])
    return hashes


@lru_cache(maxsize=1024)
def _begun(parts: tuple[str, ...], length: int) -> "_Hash":
    """The hash over all of a key before its last part, which is `length` bytes long."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(4))
        digest.update(data)
    digest.update(length.to_bytes(4))
    return digest
