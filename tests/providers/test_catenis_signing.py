"""The signature against requests that the vendor's own client signed at fixed times."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.providers.catenis_signing import sign, sign_now
from pipelines.providers.provider import Outgoing

Vector = dict[str, str]

VECTORS: list[Vector] = json.loads(
    (Path(__file__).parents[1] / "reference/catenis/signatures.json").read_text(encoding="utf-8")
)
OUTGOING = Outgoing(
    method="POST",
    target="/api/0.6/assets/aQjlzShmrnEZeeYBZihc/holders?limit=500&skip=0",
    host="sandbox.catenis.io:3500",
    body=b'{"message":"Test message"}',
)


def signed(outgoing: Outgoing, **changed: str) -> dict[str, str]:
    fixed = {
        "device_id": "dnN3Ea43bhMTHtTvpytS",
        "secret": "000102030405",
        "timestamp": "20261120T053838Z",
        "date": "20261120",
    }
    return sign(outgoing, **fixed | changed)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_request_is_signed_as_the_vendors_client_signs_it(vector: Vector) -> None:
    headers = sign(
        Outgoing(vector["method"], vector["target"], vector["host"], vector["payload"].encode()),
        device_id=vector["deviceId"],
        secret=vector["apiAccessSecret"],
        timestamp=vector["timestamp"],
        date=vector["signDate"],
    )
    assert headers == {
        "X-BCoT-Timestamp": vector["timestamp"],
        "Authorization": vector["authorization"],
    }


@given(data=st.data())
@pytest.mark.parametrize("part", ["method", "target", "host"])
def test_one_changed_character_changes_the_signature(part: str, data: st.DataObject) -> None:
    text = getattr(OUTGOING, part)
    position = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_characters=text[position]))
    changed = Outgoing(
        **vars(OUTGOING) | {part: text[:position] + other + text[position + 1 :]},
    )
    assert signed(changed) != signed(OUTGOING)


@given(position=st.integers(0, len(OUTGOING.body) - 1), flipped=st.integers(1, 255))
def test_one_changed_byte_of_the_body_changes_the_signature(position: int, flipped: int) -> None:
    body = bytearray(OUTGOING.body)
    body[position] ^= flipped
    assert signed(Outgoing(**vars(OUTGOING) | {"body": bytes(body)})) != signed(OUTGOING)


@pytest.mark.parametrize("part", ["device_id", "secret", "timestamp", "date"])
def test_credentials_and_time_change_what_is_sent(part: str) -> None:
    assert signed(OUTGOING, **{part: "20261121T000000Z"}) != signed(OUTGOING)


def test_the_secret_is_used_as_its_text() -> None:
    assert signed(OUTGOING, secret="AB") != signed(OUTGOING, secret="ab")


@pytest.mark.parametrize(
    ("now", "timestamp", "date"),
    [
        (datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), "20261231T235959Z", "20261231"),
        (datetime(2027, 1, 1, 0, 0, 0, tzinfo=UTC), "20270101T000000Z", "20261231"),
        (datetime(2027, 1, 1, 0, 4, 59, 999999, tzinfo=UTC), "20270101T000459Z", "20261231"),
        (datetime(2027, 1, 1, 0, 5, 0, tzinfo=UTC), "20270101T000500Z", "20270101"),
        (datetime(2028, 3, 1, 0, 1, 0, tzinfo=UTC), "20280301T000100Z", "20280229"),
        (
            datetime(2027, 1, 1, 1, 30, 0, tzinfo=timezone(timedelta(hours=2))),
            "20261231T233000Z",
            "20261231",
        ),
    ],
)
def test_the_date_is_taken_five_minutes_in_the_past(
    now: datetime, timestamp: str, date: str
) -> None:
    headers = sign_now(OUTGOING, device_id="d1", secret="s", now=now)
    assert headers == sign(OUTGOING, device_id="d1", secret="s", timestamp=timestamp, date=date)
