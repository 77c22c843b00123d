-- A look-up for each target: one that is asked for alone reads no other.
create or replace view mart.stints as
select
    t.provider,
    t.target_id,
    t.target,
    t.label,
    coalesce(v.holder, t.holder) as holder,
    v.key_hash,
    v.held_since,
    v.held_until,
    v.held_since = f.first_at as at_least,
    coalesce(v.held_until, f.last_at) - v.held_since as held_for,
    f.last_at as known_until
from holding_target t
cross join lateral (
    select min(s.snapshot_at) as first_at, max(s.snapshot_at) as last_at
    from snapshot s
    where s.target_id = t.target_id
) f
cross join lateral (
    select
        a.key_hash,
        min(a.holder) as holder,
        a.held_since,
        case when bool_and(a.valid_to is not null) then max(a.valid_to) end as held_until
    from (
        select h.key_hash, h.holder, h.held_since, null::timestamptz as valid_to
        from holding_rows_current h
        where h.provider = t.provider and h.target_id = t.target_id
        union all
        select h.key_hash, h.holder, h.held_since, h.valid_to
        from holding_rows_history h
        where h.provider = t.provider and h.target_id = t.target_id
    ) a
    group by a.key_hash, a.held_since
) v;

comment on view mart.stints is 'From when until when each position was held without a break, however its quantity changed meanwhile. One row for each position and unbroken time.';
comment on column mart.stints.provider is {providers};
comment on column mart.stints.target_id is 'The target; with key_hash and held_since the key.';
comment on column mart.stints.target is 'Identity of the target: provider:subject?options.';
comment on column mart.stints.label is 'Name given to the target by people; may be null.';
comment on column mart.stints.holder is {holders};
comment on column mart.stints.key_hash is 'The position: first 16 bytes of SHA-256 over its key columns, each with its length before it.';
comment on column mart.stints.held_since is 'snapshot_at of the snapshot that first showed it.';
comment on column mart.stints.held_until is 'snapshot_at of the first snapshot that did not show it any more; null: held at the last snapshot.';
comment on column mart.stints.at_least is 'Whether it was there in the first snapshot of the target: it may have begun earlier.';
comment on column mart.stints.held_for is 'How long that is; for what is held still, until the last snapshot.';
comment on column mart.stints.known_until is 'snapshot_at of the last snapshot of the target.';
