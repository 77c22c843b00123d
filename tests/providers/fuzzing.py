"""Bodies to try the providers with, and what a body means, read in another way.

`meaning` reads with the standard library alone and applies the documented shapes by hand: whatever
a provider accepts has to mean the same to it, number for number and letter for letter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pipelines.providers import PROVIDERS
from pipelines.providers.altura import AlturaItem
from pipelines.providers.catenis import CatenisAsset
from pipelines.providers.damage import GONE, changed, encode, places
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
HOLDERS = [
    {
        "holder": {"deviceId": "dnN3Ea43bhMTHtTvpytS", "name": "deviceB"},
        "balance": {"total": Decimal("1145.7500000"), "unconfirmed": 0},
    },
    {
        "holder": {"deviceId": "dv3htgvK7hjnKx3617Re", "prodUniqueId": "half \ud800"},
        "balance": {"total": 9007199254740993, "unconfirmed": Decimal("1E-7")},
    },
    {
        "holder": {"deviceId": "dQrtVkPqT1hYxL7Rb2Aa"},
        "balance": {"total": 1, "unconfirmed": 1},
    },
    {
        "migrated": True,
        "balance": {"total": Decimal("250.5"), "unconfirmed": Decimal("0.1")},
    },
]


def catenis(entries: list[Any], *, has_more: bool = False) -> Any:
    return {"status": "success", "data": {"assetHolders": entries, "hasMore": has_more}}


CATENIS = catenis(HOLDERS)


def recorded(name: str) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of what Hiro's real server answered."""
    head, _, body = (REFERENCE / "hiro" / name).read_bytes().partition(b"{")
    lines = [line.partition(": ") for line in head.decode().split("\n")[1:]]
    return b"{" + body, {key.lower(): value.strip() for key, _, value in lines if value}


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


def meaning_for_altura(document: Any) -> Meaning:
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


def meaning_for_hiro(document: Any) -> Meaning:
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


def meaning_for_catenis(document: Any) -> Meaning:
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
        meaning=meaning_for_altura,
    ),
    Subject(
        PROVIDERS["hiro"],
        HiroPrincipal(principal="SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"),
        start=0,
        limit=200,
        bodies=(
            recorded("shapes/misc-types.http")[0],
            recorded("pages/page-limit200-offset0000.http")[0],
        ),
        meaning=meaning_for_hiro,
    ),
    Subject(
        PROVIDERS["catenis"],
        CatenisAsset(asset_id="aQjlzShmrnEZeeYBZihc"),
        start=0,
        limit=500,
        bodies=(encode(CATENIS).encode(),),
        meaning=meaning_for_catenis,
    ),
)


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


@st.composite
def one_thing_changed(draw: Callable[..., Any], documents: tuple[Any, ...]) -> Any:
    """A valid document in which one value is another, is gone, or stands in its list again."""
    document = draw(st.sampled_from(documents))
    place = draw(st.sampled_from(list(places(document))))
    if place and isinstance(place[-1], int) and draw(st.booleans()):
        return changed(document, place[:-1], lambda rows: [*rows, rows[place[-1]]])
    new = draw(SCALARS | ANY_JSON | st.just(GONE))
    return changed(document, place, lambda _: new)


def seed() -> int:
    if LONG:
        from tests.providers.long_fuzz import SEED  # noqa: PLC0415 - importing it makes a run long

        return SEED
    return 1
