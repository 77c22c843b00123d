"""Mistakes in the environment and in .env: all are told, each with its place."""

import logging
import os
from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.environment import INTERNAL_NAMES, reading
from pipelines.errors import ConfigurationError
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.settings import load_all_settings, load_settings
from pipelines.warehouse.postgres import parse_url

PREFIXES = (*(f"{name.upper()}_" for name in PROVIDERS), "HOLDFAST_", "DATABASE_URL")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith(PREFIXES):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".env"


def mistakes(file: Path | None, text: str = "") -> list[str]:
    """What is told of all settings, with only the line of what stands in the file."""
    if file:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_all_settings(file, parse_url=parse_url)
    head, *lines = str(caught.value).splitlines()
    assert head in (f"{len(lines)} mistakes in the settings:", "1 mistake in the settings:")
    return [line.strip().removeprefix(f"{file}:") for line in lines]


# --- all settings at once -------------------------------------------------------------------------


def test_the_settings_of_all_are_read_from_both_places(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setenv("HIRO_API_KEY", "k")
    file.write_text("HIRO_PAGE_SIZE=7\nHOLDFAST_CHUNK_SIZE=8\n", encoding="utf-8")
    settings, of_providers = load_all_settings(file)
    assert settings == load_settings(file)
    assert settings.holdfast_chunk_size == 8
    assert of_providers.keys() == PROVIDERS.keys()
    assert (of_providers["hiro"].page_size, of_providers["hiro"].requests_per_minute) == (7, 500)


def test_the_mistakes_of_all_classes_are_told_at_once_with_their_places(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setenv("ALTURA_PAGE_SIZE", "many")
    text = "\nCATENIS_MAX_WALKS=1\nHOLDFAST_CHUNK_SIZE=0\nDATABASE_URL=mysql://x\nHIRO_KEY=\n"
    assert mistakes(file, text) == [
        "2: CATENIS_MAX_WALKS is '1': expected a whole number of at least 2",
        "3: HOLDFAST_CHUNK_SIZE is '0': expected a whole number of at least 1",
        "4: DATABASE_URL begins with mysql://, expected postgresql://",
        "5: HIRO_KEY is no setting; did you mean HIRO_API_KEY?",
        "environment: ALTURA_PAGE_SIZE is 'many': expected a whole number from 1 to 1000",
    ]


def test_a_run_begins_with_all_mistakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@host:port/holdfast")
    monkeypatch.setenv("HIRO_PAGE_SIZE", "1")
    with pytest.raises(ConfigurationError) as caught:
        Runtime.from_environment()
    assert "the port in DATABASE_URL is not a number" in str(caught.value)
    assert "HIRO_PAGE_SIZE is '1'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_settings_of_one_kind_do_not_ask_about_the_others(file: Path) -> None:
    file.write_text("HIRO_PAGESIZE=5\nHIRO_MAX_WALKS=x\n", encoding="utf-8")
    assert load_settings(file) == load_settings(None)


def test_a_bad_line_is_told_beside_bad_values(file: Path) -> None:
    text = "HIRO_MAX_WALKS=1\nHIRO_API_KEY='k\n"
    assert [told.split(":")[0] for told in mistakes(file, text)] == ["1", "2"]


def test_a_value_that_dagster_took_over_from_the_file_has_its_line(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setenv("HIRO_PAGE_SIZE", "1")
    assert mistakes(file, "\nHIRO_PAGE_SIZE=1\n")[0].startswith("2: HIRO_PAGE_SIZE")


def test_a_value_that_wins_over_the_files_is_the_environments(
    monkeypatch: pytest.MonkeyPatch, file: Path
) -> None:
    monkeypatch.setenv("HIRO_PAGE_SIZE", "1")
    assert mistakes(file, "HIRO_PAGE_SIZE=5\n")[0].startswith("environment: HIRO_PAGE_SIZE is '1'")


# --- names that are no settings -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("HIRO_PAGESIZE", "HIRO_PAGE_SIZE"),
        ("HIRO_APIKEY", "HIRO_API_KEY"),
        ("hiro_pagesize", "HIRO_PAGE_SIZE"),
        ("ALTURA_MAX_WALK", "ALTURA_MAX_WALKS"),
        ("CATENIS_DEVICEID", "CATENIS_DEVICE_ID"),
        ("HOLDFAST_TARGET", "HOLDFAST_TARGETS"),
        ("HOLDFAST_DATABASE_URL", "DATABASE_URL"),
    ],
)
class TestMistypedNames:
    def test_one_in_the_file_is_a_mistake(self, file: Path, name: str, meant: str) -> None:
        expected = f"2: {name.upper()} is no setting; did you mean {meant}?"
        assert mistakes(file, f"\n{name}=5\n") == [expected]

    def test_one_in_the_environment_is_a_warning(
        self,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        name: str,
        meant: str,
    ) -> None:
        monkeypatch.setenv(name, "hunter2")
        assert load_all_settings(None)
        (record,) = caplog.records
        assert record.levelno == logging.WARNING
        assert record.getMessage() == f"{name} is no setting; did you mean {meant}?"


def test_a_name_that_comes_close_to_none_leads_to_the_list_of_them(file: Path) -> None:
    (told,) = mistakes(file, "HIRO_ZZZZZZZZZZ=1\n")
    assert told == "1: HIRO_ZZZZZZZZZZ is no setting; docs/configuration.md lists them"


@pytest.mark.parametrize(
    "name", ["DATABSE_URL", "DATABASE_URI", "DATABASEURL", "DATABAES_URL", "DATABASE_URLS"]
)
def test_what_comes_close_to_database_url_is_a_mistake_in_the_file(file: Path, name: str) -> None:
    (told,) = mistakes(file, f"{name}=postgresql://me:hunter2@host/x\n")
    assert told == f"1: {name} is no setting; did you mean DATABASE_URL?"


OTHERS = ["DAGSTER_HOME", "DATABASE_USER", "TEST_DATABASE_URL", "DATABASE_URL_TEST", "HERO_API_KEY"]


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, file: Path, name: str
) -> None:
    file.write_text(f"{name}=1\n", encoding="utf-8")
    monkeypatch.setenv(name, "1")
    assert load_all_settings(file) == load_all_settings(None)
    assert not caplog.records


@pytest.mark.parametrize("name", ["DATABASE_URI", *INTERNAL_NAMES])
def test_some_names_are_nothing_to_warn_of_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    load_all_settings(None)
    assert not caplog.records


# --- what a message shows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("HIRO_PAGE_SIZE", "0123456789abcdef0123456789abcdef"),
        ("HIRO_BASE_URL", "hiro.example/?key=hunter2"),
        ("HIRO_BASE_URL", "https://me:hunter2@hiro.example"),
        ("HIRO_MAX_TRIES", "hunter2"),
    ],
)
def test_a_value_that_may_be_a_secret_in_the_wrong_place_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("HIRO_API_KEY", "hunter2")
    monkeypatch.setenv(variable, value)
    (told,) = mistakes(None)
    assert f"{variable} is a text of {len(value)} characters (not shown): " in told
    assert value not in told


class Sample(BaseSettings):
    """Settings whose secret can fail, and one of which has no default."""

    model_config = SettingsConfigDict(env_prefix="SAMPLE_", env_ignore_empty=True)

    needed: str = Field(description="What it is for.")
    secret: SecretStr | None = Field(default=None, max_length=5)


def sample_mistakes() -> str:
    with pytest.raises(ConfigurationError) as caught, reading(None, [Sample]) as look:
        look.read(Sample)
    return str(caught.value)


def test_a_secret_that_fails_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMPLE_NEEDED", "x")
    monkeypatch.setenv("SAMPLE_SECRET", "hunter2")
    told = sample_mistakes()
    assert "environment: SAMPLE_SECRET is a text of 7 characters (not shown)" in told
    assert "hunter2" not in told


def test_a_setting_that_is_missing_is_named_with_its_meaning() -> None:
    assert "SAMPLE_NEEDED is missing: What it is for." in sample_mistakes()
