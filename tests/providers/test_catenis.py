"""catenis.py on the vendor's sample, and on what the server's source shows besides."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from pipelines.errors import ConfigurationError, MalformedAnswer, RequestRefused, ServerFailed
from pipelines.providers.catenis import (
    CatenisAsset,
    CatenisSettings,
    Migrated,
    auth_headers,
    explain,
    page_request,
    read_page,
)
from pipelines.providers.pages import Answer, Page, Row
from pipelines.providers.provider import Outgoing

ASSET = CatenisAsset(asset_id="aQjlzShmrnEZeeYBZihc")

# The vendor's sample, as it stands.
SAMPLE = b"""{
  "status": "success",
  "data": {
    "assetHolders": [
      {
        "holder": {
          "deviceId": "dnN3Ea43bhMTHtTvpytS",
          "name": "deviceB",
          "prodUniqueId": "XYZABC001"
        },
        "balance": {
          "total": 1145.75,
          "unconfirmed": 0
        }
      },
      {
        "holder": {
          "deviceId": "dv3htgvK7hjnKx3617Re",
          "name": "Catenis device #1"
        },
        "balance": {
          "total": 504.25,
          "unconfirmed": 0
        }
      }
    ],
    "hasMore": false
  }
}"""


def entry(total: str = "1", unconfirmed: str = "0", device: str = "d1", name: str = '"n"') -> str:
    """A holder as JSON text, as the numbers' spelling matters here."""
    return (
        f'{{"holder": {{"deviceId": "{device}", "name": {name}}},'
        f' "balance": {{"total": {total}, "unconfirmed": {unconfirmed}}}}}'
    )


def migrated(total: str = "250.5", unconfirmed: str = "0") -> str:
    balance = f'{{"total": {total}, "unconfirmed": {unconfirmed}}}'
    return f'{{"migrated": true, "balance": {balance}}}'


def answer(*entries: str, has_more: str = '"hasMore": false') -> bytes:
    return (
        f'{{"status": "success", "data": {{"assetHolders": [{", ".join(entries)}], {has_more}}}}}'
    ).encode()


def read(body: bytes, start: int = 0, limit: int = 500) -> Page[int]:
    return read_page(ASSET, start, limit, Answer(200, {}, body))


def only_row(body: bytes) -> Row:
    (row,) = read(body).rows
    return row


# --- rows and ends --------------------------------------------------------------------------------


def test_the_vendors_sample_is_read() -> None:
    assert read(SAMPLE).rows == (
        ("dnN3Ea43bhMTHtTvpytS", Decimal("1145.75"), Decimal(0), "deviceB", "XYZABC001"),
        ("dv3htgvK7hjnKx3617Re", Decimal("504.25"), Decimal(0), "Catenis device #1", None),
    )


def test_there_is_no_total() -> None:
    assert read(SAMPLE).total is None


@pytest.mark.parametrize(("has_more", "last"), [("true", False), ("false", True)])
def test_has_more_is_the_only_end(has_more: str, last: bool) -> None:
    assert read(answer(has_more=f'"hasMore": {has_more}')).last == last


@pytest.mark.parametrize("has_more", ['"hasMore": null', '"more": false', '"hasMore": 0'])
def test_an_answer_that_does_not_tell_the_end_is_refused(has_more: str) -> None:
    with pytest.raises(MalformedAnswer, match="hasMore"):
        read(answer(has_more=has_more))


def test_an_unknown_asset_is_an_empty_set() -> None:
    page = read(answer())
    assert (page.rows, page.extra, page.last) == ((), None, True)


# --- the migrated amount --------------------------------------------------------------------------


def test_the_migrated_amount_is_no_holder() -> None:
    assert len(read(answer(entry(), migrated())).rows) == 1


def test_the_migrated_amount_stands_apart() -> None:
    page = read(answer(entry(), migrated("250.5", "0.25")))
    assert page.extra == Migrated(Decimal("250.5"), Decimal("0.25"))


def test_the_migrated_amount_may_stand_anywhere_on_the_page() -> None:
    page = read(answer(migrated(), entry()))
    assert (len(page.rows), page.extra) == (1, Migrated(Decimal("250.5"), Decimal(0)))


def test_the_migrated_amount_has_room_beside_a_full_page_of_holders() -> None:
    page = read(answer(entry(), entry(device="d2"), migrated()), limit=2)
    assert (len(page.rows), page.extra is not None) == (2, True)


def test_a_page_beyond_the_end_still_shows_the_migrated_amount() -> None:
    page = read(answer(migrated()), start=500)
    assert (page.rows, page.last, page.extra is not None) == ((), True, True)


def test_a_second_migrated_amount_is_refused() -> None:
    with pytest.raises(MalformedAnswer, match=r"\[1\] is a second migrated amount"):
        read(answer(migrated(), migrated()))


def test_a_bad_migrated_amount_is_refused() -> None:
    with pytest.raises(MalformedAnswer, match=r"assetHolders\[0\]\.balance\.total is -1"):
        read(answer(migrated("-1")))


@pytest.mark.parametrize("flag", ["", '"migrated": false, ', '"holder": null, '])
def test_an_entry_that_is_neither_holder_nor_migrated_is_refused(flag: str) -> None:
    with pytest.raises(MalformedAnswer, match=r"\[0\] has no holder and is not the migrated"):
        read(answer(f'{{{flag}"balance": {{"total": 1, "unconfirmed": 0}}}}'))


# --- amounts and names ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "amount",
    [
        *("0", "1", "1.0", "1145.75", "0.1234567", "1e-7", "1E-7", "1e3"),
        *("9007199254740993", "92233720368.5477581", "123456789012345678901234567890.1234567"),
        str(2**256 - 1),
    ],
)
def test_an_amount_is_exact(amount: str) -> None:
    assert only_row(answer(entry(amount)))[1] == Decimal(amount)


@pytest.mark.parametrize("name", ['"n"', r'"\ud83d"'], ids=["plain", "lone surrogate"])
@pytest.mark.parametrize(
    "amount",
    [
        *("-1", "-0.0000001", "1e400", "1e999999999", "1e9999999999999999999", "1e-999999999"),
        *("0e999999999", "1e-41", "NaN", "Infinity", "-Infinity", "true", "null", "[]"),
        *(
            '"NaN"',
            '"Infinity"',
            '"sNaN"',
            '"abc"',
            '""',
            '"504"',
            '"504.25"',
            "false",
            str(2**256),
            "9" * 5000,
            f"0.{'1' * 60}",
        ),
    ],
    ids=lambda text: text[:24],
)
def test_an_amount_that_is_none_is_refused(amount: str, name: str) -> None:
    with pytest.raises(MalformedAnswer) as caught:
        read(answer(entry(amount, name=name)))
    assert len(str(caught.value)) < 500


def test_a_refused_amount_is_told_with_its_place() -> None:
    with pytest.raises(MalformedAnswer, match=r"\$\.data\.assetHolders\[1\]\.balance\.unconfirmed"):
        read(answer(entry(), entry(unconfirmed="-1")))


@pytest.mark.parametrize(
    ("written", "decoded"),
    [
        ('"trailing "', "trailing "),
        (r'"a\u0000b"', "a\0b"),
        (r'"\ud83d"', "\ud83d"),
        ("null", None),
        ('""', ""),
    ],
)
def test_a_name_is_whatever_its_owner_chose(written: str, decoded: str | None) -> None:
    assert only_row(answer(entry(name=written)))[3] == decoded


# --- what should not come back --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"status": "error", "message": "Internal server error"}', r"at `\$\.status`|`data`"),
        (answer(entry(device="")), r"assetHolders\[0\]\.holder\.deviceId is empty"),
        (answer('{"holder": {"deviceId": "d"}}'), r"`balance` - at `\$\.data\.assetHolders\[0\]`"),
        (answer('{"holder": {}, "balance": {}}'), r"at `\$\.data\.assetHolders\[0\]"),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_a_body_that_breaks_the_documented_form_is_refused(body: bytes, told: str) -> None:
    with pytest.raises(MalformedAnswer, match=told):
        read(body)


@pytest.mark.parametrize(
    ("status", "message", "kind", "advice"),
    [
        (400, "Invalid asset ID", RequestRefused, "Check the asset id"),
        (400, "Invalid parameters", RequestRefused, "Check the asset id"),
        (401, "You must be logged in to do this.", RequestRefused, "this machine's clock"),
        (403, "No permission to list asset holders", RequestRefused, "that issued the asset"),
        (404, "Not found", RequestRefused, "CATENIS_BASE_URL"),
        (500, "Internal server error", ServerFailed, ""),
        (503, "System currently not available; please try again", ServerFailed, ""),
    ],
)
def test_an_error_quotes_the_message_and_says_what_to_do(
    status: int, message: str, kind: type[Exception], advice: str
) -> None:
    error = explain(status, {}, f'{{"status": "error", "message": "{message}"}}'.encode())
    assert type(error) is kind
    assert str(error).startswith(f"answered {status}: {message}")
    assert advice in str(error)


@pytest.mark.parametrize(
    "body",
    [b"<html>Forbidden</html>", b"", b"\xff", b'{"message": ""}', b'{"message": 5}', b"[" * 9999],
)
def test_an_error_without_a_message_shows_the_bodys_beginning(body: bytes) -> None:
    shown = body[:100].decode("utf-8", "replace")
    assert f"answered 403: '{shown}" in str(explain(403, {}, body))


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "limit"), [(0, 500), (1000, 500), (7, 1)])
def test_a_request_names_limit_and_skip(start: int, limit: int) -> None:
    assert page_request(ASSET, start, limit).target == (
        f"/api/0.6/assets/aQjlzShmrnEZeeYBZihc/holders?limit={limit}&skip={start}"
    )


@pytest.mark.parametrize("given", [{}, {"device_id": "d1"}, {"api_secret": "s"}])
def test_without_credentials_it_says_what_to_set(given: dict[str, str]) -> None:
    settings = CatenisSettings(_env_file=None, **given)
    outgoing = Outgoing("GET", page_request(ASSET, 0, 500).target, "catenis.io")
    with pytest.raises(ConfigurationError, match="set CATENIS_DEVICE_ID and CATENIS_API_SECRET"):
        auth_headers(settings, outgoing, datetime.now(UTC))


def test_a_request_is_signed_with_the_devices_secret() -> None:
    settings = CatenisSettings(_env_file=None, device_id="d1", api_secret="s3cret")
    outgoing = Outgoing("GET", page_request(ASSET, 0, 500).target, "catenis.io")
    headers = auth_headers(settings, outgoing, datetime(2026, 11, 20, 5, 38, 38, tzinfo=UTC))
    assert headers["X-BCoT-Timestamp"] == "20261120T053838Z"
    assert "Credential=d1/20261120/ctn1_request" in headers["Authorization"]
    assert "s3cret" not in str(headers)
