"""A provider of which any page can be asked for: its file in pipelines/providers, whole.

`GET /holders/NAME?skip=&limit=` answers {"holders": [{"address", "amount"}, …], "total"}, and
promises no order. test_added_providers.py adds it to a copy of the project.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from pipelines.errors import MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.decoding import decode
from pipelines.providers.pages import Answer, Page, PageRequest, Positions
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
    Subject,
    Target,
    Words,
    count,
    excerpt,
    refusal,
    whole,
)

MAX_LIMIT = 100


class FourthSettings(ProviderSettings):
    model_config = SettingsConfigDict(env_prefix="FOURTH_")

    base_url: BaseUrl = Field(default="https://fourth.example", description=BASE_URL)
    page_size: Annotated[int, Field(ge=2, le=MAX_LIMIT)] = Field(
        default=MAX_LIMIT, description=PAGE_SIZE
    )


class FourthToken(Target):
    """A token, by its name."""

    provider: ClassVar[str] = "fourth"

    token: str = Field(description="a token's name")

    @property
    def subject(self) -> str:
        return self.token


class _Holder(msgspec.Struct, frozen=True, gc=False):
    address: str
    amount: int


class _Holders(msgspec.Struct, frozen=True):
    holders: list[_Holder]
    total: int


def page_request(target: FourthToken, start: int, limit: int) -> PageRequest:
    query = (("skip", str(start)), ("limit", str(limit)))
    return PageRequest(f"/holders/{target.token}", query)


def read_page(target: FourthToken, start: int, limit: int, answer: Answer) -> Page[int]:
    """The holders from a position on. Raises MalformedAnswer, and TornWalk where more of them came
    than the total leaves room for."""
    body = decode(answer.body, _Holders)
    if len(body.holders) > limit:
        raise MalformedAnswer(f"{len(body.holders)} holders on a page of {limit}")
    total = count(body.total, "$.total")
    end = start + len(body.holders)
    if body.holders and end > total:
        raise TornWalk(f"holders up to position {end}, but $.total is {total}")
    return Page(
        start=start,
        limit=limit,
        rows=tuple(
            (holder.address, whole(holder.amount, f"$.holders[{index}].amount"))
            for index, holder in enumerate(body.holders)
        ),
        next=start + limit if end < total else None,
        total=total,
    )


def auth_headers(settings: FourthSettings, outgoing: Outgoing, now: datetime) -> dict[str, str]:
    return {}


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    return refusal(status, excerpt(body), "Check FOURTH_BASE_URL" if status == 404 else "")


FOURTH = Provider(
    name="fourth",
    title="Fourth",
    dataset=Dataset(
        name="fourth_holders",
        title="Fourth",
        description="Holders of each watched token.",
        words=Words(
            target="a token.",
            subject="a token of Fourth",
            row="holder",
            holder="address",
            asset="token name",
        ),
        columns=(
            Column("address", "text", "Address of the holder."),
            Column("amount", "numeric", "Units held, a whole number.", whole=True),
        ),
        key=("address",),
        holder="address",
        asset=Subject(),
        amount="amount",
    ),
    target_type=FourthToken,
    settings_type=FourthSettings,
    addressing=Positions(page_request=page_request, read_page=read_page, tells_total=True),
    proofs=(Proof.SINGLE_PAGE, Proof.DOUBLE_COLLECT),
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=MAX_LIMIT,
)
