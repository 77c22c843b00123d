"""Settings as they come from the environment and a .env file."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import ProviderSettings
from pipelines.settings import load_all_settings, load_settings

PREFIXES = (*(f"{name.upper()}_" for name in PROVIDERS), "HOLDFAST_", "DATABASE_URL")

every_provider = pytest.mark.parametrize("provider", list(PROVIDERS))


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIXES):
            monkeypatch.delenv(name)


def provider_settings(name: str) -> ProviderSettings:
    return load_all_settings(None)[1][name]


def complaint(provider: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        provider_settings(provider) if provider else load_settings(None)
    return str(caught.value)


# --- names and values -----------------------------------------------------------------------------


@every_provider
@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("BASE_URL", "http://127.0.0.1:8080/altura/", "http://127.0.0.1:8080/altura"),
        ("REQUESTS_PER_MINUTE", "7", 7),
        ("CONCURRENCY", "3", 3),
        ("CONNECT_TIMEOUT", "1.5", 1.5),
        ("READ_TIMEOUT", "2.5", 2.5),
        ("TOTAL_TIMEOUT", "60", 60.0),
        ("PAGE_SIZE", "50", 50),
        ("MAX_BODY_BYTES", "2048", 2048),
        ("MAX_TRIES", "2", 2),
        ("MAX_WALKS", "3", 3),
        ("MAX_DROP_SHARE", "0.25", 0.25),
    ],
)
def test_a_variable_with_the_providers_prefix_is_its_setting(
    monkeypatch: pytest.MonkeyPatch, provider: str, variable: str, text: str, value: Any
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_{variable}", text)
    assert getattr(provider_settings(provider), variable.lower()) == value


def test_one_providers_variable_is_not_anothers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALTURA_PAGE_SIZE", "7")
    assert provider_settings("catenis").page_size == 500


@every_provider
def test_an_empty_variable_is_as_good_as_none(
    monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    unset = provider_settings(provider)
    for field in type(unset).model_fields:
        monkeypatch.setenv(f"{provider}_{field}".upper(), "")
    assert provider_settings(provider) == unset


def test_an_empty_database_url_means_the_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    assert load_settings(None).own_server


def test_a_database_url_means_no_own_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@warehouse/holdfast")
    assert not load_settings(None).own_server


def test_without_a_variable_everything_lives_in_the_project() -> None:
    settings = load_settings(None)
    assert (settings.holdfast_home, settings.holdfast_targets) == (
        ROOT / ".holdfast",
        ROOT / "targets.yaml",
    )


@pytest.mark.parametrize(
    ("variables", "rate"),
    [
        ({}, 25),
        ({"HIRO_API_KEY": ""}, 25),
        ({"HIRO_API_KEY": "k"}, 500),
        ({"HIRO_REQUESTS_PER_MINUTE": "40"}, 40),
        ({"HIRO_API_KEY": "k", "HIRO_REQUESTS_PER_MINUTE": "40"}, 40),
        ({"HIRO_API_KEY": "k", "HIRO_REQUESTS_PER_MINUTE": ""}, 500),
    ],
)
def test_hiros_rate_goes_by_the_key_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], rate: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert provider_settings("hiro").requests_per_minute == rate


# --- paths ----------------------------------------------------------------------------------------

PATHS = ["HOLDFAST_HOME", "HOLDFAST_TARGETS", "HOLDFAST_POSTGRES_BIN"]


@pytest.mark.parametrize("variable", PATHS)
class TestPaths:
    def test_a_relative_path_counts_from_the_projects_root(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv(variable, "mine/here")
        assert getattr(load_settings(None), variable.lower()) == ROOT / "mine" / "here"

    def test_so_does_one_of_the_env_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / ".env").write_text(f"{variable}=mine/here\n", encoding="utf-8")
        settings = load_settings(tmp_path / ".env")
        assert getattr(settings, variable.lower()) == ROOT / "mine" / "here"

    def test_a_tilde_is_the_home_folder(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv(variable, "~/mine")
        assert getattr(load_settings(None), variable.lower()) == tmp_path / "mine"

    def test_an_absolute_path_is_taken_as_it_is(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
    ) -> None:
        monkeypatch.setenv(variable, str(tmp_path))
        assert getattr(load_settings(None), variable.lower()) == tmp_path

    def test_the_home_of_nobody_is_a_mistake(
        self, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        monkeypatch.setenv(variable, "~no-such-user/mine")
        assert f"{variable} is '~no-such-user/mine': there is no home folder" in complaint()


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "smallest", "largest"),
    [("altura", 1, 1000), ("hiro", 2, 200), ("catenis", 1, 500)],
)
class TestPageSize:
    def test_the_bounds_are_accepted(
        self, monkeypatch: pytest.MonkeyPatch, provider: str, smallest: int, largest: int
    ) -> None:
        for size in (smallest, largest):
            monkeypatch.setenv(f"{provider.upper()}_PAGE_SIZE", str(size))
            assert provider_settings(provider).page_size == size

    def test_beyond_the_bounds_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, provider: str, smallest: int, largest: int
    ) -> None:
        for size in (smallest - 1, largest + 1):
            monkeypatch.setenv(f"{provider.upper()}_PAGE_SIZE", str(size))
            expected = f"expected a whole number from {smallest} to {largest}"
            assert f"{provider.upper()}_PAGE_SIZE is '{size}': {expected}" in complaint(provider)


@every_provider
@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("REQUESTS_PER_MINUTE", "0"),
        ("REQUESTS_PER_MINUTE", "many"),
        ("CONCURRENCY", "0"),
        ("CONCURRENCY", "65"),
        ("READ_TIMEOUT", "0"),
        ("READ_TIMEOUT", "nan"),
        ("MAX_WALKS", "1"),
        ("MAX_DROP_SHARE", "1.5"),
        ("BASE_URL", "api.example.org"),
        ("BASE_URL", "ftp://api.example.org"),
        ("BASE_URL", "https://api.example.org/?key=1"),
        ("BASE_URL", "https://api.example.org/#top"),
    ],
)
def test_a_bad_value_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, provider: str, variable: str, text: str
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_{variable}", text)
    assert f"  environment: {provider.upper()}_{variable} is " in complaint(provider)


def test_all_bad_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["ALTURA_BASE_URL", "ALTURA_PAGE_SIZE", "ALTURA_MAX_TRIES"]
    for name in names:
        monkeypatch.setenv(name, "nonsense")
    told = complaint("altura")
    assert [line.split()[1] for line in told.splitlines()[1:]] == names


def test_a_bad_value_that_is_no_providers_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_CHUNK_SIZE", "0")
    assert "HOLDFAST_CHUNK_SIZE is '0': expected a whole number of at least 1" in complaint()


# --- secrets --------------------------------------------------------------------------------------


@every_provider
@pytest.mark.parametrize(
    "url", ["https://me:hunter2@api.example.org", "ftp://me:hunter2@host", "me:hunter2@host"]
)
def test_credentials_in_a_base_url_are_refused_without_showing_them(
    monkeypatch: pytest.MonkeyPatch, provider: str, url: str
) -> None:
    monkeypatch.setenv(f"{provider.upper()}_BASE_URL", url)
    told = complaint(provider)
    assert f"{provider.upper()}_BASE_URL" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("provider", "secret"),
    [("altura", "api_key"), ("hiro", "api_key"), ("catenis", "api_secret")],
)
class TestSecrets:
    def test_a_secret_is_kept(
        self, monkeypatch: pytest.MonkeyPatch, provider: str, secret: str
    ) -> None:
        monkeypatch.setenv(f"{provider}_{secret}".upper(), "hunter2")
        settings = provider_settings(provider)
        assert getattr(settings, secret).get_secret_value() == "hunter2"

    @pytest.mark.parametrize("shown", [str, repr, lambda settings: settings.model_dump_json()])
    def test_a_secret_is_never_shown(
        self, monkeypatch: pytest.MonkeyPatch, provider: str, secret: str, shown: Any
    ) -> None:
        monkeypatch.setenv(f"{provider}_{secret}".upper(), "hunter2")
        assert "hunter2" not in shown(provider_settings(provider))

    def test_a_secret_is_not_shown_beside_another_mistake(
        self, monkeypatch: pytest.MonkeyPatch, provider: str, secret: str
    ) -> None:
        monkeypatch.setenv(f"{provider}_{secret}".upper(), "hunter2")
        monkeypatch.setenv(f"{provider}_page_size".upper(), "hunter2")
        assert "hunter2" not in complaint(provider)


@pytest.mark.parametrize("shown", [str, repr, lambda settings: settings.model_dump_json()])
def test_the_databases_password_is_never_shown(monkeypatch: pytest.MonkeyPatch, shown: Any) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@warehouse/holdfast")
    assert "hunter2" not in shown(load_settings(None))
