"""Real Dagster runs over the sandbox and a database, recorded in an instance of their own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from pipelines.orchestration import dead_runs
from pipelines.orchestration.build import build_definitions
from pipelines.orchestration.schedules import job_name, partition_range, run_config
from pipelines.providers import PROVIDERS
from pipelines.targets import Watch, WatchList

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class Orchestra:
    """Definitions for the targets of a world, and runs of them."""

    def __init__(self, pipeline, instance: dg.DagsterInstance) -> None:
        self.pipeline = pipeline
        self.instance = instance

    def watched(self) -> WatchList:
        targets = {
            name: tuple(map(self.pipeline.target, self.pipeline.world.targets(name)))
            for name in PROVIDERS
        }
        watches = {name: Watch(name, "0 * * * *", of_it) for name, of_it in targets.items()}
        return WatchList(Path("targets.yaml"), watches)

    def definitions(self) -> dg.Definitions:
        return build_definitions(self.watched(), self.pipeline.runtime)

    def run(self, provider: str, *, tick: datetime | None = None, names=None):
        """A run over a range of targets, by default all of the provider's."""
        names = names or list(self.pipeline.world.targets(provider))
        listed = {target.name: target for target in self.watched().targets()}
        targets = [listed.get(name) or self.pipeline.target(name) for name in names]
        job = self.definitions().resolve_job_def(job_name(PROVIDERS[provider]))
        return job.execute_in_process(
            run_config={**run_config(PROVIDERS[provider], targets, tick=tick), **QUIET},
            tags=partition_range(targets),
            instance=self.instance,
            raise_on_error=False,
        )

    def partitions(self, provider: str) -> tuple[set[str], set[str]]:
        """The materialized and the failed partitions, as the UI shows them."""
        asset = dg.AssetKey(PROVIDERS[provider].dataset.name)
        definition = self.definitions().resolve_asset_graph().get(asset).partitions_def
        status = get_and_update_asset_status_cache_value(self.instance, asset, definition)
        failed = set(status.deserialize_failed_partition_subsets(definition).get_partition_keys())
        good = status.deserialize_materialized_partition_subsets(definition).get_partition_keys()
        return set(good) - failed, failed


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    silent = {"telemetry": {"enabled": False}, "nux": {"enabled": False}}
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder), overrides=silent) as made:
        yield made


@pytest.fixture
def orchestra(pipeline, instance: dg.DagsterInstance) -> Orchestra:
    return Orchestra(pipeline, instance)


@pytest.fixture
def long_running_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests' Postgres as if it had run for long: times are moved back, its start can't be."""
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(dead_runs, "server_started", lambda connection: long_ago)
