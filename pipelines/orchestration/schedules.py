"""One schedule a provider, from its cron in targets.yaml.

A tick makes one run for each chunk of targets, as a partition range. Before that it reads the list
again and retires what is no longer on it: a run, or a process that has loaded an older list, must
not. It ends runs that are dead, and is skipped while the provider's last run is queued or lives:
the API answers "now", so a tick that is late has nothing to catch up on. A run that holds up a
third tick makes the tick fail: a grey "skipped" is looked at by nobody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from pipelines.errors import ConfigurationError, HoldfastError
from pipelines.orchestration.dead_runs import OurRuns, end_dead_runs
from pipelines.orchestration.describe import schedule_description
from pipelines.orchestration.names import PLAIN, Names
from pipelines.orchestration.unfinished import sentence, ticks_since, unfinished_run
from pipelines.providers.provider import Provider, Target
from pipelines.runtime import Runtime
from pipelines.targets import Watch, WatchList, load_targets
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.registry import find_absent, retire

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

TICKS_HELD_UP = 2
"""Ticks that a run may hold up before the next one fails."""


def job_name(provider: Provider) -> str:
    return f"{provider.name}_snapshots"


@dataclass(frozen=True)
class Care:
    """What a tick does before it asks for runs, with what it needs for that."""

    runtime: Runtime
    runs: OurRuns
    called: Names = PLAIN

    def take(self, context: dg.ScheduleEvaluationContext) -> WatchList | None:
        """Retire what is no longer on the list and end dead runs. Returns the list as it is now;
        None where it can't be read, which the tick's log says."""
        try:
            watched = load_targets(self.runtime.settings.holdfast_targets)
        except ConfigurationError as error:
            context.log.warning("nothing was retired, as the list can't be read: %s", error)
            watched = None
        try:
            with self.runtime.open_warehouse(connections=2) as warehouse:
                if watched:
                    _retire_absent(context, warehouse, watched)
                for told in end_dead_runs(context.instance, warehouse, self.runs):
                    context.log.warning("ended %s", told)
        except HoldfastError as error:
            context.log.warning("nothing was retired, no dead run was looked for: %s", error)
        return watched


def _retire_absent(
    context: dg.ScheduleEvaluationContext, warehouse: Warehouse, watched: WatchList
) -> None:
    with warehouse.connect() as connection:
        for absent in find_absent(connection, watched.name, watched.names()):
            if absent.is_doubtful:
                context.log.error("%s: %s", watched.path, absent.advice)
                continue
            for name in retire(connection, absent.names):
                context.log.info("retired, as %s does not name it: %s", watched.path.name, name)


def build_schedule(
    provider: Provider, watch: Watch, cron: str, chunk_size: int, care: Care
) -> dg.ScheduleDefinition:
    """The schedule that asks for all of a provider's targets at each tick of `cron` (UTC)."""
    job = job_name(provider)

    @dg.schedule(
        name=f"{provider.name}_schedule",
        job_name=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=schedule_description(provider, watch, chunk_size),
        tags={"provider": provider.name},
    )
    def tick(
        context: dg.ScheduleEvaluationContext,
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        listed_at = datetime.now(UTC)
        listed = care.take(context)
        wanted = watch.targets if listed is None else _known(context, provider, watch, listed)
        if not wanted:
            yield dg.SkipReason(f"targets.yaml has no {provider.title} target")
            return
        now = context.scheduled_execution_time
        if unfinished := unfinished_run(context.instance, [job]):
            held_up = ticks_since(unfinished, cron, now)
            if held_up > TICKS_HELD_UP:
                raise dg.Failure(
                    f"{sentence(unfinished)}: it has held up {held_up} ticks. If it is to go on,"
                    " make the schedule slower or the list shorter; else end it on its page"
                )
            yield dg.SkipReason(f"{sentence(unfinished)}; the next tick takes what is so then")
            return
        yield from run_requests(wanted, provider, listed_at, chunk_size, now, care.called)

    return tick


def _known(
    context: dg.ScheduleEvaluationContext, provider: Provider, watch: Watch, listed: WatchList
) -> Sequence[Target]:
    """The provider's targets that are on the list now, as they are there. One that has come to it
    since Dagster has loaded the list is no partition yet, and waits until it loads it again."""
    current = listed.watches.get(provider.name)
    now = {target.name: target for target in current.targets} if current else {}
    loaded = [target.name for target in watch.targets]
    if new := len(now.keys() - set(loaded)):
        context.log.info("%d targets wait until Dagster loads the list again", new)
    return [now[name] for name in loaded if name in now]


LARGEST_CONFIG = 100_000
"""Characters of a run's configuration: Dagster keeps it with each run, for good."""


def run_requests(
    targets: Sequence[Target],
    provider: Provider,
    listed_at: datetime,
    chunk_size: int,
    tick: datetime,
    called: Names = PLAIN,
) -> Iterator[dg.RunRequest]:
    """One request for each chunk of targets, in the order of the partitions."""
    for begin, chunk in _chunks(targets, chunk_size):
        yield dg.RunRequest(
            run_key=f"{tick.isoformat()}/{begin}",
            run_config=run_config(provider, chunk, listed_at, tick, called),
            tags=partition_range(chunk),
        )


def _chunks(targets: Sequence[Target], size: int) -> Iterator[tuple[int, Sequence[Target]]]:
    """Neighbouring targets, `size` of them at most and fewer where they are long, with the place of
    the first."""
    begin = length = 0
    for end, target in enumerate(targets):
        own = len(target.model_dump_json(exclude_defaults=True))
        if end > begin and (end - begin >= size or length + own > LARGEST_CONFIG):
            yield begin, targets[begin:end]
            begin, length = end, 0
        length += own
    if begin < len(targets):
        yield begin, targets[begin:]


def run_config(
    provider: Provider,
    targets: Sequence[Target],
    listed_at: datetime | None = None,
    tick: datetime | None = None,
    called: Names = PLAIN,
) -> dict[str, object]:
    """The configuration of a run that takes those targets (`SnapshotConfig`)."""
    times = {"listed_at": listed_at, "tick": tick}
    config: dict[str, object] = {
        "entries": [target.model_dump(mode="json", exclude_defaults=True) for target in targets],
        **{name: time.isoformat() for name, time in times.items() if time},
    }
    return {"ops": {called.op(provider): {"config": config}}}


def partition_range(targets: Sequence[Target]) -> dict[str, str]:
    """The tags that make a run one of these neighbouring partitions."""
    return {RANGE_START: targets[0].name, RANGE_END: targets[-1].name}
