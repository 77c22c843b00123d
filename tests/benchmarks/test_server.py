"""The benchmark's server answers as the sandbox does for the same rows, only faster."""

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import requests

from benchmarks.rows import Holding
from benchmarks.server_process import HttpServer
from benchmarks.worlds import PRINCIPAL, Truth, Worlds, many_principals
from benchmarks.worlds import World as Shown
from pipelines.providers.hiro import HIRO, HiroPrincipal
from pipelines.providers.pages import Answer
from pipelines.sandbox.providers.hiro.api import HOLDINGS
from pipelines.sandbox.providers.hiro.holdings import HiroRow
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from tests.patience import PATIENCE


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with HttpServer() as running:
        yield running


def ask(base_url: str, principal: str, limit: int, offset: int) -> requests.Response:
    query = urlencode({"principal": principal, "limit": limit, "offset": offset})
    return requests.get(f"{base_url}{HOLDINGS}?{query}", timeout=PATIENCE)


def test_pages_are_the_sandboxs_byte_for_byte(sandbox: Sandbox, world: World) -> None:
    key = world.add_hiro_principal(450)
    principal = key.removeprefix("hiro:")
    state = world.state(key)
    assert state
    rows = [Holding(*row).fragment for row in state.listing if isinstance(row, HiroRow)]
    shown = Shown("the same", {principal: rows}, Truth(450, 0, 0))
    for offset, limit in ((0, 200), (199, 200), (400, 200), (449, 1), (450, 200), (0, 7)):
        head, joined = shown.page(principal, offset, limit)
        answered = ask(sandbox.urls["hiro"], principal, limit, offset)
        assert answered.content == head + joined + b"]}"


@pytest.mark.parametrize("world", ["n1001", "n1001x100", "n1001x100r3"])
def test_overlapping_pages_hold_every_row_in_order(server: HttpServer, world: str) -> None:
    truth = server.prepare(world)
    target = HiroPrincipal(principal=PRINCIPAL)
    rows = []
    for start in range(0, truth.rows - 1, 199):
        body = ask(server.base_url(world, 0), PRINCIPAL, 200, start).content
        page = HIRO.addressing.read_page(target, start, 200, Answer(200, {}, body))
        assert page.total == truth.rows
        assert not rows or page.rows[0] == rows[-1]
        rows += page.rows[1 if rows else 0 :]
    assert len(set(rows)) == len(rows) == truth.rows
    checksums = (Holding(row[0], row[1], row[2], row[5], row[6]).checksum for row in rows)
    assert sum(checksums) == truth.checksum


def test_a_changed_world_has_lost_half_of_its_changes_and_gained_half_at_the_top() -> None:
    worlds = Worlds()
    before, after = worlds["n1000"], worlds["n1000x100"]
    old, new = before.lists[PRINCIPAL], after.lists[PRINCIPAL]
    assert len(new) == 1000
    assert not set(new[:50]) & set(old)
    assert set(new[50:]) < set(old)
    assert after.truth.left == 50
    keys = {json.loads(row)["value"]["hex"] for row in new}
    assert len(keys) == 1000


def test_every_principal_of_many_has_rows_of_its_own(server: HttpServer) -> None:
    server.prepare("m20x30")
    base_url = server.base_url("m20x30", 0)
    answers = [ask(base_url, name, 200, 0).json() for name in many_principals(20)]
    assert {answer["total"] for answer in answers} == {30}
    rows = {row["tx_id"] for answer in answers for row in answer["results"]}
    assert len(rows) == 600


def test_a_slow_answer_is_the_same_as_a_fast_one(server: HttpServer) -> None:
    server.prepare("n400")
    slow, fast = server.base_url("n400", 20), server.base_url("n400", 0)
    assert ask(slow, PRINCIPAL, 200, 0).content == ask(fast, PRINCIPAL, 200, 0).content


def test_a_world_that_is_none_is_refused(server: HttpServer) -> None:
    assert ask(server.base_url("nothing", 0), PRINCIPAL, 200, 0).status_code == 400
