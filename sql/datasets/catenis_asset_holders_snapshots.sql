create or replace view catenis_asset_holders_snapshots as
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name as target,
    c.key_hash,
    c.device_id,
    c.total,
    c.unconfirmed,
    c.name,
    c.prod_unique_id,
    c.held_since
from snapshot s
join target t on t.target_id = s.target_id
join catenis_asset_holders_current c on c.target_id = s.target_id and c.valid_from <= s.snapshot_at
union all
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name,
    h.key_hash,
    h.device_id,
    h.total,
    h.unconfirmed,
    h.name,
    h.prod_unique_id,
    h.held_since
from snapshot s
join target t on t.target_id = s.target_id
join catenis_asset_holders_history h
    on h.target_id = s.target_id
    and h.valid_from <= s.snapshot_at
    and h.valid_to > s.snapshot_at;

comment on view catenis_asset_holders_snapshots is 'Every snapshot in full, one row for each snapshot and key, rebuilt from current and history. Virtual devices that hold each watched Catenis asset.';
comment on column catenis_asset_holders_snapshots.snapshot_id is 'The snapshot.';
comment on column catenis_asset_holders_snapshots.snapshot_at is 'Earliest moment whose state the rows are.';
comment on column catenis_asset_holders_snapshots.target_id is 'The target: an asset.';
comment on column catenis_asset_holders_snapshots.target is 'Identity of the target: provider:subject?options.';
comment on column catenis_asset_holders_snapshots.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column catenis_asset_holders_snapshots.device_id is 'Id of the virtual device that holds the asset.';
comment on column catenis_asset_holders_snapshots.total is 'Amount held, the unconfirmed part included.';
comment on column catenis_asset_holders_snapshots.unconfirmed is 'Part of the amount not yet confirmed.';
comment on column catenis_asset_holders_snapshots.name is 'Last known name of the device; shown only by permission.';
comment on column catenis_asset_holders_snapshots.prod_unique_id is 'Last known product id; shown only by permission.';
comment on column catenis_asset_holders_snapshots.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
