"""The world behind the sandbox: a ledger a provider, and every state that they ever showed.

The world is the referee in trials of proofs, so it must know the truth exactly: a change and the
time from which it holds are published under one lock, times strictly increase, and no state is
ever forgotten. What happens depends on the seed and the calls alone; only the times are real.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from threading import RLock

from pipelines.sandbox.contract import L, Lens, Subject
from pipelines.sandbox.providers import SANDBOXES, WorldVerbs
from pipelines.sandbox.states import Aggregate, Row, State, between, without_repeats

_TICK = timedelta(microseconds=1)

WorldSize = Mapping[str, Sequence[int]]
"""How many rows each target of a provider begins with, by the provider's name."""

EMPTY: WorldSize = {}


class World(WorldVerbs):
    """Thread-safe. Targets are named as everywhere in Holdfast: `provider:subject?options`.

    `size` is what the world begins with; without it, what each provider's stand-in says. Besides
    the verbs below there are those of each provider.
    """

    def __init__(self, seed: int = 1, size: WorldSize | None = None) -> None:
        self.lock = RLock()
        self.ticks = 0
        self._last = datetime.min.replace(tzinfo=UTC)
        self._history: dict[str, list[State]] = {}
        self._ledgers = {
            name: sandbox.ledger(_stream(seed, name)) for name, sandbox in SANDBOXES.items()
        }
        for name, ledger in self._ledgers.items():
            sizes = SANDBOXES[name].sizes if size is None else size.get(name, ())
            for subject in ledger.begin(sizes):
                self.publish(subject)

    # --- what is true -------------------------------------------------------------------------

    def targets(self, provider: str | None = None) -> tuple[str, ...]:
        """Every target in the order it was made; other options of the same one are left out."""
        with self.lock:
            keys = tuple(self._history)
        prefix = f"{provider}:" if provider else ""
        return tuple(key for key in keys if key.startswith(prefix) and "?" not in key)

    def state(self, key: str) -> State | None:
        """The newest state, or None where the world has no such target."""
        kept, lens = _lens(key)
        with self.lock:
            history = self._history.get(kept)
            newest = history[-1] if history else None
        return lens(newest) if newest and lens else newest

    def states(self, key: str) -> list[State]:
        """Every state there ever was, oldest first."""
        kept, lens = _lens(key)
        with self.lock:
            history = list(self._history[kept])
        return _seen_through(lens, history)

    def states_between(self, key: str, start: datetime, end: datetime) -> list[State]:
        """The state in force at `start`, and every later one that began up to `end`.

        Through a lens, the first may have begun before its `at`.
        """
        kept, lens = _lens(key)
        with self.lock:
            history = between(self._history[kept], start, end)
        return _seen_through(lens, history)

    def ledger(self, kind: type[L]) -> L:
        """The ledger of that kind."""
        [found] = [ledger for ledger in self._ledgers.values() if isinstance(ledger, kind)]
        return found

    # --- what happens -------------------------------------------------------------------------

    def tick(self, steps: int = 1) -> None:
        """Let a few things happen to every target; one step is one instant."""
        for _ in range(steps):
            with self.lock:
                self.ticks += 1
                touched = [one for ledger in self._ledgers.values() for one in ledger.stir()]
                self.publish(*touched)

    def set_rows(
        self,
        key: str,
        rows: Iterable[Row],
        aggregate: Aggregate | None = None,
        *,
        keep_order: bool = False,
    ) -> None:
        """Make a target show exactly these rows, as hostile as they may be.

        Makes the target where there is none. With `keep_order`, rows that stay keep their order
        where nothing promises one. Takes rows as plain tuples, in the order of the stand-in's
        `columns` and of its list where that has an order; raises ValueError where a row's key
        stands twice, and for rows of a view or of no provider.
        """
        provider = key.partition(":")[0]
        if "?" in key:
            raise ValueError(f"{key} is a view of another target: set the rows of that one")
        if provider not in self._ledgers:
            raise ValueError(f"{key!r} names none of the providers {', '.join(self._ledgers)}")
        with self.lock:
            subject = self._ledgers[provider].replace(key, rows, aggregate)
            self.publish(subject, keep_order=keep_order)

    def add(self, provider: str, rows: int) -> str:
        """A new target with that many rows; returns its key."""
        with self.lock:
            subject = self._ledgers[provider].add(rows)
            self.publish(subject)
            return subject.key

    def publish(self, *subjects: Subject, keep_order: bool = False) -> None:
        """Append a state to each view that looks different now, all with one time."""
        with self.lock:
            shown = [view for subject in subjects for view in subject.views()]
            self._last = max(datetime.now(UTC), self._last + _TICK)
            for key, listing, aggregate in shown:
                history = self._history.setdefault(key, [])
                if history:
                    before = history[-1]
                    if before.listing == listing and before.aggregate == aggregate:
                        continue
                version = history[-1].version if history and keep_order else len(history)
                history.append(State(self._last, version, listing, aggregate))
            for ledger in self._ledgers.values():
                ledger.mark(self._last)


def _stream(seed: int, provider: str) -> Random:
    """Random numbers of its own for each ledger: a verb on one does not change another's future."""
    return Random(f"{seed}/{provider}")  # noqa: S311 - a game, and it must be repeatable


def _lens(key: str) -> tuple[str, Lens | None]:
    sandbox = SANDBOXES.get(key.partition(":")[0])
    return sandbox.lens(key) if sandbox else (key, None)


def _seen_through(lens: Lens | None, history: list[State]) -> list[State]:
    return without_repeats([lens(state) for state in history]) if lens else history
