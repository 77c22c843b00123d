"""Whether a request is signed as CTN1-HMAC-SHA256 demands, seen from the server.

Written apart from the client's signer, on purpose: one mistake in code that both share would never
show. It goes by the bytes that arrived, so a query that was re-encoded after signing, a Host
without its port or a signature sent again ten minutes later is refused here as it would be there.
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from pipelines.sandbox.answers import Exchange

WINDOW = timedelta(seconds=300)
SIGN_DATE_DAYS = 6
_AUTHORIZATION = re.compile(
    r"CTN1-HMAC-SHA256 Credential=(?P<device>\w{20})/(?P<date>\d{8})/ctn1_request,"
    r" ?Signature=(?P<signature>[0-9a-f]{64})",
    re.ASCII,
)


def signature(exchange: Exchange, secret: str, timestamp: str, date: str) -> str:
    """What the signature of a request should be, in lower-case hex."""
    conformed = (
        f"{exchange.method}\n{exchange.target}\n"
        f"host:{exchange.headers.get('host', '')}\nx-bcot-timestamp:{timestamp}\n\n"
        f"{sha256(exchange.body).hexdigest()}\n"
    )
    to_sign = (
        f"CTN1-HMAC-SHA256\n{timestamp}\n{date}/ctn1_request\n"
        f"{sha256(_bytes(conformed)).hexdigest()}\n"
    )
    date_key = _hmac(_bytes(f"CTN1{secret}"), date)
    return _hmac(_hmac(date_key, "ctn1_request"), to_sign).hex()


def signer(exchange: Exchange, credentials: Mapping[str, str], now: datetime) -> str | None:
    """The device that signed a request, or None where the signature does not hold at `now`."""
    given = _AUTHORIZATION.fullmatch(exchange.headers.get("authorization", ""))
    timestamp = exchange.headers.get("x-bcot-timestamp", "")
    if given is None or given["device"] not in credentials or not _timely(timestamp, now):
        return None
    days = (now - timedelta(days=age) for age in range(SIGN_DATE_DAYS + 1))
    if given["date"] not in {f"{day:%Y%m%d}" for day in days}:
        return None
    expected = signature(exchange, credentials[given["device"]], timestamp, given["date"])
    return given["device"] if hmac.compare_digest(expected, given["signature"]) else None


def _timely(timestamp: str, now: datetime) -> bool:
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", timestamp):
        return False
    try:
        moment = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - moment) <= WINDOW


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.digest(key, _bytes(message), "sha256")


def _bytes(text: str) -> bytes:
    return text.encode("latin-1")  # a request line is read as Latin-1: back to what was sent
