import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from pipelines.sandbox.providers.catenis import ISSUER, ISSUER_SECRET, CatenisSandbox
from pipelines.sandbox.providers.catenis.api import number
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]

DEVICE = "d" + "1" * 19


def path(key: str, limit: int = 500, skip: int = 0) -> str:
    return f"/api/0.6/assets/{key.removeprefix('catenis:')}/holders?limit={limit}&skip={skip}"


def data(response: requests.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    body = json.loads(response.text, parse_float=Decimal)
    assert body["status"] == "success"
    return body["data"]


def as_row(entry: dict[str, Any]) -> tuple[object, ...]:
    holder, balance = entry["holder"], entry["balance"]
    amounts = Decimal(balance["total"]), Decimal(balance["unconfirmed"])
    return (holder["deviceId"], *amounts, holder.get("name"), holder.get("prodUniqueId"))


def walk(get_signed: Get, key: str, limit: int) -> Iterator[dict[str, Any]]:
    skip, more = 0, True
    while more:
        page = data(get_signed(path(key, limit, skip)))
        yield from page["assetHolders"]
        skip, more = skip + limit, page["hasMore"]


@pytest.mark.parametrize("devices", [0, 1, 100, 101, 250])
def test_pages_together_are_the_state(world: World, get_signed: Get, devices: int) -> None:
    key = world.add_catenis_asset(devices)
    rows = [as_row(entry) for entry in walk(get_signed, key, 100)]
    assert len(rows) == devices
    assert set(rows) == world.states(key)[-1].rows


def test_a_page_has_500_rows_unless_told(world: World, get_signed: Get) -> None:
    key = world.add_catenis_asset(501)
    page = data(get_signed(path(key).partition("?")[0]))
    assert (len(page["assetHolders"]), page["hasMore"]) == (500, True)


def test_the_order_lasts_as_long_as_the_state(world: World, get_signed: Get) -> None:
    key = world.add_catenis_asset(50)
    first, again = list(walk(get_signed, key, 20)), list(walk(get_signed, key, 50))
    world.catenis_set(key, DEVICE, 1)
    changed = [row for row in walk(get_signed, key, 50) if row["holder"]["deviceId"] != DEVICE]
    assert again == first
    assert changed != first
    assert {as_row(row) for row in changed} == {as_row(row) for row in first}


def test_what_migrated_ends_the_last_page_and_every_page_beyond(
    world: World, get_signed: Get
) -> None:
    key = world.add_catenis_asset(15)
    world.catenis_set_migrated(key, Decimal("0.0000003"), 0)
    migrated = {"migrated": True, "balance": {"total": Decimal("3e-7"), "unconfirmed": 0}}
    pages = [data(get_signed(path(key, 10, skip))) for skip in (0, 10, 20, 1000)]
    assert [len(page["assetHolders"]) for page in pages] == [10, 6, 1, 1]
    assert [page["hasMore"] for page in pages] == [True, False, False, False]
    assert [page["assetHolders"][-1] == migrated for page in pages] == [False, True, True, True]


def test_amounts_are_printed_digit_by_digit(world: World, get_signed: Get) -> None:
    key = world.add_catenis_asset(0)
    world.catenis_set(key, DEVICE, Decimal("9007199254740993.1234567"), Decimal("0.0000001"))
    body = get_signed(path(key)).text
    assert '"balance":{"total":9007199254740993.1234567,"unconfirmed":1e-7}' in body


@pytest.mark.parametrize(
    ("amount", "printed"),
    [
        ("25.0", "25"),
        ("1145.750", "1145.75"),
        ("0", "0"),
        ("0.000", "0"),
        ("0.000001", "0.000001"),
        ("1E-7", "1e-7"),
        ("0.00000025", "2.5e-7"),
        ("1E+20", "100000000000000000000"),
        ("1E+21", "1e+21"),
        ("-0.50", "-0.5"),
    ],
)
def test_an_amount_is_printed_as_javascript_does(amount: str, printed: str) -> None:
    assert number(Decimal(amount)) == printed


@given(st.integers(-(10**40), 10**40), st.integers(-40, 40))
def test_a_printed_amount_is_exact_json(digits: int, exponent: int) -> None:
    amount = Decimal(f"{digits}e{exponent}")
    assert json.loads(number(amount), parse_int=Decimal, parse_float=Decimal) == amount


def test_names_appear_only_where_there_are_some(world: World, get_signed: Get) -> None:
    key = world.add_catenis_asset(0)
    world.catenis_set(key, DEVICE, 1, prod_unique_id="XYZ001")
    [entry] = data(get_signed(path(key)))["assetHolders"]
    assert entry["holder"] == {"deviceId": DEVICE, "prodUniqueId": "XYZ001"}


def test_hostile_names_arrive_as_escapes(world: World, get_signed: Get) -> None:
    key = world.add_catenis_asset(0)
    world.catenis_set(key, DEVICE, 1, name="nul\0 \ud800")
    assert b'"nul\\u0000 \\ud800"' in get_signed(path(key)).content


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=501", "limit=-1", "limit=x", "limit=", "skip=-1", "skip=x", "skip=1&skip=2"],
)
def test_parameters_out_of_range_are_refused(world: World, get_signed: Get, query: str) -> None:
    key = world.add_catenis_asset(1)
    response = get_signed(path(key).partition("?")[0] + "?" + query)
    assert response.status_code == 400
    assert response.json() == {"status": "error", "message": "Invalid parameters"}


def test_what_is_no_asset_id_is_refused(get_signed: Get) -> None:
    response = get_signed(path("b" * 20))
    assert (response.status_code, response.json()["message"]) == (400, "Invalid asset ID")


def test_an_unknown_asset_is_an_empty_list(get_signed: Get) -> None:
    assert data(get_signed(path("a" * 20))) == {"assetHolders": [], "hasMore": False}


def test_only_the_issuer_may_list_holders(world: World, sandbox: Sandbox, get_signed: Get) -> None:
    secrets = {ISSUER: ISSUER_SECRET, DEVICE: "other"}
    sandbox.apis["catenis"] = CatenisSandbox(secrets)
    response = get_signed(path(world.add_catenis_asset(3)), device=DEVICE, secret="other")
    assert response.status_code == 403
    assert response.json()["message"] == "No permission to list asset holders"
    own = world.add_catenis_asset(3, issuer=DEVICE)
    assert len(data(get_signed(path(own), device=DEVICE, secret="other"))["assetHolders"]) == 3


@pytest.mark.parametrize(
    ("devices", "accepted", "encoding"),
    [
        (100, "gzip", "gzip"),
        (100, "deflate, gzip;q=0.5", "gzip"),
        (100, "*", "gzip"),
        (100, "identity", None),
        (100, "gzip;q=0", None),
        (3, "gzip", None),
    ],
)
def test_large_bodies_are_compressed_where_that_is_accepted(
    world: World, get_signed: Get, devices: int, accepted: str, encoding: str | None
) -> None:
    response = get_signed(path(world.add_catenis_asset(devices)), encoding=accepted)
    assert response.headers.get("content-encoding") == encoding
    assert len(data(response)["assetHolders"]) == devices


@pytest.mark.parametrize("target", ["/", "/api/9.9/assets/x/holders", "/api/0.6/nothing"])
def test_an_unknown_path_is_a_web_page_with_200(get_signed: Get, target: str) -> None:
    response = get_signed(target)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert response.text.startswith("<!DOCTYPE html>")
