"""What can be exported, by the name that people say, and the query that reads it.

The views and functions are those that a migration makes: a new one is offered by itself, and
completing a name in the shell needs no database. A function that takes a moment goes
with the view that it is like: `holders` at a moment is mart.holders_as_of, else mart.holders_now.
Its other arguments are each given by an option, see `OPTIONS`.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import psycopg
from psycopg import sql

from pipelines.analysis.columns import Column, columns_of
from pipelines.errors import ConfigurationError
from pipelines.warehouse.views import MADE, views

_MOMENT = "timestamptz"
_PICKS = "only_target"
_ENDINGS = {0: ("", "_now"), 1: ("_as_of",), 2: ("_between",)}
"""What the names of views and of functions of so many moments end with."""

OPTIONS = {"only_holder": "--holder ADDRESS", "how_many": "--limit NUMBER"}
"""What people say to give an argument of that name. A function that takes any other, beside moments
and the target, is not offered."""


@dataclass(frozen=True)
class Argument:
    """An argument of a function, as its file has it."""

    name: str
    type: str
    is_needed: bool


@dataclass(frozen=True)
class Relation:
    """A view, or a function with its arguments. A mart's name is qualified, the others' are in the
    search path."""

    name: str
    arguments: tuple[Argument, ...] = ()

    @property
    def moments(self) -> int:
        return sum(argument.type == _MOMENT for argument in self.arguments)

    @property
    def picks_target(self) -> bool:
        """Whether it takes the target as an argument."""
        return _PICKS in {argument.name for argument in self.arguments}

    @property
    def options(self) -> list[Argument]:
        """The arguments that `OPTIONS` give."""
        return [argument for argument in self.arguments if argument.name in OPTIONS]

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
    found = [relation for _, made in views() if (relation := _relation(made))]
    return tuple(sorted(found, key=lambda one: (not one.name.startswith("mart."), one.name)))


def names() -> list[str]:
    """Every name that `find` knows."""
    said = {name for one in relations() for name in (one.said, _view_name(one)) if name}
    return sorted(said)


def find(name: str, moments: int, given: Mapping[str, object] | None = None) -> Relation:
    """The relation of this name, as it is (0), at a moment (1) or between two (2), with the values
    that are given for arguments of `OPTIONS`.

    Raises ConfigurationError, with what comes close, also for an option that it lacks or that is
    not for it.
    """
    for ending in _ENDINGS[moments]:
        for one in relations():
            if one.plain_name == name + ending and one.moments == moments:
                _refuse_unfit(one, name, given or {})
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
    given: Mapping[str, object] | None = None,
) -> Source:
    """The relation at these moments, of one target by its name or of all, with the values that are
    given for its `options`.

    Raises ConfigurationError where it can't be picked by target.
    """
    rows: sql.Composable = sql.Identifier(*relation.name.split("."))
    if relation.arguments:
        ahead = iter(moments)
        others = {_PICKS: target, **(given or {})}
        values = [
            next(ahead) if argument.type == _MOMENT else others.get(argument.name)
            for argument in relation.arguments
        ]
        rows += sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, values)))
    rows += sql.SQL(" q")
    with driver.cursor() as cursor:
        cursor.execute(sql.SQL("select * from {} limit 0").format(rows))
        columns = columns_of(cursor.description)
    if target is not None and not relation.picks_target:
        if "target" not in {column.name for column in columns}:
            raise ConfigurationError(f"{relation.name} is not by target: leave --target away")
        rows += sql.SQL(" where q.target = {}").format(sql.Literal(target))
    return Source(relation, columns, rows)


def _refuse_unfit(relation: Relation, name: str, given: Mapping[str, object]) -> None:
    taken = {argument.name for argument in relation.options}
    for argument in relation.options:
        if argument.is_needed and argument.name not in given:
            raise ConfigurationError(f"{name} needs {OPTIONS[argument.name]}")
    for unfit in given:
        if unfit not in taken:
            option = OPTIONS[unfit].partition(" ")[0]
            fitting = [one.said for one in relations() if unfit in {a.name for a in one.options}]
            raise ConfigurationError(
                f"{name} does not go with {option}; these do: {', '.join(fitting)}"
            )


def _relation(statement: str) -> Relation | None:
    made = MADE.search(statement)
    if not made:
        return None
    if made["kind"] == "view":
        return Relation(made["name"])
    listed = statement[made.end() :].partition(")")[0].strip("( \n").split(",")
    arguments = tuple(_argument(*one.split()) for one in listed)
    known = {_PICKS, *OPTIONS}
    if all(one.type == _MOMENT or one.name in known for one in arguments):
        return Relation(made["name"], arguments)
    return None


def _argument(name: str, type_: str, *default: str) -> Argument:
    return Argument(name, type_, is_needed=not default)


def _view_name(relation: Relation) -> str | None:
    return None if relation.moments else relation.plain_name
