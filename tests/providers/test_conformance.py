"""What every provider has to pass, on recorded answers or those that the documentation has."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from pipelines.providers import PROVIDERS
from pipelines.providers.altura import AlturaItem
from pipelines.providers.catenis import CatenisAsset
from pipelines.providers.conformance import Conformance, Recorded
from pipelines.providers.damage import encode
from pipelines.providers.hiro import HiroPrincipal
from pipelines.providers.pages import Row
from tests.end_to_end.added.cursors_provider import MADE_UP, Vault
from tests.providers import fuzzing


class Thorough(Conformance):
    """As long as it is asked for (long_fuzz.py)."""

    rounds = fuzzing.MUTATIONS
    seed = fuzzing.seed()


class TestAltura(Thorough):
    provider = PROVIDERS["altura"]
    target = AlturaItem(address="0x" + "ab" * 20, token_id=7)
    walk = tuple(
        Recorded(start, 2, encode({"holders": holders, "count": 3}).encode())
        for start, holders in (
            (0, fuzzing.ALTURA["holders"][:2]),
            (2, fuzzing.ALTURA["holders"][2:]),
        )
    )
    empty = b'{"holders": [], "count": 0}'
    rows_at = ("holders",)
    optional = frozenset(f"holders[].{name}" for name in ("name", "profilePic", "profilePicUrl"))

    def meaning(self, document: Any) -> fuzzing.Meaning:
        return fuzzing.meaning_for_altura(document)


class TestHiro(Thorough):
    provider = PROVIDERS["hiro"]
    target = HiroPrincipal(principal="SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7")
    walk = tuple(
        Recorded(start, 200, *fuzzing.recorded(f"pages/page-limit200-offset{start:04}.http"))
        for start in range(0, 1237, 200)
    )
    empty = b'{"limit": 200, "offset": 0, "total": 0, "results": []}'
    rows_at = ("results",)

    def meaning(self, document: Any) -> fuzzing.Meaning:
        return fuzzing.meaning_for_hiro(document)

    def as_meant(self, row: Row) -> Row:
        return (*row[:3], *row[5:])


def in_pages_of_v3(limit: int) -> tuple[Recorded, ...]:
    """The set that the server gave on one page, as it gives it on several."""
    captured = fuzzing.REFERENCE / "hiro/captured/v3_default.json"
    body = json.loads(captured.read_text(encoding="utf-8"))["body"]
    rows = body["results"]
    names = [f"{row['value']['hex']}:{row['asset_identifier']}" for row in rows]
    return tuple(
        Recorded(
            names[at] if at else "",
            limit,
            encode(
                {
                    "total": len(rows),
                    "limit": limit,
                    "cursor": {"next": names[at + limit] if at + limit < len(rows) else None},
                    "results": rows[at : at + limit],
                }
            ).encode(),
            {"etag": '"7"'},
        )
        for at in range(0, len(rows), limit)
    )


class TestHiroV3(Thorough):
    """The other API, as if it were a provider of its own."""

    _v3 = PROVIDERS["hiro"].ways[1]
    provider = replace(
        PROVIDERS["hiro"], api="v3", addressing=_v3.addressing, proofs=_v3.proofs, successor=None
    )
    target = HiroPrincipal(principal="SP3SA64155SGM64CM4Y347NRX1TKRQFEM8H0C949")
    walk = in_pages_of_v3(5)
    empty = encode({"total": 0, "limit": 5, "cursor": {"next": None}, "results": []}).encode()
    rows_at = ("results",)
    nullable = frozenset({"cursor.next"})

    def meaning(self, document: Any) -> fuzzing.Meaning:
        rows = [
            (row["asset_identifier"], row["value"]["hex"], row["value"]["repr"])
            for row in document["results"]
        ]
        return rows, document["total"]

    def as_meant(self, row: Row) -> Row:
        return row[:3]


class TestCatenis(Thorough):
    provider = PROVIDERS["catenis"]
    target = CatenisAsset(asset_id="aQjlzShmrnEZeeYBZihc")
    walk = tuple(
        Recorded(start, 2, encode(fuzzing.catenis(entries, has_more=start == 0)).encode())
        for start, entries in ((0, fuzzing.HOLDERS[:2]), (2, fuzzing.HOLDERS[2:]))
    )
    empty = encode(fuzzing.catenis([])).encode()
    rows_at = ("data", "assetHolders")
    optional = frozenset(f"data.assetHolders[].holder.{name}" for name in ("name", "prodUniqueId"))

    def meaning(self, document: Any) -> fuzzing.Meaning:
        return fuzzing.meaning_for_catenis(document)


class TestMadeUp(Thorough):
    """One with cursors."""

    provider = MADE_UP
    target = Vault(vault="main")
    walk = tuple(
        Recorded(
            start,
            2,
            json.dumps(
                {
                    "total": 3,
                    "next": next_,
                    "deeds": [{"id": name, "shares": 10**20} for name in names],
                }
            ).encode(),
            {"etag": '"7"'},
        )
        for start, next_, names in (("", "c", "ab"), ("c", None, "c"))
    )
    empty = b'{"total": 0, "next": null, "deeds": []}'
    rows_at = ("deeds",)
    nullable = frozenset({"next"})

    def meaning(self, document: Any) -> fuzzing.Meaning:
        rows = [(deed["id"], Decimal(deed["shares"])) for deed in document["deeds"]]
        return rows, document["total"]
