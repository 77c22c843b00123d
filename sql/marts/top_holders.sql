-- One look-up in an index a target: holders_now would read and rank all of them.
--
-- Whom how_many cuts off is told by name where many have equally much. The index has no names: it
-- would be more than twice as large, and every publication would pay for that. So those of the same
-- quantity are sorted, and where nearly all of a million have the same, that takes tenths of seconds.
create or replace function mart.top_holders(how_many integer, only_target text default null)
returns table (
    provider text,
    target_id integer,
    target text,
    label text,
    rank bigint,
    holder text,
    asset text,
    quantity numeric,
    share numeric,
    held_since timestamptz,
    snapshot_id bigint,
    snapshot_at timestamptz
)
language sql
stable
parallel safe
begin atomic
    select
        t.provider,
        t.target_id,
        t.target,
        t.label,
        rank() over (partition by t.target_id order by h.quantity desc),
        coalesce(h.holder, w.holder),
        coalesce(h.asset, w.asset),
        h.quantity,
        h.quantity / nullif(t.quantity, 0),
        h.held_since,
        t.snapshot_id,
        t.snapshot_at
    from mart.targets t
    join holding_target w using (target_id)
    cross join lateral (
        (
            select c.holder, c.asset, c.quantity, c.held_since
            from holding_rows_current c
            where c.provider = t.provider and c.target_id = t.target_id and c.one_per_holder
            order by c.quantity desc, c.holder
            limit how_many
        )
        union all
        (
            select c.holder, c.asset, sum(c.quantity), min(c.held_since)
            from holding_rows_current c
            where c.provider = t.provider and c.target_id = t.target_id and not c.one_per_holder
            group by c.holder, c.asset
            order by sum(c.quantity) desc, c.holder, c.asset
            limit how_many
        )
    ) h
    where t.retired_at is null and (only_target is null or only_target in (t.target, t.label))
    order by
        t.provider,
        t.target,
        h.quantity desc,
        coalesce(h.holder, w.holder),
        coalesce(h.asset, w.asset);
end;

comment on function mart.top_holders(integer, text) is 'The largest holders of each target now, or of the target of that name or label: at a million holders in a millisecond, unless most of them have equally much. One row for each target and place; of a target that is the holder itself its largest token classes. Equal quantities share a rank and stand in the order of holder and asset, byte by byte, also where how_many cuts them off.';
