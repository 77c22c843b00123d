"""What strangers send: a body of any kind is read for what it means, or refused with an error of
ours in few words. It never crashes and never means something else.

The same bodies each time, in seconds. long_fuzz.py tells how to try others, for longer.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.pages import Page
from tests.providers import fuzzing
from tests.providers.fuzzing import (
    ANY_JSON,
    MUTATIONS,
    SUBJECTS,
    Subject,
    encode,
    mutations,
    one_thing_changed,
    seed,
    strictly,
    thoroughly,
    without_derived,
)

LONGEST_MESSAGE = 1000
by_provider = pytest.mark.parametrize("subject", SUBJECTS, ids=str)


def read_or_refusal(subject: Subject, body: bytes) -> Page | MalformedAnswer | TornWalk:
    try:
        return subject.read(body)
    except (MalformedAnswer, TornWalk) as error:
        return error


def check(subject: Subject, body: bytes) -> Page | None:
    """The page of a body, if it is accepted, after comparing it with what the body means."""
    page = read_or_refusal(subject, body)
    if not isinstance(page, Page):
        assert len(str(page)) <= LONGEST_MESSAGE, "a message quotes without a bound"
        return None
    rows, total = subject.meaning(strictly(body))
    assert [without_derived(subject, row) for row in page.rows] == rows
    assert page.total == total
    assert not any(isinstance(value, float | bool) for row in page.rows for value in row)
    return page


@by_provider
def test_the_valid_bodies_are_accepted(subject: Subject):
    for body in subject.bodies:
        page = check(subject, body)
        assert page is not None
        assert page.rows


@by_provider
@thoroughly
@given(data=st.data())
def test_a_valid_body_with_one_thing_changed_is_read_for_what_it_means_or_refused(
    subject: Subject, data: st.DataObject
):
    documents = [json.loads(subject.bodies[0])]
    known = {"altura": fuzzing.ALTURA, "catenis": fuzzing.CATENIS}.get(subject.provider.name)
    document = data.draw(one_thing_changed(tuple([known] if known else documents)))
    check(subject, encode(document).encode())


@by_provider
def test_valid_bodies_with_bytes_changed_are_read_for_what_they_mean_or_refused(subject: Subject):
    accepted = 0
    for body in mutations(subject.bodies, MUTATIONS, seed()):
        accepted += check(subject, body) is not None
    assert accepted, "none was accepted: this compares nothing"
    assert accepted < MUTATIONS, "all were accepted: this refuses nothing"


@by_provider
@thoroughly
@given(document=ANY_JSON)
def test_any_other_json_is_refused(subject: Subject, document: Any):
    assert check(subject, encode(document).encode()) is None


@by_provider
@thoroughly
@given(body=st.binary(max_size=2000))
def test_any_bytes_are_refused(subject: Subject, body: bytes):
    assert check(subject, body) is None


DEEP = 200_000
LONG_TEXT = 1_000_000
FREAKS = {
    "arrays in arrays": b"[" * DEEP,
    "arrays in arrays, closed": b"[" * DEEP + b"]" * DEEP,
    "objects in objects": b'{"a":' * DEEP,
    "arrays in a field nobody reads": b'{"x":%b%b,' % (b"[" * DEEP, b"]" * DEEP),
    "arrays and a lone surrogate": b'{"x":"\\ud800","y":%b%b,' % (b"[" * DEEP, b"]" * DEEP),
    "objects and a lone surrogate": b'{"x":"\\ud800","y":%b1,' % (b'{"a":' * DEEP),
    "a long text": b'"%b"' % (b"x" * LONG_TEXT),
    "a long key": b'{"%b":1}' % (b"x" * LONG_TEXT),
    "a long key twice": b'{"%b":1,"%b":1}' % (b"x" * LONG_TEXT, b"x" * LONG_TEXT),
    "a number of many digits": b"1" * LONG_TEXT,
    "a fraction of many digits": b"0." + b"1" * LONG_TEXT,
    "a huge exponent": b"1e999999999999999999999",
    "many lone surrogates": b'"%b"' % (b"\\ud800" * 100_000),
    "spaces": b" " * LONG_TEXT,
}  # fmt: skip


@by_provider
@pytest.mark.parametrize("name", FREAKS)
def test_a_freak_is_refused_in_few_words(subject: Subject, name: str):
    assert check(subject, FREAKS[name]) is None


VALUES = {
    "a text of a million letters": b'"%b"' % (b"x" * LONG_TEXT),
    "a text of escapes": b'"%b"' % (b"\\u0000" * 100_000),
    "a text of lone surrogates": b'"%b"' % (b"\\udfff" * 100_000),
    "digits in quotes": b'"%b"' % (b"9" * LONG_TEXT),
    "an integer of 4,000 digits": b"9" * 4000,
    "a negative integer of 4,000 digits": b"-" + b"9" * 4000,
    "an integer of a million digits": b"9" * LONG_TEXT,
    "a fraction of a million digits": b"0." + b"3" * LONG_TEXT,
    "a million digits and a fraction": b"3" * LONG_TEXT + b".5",
    "a huge exponent": b"1e999999999",
    "a tiny exponent": b"1e-999999999",
    "an exponent beyond Decimal's": b"1e99999999999999999999",
    "zero with a huge exponent": b"0e999999999",
    "minus zero": b"-0",
    "minus zero with decimals": b"-0.00",
    "nesting": b"[" * DEEP + b"]" * DEEP,
    "hex of a deep value": b'"0x%b03"' % (b"0a" * 100_000),
    "hex of a list that says it has four billion elements": b'"0x0bffffffff03"',
    "hex of many empty lists": b'"0x0b0000c350%b"' % (b"0b00000000" * 50_000),
}


BY_PROVIDER_AND_VALUE = [(subject, name) for subject in SUBJECTS for name in VALUES]


@pytest.mark.parametrize(("subject", "name"), BY_PROVIDER_AND_VALUE, ids=str)
def test_a_freak_in_place_of_any_value_is_read_for_what_it_means_or_refused_in_few_words(
    subject: Subject, name: str
):
    mark = "in its place"
    documents = [fuzzing.ALTURA, json.loads(SUBJECTS[1].bodies[0]), fuzzing.CATENIS]
    document = documents[SUBJECTS.index(subject)]
    seen = set()
    for place in fuzzing.places(document):
        field = tuple(part if isinstance(part, str) else "[]" for part in place)
        if place and field not in seen:
            seen.add(field)
            body = encode(fuzzing.changed(document, place, lambda _: mark)).encode()
            check(subject, body.replace(b'"in its place"', VALUES[name]))


@pytest.mark.parametrize("field", ["name", "a field nobody reads"])
def test_bytes_that_are_no_utf8_are_refused_wherever_they_stand(field: str):
    body = encode(
        {"holders": [{"address": "0xaa", "balance": 1, field: "half \ud83d"}], "count": 1}
    )
    assert check(SUBJECTS[0], body.encode()) is not None
    whole = body.replace("half ", "half <>").encode().replace(b"<>", b"\xed\xa0\xbd")
    assert read_or_refusal(SUBJECTS[0], whole).__class__ is MalformedAnswer


HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "x-ratelimit-remaining-stacks-month", "content-type"]),
    st.sampled_from(["0", "", "x" * 100]) | st.text(max_size=20),
)
ERRORS = (
    b'{"error":"x","message":"y"}',
    b'{"status":"error","message":"You have reached your limit"}',
    b'{"statusCode":400,"error":"Bad Request","message":"querystring/limit must be <= 200"}',
    b"<html><body>502 Bad Gateway</body></html>",
    b"",
)


def check_explained(subject: Subject, status: int, headers: dict[str, str], body: bytes) -> None:
    error = subject.provider.explain(status, headers, body)
    assert isinstance(error, ProviderError)
    assert len(str(error)) <= LONGEST_MESSAGE, "a message quotes without a bound"
    assert str(error).isprintable()
    assert error.transient == (status in (408, 429) or status >= 500) or (
        type(error).__name__ == "QuotaExhausted"
    )


@by_provider
@thoroughly
@given(
    status=st.integers(100, 599),
    headers=HEADERS,
    body=st.binary(max_size=300)
    | ANY_JSON.map(lambda document: encode(document).encode())
    | st.fixed_dictionaries({"message": ANY_JSON, "error": ANY_JSON}).map(
        lambda document: encode(document).encode()
    ),
)
def test_any_refusal_is_explained(
    subject: Subject, status: int, headers: dict[str, str], body: bytes
):
    check_explained(subject, status, headers, body)


@by_provider
def test_refusals_with_bytes_changed_and_freaks_are_explained(subject: Subject):
    freaks = [*FREAKS.values(), *(b'{"message":%b}' % value for value in VALUES.values())]
    for number, body in enumerate([*mutations(ERRORS, MUTATIONS // 3, seed()), *freaks]):
        check_explained(subject, (400, 404, 429, 500)[number % 4], {}, body)
