"""The views that unite all datasets, and the marts that stand on them.

sql/holdings and sql/marts name no provider. What a `Dataset` says of its holder, asset, token and
amount becomes a branch of the two views `holding_current` and `holding_history`; all else is built
on those. The branches have the same types and collations and read one table each: only then does
Postgres take a union apart, so that a bound or an order reaches the index of every table.
"""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

from psycopg import sql

from pipelines.providers.provider import Column, Dataset, Provider, Subject
from pipelines.warehouse.templates import render

_BRANCH = sql.SQL("""\
select
        {provider}::text as provider,
        c.target_id,
        c.key_hash,
        {holder} as holder,
        {asset} as asset,
        {token} as token,
        {quantity} as quantity,
        {one_per_holder} as one_per_holder,
        {acquisition} as acquisition,
        {height} as height,
        {attributes} as attributes,
        c.held_since,
        c.valid_from{valid_to}
    from {table} c""")
_NO_TEXT = sql.SQL('null::text collate "C"')


def render_for(file: Path, providers: Mapping[str, Provider]) -> str:
    """A file of sql/holdings or sql/marts for these providers, as statements."""
    return render(file.read_text(encoding="utf-8"), _names(tuple(providers.values())))


@cache
def _names(providers: tuple[Provider, ...]) -> dict[str, sql.Composable]:
    """What the files leave open."""
    with_amounts = [provider for provider in providers if provider.dataset.amount]
    of_target = {
        "holder": _of_target(providers, lambda dataset: dataset.holder or Subject()),
        "asset": _of_target(providers, lambda dataset: dataset.asset),
        "token": _of_target(providers, lambda dataset: dataset.token),
    }
    return {
        "facts": sql.SQL(",\n        ").join(map(_facts, providers)),
        **{name: _or_of_target(name, of) for name, of in of_target.items()},
        **{f"{name}_of_target": of or _NO_TEXT for name, of in of_target.items()},
        **{f"branches_of_{half}": _branches(providers, half) for half in ("current", "history")},
        "providers": sql.Literal(f"{_either([one.name for one in providers])}."),
        "providers_with_amounts": sql.Literal(f"{_either([one.name for one in with_amounts])}."),
        "holders": _sentence([one.dataset.words.holder for one in providers]),
        "assets": _sentence([one.dataset.words.asset for one in providers]),
        "tokens": _tokens(providers),
        "subjects": sql.Literal(
            "What is watched, without options:"
            f" {', '.join(one.dataset.words.subject for one in providers)}."
        ),
    }


def _branches(providers: tuple[Provider, ...], half: str) -> sql.Composable:
    return sql.SQL("\n    union all\n    ").join(_branch(one, half) for one in providers)


def _branch(provider: Provider, half: str) -> sql.Composable:
    """A dataset's rows, each with what they say themselves; null where the target says it."""
    dataset = provider.dataset
    columns = {column.name: column for column in dataset.columns}

    def text(name: str | Subject | None) -> sql.Composable:
        return _text(columns[name]) if isinstance(name, str) else _NO_TEXT

    def number(name: str | None, otherwise: str) -> sql.Composable:
        return sql.Identifier("c", name) if name else sql.SQL(otherwise)

    others = [name for name in dataset.value_names if name != dataset.amount]
    return _BRANCH.format(
        provider=sql.Literal(provider.name),
        holder=text(dataset.holder),
        asset=text(dataset.asset),
        token=text(dataset.token),
        quantity=number(dataset.amount, "1::numeric"),
        one_per_holder=sql.Literal(dataset.one_per_holder),
        acquisition=text(dataset.acquisition),
        height=number(dataset.height, "null::bigint"),
        attributes=sql.SQL('array[{}]::text[] collate "C"').format(
            sql.SQL(", ").join(map(text, others))
        ),
        valid_to=sql.SQL(",\n        c.valid_to" if half == "history" else ""),
        table=sql.Identifier(f"{dataset.name}_{half}"),
    )


def _text(column: Column) -> sql.Composable:
    """A column as text; equal numbers are equal texts, with however many zeros they are kept."""
    casts = {
        "text": "{}",
        "bigint": '{}::text collate "C"',
        "numeric": 'trim_scale({})::text collate "C"',
    }
    return sql.SQL(casts[column.type]).format(sql.Identifier("c", column.name))


def _of_target(
    providers: tuple[Provider, ...], said: Callable[[Dataset], str | Subject | None]
) -> sql.Composable | None:
    """What a target's subject says of all its rows; None where no dataset has it say that."""
    cases = []
    for provider in providers:
        source = said(provider.dataset)
        if isinstance(source, Subject):
            part = sql.SQL("split_part(t.subject, '/', {})").format(sql.Literal(source.part))
            cases.append(
                sql.SQL("when {} then {}").format(
                    sql.Literal(provider.name), part if source.part else sql.SQL("t.subject")
                )
            )
    return sql.SQL("case t.provider {} end").format(sql.SQL(" ").join(cases)) if cases else None


def _or_of_target(name: str, of_target: sql.Composable | None) -> sql.Composable:
    """What a row says itself, or else its target."""
    own = sql.Identifier("h", name)
    return sql.SQL("coalesce({}, {})").format(own, of_target) if of_target else own


def _facts(provider: Provider) -> sql.Composable:
    dataset = provider.dataset
    facts = (
        provider.name,
        dataset.name,
        dataset.title,
        dataset.amount is not None,
        dataset.holder is None,
        dataset.one_per_holder,
        dataset.lower_case,
    )
    return sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, facts)))


def _tokens(providers: tuple[Provider, ...]) -> sql.Composable:
    words = [one.dataset.words.token for one in providers]
    told = _either([word for word in words if word])
    without = [one.dataset.title for one, word in zip(providers, words, strict=True) if not word]
    empty = f"; null for {_either(without)}" if without else ""
    return sql.Literal(f"{told[:1].upper()}{told[1:]} within the asset{empty}.")


def _sentence(words: list[str]) -> sql.Composable:
    text = _either(words)
    return sql.Literal(f"{text[:1].upper()}{text[1:]}.")


def _either(words: list[str]) -> str:
    """One of these words: a, b or c."""
    known = list(dict.fromkeys(words))
    return " or ".join([", ".join(known[:-1]), known[-1]]) if len(known) > 1 else "".join(known)
