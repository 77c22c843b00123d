"""docs/configuration.md and .env.example, as they are made from the settings classes."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.settings import Settings, load_all_settings
from pipelines.settings_reference import (
    COMMAND,
    Group,
    configuration_page,
    example_env,
    groups,
    write,
)
from pipelines.variables import Variable, variables

KINDS = [Settings, *(provider.settings_type for provider in PROVIDERS.values())]
ALL = [variable for group in groups() for variable in group.variables]
SECRETS = {"DATABASE_URL", "ALTURA_API_KEY", "HIRO_API_KEY", "CATENIS_API_SECRET"}

every_variable = pytest.mark.parametrize("variable", ALL, ids=lambda variable: variable.name)


def row(variable: Variable) -> str:
    (found,) = re.findall(rf"^\| `{variable.name}` .*$", configuration_page(), re.MULTILINE)
    return found


def test_every_field_of_every_class_is_a_variable() -> None:
    fields = {
        f"{kind.model_config.get('env_prefix', '')}{field}".upper()
        for kind in KINDS
        for field in kind.model_fields
    }
    assert {variable.name for variable in ALL} == fields


@every_variable
def test_a_variable_has_a_meaning(variable: Variable) -> None:
    assert variable.meaning.endswith(".")


@every_variable
def test_the_page_has_a_row_with_all_that_is_known_of_a_variable(variable: Variable) -> None:
    told = row(variable)
    assert variable.meaning in told
    assert variable.accepts in told
    assert variable.default is None or f"`{variable.default}`" in told


@every_variable
def test_only_secrets_are_marked_as_such(variable: Variable) -> None:
    assert ("(secret)" in row(variable)) == (variable.name in SECRETS)


def test_only_catenis_cannot_do_without_a_value_and_the_page_says_for_what() -> None:
    marked = [variable.name for variable in ALL if "**required** for Catenis" in row(variable)]
    assert marked == ["CATENIS_DEVICE_ID", "CATENIS_API_SECRET"]
    assert sum(bool(variable.required) for variable in ALL) == 2


def test_hiros_rate_is_told_with_and_without_a_key() -> None:
    (rate,) = (one for one in ALL if one.name == "HIRO_REQUESTS_PER_MINUTE")
    assert "`25`" in row(rate)
    assert "With a key the default is 500" in row(rate)


def test_neither_file_names_a_folder_of_this_machine() -> None:
    assert str(ROOT) not in configuration_page() + example_env()


def test_the_example_gives_every_variable_once_and_no_value() -> None:
    lines = [line for line in example_env().splitlines() if line and not line.startswith("#")]
    assert lines == [f"{variable.name}=" for variable in ALL]


def test_the_example_fits_the_width_of_the_code() -> None:
    assert max(map(len, example_env().splitlines())) <= 100


def test_a_copy_of_the_example_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(example_env(), encoding="utf-8")
    assert load_all_settings(tmp_path / ".env") == load_all_settings(None)


def test_both_files_are_written(tmp_path: Path) -> None:
    write(tmp_path)
    written = tmp_path / "docs" / "configuration.md"
    assert written.read_text(encoding="utf-8") == configuration_page()
    assert (tmp_path / ".env.example").read_text(encoding="utf-8") == example_env()


def test_the_environment_of_who_writes_them_does_not_matter() -> None:
    program = "from pipelines.settings_reference import *; print(configuration_page())"
    environment = {"HOLDFAST_HOME": "/elsewhere", "HIRO_API_KEY": "k", "HIRO_PAGE_SIZE": "7"}
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout == configuration_page() + "\n"


def test_the_command_is_a_module_of_the_project() -> None:
    assert COMMAND.endswith(write.__module__)


# --- what a variable accepts ----------------------------------------------------------------------


class Sample(BaseSettings):
    """A sample."""

    model_config = SettingsConfigDict(env_prefix="SAMPLE_")

    needed: str = Field(description="Needed.")
    at_most: int = Field(default=1, le=9, description="x | y")
    free: float = 2.5


def test_what_has_no_default_is_required() -> None:
    (needed, *_) = variables(Sample)
    assert (needed.name, needed.required, needed.default) == ("SAMPLE_NEEDED", "everything", None)


def test_bounds_are_told() -> None:
    (_, at_most, free) = variables(Sample)
    assert at_most.accepts == "a whole number of at most 9"
    assert (free.accepts, free.default) == ("a number", "2.5")


def test_what_is_required_comes_first() -> None:
    assert Group.of("Sample", Sample).variables[0].name == "SAMPLE_NEEDED"
