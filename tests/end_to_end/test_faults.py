"""Every fault on every provider ends as it should: healed and true, or refused and nothing lost.

A provider's cases share a database, a world and a sandbox: each has a target of its own, and the
bench judges each by itself (`pipelines.trials.faults_bench`).
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import Any

import pytest

from pipelines.sandbox.answers import Answer, Exchange
from pipelines.sandbox.faults import bodies
from pipelines.sandbox.faults.schedule import When
from pipelines.trials.faults_bench import Bench, Outcome
from pipelines.trials.faults_catalogue import ALL, CASES, TRIED, Case
from pipelines.trials.faults_scene import MANY_PAGES, OVER_A_BLOCK, SMALL, SetSize
from pipelines.warehouse.staging import Copier
from tests.end_to_end.fault_outcomes import EXPECTED, expected

ROWS = [
    pytest.param(case, provider, id=f"{case.name}-{provider}")
    for case in CASES
    for provider in case.providers
]


Try = Callable[[Case, str], Future[Outcome]]


@pytest.fixture(scope="module")
def benches(
    create_database: Callable[..., str], migrated_template: str
) -> Iterator[dict[str, Bench]]:
    with ExitStack() as stack:
        yield {
            provider: stack.enter_context(
                Bench(provider, create_database(template=migrated_template))
            )
            for provider in ALL
        }


@pytest.fixture(scope="module")
def attempt(benches: dict[str, Bench]) -> Iterator[Try]:
    """attempt(case, provider) → how it ends, some time: one after the other on a provider."""
    with ExitStack() as stack:
        threads = {name: stack.enter_context(ThreadPoolExecutor(1)) for name in benches}
        yield lambda case, provider: threads[provider].submit(benches[provider].run, case)
        for thread in threads.values():
            thread.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, attempt: Try) -> dict[tuple[str, str], Any]:
    """The outcomes of all cases that were selected, run side by side on the providers. They have
    ended: pytest changes the environment between two tests, which other threads may be reading."""
    selected = [
        item.callspec.params
        for item in request.session.items
        if item.module is request.module
        and "case" in getattr(getattr(item, "callspec", None), "params", ())
    ]
    under_way = {
        (row["case"].name, row["provider"]): attempt(row["case"], row["provider"])
        for row in selected
    }
    wait(under_way.values())
    return under_way


def test_each_fault_has_its_outcome_written_down() -> None:
    assert {case.name for case in CASES} == set(EXPECTED)


@pytest.mark.parametrize(("case", "provider"), ROWS)
def test_a_fault_ends_as_it_is_written_down(
    outcomes: dict[tuple[str, str], Any], case: Case, provider: str
) -> None:
    outcome = outcomes[case.name, provider].result()
    assert outcome.problems == (), str(outcome)
    refused = expected(case.name, provider)
    if refused is None:
        assert outcome.error is None, str(outcome.error)
    else:
        assert type(outcome.error) is refused.error, str(outcome)
        assert re.search(
            refused.words.replace("{P}", TRIED[provider][0].upper()), str(outcome.error)
        )


@pytest.mark.parametrize("provider", ALL)
@pytest.mark.parametrize(
    ("size", "blocks"),
    [
        pytest.param(SMALL, 3, id="small"),
        pytest.param(MANY_PAGES, 20, id="many pages"),
        pytest.param(OVER_A_BLOCK, 1, id="over a block"),
    ],
)
def test_a_set_of_each_size_is_copied_while_its_pages_are_read(
    attempt: Try, monkeypatch: pytest.MonkeyPatch, provider: str, size: SetSize, blocks: int
) -> None:
    """What is smaller than a block is copied at the end of a walk, when nothing else happens."""
    started: list[object] = []
    start = Copier.start

    def count(copier: Copier, copy: Callable[[], None]) -> None:
        started.append(copy)
        start(copier, copy)

    monkeypatch.setattr(Copier, "start", count)
    assert attempt(Case("none", None, size=size), provider).result().problems == ()
    assert len(started) >= blocks * 2  # for the snapshot before, and for this one


def test_a_fault_that_gets_into_the_snapshot_is_noticed(attempt: Try) -> None:
    lie = Case("a lie", lambda _: bodies.amount(4711), settings={"page_size": 100})
    outcome = attempt(lie, "catenis").result()
    assert outcome.problems == ("what was published was never true",)


def test_a_fault_that_strikes_nothing_is_noticed(attempt: Try) -> None:
    never = Case("never", lambda _: bodies.cut, When(first=1000))
    assert attempt(never, "altura").result().problems == ("the fault struck no request",)


def test_a_fault_that_costs_what_was_published_is_noticed(
    attempt: Try, benches: dict[str, Bench]
) -> None:
    def spoil(exchange: Exchange, answer: Answer) -> Answer:
        with benches["hiro"].warehouse.transaction() as connection:
            connection.exec_driver_sql("delete from hiro_nft_holdings_current where true")
        return bodies.cut(exchange, answer)

    outcome = attempt(Case("a loss", lambda _: spoil), "hiro").result()
    assert "what was published before has changed" in outcome.problems
