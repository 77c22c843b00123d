-- Not strict: so that a query on it is planned as one.
create or replace function mart.holders_as_of(
    moment timestamptz,
    only_target text default null
)
returns table (
    provider text,
    target_id integer,
    target text,
    label text,
    holder text,
    asset text,
    tokens bigint,
    quantity numeric,
    held_since timestamptz,
    rank bigint,
    share numeric,
    snapshot_id bigint,
    snapshot_at timestamptz
)
language sql
stable
parallel safe
begin atomic
    select
        h.provider,
        h.target_id,
        h.target,
        h.label,
        h.holder,
        h.asset,
        1::bigint,
        h.quantity,
        h.held_since,
        h.rank,
        h.quantity / nullif(h.quantity_of_all, 0),
        h.snapshot_id,
        h.snapshot_at
    from holding_as_of(moment, only_target) h
    where h.one_per_holder
    union all
    select
        h.provider,
        h.target_id,
        h.target,
        h.label,
        h.holder,
        h.asset,
        count(*),
        sum(h.quantity),
        min(h.held_since),
        rank() over (
            partition by h.target_id, h.target, h.label, h.provider
            order by sum(h.quantity) desc
        ),
        sum(h.quantity) / nullif(h.quantity_of_all, 0),
        h.snapshot_id,
        h.snapshot_at
    from holding_as_of(moment, only_target) h
    where not h.one_per_holder
    group by
        h.provider,
        h.target_id,
        h.target,
        h.label,
        h.holder,
        h.asset,
        h.quantity_of_all,
        h.snapshot_id,
        h.snapshot_at;
end;

comment on function mart.holders_as_of(timestamptz, text) is 'Who held how much of each asset, as known at a moment: mart.holders_now of that time, with the snapshot that answers. Nothing where no snapshot is that old. The second argument picks a target by its name or label. Give the moment as a value, not as a sub-select. One row for each target, holder and asset.';
