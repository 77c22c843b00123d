"""What strangers send: a body of any kind is read for what it means, or refused with an error of
ours in few words. It never crashes and never means something else. conformance.py does it with
damaged bytes, for any provider; here hypothesis looks for what nobody thought of.

The same bodies each time, in seconds. long_fuzz.py tells how to try others, for longer.
"""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import BrokenAnswer, MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.damage import FREAKS, VALUES, encode, mutations, strictly
from pipelines.providers.pages import Page
from tests.providers import fuzzing
from tests.providers.fuzzing import (
    ANY_JSON,
    MUTATIONS,
    SUBJECTS,
    Subject,
    one_thing_changed,
    seed,
    thoroughly,
    without_derived,
)

LONGEST_MESSAGE = 1000
by_provider = pytest.mark.parametrize("subject", SUBJECTS, ids=str)


def read_or_refusal(subject: Subject, body: bytes) -> Page[int] | MalformedAnswer | TornWalk:
    try:
        return subject.read(body)
    except (MalformedAnswer, TornWalk) as error:
        return error


def check(subject: Subject, body: bytes) -> Page[int] | None:
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
@thoroughly
@given(document=ANY_JSON)
def test_any_other_json_is_refused(subject: Subject, document: Any):
    assert check(subject, encode(document).encode()) is None


@by_provider
@thoroughly
@given(body=st.binary(max_size=2000))
def test_any_bytes_are_refused(subject: Subject, body: bytes):
    assert check(subject, body) is None


@pytest.mark.parametrize("field", ["name", "a field nobody reads"])
def test_bytes_that_are_no_utf8_are_refused_wherever_they_stand(field: str):
    body = encode(
        {"holders": [{"address": "0xaa", "balance": 1, field: "half \ud83d"}], "count": 1}
    )
    assert check(SUBJECTS[0], body.encode()) is not None
    whole = body.replace("half ", "half <>").encode().replace(b"<>", b"\xed\xa0\xbd")
    assert read_or_refusal(SUBJECTS[0], whole).__class__ in (MalformedAnswer, BrokenAnswer)


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
