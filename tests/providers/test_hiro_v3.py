"""hiro_v3.py on what the real API server (v9.0.2) answered, and on what none should answer."""

import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from pipelines.errors import MalformedAnswer, RequestRefused, TornWalk
from pipelines.providers.hiro import HIRO, HiroPrincipal
from pipelines.providers.hiro_v3 import LONGEST_VALUE, page_request, read_page
from pipelines.providers.pages import BEGINNING, Answer

CAPTURED = Path(__file__).parents[1] / "reference/hiro/captured"
TARGET = HiroPrincipal(principal="SP3SA64155SGM64CM4Y347NRX1TKRQFEM8H0C949")
ISSUER = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173"
ONE, TWO, THREE = (f"{ISSUER}.{name}::n" for name in ("a", "b", "c"))


def captured(name):
    found = json.loads((CAPTURED / f"{name}.json").read_text(encoding="utf-8"))
    return found["request"]["path"], Answer(
        found["status"], found["headers"], json.dumps(found["body"]).encode()
    )


def read(name, **target):
    """A captured answer, read as the answer to the request that it was."""
    path, answer = captured(name)
    query = parse_qs(urlsplit(path).query)
    limit = int(query.get("limit", ["100"])[0])
    return read_page(TARGET, query.get("cursor", [BEGINNING])[0], limit, answer)


def body(rows, following=None, *, total=None, limit=3):
    results = [
        {"asset_identifier": identifier, "value": {"hex": uint(number), "repr": f"u{number}"}}
        for identifier, number in rows
    ]
    page = {"total": len(rows) if total is None else total, "limit": limit}
    page |= {"cursor": {"next": following, "previous": None, "current": None}}
    return Answer(200, {"etag": '"t"'}, json.dumps(page | {"results": results}).encode())


def uint(number):
    return f"0x01{number:032x}"


def only(*identifiers):
    return HiroPrincipal(principal=TARGET.principal, asset_identifiers=identifiers)


def numbers(page):
    return [int(row[4]) for row in page.rows]


def test_the_pages_that_the_server_answered_lead_from_one_to_the_next():
    first, second, last = (read(f"v3_limit5_{name}") for name in ("page1", "page2", "last"))
    assert first.next == second.start
    assert (first.total, len(first.rows), last.total, last.next) == (23, 5, 23, None)
    assert first.tag == second.tag == last.tag
    assert {len(row) for row in first.rows} == {len(HIRO.dataset.columns)}
    assert {row[5:] for row in last.rows} == {(None, None)}


def test_a_cursor_goes_out_percent_encoded_as_the_server_took_it():
    path, _ = captured("v3_limit5_last")
    cursor = parse_qs(urlsplit(path).query)["cursor"][0]
    assert page_request(TARGET, cursor, 5).target == path
    plain = page_request(TARGET, BEGINNING, 200).target
    assert plain == f"/extended/v3/principals/{TARGET.principal}/balances/nft?limit=200"


def test_no_row_and_a_total_of_nothing_is_an_empty_set_at_the_beginning_alone():
    assert (read("v3_empty_principal").total, read("v3_empty_principal").tag) == (0, None)
    beyond = replace(captured("v3_empty_principal")[1])
    assert read_page(TARGET, f"0x:{ONE}", 100, beyond).total is None


@pytest.mark.parametrize("number", [7, 8, 9, 10])
def test_cursors_whose_rows_are_gone_lead_to_those_that_follow(number):
    assert read(f"v3_cursor_odd_{number}").rows


def test_a_class_is_a_stretch_that_a_server_without_filter_shows_the_end_of():
    target = only(TWO, THREE)
    asked = page_request(target, BEGINNING, 3).query
    assert asked == (("limit", "3"), ("cursor", f"0x:{TWO}"), ("asset_identifier", TWO))
    rows = [(TWO, 1), (TWO, 2), (THREE, 1)]
    page = read_page(target, BEGINNING, 3, body(rows, f"{uint(2)}:{THREE}", total=9))
    assert (numbers(page), page.next, page.total) == ([1, 2], f"0x:{THREE}", None)


def test_a_class_ends_where_the_next_page_would_begin_with_another():
    page = read_page(
        only(ONE), BEGINNING, 3, body([(ONE, 1), (ONE, 2), (ONE, 3)], f"{uint(1)}:{TWO}", total=9)
    )
    assert (numbers(page), page.next) == ([1, 2, 3], None)


def test_a_server_with_a_filter_ends_each_class_by_itself():
    target = only(ONE, TWO)
    first = read_page(target, BEGINNING, 3, body([(ONE, 1)]))
    assert (numbers(first), first.next) == ([1], f"0x:{TWO}")
    assert page_request(target, first.next, 3).query[2] == ("asset_identifier", TWO)
    last = read_page(target, first.next, 3, body([]))
    assert (last.rows, last.next) == ((), None)


def test_a_class_that_nothing_is_held_of_shows_rows_of_another_one_and_gives_none():
    page = read_page(only(ONE), BEGINNING, 3, body([(TWO, 1)]))
    assert (page.rows, page.next) == ((), None)


def test_a_value_too_long_for_a_request_is_cut_and_what_comes_twice_is_dropped():
    beginning = "0x0d" + "ab" * LONGEST_VALUE
    start = f"{beginning}05:{ONE}"
    sent = dict(page_request(TARGET, start, 3).query)["cursor"]
    value, identifier = sent.split(":", 1)
    assert (len(value), identifier) == (2 + LONGEST_VALUE, ONE)
    assert len(page_request(TARGET, start, 200).target) < 8192
    again = [{"asset_identifier": ONE, "value": {"hex": text(n), "repr": "r"}} for n in (4, 5, 6)]
    page = {"total": 9, "limit": 3, "cursor": {"next": f"{text(7)}:{ONE}"}, "results": again}
    found = read_page(TARGET, f"{text(5)}:{ONE}", 3, Answer(200, {}, json.dumps(page).encode()))
    assert [row[1] for row in found.rows] == [text(5), text(6)]
    page["cursor"] = {"next": f"{text(5)}:{ONE}"}
    with pytest.raises(MalformedAnswer, match="does not lead on"):
        read_page(TARGET, f"{text(5)}:{ONE}", 3, Answer(200, {}, json.dumps(page).encode()))


def text(number):
    """A long string in ASCII, of which the last letter differs."""
    letters = "61" * LONGEST_VALUE + f"6{number}"
    return f"0x0d{len(letters) // 2:08x}{letters}"


def test_a_contract_with_a_long_name_is_told_to_stay_with_v1():
    contract = f"{TARGET.principal}.{'a' * 41}"
    with pytest.raises(RequestRefused, match=r"up to 40 characters.*has 41.*HIRO_API=v1"):
        page_request(HiroPrincipal(principal=contract), BEGINNING, 200)
    page_request(HiroPrincipal(principal=contract[:-1]), BEGINNING, 200)


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (body([], limit=5), MalformedAnswer, "asked for limit 3"),
        (body([(ONE, n) for n in range(4)]), MalformedAnswer, "4 results on a page of 3"),
        (body([(ONE, 1)], total=0), MalformedAnswer, "total is 0"),
        (body([(ONE, 1)], f"{uint(2)}:{ONE}"), TornWalk, "1 rows before the end"),
        (body([("nothing", 1)]), MalformedAnswer, "asset_identifier is 'nothing'"),
        (body([(ONE, 1), (ONE, 2), (ONE, 3)], "0x1"), MalformedAnswer, "cursor.next is '0x1'"),
    ],
)
def test_a_page_that_is_not_as_documented_is_refused(answer, kind, told):
    with pytest.raises(kind, match=told):
        read_page(TARGET, BEGINNING, 3, answer)
