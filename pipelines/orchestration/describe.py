"""What Dagster's pages say about an asset before anything has run: for whoever opens them first."""

from collections.abc import Iterator

import dagster as dg

from pipelines.orchestration.markdown import literal, table
from pipelines.providers.provider import Dataset, Provider
from pipelines.targets import Watch

FEW_TARGETS = 12
"""Targets that the description lists; the metadata has more."""

MOST_TARGETS = 200
"""A list of thousands would be sent to the browser with every page."""

EXAMPLES = """\
select * from {dataset} where valid_to is null;  -- now
select * from {dataset}_as_of(now() - interval '1 hour');  -- an hour ago
select * from {dataset}_changes order by changed_until desc limit 100;"""

_BEFORE = (
    ("target_id", "integer", "Short number of the target, used in every other table."),
    ("target", "text", "Identity of the target: provider:subject?options."),
    ("key_hash", "uuid", "First 16 bytes of SHA-256 over the key columns."),
)
_AFTER = (
    ("held_since", "timestamptz", "First snapshot since which it has been held without a break."),
    ("valid_from", "timestamptz", "First snapshot that showed the row so."),
    ("valid_to", "timestamptz", "First snapshot that did not any more; null while it holds."),
)
"""The view's columns around the provider's own."""


def asset_description(provider: Provider, watch: Watch) -> str:
    """What the table holds, how to ask it, and which target is which partition; in markdown."""
    name = provider.dataset.name
    proofs = " or ".join(f"`{proof}`" for proof in provider.all_proofs)
    how = (
        f"**One partition is one target** of targets.yaml, materialized when a complete snapshot of"
        f" it is published with a proof ({proofs}) that it is one true state. Red: the last run"
        " could not publish it, and what was published before still stands; click it to read why."
    )
    queries = f"```sql\n{example_queries(name)}\n```"
    targets = _targets(provider, watch, FEW_TARGETS)
    return f"{provider.dataset.description}\n\n{how}\n\n{targets}\n\n{queries}"


def example_queries(dataset: str) -> str:
    """Ready to be copied: now, a moment of the past, what changed."""
    return EXAMPLES.format(dataset=dataset)


def asset_metadata(provider: Provider, watch: Watch, uri: str, api: str) -> dict[str, object]:
    """The table, its columns, where it is and where its rows come from."""
    return {
        "dagster/table_name": f"public.{provider.dataset.name}",
        "dagster/column_schema": dg.TableSchema(columns=list(columns(provider.dataset))),
        "dagster/storage_kind": "postgres",
        "dagster/uri": uri,
        "api": dg.MetadataValue.url(api),
        "schedule": watch.cron or "none: by hand only",
        "targets": dg.MetadataValue.md(_targets(provider, watch, MOST_TARGETS)),
    }


def columns(dataset: Dataset) -> Iterator[dg.TableColumn]:
    """What `select *` gives, in that order."""
    for name, type_, description in _BEFORE:
        yield _column(name, type_, description, nullable=False)
    for own in dataset.columns:
        yield _column(own.name, own.type, own.description, nullable=own.name not in dataset.key)
    for name, type_, description in _AFTER:
        yield _column(name, type_, description, nullable=name == "valid_to")


def job_description(provider: Provider, watch: Watch) -> str:
    """What a run of the job does."""
    return (
        f"Takes a complete, proven snapshot of {provider.title} targets into"
        f" {provider.dataset.name}. {_how_many(watch)} A run launched here without a partition"
        " takes all of them; one that fails takes no other down."
    )


def schedule_description(provider: Provider, watch: Watch, chunk_size: int) -> str:
    """What a tick asks for, and when it does not."""
    return (
        f"At each tick (UTC) asks for a snapshot of every {provider.title} target of"
        f" targets.yaml, {chunk_size:,} to a run. {_how_many(watch)} A tick is skipped while a run"
        " of this job is queued or running: the API only tells what is so now, so there is nothing"
        " to catch up on."
    )


def check_description(provider: Provider) -> str:
    """What the check of a run says and shows."""
    return (
        f"Every {provider.title} target that the last run asked for has a proven snapshot. Below:"
        " what changed in that run, what failed and why, and the sums of each run over time"
        " (changes are counted from a target's second snapshot on)."
    )


def _how_many(watch: Watch) -> str:
    many = len(watch.targets)
    return {0: "There are none yet.", 1: "There is one."}.get(many, f"There are {many:,}.")


def _targets(provider: Provider, watch: Watch, most: int) -> str:
    """The labels that people know, beside the keys that Dagster shows."""
    if not watch.targets:
        return f"targets.yaml has no {provider.title} target yet."
    rows = [[target.label or "", target.name] for target in watch.targets[:most]]
    hidden = len(watch.targets) - most
    more = literal(f"and {hidden:,} more, see targets.yaml") if hidden > 0 else ""
    return f"{table(['label', 'partition'], rows)}\n\n{more}".strip()


def _column(name: str, type_: str, description: str, *, nullable: bool) -> dg.TableColumn:
    constraints = dg.TableColumnConstraints(nullable=nullable)
    return dg.TableColumn(name, type_, description=description, constraints=constraints)
