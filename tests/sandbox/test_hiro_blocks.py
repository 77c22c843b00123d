"""The list of blocks: which are canonical, page by page, and what becomes of it after a fork."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from pipelines.sandbox.providers.hiro.chain import FIRST_HEIGHT
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]
BLOCKS = "/extended/v2/blocks"


@pytest.fixture
def blocks(world: World, get: Get) -> Callable[..., dict[str, Any]]:
    """blocks("?limit=2") → the body, of a chain of 51 blocks."""
    world.hiro_blocks(50)

    def blocks(query: str = "") -> dict[str, Any]:
        response = get("hiro", BLOCKS + query)
        assert response.status_code == 200
        assert response.headers["etag"] == f'"{world.tip.index_hash}"'
        return response.json()

    return blocks


def heights(body: dict[str, Any]) -> list[int]:
    return [block["height"] - FIRST_HEIGHT for block in body["results"]]


def test_the_newest_come_first_twenty_a_page(world: World, blocks: Callable[..., Any]) -> None:
    page = blocks()
    assert heights(page) == list(range(50, 30, -1))
    assert (page["limit"], page["offset"], page["total"]) == (20, 0, 51)
    assert page["cursor"] == world.tip.index_hash == page["results"][0]["index_block_hash"]
    assert page["next_cursor"] is None
    assert list(page)[3:6] == ["next_cursor", "prev_cursor", "cursor"]


def test_prev_cursor_leads_to_older_blocks_and_next_cursor_back(
    blocks: Callable[..., Any],
) -> None:
    page = blocks("?limit=30")
    older = blocks(f"?limit=30&cursor={page['prev_cursor']}")
    assert heights(older) == list(range(20, -1, -1))
    assert older["prev_cursor"] is None
    assert older["next_cursor"] == page["cursor"]


def test_an_offset_counts_from_the_cursor_both_ways(blocks: Callable[..., Any]) -> None:
    assert heights(blocks("?limit=2&offset=40")) == [10, 9]
    cursor = blocks("?limit=2&offset=40")["cursor"]
    assert heights(blocks(f"?limit=1&offset=-7&cursor={cursor}")) == [17]
    beyond = blocks("?offset=51")
    assert (beyond["total"], beyond["cursor"], beyond["results"]) == (0, None, [])


def test_limit_0_is_the_usual_one(blocks: Callable[..., Any]) -> None:
    assert blocks("?limit=0")["limit"] == 20


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("?limit=31", "querystring/limit must be <= 30"),
        ("?limit=-1", "querystring/limit must be >= 0"),
        ("?offset=301", "querystring/offset must be <= 300"),
        ("?offset=-301", "querystring/offset must be >= -300"),
        ("?cursor=0x12", 'querystring/cursor must match pattern "^0x[a-fA-F0-9]{64}$"'),
    ],
)
def test_the_list_has_bounds(get: Get, query: str, message: str) -> None:
    response = get("hiro", BLOCKS + query)
    assert (response.status_code, response.json()["message"]) == (400, message)
    assert "etag" not in response.headers


def test_an_orphaned_block_is_neither_listed_nor_a_cursor(
    world: World, get: Get, blocks: Callable[..., Any]
) -> None:
    before = {block["index_block_hash"] for block in blocks("?limit=30")["results"]}
    lost = world.hiro_fork(3)
    page = blocks("?limit=30")
    assert heights(page)[:5] == [51, 50, 49, 48, 47]
    assert [block["index_block_hash"] in before for block in page["results"][:5]] == [
        False, False, False, False, True,
    ]  # fmt: skip
    response = get("hiro", f"{BLOCKS}?cursor={lost}")
    assert (response.status_code, response.json()["message"]) == (404, "Cursor not found")
    world.hiro_return(lost)
    assert heights(blocks(f"?limit=1&cursor={lost}")) == [50]


def test_a_block_is_found_by_hash_height_and_as_the_latest(
    world: World, get: Get, blocks: Callable[..., Any]
) -> None:
    tip = world.tip
    for name in (tip.index_hash, tip.index_hash[2:], tip.height, "latest"):
        assert get("hiro", f"{BLOCKS}/{name}").json()["index_block_hash"] == tip.index_hash
    assert get("hiro", f"{BLOCKS}/{tip.height + 1}").status_code == 404
    assert get("hiro", f"{BLOCKS}/x").status_code == 400
    world.hiro_fork(1)
    assert get("hiro", f"{BLOCKS}/{tip.height}").json()["index_block_hash"] != tip.index_hash


def test_a_conditional_request_is_answered_by_the_tip(
    world: World, get: Get, blocks: Callable[..., Any]
) -> None:
    tag = f'"{world.tip.index_hash}"'
    for path in (BLOCKS, "/extended", "/extended/"):
        assert get("hiro", path, **{"if-none-match": tag}).status_code == 304
    world.hiro_blocks()
    assert get("hiro", BLOCKS, **{"if-none-match": tag}).status_code == 200
