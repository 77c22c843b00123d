"""Trials that take nothing from the environment of the tests."""

import pytest

from pipelines.providers import PROVIDERS


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no setting of the machine's."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for provider in PROVIDERS.values():
        prefix = provider.settings_type.model_config["env_prefix"]
        for field in provider.settings_type.model_fields:
            monkeypatch.delenv(f"{prefix}{field}".upper(), raising=False)
