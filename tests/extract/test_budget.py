from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.budget import RequestBudget


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


def budget_of(times: Times, requests_per_minute: int, **given: Any) -> RequestBudget:
    sleep = given.get("sleep", times.pass_by)
    return RequestBudget(requests_per_minute, clock=times.clock, sleep=sleep)


def test_requests_are_spread_evenly_from_the_first_on(times: Times) -> None:
    times.spend(budget_of(times, 60), 5)
    assert times.spent == [0, 1, 2, 3, 4]


def test_a_tenth_of_the_minute_may_go_out_at_once_after_a_pause(times: Times) -> None:
    budget = budget_of(times, 60)
    times.pass_by(1000)
    times.spend(budget, 8)
    assert times.spent == [1000] * 6 + [1001, 1002]


def test_a_small_budget_has_no_burst(times: Times) -> None:
    budget = budget_of(times, 6)
    times.pass_by(1000)
    times.spend(budget, 3)
    assert times.spent == [1000, 1010, 1020]


def test_a_short_pause_earns_no_more_than_it_lasted(times: Times) -> None:
    budget = budget_of(times, 60)
    times.spend(budget)
    times.pass_by(3)
    times.spend(budget, 4)
    assert times.spent == [0, 3, 3, 3, 4]


def test_a_closed_budget_lets_nothing_out_and_then_goes_on_evenly(times: Times) -> None:
    budget = budget_of(times, 60)
    times.spend(budget)
    budget.close_for(30)
    times.spend(budget, 3)
    assert times.spent == [0, 30, 31, 32]


def test_closing_for_less_does_not_open_earlier(times: Times) -> None:
    budget = budget_of(times, 60)
    budget.close_for(30)
    budget.close_for(5)
    times.spend(budget)
    assert times.spent == [30]


def test_closing_saves_up_no_burst(times: Times) -> None:
    budget = budget_of(times, 60)
    budget.close_for(600)
    times.spend(budget, 3)
    assert times.spent == [600, 601, 602]


def test_a_request_that_waits_already_is_held_back_by_a_later_closing(times: Times) -> None:
    def sleep(seconds: float) -> None:
        times.pass_by(seconds)
        if not closed:
            closed.append(True)
            budget.close_for(30)

    closed: list[bool] = []
    budget = budget_of(times, 60, sleep=sleep)
    times.spend(budget, 2)
    assert times.spent == [0, 31]


def test_threads_share_one_budget(times: Times) -> None:
    waits: list[float] = []
    budget = budget_of(times, 60, sleep=waits.append)
    with ThreadPoolExecutor(8) as threads:
        for _ in range(40):
            threads.submit(budget.spend)
    assert sorted(waits) == [float(second) for second in range(1, 40)]


def test_a_wait_that_is_cut_off_raises_through_spend(times: Times) -> None:
    def interrupted(_: float) -> None:
        raise InterruptedError

    budget = budget_of(times, 60, sleep=interrupted)
    budget.spend()
    with pytest.raises(InterruptedError):
        budget.spend()


@given(
    rate=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 200), min_size=2, max_size=60),
)
def test_no_minute_sees_more_than_the_rate_and_a_burst(rate: int, pauses: list[float]) -> None:
    times = Times()
    budget = budget_of(times, rate)
    for pause in pauses:
        times.pass_by(pause)
        times.spend(budget, 3)
    most = rate + max(1, rate // 10)
    windows = zip(times.spent, times.spent[most:], strict=False)
    assert all(later - earlier >= 60 - 1e-6 for earlier, later in windows)
    assert all(later >= earlier for earlier, later in pairwise(times.spent))
