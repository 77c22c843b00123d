"""The tables and views of a dataset, from one template each and what the `Dataset` says of itself.

A provider that is added adds no SQL. Its views are made from the templates at each upgrade. Its
tables are made by a migration, which stays as it was released: it is written once, by

    python -m pipelines.warehouse.templates <provider> --number 0009

and a test compares the tables that all released migrations make with those of the template.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from psycopg import sql

from pipelines.paths import shipped
from pipelines.providers import PROVIDERS
from pipelines.providers.provider import Column, Dataset

Part = TypeVar("Part")

SQL = shipped("sql")
VIEWS = ("versions", "snapshots", "as_of", "changes")
"""The templates under sql/datasets, in the order in which they are applied."""
TABLES = Path("migrations") / "dataset_tables.sql"

_STUB = '''\
"""{description}"""

from alembic import op

from pipelines.warehouse.migrate import execute_file

revision = "{number}"
down_revision = "{after}"


def upgrade() -> None:
    execute_file(op.get_bind(), __file__, ".sql")
'''

_ABOUT = {
    "target": "The target: {target}",
    "current": "Rows that hold now. {said}",
    "history": "Rows that held, with the time until which. {said}",
    "versions": (
        "All that holds and held, one row a version; valid_to is null for what holds now. {said}"
    ),
    "snapshots": (
        "Every snapshot in full, one row for each snapshot and key, rebuilt from current and"
        " history. {said}"
    ),
    "as_of": (
        "{what}, as known at a moment, with the snapshot that answers (none: no snapshot that"
        " old). Give the moment as a value: a sub-select in its place keeps the query from being"
        " planned as one."
    ),
}
_ABOUT_PLACE = (
    "Where the row stands in the provider's list, newest first: a row with a higher place stands"
    " further up. Null until the first snapshot that keeps it."
)


@cache
def dataset_views(dataset: Dataset) -> tuple[str, ...]:
    """The statements that make a dataset's views and functions, one text a template."""
    return tuple(_render(SQL / "datasets" / f"{name}.sql", dataset) for name in VIEWS)


def dataset_tables_sql(dataset: Dataset) -> str:
    """The statements that make a dataset's tables, with their indexes and comments."""
    return _render(SQL / TABLES, dataset)


def write_migration(dataset: Dataset, number: str, folder: Path) -> list[Path]:
    """Write the revision that makes a dataset's tables, after the newest in `folder`.

    Returns the two files. Raises FileExistsError where that number or dataset has one already.
    """
    newest = max(file.stem.partition("_")[0] for file in folder.glob("*.py"))
    taken = [*folder.glob(f"{number}_*"), *folder.glob(f"*_{dataset.name}.*")]
    if taken or number <= newest:
        raise FileExistsError(f"{folder} is at {newest}, and has {[file.name for file in taken]}")
    stub, statements = (folder / f"{number}_{dataset.name}{end}" for end in (".py", ".sql"))
    description = dataset.description.replace('"', "'")
    stub.write_text(
        _STUB.format(description=description, number=number, after=newest), encoding="utf-8"
    )
    statements.write_text(dataset_tables_sql(dataset), encoding="utf-8")
    return [stub, statements]


def render(template: str, names: dict[str, sql.Composable]) -> str:
    """A template with its names filled in, and without the lines that are empty then.

    It is text that can be run as it is, kept in a file and digested.
    """
    text = sql.SQL(template).format(**names).as_string(None)
    return re.sub(r"\n{4,}", "\n\n\n", re.sub(r"(?m)^ +\n", "", text)).rstrip() + "\n"


def _render(file: Path, dataset: Dataset) -> str:
    return render(file.read_text(encoding="utf-8"), _names(dataset))


def _names(dataset: Dataset) -> dict[str, sql.Composable]:
    """What the templates leave open, for one dataset."""
    relations = {
        "dataset": dataset.name,
        **{name: f"{dataset.name}_{name}" for name in ("current", "history", "snapshots")},
        **{name: f"{dataset.name}_{name}" for name in ("as_of", "changes")},
    }
    said = {"said": dataset.description, "target": dataset.words.target}
    said["what"] = dataset.description.removesuffix(".")
    return {
        **{name: sql.Identifier(relation) for name, relation in relations.items()},
        **{f"about_{name}": sql.Literal(text.format(**said)) for name, text in _ABOUT.items()},
        **{
            f"comments_of_{name}": _comments(relations[name], _described(dataset.columns))
            for name in ("dataset", "current", "history", "snapshots")
        },
        "columns_of_c": _lines(4, dataset.columns, _of("c")),
        "columns_of_h": _lines(4, dataset.columns, _of("h")),
        **_names_of_as_of(dataset),
        **_names_of_changes(dataset),
        **_names_of_tables(dataset),
    }


def _names_of_as_of(dataset: Dataset) -> dict[str, sql.Composable]:
    def typed(column: Column) -> sql.Composable:
        return sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))

    return {"typed_columns": _lines(4, dataset.columns, typed)}


def _names_of_changes(dataset: Dataset) -> dict[str, sql.Composable]:
    """A change shows its key once, and the values before and after; first the one that tells of
    what kind it is."""
    keys = [column for column in dataset.columns if column.name in dataset.key]
    telling = {dataset.acquisition, dataset.amount}
    values = sorted(
        (column for column in dataset.columns if column.name not in dataset.key),
        key=lambda column: column.name not in telling,
    )
    kinds = [
        *([_kind(dataset.acquisition, "<>", "reacquired")] if dataset.acquisition else []),
        *([_kind(dataset.amount, ">", "increased")] if dataset.amount else []),
        *([_kind(dataset.amount, "<", "decreased")] if dataset.amount else []),
    ]
    halves = [(column, half, old) for column in values for half, old in _HALVES]
    shown = [*((column.name, column.description) for column in keys)]
    shown += [
        (f"{column.name}_{half}", f"{half.capitalize()}: {column.description}")
        for column, half, _ in halves
    ]
    both = [
        sql.SQL("coalesce(n.{0}, o.{0}) as {0}").format(sql.Identifier(column.name))
        for column in keys
    ]
    both += [
        sql.SQL("{} as {}").format(
            sql.Identifier(side, column.name), sql.Identifier(f"{column.name}_{half}")
        )
        for column, half, side in halves
    ]
    return {
        "changed_columns": _lines(4, shown, lambda one: sql.Identifier("d", one[0])),
        "columns_of_both": _lines(8, both, lambda one: one),
        "columns_in_c": sql.SQL(", ").join(map(_of("c"), [*keys, *values])),
        "columns_in_h": sql.SQL(", ").join(map(_of("h"), [*keys, *values])),
        "kinds": _lines(12, kinds, lambda one: one, between=""),
        "comments_of_changes": _comments(f"{dataset.name}_changes", shown),
    }


_HALVES = (("before", "o"), ("after", "n"))


def _kind(name: str, operator: str, kind: str) -> sql.Composable:
    return sql.SQL("when n.{0} {1} o.{0} then {2}").format(
        sql.Identifier(name), sql.SQL(operator), sql.Literal(kind)
    )


def _names_of_tables(dataset: Dataset) -> dict[str, sql.Composable]:
    current = sql.Identifier(f"{dataset.name}_current")
    nothing = sql.SQL("")
    largest_first = sql.SQL(
        "\n-- Largest holders first, without reading the others.\n"
        "create index on {} (target_id, {} desc);"
    )
    place = [("place", _ABOUT_PLACE)] if dataset.ordered else []
    return {
        "definitions": _lines(4, dataset.columns, _definition),
        "definition_of_place": sql.SQL("place bigint,") if dataset.ordered else nothing,
        "comment_of_place": _comments(f"{dataset.name}_current", place),
        "index_of_amount": largest_first.format(current, sql.Identifier(dataset.amount))
        if dataset.amount
        else nothing,
    }


def _definition(column: Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    rules = []
    if column.type != "text" and not column.signed:
        rules.append(sql.SQL("{} >= 0").format(name))
        if column.type == "numeric":
            rules.append(sql.SQL("{} < 'infinity'").format(name))
    if column.whole:
        rules.append(sql.SQL("scale({}) = 0").format(name))
    parts = [
        name,
        sql.SQL('text collate "C"' if column.type == "text" else column.type),
        *([] if column.optional else [sql.SQL("not null")]),
        *([sql.SQL("check ({})").format(sql.SQL(" and ").join(rules))] if rules else []),
    ]
    return sql.SQL(" ").join(parts)


def _of(alias: str) -> Callable[[Column], sql.Composable]:
    return lambda column: sql.Identifier(alias, column.name)


def _described(columns: Iterable[Column]) -> Iterator[tuple[str, str]]:
    return ((column.name, column.description) for column in columns)


def _comments(relation: str, columns: Iterable[tuple[str, str]]) -> sql.Composable:
    comment = sql.SQL("comment on column {} is {};")
    return sql.SQL("\n").join(
        comment.format(sql.Identifier(relation, name), sql.Literal(text)) for name, text in columns
    )


def _lines(
    indent: int,
    parts: Iterable[Part],
    written: Callable[[Part], sql.Composable],
    between: str = ",",
) -> sql.Composable:
    return sql.SQL(f"{between}\n{' ' * indent}").join(map(written, parts))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pipelines.warehouse.templates",
        description="Write the migration that makes the tables of a provider's dataset.",
    )
    parser.add_argument("provider", choices=sorted(PROVIDERS), help="a name in PROVIDERS")
    parser.add_argument("--number", required=True, help="of the revision, four digits")
    given = parser.parse_args(arguments)
    if not re.fullmatch(r"\d{4}", given.number):
        parser.error(f"{given.number!r} is not a number of four digits")
    folder = SQL / "migrations" / "versions"
    try:
        written = write_migration(PROVIDERS[given.provider].dataset, given.number, folder)
    except FileExistsError as error:
        parser.error(str(error))
    for file in written:
        sys.stdout.write(f"Wrote {file.relative_to(SQL.parent)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
