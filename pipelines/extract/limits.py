"""What a server's headers say about when to come back.

`Retry-After` is seconds or a date (RFC 9110, 10.2.3). `ratelimit-reset` has been seen both as
seconds from now and as a Unix time, so both are understood.
"""

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_UNIX_TIME_FROM = 10**8
"""A number of seconds beyond three years from now can only be a Unix time."""


def asked_to_wait(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `now` (Unix time) that `Retry-After` asks for; None without a usable one.

    A date without a zone is GMT, as all dates in HTTP are (RFC 9110, 5.6.7).
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, OverflowError):  # the second for an absurd offset from UTC
        return None


def until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds from `now` (Unix time) until the limit is reset; None while requests remain."""
    if headers.get("ratelimit-remaining", "").strip() != "0":
        return None
    value = headers.get("ratelimit-reset", "").strip()
    if not (value.isascii() and value.isdigit()):
        return None
    reset = float(value)
    return max(0.0, reset - now if reset > _UNIX_TIME_FROM else reset)
