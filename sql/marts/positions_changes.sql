create or replace view positions_changes as
select
    'altura' as provider,
    c.snapshot_id,
    c.target_id,
    c.target,
    c.changed_after,
    c.changed_until,
    c.change,
    c.address as holder,
    split_part(t.subject, '/', 1) as asset,
    split_part(t.subject, '/', 2) as token,
    c.balance_before as amount_before,
    c.balance_after as amount_after
from altura_item_holders_changes c
join target t using (target_id)
union all
select
    'hiro',
    c.snapshot_id,
    c.target_id,
    c.target,
    c.changed_after,
    c.changed_until,
    c.change,
    t.subject,
    c.asset_identifier,
    coalesce(c.value_repr_after, c.value_repr_before),
    case when c.tx_id_before is not null then 1::numeric end,
    case when c.tx_id_after is not null then 1::numeric end
from hiro_nft_holdings_changes c
join target t using (target_id)
union all
select
    'catenis',
    c.snapshot_id,
    c.target_id,
    c.target,
    c.changed_after,
    c.changed_until,
    c.change,
    c.device_id,
    t.subject,
    null,
    c.total_before,
    c.total_after
from catenis_asset_holders_changes c
join target t using (target_id);

comment on view positions_changes is 'What changed from each snapshot to the next, over all providers; the first snapshot of a target is where they begin.';
comment on column positions_changes.provider is 'altura, hiro or catenis.';
comment on column positions_changes.snapshot_id is 'The snapshot that showed the change.';
comment on column positions_changes.target_id is 'The target that it was seen in.';
comment on column positions_changes.target is 'Identity of the target: provider:subject?options.';
comment on column positions_changes.changed_after is 'The change happened after this moment: snapshot_at of the snapshot before.';
comment on column positions_changes.changed_until is 'The change happened not after this moment: snapshot_until of this snapshot.';
comment on column positions_changes.change is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column positions_changes.holder is 'Wallet address, Stacks principal or Catenis device.';
comment on column positions_changes.asset is 'Collection address, token class or Catenis asset.';
comment on column positions_changes.token is 'Token id or value within the asset; null for Catenis.';
comment on column positions_changes.amount_before is 'Amount before; null for what entered.';
comment on column positions_changes.amount_after is 'Amount after; null for what exited.';
