"""A provider is one module and one name in each list; nothing else has to know it."""

import json
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from pipelines.demo import demo_runtime
from pipelines.providers import PROVIDERS
from pipelines.sandbox.clients import NOWHERE, settings_at, target_at
from pipelines.sandbox.faults import bodies, statuses
from pipelines.sandbox.faults.schedule import Fault, Faults
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World
from pipelines.settings import Settings
from pipelines.trials.run import Trial
from pipelines.trials.worlds import worlds_of
from tests.conftest import forget_environment
from tests.end_to_end.added.positions_provider import FOURTH
from tests.end_to_end.added.positions_sandbox import FourthSandbox


@pytest.fixture(autouse=True)
def fourth(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_environment(monkeypatch)
    monkeypatch.setitem(PROVIDERS, "fourth", FOURTH)
    monkeypatch.setitem(SANDBOXES, "fourth", FourthSandbox())


def page(sandbox: Sandbox, http: requests.Session, fault: Fault | None = None) -> Any:
    """The first ten rows (of 25), as the fault leaves them."""
    sandbox.fault = faults = Faults()
    if fault:
        faults.set("fourth", fault)
    url = f"{sandbox.url('fourth')}/holders/t0?skip=0&limit=10"
    return json.loads(http.get(url, timeout=5).content)


def test_it_has_a_place_in_the_world() -> None:
    world = World()
    [key] = world.targets("fourth")
    world.tick(3)
    world.set_rows(key, [("a", 1)])
    assert [len(state.rows) for state in world.states(key)] == [25, 26, 27, 28, 1]
    assert target_at(key).name == key
    assert len(world.targets()) == 7


def test_the_others_live_as_they_do_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = World()
    monkeypatch.delitem(SANDBOXES, "fourth")
    without_it = World()
    with_it.tick(5)
    without_it.tick(5)
    for key in without_it.targets():
        listings = [state.listing for state in without_it.states(key)]
        assert [state.listing for state in with_it.states(key)] == listings


def test_it_is_served_and_its_answers_are_spoilt_like_any_other(http: requests.Session) -> None:
    with Sandbox(World()) as sandbox:
        assert len(page(sandbox, http)["holders"]) == 10
        assert len(page(sandbox, http, bodies.short(3))["holders"]) == 7
        assert page(sandbox, http, bodies.endless)["total"] == 10**9
        assert "address" not in page(sandbox, http, bodies.missing("key"))["holders"][0]
        assert page(sandbox, http, bodies.amount(-1))["holders"][0]["amount"] == -1
        assert page(sandbox, http, statuses.error_with_200) == {"error": "not \x1b[31mnow"}


@pytest.mark.parametrize("name", ["fourth-mixed", "fourth-borders", "fourth-tiny"])
def test_its_proofs_are_put_to_trial(name: str) -> None:
    [kind] = [world for world in worlds_of("fourth") if world.name == name]
    with ExitStack() as stack:
        tally = Trial(kind, "small", stack).run(20)
    assert tally.accepted[kind.proof] >= 20
    assert tally.wrong.total() == 0


def test_without_a_stand_in_it_is_not_served_and_the_demo_never_calls_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(SANDBOXES, "fourth")
    with Sandbox(World(size=EMPTY)) as sandbox:
        assert set(sandbox.urls) == set(SANDBOXES)
        runtime = demo_runtime(Settings(), sandbox.urls)
    assert runtime.providers["fourth"].base_url == NOWHERE
    assert settings_at("altura", "http://127.0.0.1:1").base_url == "http://127.0.0.1:1"
