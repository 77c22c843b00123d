"""altura.py on the vendor's sample, and on what is not documented."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from pipelines.errors import MalformedAnswer, RateLimited, RequestRefused, ServerFailed, TornWalk
from pipelines.providers.altura import (
    AlturaItem,
    AlturaSettings,
    auth_headers,
    explain,
    page_request,
    read_page,
)
from pipelines.providers.pages import Answer, Page, Row
from pipelines.providers.provider import Outgoing

ITEM = AlturaItem(address="0xf1151F738581f4f576ca28eef4844e7d91faad1b", token_id=7)

PICTURES = "https://altura-marketplace-1.s3.us-east-2.amazonaws.com/"

# The vendor's sample, with two holders where it writes "...".
SAMPLE = rb"""{
  "holders": [
    {
      "address": "0xf1151f738581f4f576ca28eef4844e7d91faad1b",
      "balance": 3,
      "name": "The Altura OG ",
      "profilePic": "https://ipfs.io/ipfs/QmSTV9SZaSZn7Wyh4cM9q7fXovuLSitSiDFHRTgUQYBXJZ",
      "profilePicUrl": "https://altura-marketplace-1.s3.us-east-2.amazonaws.com/0xf1151f738581f4f576ca28eef4844e7d91faad1b_ad34c68d-b90c-4cca-a254-4266607ef1eb.png"
    },
    {
      "address": "0xf5504b784f3981a08f7463c3dfcb83a846328f6e",
      "balance": 3,
      "name": "@pujken",
      "profilePic": "https://ipfs.io/ipfs/Qmee3iEAShitMw8h93UiJaY4wrG9VhSchAT3H5b5ob56Rf",
      "profilePicUrl": "https://altura-marketplace-1.s3.us-east-2.amazonaws.com/0xf5504b784f3981a08f7463c3dfcb83a846328f6e_55da08bc-a18a-4386-b34a-dc04948abd53.png"
    },
    {
      "address": "0x00000000000000000000000000000000000000aa",
      "balance": 2,
      "name": null,
      "profilePic": null,
      "profilePicUrl": null
    },
    {
      "address": "0x00000000000000000000000000000000000000bb",
      "balance": 1
    }
   ],
  "count": 93
}"""


def answer(*holders: str, count: int | None = None) -> bytes:
    """A body of holders that are given as JSON text, as the numbers' spelling matters here."""
    counted = len(holders) if count is None else count
    return f'{{"holders": [{", ".join(holders)}], "count": {counted}}}'.encode()


def holder(balance: str = "1", address: str = "0xaa", name: str = '"n"') -> str:
    return f'{{"address": "{address}", "balance": {balance}, "name": {name}}}'


def read(body: bytes, start: int = 0, limit: int = 100) -> Page[int]:
    return read_page(ITEM, start, limit, Answer(200, {}, body))


def only_row(body: bytes) -> Row:
    (row,) = read(body).rows
    return row


# --- the vendor's sample --------------------------------------------------------------------------


def test_the_vendors_sample_is_read_in_its_order() -> None:
    assert [row[1] for row in read(SAMPLE).rows] == [3, 3, 2, 1]


def test_a_row_holds_address_balance_and_profile() -> None:
    assert read(SAMPLE).rows[1] == (
        "0xf5504b784f3981a08f7463c3dfcb83a846328f6e",
        3,
        "@pujken",
        "https://ipfs.io/ipfs/Qmee3iEAShitMw8h93UiJaY4wrG9VhSchAT3H5b5ob56Rf",
        PICTURES
        + "0xf5504b784f3981a08f7463c3dfcb83a846328f6e_55da08bc-a18a-4386-b34a-dc04948abd53.png",
    )


def test_a_trailing_space_of_a_name_is_kept() -> None:
    assert read(SAMPLE).rows[0][2] == "The Altura OG "


def test_null_and_absent_profiles_are_none() -> None:
    assert [row[2:] for row in read(SAMPLE).rows[2:]] == [(None, None, None)] * 2


def test_count_is_the_total_of_all_pages() -> None:
    page = read(SAMPLE, start=24)
    assert (page.start, page.total, page.last) == (24, 93, False)


def test_the_page_that_reaches_count_is_the_last() -> None:
    assert read(SAMPLE, start=89).last


def test_an_empty_page_before_count_is_reached_is_not_the_last() -> None:
    assert not read(answer(count=93)).last


# --- balances and names ---------------------------------------------------------------------------


@pytest.mark.parametrize("balance", [0, 3, 2**53 + 1, 2**64, 2**255 + 1, 2**256 - 1])
@pytest.mark.parametrize("spelling", ["{}", '"{}"'], ids=["number", "string"])
def test_a_balance_is_exact_as_a_number_and_as_a_string(balance: int, spelling: str) -> None:
    assert only_row(answer(holder(spelling.format(balance))))[1] == balance


REFUSED_BALANCES = [
    *("1.0", "1e5", "0.5", "1e400", "1e999999999", "NaN", "Infinity", "-1", "true", "null", "[]"),
    *('"1e5"', '"1.0"', '"NaN"', '"-1"', '"+1"', '" 1"', '""', '"0x10"', '"1_0"', '"\u0663"'),
    *(str(2**256), f'"{2**256}"', "9" * 5000, f'"{"9" * 5000}"'),
]


@pytest.mark.parametrize("name", ['"n"', r'"\ud83d"'], ids=["plain", "lone surrogate"])
@pytest.mark.parametrize("balance", REFUSED_BALANCES, ids=lambda text: text[:12])
def test_a_balance_that_is_no_whole_amount_is_refused(balance: str, name: str) -> None:
    with pytest.raises(MalformedAnswer, match=r"balance|not JSON|invalid character"):
        read(answer(holder(balance, name=name)))


def test_a_refused_balance_is_told_with_its_place() -> None:
    with pytest.raises(MalformedAnswer, match=r"\$\.holders\[1\]\.balance is -1"):
        read(answer(holder(), holder("-1")))


def test_a_refused_balance_is_told_in_a_short_message() -> None:
    with pytest.raises(MalformedAnswer) as caught:
        read(answer(holder("9" * 5000)))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("written", "decoded"),
    [
        (r'"a\u0000b"', "a\0b"),
        (r'"\ud83d"', "\ud83d"),
        (r'"\udc00 first"', "\udc00 first"),
        (r'"\ud83e\udd80"', "🦀"),
        ('"🦀"', "🦀"),
        (r'"\\ud83d"', r"\ud83d"),
        ('""', ""),
    ],
)
def test_a_name_is_whatever_its_owner_chose(written: str, decoded: str) -> None:
    assert only_row(answer(holder(name=written)))[2] == decoded


def test_a_lone_surrogate_costs_no_digit_of_a_balance() -> None:
    assert only_row(answer(holder(str(2**256 - 1), name=r'"\ud83d"')))[1] == 2**256 - 1


def test_an_address_is_kept_in_lower_case() -> None:
    assert only_row(answer(holder(address="0xF1151F")))[0] == "0xf1151f"


# --- what should not come back --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"error": "Item not found"}', "required field `holders`"),
        (b'{"holders": [{"balance": 1}], "count": 1}', r"`address` - at `\$\.holders\[0\]`"),
        (answer(holder(address="")), r"\$\.holders\[0\]\.address is empty"),
        (answer(holder(name="5")), r"at `\$\.holders\[0\]\.name`"),
        (b"<html><body>Checking your browser</body></html>", "it begins '<html>"),
        (b'{"holders": [], "count": 0, "x": ' + b"[" * 9999, "recursion"),
        (b'{"holders": [{"address": "\xff", "balance": 1}], "count": 1}', "utf-8"),
        (b'{"holders": [{"address": "\xff", "name": "\\ud83d"}], "count": 1}', "utf-8"),
        (b'{"holders": [], "count": 0, "x": "\\ud83d", "y": ' + b"[" * 9999, "recursion"),
        (
            b'{"holders": [], "count": 0, "x": "\\ud83d", "y": 1e9999999999999999999}',
            "out of range",
        ),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_body_that_breaks_the_documented_form_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(MalformedAnswer, match=told):
        read(body)


def test_more_holders_than_count_are_a_torn_walk() -> None:
    with pytest.raises(TornWalk, match=r"up to position 2, but \$\.count is 1"):
        read(answer(holder(), holder(address="0xbb"), count=1))


def test_a_page_that_reaches_beyond_count_is_a_torn_walk() -> None:
    with pytest.raises(TornWalk, match=r"up to position 94, but \$\.count is 93"):
        read(SAMPLE, start=90)


@pytest.mark.parametrize(
    ("status", "kind", "advice"),
    [
        (400, RequestRefused, ""),
        (401, RequestRefused, "Set ALTURA_API_KEY"),
        (403, RequestRefused, "Check ALTURA_API_KEY"),
        (404, RequestRefused, "ALTURA_BASE_URL"),
        (408, ServerFailed, ""),
        (429, RateLimited, ""),
        (500, ServerFailed, ""),
        (503, ServerFailed, ""),
    ],
)
def test_an_error_is_of_its_class_and_says_what_to_do(
    status: int, kind: type[Exception], advice: str
) -> None:
    error = explain(status, {}, b'{"error":"no"}')
    assert type(error) is kind
    assert f"answered {status}: " in str(error)
    assert advice in str(error)


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "limit", "query"),
    [
        (0, 100, "perPage=100&page=1&includeListed=true"),
        (100, 100, "perPage=100&page=2&includeListed=true"),
        (240, 24, "perPage=24&page=11&includeListed=true"),
    ],
)
def test_a_request_counts_in_pages(start: int, limit: int, query: str) -> None:
    assert page_request(ITEM, start, limit).target == (
        f"/api/v2/item/holders/0xf1151f738581f4f576ca28eef4844e7d91faad1b/7?{query}"
    )


def test_unlisted_is_asked_for_where_the_target_says_so() -> None:
    unlisted = AlturaItem(address=ITEM.address, token_id=7, include_listed=False)
    assert page_request(unlisted, 0, 100).target.endswith("&includeListed=false")


def test_a_token_id_of_78_digits_is_sent_in_full() -> None:
    item = AlturaItem(address=ITEM.address, token_id=2**256 - 1)
    assert page_request(item, 0, 100).path.endswith(f"/{2**256 - 1}")


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "altura:0xf1151f738581f4f576ca28eef4844e7d91faad1b/7"),
        (
            {"include_listed": False},
            "altura:0xf1151f738581f4f576ca28eef4844e7d91faad1b/7?include_listed=false",
        ),
        (
            {"label": "A", "allow_empty": True},
            "altura:0xf1151f738581f4f576ca28eef4844e7d91faad1b/7",
        ),
    ],
)
def test_a_target_is_named_by_what_changes_the_answer(
    options: Mapping[str, Any], name: str
) -> None:
    assert AlturaItem(address=ITEM.address, token_id=7, **options).name == name


@pytest.mark.parametrize(("key", "headers"), [(None, {}), ("k-1", {"x-api-key": "k-1"})])
def test_the_key_is_sent_where_there_is_one(key: str | None, headers: dict[str, str]) -> None:
    settings = AlturaSettings(_env_file=None, api_key=key)
    outgoing = Outgoing("GET", page_request(ITEM, 0, 100).target, "api.alturanft.com")
    assert auth_headers(settings, outgoing, datetime.now(UTC)) == headers


@pytest.mark.parametrize(
    "body",
    [
        b'{"holders": [{"address": "0xa", "balance": 1, "balance": 2}], "count": 1}',
        b'{"holders": [{"address": "0xa", "balance": 1, "\\u0062alance": 2}], "count": 1}',
        b'{"holders": [], "count": 1, "count": 0}',
        b'{"holders": [], "count": 0, "new": {"x": [{"balance": 1, "balance": 1}]}}',
        b'{"count": 1, "holders": [{"name": "\\ud83d", "balance": 1, "balance": 2}]}',
    ],
    ids=["balance", "escaped", "count", "unknown field", "beside a lone surrogate"],
)
def test_a_key_that_stands_twice_in_one_object_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedAnswer, match=r"the key '(balance|count)' stands twice"):
        read(body)


def test_a_count_that_no_set_can_have_is_refused_in_few_words() -> None:
    with pytest.raises(MalformedAnswer, match=r"\$\.count is 1111") as caught:
        read(b'{"holders": [], "count": ' + b"1" * 4000 + b"}")
    assert len(str(caught.value)) < 300
