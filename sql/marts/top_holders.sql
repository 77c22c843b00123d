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
        h.holder,
        h.asset,
        h.quantity,
        h.quantity / nullif(t.quantity, 0),
        h.held_since,
        t.snapshot_id,
        t.snapshot_at
    from mart.targets t
    cross join lateral (
        (
            select
                c.address as holder,
                split_part(t.subject, '/', 1) as asset,
                c.balance as quantity,
                c.held_since
            from altura_item_holders_current c
            where t.provider = 'altura' and c.target_id = t.target_id
            order by c.balance desc, c.address
            limit how_many
        )
        union all
        (
            select t.subject, c.asset_identifier, count(*), min(c.held_since)
            from hiro_nft_holdings_current c
            where t.provider = 'hiro' and c.target_id = t.target_id
            group by c.asset_identifier
            order by count(*) desc, c.asset_identifier
            limit how_many
        )
        union all
        (
            select c.device_id, t.subject, c.total, c.held_since
            from catenis_asset_holders_current c
            where t.provider = 'catenis' and c.target_id = t.target_id
            order by c.total desc, c.device_id
            limit how_many
        )
    ) h
    where t.retired_at is null and (only_target is null or only_target in (t.target, t.label))
    order by t.provider, t.target, h.quantity desc, h.holder, h.asset;
end;

comment on function mart.top_holders(integer, text) is 'The largest holders of each target now, or of the target of that name or label: at a million holders in a millisecond, unless most of them have equally much. One row for each target and place; Hiro: the largest token classes of the principal. Equal quantities share a rank and stand in the order of holder and asset, byte by byte, also where how_many cuts them off.';
