"""A request budget that all processes with the same key share: a row of the warehouse.

Each statement is a transaction of its own: the row is locked for less than a millisecond, and by
nobody who sleeps. A process reserves the time of its next request and waits for it by itself. What
it has reserved and does not use is lost, so nobody reserves further ahead than a few seconds: one
that is killed leaves a gap of one request. Times in the row that can't have come of this, as after
the server's clock was set back, are cut to the latest ones that can.

The row is also the circuit breaker. After some failures in a row, none answered in between,
nothing goes out for half a minute, then one request does, the probe; when that fails, the next
pause is twice as long. What is random does no harm: the failures have to follow each other. A 429
without Retry-After halves the rate for everybody.

What is shared is what this warehouse knows. Another warehouse with the same key has a budget of its
own, and so has, without a key, every other program behind the same address.
"""

import hashlib
import threading
import time
from collections.abc import Iterable
from typing import Any, Self

import sqlalchemy as sa

from pipelines.errors import ProviderError, QuotaExhausted, RateLimited
from pipelines.extract.budget import (
    LEASE_SECONDS,
    LONGEST_WAIT,
    USED,
    Down,
    Granted,
    NotYet,
)
from pipelines.warehouse.postgres import Warehouse

AHEAD = 3.0
"""Seconds that a request is reserved ahead of its time, at most."""

MOMENT = 2.0
"""Seconds for which nothing goes out after a 429 that does not say how long."""

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 600.0
"""Seconds for which the breaker is open, first and at most."""

PATIENCE = 120.0
"""Seconds for which targets wait for a provider whose breaker is open."""

PROBE_POLL = 1.0
SETTING_SECONDS = 60.0
ANSWERED_SECONDS = 5.0


def account_of(base_url: str, secrets: Iterable[str]) -> str:
    """What tells the budget of one server and key from another's; no secret can be got from it."""
    told = "\n".join([base_url, *secrets])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


class SharedLedger:
    """The budget's row (see `extract.budget.Ledger`). One thread at a time may `reserve`."""

    def __init__(
        self,
        warehouse: Warehouse,
        provider: str,
        account: str,
        *,
        requests_per_minute: int,
        failures: int,
        probe_seconds: float,
    ) -> None:
        """`failures` in a row open the breaker; `probe_seconds` is how long one request can take
        to end."""
        self._warehouse = warehouse
        self._key = {"provider": provider, "account": account}
        self._per_minute = requests_per_minute
        self._failures = failures
        self._probe_seconds = probe_seconds
        self._lock = threading.Lock()
        self._connection: sa.Connection | None = None
        self._noted_at = -SETTING_SECONDS
        self._answered_at = -ANSWERED_SECONDS
        self._is_troubled = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._close()

    def reserve(self) -> Granted | NotYet | Down:
        """Raises WarehouseUnreachable and the like."""
        self._note_setting()
        row = self._one(
            _RESERVE,
            requests_per_minute=self._per_minute,
            used=USED,
            ahead=AHEAD,
            lease=LEASE_SECONDS,
            longest=LONGEST_PAUSE,
            probe_seconds=self._probe_seconds,
        )
        self._is_troubled = row.failures > 0 or row.state != "even"
        if row.state == "even":
            granted = Granted(row.wait, row.granted, row.every)
            return granted if row.granted else NotYet(max(row.wait - AHEAD, 0.0))
        if row.state == "probe":
            return Granted(row.wait, 1, row.every, is_probe=True)
        if row.state == "open" and row.given_up:
            return Down(row.down_since, row.open_until, row.last_error)
        return NotYet(PROBE_POLL if row.state == "probing" else row.open_for)

    def is_closed(self) -> bool:
        return bool(self._one(_IS_CLOSED).is_closed)

    def close_for(self, seconds: float) -> None:
        self._run(_CLOSE, seconds=seconds)

    def failed(self, error: ProviderError, *, was_probe: bool) -> bool:
        quota = isinstance(error, QuotaExhausted)
        limited = isinstance(error, RateLimited) and error.retry_after is None
        asked = min(error.retry_after or 0.0, LONGEST_PAUSE)
        self._is_troubled = True
        row = self._one(
            _FAILED,
            error=error.message[:500],
            limited=limited,
            closes=MOMENT if limited else asked if asked <= LONGEST_WAIT else 0.0,
            moment=MOMENT,
            was_probe=was_probe,
            most=1 if quota else self._failures,
            first=LONGEST_PAUSE if quota else max(FIRST_PAUSE, asked),
            longest=LONGEST_PAUSE,
            patience=0.0 if quota else PATIENCE,
        )
        return bool(row.is_closed)

    def answered(self) -> None:
        """Written where it changes something, and every few seconds else."""
        now = time.monotonic()
        if self._is_troubled or now - self._answered_at >= ANSWERED_SECONDS:
            self._answered_at = now
            self._is_troubled = False
            self._run(_ANSWERED)

    def _note_setting(self) -> None:
        now = time.monotonic()
        if now - self._noted_at >= SETTING_SECONDS:
            self._run(_NOTE_BUDGET)
            self._run(_NOTE_SETTING, requests_per_minute=self._per_minute)
            self._noted_at = now

    def _one(self, statement: sa.TextClause, **given: object) -> Any:
        return self._run(statement, **given).one()

    def _run(self, statement: sa.TextClause, **given: object) -> sa.CursorResult[Any]:
        """Execute on the connection that is kept for this; on a new one where it was lost."""
        with self._lock, self._warehouse.explained():
            if self._connection is None:
                self._connection = self._warehouse.autocommit()
            try:
                return self._connection.execute(statement, self._key | given)
            except sa.exc.DBAPIError:
                self._close()
                raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


_MINE = """
    with mine as materialized (
        select b.*, clock_timestamp() as at
        from (
            select *
            from request_budget
            where
                (provider, account) = (:provider, :account)
                and (select set_config('lock_timeout', '5s', true)) is not null
            for update
        ) b
    ),
    timed as (
        select
            mine.*,
            least(1, share + coalesce(0.05 * floor(extract(epoch from at - share_at) / 60), 0))
                as share_now
        from mine
    )
"""

_RESERVE = sa.text(
    f"""
    {_MINE},
    paced as (
        select
            timed.*,
            60 / (:used * share_now * least(:requests_per_minute, (
                select min(s.requests_per_minute)
                from request_budget_setting s
                where
                    (s.provider, s.account) = (timed.provider, timed.account)
                    and s.asked_at > timed.at - interval '5 minutes'
            )))::double precision as every
        from timed
    ),
    placed as (
        select
            paced.*,
            greatest(
                at,
                least(closed_until, at + make_interval(secs => :longest)),
                least(next_at, at + make_interval(secs => :ahead + greatest(:lease, every)))
            ) as place,
            case
                when open_until is null then 'even'
                when probe_until > at then 'probing'
                when open_until > at then 'open'
                else 'probe'
            end as state
        from paced
    ),
    decided as (
        select
            placed.*,
            case
                when state = 'probe' then 1
                when state = 'even' and place <= at + make_interval(secs => :ahead)
                    then greatest(1, floor(:lease / every))
                else 0
            end::integer as granted
        from placed
    )
    update request_budget b
    set
        next_at = case
            when granted > 0 then place + make_interval(secs => granted * every)
            else d.next_at
        end,
        probe_until = case
            when state = 'probe' then place + make_interval(secs => :probe_seconds)
            else d.probe_until
        end
    from decided d
    where (b.provider, b.account) = (d.provider, d.account)
    returning
        d.state,
        d.granted,
        d.every,
        extract(epoch from d.place - d.at)::double precision as wait,
        extract(epoch from d.open_until - d.at)::double precision as open_for,
        d.failures,
        d.down_since,
        d.open_until,
        d.gives_up_at <= d.at as given_up,
        d.last_error
    """  # noqa: S608 - put together from constants
)

_FAILED = sa.text(
    f"""
    {_MINE},
    judged as (
        select
            timed.*,
            :limited and coalesce(share_at < at - make_interval(secs => :moment), true) as halves,
            case
                when open_until is null then failures + 1 >= :most
                else :was_probe
            end as opens
        from timed
    )
    update request_budget b
    set
        failures = d.failures + 1,
        failed_at = at,
        last_error = :error,
        share = case when halves then greatest(0.1, d.share_now / 2) else d.share end,
        share_at = case when halves then at else d.share_at end,
        closed_until = greatest(d.closed_until, at + make_interval(secs => :closes)),
        openings = d.openings + opens::integer,
        open_until = case
            when opens
                then at + make_interval(secs => least(:longest, :first * 2.0 ^ d.openings))
            else d.open_until
        end,
        down_since = case when opens then coalesce(d.down_since, at) else d.down_since end,
        gives_up_at = case
            when opens then coalesce(d.gives_up_at, at + make_interval(secs => :patience))
            else d.gives_up_at
        end,
        probe_until = case when opens then null else d.probe_until end
    from judged d
    where (b.provider, b.account) = (d.provider, d.account)
    returning b.closed_until > d.at or b.open_until is not null as is_closed
    """  # noqa: S608 - put together from constants
)

_ANSWERED = sa.text(
    """
    update request_budget
    set
        answered_at = clock_timestamp(),
        failures = 0,
        openings = 0,
        down_since = null,
        gives_up_at = null,
        open_until = null,
        probe_until = null
    where (provider, account) = (:provider, :account)
    """
)
_IS_CLOSED = sa.text(
    """
    select closed_until > clock_timestamp() or open_until is not null as is_closed
    from request_budget
    where (provider, account) = (:provider, :account)
    """
)
_CLOSE = sa.text(
    """
    update request_budget
    set closed_until = greatest(closed_until, clock_timestamp() + make_interval(secs => :seconds))
    where (provider, account) = (:provider, :account)
    """
)
_NOTE_BUDGET = sa.text(
    """
    insert into request_budget (provider, account) values (:provider, :account)
    on conflict do nothing
    """
)
_NOTE_SETTING = sa.text(
    """
    insert into request_budget_setting (provider, account, requests_per_minute, asked_at)
    values (:provider, :account, :requests_per_minute, clock_timestamp())
    on conflict (provider, account, requests_per_minute) do update set asked_at = excluded.asked_at
    """
)
