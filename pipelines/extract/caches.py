"""Whether an answer came from a cache on the way, by what its headers say.

What a cache kept is a state of the past, and pages from two of them are never one state. Only a
token counts, not a word somewhere in it: `MISS from hitchin` is no hit. What a cache had checked
with its origin (REVALIDATED) was kept by it all the same.

Sources: RFC 9111 5.1 (Age) and RFC 7234 5.5 (Warning); RFC 9211 (Cache-Status); the words of Squid,
nginx, Varnish, Cloudflare, CloudFront, Fastly, Bunny and Vercel in headers of their own.
"""

import re
from collections.abc import Iterator, Mapping

_OWN_HEADERS = (
    "x-cache",
    "x-cache-status",
    "x-proxy-cache",
    "x-fastcgi-cache",
    "x-litespeed-cache",
    "x-varnish-cache",
    "x-vercel-cache",
    "cdn-cache",
    "cdn-cache-status",
    "cf-cache-status",
)
"""One word each for every cache on the way: HIT, TCP_MEM_HIT, `Hit from cloudfront`."""
_KEPT = frozenset({"hit", "refreshhit", "stale", "updating", "revalidated"})
_STALE = frozenset({"110", "111", "112", "113"})
"""Codes of Warning: stale, revalidation failed, disconnected, heuristic expiration."""

_ELEMENT = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^",])+')
_PARAMETER = re.compile(r'(?:"(?:\\.|[^"\\])*"?|[^";])+')
_WORD = re.compile(r"[A-Za-z0-9]+")


def is_from_cache(headers: Mapping[str, str]) -> bool:
    """Whether any header says that a cache answered. Names are in lower case."""
    return (
        any(_is_old(age) for age in _elements(headers, "age"))
        or any(_is_stored(status) for status in _elements(headers, "cache-status"))
        or any(warning.split(maxsplit=1)[0] in _STALE for warning in _elements(headers, "warning"))
        or any(_is_hit(said) for name in _OWN_HEADERS for said in _elements(headers, name))
    )


def _elements(headers: Mapping[str, str], name: str) -> Iterator[str]:
    """The members of a header that is a list; quoted text may hold commas."""
    for element in _ELEMENT.findall(headers.get(name, "")):
        if element.strip():
            yield element.strip()


def _is_old(age: str) -> bool:
    """Seconds in a cache; what is no number says nothing (RFC 9111, 5.1)."""
    return age.isascii() and age.isdigit() and age.strip("0") != ""


def _is_stored(status: str) -> bool:
    """`Cache; hit; ttl=5`: a member of Cache-Status with the parameter hit."""
    _, *parameters = _PARAMETER.findall(status)
    return any(parameter.replace(" ", "").lower() in ("hit", "hit=?1") for parameter in parameters)


def _is_hit(said: str) -> bool:
    words = _WORD.findall(said.split(maxsplit=1)[0].lower())
    return not _KEPT.isdisjoint(words)
