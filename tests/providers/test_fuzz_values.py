"""What strangers send in values, addresses and headers: it is read for what it means, or refused.

The same each time, in seconds. long_fuzz.py tells how to try others, for longer.
"""

import json
import math
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.errors import MalformedAnswer
from pipelines.extract.limits import asked_to_wait, until_reset
from pipelines.providers import c32, clarity
from pipelines.providers.damage import mutations
from pipelines.providers.hiro import check_principal
from tests.providers.fuzzing import MUTATIONS, SUBJECTS, seed, thoroughly


class TestClarity:
    """Against a decoder that is written the plain way: recursive, and building the value."""

    def _decode(self, data: bytes, depth: int = 0) -> tuple[Any, bytes]:
        kind, rest = data[0], data[1:]
        if kind in (0, 1):
            assert len(rest) >= 16
            return (kind, int.from_bytes(rest[:16], signed=kind == 0)), rest[16:]
        if kind in (2, 0x0D, 0x0E):
            content, rest = self._sized(rest, 4)
            return (kind, content.decode() if kind == 0x0E else content), rest
        if kind in (3, 4, 9):
            return (kind,), rest
        if kind in (5, 6):
            assert len(rest) >= 21
            name, left = self._sized(rest[21:], 1) if kind == 6 else (b"", rest[21:])
            return (kind, rest[:21], name), left
        if kind in (7, 8, 0x0A):
            inner, rest = self._decode(rest, depth + 1)
            return (kind, inner), rest
        assert kind in (0x0B, 0x0C)
        assert len(rest) >= 4
        count, rest, inner = int.from_bytes(rest[:4]), rest[4:], []
        for _ in range(count):
            name, rest = self._sized(rest, 1) if kind == 0x0C else (b"", rest)
            value, rest = self._decode(rest, depth + 1)
            inner.append((name, value))
        return (kind, inner), rest

    def _sized(self, data: bytes, width: int) -> tuple[bytes, bytes]:
        assert len(data) >= width
        end = width + int.from_bytes(data[:width])
        assert len(data) >= end
        return data[width:end], data[end:]

    def check(self, text: str) -> bool:
        try:
            parsed = clarity.parse(text)
        except MalformedAnswer:
            return False
        value, rest = self._decode(bytes.fromhex(text[2:]))
        assert rest == b""
        assert clarity._NAMES[value[0]] == parsed.type
        assert parsed.integer == (value[1] if value[0] in (0, 1) else None)
        return True

    def test_real_values_with_bytes_changed(self):
        documents = [json.loads(body) for body in SUBJECTS[1].bodies]
        values = {row["value"]["hex"] for found in documents for row in found["results"]}
        assert all(self.check(value) for value in values)
        raw = tuple(bytes.fromhex(value[2:]) for value in sorted(values))
        accepted = [self.check("0x" + body.hex()) for body in mutations(raw, MUTATIONS * 2, seed())]
        assert any(accepted)
        assert False in accepted

    @thoroughly
    @given(st.text(max_size=50) | st.binary(max_size=200).map(lambda data: "0x" + data.hex()))
    def test_any_text(self, text: str):
        self.check(text)

    @thoroughly
    @given(st.lists(st.sampled_from([bytes([kind]) for kind in range(16)] + [b"\0\0\0\2", b"\1a"])))
    def test_types_and_lengths_in_any_order(self, parts: list[bytes]):
        self.check("0x" + b"".join(parts).hex())


class TestAddresses:
    def check(self, address: str) -> bool:
        try:
            version, hash160 = c32.decode(address)
        except ValueError:
            return False
        assert c32.encode(version, hash160) == address
        return True

    @thoroughly
    @given(st.integers(0, 31), st.binary(min_size=20, max_size=20), st.data())
    def test_one_character_changed(self, version: int, hash160: bytes, data: st.DataObject):
        address = c32.encode(version, hash160)
        assert self.check(address)
        at = data.draw(st.integers(0, len(address) - 1))
        other = data.draw(st.characters() | st.sampled_from(c32.ALPHABET))
        changed = address[:at] + other + address[at + 1 :]
        assert self.check(changed) is (changed == address), "the checksum has 32 bits"

    @thoroughly
    @given(st.text(max_size=60) | st.text(c32.ALPHABET + "S", max_size=60).map("S".__add__))
    @example("S" + "Z" * 1_000_000)
    @example("SP" + "0" * 39)
    def test_any_text(self, text: str):
        self.check(text)
        for principal in (text, f"{text}.name", f"SP000000000000000000002Q6VF78.{text}"):
            try:
                check_principal(principal)
            except ValueError:
                continue
            assert self.check(principal.partition(".")[0])


NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
DATE = format_datetime(NOW, usegmt=True).encode()
DATES = (DATE, b"Monday, 04-May-26 12:00:30 GMT", b"Mon May  4 12:00:30 2026", b"120", b"+0200")
PARTS_OF_DATES = (
    "Mon", ",", "04", "31", "May", "Foo", "2026", "26", "0", "99999", "12:00:30", "12.00.30",
    "25:61:61", "GMT", "EST", "+0200", "-0000", "+9999", "Z", "-", ":", ".", "(", ")", "٣", "²",
)  # fmt: skip


class TestWaits:
    def check(self, value: str) -> None:
        headers = {"retry-after": value, "ratelimit-remaining": "0", "ratelimit-reset": value}
        for found in (
            asked_to_wait(headers, NOW.timestamp()),
            until_reset(headers, NOW.timestamp()),
        ):
            assert found is None or (found >= 0 and not math.isnan(found))
        assert until_reset({**headers, "ratelimit-remaining": value}, 0.0) is None or (
            value.strip() == "0"
        )

    @thoroughly
    @given(st.text(max_size=60))
    @example("9" * 5000)
    @example("9" * 400 + " GMT")
    @example("Mon, 04 May 2026 12:00:30 +" + "9" * 5000)
    @example("Mon, 04 May 99999 12:00:30 GMT")
    @example("Mon, 04 May 0000 00:00:00 +2359")
    @example("(" * 100_000)
    @example("Mon, 04 May 2026 12:00:30 GMT" + " x" * 100_000)
    def test_any_text(self, value: str):
        self.check(value)

    @thoroughly
    @given(
        st.lists(
            st.sampled_from(PARTS_OF_DATES),
            max_size=9,
        ).map(" ".join)
    )
    def test_parts_of_dates_in_any_order(self, value: str):
        self.check(value)

    def test_dates_with_bytes_changed(self):
        for value in mutations(DATES, MUTATIONS * 2, seed()):
            self.check(value.decode("latin-1"))
