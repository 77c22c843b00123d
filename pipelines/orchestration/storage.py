"""Whether Dagster's own storage can work beside us, looked at when the definitions are loaded.

dagster-postgres connects by a plain `postgresql://`, and speaks to psycopg2 as only that driver can
be spoken to (`NOTIFY run_events, $1`). Since SQLAlchemy 2.1 that URL means psycopg 3: every event
of every code location fails then, while `dagster definitions validate` is green.
"""

import os
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import yaml

from pipelines.errors import ConfigurationError

LIBRARY = "dagster_postgres"
NEEDED = "psycopg2"
STORAGES = ("storage", "run_storage", "event_log_storage", "schedule_storage")


def check_storage() -> None:
    """Raises ConfigurationError where DAGSTER_HOME names a storage in Postgres that fails beside
    the SQLAlchemy that is installed. A dagster.yaml that can't be read is Dagster's to tell."""
    home = os.environ.get("DAGSTER_HOME")
    if not home or not _is_in_postgres(Path(home) / "dagster.yaml"):
        return
    driver = sa.make_url("postgresql://").get_dialect().driver
    if driver != NEEDED:
        raise ConfigurationError(
            f"Dagster's storage is in Postgres (dagster-postgres, by {home}/dagster.yaml), which"
            f" needs {NEEDED}, but with SQLAlchemy {sa.__version__} postgresql:// means {driver}:"
            " every event of every code location would fail. Install another SQLAlchemy:"
            " pip install 'sqlalchemy<2.1'"
        )


def _is_in_postgres(settings: Path) -> bool:
    try:
        told: Any = yaml.safe_load(settings.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    given = [told.get(name) for name in STORAGES] if isinstance(told, dict) else []
    return any(
        isinstance(one, dict)
        and ("postgres" in one or str(one.get("module", "")).startswith(LIBRARY))
        for one in given
    )
