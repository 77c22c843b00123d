"""The sandbox beside what the server's own source answered, status, headers and body."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from pipelines.sandbox.providers.hiro import HiroSandbox, Version
from pipelines.sandbox.providers.hiro.holdings import HiroRow
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]
FOLDER = Path(__file__).parents[1] / "reference/hiro/captured"
CAPTURED = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}

PRINCIPAL = "SP3SA64155SGM64CM4Y347NRX1TKRQFEM8H0C949"
OTHER = "SP235EY9FPH57C401X1DAJ2A6Q2T0RX63FB27TJPZ"
OF_BLOCKS = {name for name in CAPTURED if "block" in name or name == "status"}
WITHOUT_V1 = {name for name in CAPTURED if name.startswith("v1_410")}
TOO_LONG = "v3_cursor_too_long_431"
AS_IT_IS = sorted(CAPTURED.keys() - OF_BLOCKS - {TOO_LONG})
THEIR_OWN = {"date", "connection", "keep-alive", "content-length", "server"}


@pytest.fixture
def captured_world(world: World) -> World:
    """The two principals with holdings that the captured server knew."""
    held = CAPTURED["v1_default"]["body"]["results"]
    world.set_rows(f"hiro:{PRINCIPAL}", [row_of(row) for row in held])
    [one] = CAPTURED["v3_one"]["body"]["results"]
    world.set_rows(f"hiro:{OTHER}", [row_of(one | {"block_height": 1, "tx_id": "0x01"})])
    return world


def row_of(row: dict[str, Any]) -> HiroRow:
    value = row["value"]
    return HiroRow(
        row["asset_identifier"], value["hex"], value["repr"], row["block_height"], row["tx_id"]
    )


def asked_headers(get: Get, given: dict[str, str]) -> dict[str, str]:
    """The captured request's headers, with the sandbox's tag in place of the server's."""
    asked = {name.lower(): text for name, text in given.items()}
    if "if-none-match" not in asked:
        return asked
    kept = CAPTURED["v3_default"]["headers"], CAPTURED["v1_default"]["headers"]
    own = get("hiro", CAPTURED["v3_default"]["request"]["path"]).headers["etag"]
    tip = get("hiro", CAPTURED["v1_default"]["request"]["path"]).headers["etag"]
    for headers, tag in zip(kept, (own, tip), strict=True):
        text = asked["if-none-match"].replace(headers["etag"].strip('"'), tag.strip('"'))
        asked["if-none-match"] = text
    return asked


@pytest.mark.parametrize("name", AS_IT_IS)
def test_an_answer_is_the_captured_one(
    captured_world: World, sandbox: Sandbox, get: Get, name: str
) -> None:
    expected = CAPTURED[name]
    headers = asked_headers(get, expected["request"]["headers"])
    if name in WITHOUT_V1:
        sandbox.apis["hiro"] = HiroSandbox(Version(v1=False))
    response = get("hiro", expected["request"]["path"], **headers)
    assert response.status_code == expected["status"]
    assert (response.json() if response.content else "") == expected["body"]
    assert len(response.content) == expected["body_bytes"]
    assert same_headers(response, expected["headers"])


def same_headers(response: requests.Response, expected: dict[str, str]) -> bool:
    """All but the tag are the same; a tag there is, or there is none."""
    own = {name.lower(): text for name, text in response.headers.items()}
    own, expected = ({n: t for n, t in h.items() if n not in THEIR_OWN} for h in (own, expected))
    return own == expected | ({"etag": own["etag"]} if "etag" in expected else {})


def test_a_cursor_over_16_kb_is_refused(world: World, get: Get) -> None:
    expected = CAPTURED[TOO_LONG]
    for size in (20_000, 200_000):  # the second one is over http.server's own bound, too
        cursor = f"0x{'00' * size}:A"
        response = get("hiro", f"/extended/v3/principals/{OTHER}/balances/nft?cursor={cursor}")
        assert (response.status_code, response.json()) == (431, expected["body"])
        assert response.headers["content-type"] == expected["headers"]["content-type"]
        assert response.headers["content-length"] == expected["headers"]["content-length"]


def test_a_cursor_of_ten_thousand_characters_is_answered(world: World, get: Get) -> None:
    cursor = f"0x{'00' * 5_000}:A"
    response = get("hiro", f"/extended/v3/principals/{OTHER}/balances/nft?cursor={cursor}")
    assert response.json()["total"] == 0


def test_the_status_is_the_captured_one_but_for_the_block(world: World, get: Get) -> None:
    expected = CAPTURED["status"]
    response = get("hiro", expected["request"]["path"])
    assert response.json().keys() == expected["body"].keys()
    assert response.json()["chain_tip"].keys() == expected["body"]["chain_tip"].keys()
    assert response.headers["etag"] == f'"{response.json()["chain_tip"]["index_block_hash"]}"'
    assert same_headers(response, expected["headers"])


def test_a_block_is_the_captured_one_while_canonical_and_once_orphaned(
    world: World, get: Get
) -> None:
    world.hiro_blocks()
    path = f"/extended/v2/blocks/{world.tip.index_hash}"
    response, expected = get("hiro", path), CAPTURED["block_a1_v2"]
    assert list(response.json()) == list(expected["body"])
    assert response.json()["index_block_hash"] == world.tip.index_hash
    assert response.headers["etag"] == f'"{world.tip.index_hash}:true"'
    assert same_headers(response, expected["headers"])

    lost = world.hiro_fork(1)
    response, expected = get("hiro", path), CAPTURED["block_b2_v2"]
    assert (response.status_code, response.json()) == (404, expected["body"])
    assert response.headers["etag"] == f'"{lost}:false"'
    assert same_headers(response, expected["headers"])


def test_a_block_that_nobody_knows_has_no_tag(world: World, get: Get) -> None:
    expected = CAPTURED["v2_block_deprecated"]
    response = get("hiro", expected["request"]["path"])
    assert (response.status_code, response.json()) == (404, expected["body"])
    assert same_headers(response, expected["headers"])


def test_an_older_server_has_neither_v3_nor_the_list_of_blocks(
    captured_world: World, sandbox: Sandbox, get: Get
) -> None:
    sandbox.apis["hiro"] = HiroSandbox(replace(Version(), v3=False, blocks=False))
    for path in (CAPTURED["v3_default"]["request"]["path"], "/extended/v2/blocks"):
        response = get("hiro", path)
        assert response.status_code == 404
        assert response.json()["message"] == f"Route GET:{path} not found"
    assert get("hiro", CAPTURED["v1_default"]["request"]["path"]).status_code == 200
