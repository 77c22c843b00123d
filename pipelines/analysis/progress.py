"""Progress of walks for a terminal: page, rows, rate and the time that remains."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from pipelines.analysis.tables import abbreviated
from pipelines.snapshots import OnProgress, Progress


@contextmanager
def progress_bars(console: Console) -> Iterator[OnProgress]:
    """A bar for each target under way. Without a terminal nothing is drawn."""
    bars = Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("page {task.fields[pages]}, {task.completed:,.0f} rows"),
        TextColumn("{task.fields[rate]} rows/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    tasks: dict[str, TaskID] = {}

    def show(progress: Progress) -> None:
        name = progress.target.name
        shown = abbreviated(progress.target.label or name)
        if name not in tasks:
            tasks[name] = bars.add_task(shown, pages=0, rate="…")
        task = tasks[name]
        again = f" (walk {progress.walk})" if progress.walk > 1 else ""
        speed = bars.tasks[task].speed
        bars.update(
            task,
            description=shown + again,
            completed=progress.rows,
            total=progress.total,
            pages=progress.pages,
            rate=f"{speed:,.0f}" if speed else "…",
        )

    with bars:
        yield show
