"""The environment, as typed settings.

Every name is an environment variable, or a line of a `.env` file at the project's root. Nothing is
read at import; secrets are pydantic's SecretStr, so that no repr, log or exception shows them.
"""

from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import ProviderSettings


class Settings(BaseSettings):
    """What is not particular to a provider."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    database_url: SecretStr | None = Field(
        default=None, description="Postgres to load into; empty: the project's own server."
    )
    holdfast_home: Path = Field(
        default=ROOT / ".holdfast", description="Folder for the own server and Dagster's storage."
    )
    holdfast_targets: Path = Field(
        default=ROOT / "targets.yaml", description="The list of what is watched."
    )
    holdfast_postgres_bin: Path | None = Field(
        default=None, description="Folder of the Postgres programs for the own server."
    )
    holdfast_chunk_size: Annotated[int, Field(ge=1)] = Field(
        default=100, description="Targets that one scheduled run takes."
    )

    @cached_property
    def own_server(self) -> bool:
        return self.database_url is None


def load_settings(env_file: Path | None = ROOT / ".env") -> Settings:
    """The settings from the environment. Raises ConfigurationError naming each bad variable."""
    return _load(Settings, env_file)


def load_provider_settings(name: str, env_file: Path | None = ROOT / ".env") -> ProviderSettings:
    """One provider's settings. Raises ConfigurationError naming each bad variable."""
    return _load(PROVIDERS[name].settings_type, env_file)


Kind = TypeVar("Kind", bound=BaseSettings)


def _load(kind: type[Kind], env_file: Path | None) -> Kind:
    prefix = kind.model_config.get("env_prefix", "")
    try:
        return kind(_env_file=env_file)
    except ValidationError as error:
        mistakes = [
            f"  {prefix}{'.'.join(map(str, mistake['loc']))}".upper() + f": {mistake['msg']}"
            for mistake in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("the environment can't be used:\n" + "\n".join(mistakes)) from None
