create or replace view mart.changes as
select
    'altura' as provider,
    c.target_id,
    c.target,
    t.label,
    c.change as kind,
    c.address as holder,
    split_part(t.subject, '/', 1) as asset,
    split_part(t.subject, '/', 2) as token,
    c.balance_before as quantity_before,
    c.balance_after as quantity_after,
    coalesce(c.balance_after, 0) - coalesce(c.balance_before, 0) as delta,
    c.changed_after,
    c.changed_until,
    c.snapshot_id,
    c.key_hash
from altura_item_holders_changes c
join target t using (target_id)
where t.provider = 'altura'
union all
select
    'hiro',
    c.target_id,
    c.target,
    t.label,
    c.change,
    t.subject,
    c.asset_identifier,
    coalesce(c.value_repr_after, c.value_repr_before),
    case when c.tx_id_before is not null then 1::numeric end,
    case when c.tx_id_after is not null then 1::numeric end,
    (c.tx_id_after is not null)::integer::numeric - (c.tx_id_before is not null)::integer,
    c.changed_after,
    c.changed_until,
    c.snapshot_id,
    c.key_hash
from hiro_nft_holdings_changes c
join target t using (target_id)
where t.provider = 'hiro'
union all
select
    'catenis',
    c.target_id,
    c.target,
    t.label,
    c.change,
    c.device_id,
    t.subject,
    null,
    c.total_before,
    c.total_after,
    coalesce(c.total_after, 0) - coalesce(c.total_before, 0),
    c.changed_after,
    c.changed_until,
    c.snapshot_id,
    c.key_hash
from catenis_asset_holders_changes c
join target t using (target_id)
where t.provider = 'catenis';

comment on view mart.changes is 'What changed from each snapshot of a target to the next, and between which moments it happened; the first snapshot of a target is where they begin. One row for each change.';
comment on column mart.changes.provider is 'altura, hiro or catenis.';
comment on column mart.changes.target_id is 'The target that it was seen in.';
comment on column mart.changes.target is 'Identity of the target: provider:subject?options.';
comment on column mart.changes.label is 'Name given to the target by people; may be null.';
comment on column mart.changes.kind is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column mart.changes.holder is 'Wallet address, Stacks principal or Catenis device.';
comment on column mart.changes.asset is 'Collection address, token class or Catenis asset.';
comment on column mart.changes.token is 'Token id or value within the asset; null for Catenis.';
comment on column mart.changes.quantity_before is 'Quantity before; null for what entered.';
comment on column mart.changes.quantity_after is 'Quantity after; null for what exited.';
comment on column mart.changes.delta is 'How much more it is than before; negative: less.';
comment on column mart.changes.changed_after is 'It happened after this moment: snapshot_at of the snapshot before.';
comment on column mart.changes.changed_until is 'It happened not after this moment: snapshot_until of the snapshot that showed it.';
comment on column mart.changes.snapshot_id is 'The snapshot that showed it; with target_id and key_hash the key.';
comment on column mart.changes.key_hash is 'The position that changed: first 16 bytes of SHA-256 over its key columns, each with its length before it.';
