import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.extract.limits import asked_to_wait, until_reset

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
NOW = NOON.timestamp()


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        (http_date(NOON + timedelta(seconds=90)), 90),
        ("Mon, 04 May 2026 14:00:30 +0200", 30),
        ("Monday, 04-May-26 12:00:30 GMT", 30),
        ("Mon, 04 May 2026 12:00:30", 30),
        ("Mon, 04 May 2026 12:00:30 -0000", 30),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    assert asked_to_wait({"retry-after": value}, NOW) == seconds


def test_a_date_without_a_zone_is_gmt_wherever_the_machine_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert asked_to_wait({"retry-after": "Mon, 04 May 2026 12:00:30"}, NOW) == 30
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_date_gone_by_asks_for_no_wait() -> None:
    assert asked_to_wait({"retry-after": http_date(NOON - timedelta(days=1))}, NOW) == 0


@pytest.mark.parametrize(
    "value", ["", "soon", "-5", "1.5", "٣", "²", "120, 60", "Mon, 32 May 2026 12:00:00 GMT"]
)
def test_a_retry_after_that_makes_no_sense_counts_as_none(value: str) -> None:
    assert asked_to_wait({"retry-after": value}, NOW) is None


def test_without_retry_after_nothing_is_asked() -> None:
    assert asked_to_wait({"x-other": "5"}, NOW) is None


def test_a_number_too_large_to_count_is_a_very_long_wait() -> None:
    assert asked_to_wait({"retry-after": "9" * 5000}, NOW) == float("inf")


header_texts = st.text(st.characters(max_codepoint=255), max_size=40)
almost_dates = st.from_regex(
    r"\A(Mon, )?[0-9]{1,3} (Jan|Feb|Foo) [0-9]{1,6} [0-9]{1,3}(:[0-9]{1,3}){0,3} "
    r"(GMT|EST|-0000|[+-][0-9]{1,20})?\Z"
)


@given(header_texts | almost_dates)
@example("Mon, 04 May 2026 12:00:00 +99999999999999999999")
@example("Mon, 01 Jan 0001 00:00:00 -0000")
@example("Fri, 31 Dec 9999 23:59:59 -2359")
@example(",")
def test_whatever_retry_after_holds_it_is_a_wait_or_none(value: str) -> None:
    wait = asked_to_wait({"retry-after": value}, NOW)
    assert wait is None or wait >= 0


def test_a_reset_is_seconds_from_now_or_a_unix_time() -> None:
    spent = {"ratelimit-remaining": "0"}
    assert until_reset(spent | {"ratelimit-reset": "42"}, NOW) == 42
    assert until_reset(spent | {"ratelimit-reset": str(int(NOW) + 42)}, NOW) == 42


def test_a_reset_gone_by_is_now() -> None:
    spent = {"ratelimit-remaining": "0", "ratelimit-reset": str(int(NOW) - 42)}
    assert until_reset(spent, NOW) == 0


@pytest.mark.parametrize("remaining", ["1", "00", "-1", "", "none"])
def test_a_reset_counts_only_when_nothing_remains(remaining: str) -> None:
    headers = {"ratelimit-remaining": remaining, "ratelimit-reset": "42"}
    assert until_reset(headers, NOW) is None


def test_without_headers_there_is_no_reset() -> None:
    assert until_reset({}, NOW) is None


@given(header_texts)
@example("9" * 5000)
@example("²")
def test_whatever_a_reset_holds_it_is_a_wait_or_none(value: str) -> None:
    wait = until_reset({"ratelimit-remaining": "0", "ratelimit-reset": value}, NOW)
    assert wait is None or wait >= 0
