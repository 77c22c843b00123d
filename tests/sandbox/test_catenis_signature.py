"""The server's side of signing, against requests that the vendor's own client signed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from pipelines.sandbox.answers import Exchange
from pipelines.sandbox.providers.catenis.signature import signer
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]
Vector = dict[str, str]

VECTORS: list[Vector] = json.loads(
    (Path(__file__).parents[1] / "reference/catenis/signatures.json").read_text(encoding="utf-8")
)


def exchange(vector: Vector, **changed: str) -> Exchange:
    sent = vector | changed
    headers = {
        "host": sent["host"],
        "x-bcot-timestamp": sent["timestamp"],
        "authorization": sent["authorization"],
    }
    at = moment(vector)
    payload = sent["payload"].encode()
    return Exchange("catenis", sent["method"], sent["target"], headers, payload, 1, at)


def moment(vector: Vector) -> datetime:
    return datetime.strptime(vector["timestamp"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def signed_by(sent: Exchange, vector: Vector, now: datetime | None = None) -> str | None:
    credentials = {vector["deviceId"]: vector["apiAccessSecret"]}
    return signer(sent, credentials, now or moment(vector))


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_what_the_vendors_client_signed_is_accepted(vector: Vector) -> None:
    assert signed_by(exchange(vector), vector) == vector["deviceId"]


@pytest.mark.parametrize(
    "changed",
    [
        {"target": "/api/0.6/assets/aQjlzShmrnEZeeYBZihc/holders?skip=1000&limit=500"},
        {"target": "/api/0.6/assets/aQjlzShmrnEZeeYBZihc/holders?limit=500&skip=1000&"},
        {"target": "/api/0.6/assets/%61QjlzShmrnEZeeYBZihc/holders?limit=500&skip=1000"},
        {"host": "sandbox.catenis.io:443"},
        {"timestamp": "20261120T053839Z"},
        {"payload": "x"},
        {"method": "POST"},
        {"authorization": ""},
        {"apiAccessSecret": "00"},
    ],
    ids=str,
)
def test_one_changed_byte_breaks_a_signature(changed: Vector) -> None:
    vector = next(v for v in VECTORS if v["name"] == "limit-and-skip")
    assert signed_by(exchange(vector, **changed), vector | changed) is None


@pytest.mark.parametrize(
    ("seconds", "accepted"), [(-301, False), (-300, True), (300, True), (301, False)]
)
def test_a_timestamp_holds_for_300_seconds(seconds: int, accepted: bool) -> None:
    vector = VECTORS[0]
    now = moment(vector) + timedelta(seconds=seconds)
    assert (signed_by(exchange(vector), vector, now) is not None) == accepted


@pytest.mark.parametrize(("days", "status"), [(-1, 401), (0, 200), (6, 200), (7, 401)])
def test_a_date_holds_from_its_day_for_six_more(
    world: World, get_signed: Get, days: int, status: int
) -> None:
    asset = world.add_catenis_asset(1).removeprefix("catenis:")
    now = datetime.now(UTC)
    date = f"{now - timedelta(days=days):%Y%m%d}"
    response = get_signed(f"/api/0.6/assets/{asset}/holders", at=now, date=date)
    assert response.status_code == status


def test_the_bytes_of_the_request_line_are_what_counts(world: World, get_signed: Get) -> None:
    asset = world.add_catenis_asset(1).removeprefix("catenis:")
    path = f"/api/0.6/assets/{asset}/holders"
    as_sent = get_signed(f"{path}?limit=5&skip=0")
    reordered = get_signed(f"{path}?limit=5&skip=0", signed_target=f"{path}?skip=0&limit=5")
    without_port = get_signed(path, signed_host="127.0.0.1")
    assert [r.status_code for r in (as_sent, reordered, without_port)] == [200, 401, 401]


def test_an_unsigned_request_is_told_to_log_in(get: Callable[..., requests.Response]) -> None:
    response = get("catenis", f"/api/0.6/assets/{'a' * 20}/holders")
    assert response.status_code == 401
    assert response.json() == {"status": "error", "message": "You must be logged in to do this."}


@pytest.mark.parametrize("given", [{"device": "d" * 20}, {"secret": "wrong"}])
def test_an_unknown_device_and_a_wrong_secret_are_refused(get_signed: Get, given: Vector) -> None:
    assert get_signed(f"/api/0.6/assets/{'a' * 20}/holders", **given).status_code == 401
