-- Two branches without OR or coalesce, not strict: so that a query on it is planned as one. The
-- range is what the index is on.
create or replace function {as_of}(moment timestamptz)
returns table (
    target_id integer,
    target text,
    snapshot_id bigint,
    snapshot_at timestamptz,
    key_hash uuid,
    {typed_columns},
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
        {columns_of_c},
        c.held_since,
        c.valid_from
    from answering a
    join {current} c on c.target_id = a.target_id
    where c.valid_from <= moment
    union all
    select
        a.target_id,
        a.name,
        a.snapshot_id,
        a.snapshot_at,
        h.key_hash,
        {columns_of_h},
        h.held_since,
        h.valid_from
    from answering a
    join {history} h on h.target_id = a.target_id
    where tstzrange(h.valid_from, h.valid_to) @> moment
$$;

comment on function {as_of}(timestamptz) is {about_as_of};
