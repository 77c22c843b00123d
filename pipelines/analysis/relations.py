"""What can be exported, by the name that people say, and the query that reads it.

The views and functions are those of sql/marts and sql/datasets: a new file there is offered by
itself, and completing a name in the shell needs no database. A function that takes a moment goes
with the view that it is like: `holders` at a moment is mart.holders_as_of, else mart.holders_now.
"""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import psycopg
from psycopg import sql

from pipelines.analysis.columns import Column, columns_of
from pipelines.errors import ConfigurationError
from pipelines.paths import ROOT

_MADE = re.compile(r"^create or replace (?P<kind>view|function) (?P<name>[\w.]+)", re.MULTILINE)
_PICKS = "only_target"
_ENDINGS = {0: ("", "_now"), 1: ("_as_of",), 2: ("_between",)}
"""What the names of views and of functions of so many moments end with."""


@dataclass(frozen=True)
class Relation:
    """A view, or a function of `moments` moments. A mart's name is qualified, the others' are in
    the search path."""

    name: str
    moments: int
    picks_target: bool
    """Whether it takes the target as its last argument."""

    @property
    def plain_name(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def said(self) -> str:
        """What people call it."""
        for ending in ("_now", "_as_of", "_between"):
            if self.plain_name.endswith(ending):
                return self.plain_name.removesuffix(ending)
        return self.plain_name


@dataclass(frozen=True)
class Source:
    """A relation that is to be read, with its arguments and columns."""

    relation: Relation
    columns: list[Column]
    rows: sql.Composable
    """What stands behind `from`; each row is `q`."""


@cache
def relations() -> tuple[Relation, ...]:
    """All that can be exported, the marts first."""
    files = [*sorted((ROOT / "sql/marts").glob("*.sql")), *(ROOT / "sql/datasets").glob("*.sql")]
    return tuple(found for file in files if (found := _relation(file.read_text("utf-8"))))


def names() -> list[str]:
    """Every name that `find` knows."""
    said = {name for one in relations() for name in (one.said, _view_name(one)) if name}
    return sorted(said)


def find(name: str, moments: int) -> Relation:
    """The relation of this name, as it is (0), at a moment (1) or between two (2).

    Raises ConfigurationError, with what comes close.
    """
    for ending in _ENDINGS[moments]:
        for one in relations():
            if one.plain_name == name + ending and one.moments == moments:
                return one
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=3)
        meant = f"; did you mean {' or '.join(close)}?" if close else "."
        raise ConfigurationError(
            f"there is no {name!r} to export{meant} There are: {', '.join(names())}"
        )
    option = {0: "no moment", 1: "--as-of", 2: "--between"}[moments]
    fitting = sorted({one.said for one in relations() if one.moments == moments})
    raise ConfigurationError(f"{name} does not go with {option}; these do: {', '.join(fitting)}")


def source(
    driver: psycopg.Connection,
    relation: Relation,
    moments: Sequence[datetime] = (),
    target: str | None = None,
) -> Source:
    """The relation at these moments, of one target by its name or of all.

    Raises ConfigurationError where it can't be picked by target.
    """
    arguments: list[datetime | str | None] = [*moments]
    if relation.picks_target:
        arguments.append(target)
    rows: sql.Composable = sql.Identifier(*relation.name.split("."))
    if relation.moments:
        rows += sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, arguments)))
    rows += sql.SQL(" q")
    with driver.cursor() as cursor:
        cursor.execute(sql.SQL("select * from {} limit 0").format(rows))
        columns = columns_of(cursor.description)
    if target is not None and not relation.picks_target:
        if "target" not in {column.name for column in columns}:
            raise ConfigurationError(f"{relation.name} is not by target: leave --target away")
        rows += sql.SQL(" where q.target = {}").format(sql.Literal(target))
    return Source(relation, columns, rows)


def _relation(statement: str) -> Relation | None:
    made = _MADE.search(statement)
    if not made:
        return None
    if made["kind"] == "view":
        return Relation(made["name"], 0, picks_target=False)
    arguments = statement[made.end() :].partition(")")[0].strip("( \n").split(",")
    kinds = [argument.split()[:2] for argument in arguments]
    moments = sum(kind == "timestamptz" for _, kind in kinds)
    others = [name for name, kind in kinds if kind != "timestamptz"]
    if not moments or others not in ([], [_PICKS]):
        return None
    return Relation(made["name"], moments, picks_target=bool(others))


def _view_name(relation: Relation) -> str | None:
    return None if relation.moments else relation.plain_name
