import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from pipelines.errors import Cancelled, TornWalk
from pipelines.extract.ahead import ReadAhead
from tests.patience import PATIENCE


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


class Pages:
    """Pages that are their own positions. One in `held` comes once it is released."""

    def __init__(self, *held: int) -> None:
        self.held = {start: threading.Event() for start in held}
        self.begun = {start: threading.Event() for start in range(0, 200, 10)}
        self.sent: list[int] = []

    def __call__(self, start: int, _: int, on_try: Callable[[], None]) -> int:
        self.begun[start].set()
        if start in self.held:
            assert self.held[start].wait(PATIENCE)
        on_try()
        self.sent.append(start)
        if start == 70:
            raise TornWalk("70")
        return start


def test_pages_are_taken_in_the_order_in_which_they_were_asked_for(
    executor: ThreadPoolExecutor,
) -> None:
    pages = Pages(30)
    ahead = ReadAhead(pages, 10, executor)
    for start in (30, 10, 20):
        ahead.ask(start)
    assert pages.begun[20].wait(PATIENCE)
    pages.held[30].set()
    assert len(ahead) == 3
    assert [ahead.take() for _ in range(3)] == [30, 10, 20]
    assert ahead.stop() == []


def test_all_starts_come_whatever_room_there_is(executor: ThreadPoolExecutor) -> None:
    for window in (1, 3, 50):
        ahead = ReadAhead(Pages(), 10, executor)
        starts = [60, 50, 30, 10, 0]
        assert list(ahead.in_order(iter(starts), lambda _, window=window: window)) == starts


def test_room_that_grows_and_shrinks_is_kept_to(executor: ThreadPoolExecutor) -> None:
    ahead = ReadAhead(Pages(), 10, executor)
    room = [1, 2, 3, 1, 1, 2]
    pages = ahead.in_order(count(0, 10), lambda number: room[number - 1])
    left = []
    for _ in room:
        next(pages)
        left.append(len(ahead))
    assert left == [0, 1, 2, 1, 0, 1]
    ahead.stop()


def test_an_error_comes_up_at_its_page_s_turn(executor: ThreadPoolExecutor) -> None:
    pages = Pages(60)
    ahead = ReadAhead(pages, 10, executor)
    for start in (60, 70, 80):
        ahead.ask(start)
    assert pages.begun[80].wait(PATIENCE)
    pages.held[60].set()
    assert ahead.take() == 60
    with pytest.raises(TornWalk, match="70"):
        ahead.take()
    assert ahead.take() == 80


def test_after_a_stop_nothing_runs_and_nothing_more_is_sent() -> None:
    pages = Pages(10, 20)
    with ThreadPoolExecutor(2) as executor:
        ahead = ReadAhead(pages, 10, executor)
        for start in (10, 20, 30, 40):
            ahead.ask(start)
        assert pages.begun[10].wait(PATIENCE)
        assert pages.begun[20].wait(PATIENCE)
        stopping = threading.Thread(target=ahead.stop)
        stopping.start()
        assert ahead._stopped.wait(PATIENCE)
        pages.held[10].set()
        pages.held[20].set()
        stopping.join(PATIENCE)
        assert not stopping.is_alive()
        assert executor.submit(int).result(PATIENCE) == 0
    assert pages.sent == []
    assert not pages.begun[30].is_set()
    assert not pages.begun[40].is_set()


def test_a_stop_tells_what_the_pages_not_taken_came_to() -> None:
    pages = Pages(90)
    with ThreadPoolExecutor(1) as executor:
        ahead = ReadAhead(pages, 10, executor)
        for start in (10, 20, 70, 90, 100):
            ahead.ask(start)
        assert ahead.take() == 10
        assert pages.begun[90].wait(PATIENCE)

        def release() -> None:
            assert ahead._stopped.wait(PATIENCE)
            pages.held[90].set()

        threading.Thread(target=release).start()
        page, torn, unsent = ahead.stop()
    assert page.result() == 20
    assert isinstance(torn.exception(), TornWalk)
    assert isinstance(unsent.exception(), Cancelled)
    assert pages.sent == [10, 20, 70]
    assert len(ahead) == 0
