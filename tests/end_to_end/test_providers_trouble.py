"""What a provider that does not answer, or not always, costs a list of many targets."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.errors import ProviderDown
from pipelines.runtime import Runtime
from pipelines.sandbox.answers import Answer
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from pipelines.snapshots import Failed, Taken, take_snapshots
from pipelines.warehouse.registry import Run
from tests.extract.conftest import UNLIMITED

TARGETS = 120
Take = Callable[[str], list[Taken | Failed]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.extract.http.FIRST_BACKOFF", 0.001)
    monkeypatch.setattr("pipelines.warehouse.request_budget.FIRST_PAUSE", 0.1)
    monkeypatch.setattr("pipelines.warehouse.request_budget.LONGEST_PAUSE", 0.2)
    monkeypatch.setattr("pipelines.warehouse.request_budget.MOMENT", 0.01)
    monkeypatch.setattr("pipelines.warehouse.request_budget.PATIENCE", 1.0)
    monkeypatch.setattr("pipelines.warehouse.request_budget.PROBE_POLL", 0.02)


@pytest.fixture
def take(runtime: Runtime, pipeline: Any, world: World) -> Take:
    """take(run) → what became of many small targets."""
    keys = [world.add_hiro_principal(3) for _ in range(TARGETS)]
    targets = [pipeline.target(key) for key in keys]
    fast = runtime.providers["hiro"].model_copy(update={"requests_per_minute": UNLIMITED // 1000})
    changed = Runtime(runtime.settings, {**runtime.providers, "hiro": fast})

    def take(run: str) -> list[Taken | Failed]:
        with (
            changed.open_run(run, "a job", connections=4) as opened,
            changed.open_provider("hiro", opened) as client,
        ):
            return list(take_snapshots(targets, client, opened.warehouse, Run(run)))

    return take


def answer(sandbox: Sandbox, respond: Callable[[], Answer | None]) -> list[Any]:
    """Have each request answered by `respond`, or as usual where it gives None; returns the list of
    requests, which grows."""
    asked: list[Any] = []

    def before(exchange: Any) -> Answer | None:
        asked.append(exchange)
        return respond()

    sandbox.before_response = before
    return asked


@pytest.mark.parametrize(
    "trouble",
    [
        Answer(503, {}, b"away"),
        Answer(429, {}, b"too many"),
        Answer(429, {"Retry-After": "0"}, b"too many"),
    ],
    ids=["503", "429", "429 with Retry-After"],
)
def test_a_provider_that_does_not_answer_costs_tens_of_requests(
    sandbox: Sandbox, take: Take, pipeline: Any, trouble: Answer
) -> None:
    asked = answer(sandbox, lambda: trouble)
    outcomes = take("a run")
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert len(errors) == TARGETS
    untried = Counter(error.message for error in errors if isinstance(error, ProviderDown))
    assert sum(untried.values()) > TARGETS / 2
    assert all("answered" in message for message in untried)
    assert len(asked) < TARGETS / 2

    answer(sandbox, lambda: None)
    pipeline.sql("update request_budget set open_until = now()")
    assert [type(outcome) for outcome in take("the next")] == [Taken] * TARGETS
    [(down, failures)] = pipeline.sql("select down_since, failures from request_budget")
    assert (down, failures) == (None, 0)


def test_a_provider_that_is_away_for_a_moment_loses_no_target(
    sandbox: Sandbox, take: Take, pipeline: Any
) -> None:
    left = iter(range(8))
    answer(sandbox, lambda: Answer(503) if next(left, None) is not None else None)
    assert [type(outcome) for outcome in take("a run")] == [Taken] * TARGETS
    [(answered,)] = pipeline.sql("select answered_at is not null from request_budget")
    assert answered


def test_a_few_bad_answers_at_random_open_no_breaker_and_lower_no_rate(
    sandbox: Sandbox, take: Take, pipeline: Any
) -> None:
    chance = random.Random(7)
    bad = [Answer(503), Answer(500, {}, b"oops"), Answer(502)]
    asked = answer(sandbox, lambda: chance.choice(bad) if chance.random() < 0.03 else None)
    assert [type(outcome) for outcome in take("a run")] == [Taken] * TARGETS
    assert len(asked) > TARGETS
    [(share, openings, failed)] = pipeline.sql(
        "select share, openings, failed_at is not null from request_budget"
    )
    assert (share, openings, failed) == (1.0, 0, True)
