"""Writes `docs/data-dictionary.md` from the comments in a migrated database.

    python -m pipelines.analysis.dictionary        (make docs)

What a view, a function or a column means is told in one place, its comment, which every SQL client
shows; this page is the same to read and to link to. A test compares it with a fresh database.
"""

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from pipelines.paths import shipped, working_folder
from pipelines.warehouse.embedded import throwaway
from pipelines.warehouse.migrate import migrate
from pipelines.warehouse.postgres import Warehouse

COMMAND = "make docs"
PAGE = Path("docs") / "data-dictionary.md"
CATALOG = shipped("sql/catalog")
SHORT = 150
"""Comments of so many characters stand in the index as they are."""

_GRAIN = re.compile(r"One row for each .*?\.(?= |$)")
_KEY = re.compile(r"; (?:with (?P<others>[\w, ]+) )?the key\.")
_AND = re.compile(r"\band\b")

_ABOUT = f"""\
<!-- Written by `{COMMAND}` from the comments in a migrated database: change those, under sql/. -->

# Data dictionary

Every view, function, table and column. Any SQL client shows the same (`\\d+ mart.holders_now` in
psql). Which to use for what, and what the times mean, is told in
[For analysts](analysts.md).

- **Ask the marts** (schema `mart`): they speak of all providers in the same words. The datasets'
  own views have what is particular to a provider: names, pictures, transactions.
- `timestamptz` is `timestamp with time zone`; all times are UTC. `numeric` is exact, of any length.
- Whether a column can be null is known of tables; of views and functions Postgres does not tell,
  and where it is not obvious their comments do.
"""

_MARTS = """\
What analysts and dashboards ask. A function takes its arguments in parentheses:
`select * from mart.top_holders(10, 'Season pass')`; those with a default may be left out, and can
be given by name: `only_target => 'Season pass'`. `only_target` is a target's name or its label.
"""

_DATASETS = """\
For each dataset: the view of its name (all versions of all rows), `…_snapshots` (every snapshot in
full), `…_changes` (from one snapshot to the next) and the function `…_as_of(moment)`. The views and
the function `holding_…` have all datasets in one, and the marts stand on them.
"""

_TABLES = """\
What is stored. Rows that hold are in `…_current`; a row that ends, or whose values change, moves to
`…_history` in the same transaction that publishes the snapshot. Read the views above instead, where
one of them answers: they stay the same when the tables change.
"""

_DIAGRAM = """\
The tables with the columns of their keys. A full line is a foreign key; a dotted one is kept by the
one transaction that publishes, since a foreign key would be checked row by row at every load.
`valid_from`, `valid_to` and `held_since` are each `snapshot_at` of a snapshot of the same target.
"""


@dataclass(frozen=True)
class Column:
    """A column of a table or view, or one that a function returns; None: not known."""

    name: str
    type: str
    nullable: bool | None
    comment: str | None


@dataclass(frozen=True)
class Key:
    """A key of a table: kind p (primary), u (unique) or f (foreign, of the table `refers_to`)."""

    kind: str
    columns: tuple[str, ...]
    refers_to: str | None


@dataclass
class Relation:
    """A table, a view or a function that returns rows."""

    schema: str
    name: str
    kind: str
    arguments: str | None
    comment: str
    columns: list[Column] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its name as one writes it in a query."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def anchor(self) -> str:
        """Where its section is in the page, by GitHub's rule for headings."""
        return re.sub(r"[^\w-]", "", self.title)

    @property
    def grain(self) -> str | None:
        """The sentence of its comment that says what a row is."""
        found = _GRAIN.search(self.comment)
        return found[0] if found else None

    @property
    def meaning(self) -> str:
        """Its comment without the grain."""
        return " ".join(self.comment.replace(self.grain or "", "").split())

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of its primary key; of a view, those that a column's comment names."""
        for key in self.keys:
            if key.kind == "p":
                return key.columns
        for column in self.columns:
            if found := _KEY.search(column.comment or ""):
                return (column.name, *re.findall(r"\w+", _AND.sub(" ", found["others"] or "")))
        return ()

    def foreign(self, columns: tuple[str, ...]) -> bool:
        """Whether these columns are a foreign key."""
        return any(key.kind == "f" and key.columns == columns for key in self.keys)

    def column_names(self) -> set[str]:
        return {column.name for column in self.columns}


def read_catalog(connection: sa.Connection) -> list[Relation]:
    """All tables, views and functions of a migrated database, by schema and name."""
    found: dict[tuple[str, str], Relation] = {}
    for row in connection.execute(_statement("relations")):
        relation = found.setdefault(
            (row.schema, row.name),
            Relation(row.schema, row.name, row.kind, row.arguments, row.comment or ""),
        )
        relation.columns.append(
            Column(row.column_name, _type(row.column_type), row.nullable, row.column_comment)
        )
    for row in connection.execute(_statement("keys")):
        key = Key(row.kind, tuple(row.columns), row.refers_to)
        found[row.schema, row.name].keys.append(key)
    return list(found.values())


def _statement(name: str) -> sa.TextClause:
    return sa.text((CATALOG / f"{name}.sql").read_text(encoding="utf-8"))


def _type(name: str) -> str:
    return name.replace("timestamp with time zone", "timestamptz")


def dictionary_page(relations: Sequence[Relation]) -> str:
    """The text of the page for these relations."""
    views = [one for one in relations if one.kind != "table"]
    parts = (
        ("Marts", _MARTS, [one for one in views if one.schema == "mart"]),
        ("Datasets", _DATASETS, [one for one in views if one.schema != "mart"]),
        ("Tables", _TABLES, [one for one in relations if one.kind == "table"]),
    )
    lines = [_ABOUT, "## Index", "", *_table(("name", "what it is"), _index(parts))]
    for title, about, members in parts:
        lines += [f"## {title}", "", about]
        if title == "Tables":
            lines += [_DIAGRAM, "```mermaid", *diagram(members), "```", ""]
        for member in members:
            lines += _section(member, views)
    return "\n".join(lines).rstrip() + "\n"


def _index(parts: Iterable[tuple[str, str, list[Relation]]]) -> list[tuple[str, ...]]:
    """A line for each relation, with its comment, or the first sentence of a long one."""
    rows: list[tuple[str, ...]] = []
    for title, _, members in parts:
        rows.append((f"**[{title}](#{title.lower()})**", ""))
        for one in members:
            called = f"{one.title}(…)" if one.kind == "function" else one.title
            told = one.meaning or one.comment
            first, *_ = re.split(r"(?<=\.) ", told)
            rows.append((f"[{called}](#{one.anchor})", told if len(told) <= SHORT else first))
    return rows


def _section(relation: Relation, views: Sequence[Relation]) -> list[str]:
    lines = [f"### {relation.title}", ""]
    if relation.arguments is not None:
        lines += [f"`{_signature(relation)}`", ""]
    if relation.meaning:
        lines += [relation.meaning, ""]
    facts = [f"**Grain**: {relation.grain}"] if relation.grain else []
    facts += [f"**Key**: {_names(relation.key)}"] if relation.key else []
    for key in relation.keys:
        if key.kind == "u":
            facts.append(f"**Unique**: {_names(key.columns)}")
        if key.kind == "f":
            facts.append(
                f"**Refers to** [{key.refers_to}](#{key.refers_to}): {_names(key.columns)}"
            )
    if facts:
        lines += ["  \n".join(facts), ""]
    return lines + _columns(relation, views)


def _columns(relation: Relation, views: Sequence[Relation]) -> list[str]:
    if relation.kind == "table":
        rows = [
            (f"`{c.name}`", c.type, "yes" if c.nullable else "no", c.comment or "")
            for c in relation.columns
        ]
        return _table(("column", "type", "null", "meaning"), rows)
    if relation.kind == "view":
        described = [(f"`{c.name}`", c.type, c.comment or "") for c in relation.columns]
        return _table(("column", "type", "meaning"), described)
    likest, meanings = result_meanings(relation, views)
    head = ("column", "type", f"meaning, as in [{likest.title}](#{likest.anchor})")
    return _table(head, [(f"`{c.name}`", c.type, meanings[c.name]) for c in relation.columns])


def result_meanings(
    function: Relation, views: Sequence[Relation]
) -> tuple[Relation, dict[str, str]]:
    """What the columns that a function returns mean, and the view that tells: the one of its schema
    with most of them. A column that this view lacks is told by the next likest, named with it."""
    wanted = function.column_names()
    alike = sorted(
        (view for view in views if view.kind == "view" and view.schema == function.schema),
        key=lambda view: (-len(wanted & view.column_names()), view.name),
    )
    meanings = dict.fromkeys(wanted, "")
    for view in reversed(alike):
        behind = "" if view is alike[0] else f" (as in [{view.title}](#{view.anchor}))"
        told = {c.name: f"{c.comment}{behind}" for c in view.columns if c.name in wanted}
        meanings.update(told)
    return alike[0], meanings


def _signature(function: Relation) -> str:
    arguments = re.sub(r" DEFAULT (\w+)::\w+", r" default \1", function.arguments or "")
    return f"{function.title}({_type(arguments).replace('default NULL', 'default null')})"


def diagram(tables: Sequence[Relation]) -> list[str]:
    """The tables that refer to each other, with their keys, as Mermaid draws it. What no foreign
    key says is told by the name of a column: that of the table which it is the whole key of."""
    owners = {
        one.key[0]: one.name for one in tables if len(one.key) == 1 and not one.foreign(one.key)
    }
    lines: list[str] = []
    drawn: set[str] = set()
    for table in tables:
        nullable = {column.name for column in table.columns if column.nullable}
        references = [(key.refers_to, key.columns, "--") for key in table.keys if key.kind == "f"]
        references += [
            (owner, (name,), "..")
            for name, owner in owners.items()
            if name in table.column_names() and owner != table.name and not table.foreign((name,))
        ]
        for parent, columns, line in references:
            one = "|o" if nullable & set(columns) else "||"
            many = "o|" if columns == table.key else "o{"
            lines.append(f'    {parent} {one}{line}{many} {table.name} : "{", ".join(columns)}"')
            drawn |= {parent or "", table.name}
    for table in tables:
        if table.name in drawn:
            lines += [f"    {table.name} {{", *_entity(table), "    }"]
    return ['%%{init: {"er": {"layoutDirection": "LR"}}}%%', "erDiagram", *lines]


def _entity(table: Relation) -> list[str]:
    """The columns of a table's keys: PK of the primary one, FK of a foreign, UK of a unique one."""
    lines = []
    for column in table.columns:
        kinds = {key.kind for key in table.keys if column.name in key.columns}
        marks = ", ".join(f"{kind}k".upper() for kind in "pfu" if kind in kinds)
        if marks:
            lines.append(f"        {column.type} {column.name} {marks}")
    return lines


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(map(_cell, line)) + " |" for line in lines), ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write(folder: Path) -> None:
    """Write the page below a folder, from a database that is made for it and thrown away."""
    with tempfile.TemporaryDirectory() as scratch, throwaway(Path(scratch)) as server:
        migrate(server.url)
        with Warehouse(server.url) as warehouse, warehouse.transaction() as connection:
            page = dictionary_page(read_catalog(connection))
    (folder / PAGE).parent.mkdir(exist_ok=True)
    (folder / PAGE).write_text(page, encoding="utf-8")


if __name__ == "__main__":
    write(working_folder())
