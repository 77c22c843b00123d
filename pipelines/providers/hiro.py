"""Hiro: the NFT holdings of a Stacks principal, by limit/offset/total.

The rules were read in and run against the API server's source (v9.0.2). Rows come newest first by
their place in the chain, and a token that changes hands enters at the top: nothing is ever inserted
further down. That order is what the `chained` proof stands on; it asks for pages that overlap by
one row.

`tx_metadata` is never sent: it scrambles the order within a page and can drop rows.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, ClassVar

import msgspec
from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from pipelines.errors import MalformedAnswer, ProviderError, TornWalk
from pipelines.providers import c32, clarity
from pipelines.providers.decoding import decode
from pipelines.providers.hiro_chain import HIRO_CHAIN
from pipelines.providers.pages import Answer, Page, PageRequest, Positions, Row
from pipelines.providers.provider import (
    BASE_URL,
    PAGE_SIZE,
    BaseUrl,
    Column,
    Dataset,
    Outgoing,
    Proof,
    Provider,
    ProviderSettings,
    Target,
    Words,
    api_key_header,
    count,
    excerpt,
    printable,
    quota_exhausted,
    refusal,
    shorten,
)

MAX_LIMIT = 200
WITHOUT_KEY, WITH_KEY = 25, 500
"""Requests a minute: the lower of the vendor's figures, which disagree."""

MAX_BIGINT = 2**63 - 1
_TX_ID_LENGTH = 66
_TX_ID = re.compile(r"0x[0-9a-f]{64}")
_CONTRACT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,127}")
_CLASS_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-_!?+<>=/*]{0,127}")


class HiroSettings(ProviderSettings):
    """Hiro answers without a key, too, but with one it allows many times the requests."""

    model_config = SettingsConfigDict(env_prefix="HIRO_")

    base_url: BaseUrl = Field(default="https://api.hiro.so", description=BASE_URL)
    requests_per_minute: Annotated[int, Field(ge=1)] = Field(
        default=WITHOUT_KEY,
        description=f"Requests sent in a minute at most, repeated ones included. With a key the"
        f" default is {WITH_KEY}: Hiro allows 25 to 50 without and 500 to 900 with one.",
    )
    page_size: Annotated[int, Field(ge=2, le=MAX_LIMIT)] = Field(
        default=MAX_LIMIT,
        description=f"{PAGE_SIZE} Neighbouring pages share one row, so at least 2; Hiro refuses"
        f" more than {MAX_LIMIT}.",
    )
    full_walk_every: Annotated[int, Field(ge=1)] = Field(
        default=24,
        description="Snapshots of a target of which one at least reads every page; the others read"
        " what changed, where that is cheaper. 1: all of them read every page.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Your key, sent in the header x-api-key; raises the rate limit."
    )

    @model_validator(mode="before")
    @classmethod
    def _rate_by_key(cls, fields: dict[str, object]) -> dict[str, object]:
        return {"requests_per_minute": WITH_KEY, **fields} if fields.get("api_key") else fields


class HiroPrincipal(Target):
    """A principal, with the asset identifiers that its holdings are narrowed to (none: all)."""

    provider: ClassVar[str] = "hiro"

    principal: str = Field(description="a Stacks address (SP… or SM…), or ADDRESS.contract-name")
    asset_identifiers: tuple[str, ...] = Field(
        default=(), description="a list of ADDRESS.contract-name::class-name"
    )

    @property
    def subject(self) -> str:
        return self.principal

    @property
    def options(self) -> dict[str, str]:
        joined = ",".join(self.asset_identifiers)
        return {"asset_identifiers": joined} if joined else {}

    @field_validator("principal")
    @classmethod
    def _is_principal(cls, value: str) -> str:
        check_principal(value)
        return value

    @field_validator("asset_identifiers")
    @classmethod
    def _are_identifiers(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            contract, separator, class_name = value.partition("::")
            if not separator or "." not in contract or not _CLASS_NAME.fullmatch(class_name):
                raise ValueError(f"{value!r} is not ADDRESS.contract-name::class-name")
            check_principal(contract)
        return tuple(sorted(set(values)))


def check_principal(value: str) -> None:
    """Raise ValueError unless `value` is a Stacks mainnet address, or ADDRESS.contract-name."""
    address, separator, contract = value.partition(".")
    version, _ = c32.decode(address)
    if version not in (c32.MAINNET_SINGLE_SIG, c32.MAINNET_MULTI_SIG):
        raise ValueError(f"{value!r} is not a mainnet address (SP… or SM…)")
    if separator and not _CONTRACT_NAME.fullmatch(contract):
        raise ValueError(f"{contract!r} is not a contract name")


class _ClarityValue(msgspec.Struct, frozen=True, gc=False):
    hex: str
    repr: str


class _Holding(msgspec.Struct, frozen=True, gc=False):
    asset_identifier: str
    value: _ClarityValue
    block_height: int
    tx_id: str


class _Holdings(msgspec.Struct, frozen=True):
    limit: int
    offset: int
    total: int
    results: list[_Holding]


class _Error(msgspec.Struct, frozen=True):
    error: str = ""
    message: str = ""


def page_request(target: HiroPrincipal, start: int, limit: int) -> PageRequest:
    query = [("principal", target.principal), ("limit", str(limit)), ("offset", str(start))]
    query += [("asset_identifiers", identifier) for identifier in target.asset_identifiers]
    return PageRequest(path="/extended/v1/tokens/nft/holdings", query=tuple(query))


def read_page(target: HiroPrincipal, start: int, limit: int, answer: Answer) -> Page[int]:
    """The holdings at positions `start` … with `total` as the size of the whole set, and the tip of
    the chain as its tag.

    Raises MalformedAnswer, and TornWalk when the set shrank below `start`: the server then says
    `total: 0`, which is a real empty set only at position 0.
    """
    body = decode(answer.body, _Holdings)
    if (body.limit, body.offset) != (limit, start):
        raise MalformedAnswer(
            f"asked for limit {limit} offset {start}, the answer is for"
            f" limit {shorten(str(body.limit))} offset {shorten(str(body.offset))}"
        )
    if len(body.results) > limit:
        raise MalformedAnswer(f"{len(body.results)} results on a page of {limit}")
    total = count(body.total, "$.total")
    end = start + len(body.results)
    if start > 0 and total == 0:
        raise TornWalk(f"the set shrank to {start} rows or fewer")
    if end > total:
        raise TornWalk(f"results up to position {end}, but $.total is {total}")
    return Page(
        start=start,
        limit=limit,
        rows=tuple(_rows(target, body.results)),
        next=end if end < total else None,
        total=total,
        tag=answer.headers.get("etag"),
    )


def _rows(target: HiroPrincipal, holdings: Sequence[_Holding]) -> list[Row]:
    """The rows of a page, checked all at once where that can be, in a third of the time that one by
    one takes, which is how what is wrong is found and named."""
    values = [holding.value.hex for holding in holdings]
    if not (_are_documented(target, holdings) and clarity.are_hexadecimal(values)):
        return [_row(target, index, holding) for index, holding in enumerate(holdings)]
    uint = clarity.plain_uint
    return [
        (
            holding.asset_identifier,
            holding.value.hex,
            holding.value.repr,
            "uint",
            token_id,
            holding.block_height,
            holding.tx_id,
        )
        if (token_id := uint(holding.value.hex)) is not None
        else (
            holding.asset_identifier,
            holding.value.hex,
            holding.value.repr,
            *_value(index, holding),
            holding.block_height,
            holding.tx_id,
        )
        for index, holding in enumerate(holdings)
    ]


def _are_documented(target: HiroPrincipal, holdings: Sequence[_Holding]) -> bool:
    """Whether `_row` would find nothing wrong with any of them, but for the value."""
    if not holdings:
        return True
    identifiers = {holding.asset_identifier for holding in holdings}
    heights = [holding.block_height for holding in holdings]
    return (
        all("::" in identifier for identifier in identifiers)
        and (not target.asset_identifiers or identifiers.issubset(target.asset_identifiers))
        and min(heights) >= 0
        and max(heights) <= MAX_BIGINT
        and _are_tx_ids([holding.tx_id for holding in holdings])
    )


def _are_tx_ids(texts: Sequence[str]) -> bool:
    count = len(texts)
    joined = "".join(texts)
    return (
        set(map(len, texts)) == {_TX_ID_LENGTH}
        and joined[::_TX_ID_LENGTH] == "0" * count
        and joined[1::_TX_ID_LENGTH] == "x" * count
        and clarity.are_hexadecimal(texts)
    )


def _row(target: HiroPrincipal, index: int, holding: _Holding) -> Row:
    path = f"$.results[{index}]"
    identifier = holding.asset_identifier
    if "::" not in identifier:
        raise MalformedAnswer(f"{path}.asset_identifier is {shorten(identifier)!r}")
    if target.asset_identifiers and identifier not in target.asset_identifiers:
        raise MalformedAnswer(f"{path} is of {shorten(identifier)!r}, which was not asked for")
    if not 0 <= holding.block_height <= MAX_BIGINT:
        height = shorten(str(holding.block_height))
        raise MalformedAnswer(f"{path}.block_height is {height}, which no block has")
    if not _TX_ID.fullmatch(holding.tx_id):
        raise MalformedAnswer(f"{path}.tx_id is {shorten(holding.tx_id)!r}")
    return (
        identifier,
        holding.value.hex,
        holding.value.repr,
        *_value(index, holding),
        holding.block_height,
        holding.tx_id,
    )


def _value(index: int, holding: _Holding) -> clarity.ClarityValue:
    try:
        return clarity.parse(holding.value.hex)
    except MalformedAnswer as error:
        raise MalformedAnswer(f"$.results[{index}].value.hex: {error.message}") from None


def auth_headers(
    settings: HiroSettings,
    outgoing: Outgoing,  # noqa: ARG001
    now: datetime,  # noqa: ARG001
) -> dict[str, str]:
    return api_key_header(settings.api_key)


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    detail = _detail(body)
    if status == 429 and headers.get("x-ratelimit-remaining-stacks-month") == "0":
        return quota_exhausted(detail, "The month's quota of HIRO_API_KEY is used up")
    advice = {
        400: "Check the target's principal and asset identifiers",
        401: "Check HIRO_API_KEY",
        403: "Check HIRO_API_KEY",
        404: "Check HIRO_BASE_URL",
        410: "This server has switched the v1 endpoint off; name one that still has it in"
        " HIRO_BASE_URL",
    }
    return refusal(status, detail, advice.get(status, ""))


def _detail(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return excerpt(body)
    return printable(error.message or error.error) or excerpt(body)


HIRO = Provider(
    name="hiro",
    title="Hiro Stacks",
    dataset=Dataset(
        name="hiro_nft_holdings",
        title="Hiro",
        description="Non-fungible tokens held by each watched Stacks principal.",
        words=Words(
            target="a Stacks principal, the holder of all these tokens.",
            subject="a Stacks principal",
            row="token",
            holder="Stacks principal",
            asset="token class",
            token="value",  # noqa: S106 - it is a thing to hold, not a secret
        ),
        columns=(
            Column("asset_identifier", "text", "Token class, ADDRESS.contract-name::class-name."),
            Column("value_hex", "text", "Token value in Clarity's serialised form, 0x…."),
            Column("value_repr", "text", "Token value as Clarity prints it; not a key."),
            Column("value_type", "text", "Clarity type of the value: uint, tuple, buffer, …."),
            Column(
                "token_id",
                "numeric",
                "The value where it is an int or uint, else null.",
                optional=True,
                whole=True,
                signed=True,
            ),
            Column("block_height", "bigint", "Block in which the principal received the token."),
            Column("tx_id", "text", "Transaction by which the principal received the token."),
        ),
        key=("asset_identifier", "value_hex"),
        asset="asset_identifier",
        token="value_repr",  # noqa: S106 - the name of a column
        acquisition="tx_id",
        height="block_height",
        ordered=True,
    ),
    target_type=HiroPrincipal,
    settings_type=HiroSettings,
    addressing=Positions(
        page_request=page_request, read_page=read_page, tells_total=True, enters_at_top=True
    ),
    proofs=(Proof.SINGLE_PAGE, Proof.CHAINED, Proof.CHAINED_TO_LAST, Proof.DOUBLE_COLLECT),
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=MAX_LIMIT,
    partial_in_a_row=lambda settings: settings.full_walk_every - 1,
    chain=HIRO_CHAIN,
)
