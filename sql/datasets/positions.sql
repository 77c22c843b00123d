create or replace view positions as
select
    'altura' as provider,
    v.target_id,
    v.target,
    v.address as holder,
    split_part(t.subject, '/', 1) as asset,
    split_part(t.subject, '/', 2) as token,
    v.balance as amount,
    v.held_since,
    v.valid_from,
    v.valid_to
from altura_item_holders v
join target t using (target_id)
union all
select
    'hiro',
    v.target_id,
    v.target,
    t.subject,
    v.asset_identifier,
    v.value_repr,
    1::numeric,
    v.held_since,
    v.valid_from,
    v.valid_to
from hiro_nft_holdings v
join target t using (target_id)
union all
select
    'catenis',
    v.target_id,
    v.target,
    v.device_id,
    t.subject,
    null,
    v.total,
    v.held_since,
    v.valid_from,
    v.valid_to
from catenis_asset_holders v
join target t using (target_id);

comment on view positions is 'Who held how much of what, and when, over all providers; one row a version, valid_to is null for what holds now.';
comment on column positions.provider is 'altura, hiro or catenis.';
comment on column positions.target_id is 'The target that it was seen in. The same holding can be seen in two targets with different options.';
comment on column positions.target is 'Identity of the target: provider:subject?options.';
comment on column positions.holder is 'Wallet address, Stacks principal or Catenis device.';
comment on column positions.asset is 'Collection address, token class or Catenis asset.';
comment on column positions.token is 'Token id or value within the asset; null for Catenis.';
comment on column positions.amount is 'Amount held; 1 for a non-fungible token.';
comment on column positions.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column positions.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column positions.valid_to is 'snapshot_at of the first snapshot that did not show it so any more. Null while it holds.';
