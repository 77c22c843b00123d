"""One asset a provider dataset; its partitions are the configured targets.

Not time partitions: an API that answers "now" must not be filled into the past. Not a run a target:
at 1,000 targets an hour that took 25 to 70 minutes a tick on two cores, ranges of 100 under one.

The body yields one AssetMaterialization for each committed target and nothing else for the output:
a MaterializeResult, or a plain function, would mark the failed partitions as materialized too. A
retry yields the events of what an earlier attempt committed again: left out, they would turn into
failed partitions.
"""

from collections.abc import Iterator
from datetime import datetime

import dagster as dg
from pydantic import Field

from pipelines.errors import ConfigurationError, HoldfastError
from pipelines.providers.provider import Provider, Target
from pipelines.runtime import Runtime
from pipelines.snapshots import Failed, Progress, Taken, take_snapshots
from pipelines.targets import Watch
from pipelines.warehouse.registry import Run
from pipelines.warehouse.schema import KINDS

CHECK = "every_target_published"

RETRIES = dg.RetryPolicy(
    max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
)
"""For transient failures only: anything else ends the step at once (`Failure.allow_retries`)."""


class SnapshotConfig(dg.Config):
    """A tick names its targets, as the file's order may change while its run is queued; a run by
    hand names none and takes its partitions. `tick` is the time it was scheduled for, ISO 8601."""

    targets: list[str] = Field(default_factory=list)
    tick: str | None = None


SnapshotEvent = dg.AssetMaterialization | dg.AssetCheckResult


def build_asset(provider: Provider, watch: Watch, uri: str) -> dg.AssetsDefinition:
    """The asset of a provider's dataset, partitioned by the targets of `watch`; `uri` tells people
    where its table is."""
    dataset = provider.dataset
    by_name = {target.name: target for target in watch.targets}

    @dg.asset(
        name=dataset.name,
        description=_description(provider),
        partitions_def=dg.StaticPartitionsDefinition(list(by_name)),
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=RETRIES,
        output_required=False,
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=dataset.name,
                description="Every target that the run asked for has a proven snapshot.",
            )
        ],
        pool=provider.name,
        group_name="snapshots",
        kinds={"python", "postgres"},
        metadata=_definition_metadata(provider, uri),
    )
    def snapshots(
        context: dg.AssetExecutionContext,
        config: SnapshotConfig,
        runtime: dg.ResourceParam[Runtime],
    ) -> Iterator[SnapshotEvent]:
        names = config.targets or _partitions(context) or list(by_name)
        targets = [by_name[name] for name in names if name in by_name]
        failures = [_gone(name) for name in names if name not in by_name]
        for outcome in _take(context, runtime, provider, targets, _run(context, config)):
            if isinstance(outcome, Failed):
                failures.append(outcome.error)
                context.log.error(str(outcome.error))
            else:
                yield _materialization(dataset.name, outcome)
        yield _check(dataset.name, len(names), failures)
        if failures:
            raise _failure(provider, len(names), failures)

    return snapshots


def _take(
    context: dg.AssetExecutionContext,
    runtime: Runtime,
    provider: Provider,
    targets: list[Target],
    run: Run,
) -> Iterator[Taken | Failed]:
    """Take the targets, with a sign of life in the log where it takes long.

    Raises dg.Failure where nothing could be begun; only what may pass by itself is retried.
    """
    under_way: dict[str, Progress] = {}

    def note(progress: Progress) -> None:
        under_way[progress.target.name] = progress

    def tell() -> None:
        context.log.info("\n".join(str(progress) for progress in list(under_way.values())))

    try:
        with runtime.opened(provider.name) as (client, warehouse):
            for outcome in take_snapshots(
                targets, client, warehouse, run, on_progress=note, heartbeat=tell
            ):
                under_way.pop(outcome.target.name, None)
                yield outcome
    except HoldfastError as error:
        raise dg.Failure(str(error), allow_retries=error.transient) from error


def _run(context: dg.AssetExecutionContext, config: SnapshotConfig) -> Run:
    """The tick, or else the root run: a repeat of either has the same key."""
    if config.tick:
        return Run(f"tick {config.tick}", datetime.fromisoformat(config.tick))
    return Run(f"run {context.run.root_run_id or context.run.run_id}")


def _partitions(context: dg.AssetExecutionContext) -> list[str]:
    """The partitions that the run was asked for; none where it was launched without."""
    asked = context.has_partition_key or context.has_partition_key_range
    return list(context.partition_keys) if asked else []


def _gone(name: str) -> HoldfastError:
    return ConfigurationError("no longer in targets.yaml", where=name)


def _materialization(asset: str, taken: Taken) -> dg.AssetMaterialization:
    snapshot = taken.snapshot
    metadata: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(snapshot.rows),
        "proof": dg.MetadataValue.text(snapshot.proof),
        "pages": dg.MetadataValue.int(snapshot.pages),
        "requests": dg.MetadataValue.int(snapshot.requests),
        "walks": dg.MetadataValue.int(snapshot.walks),
        "seconds": dg.MetadataValue.float(float(snapshot.seconds)),
        "snapshot_at": dg.MetadataValue.timestamp(snapshot.snapshot_at),
        "snapshot_id": dg.MetadataValue.int(snapshot.snapshot_id),
    }
    metadata |= {kind: dg.MetadataValue.int(getattr(snapshot, kind)) for kind in KINDS}
    if snapshot.is_first_and_empty:
        metadata["warning"] = dg.MetadataValue.text("the first snapshot is empty: is the id right?")
    return dg.AssetMaterialization(asset, partition=taken.target.name, metadata=metadata)


def _check(asset: str, asked: int, failures: list[HoldfastError]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=not failures,
        metadata={
            "asked for": asked,
            "published": asked - len(failures),
            **({"failed": dg.MetadataValue.md(_table(failures))} if failures else {}),
        },
    )


def _failure(provider: Provider, asked: int, failures: list[HoldfastError]) -> dg.Failure:
    return dg.Failure(
        f"{len(failures)} of {asked} {provider.title} targets failed; the others are published, and"
        " running this again takes only those that failed:\n"
        + "\n".join(str(error) for error in failures),
        allow_retries=any(error.transient for error in failures),
    )


def _table(failures: list[HoldfastError]) -> str:
    lines = ["| where | reason | what happened |", "|---|---|---|"]
    for error in failures:
        cells = (error.where, type(error).__name__, error.message)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _description(provider: Provider) -> str:
    proofs = ", ".join(provider.proofs)
    return (
        f"{provider.dataset.description}\n\n"
        "One partition per target of targets.yaml. Each materialization is a complete snapshot"
        f" from {provider.title}, published only with a proof ({proofs}) that it is one true"
        " state.\n\n"
        f"Query `{provider.dataset.name}` (what holds and held), `{provider.dataset.name}_as_of(…)`"
        f" or `{provider.dataset.name}_changes`."
    )


def _definition_metadata(provider: Provider, uri: str) -> dict[str, object]:
    dataset = provider.dataset
    columns = [
        dg.TableColumn(
            column.name,
            column.type,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.name not in dataset.key),
        )
        for column in dataset.columns
    ]
    return {
        "dagster/table_name": f"public.{dataset.name}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "dagster/storage_kind": "postgres",
        "dagster/uri": uri,
    }
