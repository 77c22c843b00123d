"""Hiro: the NFT holdings of a Stacks principal.

Two APIs lead to them. v1 (hiro_v1.py) lists the newest first, by positions, with block and
transaction; every answer announces that it will be switched off, and then it is 410. v3
(hiro_v3.py) lists by class and value, by cursors, with neither; its tag is the principal's own. v1
is the first choice while it answers: docs/architecture.md has the figures. Both show what the
server's one table of holders says, which no fork rolls back; hiro_chain.py asks whether one was.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from pipelines.errors import ProviderError
from pipelines.providers.hiro_chain import HIRO_CHAIN
from pipelines.providers.hiro_targets import HiroPrincipal, check_principal
from pipelines.providers.hiro_v1 import HIRO_V1
from pipelines.providers.hiro_v3 import HIRO_V3
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
    Words,
    api_key_header,
    excerpt,
    printable,
    quota_exhausted,
    refusal,
)
from pipelines.providers.way import Way

__all__ = ["HIRO", "HiroPrincipal", "HiroSettings", "auth_headers", "check_principal", "explain"]

MAX_LIMIT = 200
WITHOUT_KEY, WITH_KEY = 25, 500
"""Requests a minute: the lower of the vendor's figures, which disagree."""


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
    api: Literal["auto", "v1", "v3"] = Field(
        default="auto",
        description="Hiro's API that is asked. v1 tells block and transaction of each token, and"
        " will be switched off; v3 is its successor. auto: v1 until it answers 410 and v3 answers"
        " for the same principal, and v3 for a principal whose list v1 can't order.",
    )
    api_key: SecretStr | None = Field(
        default=None, description="Your key, sent in the header x-api-key; raises the rate limit."
    )

    @model_validator(mode="before")
    @classmethod
    def _rate_by_key(cls, fields: dict[str, object]) -> dict[str, object]:
        return {"requests_per_minute": WITH_KEY, **fields} if fields.get("api_key") else fields


class _Error(msgspec.Struct, frozen=True):
    error: str = ""
    message: str = ""


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
        410: "This server has switched this API off: set HIRO_API=auto, or name a server that"
        " still has it in HIRO_BASE_URL",
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
            Column(
                "block_height",
                "bigint",
                "Block in which the principal received the token; null where only v3 has shown it.",
                optional=True,
            ),
            Column(
                "tx_id",
                "text",
                "Transaction by which the principal received the token; null where only v3 has"
                " shown it.",
                optional=True,
            ),
        ),
        key=("asset_identifier", "value_hex"),
        asset="asset_identifier",
        token="value_repr",  # noqa: S106 - the name of a column
        acquisition="tx_id",
        height="block_height",
        ordered=True,
        told_by_some=frozenset({"block_height", "tx_id"}),
    ),
    target_type=HiroPrincipal,
    settings_type=HiroSettings,
    api="v1",
    addressing=HIRO_V1,
    proofs=(
        Proof.SINGLE_PAGE,
        Proof.CHAINED,
        Proof.CHAINED_TO_LAST,
        Proof.ONE_VERSION,
        Proof.DOUBLE_COLLECT,
    ),
    successor=Way("v3", HIRO_V3, (Proof.ONE_VERSION, Proof.SAME_VERSION, Proof.DOUBLE_COLLECT)),
    api_wanted=lambda settings: settings.api,
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=MAX_LIMIT,
    partial_in_a_row=lambda settings: settings.full_walk_every - 1,
    chain=HIRO_CHAIN,
)
