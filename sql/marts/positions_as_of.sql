-- Not strict: so that a query on it is planned as one.
create or replace function mart.positions_as_of(
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
    token text,
    quantity numeric,
    held_since timestamptz,
    unchanged_since timestamptz,
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
        h.token,
        h.quantity,
        h.held_since,
        h.valid_from,
        h.rank,
        h.quantity / nullif(h.quantity_of_all, 0),
        h.snapshot_id,
        h.snapshot_at
    from holding_as_of(moment, only_target) h;
end;

comment on function mart.positions_as_of(timestamptz, text) is 'Who held which token or amount, as known at a moment: mart.positions_now of that time, with the snapshot that answers. Nothing where no snapshot is that old. The second argument picks a target by its name or label. Give the moment as a value, not as a sub-select. One row for each target, holder, asset and token.';
