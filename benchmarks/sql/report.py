"""A run's answers as tables of text, which are Markdown too."""

from benchmarks.report import table
from benchmarks.sql.ask import Line
from benchmarks.sql.results import Answers, Results
from benchmarks.sql.storage import MOST, Bytes

MEGA = 1_000_000
NOTES = """\
Milliseconds are those of a client, warm: planning, execution and all rows fetched; medians of
several rounds, in which a question and what stands beside it took turns. A ratio is to what stands
beside it, one for each; the target is about the first. The last column is the node of the plan that
spent most by itself, with its share (the tables without their `altura_item_holders_`); the whole
plans are in the JSON file. Every answer was compared with what the snapshots counted, or with the
same asked of the tables.
"""
MET = {True: "yes", False: "**no**", None: ""}


def report(results: Results) -> str:
    """All tables of a run, with what they were measured on."""
    parts = ["# Asking", _machine(results), NOTES]
    for world in results.worlds:
        parts += [f"## {world.title}", _made(world), _answers(world), _stored(world)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def missed(results: Results) -> list[str]:
    """Which questions took longer than they are held to."""
    return [
        f"{line.title} ({world.title})"
        for world in results.worlds
        for line in world.lines
        if line.met is False
    ]


def _answers(world: Answers) -> str:
    heads = ["", "target", "ms", "beside it, ms", "ratio", "met", "most of it"]
    rows = [_line(line) for line in world.lines]
    if any(line.before for line in world.lines):
        heads += ["before, ms", "ratio to before"]
        rows = [row + _before(line) for row, line in zip(rows, world.lines, strict=True)]
    return table(heads, rows)


def _before(line: Line) -> list[str]:
    if line.before is None:
        return ["", ""]
    return [_ms(line.before.median), f"{line.asked.median / line.before.median:.2f}"]


def _line(line: Line) -> list[str]:
    asked = line.asked.median
    beside = [f"{name} {_ms(timed.median)}" for name, timed in line.baselines.items()]
    ratios = [_ratio(asked / timed.median) for timed in line.baselines.values()]
    return [
        *(line.title, line.target, _ms(asked), ", ".join(beside), ", ".join(ratios)),
        *(MET[line.met], line.node.replace("altura_item_holders_", "")),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.{0 if seconds >= 0.1 else 1 if seconds >= 0.01 else 2}f}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 0.5 else f"1/{1 / ratio:.0f}"


def _stored(world: Answers) -> str:
    stored = world.stored
    rows = [
        ["current and history", *_bytes(stored.ours)],
        [f"every row of every snapshot: {stored.rows:,} rows", *_bytes(stored.appended)],
        ["ratio", f"{stored.ratio_of_tables:.1%}", "", f"{stored.ratio:.1%}"],
    ]
    met = "met" if stored.ratio <= MOST else "**not met**"
    note = (
        f"Target: at most {MOST:.0%} in all, {met}. Of the rows appended, {stored.sampled:,} were"
        " written, and the bytes of the others computed in proportion; their one index is the"
        " primary key (target, moment, address)."
    )
    return f"{table(['on disk', 'tables, MB', 'indexes, MB', 'in all, MB'], rows)}\n\n{note}"


def _bytes(of: Bytes) -> list[str]:
    return [f"{value / MEGA:,.0f}" for value in (of.table, of.index, of.whole)]


def _made(world: Answers) -> str:
    return (
        f"History: {world.history_rows:,} rows. Generated in {world.generated_seconds:.0f} s."
        f" Concentration was computed of the last {world.concentrated:,} snapshots,"
        f" {world.concentration_seconds / max(world.concentrated, 1) * 1000:.0f} ms each."
    )


def _machine(results: Results) -> str:
    machine = results.machine
    settings = ", ".join(f"{name} = {value}" for name, value in machine.postgres_settings.items())
    return (
        f"{machine.cpu}, {machine.cores} cores, {machine.memory_bytes / 1024**3:.0f} GB;"
        f" {machine.system}; Postgres {machine.postgres} ({settings}). Began {results.began_at},"
        f" took {results.seconds:.0f} s; load before it began: {machine.load_before:.1f}."
    )
