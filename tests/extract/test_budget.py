from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import RateLimited
from pipelines.extract.budget import LEASE_SECONDS, STALE_SECONDS, OwnLedger, RequestBudget


class Times:
    """A clock that only waiting and `pass_by` move; notes when each request went out."""

    def __init__(self) -> None:
        self.now = 0.0
        self.spent: list[float] = []

    def clock(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def spend(self, budget: RequestBudget, requests: int = 1) -> None:
        for _ in range(requests):
            budget.spend()
            self.spent.append(self.now)


@pytest.fixture
def times() -> Times:
    return Times()


def budget_of(times: Times, requests_per_minute: float, **given: Any) -> RequestBudget:
    ledger = OwnLedger(requests_per_minute, clock=times.clock)
    return RequestBudget(ledger, clock=times.clock, sleep=given.get("sleep", times.pass_by))


SIXTY = 60 / 0.97
"""Set to this many, a request may go out each second."""


def test_requests_are_spread_evenly_from_the_first_on(times: Times) -> None:
    times.spend(budget_of(times, SIXTY), 5)
    assert times.spent == pytest.approx([0, 1, 2, 3, 4])


def test_a_pause_saves_up_nothing(times: Times) -> None:
    budget = budget_of(times, SIXTY)
    times.spend(budget)
    times.pass_by(1000)
    times.spend(budget, 3)
    assert times.spent == pytest.approx([0, 1000, 1001, 1002])


def test_a_closed_budget_lets_nothing_out_and_then_goes_on_evenly(times: Times) -> None:
    budget = budget_of(times, SIXTY)
    times.spend(budget)
    budget.close_for(30)
    times.spend(budget, 3)
    assert times.spent == pytest.approx([0, 30, 31, 32])


def test_closing_for_less_does_not_open_earlier(times: Times) -> None:
    budget = budget_of(times, SIXTY)
    budget.close_for(30)
    budget.close_for(5)
    times.spend(budget)
    assert times.spent == [30]


@pytest.mark.parametrize("rate", [SIXTY, 6_000])
def test_a_request_that_waits_already_is_held_back_by_a_later_closing(
    times: Times, rate: float
) -> None:
    def sleep(seconds: float) -> None:
        times.pass_by(seconds)
        if times.spent and not closed:
            closed.append(times.now)
            budget.close_for(30)

    closed: list[float] = []
    budget = budget_of(times, rate, sleep=sleep)
    times.spend(budget, 2)
    assert times.spent == [0, pytest.approx(closed[0] + 30)]


def test_what_a_failure_asks_for_closes_the_budget(times: Times) -> None:
    budget = budget_of(times, SIXTY)
    error = RateLimited("answered 429")
    budget.failed(error, was_probe=False)
    times.spend(budget)
    error.retry_after = 30
    budget.failed(error, was_probe=False)
    times.spend(budget)
    error.retry_after = 3_000  # of which the target is told: it does not wait
    budget.failed(error, was_probe=False)
    times.spend(budget)
    assert times.spent == pytest.approx([0, 30, 31])


def test_with_a_high_limit_several_requests_are_granted_together(times: Times) -> None:
    asked: list[float] = []
    ledger = OwnLedger(60_000, clock=times.clock)
    reserve = ledger.reserve
    ledger.reserve = lambda: asked.append(times.now) or reserve()  # type: ignore[method-assign]
    times.spend(RequestBudget(ledger, clock=times.clock, sleep=times.pass_by), 1_000)
    assert len(asked) == pytest.approx(1_000 * 0.001 / 0.97 / LEASE_SECONDS, abs=1)
    assert times.spent[-1] == pytest.approx(999 * 0.001 / 0.97)


def test_what_was_granted_and_not_used_is_dropped(times: Times) -> None:
    budget = budget_of(times, 60_000)
    times.spend(budget)
    times.pass_by(STALE_SECONDS + 0.5)
    times.spend(budget, 100)
    assert times.spent[-1] - times.spent[1] == pytest.approx(99 * 0.001 / 0.97)


def test_a_wait_that_is_cut_off_raises_through_spend(times: Times) -> None:
    def interrupted(seconds: float) -> None:
        if seconds:
            raise InterruptedError

    budget = budget_of(times, SIXTY, sleep=interrupted)
    budget.spend()
    with pytest.raises(InterruptedError):
        budget.spend()


@given(
    rate=st.integers(1, 100_000),
    pauses=st.lists(st.floats(0, 200), min_size=2, max_size=60),
)
def test_no_minute_sees_more_than_the_limit(rate: int, pauses: list[float]) -> None:
    times = Times()
    budget = budget_of(times, rate)
    for pause in pauses:
        times.pass_by(pause)
        times.spend(budget, 3)
    windows = zip(times.spent, times.spent[rate:], strict=False)
    assert all(later - earlier >= 60 - 1e-6 for earlier, later in windows)
    assert all(later >= earlier for earlier, later in pairwise(times.spent))
