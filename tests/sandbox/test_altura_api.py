from collections.abc import Callable, Iterator

import pytest
import requests

from pipelines.sandbox.providers.altura import AlturaSandbox
from pipelines.sandbox.providers.altura.item import NOT_LISTED
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from tests.patience import PATIENCE

Get = Callable[..., requests.Response]


def path(key: str) -> str:
    return "/api/v2/item/holders/" + key.removeprefix("altura:")


def as_rows(holders: list[dict[str, object]]) -> list[tuple[object, ...]]:
    fields = ("name", "profilePic", "profilePicUrl")
    return [
        (holder["address"], int(str(holder["balance"])), *(holder.get(field) for field in fields))
        for holder in holders
    ]


def walk(get: Get, key: str, per_page: int, options: str = "") -> Iterator[dict[str, object]]:
    page = 1
    while True:
        url = f"{path(key)}?perPage={per_page}&page={page}{options}"
        holders = get("altura", url).json()["holders"]
        if not holders:
            return
        yield from holders
        page += 1


def test_pages_together_are_the_state(world: World, get: Get) -> None:
    key = world.add_altura_item(205)
    rows = as_rows(list(walk(get, key, 100)))
    assert len(rows) == 205
    assert set(rows) == world.states(key)[-1].rows


def test_the_set_without_listed_ones_is_another(world: World, get: Get) -> None:
    key = world.add_altura_item(205)
    rows = as_rows(list(walk(get, key, 100, "&includeListed=false")))
    assert set(rows) == world.states(key + NOT_LISTED)[-1].rows
    assert set(rows) != world.states(key)[-1].rows


def test_a_page_has_24_rows_unless_told_and_counts_all_holders(world: World, get: Get) -> None:
    body = get("altura", path(world.add_altura_item(60))).json()
    assert (len(body["holders"]), body["count"]) == (24, 60)


def test_the_largest_balance_comes_first(world: World, get: Get) -> None:
    rows = as_rows(list(walk(get, world.add_altura_item(205), 100)))
    balances = [row[1] for row in rows]
    assert balances == sorted(balances, reverse=True)


def test_ties_change_places_when_something_else_changes(world: World, get: Get) -> None:
    key = world.add_altura_item(0)
    for number in range(20):
        world.altura_set(key, f"0x{number:040x}", 3)
    before = as_rows(list(walk(get, key, 24)))
    assert as_rows(list(walk(get, key, 24))) == before
    world.altura_set(key, "0x" + "f" * 40, 1)
    after = as_rows(list(walk(get, key, 24)))[:-1]
    assert after != before
    assert set(after) == set(before)


@pytest.mark.parametrize(("token_id", "kind"), [(1, str), (2, int)])
def test_large_balances_are_strings_on_some_items(
    world: World, get: Get, token_id: int, kind: type
) -> None:
    world.set_rows(f"altura:0xcc/{token_id}", [("0xaa", 2**256 - 1, None, None, None)])
    [holder] = get("altura", f"/api/v2/item/holders/0xCC/{token_id}").json()["holders"]
    assert type(holder["balance"]) is kind
    assert int(holder["balance"]) == 2**256 - 1


def test_absent_profile_fields_are_null_or_missing(world: World, get: Get) -> None:
    holders = list(walk(get, world.add_altura_item(100), 100))
    assert any("name" not in holder for holder in holders)
    assert any("name" in holder and holder["name"] is None for holder in holders)


def test_hostile_names_arrive_as_escapes(world: World, get: Get) -> None:
    world.set_rows("altura:0xcc/1", [("0xaa", 1, "nul\0 \ud800", None, None)])
    assert b'"nul\\u0000 \\ud800"' in get("altura", path("0xcc/1")).content


def test_a_cap_on_the_page_size_goes_unmentioned(world: World, http: requests.Session) -> None:
    key = world.add_altura_item(60)
    with Sandbox(world) as sandbox:
        sandbox.apis["altura"] = AlturaSandbox(max_per_page=50)
        url = f"{sandbox.url('altura')}{path(key)}?perPage=100"
        pages = [http.get(f"{url}&page={page}", timeout=PATIENCE).json() for page in (1, 2)]
    assert [(len(page["holders"]), page["count"]) for page in pages] == [(50, 60), (10, 60)]


def test_an_item_nobody_holds_and_an_unknown_one_are_empty(world: World, get: Get) -> None:
    for target in (path(world.add_altura_item(0)), path("0xcc/9")):
        assert get("altura", target).json() == {"holders": [], "count": 0}


@pytest.mark.parametrize("query", ["perPage=0", "perPage=x", "page=0", "page=1&page=2", "page="])
def test_a_page_that_makes_no_sense_is_a_server_error(get: Get, query: str) -> None:
    assert get("altura", f"{path('0xcc/9')}?{query}").status_code == 500


def test_another_path_is_not_found(get: Get) -> None:
    assert get("altura", "/api/v2/item/holders/0xcc").status_code == 404
