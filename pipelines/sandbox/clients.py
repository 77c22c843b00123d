"""How a client finds its way into the sandbox: the settings and targets of a provider there."""

from typing import Any

from pipelines.providers import PROVIDERS
from pipelines.providers.provider import ProviderSettings, Target
from pipelines.sandbox.providers import SANDBOXES

NOWHERE = "http://no-sandbox.invalid"
"""In place of a URL for a provider that the sandbox does not serve: never its real address."""


def settings_at(provider: str, url: str | None, **given: Any) -> ProviderSettings:
    """The settings of a client of the sandbox at that URL; no variable of the provider is read."""
    stand_in = SANDBOXES.get(provider)
    return PROVIDERS[provider].settings_type(
        _env_prefix="HOLDFAST_SANDBOX_",
        base_url=url or NOWHERE,
        **{**(stand_in.settings() if stand_in else {}), **given},
    )


def target_at(key: str) -> Target:
    """The target with that key in the world."""
    provider = key.partition(":")[0]
    return PROVIDERS[provider].target_type.model_validate(SANDBOXES[provider].target(key))
