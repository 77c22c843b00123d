"""A list that is cut and counts what was cut as its whole agrees with itself. It is believed only
where the last snapshot had the same shape; else a second reading has to agree."""

import json
from dataclasses import replace
from decimal import Decimal

import pytest

from pipelines.errors import HeldBack
from pipelines.sandbox.world import World

PROVIDERS = ("altura", "hiro", "catenis")


def add(world: World, provider: str, rows: int) -> str:
    makers = {
        "altura": world.add_altura_item,
        "hiro": world.add_hiro_principal,
        "catenis": world.add_catenis_asset,
    }
    return makers[provider](rows)


def cut(answer, rows: int):
    """The answer with its first rows alone, as if there were no others."""
    body = json.loads(answer.body, parse_float=Decimal)
    inner = body.get("data", body)
    [name] = {"holders", "results", "assetHolders"} & inner.keys()
    inner[name] = inner[name][:rows]
    for count in {"count", "total"} & inner.keys():
        inner[count] = rows
    if "hasMore" in inner:
        inner["hasMore"] = False
    return replace(answer, body=json.dumps(body, default=float).encode())


def cut_once(sandbox, rows: int = 10) -> None:
    left = [True]

    def fault(exchange, answer):
        return cut(answer, rows) if left and left.pop() else answer

    sandbox.fault = fault


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("rows", "page_size"), [(18, 100), (33, 16)])
def test_a_first_answer_that_is_short_and_agrees_with_itself_is_not_believed(
    pipeline, sandbox, world: World, provider, rows, page_size
):
    key = add(world, provider, rows)
    cut_once(sandbox)
    assert pipeline.take(key, page_size=page_size).rows == rows


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_set_of_one_page_that_seems_to_lose_more_than_a_tenth_is_read_again(
    pipeline, sandbox, world: World, provider
):
    key = add(world, provider, 18)
    pipeline.take(key)
    cut_once(sandbox, 16)
    snapshot = pipeline.take(key)
    assert (snapshot.rows, snapshot.exited) == (18, 0)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_set_of_several_pages_that_seems_to_have_one_now_is_read_again(
    pipeline, sandbox, world: World, provider
):
    key = add(world, provider, 18)
    pipeline.take(key, page_size=10)
    cut_once(sandbox, 8)
    snapshot = pipeline.take(key, page_size=10)
    assert (snapshot.rows, snapshot.exited) == (18, 0)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_small_set_costs_one_request_from_its_second_snapshot_on(
    pipeline, world: World, provider
):
    key = add(world, provider, 18)
    first, second = pipeline.take(key), pipeline.take(key)
    assert (first.proof, first.requests) == ("double_collect", 2)
    assert (second.proof, second.requests) == ("single_page", 1)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_set_that_is_empty_at_first_is_read_twice(pipeline, world: World, provider):
    snapshot = pipeline.take(add(world, provider, 0))
    assert (snapshot.rows, snapshot.proof, snapshot.requests) == (0, "double_collect", 2)


def test_a_set_that_became_empty_is_read_twice_before_it_is_held(pipeline, sandbox, world: World):
    key = world.add_altura_item(1)
    pipeline.take(key)
    world.altura_remove(key, next(iter(world.state(key).rows))[0])
    before = sandbox.requests["altura"]
    with pytest.raises(HeldBack):
        pipeline.take(key)
    assert sandbox.requests["altura"] - before == 2
