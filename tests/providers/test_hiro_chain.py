"""hiro_chain.py on what the real API server (v9.0.2) answered about blocks."""

import json
from pathlib import Path

import pytest

from pipelines.errors import MalformedAnswer
from pipelines.providers.chain import Block
from pipelines.providers.hiro_chain import (
    block_request,
    list_request,
    read_block,
    read_list,
    tip_of,
)
from pipelines.providers.pages import Answer

CAPTURED = Path(__file__).parents[1] / "reference/hiro/captured"
HASHES = [f"0x{number:064x}" for number in range(10)]


def body_of(name):
    return json.loads((CAPTURED / f"{name}.json").read_text(encoding="utf-8"))["body"]


def answer(document):
    return Answer(200, {}, json.dumps(document).encode())


def listed(*heights, older=None, **changed):
    """A list as the server makes it, with the fields of a block that it really answered."""
    block = body_of("block_a1_v2") | changed
    results = [block | {"height": h, "index_block_hash": HASHES[h]} for h in heights]
    return answer({"limit": 30, "offset": 0, "prev_cursor": older, "results": results})


def test_the_tip_is_the_hash_in_the_tag_of_v1():
    assert tip_of(f'"{HASHES[3]}"') == tip_of(f'W/"{HASHES[3]}"') == HASHES[3]


@pytest.mark.parametrize("tag", [None, "", "*", f'"{"ab" * 32}"', HASHES[1], f'"{HASHES[1]}:true"'])
def test_any_other_tag_tells_no_tip(tag):
    assert tip_of(tag) is None


def test_requests_name_the_list_its_pages_and_a_block():
    assert list_request(None).target == "/extended/v2/blocks?limit=30"
    assert list_request(HASHES[1]).target == f"/extended/v2/blocks?limit=30&cursor={HASHES[1]}"
    assert block_request(HASHES[1]).target == f"/extended/v2/blocks/{HASHES[1]}"


def test_a_block_that_the_server_answered_is_read():
    found = body_of("block_a1_v2")
    assert read_block(answer(found)) == Block(found["index_block_hash"], 9)


def test_the_older_blocks_follow_by_what_the_server_calls_the_previous_cursor():
    page = read_list(listed(8, 7, 6, older=HASHES[5]))
    assert page.blocks == tuple(Block(HASHES[height], height) for height in (8, 7, 6))
    assert page.older == HASHES[5]
    assert read_list(listed(1, 0)).older is None


@pytest.mark.parametrize(
    ("spoiled", "told"),
    [
        (listed(), "has no block"),
        (listed(8, 6), "not a block for each height"),
        (listed(7, 8), "not a block for each height"),
        (listed(8, older="0x1"), "prev_cursor is '0x1'"),
        (listed(8, canonical=False), "canonical is false"),
        (answer({"results": []}), "prev_cursor"),
        (answer({"prev_cursor": None, "results": [{"height": "8"}]}), "results"),
    ],
)
def test_a_list_that_is_not_as_documented_is_refused(spoiled, told):
    with pytest.raises(MalformedAnswer, match=told):
        read_list(spoiled)


@pytest.mark.parametrize(
    "changed", [{"height": -1}, {"canonical": False}, {"index_block_hash": ""}]
)
def test_a_block_that_is_not_as_documented_is_refused(changed):
    with pytest.raises(MalformedAnswer):
        read_block(answer(body_of("block_a1_v2") | changed))
