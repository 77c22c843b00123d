"""Numbers, times and strangers' text as the page writes them. All of it comes out escaped."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from markupsafe import Markup, escape

from pipelines.analysis.tables import abbreviated, printable

MINUS, TIMES, NOTHING = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}", "\N{EN DASH}"
LONGEST_NUMBER = 18
"""Digits of a number that is written out; a longer one is rounded, with all of it in its title."""
LONGEST_TEXT = 60
LONGEST_TITLE = 400

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_THOUSANDS = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def number(value: Decimal | int | None, *, sign: bool = False) -> Markup:
    """Exact, with thousands separators; where that is too long, rounded, and exact in a title."""
    if value is None:
        return escape(NOTHING)
    exact = plain_number(value, sign=sign)
    if sum(char.isdigit() for char in exact) <= LONGEST_NUMBER:
        return escape(exact)
    digits, _, exponent = f"{Decimal(value):{'+' if sign else ''}.3e}".partition("e")
    power = str(int(exponent)).translate(_SUPERSCRIPTS)
    rounded = f"≈ {digits.replace('-', MINUS)} {TIMES} 10{power}"
    return Markup('<abbr title="{}">{}</abbr>').format(exact[:LONGEST_TITLE], rounded)


def plain_number(value: Decimal | int, *, sign: bool = False) -> str:
    """Exact, as text, with a true minus."""
    plus = "+" if sign else ""
    text = f"{value:{plus},f}" if isinstance(value, Decimal) else f"{value:{plus},}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", MINUS)


def short_numbers(values: Sequence[float]) -> list[str]:
    """Numbers beside an axis: 950, 1.2k, 3M, 10¹⁵; with as many digits as they all need."""
    gap = min((abs(b - a) for a, b in pairwise(values)), default=0.0)
    written: list[str] = []
    for digits in range(3, 17):
        written = [_short(value, digits) for value in values]
        if all(abs(float(f"{value:.{digits}g}") - value) <= gap / 1000 for value in values):
            break
    return written


def _short(value: float, digits: int) -> str:
    if value < 10_000:
        return f"{value:,.{max(digits, 4)}g}"
    if value < 10**15:
        unit, letter = next((unit, letter) for unit, letter in _THOUSANDS if value >= unit)
        return f"{value / unit:,.{digits}g}{letter}"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    power = f"10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return power if mantissa == "1" else f"{mantissa}·{power}"


def percent(share: Decimal | float | None) -> str:
    """A share of 0 to 1 in percent, never rounded to nothing or to all."""
    if share is None:
        return NOTHING
    value = float(share) * 100
    if 0 < value < 0.01:
        return "< 0.01 %"
    if 99.99 < value < 100:
        return "> 99.99 %"
    return f"{value:.2f} %" if value < 10 else f"{value:.1f} %"


def moment(value: datetime | None) -> Markup:
    """A time in UTC, to the second."""
    if value is None:
        return escape(NOTHING)
    utc = value.astimezone(UTC)
    return Markup(
        '<time datetime="{}"><span>{:%Y-%m-%d}</span> <span>{:%H:%M:%S}</span></time>'
    ).format(utc.isoformat(), utc, utc)


def day(value: datetime) -> Markup:
    """The day of a time, in UTC; the time is in the title."""
    utc = value.astimezone(UTC)
    return Markup('<time datetime="{}" title="{:%Y-%m-%d %H:%M:%S} UTC">{:%Y-%m-%d}</time>').format(
        utc.isoformat(), utc, utc
    )


def duration(value: timedelta | None) -> str:
    """A length of time in its two largest units; of minutes, the minutes."""
    if value is None:
        return NOTHING
    seconds = max(0, int(value.total_seconds()))
    parts: list[str] = []
    for unit, letter in _UNITS:
        if seconds >= unit or (letter == "s" and not parts):
            parts.append(f"{seconds // unit} {letter}")
            seconds %= unit
        elif parts:
            break
    return " ".join(part for place, part in enumerate(parts[:2]) if not place or part[-1] != "s")


def token_class(value: str) -> Markup:
    """A class of tokens without the address of who made it, which is in the title."""
    shown = printable(value.partition(".")[2] or value)
    title = _cut(printable(value), LONGEST_TITLE)
    return Markup('<bdi title="{}">{}</bdi>').format(title, _cut(shown, LONGEST_TEXT))


def text(value: str | None, longest: int = LONGEST_TEXT, *, whole: bool = False) -> Markup:
    """What a stranger chose: as the characters that it consists of, apart from the text around it,
    cut where it is long, with its beginning in the title. A long word, such as an address, is
    abbreviated unless it is wanted `whole`."""
    if value is None:
        return escape(NOTHING)
    full = printable(value)
    shown = full if whole or " " in full else abbreviated(full)
    shown = _cut(shown, longest)
    if shown == full:
        return Markup("<bdi>{}</bdi>").format(shown)
    title = _cut(full, LONGEST_TITLE)
    return Markup('<bdi title="{}">{}</bdi>').format(title, shown)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
