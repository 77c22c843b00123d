"""Bodies to try the providers with, and what a body means, read in another way.

`meaning` reads with the standard library alone and applies the documented shapes by hand: whatever
a provider accepts has to mean the same to it, number for number and letter for letter.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipelines.providers import PROVIDERS
from pipelines.providers.altura import AlturaItem
from pipelines.providers.catenis import CatenisAsset
from pipelines.providers.hiro import HiroPrincipal
from pipelines.providers.pages import Answer
from pipelines.providers.provider import Provider, Target

LONG = settings.get_current_profile_name() == "long"
QUICK = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow],
)
thoroughly = settings.get_profile("long") if LONG else QUICK
MUTATIONS = 200_000 if LONG else 1500
REFERENCE = Path(__file__).parents[1] / "reference"

ALTURA = {
    "holders": [
        {
            "address": "0xF1151f738581f4f576ca28eef4844e7d91faad1b",
            "balance": 3,
            "name": "The Altura OG ",
            "profilePic": "https://ipfs.io/ipfs/QmSTV9SZaSZn7Wyh4cM9q7fXovuLSitSiDFHRTgUQYBXJZ",
            "profilePicUrl": "https://altura.example/f1151f738581f4f576ca28eef4844e7d91faad1b.png",
        },
        {"address": "0xaa", "balance": str(2**256 - 1), "name": "half \ud83d", "profilePic": None},
        {"address": "0xbb", "balance": 2**64 + 1, "name": "añ🦀\u0000\\"},
    ],
    "count": 93,
}
CATENIS = {
    "status": "success",
    "data": {
        "assetHolders": [
            {
                "holder": {"deviceId": "dnN3Ea43bhMTHtTvpytS", "name": "deviceB"},
                "balance": {"total": Decimal("1145.7500000"), "unconfirmed": 0},
            },
            {
                "holder": {"deviceId": "dv3htgvK7hjnKx3617Re", "prodUniqueId": "half \ud800"},
                "balance": {"total": 9007199254740993, "unconfirmed": Decimal("1E-7")},
            },
            {
                "migrated": True,
                "balance": {"total": Decimal("250.5"), "unconfirmed": Decimal("0.1")},
            },
        ],
        "hasMore": False,
    },
}


def encode(value: object) -> str:
    """JSON, with Decimals as they are spelled; ASCII alone."""
    if isinstance(value, dict):
        return f"{{{','.join(f'{json.dumps(key)}:{encode(of)}' for key, of in value.items())}}}"
    if isinstance(value, list):
        return f"[{','.join(map(encode, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def recorded(name: str) -> bytes:
    """The body of what Hiro's real server answered."""
    return (REFERENCE / "hiro" / name).read_bytes().partition(b"\n{")[2].join([b"{", b""])


Meaning = tuple[list[tuple[Any, ...]], int | None]
"""The rows that a body has, as the dataset's columns, and the total that it tells."""


@dataclass(frozen=True)
class Subject:
    """A provider with valid answers to one request, and with what a body means to it."""

    provider: Provider
    target: Target
    start: int
    limit: int
    bodies: tuple[bytes, ...]
    meaning: Callable[[Any], Meaning]

    def __str__(self) -> str:
        return self.provider.name

    def read(self, body: bytes) -> Any:
        answer = Answer(200, {}, body)
        return self.provider.addressing.read_page(self.target, self.start, self.limit, answer)


def _altura(document: Any) -> Meaning:
    names = ("name", "profilePic", "profilePicUrl")
    rows = [
        (
            holder["address"].lower(),
            Decimal(holder["balance"]),
            *(holder.get(name) for name in names),
        )
        for holder in document["holders"]
    ]
    return rows, document["count"]


def _hiro(document: Any) -> Meaning:
    rows = [
        (
            holding["asset_identifier"],
            holding["value"]["hex"],
            holding["value"]["repr"],
            holding["block_height"],
            holding["tx_id"],
        )
        for holding in document["results"]
    ]
    return rows, document["total"]


def _catenis(document: Any) -> Meaning:
    rows = [
        (
            entry["holder"]["deviceId"],
            entry["balance"]["total"],
            entry["balance"]["unconfirmed"],
            entry["holder"].get("name"),
            entry["holder"].get("prodUniqueId"),
        )
        for entry in document["data"]["assetHolders"]
        if entry.get("holder") is not None
    ]
    return rows, None


def without_derived(subject: Subject, row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row without the columns that repeat what others hold."""
    derived = ("value_type", "token_id")
    names = subject.provider.dataset.column_names
    return tuple(value for name, value in zip(names, row, strict=True) if name not in derived)


SUBJECTS = (
    Subject(
        PROVIDERS["altura"],
        AlturaItem(address="0x" + "ab" * 20, token_id=7),
        start=0,
        limit=100,
        bodies=(encode(ALTURA).encode(),),
        meaning=_altura,
    ),
    Subject(
        PROVIDERS["hiro"],
        HiroPrincipal(principal="SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"),
        start=0,
        limit=200,
        bodies=(
            recorded("shapes/misc-types.http"),
            recorded("pages/page-limit200-offset0000.http"),
        ),
        meaning=_hiro,
    ),
    Subject(
        PROVIDERS["catenis"],
        CatenisAsset(asset_id="aQjlzShmrnEZeeYBZihc"),
        start=0,
        limit=500,
        bodies=(encode(CATENIS).encode(),),
        meaning=_catenis,
    ),
)


def strictly(body: bytes) -> Any:
    """A body by the letter of RFC 8259. Raises ValueError, as json does, for any other: for what is
    not UTF-8, for NaN, for a key that stands twice."""
    return json.loads(
        body.decode(),
        parse_float=Decimal,
        parse_constant=_no_constant,
        object_pairs_hook=_once,
    )


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key stands twice")
    return members


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**300), 2**300)
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10, places=45)
    | st.text(st.characters())
    | st.sampled_from(
        [
            "success", "failure", "", "0", "-1", "1.5", "+1", " 1", "1_0", "٣", "0x01", "9" * 78,
            2**63, 2**63 - 1, -(10**4200), 10**4200, "\ud800", "0x03", "0x0A",
            Decimal("1E+77"), Decimal("1E-41"), Decimal("0E+99"), Decimal("-0.0"),
            Decimal("1E+999999"),
        ]
    )
)  # fmt: skip
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5)
    ),
    max_leaves=20,
)
GONE = object()


@st.composite
def one_thing_changed(draw: Callable[..., Any], documents: tuple[Any, ...]) -> Any:
    """A valid document in which one value is another, is gone, or stands in its list again."""
    document = draw(st.sampled_from(documents))
    place = draw(st.sampled_from(list(places(document))))
    if place and isinstance(place[-1], int) and draw(st.booleans()):
        return changed(document, place[:-1], lambda rows: [*rows, rows[place[-1]]])
    new = draw(SCALARS | ANY_JSON | st.just(GONE))
    return changed(document, place, lambda _: new)


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value of a document is: the keys and positions that lead to it."""
    yield above
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*above, key))


def changed(value: Any, place: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy of a document, with `change` applied to the value at `place`."""
    if not place:
        new = change(value)
        return None if new is GONE else new
    key, *rest = place
    inner = change(value[key]) if not rest else changed(value[key], tuple(rest), change)
    keys = value if isinstance(value, dict) else range(len(value))
    kept = {at: inner if at == key else value[at] for at in keys if at != key or inner is not GONE}
    return kept if isinstance(value, dict) else list(kept.values())


def seed() -> int:
    if LONG:
        from tests.providers.long_fuzz import SEED  # noqa: PLC0415 - importing it makes a run long

        return SEED
    return 1


def mutations(bodies: tuple[bytes, ...], count: int, seed: int) -> Iterator[bytes]:
    """Bodies with one to four things done to their bytes: flipped, cut, put in, doubled, …."""
    chance = random.Random(seed)
    for _ in range(count):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 4)):
            chance.choice(_MUTATORS)(chance, body, chance.choice(bodies))
        yield bytes(body)


_TOKENS = (
    *(bytes([byte]) for byte in b'{}[]",:\\0-+.eE\x00\x1f\x7f\xff'),
    b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e9", b"00", b"\\ud800", b"\\u0000", b"\\",
    b"\xef\xbb\xbf", b"\xc0\x80", b"9" * 400, b"0." + b"0" * 60 + b"1", b"1e-999",
    b'"holders":[],', b'"count":0,', b'"total":0,', b'"results":[],', b'"hasMore":true,',
)  # fmt: skip


def _span(chance: random.Random, body: bytes | bytearray) -> slice:
    start = chance.randint(0, len(body))
    return slice(start, start + chance.choice([1, 2, 8, 40, 400]))


def _flip(chance: random.Random, body: bytearray, _: bytes) -> None:
    if body:
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)


def _cut(chance: random.Random, body: bytearray, _: bytes) -> None:
    del body[_span(chance, body)]


def _end(chance: random.Random, body: bytearray, _: bytes) -> None:
    del body[chance.randint(0, len(body)) :]


def _insert(chance: random.Random, body: bytearray, _: bytes) -> None:
    at = chance.randint(0, len(body))
    body[at:at] = chance.choice(_TOKENS)


def _double(chance: random.Random, body: bytearray, _: bytes) -> None:
    span = _span(chance, body)
    body[span] = body[span] * 2


def _splice(chance: random.Random, body: bytearray, other: bytes) -> None:
    body[_span(chance, body)] = other[_span(chance, other)]


def _digit(chance: random.Random, body: bytearray, _: bytes) -> None:
    digits = [at for at, byte in enumerate(body[:4000]) if byte in b"0123456789"]
    if digits:
        body[chance.choice(digits)] = chance.choice(b"0123456789.-eE")


_MUTATORS = (_flip, _cut, _end, _insert, _double, _splice, _digit)
