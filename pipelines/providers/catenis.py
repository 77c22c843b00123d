"""Catenis: the virtual devices that hold an asset, by limit/skip/hasMore.

The rules were read in the server's and the official clients' source. The list is rebuilt for each
page in an undocumented order, so several pages are never one state by themselves: what does not fit
on one page needs `double_collect`. `hasMore: false` is the only end; the `migrated` entry ignores
`skip` and stands on every page past the end.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType
from pydantic import Field, SecretStr, StringConstraints
from pydantic_settings import SettingsConfigDict

from pipelines.errors import ConfigurationError, MalformedAnswer, ProviderError
from pipelines.providers.catenis_signing import sign_now
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
    amount,
    excerpt,
    printable,
    refusal,
    shorten,
)

MAX_LIMIT = 500


class CatenisSettings(ProviderSettings):
    """Requests are signed for the device that issued the asset: no other may list its holders.

    This machine's clock has to be right within five minutes.
    """

    model_config = SettingsConfigDict(env_prefix="CATENIS_")

    base_url: BaseUrl = Field(
        default="https://catenis.io",
        description=f"{BASE_URL} Catenis' own sandbox is https://sandbox.catenis.io.",
    )
    page_size: Annotated[int, Field(ge=1, le=MAX_LIMIT)] = Field(
        default=MAX_LIMIT, description=f"{PAGE_SIZE} Catenis refuses more than {MAX_LIMIT}."
    )
    device_id: str | None = Field(
        default=None,
        description="Id of the virtual device that issued the assets.",
        json_schema_extra={"required_for": "Catenis targets"},
    )
    api_secret: SecretStr | None = Field(
        default=None,
        description="That device's API access secret.",
        json_schema_extra={"required_for": "Catenis targets"},
    )


class CatenisAsset(Target):
    """An asset, by its id."""

    provider: ClassVar[str] = "catenis"

    asset_id: Annotated[str, StringConstraints(pattern=r"^a[0-9A-Za-z]{19}$")] = Field(
        description="an asset's id, a and 19 letters or digits"
    )

    @property
    def subject(self) -> str:
        return self.asset_id


class _Holder(msgspec.Struct, frozen=True, gc=False):
    deviceId: str  # noqa: N815 - the name on the wire
    name: OptionalText = UNSET
    prodUniqueId: OptionalText = UNSET  # noqa: N815 - the name on the wire


class _Balance(msgspec.Struct, frozen=True):
    """Untyped, since msgspec would take a string for a Decimal; `_number` takes none."""

    total: object
    unconfirmed: object


class _Entry(msgspec.Struct, frozen=True, kw_only=True):
    holder: _Holder | UnsetType | None = UNSET
    migrated: bool | UnsetType = UNSET
    balance: _Balance


class _Data(msgspec.Struct, frozen=True):
    assetHolders: list[_Entry]  # noqa: N815 - the name on the wire
    hasMore: bool  # noqa: N815 - the name on the wire


class _Answer(msgspec.Struct, frozen=True):
    status: Literal["success"]
    data: _Data


class _Error(msgspec.Struct, frozen=True):
    message: str


class Migrated(NamedTuple):
    """The amount that moved to another blockchain, which belongs to no holder."""

    total: Decimal
    unconfirmed: Decimal


def page_request(target: CatenisAsset, start: int, limit: int) -> PageRequest:
    return PageRequest(
        path=f"/api/0.6/assets/{target.asset_id}/holders",
        query=(("limit", str(limit)), ("skip", str(start))),
    )


def read_page(target: CatenisAsset, start: int, limit: int, answer: Answer) -> Page[int]:  # noqa: ARG001
    """The holders at positions `start` …, and what migrated; there is no total. Raises
    MalformedAnswer."""
    data = decode(answer.body, _Answer).data
    rows: list[Row] = []
    migrated: Migrated | None = None
    for index, entry in enumerate(data.assetHolders):
        path = f"$.data.assetHolders[{index}]"
        total = _number(entry.balance.total, f"{path}.balance.total")
        unconfirmed = _number(entry.balance.unconfirmed, f"{path}.balance.unconfirmed")
        if entry.holder:
            if not entry.holder.deviceId:
                raise MalformedAnswer(f"{path}.holder.deviceId is empty")
            holder = entry.holder
            known = given(holder.name), given(holder.prodUniqueId)
            rows.append((holder.deviceId, total, unconfirmed, *known))
        elif entry.migrated is not True:
            raise MalformedAnswer(f"{path} has no holder and is not the migrated amount")
        elif migrated:
            raise MalformedAnswer(f"{path} is a second migrated amount on one page")
        else:
            migrated = Migrated(total, unconfirmed)
    if len(rows) > limit:
        raise MalformedAnswer(f"{len(rows)} holders on a page of {limit}")
    return Page(
        start=start,
        limit=limit,
        rows=tuple(rows),
        next=start + limit if data.hasMore else None,
        extra=migrated,
    )


def _number(value: object, path: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise MalformedAnswer(f"{path} is {shorten(repr(value))}, expected a number")
    return amount(value, path)


def auth_headers(settings: CatenisSettings, outgoing: Outgoing, now: datetime) -> dict[str, str]:
    """The signature. Raises ConfigurationError where there is nothing to sign with."""
    if not settings.device_id or not settings.api_secret:
        raise ConfigurationError(
            "Catenis answers signed requests only: set CATENIS_DEVICE_ID and CATENIS_API_SECRET"
        )
    secret = settings.api_secret.get_secret_value()
    return sign_now(outgoing, device_id=settings.device_id, secret=secret, now=now)


def explain(status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:  # noqa: ARG001
    advice = {
        400: "Check the asset id",
        401: "Check CATENIS_DEVICE_ID, CATENIS_API_SECRET and this machine's clock",
        403: "Only the device that issued the asset may list its holders: check CATENIS_DEVICE_ID",
        404: "Check CATENIS_BASE_URL",
    }
    return refusal(status, _detail(body), advice.get(status, ""))


def _detail(body: bytes) -> str:
    try:
        error = msgspec.json.decode(body, type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return excerpt(body)
    return printable(error.message) or excerpt(body)


CATENIS = Provider(
    name="catenis",
    title="Catenis",
    dataset=Dataset(
        name="catenis_asset_holders",
        title="Catenis",
        description="Virtual devices that hold each watched Catenis asset.",
        words=Words(
            target="an asset.",
            subject="a Catenis asset",
            row="holder",
            holder="Catenis device",
            asset="Catenis asset",
        ),
        columns=(
            Column("device_id", "text", "Id of the virtual device that holds the asset."),
            Column("total", "numeric", "Amount held, the unconfirmed part included."),
            Column("unconfirmed", "numeric", "Part of the amount not yet confirmed."),
            Column(
                "name",
                "text",
                "Last known name of the device; shown only by permission.",
                optional=True,
            ),
            Column(
                "prod_unique_id",
                "text",
                "Last known product id; shown only by permission.",
                optional=True,
            ),
        ),
        key=("device_id",),
        holder="device_id",
        asset=Subject(),
        amount="total",
        kept_when_absent=frozenset({"name", "prod_unique_id"}),
    ),
    target_type=CatenisAsset,
    settings_type=CatenisSettings,
    addressing=Positions(page_request=page_request, read_page=read_page, tells_total=False),
    proofs=(Proof.SINGLE_PAGE, Proof.DOUBLE_COLLECT),
    auth_headers=auth_headers,
    explain=explain,
    max_page_size=MAX_LIMIT,
    extra_columns=("migrated_amount", "migrated_unconfirmed"),
)
