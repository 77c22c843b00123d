-- Two branches without OR or coalesce, not strict: so that a query on it is planned as one. The
-- range is what the index is on.
create or replace function altura_item_holders_as_of(moment timestamptz)
returns table (
    target_id integer,
    target text,
    snapshot_id bigint,
    snapshot_at timestamptz,
    key_hash uuid,
    address text,
    balance numeric,
    name text,
    profile_pic text,
    profile_pic_url text,
    held_since timestamptz,
    valid_from timestamptz
)
language sql
stable
parallel safe
as $$
    with answering as not materialized (
        select t.target_id, t.name, s.snapshot_id, s.snapshot_at
        from target t
        cross join lateral (
            select s.snapshot_id, s.snapshot_at
            from snapshot s
            where s.target_id = t.target_id and s.snapshot_at <= moment
            order by s.snapshot_at desc
            limit 1
        ) s
        where t.retired_at is null or t.retired_at > moment
    )
    select
        a.target_id,
        a.name,
        a.snapshot_id,
        a.snapshot_at,
        c.key_hash,
        c.address,
        c.balance,
        c.name,
        c.profile_pic,
        c.profile_pic_url,
        c.held_since,
        c.valid_from
    from answering a
    join altura_item_holders_current c on c.target_id = a.target_id
    where c.valid_from <= moment
    union all
    select
        a.target_id,
        a.name,
        a.snapshot_id,
        a.snapshot_at,
        h.key_hash,
        h.address,
        h.balance,
        h.name,
        h.profile_pic,
        h.profile_pic_url,
        h.held_since,
        h.valid_from
    from answering a
    join altura_item_holders_history h on h.target_id = a.target_id
    where tstzrange(h.valid_from, h.valid_to) @> moment
$$;

comment on function altura_item_holders_as_of(timestamptz) is 'Holders of each watched Altura item and their balances, as known at a moment, with the snapshot that answers (none: no snapshot that old). Give the moment as a value: a sub-select in its place keeps the query from being planned as one.';
