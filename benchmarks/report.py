"""A run's results as tables of text, which are Markdown too."""

from collections.abc import Iterator, Sequence

from benchmarks.cases import TITLES
from benchmarks.contestants import CONTESTANTS
from benchmarks.groups import Group, plural, setups
from benchmarks.results import Machine, Measurement, Results, Storage

MEGA = 1_000_000
NOTES = """\
What the figures are. Compared is the work: from after the imports until the rows are committed, for
every contender in a process of its own; the whole process, interpreter and imports included, stands
beside it. Medians, with the least and the most in brackets. All contenders read from the same HTTP
server and write to the same Postgres, each into a fresh database; what each loaded was checked by a
checksum of every row. "to ours" is the ratio to Holdfast.

What the others do not do. The floors check nothing, retry nothing, keep no history. dlt does not
prove that its pages belong to one state: rows that move between two requests are lost or doubled
without a word. With `replace` it keeps no history; with `scd2` it keeps one, of all columns.

What Holdfast does not do. It reads three providers and has one destination; a new provider is
written in Python, not configured; its tables do not follow a schema that changes.
"""


def report(results: Results) -> str:
    """All tables of a run, with what they were measured on."""
    parts = [f"# {results.name}", _machine(results.machine, results), NOTES]
    for case, title in TITLES.items():
        if tables := list(_tables(case, results)):
            parts += [f"## ({case}) {title}", *tables]
    if results.failures:
        parts += ["## Failed", *results.failures]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns are as wide as what is in them; the first one is text."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = zip(cells, widths, strict=True)
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join([line(heads), line(rules), *map(line, rows)])


def _tables(case: str, results: Results) -> Iterator[str]:
    measurements = results.of(case)
    if case == "d" and measurements:
        yield _memory(measurements)
    elif case == "e":
        if results.storage:
            yield _storage(results.storage)
    elif case == "g" and measurements:
        yield _requests(measurements)
    else:
        for setup, groups in setups(measurements).items():
            yield f"**{setup.described}**\n\n{_times(groups)}"
            if parts := _parts(groups):
                yield parts


def _times(groups: Sequence[Group]) -> str:
    ours = next((group.seconds for group in groups if group.contestant == "holdfast"), None)
    heads = [
        *(
            "",
            "work, s",
            "to ours",
            "process, s",
            "own CPU, s",
            "Postgres CPU, s",
            "HTTP server CPU",
        ),
        *("connections", "requests", "peak MB", "WAL MB"),
    ]
    return table(heads, [_time(group, ours) for group in groups])


def _time(group: Group, ours: float | None) -> list[str]:
    title, last = CONTESTANTS[group.contestant].title, group.last
    if group.seconds is None:
        which = "" if last.again or last.case != "c" else " at the first load"
        cells = [f"over {last.limit:.0f}{which}", "", "", ""]
    else:
        low, high = group.range
        spread = f" ({low:.2f} to {high:.2f})" if len(group.measurements) > 1 else ""
        cells = [
            f"{group.seconds:.2f}{spread}",
            f"{group.seconds / ours:.2f}" if ours else "",
            f"{group.median('process_seconds'):.2f}",
            f"{group.median('cpu_seconds'):.2f}",
        ]
    share = group.median("server_cpu_seconds") / group.median("process_seconds")
    peak = f"{group.median('peak_bytes') / MEGA:.0f}" if last.peak_bytes else ""
    return [
        *(title, *cells, f"{group.median('postgres_cpu_seconds'):.2f}", f"{share:.0%}"),
        *(str(last.connections), f"{last.requests:,}", peak),
        f"{group.median('wal_bytes') / MEGA:.0f}",
    ]


def _parts(groups: Sequence[Group]) -> str:
    """Where a contender tells them: what its seconds went into."""
    told = [group for group in groups if group.last.parts and group.seconds is not None]
    if not told:
        return ""
    return "\n".join(
        f"{CONTESTANTS[group.contestant].title}: "
        + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in group.parts().items())
        + "."
        for group in told
    )


def _memory(measurements: Sequence[Measurement]) -> str:
    rows = sorted({measured.rows for measured in measurements})
    peaks = {(m.contestant, m.rows): m.peak_bytes for m in measurements}
    lines = []
    for name in dict.fromkeys(measured.contestant for measured in measurements):
        found = [peaks.get((name, number)) for number in rows]
        cells = [f"{peak / MEGA:.0f} MB" if peak else "" for peak in found]
        lines.append([CONTESTANTS[name].title, *cells])
    return table(["", *(f"{number:,} rows" for number in rows)], lines)


def _storage(storage: Sequence[Storage]) -> str:
    heads = ["", "rows", "changes each", "snapshots", "tables MB", "indexes MB", "WAL MB each"]
    lines = []
    for stored in storage:
        later = stored.wal_bytes[1:]
        lines.append(
            [
                *(CONTESTANTS[stored.contestant].title, f"{stored.rows:,}", f"{stored.changes:,}"),
                *(str(stored.snapshots), f"{stored.heap_bytes / MEGA:.1f}"),
                f"{stored.index_bytes / MEGA:.1f}",
                f"{sum(later) / max(len(later), 1) / MEGA:.1f}",
            ]
        )
    return table(heads, lines)


def _requests(measurements: Sequence[Measurement]) -> str:
    lines = []
    for measured in measurements:
        published = measured.published
        changes = int(measured.world.partition("x")[2] or 0)
        lines.append(
            [
                CONTESTANTS[measured.contestant].title,
                *(f"{measured.rows:,}", f"{changes:,}"),
                *((published.proof, f"{published.requests:,}") if published else ("", "")),
                f"{published.seconds:.2f}" if published else "",
                f"{measured.seconds:.2f}" if measured.seconds else "",
            ]
        )
    heads = ["", "rows", "changes", "proof", "requests", "reading, s", "work, s"]
    return table(heads, lines)


def _machine(machine: Machine, results: Results) -> str:
    settings = ", ".join(f"{name} = {value}" for name, value in machine.postgres_settings.items())
    peers = ", ".join(f"{name} {version}" for name, version in machine.peers.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 1024**3:.0f} GB;"
        f" {machine.system}; Python {machine.python}; Postgres {machine.postgres} ({settings})."
        f" Peers: {peers}. Began {results.began_at}, took {results.seconds:.0f} s,"
        f" {plural(results.repetitions, 'repetition')}; load before it began:"
        f" {machine.load_before:.1f}."
    )
