"""The report in one small picture, for places that show no pages: Dagster's metadata."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipelines.analysis.plots import drawable, with_few_colours
from pipelines.analysis.report.axes import time_ticks
from pipelines.analysis.report.data import LATELY, Point, most_changed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_TARGETS = 6
_COLUMNS = 3
_INK, _LINE, _GRID = "#2b303b", "#1f6fb4", "#e3e5ea"


def overview_plot(connection: sa.Connection, settings_folder: Path) -> bytes | None:
    """How many rows the targets had over time, those that changed most lately: a PNG of some
    kilobytes, one small chart a target.

    None where no target has two snapshots. Matplotlib keeps its list of fonts in `settings_folder`.
    """
    lines = most_changed(connection, MOST_TARGETS)
    if not lines:
        return None
    os.environ.setdefault("MPLCONFIGDIR", str(settings_folder))
    from matplotlib import rc_context  # noqa: PLC0415 - takes longer than most runs
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns = min(_COLUMNS, len(lines))
    rows = -(-len(lines) // columns)
    with rc_context({"text.parse_math": False, "font.family": "DejaVu Sans", "font.size": 7}):
        figure = Figure(figsize=(2.6 * columns, 0.3 + 1.45 * rows), dpi=100, layout="constrained")
        grid = list(figure.subplots(rows, columns, squeeze=False).flat)
        for axes, (label, points) in zip(grid, lines, strict=False):
            _draw(axes, label, points)
        for axes in grid[len(lines) :]:
            axes.set_visible(False)
        figure.suptitle(
            f"Rows over time (UTC): what changed most in {LATELY} days",
            x=0.01,
            ha="left",
            fontsize=8,
            color=_INK,
        )
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", facecolor="white")
    return with_few_colours(drawn)


def _draw(axes: "Axes", label: str, points: list[Point]) -> None:
    start, end = points[0].at, points[-1].at
    seconds = [(point.at - start).total_seconds() for point in points]
    axes.step(seconds, [int(point.value) for point in points], where="post", color=_LINE)
    ticks = time_ticks(start, end, most=3)
    axes.set_xticks(
        [(moment - start).total_seconds() for moment, _ in ticks], [word for _, word in ticks]
    )
    axes.set_title(drawable(label), loc="left", fontsize=7.5, color=_INK)
    axes.locator_params(axis="y", nbins=3, integer=True)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(colors=_INK, length=0)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
