import threading

import pytest

from pipelines.extract.turns import Turns
from tests.patience import PATIENCE, wait_until


def served(waiting: list[str]) -> list[str]:
    """In which order threads get their turn that came in this order while one had it."""
    turns, order, threads = Turns(), [], []

    def take(name: str) -> None:
        with turns.of(name):
            order.append(name)

    with turns.of("first"):
        for count, name in enumerate(waiting, start=1):
            threads.append(threading.Thread(target=take, args=(name,)))
            threads[-1].start()
            wait_until(lambda count=count: in_line(turns) == count, f"{name} to be in line")
    for thread in threads:
        thread.join(PATIENCE)
    return order


def in_line(turns: Turns) -> int:
    return sum(len(events) for events in turns._waiting.values())


def test_each_name_gets_one_turn_after_the_other() -> None:
    assert served(["large", "large", "large", "a", "b", "large"]) == [
        *("large", "a", "b"),
        *("large", "large", "large"),
    ]


def test_one_name_alone_is_served_in_the_order_of_its_threads() -> None:
    assert served(["a"] * 5) == ["a"] * 5


def test_a_turn_that_ends_with_an_error_is_passed_on() -> None:
    turns = Turns()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.of("a"):
            1 / 0  # noqa: B018 - it is what is to be raised


def test_nobody_waits_where_nobody_has_the_turn() -> None:
    turns = Turns()
    with turns.of("a"):
        pass
    with turns.of("b"):
        assert in_line(turns) == 0
