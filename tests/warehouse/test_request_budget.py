"""The budget that processes share, by several ledgers of one row on a real Postgres."""

import multiprocessing
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest

from pipelines.errors import HoldfastError, QuotaExhausted, RateLimited, ServerFailed
from pipelines.extract.budget import Down, Granted, NotYet, RequestBudget
from pipelines.warehouse import request_budget
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.request_budget import SharedLedger, account_of

FAILED = ServerFailed("answered 503: away")


@dataclass
class Row:
    """The row of the budget, and ledgers of it."""

    pipeline: Any
    stack: ExitStack

    def ledger(self, per_minute: int = 600, **changed: Any) -> SharedLedger:
        given = {"requests_per_minute": per_minute, "failures": 5, "probe_seconds": 60.0} | changed
        return self.stack.enter_context(
            SharedLedger(self.pipeline.warehouse, "hiro", "a key", **given)
        )

    def read(self, what: str) -> Any:
        [(value,)] = self.pipeline.sql(f"select {what} from request_budget")
        return value

    def pass_by(self, seconds: float) -> None:
        """Move all times in the row back, as if so much time had passed."""
        times = [
            *("next_at", "closed_until", "share_at", "down_since", "gives_up_at"),
            *("open_until", "probe_until", "answered_at", "failed_at"),
        ]
        moved = ", ".join(f"{name} = {name} - make_interval(secs => :s)" for name in times)
        self.pipeline.sql(f"update request_budget set {moved}", s=seconds)


@pytest.fixture
def row(pipeline) -> Iterator[Row]:
    with ExitStack() as stack:
        yield Row(pipeline, stack)


def granted(ledger: SharedLedger) -> Granted:
    answer = ledger.reserve()
    assert isinstance(answer, Granted), answer
    return answer


def fail(ledger: SharedLedger, times: int, error: Any = FAILED, **given: bool) -> None:
    for _ in range(times):
        ledger.failed(error, was_probe=given.get("was_probe", False))


def test_two_ledgers_reserve_one_after_the_other(row: Row) -> None:
    one, other = row.ledger(60), row.ledger(60)
    waits = [granted(ledger).wait for ledger in (one, other, one)]
    assert waits[0] == 0
    assert all(0.9 < later - earlier <= 60 / 58.2 for earlier, later in pairwise(waits))


def test_nobody_reserves_further_ahead_than_a_few_seconds(row: Row) -> None:
    ledger = row.ledger(60)
    answers = [ledger.reserve() for _ in range(20)]
    assert sum(isinstance(answer, Granted) for answer in answers) <= 5
    last = answers[-1]
    assert isinstance(last, NotYet)
    assert 0 < last.wait < 2


def test_the_lowest_limit_of_those_who_asked_lately_holds(row: Row) -> None:
    fast, slow = row.ledger(6_000), row.ledger(60)
    assert granted(fast).every == pytest.approx(60 / 5_820)
    assert granted(slow).every == pytest.approx(60 / 58.2)
    assert granted(fast).every == pytest.approx(60 / 58.2)
    row.pipeline.sql(
        "update request_budget_setting set asked_at = asked_at - interval '5 minutes'"
        " where requests_per_minute = 60"
    )
    row.pass_by(10)
    assert granted(fast).every == pytest.approx(60 / 5_820)


def test_a_clock_that_steps_back_stops_nobody(row: Row) -> None:
    ledger = row.ledger(60)
    granted(ledger)
    row.pass_by(-3_600)
    answer = ledger.reserve()
    assert answer.wait < 5
    row.pipeline.sql("update request_budget set closed_until = now() + interval '1 year'")
    assert ledger.reserve().wait <= request_budget.LONGEST_PAUSE


def test_closing_holds_back_what_another_had_reserved(row: Row) -> None:
    one, other = row.ledger(), row.ledger()
    granted(one)
    assert not one.is_closed()
    limited = RateLimited("answered 429")
    limited.retry_after = 20
    other.failed(limited, was_probe=False)
    assert one.is_closed()
    assert isinstance(one.reserve(), NotYet)
    row.pass_by(20)
    assert granted(one).every == pytest.approx(60 / 582)


def test_a_429_that_says_nothing_halves_the_rate_once_a_moment(row: Row) -> None:
    ledger = row.ledger(600)
    granted(ledger)
    fail(ledger, 3, RateLimited("answered 429"))
    row.pass_by(request_budget.MOMENT)
    assert granted(ledger).every == pytest.approx(2 * 60 / 582)
    for _ in range(6):
        fail(ledger, 1, RateLimited("answered 429"))
        ledger.answered()
        row.pass_by(request_budget.MOMENT + 0.1)
    assert granted(ledger).every == pytest.approx(10 * 60 / 582)


def test_each_quiet_minute_gives_a_twentieth_back(row: Row) -> None:
    ledger = row.ledger(600)
    granted(ledger)
    fail(ledger, 1, RateLimited("answered 429"))
    row.pass_by(60 * 4 + 1)
    assert granted(ledger).every == pytest.approx(60 / 582 / 0.7)
    row.pass_by(60 * 100)
    assert granted(ledger).every == pytest.approx(60 / 582)


def test_failures_in_a_row_of_whatever_process_open_the_breaker(row: Row) -> None:
    one, other = row.ledger(), row.ledger()
    granted(one)
    fail(one, 2)
    fail(other, 2)
    assert isinstance(one.reserve(), Granted)
    fail(one, 1)
    for ledger in (one, other):
        answer = ledger.reserve()
        assert isinstance(answer, NotYet)
        assert 28 < answer.wait <= request_budget.FIRST_PAUSE


def test_an_answer_in_between_keeps_it_closed(row: Row) -> None:
    ledger = row.ledger()
    for _ in range(5):
        granted(ledger)
        fail(ledger, 4)
        ledger.answered()
        row.pass_by(1)
    assert row.read("failures") == 0
    assert row.read("share") == 1


def test_one_probe_goes_out_and_an_answer_closes_the_breaker(row: Row) -> None:
    one, other = row.ledger(), row.ledger()
    granted(one)
    fail(one, 5)
    row.pass_by(request_budget.FIRST_PAUSE)
    assert granted(one).is_probe
    assert isinstance(other.reserve(), NotYet)
    one.answered()
    assert not granted(other).is_probe
    assert row.read("down_since is null and open_until is null and openings = 0")


def test_a_probe_that_fails_opens_it_for_twice_as_long_ten_minutes_at_most(row: Row) -> None:
    ledger = row.ledger()
    granted(ledger)
    fail(ledger, 5)
    pauses = []
    for _ in range(6):
        pauses.append(row.read("extract(epoch from open_until - failed_at)::float"))
        row.pass_by(pauses[-1])
        assert granted(ledger).is_probe
        fail(ledger, 1, was_probe=True)
    assert pauses == pytest.approx([30, 60, 120, 240, 480, 600])


def test_what_fails_late_beside_an_open_breaker_changes_nothing(row: Row) -> None:
    ledger = row.ledger()
    granted(ledger)
    fail(ledger, 5)
    until = row.read("open_until")
    fail(ledger, 3)
    assert row.read("open_until") == until
    assert row.read("openings") == 1


def test_a_probe_whose_process_is_gone_is_followed_by_another(row: Row) -> None:
    ledger = row.ledger()
    granted(ledger)
    fail(ledger, 5)
    row.pass_by(30)
    assert granted(ledger).is_probe
    assert isinstance(ledger.reserve(), NotYet)
    row.pass_by(61)
    assert granted(ledger).is_probe


def test_targets_wait_two_minutes_and_then_are_told(row: Row) -> None:
    ledger = row.ledger()
    granted(ledger)
    fail(ledger, 5)
    row.pass_by(30)
    granted(ledger)
    fail(ledger, 1, was_probe=True)
    assert isinstance(ledger.reserve(), NotYet)
    row.pass_by(60)
    granted(ledger)
    fail(ledger, 1, was_probe=True)
    row.pass_by(31)
    answer = ledger.reserve()
    assert isinstance(answer, Down)
    assert "answered 503: away" in str(answer)
    assert answer.until > answer.since


def test_while_a_late_probe_is_under_way_the_others_wait_for_it(row: Row) -> None:
    ledger = row.ledger()
    granted(ledger)
    fail(ledger, 5)
    row.pass_by(3_600)
    assert granted(ledger).is_probe
    assert isinstance(ledger.reserve(), NotYet)
    fail(ledger, 1, was_probe=True)
    assert isinstance(ledger.reserve(), Down)


def test_a_quota_that_is_used_up_stops_everybody_without_a_wait(row: Row) -> None:
    ledger = row.ledger()
    granted(ledger)
    fail(ledger, 1, QuotaExhausted("answered 429: the month's quota"))
    assert isinstance(ledger.reserve(), Down)


def test_a_connection_that_is_lost_is_made_anew(row: Row) -> None:
    ledger = row.ledger(60_000)
    granted(ledger)
    row.pipeline.sql(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and usename = current_user"
        " and pid <> pg_backend_pid()"
    )
    with pytest.raises(HoldfastError):
        ledger.reserve()
    assert granted(ledger)


def test_an_account_is_of_a_server_and_a_key() -> None:
    accounts = {
        account_of(url, keys)
        for url in ("https://one.example", "https://other.example")
        for keys in ([], ["a"], ["b"], ["a", "b"])
    }
    assert len(accounts) == 8
    assert all(re.fullmatch("[0-9a-f]{16}", account) for account in accounts)


PER_MINUTE = 1_200
SECONDS = 6


def spend_for_seconds(url: str, sent: "multiprocessing.Queue[list[float]]") -> None:
    times = []
    with (
        Warehouse(url, connections=1) as warehouse,
        SharedLedger(
            warehouse,
            "hiro",
            "a key",
            requests_per_minute=PER_MINUTE,
            failures=5,
            probe_seconds=60,
        ) as ledger,
    ):
        budget = RequestBudget(ledger)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            budget.spend()
            times.append(time.time())
    sent.put(times)


def test_three_processes_together_keep_to_the_limit(
    database_url: str, wait_for_processes: Callable[..., list[list[float]]]
) -> None:
    times = sorted(
        at for sent in wait_for_processes(spend_for_seconds, database_url, 3) for at in sent
    )
    window = 2.0
    most = max(sum(at <= other < at + window for other in times) for at in times)
    # A lease may go out a second late, never early; the limit is for a minute.
    assert len(times) <= PER_MINUTE * (times[-1] - times[0] + 0.5) / 60
    assert most <= PER_MINUTE * (window + 1.25) / 60


@pytest.fixture
def wait_for_processes() -> Callable[..., list[list[float]]]:
    def run(work: Any, url: str, count: int) -> list[list[float]]:
        context = multiprocessing.get_context("spawn")
        sent = context.Queue()
        processes = [context.Process(target=work, args=(url, sent)) for _ in range(count)]
        for process in processes:
            process.start()
        results = [sent.get(timeout=120) for _ in processes]
        for process in processes:
            process.join()
        return results

    return run
