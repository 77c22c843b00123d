"""Altura: the holders of one item, by page/perPage/count.

Source: the vendor's page "Get an Item's Holders". The server is closed, so what that page does not
say is treated as unknown: ties in the descending order of balances have no order, a page may be
capped below what was asked, errors other than 500 have no known body.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET
from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

from pipelines.errors import MalformedAnswer, ProviderError, TornWalk
from pipelines.providers.decoding import OptionalText, decode, given
from pipelines.providers.pages import Answer, Page, PageRequest, Positions, Row
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
    api_key_header,
    count,
    excerpt,
    refusal,
    whole,
)


class AlturaSettings(ProviderSettings):
    """Altura names neither a rate limit nor whether a key is needed: set what you agreed on."""

    model_config = SettingsConfigDict(env_prefix="ALTURA_")

    base_url: BaseUrl = Field(default="https://api.alturanft.com", description=BASE_URL)
    page_size: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=100,
        description=f"{PAGE_SIZE} Altura's maximum is not documented: where it sends fewer, the"
        " walk begins again with that many.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Your key, sent in the header x-api-key."
    )


class AlturaItem(Target):
    """An item of a collection. With `include_listed`, what is listed counts as its lister's."""

    provider: ClassVar[str] = "altura"

    address: Annotated[str, StringConstraints(to_lower=True, pattern=r"^0[xX][0-9a-fA-F]{40}$")] = (
        Field(description="the collection's address, 0x and 40 hexadecimal digits")
    )
    token_id: Annotated[int, Field(ge=0, lt=2**256)] = Field(
        description="the item's number, 0 to 2^256 - 1"
    )
    include_listed: bool = Field(default=True, description="true or false")

    @property
    def subject(self) -> str:
        return f"{self.address}/{self.token_id}"

    @property
    def options(self) -> dict[str, str]:
        return {} if self.include_listed else {"include_listed": "false"}


class _Holder(msgspec.Struct, frozen=True, gc=False):
    address: str
    balance: int | str
    name: OptionalText = UNSET
    profilePic: OptionalText = UNSET  # noqa: N815 - the name on the wire
    profilePicUrl: OptionalText = UNSET  # noqa: N815 - the name on the wire


class _Holders(msgspec.Struct, frozen=True):
    holders: list[_Holder]
    count: int


def page_request(target: AlturaItem, start: int, limit: int) -> PageRequest:
    """`start` has to be a multiple of `limit`: the API counts in pages."""
    return PageRequest(
        path=f"/api/v2/item/holders/{target.address}/{target.token_id}",
        query=(
            ("perPage", str(limit)),
            ("page", str(start // limit + 1)),
            ("includeListed", "true" if target.include_listed else "false"),
        ),
    )


def read_page(target: AlturaItem, start: int, limit: int, answer: Answer) -> Page[int]:  # noqa: ARG001
    """The holders at positions `start` … with `count` as the size of the whole set.

    Raises MalformedAnswer, and TornWalk when more rows came than `count` leaves room for.
    """
    body = decode(answer.body, _Holders)
    if len(body.holders) > limit:
        raise MalformedAnswer(f"{len(body.holders)} holders on a page of {limit}")
    total = count(body.count, "$.count")
    end = start + len(body.holders)
    if body.holders and end > total:
        raise TornWalk(f"holders up to position {end}, but $.count is {total}")
    return Page(
        start=start,
        limit=limit,
        rows=tuple(_row(index, holder) for index, holder in enumerate(body.holders)),
        next=start + limit if end < total else None,
        total=total,
    )


def _row(index: int, holder: _Holder) -> Row:
    path = f"$.holders[{index}]"
    if not holder.address:
        raise MalformedAnswer(f"{path}.address is empty")
    balance = whole(holder.balance, f"{path}.balance")
    address = holder.address.lower()
    return (
        address,
        balance,
        given(holder.name),
        given(holder.profilePic),
        given(holder.profilePicUrl),
    )


def auth_headers(
    settings: AlturaSettings,
    outgoing: Outgoing,  # noqa: ARG001
    now: datetime,  # noqa: ARG001
) -> dict[str, str]:
    return api_key_header(settings.api_key)


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:  # noqa: ARG001
    advice: dict[int, str] = {
        401: "Set ALTURA_API_KEY",
        403: "Check ALTURA_API_KEY",
        404: "Check the collection address, the token id and ALTURA_BASE_URL",
    }
    return refusal(status, excerpt(body), advice.get(status, ""))


ALTURA = Provider(
    name="altura",
    title="Altura",
    dataset=Dataset(
        name="altura_item_holders",
        title="Altura",
        description="Holders of each watched Altura item and their balances.",
        words=Words(
            target="an item, with what is listed counted as its option says.",
            subject="an Altura item (address/token id)",
            row="holder",
            holder="wallet address",
            asset="collection address",
            token="token id",  # noqa: S106 - it is a thing to hold, not a secret
        ),
        columns=(
            Column("address", "text", "Wallet address of the holder, in lower case."),
            Column(
                "balance",
                "numeric",
                "Units of the item held, a whole number up to 2^256-1.",
                whole=True,
            ),
            Column("name", "text", "Display name chosen by the holder, as it came.", optional=True),
            Column(
                "profile_pic",
                "text",
                "Profile picture as the holder set it, often on IPFS.",
                optional=True,
            ),
            Column(
                "profile_pic_url",
                "text",
                "Copy of the profile picture kept by Altura.",
                optional=True,
            ),
        ),
        key=("address",),
        holder="address",
        asset=Subject(1),
        token=Subject(2),
        lower_case=True,
        amount="balance",
    ),
    target_type=AlturaItem,
    settings_type=AlturaSettings,
    addressing=Positions(
        page_request=page_request,
        read_page=read_page,
        tells_total=True,
        caps_pages_silently=True,
    ),
    proofs=(Proof.SINGLE_PAGE, Proof.DOUBLE_COLLECT),
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=1000,
)
