"""The contract between a provider's stand-in and the rest of the sandbox.

A stand-in is what is particular to one provider: how its API answers, the ledger of its targets,
the rows that the ledger shows, where its bodies keep what a fault spoils, and how a holding looks
that enters or changes. The world, the server, the faults and the trials know no provider by name;
they look one up in `pipelines.sandbox.providers.SANDBOXES`. An answer is made from the request as
it came, so the contract does not care whether an API counts in positions or in cursors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from random import Random
from threading import RLock
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

from pipelines.sandbox.answers import Answer, Exchange, compact
from pipelines.sandbox.states import Aggregate, Listing, Row, State

Json = dict[str, Any]
Lens = Callable[[State], State]
"""The same moment, seen through options of a target."""


class Subject(Protocol):
    """One thing whose holders change. `views` are the targets that it is seen as."""

    @property
    def key(self) -> str: ...

    def views(self) -> Iterable[tuple[str, Listing, Aggregate | None]]: ...


class Ledger(ABC):
    """All subjects of a provider in one world. It has no clock: the world decides when a change is
    published. Its random numbers are its own: a verb on one ledger changes no other's future."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng

    def begin(self, sizes: Iterable[int]) -> Iterator[Subject]:
        """Make what a world begins with, a subject of each size; what is yielded is published."""
        for rows in sizes:
            yield self.add(rows)

    @abstractmethod
    def add(self, rows: int) -> Subject:
        """A new subject with that many rows."""

    @abstractmethod
    def stir(self) -> Iterable[Subject]:
        """Let a few things happen to every subject; returns those that may look different now."""

    @abstractmethod
    def replace(self, key: str, rows: Iterable[Row], aggregate: Aggregate | None) -> Subject:
        """Make a subject show exactly these rows, and make the subject where there is none.

        Raises ValueError where the key of a row stands twice.
        """

    def mark(self, at: datetime) -> None:  # noqa: B027 - nothing, for ledgers that keep no past
        """All that changed so far is shown from that time on."""

    def as_of(self, at: datetime) -> Self:  # noqa: ARG002 - itself, for ledgers that keep no past
        """The ledger as it was shown then, apart from the rows."""
        return self


L = TypeVar("L", bound=Ledger)


class Shown(Protocol):
    """What an API answers from: the world, or a replica that lags behind it."""

    def state(self, key: str) -> State | None: ...

    def ledger(self, kind: type[L]) -> L: ...


class Verbs(ABC):
    """Base of what one can make happen in a world by name (`altura_set`, `hiro_mint`, …).

    A provider's verbs are a subclass in its own module; the world inherits all of them. They take a
    target's name with or without the provider, and raise KeyError for one that does not exist.
    """

    lock: RLock

    @abstractmethod
    def add(self, provider: str, rows: int) -> str:
        """A new target with that many rows; returns its key."""

    @abstractmethod
    def ledger(self, kind: type[L]) -> L:
        """The world's ledger of that kind."""

    @abstractmethod
    def publish(self, *subjects: Subject, keep_order: bool = False) -> None:
        """Append a state to each view that looks different now, all with one time."""


class Asked(NamedTuple):
    """The part of a set that a request asks for: `limit` rows from position `start` on."""

    start: int
    limit: int


@dataclass(frozen=True)
class Shape:
    """Where a provider's body keeps what: the rows, what tells their end, and in the first row an
    amount (a number), the object that it stands in, and a text that is the key or part of it.

    `end` is the number of all rows, or where nothing `counts` them, whether more rows follow.
    `following` is the cursor of the next page, where there are cursors.
    """

    rows: tuple[str, ...]
    end: tuple[str, ...]
    amount: tuple[str, ...]
    key: tuple[str, ...]
    counts: bool = True
    following: tuple[str, ...] | None = None


Upheaval = Callable[[Any, str, Random], None]
"""(world, key of a target, chance) → something happened at once that is more than rows that enter,
leave and change: to the blocks that they come from, say."""


class ProviderSandbox(ABC):
    """A provider's stand-in. Stateless: what changes is in the ledger, of which each world has one.

    The names of `columns` are the dataset's, in the order of the world's rows, which begin with the
    key. `sizes` is what a world begins with unless it is told otherwise. `has_aggregate`: a state
    may have an amount that belongs to no row. `upheavals`, by name, are for trials.
    """

    name: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    sizes: ClassVar[tuple[int, ...]]
    shape: ClassVar[Shape]
    has_aggregate: ClassVar[bool] = False
    upheavals: ClassVar[Mapping[str, Upheaval]] = {}

    # --- the API ------------------------------------------------------------------------------

    @abstractmethod
    def answer(self, exchange: Exchange, world: Shown) -> Answer:
        """What the API answers to a request, from what `world` shows now."""

    def settings(self) -> dict[str, str]:
        """The settings of a client, apart from the URL, that this API lets in."""
        return {}

    @abstractmethod
    def target(self, key: str) -> Json:
        """The fields of a target, as targets.yaml has them, from its key in the world."""

    # --- the world ----------------------------------------------------------------------------

    @abstractmethod
    def ledger(self, rng: Random) -> Ledger:
        """An empty ledger."""

    def lens(self, key: str) -> tuple[str, Lens | None]:
        """The key of the view whose states are kept, and how to see the asked-for one in them."""
        return key, None

    @abstractmethod
    def in_order(self, state: State) -> tuple[Any, ...]:
        """The rows of a state in the order in which the API shows them."""

    # --- the moves of trials --------------------------------------------------------------------

    @abstractmethod
    def new_key(self, rng: Random) -> str:
        """The key of a target that no world has."""

    @abstractmethod
    def new_row(self, rng: Random, world: Shown) -> Row:
        """A holding that no target has, as it looks when it enters now."""

    @abstractmethod
    def again(self, row: Any, rng: Random, world: Shown) -> Row:
        """A holding as it looks when it comes back or changes now: never as it was before."""

    @abstractmethod
    def bearing(self, row: Any, text: str) -> Row:
        """The row with that text wherever a stranger can put one."""

    # --- the faults -----------------------------------------------------------------------------

    def has_rows(self, exchange: Exchange) -> bool:  # noqa: ARG002 - where there are other routes
        """Whether it asks for a page of a target's rows."""
        return True

    def route(self, exchange: Exchange) -> "ProviderSandbox":  # noqa: ARG002 - where there are several
        """The stand-in as the bodies of that route have their rows."""
        return self

    @abstractmethod
    def asked(self, exchange: Exchange) -> Asked:
        """Raises ValueError or KeyError for a request that the API would not answer with rows."""

    @abstractmethod
    def invented(self, place: int) -> Json:
        """The row at that position of a set that never was, as a body has it."""

    def too_long(self) -> Answer:
        """The answer to a request line that no server would read to its end."""
        return Answer(414, close=True)

    def error_body(self, text: str) -> bytes:
        """The body of an error with that text."""
        return compact({"error": text}).encode()


def named(provider: str, name: str) -> str:
    """The key for a target's name with or without the provider."""
    return name if name.startswith(f"{provider}:") else f"{provider}:{name}"


def amount(rng: Random) -> int:
    """For trials: small enough for ties in the leading digits, never the same twice."""
    return rng.choice((1, 2, 3)) << 64 | rng.getrandbits(64)


def whole_number(query: Mapping[str, list[str]], name: str, default: int) -> int | None:
    """A parameter as a whole number, where it is one and stands there once; else None."""
    values = query.get(name, [str(default)])
    if len(values) == 1 and values[0].isascii() and values[0].isdigit():
        return int(values[0])
    return None
