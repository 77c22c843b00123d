"""hiro.py on what the real API server (v9.0.2) answered, and on what none should answer."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import (
    MalformedAnswer,
    QuotaExhausted,
    RateLimited,
    RequestRefused,
    ServerFailed,
    TornWalk,
)
from pipelines.providers.hiro import (
    HIRO,
    HiroPrincipal,
    HiroSettings,
    auth_headers,
    explain,
)
from pipelines.providers.hiro_v1 import MAX_BIGINT, page_request
from pipelines.providers.hiro_v1 import read_page as read_answer
from pipelines.providers.pages import Answer, Page
from pipelines.providers.provider import Outgoing

Read = Callable[[str], tuple[int, dict[str, str], bytes]]

TARGET = HiroPrincipal(principal="SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7")
MISC = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.misc::m"
BIG = "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.big::big"
WALK_STARTS = range(0, 1237, 200)

ERRORS = [
    line.split(" | ", 3)
    for line in (Path(__file__).parents[1] / "reference/hiro/errors.txt")
    .read_text(encoding="utf-8")
    .splitlines()
]
REFUSED = [
    (name, status.split()[1], body) for name, _, status, body in ERRORS if " 200 " not in status
]


def column(page: Page[int], name: str) -> list[Any]:
    index = HIRO.dataset.column_names.index(name)
    return [row[index] for row in page.rows]


def printed_as(text: str) -> tuple[str, Decimal | None]:
    """Type and token id, told from the form in which the server printed the value."""
    if number := re.fullmatch(r"(u?)(-?[0-9]+)", text):
        return ("uint" if number[1] else "int"), Decimal(number[2])
    beginnings = {
        "0x": "buffer",
        "true": "bool",
        "false": "bool",
        "none": "none",
        "(some ": "some",
        "(ok ": "ok",
        "(err ": "err",
        "(list": "list",
        "(tuple": "tuple",
        '"': "string_ascii",
        'u"': "string_utf8",
        "'": "contract_principal" if "." in text else "principal",
    }
    return next(kind for start, kind in beginnings.items() if text.startswith(start)), None


def holding(**changed: Any) -> dict[str, Any]:
    return {
        "asset_identifier": MISC,
        "value": {"hex": "0x09", "repr": "none"},
        "block_height": 56,
        "tx_id": "0x" + "7e" * 32,
    } | changed


def answer(*holdings: dict[str, Any], limit: int = 2, offset: int = 0, total: int = 1) -> bytes:
    results = list(holdings)
    return json.dumps(
        {"limit": limit, "offset": offset, "total": total, "results": results}
    ).encode()


def read_page(target: HiroPrincipal, start: int, limit: int, body: bytes) -> Page[int]:
    return read_answer(target, start, limit, Answer(200, {}, body))


@pytest.fixture(scope="module")
def walk(recorded: Read) -> list[Page[int]]:
    """The recorded walk of 1,237 rows, read."""
    return [
        read_page(
            TARGET, start, 200, recorded(f"hiro/pages/page-limit200-offset{start:04}.http")[2]
        )
        for start in WALK_STARTS
    ]


# --- what the real server answered ----------------------------------------------------------------


def test_every_row_of_the_recorded_walk_is_read(walk: list[Page[int]]) -> None:
    assert [len(page.rows) for page in walk] == [200] * 6 + [37]


def test_the_recorded_walk_is_newest_first(walk: list[Page[int]]) -> None:
    heights = [height for page in walk for height in column(page, "block_height")]
    assert heights == sorted(heights, reverse=True)


def test_every_type_and_token_id_is_what_the_server_printed(walk: list[Page[int]]) -> None:
    for page in walk:
        decoded = zip(column(page, "value_type"), column(page, "token_id"), strict=True)
        assert list(decoded) == [printed_as(text) for text in column(page, "value_repr")]


def test_every_clarity_type_occurs_in_the_recorded_walk(walk: list[Page[int]]) -> None:
    assert {kind for page in walk for kind in column(page, "value_type")} == {
        *("int", "uint", "buffer", "bool", "principal", "contract_principal", "ok", "err"),
        *("none", "some", "list", "tuple", "string_ascii", "string_utf8"),
    }


def test_a_row_holds_the_holding_as_it_came(recorded: Read) -> None:
    page = read_page(TARGET, 0, 3, recorded("hiro/shapes/limit3.http")[2])
    assert page.rows[2] == (
        "SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.the-explorer-guild::The-Explorer-Guild",
        "0x0100000000000000000000000000000179",
        "u377",
        "uint",
        Decimal(377),
        58,
        "0xb73862af50d249e701d4dc22088a0f118bb8660aea8a797fca29ceca74fc007a",
    )


def test_a_page_before_the_end_is_not_the_last(recorded: Read) -> None:
    page = read_page(TARGET, 0, 3, recorded("hiro/shapes/limit3.http")[2])
    assert (len(page.rows), page.total, page.last) == (3, 1237, False)


def test_without_parameters_the_server_gives_50_rows(recorded: Read) -> None:
    page = read_page(TARGET, 0, 50, recorded("hiro/shapes/default-params.http")[2])
    assert (len(page.rows), page.last) == (50, False)


@pytest.mark.parametrize(
    ("printed", "kind", "token_id"),
    [
        ("none", "none", None),
        ("1", "int", 1),
        ("(list u1 u2)", "list", None),
        ("(list)", "list", None),
        ("true", "bool", None),
        ("false", "bool", None),
        ('(err "e")', "err", None),
        ("(ok u1)", "ok", None),
        ("(some none)", "some", None),
        ("(some u1)", "some", None),
        ("(tuple (Z-z -5) (a (tuple (b (list (some true))))))", "tuple", None),
        ("0x", "buffer", None),
        ('""', "string_ascii", None),
        ('"quote\\" back\\\\ nl\\n tab\\t \\x7f"', "string_ascii", None),
        ('u""', "string_utf8", None),
        ('u"q\\" b\\\\ nl\\n \\x00 \\u{f48fbfbf}"', "string_utf8", None),
        ("u0", "uint", 0),
        ("u1", "uint", 1),
        ("u9007199254740992", "uint", 2**53),
        ("u9007199254740993", "uint", 2**53 + 1),
        ("u18446744073709551616", "uint", 2**64),
        ("u340282366920938463463374607431768211455", "uint", 2**128 - 1),
        ("0", "int", 0),
        ("-1", "int", -1),
        ("170141183460469231731687303715884105727", "int", 2**127 - 1),
        ("-170141183460469231731687303715884105728", "int", -(2**127)),
    ],
)
def test_a_recorded_value_is_decoded(
    recorded: Read, printed: str, kind: str, token_id: int | None
) -> None:
    page = read_page(TARGET, 0, 200, recorded("hiro/shapes/misc-types.http")[2])
    row = column(page, "value_repr").index(printed)
    assert (column(page, "value_type")[row], column(page, "token_id")[row]) == (kind, token_id)


def test_a_filtered_answer_passes_the_filter_it_was_asked_with(recorded: Read) -> None:
    both = HiroPrincipal(principal=TARGET.principal, asset_identifiers=(MISC, BIG))
    assert len(read_page(both, 0, 200, recorded("hiro/shapes/misc-types.http")[2]).rows) == 26


def test_an_answer_that_ignored_the_filter_is_refused(recorded: Read) -> None:
    only_big = HiroPrincipal(principal=TARGET.principal, asset_identifiers=(BIG,))
    with pytest.raises(MalformedAnswer, match=r"\$\.results\[0\] is of .*misc::m.* not asked for"):
        read_page(only_big, 0, 200, recorded("hiro/shapes/misc-types.http")[2])


@pytest.mark.parametrize(
    ("name", "limit", "told"),
    [
        ("tx_metadata-limit2", 2, r"`tx_id` - at `\$\.results\[0\]`"),
        ("v3-limit3", 3, "missing required field `(offset|block_height)`"),
        ("status", 200, "missing required field `limit`"),
    ],
)
def test_a_body_of_another_shape_is_refused_with_its_place(
    recorded: Read, name: str, limit: int, told: str
) -> None:
    with pytest.raises(MalformedAnswer, match=told):
        read_page(TARGET, 0, limit, recorded(f"hiro/shapes/{name}.http")[2])


def test_the_recorded_empty_set_is_a_whole_one_page_set() -> None:
    body = next(body for name, _, _, body in ERRORS if name == "principal-unknown")
    page = read_page(TARGET, 0, 50, body.encode())
    assert (page.rows, page.total, page.last) == ((), 0, True)


@pytest.mark.parametrize("name", ["offset-eq-total", "offset-past"])
def test_the_recorded_answer_beyond_the_end_is_a_torn_walk(name: str) -> None:
    body = next(body for found, _, _, body in ERRORS if found == name)
    with pytest.raises(TornWalk, match="shrank"):
        read_page(TARGET, json.loads(body)["offset"], 200, body.encode())


# --- statuses other than 200 ----------------------------------------------------------------------


@pytest.mark.parametrize(("name", "status", "body"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_a_recorded_error_is_of_its_class(name: str, status: str, body: str) -> None:
    error = explain(int(status), {}, body.encode())
    assert type(error) is (ServerFailed if status == "500" else RequestRefused)


@pytest.mark.parametrize(("name", "status", "body"), REFUSED, ids=[name for name, *_ in REFUSED])
def test_a_recorded_error_quotes_the_servers_message(name: str, status: str, body: str) -> None:
    try:
        said = json.loads(body)["message"][:100]
    except json.JSONDecodeError:  # a long one, recorded up to its 400th character
        said = body[:100]
    assert said in str(explain(int(status), {}, body.encode()))


def test_the_endpoint_switched_off_says_what_to_set(recorded: Read) -> None:
    error = explain(*recorded("hiro/shapes/deprecated-off-410.http"))
    assert isinstance(error, RequestRefused)
    assert "This endpoint has been disabled" in str(error)
    assert "HIRO_BASE_URL" in str(error)


def test_a_database_that_is_down_is_worth_another_try(recorded: Read) -> None:
    error = explain(*recorded("hiro/shapes/db-down.http"))
    assert (type(error), error.transient) == (ServerFailed, True)


def test_a_database_that_is_down_is_told_as_such(recorded: Read) -> None:
    error = explain(*recorded("hiro/shapes/db-down.http"))
    assert str(error) == "answered 503: The database service is unavailable"


def test_too_many_requests_are_worth_waiting_for() -> None:
    error = explain(429, {"x-ratelimit-remaining-stacks-month": "12"}, b'{"message":"slow down"}')
    assert (type(error), error.transient) == (RateLimited, True)


def test_a_months_quota_that_is_gone_is_not_waited_for() -> None:
    error = explain(429, {"x-ratelimit-remaining-stacks-month": "0"}, b'{"message":"quota"}')
    assert (type(error), error.transient) == (QuotaExhausted, False)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_named(status: int) -> None:
    assert "Check HIRO_API_KEY" in str(explain(status, {}, b"{}"))


# --- what the server should never answer ----------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (answer(limit=50, total=0), "asked for limit 2 offset 0, the answer is for limit 50"),
        (answer(offset=2, total=0), "the answer is for limit 2 offset 2"),
        (answer(holding(tx_id="0x" + "7E" * 32)), r"\$\.results\[0\]\.tx_id is '0x7E"),
        (answer(holding(tx_id="0x7e")), r"\$\.results\[0\]\.tx_id is '0x7e'"),
        (answer(holding(block_height=-1)), r"\$\.results\[0\]\.block_height is -1"),
        (answer(holding(block_height=2**63)), r"\$\.results\[0\]\.block_height is 92233720"),
        (answer(holding(asset_identifier="misc")), r"\.asset_identifier is 'misc'"),
        (
            answer(holding(), holding(value={"hex": "0x0", "repr": "?"}), total=2),
            r"\$\.results\[1\]\.value\.hex: .*not '0x0'",
        ),
        (
            answer(holding(value={"hex": "0x0100", "repr": "u0"})),
            r"\$\.results\[0\]\.value\.hex: .*needs 16 bytes at byte 1",
        ),
        (b'{"error":"Gone","message":"disabled"}', 'it begins \'{"error":"Gone"'),
        (b'{"limit":2,"limit":2' + b',"x":' + b"[" * 9999, "it begins"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_body_that_breaks_the_documented_form_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(MalformedAnswer, match=told):
        read_page(TARGET, 0, 2, body)


def test_a_bad_value_leaves_room_for_the_target_in_the_message() -> None:
    with pytest.raises(MalformedAnswer) as caught:
        read_page(TARGET, 0, 2, answer(holding(value={"hex": "0x", "repr": ""})))
    assert str(caught.value.located("hiro:SP…")).startswith("hiro:SP…: $.results[0].value.hex: ")


@pytest.mark.parametrize("height", [0, MAX_BIGINT])
def test_a_block_height_up_to_bigint_is_kept(height: int) -> None:
    page = read_page(TARGET, 0, 2, answer(holding(block_height=height)))
    assert column(page, "block_height") == [height]


def test_more_results_than_the_total_are_a_torn_walk() -> None:
    with pytest.raises(TornWalk, match=r"position 2, but \$\.total is 1"):
        read_page(TARGET, 0, 2, answer(holding(), holding(), total=1))


def test_a_total_of_zero_past_the_first_position_is_a_torn_walk() -> None:
    with pytest.raises(TornWalk, match="shrank to 2 rows or fewer"):
        read_page(TARGET, 2, 2, answer(offset=2, total=0))


def test_a_value_of_100_kilobytes_is_kept_whole() -> None:
    data = b"\x02" + (50_000).to_bytes(4) + bytes(50_000)
    value_hex = "0x" + data.hex()
    page = read_page(TARGET, 0, 2, answer(holding(value={"hex": value_hex, "repr": "0x00"})))
    assert column(page, "value_hex") == [value_hex]


# --- what is sent ---------------------------------------------------------------------------------


def test_a_request_names_principal_limit_and_offset() -> None:
    assert page_request(TARGET, 400, 200).target == (
        "/extended/v1/tokens/nft/holdings"
        "?principal=SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7&limit=200&offset=400"
    )


def test_each_asset_identifier_is_a_parameter_of_its_own_in_the_name_that_the_server_knows() -> (
    None
):
    target = HiroPrincipal(principal=TARGET.principal, asset_identifiers=(MISC, BIG))
    assert page_request(target, 0, 200).target.partition("offset=0&")[2] == (
        "asset_identifiers=SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.big%3A%3Abig"
        "&asset_identifiers=SP2X0TZ59D5SZ8ACQ6YMCHHNR2ZN51Z32E2CJ173.misc%3A%3Am"
    )


def test_every_character_a_class_name_may_have_is_encoded() -> None:
    identifier = f"{TARGET.principal}.c::a-_!?+<>=/*"
    target = HiroPrincipal(principal=TARGET.principal, asset_identifiers=(identifier,))
    assert page_request(target, 0, 1).target.endswith(".c%3A%3Aa-_%21%3F%2B%3C%3E%3D%2F%2A")


@pytest.mark.parametrize(("key", "headers"), [(None, {}), ("k-1", {"x-api-key": "k-1"})])
def test_the_key_is_sent_where_there_is_one(key: str | None, headers: dict[str, str]) -> None:
    settings = HiroSettings(_env_file=None, api_key=key)
    outgoing = Outgoing("GET", page_request(TARGET, 0, 200).target, "api.hiro.so")
    assert auth_headers(settings, outgoing, datetime.now(UTC)) == headers


def test_a_height_that_no_block_has_is_refused_in_few_words(
    recorded: Read,
) -> None:
    body = json.loads(recorded("hiro/shapes/limit3.http")[2])
    body["results"][0]["block_height"] = 10**400
    with pytest.raises(MalformedAnswer, match=r"\[0\]\.block_height is 10+…, which no block has"):
        read_page(TARGET, body["offset"], body["limit"], json.dumps(body).encode())
