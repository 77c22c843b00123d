-- Ranked target by target. What ties a row to its target stands once, outside the three: so their
-- tables are read without a layer between, and `rank <= 100` by the index on the quantity.
create or replace view mart.positions_now as
select
    t.provider,
    t.target_id,
    t.target,
    t.label,
    r.holder,
    r.asset,
    r.token,
    r.quantity,
    r.held_since,
    r.unchanged_since,
    r.rank,
    r.quantity / nullif(t.quantity, 0) as share,
    t.snapshot_id,
    t.snapshot_at
from mart.targets t
cross join lateral (
    select p.*, rank() over (order by p.quantity desc) as rank
    from (
        select
            'altura' as provider,
            c.target_id,
            c.address as holder,
            split_part(t.subject, '/', 1) as asset,
            split_part(t.subject, '/', 2) as token,
            c.balance as quantity,
            c.held_since,
            c.valid_from as unchanged_since
        from altura_item_holders_current c
        union all
        select
            'hiro',
            c.target_id,
            t.subject,
            c.asset_identifier,
            c.value_repr,
            1::numeric,
            c.held_since,
            c.valid_from
        from hiro_nft_holdings_current c
        union all
        select
            'catenis',
            c.target_id,
            c.device_id,
            t.subject,
            null,
            c.total,
            c.held_since,
            c.valid_from
        from catenis_asset_holders_current c
    ) p
    where p.provider = t.provider and p.target_id = t.target_id
) r
where t.retired_at is null;

comment on view mart.positions_now is 'Who holds which token or amount now. One row for each target, holder, asset and token.';
comment on column mart.positions_now.provider is 'altura, hiro or catenis.';
comment on column mart.positions_now.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column mart.positions_now.target is 'Identity of the target: provider:subject?options.';
comment on column mart.positions_now.label is 'Name given to the target by people; may be null.';
comment on column mart.positions_now.holder is 'Wallet address, Stacks principal or Catenis device.';
comment on column mart.positions_now.asset is 'Collection address, token class or Catenis asset.';
comment on column mart.positions_now.token is 'Token id or value within the asset; null for Catenis.';
comment on column mart.positions_now.quantity is 'Amount held; 1 for a non-fungible token. Exact.';
comment on column mart.positions_now.held_since is 'snapshot_at of the first snapshot since which it has been held without a break. Equal to the first snapshot of the target: at least since then.';
comment on column mart.positions_now.unchanged_since is 'snapshot_at of the first snapshot that showed the row just so.';
comment on column mart.positions_now.rank is 'Place among the rows of the target by quantity, 1 is the largest; equals share a place.';
comment on column mart.positions_now.share is 'quantity as a share of the sum of the snapshot, 0 to 1.';
comment on column mart.positions_now.snapshot_id is 'The snapshot that says so.';
comment on column mart.positions_now.snapshot_at is 'Earliest moment whose state that snapshot is.';
