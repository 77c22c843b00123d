create or replace view mart.holders_now as
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
    ) as rank,
    p.quantity / nullif(p.quantity_of_all, 0) as share,
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
    from mart.targets t
    join altura_item_holders_current c using (target_id)
    where t.provider = 'altura' and t.retired_at is null
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
    from mart.targets t
    cross join lateral (
        select c.asset_identifier, count(*) as tokens, min(c.held_since) as held_since
        from hiro_nft_holdings_current c
        where c.target_id = t.target_id
        group by c.asset_identifier
    ) c
    where t.provider = 'hiro' and t.retired_at is null
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
    from mart.targets t
    join catenis_asset_holders_current c using (target_id)
    where t.provider = 'catenis' and t.retired_at is null
) p;

comment on view mart.holders_now is 'Who holds how much of each asset now. One row for each target, holder and asset: the tokens of one class that a Stacks principal holds are one row.';
comment on column mart.holders_now.provider is 'altura, hiro or catenis.';
comment on column mart.holders_now.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column mart.holders_now.target is 'Identity of the target: provider:subject?options.';
comment on column mart.holders_now.label is 'Name given to the target by people; may be null.';
comment on column mart.holders_now.holder is 'Wallet address, Stacks principal or Catenis device.';
comment on column mart.holders_now.asset is 'Collection address, token class or Catenis asset.';
comment on column mart.holders_now.tokens is 'How many positions these are: the tokens of a class, else 1.';
comment on column mart.holders_now.quantity is 'Amount held; Hiro: the number of tokens. Exact.';
comment on column mart.holders_now.held_since is 'Since when, at the earliest snapshot, any of it has been held without a break. Equal to the first snapshot of the target: at least since then.';
comment on column mart.holders_now.rank is 'Place among the rows of the target by quantity, 1 is the largest; equals share a place.';
comment on column mart.holders_now.share is 'quantity as a share of the sum of the snapshot, 0 to 1.';
comment on column mart.holders_now.snapshot_id is 'The snapshot that says so.';
comment on column mart.holders_now.snapshot_at is 'Earliest moment whose state that snapshot is.';
