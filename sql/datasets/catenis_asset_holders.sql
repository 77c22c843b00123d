create or replace view catenis_asset_holders as
select
    t.target_id,
    t.name as target,
    c.key_hash,
    c.device_id,
    c.total,
    c.unconfirmed,
    c.name,
    c.prod_unique_id,
    c.held_since,
    c.valid_from,
    t.retired_at as valid_to
from catenis_asset_holders_current c
join target t using (target_id)
union all
select
    t.target_id,
    t.name,
    h.key_hash,
    h.device_id,
    h.total,
    h.unconfirmed,
    h.name,
    h.prod_unique_id,
    h.held_since,
    h.valid_from,
    h.valid_to
from catenis_asset_holders_history h
join target t using (target_id);

comment on view catenis_asset_holders is 'All that holds and held, one row a version; valid_to is null for what holds now. Virtual devices that hold each watched Catenis asset.';
comment on column catenis_asset_holders.target_id is 'The target: an asset.';
comment on column catenis_asset_holders.target is 'Identity of the target: provider:subject?options.';
comment on column catenis_asset_holders.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column catenis_asset_holders.device_id is 'Id of the virtual device that holds the asset.';
comment on column catenis_asset_holders.total is 'Amount held, the unconfirmed part included.';
comment on column catenis_asset_holders.unconfirmed is 'Part of the amount not yet confirmed.';
comment on column catenis_asset_holders.name is 'Last known name of the device; shown only by permission.';
comment on column catenis_asset_holders.prod_unique_id is 'Last known product id; shown only by permission.';
comment on column catenis_asset_holders.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column catenis_asset_holders.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column catenis_asset_holders.valid_to is 'snapshot_at of the first snapshot that did not show it so any more. Null while it holds.';
