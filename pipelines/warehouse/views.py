"""All views and functions of a database: which there are, in what order, and how it gets them.

They hold no data, so each version brings its own. A view is replaced where Postgres allows it. It
does not where a column goes or gets another type; then all of them are dropped and made again, with
what had been granted on them. Somebody else's views that rest on ours are never dropped.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import psycopg
import sqlalchemy as sa

from pipelines.errors import SchemaNotReady
from pipelines.providers import PROVIDERS
from pipelines.warehouse.holdings import render_for
from pipelines.warehouse.templates import SQL, dataset_views

MADE = re.compile(
    r"^create or replace (?P<kind>view|function) (?P<quote>\"?)(?P<name>[\w.]+)(?P=quote)",
    re.MULTILINE,
)
"""How a statement that makes one of them begins."""


def views() -> Iterator[tuple[str, str]]:
    """The statements that make all views and functions, each after those that it names, with where
    they are from."""
    for provider in PROVIDERS.values():
        for statements in dataset_views(provider.dataset):
            yield f"the views of {provider.dataset.name}", statements
    files = sorted(file for room in ("holdings", "marts") for file in (SQL / room).glob("*.sql"))
    for file in in_order_of_use(files):
        yield f"sql/{file.parent.name}/{file.name}", render_for(file, PROVIDERS)


def digest_of_views() -> str:
    """What tells two versions of them apart."""
    digest = hashlib.sha256()
    for _, statements in views():
        digest.update(statements.encode())
    return digest.hexdigest()


def in_order_of_use(found: Sequence[Path]) -> list[Path]:
    """The files of sql/holdings and sql/marts, each after those whose view or function it names;
    always in the same order.

    Raises SchemaNotReady where two name each other.
    """
    files = {file.stem: file for file in found}
    uses = {name: sorted(_named_in(file) & files.keys() - {name}) for name, file in files.items()}
    try:
        return [files[name] for name in TopologicalSorter(uses).static_order()]
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise SchemaNotReady(f"these marts name each other: {circle}") from None


def _named_in(file: Path) -> set[str]:
    """What a file asks of the others, not what its comments speak of."""
    code = file.read_text(encoding="utf-8").partition("\ncomment on ")[0]
    asked = re.findall(r"\bmart\.(\w+)|\b(holding_\w+|dataset)\b", re.sub("--.*", "", code))
    return {mart or united for mart, united in asked}


def apply_views(connection: sa.Connection) -> None:
    """Give a migrated database the views and functions of this version, in its transaction.

    Raises SchemaNotReady where that needs a drop and somebody's own views or functions rest on
    them: which, and what to do.
    """
    try:
        with connection.begin_nested():
            _make(connection)
    except (
        psycopg.errors.InvalidTableDefinition,
        psycopg.errors.InvalidFunctionDefinition,
    ):
        names = [made["name"] for _, text in views() for made in MADE.finditer(text)]
        _refuse_dependents(connection, names)
        grants = _grants(connection, names)
        for kind, name in _ours(connection, names):
            execute(connection, f"drop {kind} if exists {name} cascade", name)
        _make(connection)
        for grant in grants:
            execute(connection, grant, "the grants of before")


def in_the_way(dependents: str) -> SchemaNotReady:
    """The error for what somebody else made upon a view of ours: `dependents`, as a list."""
    return SchemaNotReady(
        f"this version replaces views that others rest on: {dependents}. Drop those, run holdfast"
        " migrate, and make them again"
    )


def execute(connection: sa.Connection, statements: str, name: str) -> None:
    """Run several statements; `name` says where they are from if one fails.

    They run on the driver's connection without parameters, the one way that takes several and
    leaves % and : alone.
    """
    driver = connection.connection.driver_connection
    if driver is None:
        raise SchemaNotReady("the connection was closed during the migration")
    try:
        driver.execute(statements)
    except Exception as error:
        error.add_note(f"in {name}")
        raise


def _make(connection: sa.Connection) -> None:
    for name, statements in views():
        execute(connection, statements, name)


_OURS = """
    with named as (
        select
            coalesce(nullif(split_part(name, '.', 2), ''), name) as name,
            case when name like '%.%' then split_part(name, '.', 1) else current_schema() end
                as schema
        from unnest(cast(:names as text[])) name
    ),
    ours as (
        select 'view' as kind, 'pg_class'::regclass as class, c.oid, c.oid::regclass::text as name,
            c.reltype as row_type, c.relacl as acl, c.relowner as owner
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join named on (named.schema, named.name) = (n.nspname, c.relname)
        where c.relkind = 'v'
        union all
        select 'function', 'pg_proc'::regclass, p.oid, p.oid::regprocedure::text, 0, p.proacl,
            p.proowner
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        join named on (named.schema, named.name) = (n.nspname, p.proname)
    )
"""
"""Those of the views and functions of these names that the database has."""
_NAMES = "select kind, name from ours"
_DEPENDENTS = """
    select distinct
        coalesce(
            'view ' || r.ev_class::regclass::text, pg_describe_object(d.classid, d.objid, 0)
        ) || ' (on ' || o.name || ')'
    from ours o
    join pg_depend d
        on (d.refclassid, d.refobjid)
            in ((o.class, o.oid), ('pg_type'::regclass, o.row_type))
    left join pg_rewrite r on d.classid = 'pg_rewrite'::regclass and r.oid = d.objid
    where
        d.deptype = 'n'
        and not exists (
            select from ours
            where ours.oid = coalesce(r.ev_class, d.objid)
        )
    order by 1
"""
_GRANTS = """
    select format(
        'grant %s on %s %s to %s%s',
        a.privilege_type,
        case o.kind when 'view' then 'table' else 'function' end,
        o.name,
        case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end,
        case when a.is_grantable then ' with grant option' else '' end
    )
    from ours o
    cross join aclexplode(o.acl) a
    where a.grantee <> o.owner
"""


def _ours(connection: sa.Connection, names: list[str]) -> list[tuple[str, str]]:
    """The kind and the name of each, as SQL writes it."""
    rows = connection.execute(sa.text(_OURS + _NAMES), {"names": names})
    return [(row.kind, row.name) for row in rows]


def _refuse_dependents(connection: sa.Connection, names: list[str]) -> None:
    found = connection.scalars(sa.text(_OURS + _DEPENDENTS), {"names": names}).all()
    if found:
        raise in_the_way(", ".join(found))


def _grants(connection: sa.Connection, names: list[str]) -> list[str]:
    """The statements that give again what was granted to others than the owner."""
    return list(connection.scalars(sa.text(_OURS + _GRANTS), {"names": names}))
