"""Progress of walks: bars on a terminal, plain lines elsewhere.

A log of a cron job should tell what a person would have seen: each target as it ends, and what is
under way where that takes long.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from pipelines.analysis.tables import abbreviated, printable
from pipelines.snapshots import Failed, Progress, Taken


class Lines:
    """A line for each target that ends, and one for each under way at every heartbeat."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._under_way: dict[str, Progress] = {}

    def walking(self, progress: Progress) -> None:
        self._under_way[progress.target.name] = progress

    def ended(self, outcome: Taken | Failed) -> None:
        self._under_way.pop(outcome.target.name, None)
        if isinstance(outcome, Failed):
            self._say(f"failed: {outcome.target.name}: {type(outcome.error).__name__}")
        else:
            snapshot = outcome.snapshot
            self._say(f"published: {outcome.target.name}: {snapshot.rows:,} rows, {snapshot.proof}")

    def heartbeat(self) -> None:
        for progress in list(self._under_way.values()):
            self._say(str(progress))

    def _say(self, line: str) -> None:
        self._console.print(printable(line), markup=False, highlight=False, soft_wrap=True)


class BarsOfTargets:
    """A bar for each target under way: page, rows, rate and the time that remains."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def walking(self, progress: Progress) -> None:
        name = progress.target.name
        shown = abbreviated(progress.target.label or name)
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(shown, pages=0, rate="…")
        task = self._tasks[name]
        again = f" (walk {progress.walk})" if progress.walk > 1 else ""
        speed = self._bars.tasks[task].speed
        self._bars.update(
            task,
            description=printable(shown) + again,
            completed=progress.rows,
            total=progress.total,
            pages=progress.pages,
            rate=f"{speed:,.0f}" if speed else "…",
        )

    def ended(self, outcome: Taken | Failed) -> None:
        task = self._tasks.get(outcome.target.name)
        if task is not None:
            self._bars.update(task, visible=False)

    def heartbeat(self) -> None:
        """The bars move by themselves."""


@contextmanager
def progress_of_walks(console: Console) -> Iterator[Lines | BarsOfTargets]:
    """What to tell of each step; its methods may be called from any thread."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("page {task.fields[pages]}, {task.completed:,.0f} rows"),
        TextColumn("{task.fields[rate]} rows/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bars:
        yield BarsOfTargets(bars)
