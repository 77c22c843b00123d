-- Not strict: so that a query on it is planned as one. Current and history are two branches,
-- without OR or coalesce; the range is what the index is on.
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
        p.provider,
        p.target_id,
        p.target,
        p.label,
        p.holder,
        p.asset,
        p.token,
        p.quantity,
        p.held_since,
        p.unchanged_since,
        rank() over (
            partition by p.target_id, p.target, p.label, p.provider
            order by p.quantity desc
        ),
        p.quantity / nullif(p.quantity_of_all, 0),
        p.snapshot_id,
        p.snapshot_at
    from (
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            c.address as holder,
            split_part(t.subject, '/', 1) as asset,
            split_part(t.subject, '/', 2) as token,
            c.balance as quantity,
            c.held_since,
            c.valid_from as unchanged_since,
            t.quantity as quantity_of_all,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join altura_item_holders_current c using (target_id)
        where t.provider = 'altura' and c.valid_from <= moment
        union all
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            h.address,
            split_part(t.subject, '/', 1),
            split_part(t.subject, '/', 2),
            h.balance,
            h.held_since,
            h.valid_from,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join altura_item_holders_history h using (target_id)
        where t.provider = 'altura' and tstzrange(h.valid_from, h.valid_to) @> moment
        union all
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            t.subject,
            c.asset_identifier,
            c.value_repr,
            1::numeric,
            c.held_since,
            c.valid_from,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join hiro_nft_holdings_current c using (target_id)
        where t.provider = 'hiro' and c.valid_from <= moment
        union all
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            t.subject,
            h.asset_identifier,
            h.value_repr,
            1::numeric,
            h.held_since,
            h.valid_from,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join hiro_nft_holdings_history h using (target_id)
        where t.provider = 'hiro' and tstzrange(h.valid_from, h.valid_to) @> moment
        union all
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            c.device_id,
            t.subject,
            null,
            c.total,
            c.held_since,
            c.valid_from,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join catenis_asset_holders_current c using (target_id)
        where t.provider = 'catenis' and c.valid_from <= moment
        union all
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            h.device_id,
            t.subject,
            null,
            h.total,
            h.held_since,
            h.valid_from,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join catenis_asset_holders_history h using (target_id)
        where t.provider = 'catenis' and tstzrange(h.valid_from, h.valid_to) @> moment
    ) p;
end;

comment on function mart.positions_as_of(timestamptz, text) is 'Who held which token or amount, as known at a moment: mart.positions_now of that time, with the snapshot that answers. Nothing where no snapshot is that old. The second argument picks a target by its name or label. Give the moment as a value, not as a sub-select. One row for each target, holder, asset and token.';
