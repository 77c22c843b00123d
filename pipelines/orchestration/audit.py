"""The audit of what is stored, as asset checks that run in a job of their own once a day.

Not in the runs that take snapshots: a check beside the asset is skipped there, as the asset yields
its events itself, and each tick would read every row. Each rule is a check on each dataset, so that
a broken one is red on the asset that it is about, with its own past. A run that finds something
fails, too: that is what alerts look at.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.errors import HoldfastError
from pipelines.orchestration.assets import RETRIES
from pipelines.orchestration.markdown import literal, table
from pipelines.orchestration.names import PLAIN, Names
from pipelines.orchestration.unfinished import TAG, TAG_VALUE
from pipelines.providers.provider import Provider
from pipelines.runtime import Runtime
from pipelines.warehouse.audit import Finding, Rule, audit, load_rules

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import (
        UnresolvedAssetJobDefinition,
    )

JOB = "audit"
CRON = "43 3 * * *"


def build_audit(provider: Provider, called: Names = PLAIN) -> dg.AssetChecksDefinition:
    """A check for each rule on the provider's dataset, all in one step; any of them can be run by
    itself."""
    dataset = provider.dataset.name
    key = called.dataset(provider)
    rules = {rule.name: rule for rule in load_rules()}

    @dg.multi_asset_check(
        name=f"{dataset}_audit",
        specs=[
            dg.AssetCheckSpec(name, asset=key, description=_description(rule))
            for name, rule in rules.items()
        ],
        description=f"Reads every row of {dataset} and writes nothing.",
        retry_policy=RETRIES,
        can_subset=True,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, runtime: dg.ResourceParam[Runtime]
    ) -> Iterator[dg.AssetCheckResult]:
        asked = {key.name for key in context.selected_asset_check_keys}
        broken: list[Finding] = []
        try:
            with runtime.open_run(context.run.run_id, context.run.job_name) as run:
                wanted = [rules[name] for name in sorted(asked)]
                for finding in audit(run.warehouse, provider, wanted):
                    run.pulse.expect()
                    if not finding.passed:
                        broken.append(finding)
                        context.log.error(str(finding))
                    yield _result(key, finding)
        except HoldfastError as error:
            raise dg.Failure(str(error), allow_retries=error.transient) from None
        if broken:
            raise _failure(dataset, broken)

    return checks


def build_audit_job(audits: Iterable[dg.AssetChecksDefinition]) -> "UnresolvedAssetJobDefinition":
    """The job that runs the checks and materializes nothing."""
    return dg.define_asset_job(
        JOB,
        selection=dg.AssetSelection.checks(*audits),
        tags={TAG: TAG_VALUE},
        description="Checks that what is stored is what was published: no version lost, altered,"
        " doubled or overlapping, every count as it was. Reads every row, writes nothing, and may"
        " run beside snapshots. The same by hand: holdfast audit",
    )


def build_audit_schedule() -> dg.ScheduleDefinition:
    """Once a day, at a time when no provider's schedule is likely to begin."""
    return dg.ScheduleDefinition(
        name="audit_schedule",
        job_name=JOB,
        cron_schedule=CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Once a day (UTC) reads all that is stored and checks that it is whole.",
    )


def _description(rule: Rule) -> str:
    return f"{literal(rule.sentence)}\n\n**If not:** {literal(rule.means)} {literal(rule.advice)}"


def _result(asset: dg.AssetKey, finding: Finding) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {
        "found": dg.MetadataValue.int(finding.count),
        "seconds": dg.MetadataValue.float(round(finding.seconds, 3)),
    }
    if finding.examples:
        rows = [[example.target, example.key, example.found] for example in finding.examples]
        metadata["examples"] = dg.MetadataValue.md(table(["target", "key", "found"], rows))
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=finding.rule.name,
        passed=finding.passed,
        description="\n\n".join(literal(line) for line in str(finding).splitlines()),
        metadata=metadata,
    )


def _failure(dataset: str, broken: list[Finding]) -> dg.Failure:
    """What ends the step: another attempt would find the same."""
    rules = "\n\n".join(map(str, broken))
    return dg.Failure(f"{len(broken)} rules are broken in {dataset}:\n{rules}", allow_retries=False)
