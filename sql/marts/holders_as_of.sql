-- Not strict: so that a query on it is planned as one. Current and history are two branches,
-- without OR or coalesce; the range is what the index is on.
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
        p.provider,
        p.target_id,
        p.target,
        p.label,
        p.holder,
        p.asset,
        p.tokens,
        p.quantity,
        p.held_since,
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
            1::bigint as tokens,
            c.balance as quantity,
            c.held_since,
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
            1::bigint,
            h.balance,
            h.held_since,
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
            c.tokens,
            c.tokens::numeric,
            c.held_since,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        cross join lateral (
            select held.asset_identifier, count(*) as tokens, min(held.held_since) as held_since
            from (
                select c.asset_identifier, c.held_since
                from hiro_nft_holdings_current c
                where c.target_id = t.target_id and c.valid_from <= moment
                union all
                select h.asset_identifier, h.held_since
                from hiro_nft_holdings_history h
                where
                    h.target_id = t.target_id
                    and tstzrange(h.valid_from, h.valid_to) @> moment
            ) held
            group by held.asset_identifier
        ) c
        where t.provider = 'hiro'
        union all
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            c.device_id,
            t.subject,
            1::bigint,
            c.total,
            c.held_since,
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
            1::bigint,
            h.total,
            h.held_since,
            t.quantity,
            t.snapshot_id,
            t.snapshot_at
        from mart.targets_as_of(moment, only_target) t
        join catenis_asset_holders_history h using (target_id)
        where t.provider = 'catenis' and tstzrange(h.valid_from, h.valid_to) @> moment
    ) p;
end;

comment on function mart.holders_as_of(timestamptz, text) is 'Who held how much of each asset, as known at a moment: mart.holders_now of that time, with the snapshot that answers. Nothing where no snapshot is that old. The second argument picks a target by its name or label. Give the moment as a value, not as a sub-select. One row for each target, holder and asset.';
