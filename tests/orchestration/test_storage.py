"""Whether Dagster's own storage can work is looked at before anything of it fails.

That it does work, in one environment with dagster-postgres, is tried by `make test-beside`."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from pipelines.errors import ConfigurationError
from pipelines.orchestration.storage import check_storage

IN_POSTGRES = [
    "storage:\n  postgres:\n    postgres_url: postgresql://x\n",
    "run_storage:\n  module: dagster_postgres.run_storage\n  class: PostgresRunStorage\n",
    "event_log_storage:\n  module: dagster_postgres\n  class: PostgresEventLogStorage\n",
]
ELSEWHERE = [
    "",
    "storage:\n  sqlite:\n    base_dir: x\n",
    "storage:\n",
    "[1]",
    "storage: [",
    "a: \0",
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def another_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postgresql://` means psycopg 3, as it does with SQLAlchemy 2.1."""
    loaded = sa.dialects.registry.load("postgresql.psycopg")
    monkeypatch.setitem(sa.dialects.registry.impls, "postgresql", lambda: loaded)


@pytest.mark.parametrize("settings", IN_POSTGRES)
def test_a_driver_that_the_storage_can_not_use_is_told(home: Path, another_driver, settings: str):
    (home / "dagster.yaml").write_text(settings)
    with pytest.raises(ConfigurationError, match=r"needs psycopg2, but .* 'sqlalchemy<2.1'"):
        check_storage()


@pytest.mark.parametrize("settings", ELSEWHERE)
def test_another_storage_is_left_alone(home: Path, another_driver, settings: str):
    (home / "dagster.yaml").write_text(settings)
    check_storage()


def test_without_a_home_there_is_nothing_to_look_at(another_driver, monkeypatch):
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    check_storage()
