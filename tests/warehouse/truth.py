"""What the marts have to say, worked out from the states that the sandbox's world had.

`Truth` takes snapshots while the world stands still and keeps what was true then. Nothing here asks
the database, so that a mart and its test can't err alike; `as_…` reads what a mart has answered.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from pipelines.demo import demo_runtime
from pipelines.providers.provider import Target
from pipelines.runtime import Runtime
from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import World
from pipelines.settings import Settings
from pipelines.warehouse.registry import PublishedSnapshot
from tests.conftest import Pipeline


class Key(NamedTuple):
    """A position: who holds what."""

    holder: str
    asset: str
    token: str | None


@dataclass(frozen=True)
class Held:
    """How a position was held. `details`: what may differ beside the quantity; of Hiro, the first
    is the transaction by which it was acquired."""

    quantity: Fraction
    details: tuple[Any, ...]
    held_since: datetime
    unchanged_since: datetime


@dataclass(frozen=True)
class Seen:
    """A snapshot of a target, and what was true then."""

    target: Target
    snapshot: PublishedSnapshot
    held: dict[Key, Held]

    @property
    def at(self) -> datetime:
        return self.snapshot.snapshot_at

    @property
    def quantity(self) -> Fraction:
        return sum((held.quantity for held in self.held.values()), Fraction(0))


class Change(NamedTuple):
    """One difference between two snapshots of a target."""

    kind: str
    key: Key
    before: Fraction | None
    after: Fraction | None


@dataclass(eq=False)
class Truth:
    """Every snapshot that was taken, oldest first, by the name of its target."""

    pipeline: Pipeline
    seen: dict[str, list[Seen]] = field(default_factory=lambda: defaultdict(list))

    def take(self, key: str) -> Seen:
        """Take the target that the world calls so; it must stand still meanwhile."""
        target = self._target(key)
        state = self.pipeline.world.state(key)
        snapshot = self.pipeline.take(target, accept_empty=True)
        history = self.seen[target.name]
        rows = _positions(target, state.listing)
        last = history[-1].held if history else {}
        held = {
            key: _continued(target, last.get(key), quantity, details, snapshot.snapshot_at)
            for key, (quantity, details) in rows.items()
        }
        history.append(Seen(target, snapshot, held))
        return history[-1]

    def _target(self, key: str) -> Target:
        subject, _, option = key.partition("?")
        name, _, value = option.partition("=")
        options: dict[str, Any] = {}
        if name == "include_listed":
            options = {name: False}
        elif name == "asset_identifiers":
            options = {name: tuple(value.split(","))}
        return self.pipeline.target(subject, **options)

    def moments(self) -> list[datetime]:
        """When snapshots were taken, in order."""
        return sorted(seen.at for history in self.seen.values() for seen in history)

    def as_of(self, moment: datetime) -> Iterator[Seen]:
        """Of each target the snapshot that answers for a moment."""
        for history in self.seen.values():
            known = [seen for seen in history if seen.at <= moment]
            if known:
                yield known[-1]

    def steps(self) -> Iterator[tuple[Seen, Seen]]:
        """Each snapshot but the first of a target, after the one before it."""
        for history in self.seen.values():
            yield from pairwise(history)

    def moved(self, when: Any) -> "Truth":
        """The same, as if everything had happened at `when(moment)`."""
        truth = Truth(self.pipeline)
        for name, history in self.seen.items():
            truth.seen[name] = [_moved(seen, when) for seen in history]
        return truth


@contextmanager
def standing(world: World, database: str, home: Path) -> Iterator[Truth]:
    """The truth about a world that moves only when it is told to, over a pipeline that holds no
    snapshot back."""
    with ExitStack() as stack:
        made = demo_runtime(Settings(_env_file=None), stack.enter_context(Sandbox(world)).urls)
        settings = made.settings.model_copy(
            update={"database_url": SecretStr(database), "holdfast_home": home}
        )
        providers = {
            name: of.model_copy(update={"max_drop_share": 1.0})
            for name, of in made.providers.items()
        }
        yield Truth(Pipeline(Runtime(settings, providers), world, stack))


def changes(earlier: Seen, later: Seen) -> list[Change]:
    """What the later snapshot shows otherwise than the earlier one, in the order of the keys."""
    found = []
    for key in sorted(earlier.held.keys() | later.held.keys(), key=str):
        before, after = earlier.held.get(key), later.held.get(key)
        kind = _kind(before, after)
        if kind:
            quantities = (it and it.quantity for it in (before, after))
            found.append(Change(kind, key, *quantities))
    return found


def _kind(before: Held | None, after: Held | None) -> str | None:
    if before is None:
        return "entered"
    if after is None:
        return "exited"
    if after.quantity != before.quantity:
        return "increased" if after.quantity > before.quantity else "decreased"
    if after.held_since != before.held_since:
        return "reacquired"
    return "profile" if after.details != before.details else None


def _positions(target: Target, rows: Any) -> dict[Key, tuple[Fraction, tuple[Any, ...]]]:
    if target.provider == "altura":
        collection, _, token = target.subject.partition("/")
        return {Key(row[0], collection, token): (Fraction(row[1]), row[2:]) for row in rows}
    if target.provider == "hiro":
        return {Key(target.subject, r[0], r[2]): (Fraction(1), (r[4], r[3])) for r in rows}
    return {Key(row[0], target.subject, None): (Fraction(row[1]), row[2:]) for row in rows}


def _continued(
    target: Target, before: Held | None, quantity: Fraction, details: tuple[Any, ...], at: datetime
) -> Held:
    """How it is held now, after how it was held at the snapshot before."""
    if before is None:
        return Held(quantity, details, at, at)
    if target.provider == "catenis":  # a name that is not told any more is kept
        unconfirmed, *names = details
        kept = (new or old for new, old in zip(names, before.details[1:], strict=True))
        details = (unconfirmed, *kept)
    again = target.provider == "hiro" and details[0] != before.details[0]
    since = at if again else before.held_since
    now = Held(quantity, details, since, before.unchanged_since)
    return now if now == before else replace(now, unchanged_since=at)


def _moved(seen: Seen, when: Any) -> Seen:
    times = {name: when(getattr(seen.snapshot, name)) for name in ("snapshot_at", "snapshot_until")}
    held = {
        key: replace(it, held_since=when(it.held_since), unchanged_since=when(it.unchanged_since))
        for key, it in seen.held.items()
    }
    return Seen(seen.target, replace(seen.snapshot, **times), held)


def exactly(number: Decimal | int | None) -> Fraction | None:
    return None if number is None else Fraction(number)


def key_of(row: Any) -> Key:
    return Key(row.holder, row.asset, row.token)


def expected_positions(seen: Seen) -> dict[Key, tuple[Any, ...]]:
    quantities = [it.quantity for it in seen.held.values()]
    return {
        key: (
            it.quantity,
            it.held_since,
            it.unchanged_since,
            1 + sum(other > it.quantity for other in quantities),
            seen.snapshot.snapshot_id,
            seen.at,
        )
        for key, it in seen.held.items()
    }


def as_positions(rows: list[Any]) -> dict[Any, tuple[Any, ...]]:
    found = {
        (row.target, *key_of(row)): (
            exactly(row.quantity),
            row.held_since,
            row.unchanged_since,
            row.rank,
            row.snapshot_id,
            row.snapshot_at,
        )
        for row in rows
    }
    assert len(found) == len(rows)
    return found


def as_change(row: Any) -> Change:
    before, after = exactly(row.quantity_before), exactly(row.quantity_after)
    assert exactly(row.delta) == (after or 0) - (before or 0)
    return Change(row.kind, key_of(row), before, after)


def stints(truth: Truth) -> Iterator[tuple[Any, ...]]:
    """target, holder, held_since, held_until, at_least, held_for, known_until"""
    for name, history in truth.seen.items():
        first, last = history[0].at, history[-1].at
        ends: dict[tuple[Key, datetime], datetime | None] = {}
        for seen in history:
            for open_ in [stint for stint, until in ends.items() if until is None]:
                held = seen.held.get(open_[0])
                if held is None or held.held_since != open_[1]:
                    ends[open_] = seen.at
            ends |= {(key, it.held_since): None for key, it in seen.held.items()} | {
                stint: until for stint, until in ends.items() if until
            }
        for (key, since), until in ends.items():
            yield name, key.holder, since, until, since == first, (until or last) - since, last


def as_stint(row: Any) -> tuple[Any, ...]:
    return (
        row.target,
        row.holder,
        row.held_since,
        row.held_until,
        row.at_least,
        row.held_for,
        row.known_until,
    )


def expected_history(truth: Truth, holder: str) -> list[Any]:
    found = []
    for name, history in truth.seen.items():
        first = history[0]
        found += [
            (name, "first seen", key, None, it.quantity, None, first.snapshot.snapshot_id)
            for key, it in first.held.items()
            if key.holder == holder
        ]
    for earlier, later in truth.steps():
        found += [
            (later.target.name, *change, earlier.at, later.snapshot.snapshot_id)
            for change in changes(earlier, later)
            if change.key.holder == holder
        ]
    return found
