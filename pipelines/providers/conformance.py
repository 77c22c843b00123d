"""The tests that every provider has to pass: one class, and a subclass with recorded answers.

    class TestAltura(Conformance):
        provider = ALTURA
        target = AlturaItem(address="0x…", token_id=7)
        walk = (Recorded(0, 2, b"{…}"), Recorded(2, 2, b"{…}"))
        empty = b'{"holders": [], "count": 0}'
        rows_at = ("holders",)

pytest finds its methods, any other runner may call them: they assert, and need no server and no
database. What is particular to a provider (how a value is decoded, what an error's advice is) is
left to its own tests. It takes after the standard tests that singer-sdk makes for a tap.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from pipelines.errors import HoldfastError, MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.damage import (
    FREAKS,
    GONE,
    STRANGE,
    VALUES,
    changed,
    encode,
    fields,
    mutations,
    of_another_type,
    replaced,
    strictly,
)
from pipelines.providers.pages import BEGINNING, Answer, Cursors, Page, PageRequest, Row, Value
from pipelines.providers.provider import Column, Provider, Target

LONGEST_MESSAGE = 1000
"""Characters of a message, whatever a server sent."""

_TRANSIENT = (408, 429)
_STATUSES = (204, 302, 304, 400, 401, 403, 404, 408, 410, 418, 429, 500, 502, 503, 504)
_CURSORS = ("a b+c&d=e?f#g/h%2B:ä🦀", "0x0100:SP1.a::b!<>*", "=", '"')


@dataclass(frozen=True)
class Recorded:
    """An answer as the provider gave it, or as its documentation has it, to the request for `limit`
    rows from `start` on."""

    start: int | str
    limit: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Conformance:
    """Give the fields without a value in a subclass; its methods are the tests."""

    provider: ClassVar[Provider]
    target: ClassVar[Target]
    walk: ClassVar[Sequence[Recorded]]
    """All pages of a set at rest, in order; two at least."""
    empty: ClassVar[bytes]
    """The answer to the request for the first rows of a set without any."""
    rows_at: ClassVar[tuple[str, ...]]
    """The keys that lead to the list of rows in a body."""
    optional: ClassVar[frozenset[str]] = frozenset()
    """Fields that may be null or missing, such as `holders[].name`."""
    nullable: ClassVar[frozenset[str]] = frozenset()
    """Fields that have to be there, in which null means something: the end, say."""
    unread: ClassVar[frozenset[str]] = frozenset()
    """Fields of the recorded bodies that are not looked at."""
    rounds: ClassVar[int] = 500
    """Damaged bodies that are tried."""
    seed: ClassVar[int] = 1

    def meaning(self, document: Any) -> tuple[list[Row], int | None] | None:  # noqa: ARG002
        """The rows and the total of a body, read from its parsed JSON by hand: all that is accepted
        has to mean the same. None: not compared."""
        return None

    def as_meant(self, row: Row) -> Row:
        """A row as `meaning` gives it: without what was derived from other columns."""
        return row

    # --- decoding ---------------------------------------------------------------------------------

    def test_recorded_pages_are_read(self) -> None:
        for recorded in self.walk:
            page = self._read_again(recorded)
            assert page.rows, "a recorded page has no rows"
            assert len(page.rows) <= recorded.limit
            assert (page.start, page.limit) == (recorded.start, recorded.limit)

    def test_an_empty_set_is_one_page_that_is_the_last(self) -> None:
        page = self._read(self._first_start, self.walk[0].limit, self.empty)
        assert page.rows == ()
        assert page.last, "the page of an empty set names a next one"
        assert page.total == (0 if self.provider.addressing.tells_total else None)

    def test_rows_stand_in_the_order_of_the_answer(self) -> None:
        for recorded, document in self._documents():
            rows = self._read_again(recorded).rows
            turned = changed(document, self.rows_at, lambda found: found[::-1])
            assert self._read_document(recorded, turned).rows == rows[::-1]

    def test_keys_are_unique(self) -> None:
        names = self.provider.dataset.column_names
        at = [names.index(name) for name in self.provider.dataset.key]
        keys = [tuple(row[index] for index in at) for row in self._rows_of_the_walk()]
        assert len(set(keys)) == len(keys), "a key stands twice in a set at rest"

    def test_fields_that_are_not_known_do_not_disturb(self) -> None:
        recorded, document = next(self._documents())
        rows = self._read_again(recorded).rows
        new = {"nested": [1.5, None, {"x": "y"}]}
        for place in ((), (*self.rows_at, 0)):
            more = changed(document, place, lambda found: {**found, "a_new_field": new})
            assert self._read_document(recorded, more).rows == rows

    # --- paging -----------------------------------------------------------------------------------

    def test_pages_lead_from_the_first_to_the_last(self) -> None:
        pages = [self._read_again(recorded) for recorded in self.walk]
        assert len(pages) > 1, "one page shows nothing of how pages follow each other"
        assert pages[0].is_first
        for upper, lower in pairwise(pages):
            assert upper.next == lower.start, "a page does not lead to the one after it"
            assert len(upper.rows) == upper.limit, "a page before the last is not full"
        assert pages[-1].last, "the last page leads on"
        assert len({page.tag for page in pages}) == 1, "a set at rest has several version tags"

    def test_each_page_tells_the_size_of_the_set_or_none_does(self) -> None:
        size = len(self._rows_of_the_walk()) if self.provider.addressing.tells_total else None
        assert {self._read_again(recorded).total for recorded in self.walk} == {size}

    def test_a_page_with_more_rows_than_asked_for_is_refused(self) -> None:
        first = self.walk[0]
        few = len(self._read_again(first).rows) - 1
        refusal = self._refusal(first.start, few, first.body)
        assert isinstance(refusal, MalformedAnswer), "more rows than were asked for are accepted"

    def test_an_empty_page_further_down_has_no_rows(self) -> None:
        second = self.walk[1]
        try:
            assert self._read(second.start, second.limit, self.empty).rows == ()
        except (MalformedAnswer, TornWalk) as refusal:
            self._check_message(refusal)

    def test_each_page_has_a_request_of_its_own(self) -> None:
        first, second = self.walk[:2]
        asked = [(first.start, first.limit), (second.start, second.limit)]
        asked.append((first.start, first.limit - 1))
        requests = [self._request(*each) for each in asked]
        assert len({request.target for request in requests}) == len(asked)
        for request, each in zip(requests, asked, strict=True):
            assert request.path.startswith("/")
            assert request.target.isascii()
            assert request.target.isprintable()
            assert " " not in request.target
            assert request == self._request(*each)

    def test_a_cursor_goes_back_as_it_came(self) -> None:
        addressing = self.provider.addressing
        if isinstance(addressing, Cursors):
            for cursor in _CURSORS:
                target = addressing.page_request(self.target, cursor, 2).target
                sent = [value for _, value in parse_qsl(target.partition("?")[2])]
                assert cursor in sent, f"the cursor {cursor!r} is sent as {target!r}"

    # --- refusals ---------------------------------------------------------------------------------

    def test_a_field_that_is_missing_is_refused(self) -> None:
        for name, recorded, document in self._required(GONE):
            self._check_refused(recorded, encode(document), f"{name} may be missing")

    def test_a_field_that_is_null_is_refused(self) -> None:
        for name, recorded, document in self._required(None):
            if name not in self.nullable:
                self._check_refused(recorded, encode(document), f"{name} may be null")

    def test_a_field_of_another_type_is_refused(self) -> None:
        for name, recorded, place, value in self._fields():
            if name in self.unread:
                continue
            document = strictly(recorded.body)
            for wrong in of_another_type(value):
                body = encode(replaced(document, place, wrong))
                self._check_refused(recorded, body, f"{name} may be {wrong!r}")

    def test_a_number_that_can_t_be_is_refused(self) -> None:
        for name, recorded, place, value in self._fields():
            if isinstance(value, bool) or not isinstance(value, int | Decimal):
                continue
            document = replaced(strictly(recorded.body), place, "in its place")
            for wrong in ("-1", "NaN", "Infinity", "1e400", "1e999999999999", "-1e400"):
                body = encode(document).replace('"in its place"', wrong)
                self._check_refused(recorded, body, f"{name} may be {wrong}")

    def test_an_optional_field_may_be_null_or_missing(self) -> None:
        for name, recorded, place, _ in self._fields():
            if name in self.optional:
                count = len(self._read_again(recorded).rows)
                for new in (None, GONE):
                    document = replaced(strictly(recorded.body), place, new)
                    assert len(self._read_document(recorded, document).rows) == count, name

    def test_what_is_no_answer_is_refused(self) -> None:
        first = self.walk[0]
        for body in (*STRANGE, *FREAKS.values(), first.body + b"x", b"\xff" + first.body):
            self._check_refused(first, body, f"{body[:60]!r} is accepted")

    def test_a_body_that_is_cut_off_is_refused(self) -> None:
        first = self.walk[0]
        whole = first.body.rstrip()
        for length in range(0, len(whole), max(1, len(whole) // 500)):
            self._check_refused(first, whole[:length], f"the first {length} bytes are accepted")

    def test_a_key_that_stands_twice_in_one_object_is_refused(self) -> None:
        recorded, document = next(self._documents())
        for place in ((), (*self.rows_at, 0)):
            twice: list[str] = []

            def double(found: dict[str, Any], twice: list[str] = twice) -> str:
                name, value = next(iter(found.items()))
                twice.append(f"{{{json.dumps(name)}:{encode(value)},{encode(found)[1:]}")
                return "in its place"

            body = encode(changed(document, place, double)).replace('"in its place"', twice[0])
            self._check_refused(recorded, body, "a key may stand twice")

    def test_any_other_status_is_explained(self) -> None:
        for status in _STATUSES:
            for body in (*STRANGE, *FREAKS.values()):
                error = self.provider.explain(status, {}, body)
                assert isinstance(error, ProviderError)
                transient = status in _TRANSIENT or status >= 500
                assert error.transient is transient, f"{status} as {type(error).__name__}"
                assert str(status) in str(error), "the message does not tell the status"
                self._check_message(error)

    # --- damage -----------------------------------------------------------------------------------

    def test_damaged_bodies_are_read_for_what_they_mean_or_refused(self) -> None:
        first = self.walk[0]
        bodies = tuple(recorded.body for recorded in self.walk if recorded.limit == first.limit)
        accepted = sum(self._try(first, body) for body in mutations(bodies, self.rounds, self.seed))
        assert accepted, "none was accepted: this compares nothing"
        assert accepted < self.rounds, "all were accepted: this refuses nothing"

    def test_a_freak_in_place_of_any_value_is_read_for_what_it_means_or_refused(self) -> None:
        for _, recorded, place, _ in self._fields():
            marked = encode(replaced(strictly(recorded.body), place, "in its place"))
            for freak in VALUES.values():
                self._try(recorded, marked.encode().replace(b'"in its place"', freak))

    # --- the record -------------------------------------------------------------------------------

    def test_what_people_set_is_described(self) -> None:
        for model in (self.provider.target_type, self.provider.settings_type):
            for name, known in model.model_fields.items():
                assert known.description, f"{model.__name__}.{name} has no description"
        for column in self.provider.dataset.columns:
            assert column.description, f"the column {column.name} has no description"

    def test_a_target_is_named_for_its_provider(self) -> None:
        assert self.target.provider == self.provider.name
        assert self.target.name.startswith(f"{self.provider.name}:")

    def test_the_page_size_is_one_that_can_be_asked_for(self) -> None:
        default = self.provider.settings_type.model_fields["page_size"].default
        assert 2 <= default <= self.provider.max_page_size

    # --- how --------------------------------------------------------------------------------------

    @property
    def _first_start(self) -> int | str:
        return BEGINNING if isinstance(self.provider.addressing, Cursors) else 0

    def _request(self, start: Any, limit: int) -> PageRequest:
        return self.provider.addressing.page_request(self.target, start, limit)

    def _read(
        self, start: Any, limit: int, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Page[Any]:
        answer = Answer(200, headers or {}, body)
        return self.provider.addressing.read_page(self.target, start, limit, answer)

    def _read_again(self, recorded: Recorded) -> Page[Any]:
        """A recorded page, which has to be read for what it means."""
        page = self._read(recorded.start, recorded.limit, recorded.body, recorded.headers)
        self._check_page(page, recorded.body)
        return page

    def _read_document(self, recorded: Recorded, document: Any) -> Page[Any]:
        body = encode(document).encode()
        page = self._read(recorded.start, recorded.limit, body, recorded.headers)
        self._check_page(page, body)
        return page

    def _rows_of_the_walk(self) -> list[Row]:
        return [row for recorded in self.walk for row in self._read_again(recorded).rows]

    def _documents(self) -> Iterator[tuple[Recorded, Any]]:
        for recorded in self.walk:
            yield recorded, strictly(recorded.body)

    def _fields(self) -> Iterator[tuple[str, Recorded, tuple[Any, ...], Any]]:
        """Each field once, on the first page that has it: its name, that page, its place there and
        its value."""
        seen: set[str] = set()
        for recorded, document in self._documents():
            for name, place, value in fields(document):
                if name not in seen:
                    seen.add(name)
                    yield name, recorded, place, value

    def _required(self, new: object) -> Iterator[tuple[str, Recorded, Any]]:
        """Each field that has to be there, with its document in which it is `new`."""
        for name, recorded, place, _ in self._fields():
            if name not in self.optional | self.unread:
                yield name, recorded, replaced(strictly(recorded.body), place, new)

    def _refusal(self, start: int | str, limit: int, body: bytes) -> HoldfastError | None:
        """What a body is refused with; None for one that was read, and checked."""
        try:
            page = self._read(start, limit, body)
        except (MalformedAnswer, TornWalk) as refusal:
            self._check_message(refusal)
            return refusal
        self._check_page(page, body)
        return None

    def _check_refused(self, recorded: Recorded, body: bytes | str, otherwise: str) -> None:
        body = body.encode() if isinstance(body, str) else body
        refusal = self._refusal(recorded.start, recorded.limit, body)
        assert isinstance(refusal, MalformedAnswer), otherwise

    def _try(self, recorded: Recorded, body: bytes) -> bool:
        return self._refusal(recorded.start, recorded.limit, body) is None

    def _check_message(self, error: HoldfastError) -> None:
        assert len(str(error)) <= LONGEST_MESSAGE, "a message quotes without a bound"
        assert str(error).isprintable(), f"a message can't be shown on a terminal: {error!s:.200}"

    def _check_page(self, page: Page[Any], body: bytes) -> None:
        columns = self.provider.dataset.columns
        key = self.provider.dataset.key
        for row in page.rows:
            assert len(row) == len(columns)
            for column, value in zip(columns, row, strict=True):
                assert _is_of(column, value), f"{column.name} is {value!r:.100}"
                assert value is not None or column.name not in key, f"{column.name} is missing"
        if page.extra is not None:
            assert len(page.extra) == len(self.provider.extra_columns)
        if meant := self._meant(body):
            rows, total = meant
            assert [self.as_meant(row) for row in page.rows] == rows, "rows mean something else"
            assert page.total == total

    def _meant(self, body: bytes) -> tuple[list[Row], int | None] | None:
        try:
            return self.meaning(strictly(body))
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise AssertionError(f"a body without a meaning is accepted: {body[:200]!r}") from error


def _is_of(column: Column, value: Value) -> bool:
    """Whether a value fits a column of its type, exactly: floats and truth values fit none."""
    if value is None:
        return True
    if column.type == "text":
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if column.type == "bigint":
        return isinstance(value, int) and -(2**63) <= value < 2**63
    return isinstance(value, int) or (isinstance(value, Decimal) and value.is_finite())
