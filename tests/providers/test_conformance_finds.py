"""The conformance suite finds what is wrong with a provider: each test finds its own faults."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pipelines.errors import RateLimited, RequestRefused
from pipelines.providers.pages import Answer, Page, PageRequest
from pipelines.providers.provider import Provider
from tests.end_to_end.added import cursors_provider as made_up
from tests.end_to_end.added.cursors_provider import MADE_UP
from tests.providers.test_conformance import TestMadeUp as Passing

Read = Callable[[Page[str], Any, Answer], Page[str]]


def reading(change: Read) -> Provider:
    """The made-up provider, with another page than it reads."""

    def read_page(target: Any, start: str, limit: int, answer: Answer) -> Page[str]:
        page = made_up.read_page(target, start, limit, answer)
        return change(page, msgspec.json.decode(answer.body), answer)

    return replace(MADE_UP, addressing=replace(MADE_UP.addressing, read_page=read_page))


def reading_loosely(change: Callable[[Any], Any]) -> Provider:
    """The made-up provider, which makes what it can of a body before it reads it."""

    def read_page(target: Any, start: str, limit: int, answer: Answer) -> Page[str]:
        try:
            body = msgspec.json.encode(change(msgspec.json.decode(answer.body)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, AttributeError, TypeError):
            body = answer.body
        return made_up.read_page(target, start, limit, replace(answer, body=body))

    return replace(MADE_UP, addressing=replace(MADE_UP.addressing, read_page=read_page))


def asking(change: Callable[[PageRequest, str], PageRequest]) -> Provider:
    def page_request(target: Any, start: str, limit: int) -> PageRequest:
        return change(made_up.page_request(target, start, limit), start)

    return replace(MADE_UP, addressing=replace(MADE_UP.addressing, page_request=page_request))


def with_rows(change: Callable[[list[Any]], list[Any]]) -> Provider:
    return reading(lambda page, _, __: replace(page, rows=tuple(change(list(page.rows)))))


def with_shares(shares: Callable[[Any], Any]) -> Provider:
    return with_rows(lambda rows: [(name, shares(of)) for name, of in rows])


def explaining(error: Callable[[int, bytes], Exception]) -> Provider:
    return replace(MADE_UP, explain=lambda status, _, body: error(status, body))


def spread(body: Any) -> Any:
    """More deeds than asked for are cut off."""
    return body | {"deeds": body["deeds"][:1], "total": 3}


FAULTS: list[tuple[str, Provider]] = [
    ("test_recorded_pages_are_read", with_shares(float)),
    ("test_recorded_pages_are_read", with_shares(bool)),
    ("test_recorded_pages_are_read", with_shares(str)),
    ("test_recorded_pages_are_read", with_shares(lambda of: of + 1)),
    ("test_recorded_pages_are_read", with_rows(lambda rows: [(None, 1) for _ in rows])),
    ("test_recorded_pages_are_read", with_rows(lambda rows: [(*row, 1) for row in rows])),
    ("test_recorded_pages_are_read", with_rows(lambda rows: [])),
    ("test_recorded_pages_are_read", reading(lambda page, _, __: replace(page, extra=(1,)))),
    ("test_an_empty_set_is_one_page", reading(lambda page, _, __: replace(page, next="more"))),
    ("test_an_empty_set_is_one_page", reading(lambda page, _, __: replace(page, total=None))),
    ("test_rows_stand_in_the_order", with_rows(sorted)),
    ("test_keys_are_unique", with_rows(lambda rows: [("same", 1) for _ in rows])),
    ("test_pages_lead_from_the_first", reading(lambda page, _, __: replace(page, next=None))),
    ("test_pages_lead_from_the_first", reading(lambda page, _, __: replace(page, next="z"))),
    ("test_pages_lead_from_the_first", reading(lambda page, _, __: replace(page, tag=page.start))),
    ("test_each_page_tells_the_size", reading(lambda page, _, __: replace(page, total=2))),
    ("test_a_page_with_more_rows", reading_loosely(spread)),
    ("test_each_page_has_a_request", asking(lambda asked, _: replace(asked, query=()))),
    ("test_each_page_has_a_request", asking(lambda asked, _: replace(asked, path="no slash"))),
    ("test_each_page_has_a_request", asking(lambda asked, _: replace(asked, path="/a b"))),
    ("test_a_cursor_goes_back", asking(lambda a, at: replace(a, path=f"/x?{at}", query=()))),
    ("test_a_field_that_is_missing", reading_loosely(lambda body: {"total": 3, **body})),
    ("test_a_field_that_is_null", reading_loosely(lambda b: b | {"total": b["total"] or 3})),
    ("test_a_field_of_another_type", reading_loosely(lambda b: b | {"deeds": b["deeds"] or []})),
    ("test_a_number_that_can_t_be", reading_loosely(lambda b: b | {"total": abs(b["total"])})),
    (
        "test_what_is_no_answer",
        reading_loosely(lambda body: {"total": 0, "next": None, "deeds": [], **body}),
    ),
    ("test_any_other_status", explaining(lambda status, _: RequestRefused(f"{status}"))),
    ("test_any_other_status", explaining(lambda status, _: RateLimited(f"{status}"))),
    ("test_any_other_status", explaining(lambda status, body: made_up.refusal(status, f"{body}"))),
    ("test_any_other_status", explaining(lambda status, _: ValueError(f"{status}"))),
]


def names_of(suite: type) -> list[str]:
    return [name for name in dir(suite) if name.startswith("test_")]


@pytest.mark.parametrize(("name", "faulty"), FAULTS)
def test_a_fault_is_found(name: str, faulty: Provider) -> None:
    [test] = [known for known in names_of(Passing) if known.startswith(name)]

    class Failing(Passing):
        provider = faulty
        meaning = Passing.meaning

    with pytest.raises(AssertionError):
        getattr(Failing(), test)()


def test_a_fault_in_what_it_means_is_found_by_damage() -> None:
    """A total beyond a bound is read as the bound: no recorded answer shows it."""

    class Failing(Passing):
        provider = reading(lambda page, _, __: replace(page, total=min(page.total or 0, 5)))

    with pytest.raises(AssertionError):
        Failing().test_damaged_bodies_are_read_for_what_they_mean_or_refused()
