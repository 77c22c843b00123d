"""One set of a trial that lives: what can happen to it, and when.

Every change is an instant: rows that leave and rows that enter in one change do so together.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import partial
from random import Random

from pipelines.providers import PROVIDERS
from pipelines.providers.proofs import Proof
from pipelines.sandbox.contract import amount
from pipelines.sandbox.providers import SANDBOXES
from pipelines.sandbox.states import Aggregate, Row, State
from pipelines.sandbox.world import World
from pipelines.trials.kinds import TrialWorld

Rows = tuple[Row, ...]


class LivingSet:
    """A target of `world` that changes as `kind` says. Not thread-safe."""

    def __init__(self, world: World, kind: TrialWorld, rng: Random) -> None:
        provider = PROVIDERS[kind.provider]
        self._sandbox = SANDBOXES[kind.provider]
        self._newest_first = provider.dataset.ordered
        self._key_width = len(provider.dataset.key)
        self._overlap = int(Proof.CHAINED in provider.proofs)  # rows that two pages share
        self.key = self._sandbox.new_key(rng)
        self._world = world
        self._kind = kind
        self._rng = rng
        self._chance = rng.choice(kind.chances)
        self._aggregate = Aggregate(Decimal(5), Decimal(0)) if "aggregate" in kind.changes else None
        self._away: Rows = ()
        self._one_is_out = False
        rows: Rows = ()
        for _ in range(rng.randint(*kind.rows)):
            rows = self._with(rows, self._new())
            self._show(rows)
        self._events: dict[str, Callable[[], None]] = {
            "in": lambda: self._show(self._enter(self._rows())),
            "out": lambda: self._show(self._leave(self._rows())),
            "swap": lambda: self._show(self._enter(self._leave(self._rows()), 1)),
            "turn": self._take_turns,
            "value": lambda: self._show(self._alter(self._rows())),
            "aggregate": self._migrate,
            "burst": self._burst,
            "flip": self._flip,
        }
        upheavals = self._sandbox.upheavals
        self._events |= {name: partial(upheavals[name], world, self.key, rng) for name in upheavals}
        for name in kind.begins:
            self._events[name]()

    @property
    def state(self) -> State:
        state = self._world.state(self.key)
        if state is None:
            raise KeyError(self.key)
        return state

    def maybe_change(self) -> None:
        """Let something happen, or nothing, by the chance of this set."""
        kinds = self._kind.changes
        if self._rng.random() < self._chance:
            self._happen(self._rng.choices(tuple(kinds), tuple(kinds.values()))[0])

    def maybe_change_between(self) -> None:
        """The same for what happens while nobody looks, between two snapshots."""
        kinds = self._kind.between
        if kinds and self._rng.random() < 0.5:
            self._happen(self._rng.choices(tuple(kinds), tuple(kinds.values()))[0])

    def _happen(self, event: str) -> None:
        """An event, or its opposite where the set would leave its size."""
        held = len(self.state.listing)
        fewest, most = self._kind.rows
        if event == "in" and held >= most and not self._kind.grows:
            event = "out"
        if event == "out" and held <= fewest:
            event = "in"
        self._events[event]()

    def _show(self, rows: Rows) -> None:
        steady = self._rng.random() < self._kind.keeps_order
        self._world.set_rows(self.key, rows, self._aggregate, keep_order=steady)

    def _rows(self) -> Rows:
        """The rows in the order in which the provider shows them now."""
        return self._sandbox.in_order(self.state)

    def _place(self, rows: Rows) -> int:
        """Where something happens: anywhere, or beside the border of a page."""
        if not self._kind.at_borders:
            return self._rng.randrange(len(rows))
        step = self._kind.page_size - self._overlap
        border = self._rng.randint(0, len(rows) // step) * step + self._rng.choice((-1, 0, 1))
        return max(0, min(border, len(rows) - 1))

    def _enter(self, rows: Rows, count: int = 0) -> Rows:
        """`count` rows more (0: one or two); some left before, and come as another holding."""
        for _ in range(count or self._rng.choice((1, 1, 2))):
            back = self._again(self._rng.choice(self._away)) if self._away else None
            usable = back and not self._holds(rows, back) and self._rng.random() < 0.5
            rows = self._with(rows, back if back and usable else self._new())
        return rows

    def _holds(self, rows: Rows, one: Row) -> bool:
        width = self._key_width
        return any(row[:width] == one[:width] for row in rows)

    def _leave(self, rows: Rows) -> Rows:
        place = self._place(rows)
        self._away = (*self._away[-5:], rows[place])
        return rows[:place] + rows[place + 1 :]

    def _alter(self, rows: Rows) -> Rows:
        """A holding changes; in a list of the newest first, that puts it at the top."""
        place = self._place(rows)
        rest = rows[:place], rows[place + 1 :]
        changed = self._again(rows[place])
        if self._newest_first:
            return self._with(rest[0] + rest[1], changed)
        return (*rest[0], changed, *rest[1])

    def _with(self, rows: Rows, row: Row) -> Rows:
        return (row, *rows) if self._newest_first else (*rows, row)

    def _new(self) -> Row:
        return self._sandbox.new_row(self._rng, self._world)

    def _again(self, row: Row) -> Row:
        return self._sandbox.again(row, self._rng, self._world)

    def _take_turns(self) -> None:
        """A row leaves, and the next time one enters."""
        rows = self._rows()
        self._show(self._enter(rows, 1) if self._one_is_out else self._leave(rows))
        self._one_is_out = not self._one_is_out

    def _migrate(self) -> None:
        rows = self._leave(self._rows())
        self._aggregate = Aggregate(Decimal(amount(self._rng)), Decimal(0))
        self._show(rows if len(rows) >= self._kind.rows[0] else self._enter(rows))

    def _burst(self) -> None:
        for _ in range(self._rng.randint(5, 12)):
            self._happen(self._rng.choice(("in", "out", "swap")))

    def _flip(self) -> None:
        """There and back between two states; where the newest come first, as another holding."""
        states = self._world.states(self.key)
        if not self._newest_first:
            rows = states[-2].listing if len(states) > 1 else self._several_others(self._rows())
            self._show(rows)
            return
        rows, back = self._rows(), self._away
        if back:
            self._away = ()
            for row in back:
                rows = self._with(rows, self._again(row))
        else:
            for _ in range(3):
                rows = self._leave(rows)
        self._show(rows)

    def _several_others(self, rows: Sequence[Row]) -> Rows:
        others = tuple(rows)
        for _ in range(4):
            others = self._enter(self._leave(others), 1)
        return others
