"""What the sandbox answers against what a real API server (v9.0.2) was recorded to answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest
import requests

from pipelines.sandbox.answers import Answer
from pipelines.sandbox.providers.hiro.api import DATABASE_DOWN, GONE, HOLDINGS
from pipelines.sandbox.providers.hiro.holdings import FILTERED, HiroRow
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World

Get = Callable[..., requests.Response]

PRINCIPAL = "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"
DEPLOYER = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173"
OLDEST = {"hex": "0x0100000000000000000000000000000001", "repr": "u1"}
RECORD = Path(__file__).parents[1] / "reference/hiro/errors.txt"


class Recorded(NamedTuple):
    name: str
    query: str
    status: int
    body: str


def recorded() -> list[Recorded]:
    lines = RECORD.read_text(encoding="utf-8").splitlines()
    parts = [line.split(" | ", 3) for line in lines]
    return [Recorded(name, q, int(s.split()[1]), body) for name, q, s, body in parts]


REFUSED = [line for line in recorded() if line.status != 200]
ANSWERED = [line for line in recorded() if line.status == 200]


def token(asset: str, number: int) -> HiroRow:
    value = f"0x01{number:032x}"
    return HiroRow(
        f"{DEPLOYER}.{asset}", value, f"u{number}", 1000 - number // 3, f"0x{number:064x}"
    )


@pytest.fixture
def recorded_world(world: World) -> World:
    """As many tokens as the recorded principal had: 17 of one kind, 9 of another, 1,237 in all."""
    kinds = ["big::big"] * 9 + ["misc::m"] * 16 + ["utf8::u"] * 1211 + ["misc::m"]
    rows = [token(kind, number) for number, kind in enumerate(kinds)]
    rows[-1] = rows[-1]._replace(hex=OLDEST["hex"], repr=OLDEST["repr"])
    world.set_rows(f"hiro:{PRINCIPAL}", rows)
    return world


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: line.name)
def test_a_refusal_is_the_recorded_one(recorded_world: World, get: Get, line: Recorded) -> None:
    response = get("hiro", HOLDINGS + line.query)
    assert response.status_code == line.status
    whole = line.body.endswith("}")  # long bodies are cut off in the record
    assert (response.text if whole else response.text[: len(line.body)]) == line.body
    assert response.headers["content-type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize("line", ANSWERED, ids=lambda line: line.name)
def test_an_answer_has_the_recorded_limit_offset_and_total(
    recorded_world: World, get: Get, line: Recorded
) -> None:
    response = get("hiro", HOLDINGS + line.query)
    assert response.status_code == 200
    head, _, _ = line.body.partition('"results":[')
    assert response.text.startswith(head)
    page = response.json()
    assert len(page["results"]) == min(page["limit"], max(page["total"] - page["offset"], 0))


def test_the_last_row_is_the_oldest(recorded_world: World, get: Get) -> None:
    page = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}&limit=1&offset=1236").json()
    assert page["results"][0]["value"] == OLDEST


def test_pages_together_are_the_state_in_its_order(world: World, get: Get) -> None:
    key = world.add_hiro_principal(401)
    principal = key.removeprefix("hiro:")
    seen = []
    for offset in (0, 200, 400):
        page = get("hiro", f"{HOLDINGS}?principal={principal}&limit=200&offset={offset}").json()
        assert (page["limit"], page["offset"], page["total"]) == (200, offset, 401)
        seen += page["results"]
    rows = [
        (
            r["asset_identifier"],
            r["value"]["hex"],
            r["value"]["repr"],
            r["block_height"],
            r["tx_id"],
        )
        for r in seen
    ]
    assert rows == list(world.states(key)[-1].listing)


def test_a_contract_can_hold_tokens(world: World, get: Get) -> None:
    world.set_rows(f"hiro:{PRINCIPAL}.vault", [token("misc::m", 1)])
    page = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}.vault").json()
    assert page["total"] == 1


def test_a_filtered_page_shows_the_filtered_state(recorded_world: World, get: Get) -> None:
    assets = [f"{DEPLOYER}.big::big", f"{DEPLOYER}.misc::m"]
    query = (
        f"?principal={PRINCIPAL}&asset_identifiers={quote(','.join(reversed(assets)))}&limit=200"
    )
    page = get("hiro", HOLDINGS + query).json()
    state = recorded_world.state(f"hiro:{PRINCIPAL}{FILTERED}{','.join(assets)}")
    assert state is not None
    assert [(r["asset_identifier"], r["value"]["hex"]) for r in page["results"]] == [
        row[:2] for row in state.listing
    ]
    assert page["total"] == 26


def test_headers_are_the_recorded_ones(world: World, get: Get) -> None:
    response = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}")
    assert response.headers["etag"] == f'"{world.tip.index_hash}"'
    assert response.headers["warning"].startswith('299 - "Deprecated: See https://docs.hiro.so/')
    assert response.headers["x-api-version"] == "v9.0.2 (main:759c4a58)"
    assert response.headers["cache-control"] == "public, no-cache, must-revalidate"


@pytest.mark.parametrize("principal", [PRINCIPAL, PRINCIPAL[:-1] + "8"])
def test_the_current_tip_answers_304_whatever_the_principal(
    world: World, get: Get, principal: str
) -> None:
    tip = f'"{world.tip.index_hash}"'
    response = get("hiro", f"{HOLDINGS}?principal={principal}", **{"if-none-match": tip})
    assert (response.status_code, response.content) == (304, b"")
    assert "etag" not in response.headers
    assert "content-length" not in response.headers


def test_what_the_schema_refuses_is_never_unchanged(world: World, get: Get) -> None:
    tip = f'"{world.tip.index_hash}"'
    assert get("hiro", f"{HOLDINGS}?principal=x", **{"if-none-match": tip}).status_code == 400


def test_an_older_tip_answers_the_page(world: World, get: Get) -> None:
    tip = f'"{world.tip.index_hash}"'
    world.tick()
    response = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}", **{"if-none-match": tip})
    assert response.status_code == 200
    assert response.headers["etag"] != tip


def test_an_offset_beyond_what_javascript_prints_in_digits(world: World, get: Get) -> None:
    response = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}&offset=1{'0' * 22}")
    assert response.status_code == 500
    assert 'value \\"1e+22\\" is out of range' in response.text


def test_transaction_metadata_scrambles_the_order_of_a_page(
    recorded_world: World, get: Get
) -> None:
    rows = recorded_world.states(f"hiro:{PRINCIPAL}")[-1].listing
    swapped = [row._replace(tx_id=f"0x{9999 - n:064x}") for n, row in enumerate(rows[:9])]
    recorded_world.set_rows(f"hiro:{PRINCIPAL}", swapped)
    page = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}&tx_metadata=true").json()
    transactions = [row["tx"]["tx_id"] for row in page["results"]]
    assert transactions == [row.tx_id for row in reversed(swapped)]


def test_a_huge_and_hostile_token_arrives_whole(world: World, get: Get) -> None:
    hostile = HiroRow(f"{DEPLOYER}.misc::m", "0x" + "00" * 50_000, 'nul\0 "\ud800', 1, "0x00")
    world.set_rows(f"hiro:{PRINCIPAL}", [hostile])
    response = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}")
    assert b'nul\\u0000 \\"\\ud800' in response.content
    assert json.loads(response.content)["results"][0]["value"] == {
        "hex": hostile.hex,
        "repr": hostile.repr,
    }


def test_the_status_names_the_newest_block(world: World, get: Get) -> None:
    chain_tip = get("hiro", "/extended/").json()["chain_tip"]
    assert chain_tip["block_height"] == world.tip.height
    assert chain_tip["index_block_hash"] == world.tip.index_hash


def test_another_path_is_not_found(get: Get) -> None:
    assert get("hiro", "/extended/v1/tokens/nft").status_code == 404


@pytest.mark.parametrize(("answer", "status"), [(GONE, 410), (DATABASE_DOWN, 503)])
def test_the_api_can_be_switched_off_and_its_database_go_down(
    sandbox: Sandbox, get: Get, answer: Answer, status: int
) -> None:
    sandbox.before_response = lambda _: answer
    response = get("hiro", f"{HOLDINGS}?principal={PRINCIPAL}")
    assert (response.status_code, response.content) == (status, answer.body)
    assert "error" in response.json()
