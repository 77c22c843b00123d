"""A provider whose pages have cursors, from its server's socket into Postgres."""

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.errors import HeldBack, MalformedAnswer, TornWalk
from pipelines.extract.http import Client
from pipelines.providers.pages import PageRequest
from pipelines.providers.provider import Provider
from pipelines.snapshots import take_snapshot
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import PublishedSnapshot, Run
from pipelines.warehouse.schema import dataset_tables
from tests.end_to_end.added.cursors_provider import MADE_UP, Vault, VaultSettings
from tests.providers.made_up import VaultServer, serving

TARGET = Vault(vault="main")
ODD = "a:+ b?&<c>=/*!%2B#ä🦀"
"""What cursors are made of here: each character has to come back as it was told."""

Take = Callable[..., PublishedSnapshot]


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with serving() as server:
        yield server


@pytest.fixture
def warehouse(database_url: str) -> Iterator[Warehouse]:
    with Warehouse(database_url) as warehouse:
        with warehouse.transaction() as connection:
            tables = dataset_tables(MADE_UP.dataset)
            tables.current.metadata.create_all(connection)
            tables.history.metadata.create_all(connection)
        yield warehouse


@pytest.fixture
def take(vault: VaultServer, warehouse: Warehouse) -> Take:
    """take(page_size=4, …) → the snapshot that was published."""
    numbers = itertools.count(1)

    def take(provider: Provider = MADE_UP, **settings: Any) -> PublishedSnapshot:
        known = {"base_url": vault.url, "requests_per_minute": 60_000_000, "page_size": 4}
        with Client(provider, VaultSettings(_env_file=None, **(known | settings))) as client:
            run = Run(f"test {next(numbers)}")
            return take_snapshot(TARGET, client, warehouse, run).snapshot

    return take


def held(warehouse: Warehouse) -> dict[str, int]:
    """What the warehouse holds now."""
    with warehouse.transaction() as connection:
        rows = connection.execute(sa.text("select deed_id, shares from made_up_deeds_current"))
        return {row.deed_id: int(row.shares) for row in rows}


def deeds(number: int) -> dict[str, int]:
    return {f"{ODD}{each:04}": each for each in range(number)}


def cursors(vault: VaultServer) -> list[str]:
    return [target.partition("cursor=")[2] for target in vault.log]


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 8, 9, 21])
def test_a_set_is_read_by_following_its_cursors_to_the_page_that_names_none(
    vault: VaultServer, warehouse: Warehouse, take: Take, number: int
):
    vault.set(deeds(number))
    first = take()
    pages = max(1, -(-number // 4))
    assert held(warehouse) == deeds(number)
    assert (first.rows, first.walks, first.proof) == (number, 2, "double_collect")
    assert first.requests == first.pages == len(vault.log) == pages + max(1, -(-number // 3))
    assert (first.first_tip, first.last_tip) == ('"2"', '"2"')


def test_a_cursor_goes_back_as_it_came(vault: VaultServer, take: Take):
    vault.set(deeds(9))
    take()
    sent = "a%3A%2B%20b%3F%26%3Cc%3E%3D%2F%2A%21%252B%23%C3%A4%F0%9F%A6%800004"
    assert cursors(vault)[:3] == ["", sent, sent[:-1] + "8"]


def test_an_unchanged_set_costs_one_walk_with_another_page_size(vault: VaultServer, take: Take):
    vault.set(deeds(30))
    sizes = [take(page_size=16) for _ in range(4)]
    assert [snapshot.walks for snapshot in sizes] == [2, 1, 1, 1]
    assert [one.page_size != next_.page_size for one, next_ in itertools.pairwise(sizes)] == [
        True
    ] * 3


def test_what_changed_is_published(vault: VaultServer, warehouse: Warehouse, take: Take):
    vault.set(deeds(9))
    take()
    vault.set({f"{ODD}0003": None, f"{ODD}0005": 50, "new": 1})
    second = take()
    assert (second.exited, second.increased, second.entered) == (1, 1, 1)
    assert held(warehouse) == vault.deeds


def test_a_small_set_costs_one_request_from_its_second_snapshot_on(vault: VaultServer, take: Take):
    vault.set(deeds(3))
    assert [(s.proof, s.requests) for s in (take(), take())] == [
        ("double_collect", 2),
        ("single_page", 1),
    ]


def once(vault: VaultServer, number: int, change: dict[str, int | None]) -> None:
    """Change the set when that many requests have been answered."""
    vault.before = lambda asked: vault.set(change) if asked == number + 1 else None


def test_a_deed_that_a_cursor_names_may_have_left(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    """The page begins with the next one, and only the total shows it."""
    vault.set(deeds(9))
    once(vault, 1, {f"{ODD}0004": None})
    snapshot = take()
    assert (snapshot.rows, snapshot.walks) == (8, 3)
    assert held(warehouse) == vault.deeds


def test_a_deed_that_left_ahead_while_another_entered_behind_is_not_missed(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    """The total stays: only the second walk shows it."""
    vault.set(deeds(9))
    once(vault, 1, {f"{ODD}0004": None, "A": 1})
    snapshot = take()
    assert (snapshot.rows, snapshot.walks, snapshot.proof) == (9, 3, "double_collect")
    assert held(warehouse) == vault.deeds


def test_a_set_of_which_nothing_is_left_from_the_cursor_on_is_walked_again(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    vault.set(deeds(5))
    once(vault, 1, {f"{ODD}0004": None})
    assert take().rows == 4
    assert held(warehouse) == vault.deeds


def test_a_set_that_never_rests_is_not_published(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    vault.set(deeds(9))
    vault.before = lambda number: vault.set({f"moved {number}": number})
    with pytest.raises(TornWalk, match=r"the total went from \d+ to \d+.*MADE_UP_MAX_WALKS"):
        take(max_walks=3)
    assert held(warehouse) == {}


def test_a_set_that_became_empty_is_held(vault: VaultServer, warehouse: Warehouse, take: Take):
    vault.set(deeds(9))
    take()
    vault.set(dict.fromkeys(vault.deeds))
    with pytest.raises(HeldBack):
        take()
    assert held(warehouse) == deeds(9)


@pytest.mark.parametrize("back_to", [0, 4])
def test_a_cursor_that_leads_back_is_no_end(
    vault: VaultServer, warehouse: Warehouse, take: Take, back_to: int
):
    vault.set(deeds(12))
    vault.change = lambda _, body: body.update(next=f"{ODD}{back_to:04}" if back_to else "")
    with pytest.raises(TornWalk, match=r"leads back to the (cursor|beginning).*without an end"):
        take(max_walks=2)
    assert held(warehouse) == {}
    assert len(vault.log) <= 2 * 3 * 2


def test_cursors_without_an_end_are_followed_up_to_the_bound_of_rows(
    vault: VaultServer, take: Take
):
    def on_and_on(number: int, body: dict[str, Any]) -> dict[str, Any]:
        made = [{"id": f"{number} {each}", "shares": 1} for each in range(4)]
        return {"total": 10**9, "next": f"{number}", "deeds": made}

    vault.change = on_and_on
    with pytest.raises(MalformedAnswer, match="no end was told in 50 rows; MADE_UP_MAX_ROWS"):
        take(max_rows=50)
    assert len(vault.log) == 13


def test_a_page_that_is_short_before_the_end_is_walked_again(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    vault.set(deeds(12))

    def shorten(number: int, body: dict[str, Any]) -> None:
        if number == 2:
            body["deeds"].pop()

    vault.change = shorten
    assert (take().walks, held(warehouse)) == (3, deeds(12))


def test_pages_that_are_always_short_are_never_taken_for_the_set(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    vault.set(deeds(12))
    vault.cap = 3
    assert take(max_walks=3).rows == 12
    assert held(warehouse) == deeds(12)


CAPPING = replace(MADE_UP, addressing=replace(MADE_UP.addressing, caps_pages_silently=True))


def test_a_silent_cap_on_the_page_size_is_found_out_where_one_is_known(
    vault: VaultServer, warehouse: Warehouse, take: Take
):
    vault.set(deeds(12))
    vault.cap = 3
    snapshot = take(CAPPING)
    assert (snapshot.page_size, snapshot.walks, held(warehouse)) == (2, 2, deeds(12))


def test_two_walks_of_the_same_page_size_prove_nothing(vault: VaultServer, take: Take):
    """Nothing would tell the second one's requests from the first one's."""
    vault.set(deeds(5))
    vault.cap = 1
    with pytest.raises(TornWalk, match="two collects by cursors had pages of 1 rows"):
        take(CAPPING, max_walks=2)


def test_what_comes_from_a_cache_is_no_walk(vault: VaultServer, take: Take):
    vault.set(deeds(9))
    vault.headers = {"X-Cache": "HIT"}
    with pytest.raises(TornWalk, match="rows from the beginning came from a cache"):
        take(max_walks=2)


def test_a_page_that_is_not_as_documented_is_told_with_its_cursor(vault: VaultServer, take: Take):
    vault.set(deeds(9))
    vault.change = lambda number, body: body.pop("next") if number == 2 else None
    with pytest.raises(MalformedAnswer, match=r"made_up:main, rows from the cursor 'a:.*`next`"):
        take()


def test_the_version_of_the_whole_set_can_be_asked_for(vault: VaultServer):
    """Each page has it as its tag, and a conditional request is answered without the set."""
    vault.set(deeds(9))
    settings = VaultSettings(_env_file=None, base_url=vault.url, requests_per_minute=60_000_000)
    with Client(MADE_UP, settings) as client:
        request = MADE_UP.addressing.page_request(TARGET, "", 4)
        answer = client.get(request, lambda: None)
        tag = MADE_UP.addressing.read_page(TARGET, "", 4, answer).tag
        assert tag == '"2"'
        again = PageRequest(request.path, request.query, (("If-None-Match", tag),))
        assert client.get(again, lambda: None).status == 304
        vault.set({"new": 1})
        assert client.get(again, lambda: None).status == 200


@pytest.mark.parametrize("seed", range(8))
def test_every_published_snapshot_is_a_state_that_was_true(
    vault: VaultServer, warehouse: Warehouse, take: Take, seed: int
):
    chance = random.Random(seed)
    vault.set(deeds(chance.randint(3, 30)))
    churn = chance.choice([0.02, 0.1, 0.3])

    def move(_: int) -> None:
        if chance.random() < churn:
            left = {id_: None for id_ in vault.deeds if chance.random() < 0.05}
            entered = {f"{chance.random()}": 1 for _ in range(chance.randint(0, 2))}
            vault.set({**left, **entered})

    vault.before = move
    published = 0
    for _ in range(8):
        try:
            snapshot = take(page_size=chance.choice([3, 5, 16]), max_walks=8)
        except (TornWalk, HeldBack):
            continue
        published += 1
        true = vault.states_between(snapshot.snapshot_at, snapshot.snapshot_until)
        assert held(warehouse) in true, f"snapshot {published}: {snapshot.proof}"
    assert published, "a world in which nothing can be published shows nothing"
