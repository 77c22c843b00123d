"""A provider whose pages have cursors: its file in pipelines/providers, whole.

`GET /v1/vaults/{vault}/deeds?limit=…&cursor=…` lists a vault's deeds by their ids. It does what
such APIs do: a cursor names the first deed of the next page and is a lower bound, so that a deed
which has left is passed over silently; `total` is of the moment of the page; one ETag for the whole
vault. test_added_providers.py adds it to a copy of the project.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from pipelines.errors import MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.decoding import decode
from pipelines.providers.pages import Answer, Cursors, Page, PageRequest
from pipelines.providers.proofs import Proof
from pipelines.providers.provider import (
    BASE_URL,
    PAGE_SIZE,
    BaseUrl,
    Column,
    Dataset,
    Outgoing,
    Provider,
    ProviderSettings,
    Target,
    Words,
    count,
    excerpt,
    refusal,
    whole,
)

MAX_LIMIT = 100


class VaultSettings(ProviderSettings):
    model_config = SettingsConfigDict(env_prefix="MADE_UP_")

    base_url: BaseUrl = Field(default="https://vaults.example", description=BASE_URL)
    page_size: Annotated[int, Field(ge=2, le=MAX_LIMIT)] = Field(
        default=MAX_LIMIT, description=PAGE_SIZE
    )


class Vault(Target):
    """A vault, by its name."""

    provider: ClassVar[str] = "made_up"

    vault: str = Field(description="a vault's name")

    @property
    def subject(self) -> str:
        return self.vault


class _Deed(msgspec.Struct, frozen=True, gc=False):
    id: str
    shares: int


class _Deeds(msgspec.Struct, frozen=True):
    total: int
    next: str | None
    deeds: list[_Deed]


def page_request(target: Vault, start: str, limit: int) -> PageRequest:
    cursor = [("cursor", start)] if start else []
    return PageRequest(f"/v1/vaults/{target.vault}/deeds", (("limit", str(limit)), *cursor))


def read_page(target: Vault, start: str, limit: int, answer: Answer) -> Page[str]:
    """The deeds from a cursor on. Raises MalformedAnswer, and TornWalk where all of them have left
    since the cursor was told."""
    body = decode(answer.body, _Deeds)
    if len(body.deeds) > limit:
        raise MalformedAnswer(f"{len(body.deeds)} deeds on a page of {limit}")
    total = count(body.total, "$.total")
    if len(body.deeds) > total:
        raise TornWalk(f"{len(body.deeds)} deeds, but $.total is {total}")
    if start and not body.deeds:
        raise TornWalk("no deed is left from the cursor on")
    return Page(
        start=start,
        limit=limit,
        rows=tuple(
            (deed.id, whole(deed.shares, f"$.deeds[{index}].shares"))
            for index, deed in enumerate(body.deeds)
        ),
        next=body.next,
        total=total,
        tag=answer.headers.get("etag"),
    )


def auth_headers(settings: VaultSettings, outgoing: Outgoing, now: datetime) -> dict[str, str]:
    return {}


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    return refusal(status, excerpt(body), "Check MADE_UP_BASE_URL" if status == 404 else "")


MADE_UP = Provider(
    name="made_up",
    title="Made-up vaults",
    dataset=Dataset(
        name="made_up_deeds",
        title="Made-up vaults",
        description="Deeds in each watched vault.",
        words=Words(
            target="a vault.",
            subject="a vault",
            row="deed",
            holder="vault",
            asset="deed id",
        ),
        columns=(
            Column("deed_id", "text", "Id of the deed."),
            Column("shares", "numeric", "Shares that it is for."),
        ),
        key=("deed_id",),
        asset="deed_id",
        amount="shares",
    ),
    target_type=Vault,
    settings_type=VaultSettings,
    addressing=Cursors(page_request=page_request, read_page=read_page, tells_total=True),
    proofs=(Proof.SINGLE_PAGE, Proof.DOUBLE_COLLECT),
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=MAX_LIMIT,
)
