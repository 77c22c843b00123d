"""Dagster's storage for a state folder, and the runs that a killed service left in it.

The project's dagster.yaml names its paths relative to the project; the one of a state folder is the
same with absolute ones, so that the folder may be anywhere.
"""

from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from pipelines.errors import ConfigurationError
from pipelines.paths import shipped
from pipelines.service.files import ServiceFiles
from pipelines.service.processes import other_dagster

SETTINGS = shipped("dagster.yaml")
STORAGE = ".holdfast/dagster"

UNDER_WAY = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
CUT_SHORT = (
    "The service was stopped while this run was under way. What it had published stays; of the"
    " target under way nothing was written."
)


def write_settings(files: ServiceFiles) -> None:
    """Write the state folder's dagster.yaml, from the project's."""
    settings = _moved(yaml.safe_load(SETTINGS.read_text()), str(files.dagster))
    files.dagster.mkdir(parents=True, exist_ok=True)
    _settings_of(files).write_text(
        f"# Written by holdfast up, from {SETTINGS}, each time that it starts.\n"
        + yaml.safe_dump(settings, sort_keys=False)
    )


def refuse_company(files: ServiceFiles) -> None:
    """Raises ConfigurationError where another Dagster works on the storage: both would tick."""
    if other := other_dagster(files):
        raise ConfigurationError(
            f"another Dagster works on {files.dagster}: process {other.pid}"
            f" ({' '.join(other.cmdline()[:6])}). Stop it first"
        )


def end_cut_runs(files: ServiceFiles) -> int:
    """Fail the runs that were under way and that no process works on any more; how many there were.

    They would show as running for ever, and their provider's schedule would wait for them; failed,
    they are retried once by Dagster. What is queued needs nothing: the next service takes it up.
    Where another Dagster works on the storage, they may be its runs and are left alone.

    This also makes the SQLite files, and so comes before any process of Dagster's is started:
    several that made them at once would spoil them.
    """
    if other_dagster(files) or not _settings_of(files).exists():
        return 0
    with dg.DagsterInstance.from_config(str(files.dagster)) as instance:
        cut = instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY))
        for run in cut:
            if run.status == dg.DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, CUT_SHORT)
            else:
                instance.report_run_failed(run, CUT_SHORT)
        return len(cut)


def _settings_of(files: ServiceFiles) -> Path:
    return files.dagster / "dagster.yaml"


def _moved(value: Any, storage: str) -> Any:
    if isinstance(value, dict):
        return {name: _moved(inner, storage) for name, inner in value.items()}
    if isinstance(value, list):
        return [_moved(inner, storage) for inner in value]
    if isinstance(value, str) and (value == STORAGE or value.startswith(f"{STORAGE}/")):
        return storage + value.removeprefix(STORAGE)
    return value
