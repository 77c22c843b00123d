"""A run's results as one picture, a panel for each case that was measured."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from benchmarks.cases import TITLES
from benchmarks.contestants import CONTESTANTS
from benchmarks.groups import Group, setups
from benchmarks.results import Measurement, Results

COLOURS = {
    "bare_floor": "#b8b8b8",
    "indexed_floor": "#8c8c8c",
    "merge_floor": "#8c8c8c",
    "append_floor": "#b8b8b8",
    "holdfast": "#0b6e4f",
    "holdfast_full_walk": "#6fb98f",
    "expert_dlt": "#e08e1b",
    "natural_dlt": "#c1440e",
    "natural_dlt_scd2": "#7b1e3a",
    "natural_dlt_scd2_memory": "#b56576",
}
TITLES_SHOWN = frozenset(contestant.title for contestant in CONTESTANTS.values())
MEGA = 1_000_000
COLUMNS = 2
DPI = 110


def plot(results: Results, path: Path) -> None:
    """Write a PNG; nothing where there is nothing to show."""
    drawn = [(case, draw) for case, draw in _PANELS.items() if _has(case, results)]
    if not drawn:
        return
    lines = -(-len(drawn) // COLUMNS)
    figure = Figure(figsize=(15, 4.6 * lines + 0.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(lines, COLUMNS, squeeze=False).flatten()
    for panel, (case, draw) in zip(panels, drawn, strict=False):
        draw(panel, results)
        panel.set_title(f"({case}) {TITLES[case]}", loc="left", fontsize=11, fontweight="bold")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[len(drawn) :]:
        panel.axis("off")
    machine = results.machine
    figure.suptitle(
        f"Holdfast, its peers and the floors: {results.name}; {machine.cpu}, {machine.cores} cores,"
        f" Python {machine.python}, Postgres {machine.postgres}, dlt {machine.peers['dlt']}",
        fontsize=11,
    )
    figure.savefig(path, dpi=DPI)


def _has(case: str, results: Results) -> bool:
    return bool(results.storage if case == "e" else results.of(case))


def _times(panel: Axes, results: Results, case: str) -> None:
    """A dot for each contender, below the heading of its setup; one that was cut off is an arrow
    at its limit. Dots, since bars have no length to compare on a logarithmic axis."""
    place, ticks, labels = 0, list[int](), list[str]()
    for setup, compared in setups(results.of(case)).items():
        ticks.append(place)
        labels.append(setup.described)
        for group in compared:
            place += 1
            _dot(panel, place, group)
            ticks.append(place)
            labels.append(CONTESTANTS[group.contestant].title)
        place += 1
    panel.set_yticks(ticks, labels, fontsize=7.5)
    for label in panel.get_yticklabels():
        if label.get_text() not in TITLES_SHOWN:
            label.set_fontweight("bold")
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(place - 0.4, -0.6)
    _logarithmic(panel, "seconds of work, logarithmic")


def _dot(panel: Axes, place: int, group: Group) -> None:
    cut_off = group.seconds is None
    seconds = group.last.limit if group.seconds is None else group.seconds
    panel.axhline(place, color="#e4e4e4", linewidth=0.8, zorder=0)
    panel.plot(
        seconds, place, ">" if cut_off else "o", color=COLOURS[group.contestant], markersize=7
    )
    said = f"   over {seconds:.0f} s" if cut_off else f"   {seconds:.2f} s"
    panel.text(seconds, place, said, va="center", fontsize=7.5)


def _logarithmic(panel: Axes, label: str) -> None:
    panel.set_xscale("log")
    low, high = panel.get_xlim()
    panel.set_xlim(low / 1.3, high * 2.2)
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel(label, fontsize=8)


def _memory(panel: Axes, results: Results) -> None:
    by_name: dict[str, list[Measurement]] = {}
    for measured in results.of("d"):
        if measured.peak_bytes is not None:
            by_name.setdefault(measured.contestant, []).append(measured)
    for name, found in by_name.items():
        points = sorted((m.rows, (m.peak_bytes or 0) / MEGA) for m in found)
        panel.plot(*zip(*points, strict=True), "o-", color=COLOURS[name],
                   label=CONTESTANTS[name].title)  # fmt: skip
    panel.set_ylim(bottom=0)
    panel.set_xlabel("rows", fontsize=8)
    panel.set_ylabel("peak MB of the process", fontsize=8)
    panel.set_xticks(sorted({measured.rows for measured in results.of("d")}))
    panel.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.0f} k")
    panel.legend(fontsize=8, frameon=False)


def _storage(panel: Axes, results: Results) -> None:
    titles = []
    for place, stored in enumerate(results.storage):
        heap, indexes = stored.heap_bytes / MEGA, stored.index_bytes / MEGA
        colour = COLOURS[stored.contestant]
        panel.barh(place, heap, color=colour)
        panel.barh(place, indexes, left=heap, color=colour, alpha=0.5, hatch="//")
        later = stored.wal_bytes[1:]
        wal = sum(later) / max(len(later), 1) / MEGA
        panel.text(heap + indexes, place,
                   f" {heap:,.0f} MB tables + {indexes:,.0f} MB indexes\n"
                   f" {wal:,.1f} MB of WAL a snapshot",
                   va="center", fontsize=8)  # fmt: skip
        titles.append(
            f"{CONTESTANTS[stored.contestant].title}\n{stored.snapshots} snapshots of"
            f" {stored.rows:,} rows, {stored.changes:,} changes each"
        )
    panel.set_yticks(range(len(titles)), titles, fontsize=8)
    panel.invert_yaxis()
    panel.set_xlim(right=panel.get_xlim()[1] * 2.6)
    panel.set_xlabel("MB on disk", fontsize=8)


def _requests(panel: Axes, results: Results) -> None:
    by_world: dict[str, dict[str, Measurement]] = {}
    for measured in results.of("g"):
        by_world.setdefault(measured.world, {})[measured.contestant] = measured
    names = list(dict.fromkeys(measured.contestant for measured in results.of("g")))
    for place, found in enumerate(by_world.values()):
        for number, name in enumerate(names):
            if name in found:
                at = place + (number - (len(names) - 1) / 2) * 0.3
                requests = found[name].requests
                title = CONTESTANTS[name].title if place == 0 else None
                panel.plot(requests, at, "o", color=COLOURS[name], label=title, markersize=7)
                panel.text(requests, at, f"   {requests:,}", va="center", fontsize=7.5)
    panel.set_yticks(range(len(by_world)), map(_world_label, by_world), fontsize=8)
    panel.invert_yaxis()
    _logarithmic(panel, "requests, logarithmic")
    panel.legend(fontsize=8, frameon=False)


def _world_label(world: str) -> str:
    rows, _, changes = world[1:].partition("x")
    return f"{int(rows):,} rows, {int(changes or 0):,} changes"


def _timed(case: str) -> Callable[[Axes, Results], None]:
    return lambda panel, results: _times(panel, results, case)


_PANELS: dict[str, Callable[[Axes, Results], None]] = {
    "a": _timed("a"),
    "b": _timed("b"),
    "c": _timed("c"),
    "f": _timed("f"),
    "d": _memory,
    "e": _storage,
    "g": _requests,
}
