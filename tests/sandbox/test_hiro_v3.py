"""Pages by cursors where the set changes between them, and the filter that newer servers have."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
import requests

from pipelines.sandbox.providers.hiro import HiroSandbox, Version
from pipelines.sandbox.providers.hiro.holdings import HiroRow
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]
ADDRESS = "SP000000000000000000002Q6VF78"
A, B = f"{ADDRESS}.a::a", f"{ADDRESS}.b::b+?"


def row(asset: str, number: int) -> HiroRow:
    return HiroRow(asset, f"0x01{number:02x}", f"u{number}", 9, f"0x{number:064x}")


@pytest.fixture
def show(world: World, get: Get) -> Callable[..., dict[str, Any]]:
    """show("?limit=2") → the body; show("", [rows]) changes the set before."""

    def show(query: str, rows: list[HiroRow] | None = None) -> dict[str, Any]:
        if rows is not None:
            world.set_rows(f"hiro:{ADDRESS}", rows)
        response = get("hiro", f"/extended/v3/principals/{ADDRESS}/balances/nft{query}")
        assert response.status_code == 200
        return response.json()

    return show


def numbers(body: dict[str, Any]) -> list[str]:
    return [result["value"]["repr"] for result in body["results"]]


def test_a_cursor_whose_row_is_gone_begins_with_the_next_one(show: Callable[..., Any]) -> None:
    first = show("?limit=2", [row(A, number) for number in range(6)])
    cursor = quote(first["cursor"]["next"])
    page = show(f"?limit=2&cursor={cursor}", [row(A, number) for number in (0, 1, 4, 5)])
    assert numbers(page) == ["u4", "u5"]
    assert page["total"] == 4
    assert page["cursor"]["current"] == f"0x0104:{A}"


def test_a_tail_that_is_gone_is_an_empty_page_with_a_total_of_0(
    show: Callable[..., Any],
) -> None:
    first = show("?limit=2", [row(A, number) for number in range(4)])
    page = show(f"?limit=2&cursor={quote(first['cursor']['next'])}", [row(A, 0)])
    assert page["results"] == []
    assert page["total"] == 0
    assert page["cursor"] == {"next": None, "previous": None, "current": None}


def test_a_row_can_enter_in_the_middle(show: Callable[..., Any]) -> None:
    show("", [row(A, 1), row(B, 1)])
    assert numbers(show("", [row(A, 7), row(A, 1), row(B, 1)])) == ["u1", "u7", "u1"]


def test_a_prefix_of_a_value_is_a_lower_bound(show: Callable[..., Any]) -> None:
    show("", [HiroRow(A, f"0x0d{'61' * size}", str(size), 9, "0x01") for size in (1, 5, 9)])
    assert numbers(show(f"?cursor={quote(f'0x0D6161:{A}')}")) == ["5", "9"]


def test_an_older_server_ignores_the_class_that_is_asked_for(show: Callable[..., Any]) -> None:
    show("", [row(A, 1), row(B, 2)])
    assert show(f"?asset_identifier={quote(B)}")["total"] == 2
    assert numbers(show(f"?cursor={quote(f'0x:{B}')}")) == ["u2"]


def test_a_newer_server_shows_the_class_that_is_asked_for(
    show: Callable[..., Any], sandbox: Sandbox
) -> None:
    sandbox.apis["hiro"] = HiroSandbox(Version(filters=True))
    show("", [row(A, 1), row(B, 2), row(B, 3)])
    page = show(f"?limit=1&asset_identifier={quote(B)}")
    assert (page["total"], numbers(page)) == (2, ["u2"])
    assert page["cursor"]["next"] == f"0x0103:{B}"
    assert show(f"?asset_identifier={ADDRESS}.c::c")["total"] == 0


def test_all_pages_of_a_principal_have_one_tag_until_it_changes(world: World, get: Get) -> None:
    world.set_rows(f"hiro:{ADDRESS}", [row(A, number) for number in range(4)])
    path = f"/extended/v3/principals/{ADDRESS}/balances/nft"
    queries = ("", "?limit=1", f"?limit=1&cursor={quote(f'0x0102:{A}')}")
    [tag] = {get("hiro", path + query).headers["etag"] for query in queries}
    world.hiro_blocks(3)
    assert {get("hiro", path + query).headers["etag"] for query in queries} == {tag}
    world.set_rows(f"hiro:{ADDRESS}", [row(A, 1)])
    assert get("hiro", path).headers["etag"] != tag
