"""The environment, as typed settings.

Every name is an environment variable, or a line of a `.env` file in the working folder. Nothing is
read at import; secrets are pydantic's SecretStr, so that no repr, log or exception shows them.

`docs/configuration.md` and `.env.example` are written from these classes by
`python -m pipelines.settings_reference`.
"""

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.environment import reading
from pipelines.paths import working_folder
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import ProviderSettings

_HOST = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_]+")
ENV_FILE = Path(".env")
"""Its path, from the working folder."""


def _located(path: Path) -> Path:
    """`path` with `~` as the home folder; a relative one counts from the working folder."""
    try:
        return working_folder() / path.expanduser()
    except RuntimeError:
        raise ValueError("there is no home folder for its ~") from None


def _hosts(value: str) -> str:
    """Host names, separated by commas; neither all of them nor addresses with a scheme or port."""
    hosts = [host.strip().lower() for host in value.split(",") if host.strip()]
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError("expected names of hosts such as dagster.example.org, without a port")
    return ",".join(hosts)


def _identifier(value: str) -> str:
    if not _IDENTIFIER.fullmatch(value):
        raise ValueError("expected letters, digits and underscores")
    return value


def _prefix(value: str) -> str:
    parts = [part.strip() for part in value.strip("/").split("/") if part.strip()]
    if not all(_IDENTIFIER.fullmatch(part) for part in parts):
        raise ValueError("expected parts of letters, digits and underscores, separated by /")
    return "/".join(parts)


LocalPath = Annotated[Path, AfterValidator(_located)]


class Settings(BaseSettings):
    """What is not particular to a provider."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = Field(
        default=None,
        description="Postgres to load into, as postgresql://user:password@host:port/database; in"
        " the password write %40 for an @. Without it, a server of the project's own.",
    )
    holdfast_home: LocalPath = Field(
        default=Path(".holdfast"),
        description="Folder of the project's own server, its data, and the demo's.",
    )
    holdfast_targets: LocalPath = Field(
        default=Path("targets.yaml"), description="The list of what is watched."
    )
    holdfast_postgres_bin: LocalPath | None = Field(
        default=None,
        description="Folder of the Postgres programs (postgres, initdb) for the own server. Without"
        " it, those that come with the project, else a system install of version 15 or newer.",
    )
    holdfast_chunk_size: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Targets that one scheduled run takes."
    )

    holdfast_allowed_hosts: Annotated[str, AfterValidator(_hosts)] = Field(
        default="",
        description="Names, separated by commas, under which people reach the pages that `holdfast"
        " up` serves, beside 127.0.0.1 and localhost: those of a proxy that asks who is there.",
    )

    holdfast_asset_prefix: Annotated[str, AfterValidator(_prefix)] = Field(
        default="",
        description="What stands before the name in the key of each asset, as parts separated by /:"
        " for a Dagster where others have a `report`, too.",
    )
    holdfast_asset_group: Annotated[str, AfterValidator(_identifier)] = Field(
        default="holdfast", description="The group that Dagster shows the assets in."
    )
    holdfast_asset_owners: str = Field(
        default="",
        description="Who owns the assets in Dagster: e-mail addresses or team:name, separated by"
        " commas.",
    )

    @cached_property
    def own_server(self) -> bool:
        return self.database_url is None


def load_settings(env_file: Path | None = ENV_FILE) -> Settings:
    """What is not particular to a provider. Raises ConfigurationError naming each mistake in it."""
    with reading(env_file and _located(env_file), [Settings]) as look:
        return look.read(Settings)


def load_all_settings(
    env_file: Path | None = ENV_FILE, *, parse_url: Callable[[str], object] | None = None
) -> tuple[Settings, dict[str, ProviderSettings]]:
    """The settings, and those of each provider by its name.

    `parse_url` raises ConfigurationError for a DATABASE_URL that can't be used: what a warehouse's
    URL has to look like is known to the warehouse, which settings don't import.

    Raises ConfigurationError naming each mistake in all of them.
    """
    kinds = {name: provider.settings_type for name, provider in PROVIDERS.items()}
    with reading(env_file and _located(env_file), [Settings, *kinds.values()]) as look:
        if parse_url:
            look.check("DATABASE_URL", parse_url)
        settings = look.read(Settings)
        return settings, {name: look.read(kind) for name, kind in kinds.items()}
