"""What Dagster loads, as a table of contents: a change here is a change that users see."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from pipelines.demo import TARGETS, demo_runtime
from pipelines.orchestration import describe, lineage
from pipelines.orchestration.assets import SnapshotConfig
from pipelines.orchestration.build import build_definitions
from pipelines.orchestration.names import Names
from pipelines.orchestration.schedules import run_config
from pipelines.paths import ROOT
from pipelines.providers import PROVIDERS
from pipelines.runtime import Runtime
from pipelines.settings import Settings
from pipelines.targets import Watch, load_targets
from pipelines.warehouse.audit import load_rules
from tests.end_to_end.documents import copy_project
from tests.patience import PATIENCE

SETTINGS = ("DATABASE_URL", "HOLDFAST_", "HIRO_", "ALTURA_", "CATENIS_", "DAGSTER_")

NOBODY = Watch("altura", None, ())
LOAD = """
import sys
from dagster._grpc.server import LoadedRepositories
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._utils.error import serializable_error_info_from_exc_info
try:
    origin = LoadableTargetOrigin(module_name="pipelines.definitions")
    LoadedRepositories(origin, entry_point=[], container_image=None, container_context=None)
except Exception:
    print(serializable_error_info_from_exc_info(sys.exc_info()).message)
"""
"""Loads the code location as Dagster's server does, and prints what its page shows first."""
RUN_WITHOUT_LIST = """
import sys
from pipelines.definitions import defs
result = defs.resolve_job_def("hiro_snapshots").execute_in_process(
    run_config={"ops": {"hiro_nft_holdings": {"config": {"targets": [sys.argv[1]]}}}},
    raise_on_error=False,
)
[failure] = [event for event in result.all_events if event.is_step_failure]
print(failure.step_failure_data.user_failure_data.description)
"""
"""Runs what somebody asked for by name while there was a list, and prints why it failed."""


def definitions() -> dg.Definitions:
    runtime = demo_runtime(Settings(_env_file=None), dict.fromkeys(PROVIDERS, "http://127.0.0.1"))
    return build_definitions(load_targets(TARGETS), runtime)


def test_there_is_one_asset_job_check_and_schedule_for_each_provider_and_what_follows_on_them():
    repository = definitions().get_repository_def()
    graph = repository.asset_graph
    assert {key.to_user_string() for key in graph.executable_asset_keys} == {
        "altura_item_holders",
        "catenis_asset_holders",
        "hiro_nft_holdings",
        "concentration",
        "report",
    }
    assert {job.name for job in repository.get_all_jobs()} - {"__ASSET_JOB"} == {
        "altura_snapshots",
        "catenis_snapshots",
        "hiro_snapshots",
        "audit",
        "after_snapshots",
    }
    assert {(s.name, s.cron_schedule) for s in repository.schedule_defs} == {
        ("altura_schedule", "* * * * *"),
        ("catenis_schedule", "* * * * *"),
        ("hiro_schedule", "* * * * *"),
        ("audit_schedule", "43 3 * * *"),
    }
    running = dg.DefaultSensorStatus.RUNNING
    assert {
        (s.name, tuple(target.job_name for target in s.targets), s.default_status)
        for s in repository.sensor_defs
    } == {
        ("after_snapshots_sensor", ("after_snapshots",), running),
        ("dead_runs_sensor", (), running),
    }
    checks = {"every_target_published", *(rule.name for rule in load_rules())}
    assert {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys} == {
        (provider.dataset.name, check) for provider in PROVIDERS.values() for check in checks
    }


def test_the_lineage_leads_from_the_apis_over_the_datasets_to_the_marts_and_the_report():
    graph = definitions().get_repository_def().asset_graph
    datasets = {"altura_item_holders", "catenis_asset_holders", "hiro_nft_holdings"}
    assert {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.get_all_asset_keys()
    } == {
        "altura_api": set(),
        "catenis_api": set(),
        "hiro_api": set(),
        "altura_item_holders": {"altura_api"},
        "catenis_asset_holders": {"catenis_api"},
        "hiro_nft_holdings": {"hiro_api"},
        "concentration": {"altura_item_holders", "catenis_asset_holders"},
        "report": {*datasets, "concentration"},
        "mart/holders_now": datasets,
        "mart/changes": datasets,
        "mart/supply_and_holders": datasets,
        "mart/freshness": datasets,
        "mart/concentration": {"concentration"},
    }


def test_whatever_people_see_has_a_description():
    repository = definitions().get_repository_def()
    graph = repository.asset_graph
    jobs = [job for job in repository.get_all_jobs() if job.name != "__ASSET_JOB"]
    described = [
        *(graph.get(key).description for key in graph.get_all_asset_keys()),
        *(graph.get(key).description for key in graph.asset_check_keys),
        *(job.description for job in jobs),
        *(schedule.description for schedule in repository.schedule_defs),
        *(sensor.description for sensor in repository.sensor_defs),
        *(field.description for field in SnapshotConfig.model_fields.values()),
    ]
    assert len(described) == 13 + 3 * (1 + len(load_rules())) + 5 + 4 + 2 + 4
    assert all(described)


def test_the_partitions_are_the_configured_targets():
    watched = load_targets(TARGETS)
    graph = definitions().get_repository_def().asset_graph
    for name, watch in watched.watches.items():
        asset = graph.get(dg.AssetKey(PROVIDERS[name].dataset.name))
        expected = [target.name for target in watch.targets]
        assert asset.partitions_def.get_partition_keys() == expected


def test_the_definition_tells_table_and_place_and_no_secret():
    for provider in PROVIDERS.values():
        graph = definitions().get_repository_def().asset_graph
        metadata = graph.get(dg.AssetKey(provider.dataset.name)).metadata
        assert metadata["dagster/table_name"] == f"public.{provider.dataset.name}"
        assert metadata["dagster/uri"].startswith("postgresql://127.0.0.1/holdfast")
        assert metadata["api"].value == "http://127.0.0.1"


def test_the_columns_are_those_of_the_view(pipeline):
    for provider in PROVIDERS.values():
        columns = pipeline.sql(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute"
            " where attrelid = cast(:view as regclass) and attnum > 0 order by attnum",
            view=provider.dataset.name,
        )
        shown = [
            (column.name, column.type.replace("timestamptz", "timestamp with time zone"))
            for column in describe.columns(provider.dataset)
        ]
        assert shown == [tuple(column) for column in columns]
        assert all(column.description for column in describe.columns(provider.dataset))


def test_the_queries_that_the_asset_and_the_views_show_run(pipeline):
    shown = [describe.asset_description(PROVIDERS[name], NOBODY) for name in PROVIDERS]
    views = [*lineage.VIEWS, lineage.CONCENTRATION_VIEW]
    shown += [view.markdown for view in views]
    queries = re.findall(r"```sql\n(.*?)```", "".join(shown), re.DOTALL)
    assert len(queries) == 3 + 5
    for statement in re.findall(r"select [^;]*", "".join(queries)):
        pipeline.sql(statement)


def test_labels_stand_beside_their_partitions_and_a_target_without_one_has_none(pipeline):
    targets = (
        pipeline.target("catenis:aZtrM9oRPUU6uQMhoYSf", label="Loyalty | points"),
        pipeline.target("catenis:aQAhFnOFnuH8aBwOzrFW"),
    )
    text = describe.asset_description(PROVIDERS["catenis"], Watch("catenis", None, targets))
    assert "| Loyalty \\| points | catenis:aZtrM9oRPUU6uQMhoYSf |" in text
    assert "|  | catenis:aQAhFnOFnuH8aBwOzrFW |" in text


def test_a_long_list_of_targets_is_cut(pipeline):
    targets = tuple(pipeline.target(f"altura:0x{number:040x}/1") for number in range(1_000))
    watch = Watch("altura", None, targets)
    text = describe.asset_description(PROVIDERS["altura"], watch)
    assert f"and {1_000 - describe.FEW_TARGETS} more, see targets.yaml" in text
    listed = describe.asset_metadata(PROVIDERS["altura"], watch, "postgresql://x", "http://x")
    assert len(listed["targets"].value) < 20_000


def test_the_uri_of_a_given_database_is_shown_without_user_and_password():
    made = demo_runtime(Settings(_env_file=None), dict.fromkeys(PROVIDERS, "http://127.0.0.1"))
    url = SecretStr("postgres://canary:secret@db.example:6543/tokens")
    runtime = Runtime(made.settings.model_copy(update={"database_url": url}), made.providers)
    assert runtime.uri == "postgresql://db.example:6543/tokens"


@pytest.fixture
def fresh_checkout(tmp_path) -> Path:
    """A copy of the project in which nothing has been made yet, not even targets.yaml."""
    return copy_project(tmp_path / "holdfast")


def test_dagster_validates_the_workspace_of_a_fresh_checkout_and_makes_no_list(fresh_checkout):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "definitions", "validate"],
        cwd=fresh_checkout,
        env={**clean, "PYTHONPATH": str(fresh_checkout)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert f"no list of targets at {fresh_checkout}/targets.yaml: make one from the example" in said
    assert not (fresh_checkout / "targets.yaml").exists()


def test_a_run_that_finds_no_list_any_more_fails_and_retires_nothing(
    fresh_checkout, pipeline, database_url, world
):
    key = world.add_hiro_principal(3)
    pipeline.take(key)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-c", RUN_WITHOUT_LIST, key],
        cwd=fresh_checkout,
        env={**clean, "PYTHONPATH": str(fresh_checkout), "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "no longer in targets.yaml" in done.stdout
    assert pipeline.sql("select name from target where retired_at is null") == [(key,)]


def test_a_list_that_is_named_and_is_not_there_is_an_error(tmp_path):
    missing = tmp_path / "nowhere.yaml"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env={**clean, "HOLDFAST_TARGETS": str(missing)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert f"DagsterInvalidDefinitionError: no list of targets at {missing}: " in done.stdout


def test_dagster_shows_the_mistakes_in_the_targets_before_any_stack_trace(tmp_path):
    targets = tmp_path / "targets.yaml"
    targets.write_text("hiro:\n  targets:\n    - principal: SP1\n    - name: x\n")
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env={**clean, "HOLDFAST_TARGETS": str(targets)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert done.stdout.startswith("dagster._core.errors.DagsterInvalidDefinitionError: ")
    first, *mistakes = done.stdout.splitlines()
    assert "mistakes in the targets" in first
    assert mistakes[0].startswith(f"  {targets}:3: ")


def test_loading_imports_neither_pandas_nor_matplotlib():
    clean = {k: v for k, v in os.environ.items() if not k.startswith(SETTINGS)}
    done = subprocess.run(
        [sys.executable, "-c", "import pipelines.definitions, sys; print(*sys.modules)"],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert {"pandas", "matplotlib", "PIL", "jinja2"}.isdisjoint(done.stdout.split())


def test_all_keys_get_the_prefix_and_the_group_that_are_set(tmp_path):
    runtime = demo_runtime(Settings(_env_file=None), dict.fromkeys(PROVIDERS, "http://127.0.0.1"))
    set_to = {
        "holdfast_asset_prefix": "company/holdfast",
        "holdfast_asset_group": "tokens",
        "holdfast_asset_owners": "team:data,a@example.org",
    }
    runtime = Runtime(runtime.settings.model_copy(update=set_to), runtime.providers)
    defs = build_definitions(load_targets(TARGETS), runtime)
    dg.Definitions.validate_loadable(defs)
    specs = defs.resolve_all_asset_specs()
    assert {spec.key.path[:2] == ["company", "holdfast"] for spec in specs} == {True}
    assert {spec.group_name for spec in specs} == {"tokens"}
    assert {tuple(spec.owners) for spec in specs} == {("team:data", "a@example.org")}
    plain = {spec.key for spec in definitions().resolve_all_asset_specs()}
    assert {dg.AssetKey(spec.key.path[2:]) for spec in specs} == plain
    job = defs.resolve_job_def("hiro_snapshots")
    assert job.asset_layer.selected_asset_keys == {
        dg.AssetKey(["company", "holdfast", "hiro_nft_holdings"])
    }
    names = run_config(PROVIDERS["hiro"], [], called=Names.of(runtime.settings))
    assert list(names["ops"]) == [node.name for node in job.nodes]
