"""CTN1-HMAC-SHA256, the signature that Catenis asks for.

Read in the server's and the official clients' source, and checked against requests that the
vendor's own client signed. The signature covers the request target byte for byte as it is sent, the
Host header with a non-default port, the time and the body.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from pipelines.providers.provider import Outgoing

METHOD = "CTN1-HMAC-SHA256"
SCOPE = "ctn1_request"
TIMESTAMP_HEADER = "X-BCoT-Timestamp"
DATE_MARGIN = timedelta(minutes=5)
"""The server accepts a date from six days ago until today, but none of tomorrow: a clock that is a
little fast at midnight would be refused, so the date is taken this much in the past."""


def sign(
    outgoing: Outgoing, *, device_id: str, secret: str, timestamp: str, date: str
) -> dict[str, str]:
    """The two headers that authenticate `outgoing`.

    `timestamp` is YYYYMMDDTHHMMSSZ (the server accepts 300 s either way), `date` is YYYYMMDD;
    `secret` is used as its text, not decoded.
    """
    conformed = (
        f"{outgoing.method}\n{outgoing.target}\n"
        f"host:{outgoing.host}\n{TIMESTAMP_HEADER.lower()}:{timestamp}\n\n"
        f"{hashlib.sha256(outgoing.body).hexdigest()}\n"
    )
    scope = f"{date}/{SCOPE}"
    to_sign = f"{METHOD}\n{timestamp}\n{scope}\n{hashlib.sha256(conformed.encode()).hexdigest()}\n"
    date_key = _hmac(f"CTN1{secret}".encode(), date)
    signature = _hmac(_hmac(date_key, SCOPE), to_sign).hex()
    return {
        TIMESTAMP_HEADER: timestamp,
        "Authorization": f"{METHOD} Credential={device_id}/{scope}, Signature={signature}",
    }


def sign_now(outgoing: Outgoing, *, device_id: str, secret: str, now: datetime) -> dict[str, str]:
    """`sign` with the timestamp and date that belong to `now`."""
    now = now.astimezone(UTC)
    return sign(
        outgoing,
        device_id=device_id,
        secret=secret,
        timestamp=now.strftime("%Y%m%dT%H%M%SZ"),
        date=(now - DATE_MARGIN).strftime("%Y%m%d"),
    )


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
