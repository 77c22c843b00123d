"""What a run tells Dagster: an event for each target, one check for the run, one failure.

An event stays in Dagster's log for good, and there is one for each target and tick: those are about
two kilobytes. What is larger, the picture and the tables, is on the check: once a run, and cut.
"""

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from pipelines.analysis.plots import Change, changed_most, changes_png
from pipelines.errors import ConfigurationError, HoldfastError, ProviderDown
from pipelines.orchestration.markdown import literal, table, visible
from pipelines.providers.provider import Provider, Target, shorten
from pipelines.snapshots import Failed, Taken
from pipelines.warehouse.schema import KINDS

logger = logging.getLogger(__name__)

CHECK = "every_target_published"

MOST_TOLD = 20
"""Targets that a table or a message names; walk_failure and the log have all of them."""

_LONGEST_MESSAGE = 1_000


@dataclass(frozen=True)
class Missed:
    """A target that the run was asked for and did not publish. `label` is what people call it."""

    name: str
    label: str | None
    error: HoldfastError

    @classmethod
    def of(cls, failed: Failed) -> "Missed":
        return cls(failed.target.name, failed.target.label, failed.error)

    @classmethod
    def gone(cls, name: str) -> "Missed":
        """A target that a queued run names and the list no longer does."""
        return cls(name, None, ConfigurationError("no longer in targets.yaml", where=name))

    def __str__(self) -> str:
        label = f"{self.label}: " if self.label else ""
        return shorten(visible(f"{label}{self.error}"), _LONGEST_MESSAGE)


@dataclass(frozen=True)
class Result:
    """What became of the targets that a run was asked for. `stopped` ended it for all of them."""

    asked: int
    taken: Sequence[Taken]
    missed: Sequence[Missed]
    stopped: HoldfastError | None = None

    @property
    def passed(self) -> bool:
        return not self.missed and self.stopped is None


def materialization(asset: dg.AssetKey, taken: Taken) -> dg.AssetMaterialization:
    """The event that marks a target's partition as published."""
    snapshot = taken.snapshot
    metadata: dict[str, dg.MetadataValue] = {
        "label": dg.MetadataValue.text(_label(taken.target)),
        "dagster/partition_row_count": dg.MetadataValue.int(snapshot.rows),
        **{kind: dg.MetadataValue.int(getattr(snapshot, kind)) for kind in KINDS},
        "snapshot_at": dg.MetadataValue.timestamp(snapshot.snapshot_at),
        "proof": dg.MetadataValue.text(snapshot.proof),
        "pages": dg.MetadataValue.int(snapshot.pages),
        "requests": dg.MetadataValue.int(snapshot.requests),
        "walks": dg.MetadataValue.int(snapshot.walks),
        "seconds": dg.MetadataValue.float(float(snapshot.seconds)),
        "snapshot_id": dg.MetadataValue.int(snapshot.snapshot_id),
    }
    if taken.elsewhere:
        metadata["taken_by"] = dg.MetadataValue.text("another run, while this one walked")
    if snapshot.is_first_and_empty:
        metadata["warning"] = dg.MetadataValue.text("the first snapshot is empty: is the id right?")
    return dg.AssetMaterialization(asset, partition=taken.target.name, metadata=metadata)


def failed_observation(asset: dg.AssetKey, missed: Missed) -> dg.AssetObservation:
    """Why a partition is red, shown where people click on it. It changes no status."""
    return dg.AssetObservation(
        asset,
        description=literal(f"not published: {missed}"),
        partition=missed.name,
        metadata={
            "not_published": dg.MetadataValue.text(str(missed)),
            "reason": dg.MetadataValue.text(type(missed.error).__name__),
            "may_pass_by_itself": dg.MetadataValue.bool(missed.error.transient),
        },
    )


def check_result(asset: dg.AssetKey, result: Result, settings_folder: Path) -> dg.AssetCheckResult:
    """The run in one place: sums that Dagster plots over time, what changed, what failed."""
    own = [taken for taken in result.taken if not taken.elsewhere]
    snapshots = [taken.snapshot for taken in own]
    later = [snapshot for snapshot in snapshots if snapshot.previous_id is not None]
    metadata: dict[str, dg.MetadataValue] = {
        "targets": dg.MetadataValue.int(result.asked),
        "published": dg.MetadataValue.int(len(result.taken)),
        "rows": dg.MetadataValue.int(sum(snapshot.rows for snapshot in snapshots)),
        "requests": dg.MetadataValue.int(sum(snapshot.requests for snapshot in snapshots)),
        **{
            kind: dg.MetadataValue.int(sum(getattr(snapshot, kind) for snapshot in later))
            for kind in KINDS
        },
    }
    changes = [Change(_label(taken.target), taken.snapshot) for taken in own]
    if changed_most(changes):
        metadata["what_changed"] = dg.MetadataValue.md(_what_changed(changes, settings_folder))
    if result.missed:
        metadata["what_failed"] = dg.MetadataValue.md(_what_failed(result.missed))
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=CHECK,
        passed=result.passed,
        description=summary(result),
        metadata=metadata,
    )


def summary(result: Result) -> str:
    """How the run went, in markdown: all that a person has to know who looks at nothing else."""
    if result.stopped:
        return f"The run stopped: {literal(result.stopped)}"
    if not result.missed:
        return f"All {result.asked:,} targets are published."
    heading = f"{len(result.missed):,} of {result.asked:,} targets are not published:\n"
    return "\n".join([heading, *(f"- {literal(line)}" for line in _what_went_wrong(result.missed))])


def failure(provider: Provider, result: Result) -> dg.Failure:
    """What ends the step. Only what may pass by itself is retried, and not by a provider that does
    not answer: it was waited for already."""
    if result.stopped:
        return dg.Failure(str(result.stopped), allow_retries=result.stopped.transient)
    errors = [missed.error for missed in result.missed]
    is_down = any(isinstance(error, ProviderDown) for error in errors)
    return dg.Failure(
        f"{len(result.missed)} of {result.asked} {provider.title} targets failed; the others are"
        " published, and running this again takes only those that failed:\n"
        + "\n".join(_what_went_wrong(result.missed)),
        allow_retries=not is_down and any(error.transient for error in errors),
    )


def _what_went_wrong(missed: Sequence[Missed]) -> list[str]:
    """A line for each, but one for all that were not even tried."""
    groups: dict[str, list[Missed]] = {}
    for one in missed:
        untried = isinstance(one.error, ProviderDown)
        groups.setdefault("untried" if untried else one.name, []).append(one)
    told = list(groups.values())[:MOST_TOLD]
    lines = [
        f"{len(group):,} targets alike, such as {group[0]}" if len(group) > 1 else str(group[0])
        for group in told
    ]
    return lines + _and_more(len(missed), sum(map(len, told)))


def _label(target: Target) -> str:
    return visible(target.label or target.name)


def _what_changed(changes: Sequence[Change], settings_folder: Path) -> str:
    ranked = changed_most(changes)
    rows = [[change.label, *_counts(change)] for change in ranked[:MOST_TOLD]]
    picture = _picture(changes, settings_folder)
    more = [literal(line) for line in _and_more(len(ranked))]
    return "\n\n".join([picture, table(["target", "rows", *KINDS], rows), *more])


def _picture(changes: Sequence[Change], settings_folder: Path) -> str:
    try:
        png = changes_png(changes, settings_folder) or b""
    except Exception as error:
        logger.warning("the picture of what changed could not be drawn", exc_info=error)
        return f"No picture: {literal(f'{type(error).__name__}: {error}')}"
    return f"![what changed](data:image/png;base64,{base64.b64encode(png).decode()})"


def _counts(change: Change) -> list[int]:
    return [change.snapshot.rows, *(getattr(change.snapshot, kind) for kind in KINDS)]


def _what_failed(missed: Sequence[Missed]) -> str:
    rows = [
        [one.label or "", one.name, type(one.error).__name__, one.error.message]
        for one in missed[:MOST_TOLD]
    ]
    more = [literal(line) for line in _and_more(len(missed))]
    return "\n\n".join([table(["label", "target", "reason", "what happened"], rows), *more])


def _and_more(all_of_them: int, told: int = MOST_TOLD) -> list[str]:
    hidden = all_of_them - told
    return [f"and {hidden:,} more"] if hidden > 0 else []
