"""What Dagster loads, as a table of contents: a change here is a change that users see."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
from pydantic import SecretStr

from pipelines.demo import TARGETS, demo_runtime
from pipelines.orchestration.build import build_definitions
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from pipelines.targets import load_targets

SETTINGS = ("DATABASE_URL", "HOLDFAST_", "HIRO_", "ALTURA_", "CATENIS_", "DAGSTER_")


def definitions() -> dg.Definitions:
    runtime = demo_runtime(Settings(_env_file=None), dict.fromkeys(PROVIDERS, "http://127.0.0.1"))
    return build_definitions(load_targets(TARGETS), runtime)


def test_there_is_one_asset_job_check_and_schedule_for_each_provider():
    repository = definitions().get_repository_def()
    graph = repository.asset_graph
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == {
        "altura_item_holders",
        "catenis_asset_holders",
        "hiro_nft_holdings",
    }
    assert {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"} == {
        "altura_snapshots",
        "catenis_snapshots",
        "hiro_snapshots",
    }
    assert {(s.name, s.cron_schedule) for s in repository.schedule_defs} == {
        ("altura_schedule", "* * * * *"),
        ("catenis_schedule", "* * * * *"),
        ("hiro_schedule", "* * * * *"),
    }
    assert {key.name for key in graph.asset_check_keys} == {"every_target_published"}


def test_the_partitions_are_the_configured_targets():
    watched = load_targets(TARGETS)
    graph = definitions().get_repository_def().asset_graph
    for name, watch in watched.watches.items():
        asset = graph.get(dg.AssetKey(PROVIDERS[name].dataset.name))
        expected = [target.name for target in watch.targets]
        assert asset.partitions_def.get_partition_keys() == expected


def test_the_definition_tells_table_and_columns_and_no_secret():
    for provider in PROVIDERS.values():
        graph = definitions().get_repository_def().asset_graph
        metadata = graph.get(dg.AssetKey(provider.dataset.name)).metadata
        assert metadata["dagster/table_name"] == f"public.{provider.dataset.name}"
        schema = metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(provider.dataset.column_names)
        assert all(column.description for column in schema.columns)
        assert metadata["dagster/uri"].startswith("postgresql://127.0.0.1/holdfast")


def test_the_uri_of_a_given_database_is_shown_without_user_and_password():
    made = demo_runtime(Settings(_env_file=None), dict.fromkeys(PROVIDERS, "http://127.0.0.1"))
    url = SecretStr("postgres://canary:secret@db.example:6543/tokens")
    runtime = Runtime(made.settings.model_copy(update={"database_url": url}), made.providers)
    assert runtime.uri == "postgresql://db.example:6543/tokens"


def test_dagster_validates_the_shipped_workspace_with_nothing_set():
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate"],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
