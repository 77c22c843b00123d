"""Hiro's targets: Stacks principals."""

import re
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from pipelines.providers import c32
from pipelines.providers.provider import Target

_CONTRACT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,127}")
_CLASS_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9\-_!?+<>=/*]{0,127}")


class HiroPrincipal(Target):
    """A principal, with the asset identifiers that its holdings are narrowed to (none: all).

    `api` changes nothing of what comes back, and so is no part of the target's identity.
    """

    provider: ClassVar[str] = "hiro"

    principal: str = Field(description="a Stacks address (SP… or SM…), or ADDRESS.contract-name")
    asset_identifiers: tuple[str, ...] = Field(
        default=(), description="a list of ADDRESS.contract-name::class-name"
    )
    api: Literal["v1", "v3"] | None = Field(
        default=None, description="v1 or v3, for this target in place of HIRO_API"
    )

    @property
    def subject(self) -> str:
        return self.principal

    @property
    def api_wanted(self) -> str | None:
        return self.api

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
