create or replace view catenis_asset_holders_changes as
select
    s.snapshot_id,
    s.target_id,
    t.name as target,
    p.snapshot_at as changed_after,
    s.snapshot_until as changed_until,
    d.change,
    d.key_hash,
    d.device_id,
    d.total_before,
    d.total_after,
    d.unconfirmed_before,
    d.unconfirmed_after,
    d.name_before,
    d.name_after,
    d.prod_unique_id_before,
    d.prod_unique_id_after
from snapshot s
join snapshot p on p.snapshot_id = s.previous_id
join target t on t.target_id = s.target_id
cross join lateral (
    select
        case
            when o.key_hash is null then 'entered'
            when n.key_hash is null then 'exited'
            when n.total > o.total then 'increased'
            when n.total < o.total then 'decreased'
            else 'profile'
        end as change,
        coalesce(n.key_hash, o.key_hash) as key_hash,
        coalesce(n.device_id, o.device_id) as device_id,
        o.total as total_before,
        n.total as total_after,
        o.unconfirmed as unconfirmed_before,
        n.unconfirmed as unconfirmed_after,
        o.name as name_before,
        n.name as name_after,
        o.prod_unique_id as prod_unique_id_before,
        n.prod_unique_id as prod_unique_id_after
    from (
        select c.key_hash, c.device_id, c.total, c.unconfirmed, c.name, c.prod_unique_id
        from catenis_asset_holders_current c
        where c.target_id = s.target_id and c.valid_from = s.snapshot_at
        union all
        select h.key_hash, h.device_id, h.total, h.unconfirmed, h.name, h.prod_unique_id
        from catenis_asset_holders_history h
        where h.target_id = s.target_id and h.valid_from = s.snapshot_at
    ) n
    full join (
        select h.key_hash, h.device_id, h.total, h.unconfirmed, h.name, h.prod_unique_id
        from catenis_asset_holders_history h
        where h.target_id = s.target_id and h.valid_to = s.snapshot_at
    ) o using (key_hash)
) d;

comment on view catenis_asset_holders_changes is 'What changed from each snapshot of a target to the next; the first snapshot is where they begin.';
comment on column catenis_asset_holders_changes.snapshot_id is 'The snapshot that showed the change.';
comment on column catenis_asset_holders_changes.target_id is 'The target: an asset.';
comment on column catenis_asset_holders_changes.target is 'Identity of the target: provider:subject?options.';
comment on column catenis_asset_holders_changes.changed_after is 'The change happened after this moment: snapshot_at of the snapshot before.';
comment on column catenis_asset_holders_changes.changed_until is 'The change happened not after this moment: snapshot_until of this snapshot.';
comment on column catenis_asset_holders_changes.change is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column catenis_asset_holders_changes.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column catenis_asset_holders_changes.device_id is 'Id of the virtual device that holds the asset.';
comment on column catenis_asset_holders_changes.total_before is 'Before: Amount held, the unconfirmed part included.';
comment on column catenis_asset_holders_changes.total_after is 'After: Amount held, the unconfirmed part included.';
comment on column catenis_asset_holders_changes.unconfirmed_before is 'Before: Part of the amount not yet confirmed.';
comment on column catenis_asset_holders_changes.unconfirmed_after is 'After: Part of the amount not yet confirmed.';
comment on column catenis_asset_holders_changes.name_before is 'Before: Last known name of the device; shown only by permission.';
comment on column catenis_asset_holders_changes.name_after is 'After: Last known name of the device; shown only by permission.';
comment on column catenis_asset_holders_changes.prod_unique_id_before is 'Before: Last known product id; shown only by permission.';
comment on column catenis_asset_holders_changes.prod_unique_id_after is 'After: Last known product id; shown only by permission.';
