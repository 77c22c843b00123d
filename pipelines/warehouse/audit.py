"""Audits what is stored: rules that hold as long as nothing but the publish transaction writes.

A rule is a file under sql/audit. Its first line says what is so, `Means:` what it means where it is
not so, `Do:` what to do then; the statement gives a row for each break: target_id, key_hash (null:
not of one key) and what was found. It is composed with the identifiers of one dataset at a time, so
that a new provider's tables are audited without another file.

Constraints guard most of this already. The audit finds what got past them: a restore that left
something out, a repair by hand, a damaged index, a mistake of ours.
"""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from psycopg import sql

from pipelines.paths import shipped
from pipelines.providers.provider import Dataset, Provider
from pipelines.warehouse.postgres import Warehouse
from pipelines.warehouse.schema import dataset_tables

RULES = shipped("sql/audit")
MOST_EXAMPLES = 5
LONGEST_KEY = 200
WORK_MEM = "64MB"
"""For a sort of some hundred thousand versions; what is larger goes to disk."""

_HEADER = re.compile(r"-- (?P<sentence>.+)\n-- Means: (?P<means>.+)\n-- Do: (?P<advice>.+)\n")


@dataclass(frozen=True)
class Rule:
    """What is so as long as nothing is wrong, what it means where it is not, what to do then."""

    name: str
    sentence: str
    means: str
    advice: str
    statement: str


@dataclass(frozen=True)
class Example:
    """One break of a rule. `key` is empty where it is not of one key; text is as it is stored."""

    target: str
    key: str
    found: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.target, self.key, self.found) if part)


@dataclass(frozen=True)
class Finding:
    """How one dataset stands to one rule: `count` breaks, the first few of them as examples."""

    rule: Rule
    dataset: str
    count: int
    examples: tuple[Example, ...]
    seconds: float

    @property
    def passed(self) -> bool:
        return self.count == 0

    def __str__(self) -> str:
        """Which rule, how many, examples, what it means and what to do; several lines."""
        if self.passed:
            return f"{self.dataset}: {self.rule.sentence}"
        hidden = self.count - len(self.examples)
        lines = [
            f"{self.rule.name} is broken {self.count:,} times in {self.dataset}.",
            f"The rule: {self.rule.sentence}",
            *(f"- {example}" for example in self.examples),
            *([f"- and {hidden:,} more"] if hidden else []),
            f"It means: {self.rule.means}",
            f"What to do: {self.rule.advice}",
        ]
        return "\n".join(lines)


@cache
def load_rules() -> tuple[Rule, ...]:
    """The rules under sql/audit, in the order of their names. Raises ValueError for a file without
    the three lines at its head."""
    rules = []
    for file in sorted(RULES.glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        header = _HEADER.match(text)
        if header is None:
            raise ValueError(f"{file} does not begin with the rule, 'Means:' and 'Do:'")
        statement = text[header.end() :]
        rules.append(
            Rule(file.stem, header["sentence"], header["means"], header["advice"], statement)
        )
    return tuple(rules)


def audit(
    warehouse: Warehouse, provider: Provider, rules: Sequence[Rule] | None = None
) -> Iterator[Finding]:
    """Check a provider's dataset against the rules (none given: all), a finding for each, in order.

    Each rule is one read-only statement, which sees one state of the database, so that it may run
    while snapshots are published; a rule takes seconds for a million rows. Raises what
    `Warehouse.connect` raises.
    """
    for rule in load_rules() if rules is None else rules:
        yield _check(warehouse, provider, rule)


def _check(warehouse: Warehouse, provider: Provider, rule: Rule) -> Finding:
    names = _names(provider)
    statement = _EXAMPLES.format(broken=sql.SQL(rule.statement).format(**names), **names)
    began = time.monotonic()
    with warehouse.transaction() as connection:
        connection.execute(sa.text("set transaction read only"))
        connection.execute(sa.select(sa.func.set_config("work_mem", WORK_MEM, True)))
        rows = connection.connection.cursor().execute(statement).fetchall()
    return Finding(
        rule=rule,
        dataset=provider.dataset.name,
        count=rows[0][3] if rows else 0,
        examples=tuple(Example(target, key, found) for target, key, found, _ in rows),
        seconds=time.monotonic() - began,
    )


_EXAMPLES = sql.SQL("""\
select
    coalesce(t.name, 'target ' || b.target_id),
    coalesce(k.key, b.key_hash::text, ''),
    b.found,
    b.total
from (
    select broken.*, count(*) over () as total
    from ({broken}) broken
    order by target_id, key_hash, found
    limit {most_examples}
) b
left join target t on t.target_id = b.target_id
left join lateral (
    select left(concat_ws(' ', {key}), {longest_key}) as key
    from (
        select {key} from {current} c
        where c.target_id = b.target_id and c.key_hash = b.key_hash
        union all
        select {key} from {history} h
        where h.target_id = b.target_id and h.key_hash = b.key_hash
    ) version
    limit 1
) k on true
order by b.target_id, b.key_hash, b.found
""")
"""The first breaks of a rule with the names of their targets and keys, and how many there are."""


def _names(provider: Provider) -> dict[str, sql.Composable]:
    """What the statements leave open, for one provider's dataset."""
    dataset, tables = provider.dataset, dataset_tables(provider.dataset)
    amount = sql.Identifier(dataset.amount) if dataset.amount else sql.SQL("null::numeric")
    summed = sql.SQL("coalesce(sum({}), 0)").format(amount) if dataset.amount else amount
    acquisition = dataset.acquisition
    return {
        "current": sql.Identifier(tables.current.name),
        "history": sql.Identifier(tables.history.name),
        "provider": sql.Literal(provider.name),
        "proofs": sql.SQL(", ").join(sql.Literal(str(proof)) for proof in provider.all_proofs),
        "key": sql.SQL(", ").join(map(sql.Identifier, dataset.key)),
        "hash_of_key": _hash_of_key(dataset),
        "amount": amount,
        "amount_sum": summed,
        "no_amount": sql.SQL("0" if dataset.amount else "null::numeric"),
        "acquisition": sql.Identifier(acquisition) if acquisition else sql.SQL("null::text"),
        "place": sql.Identifier("place") if dataset.ordered else sql.SQL("null::bigint"),
        "most_examples": sql.Literal(MOST_EXAMPLES),
        "longest_key": sql.Literal(LONGEST_KEY),
    }


def _hash_of_key(dataset: Dataset) -> sql.Composable:
    """`pipelines.warehouse.text.key_hash` in SQL: a million of them take seconds, and no row has to
    leave the server."""
    part = sql.SQL("int4send(octet_length(convert_to({0}, 'UTF8'))) || convert_to({0}, 'UTF8')")
    parts = sql.SQL(" || ").join(part.format(sql.Identifier(name)) for name in dataset.key)
    return sql.SQL("encode(substring(sha256({}) for 16), 'hex')::uuid").format(parts)
