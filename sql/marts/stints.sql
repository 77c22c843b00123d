create or replace view mart.stints as
select
    t.provider,
    v.target_id,
    t.name as target,
    t.label,
    coalesce(v.holder, t.subject) as holder,
    v.key_hash,
    v.held_since,
    v.held_until,
    v.held_since = f.first_at as at_least,
    coalesce(v.held_until, f.last_at) - v.held_since as held_for,
    f.last_at as known_until
from (
    select
        target_id,
        key_hash,
        held_since,
        min(address) as holder,
        case when bool_and(valid_to is not null) then max(valid_to) end as held_until
    from (
        select target_id, key_hash, held_since, address, null::timestamptz as valid_to
        from altura_item_holders_current
        union all
        select target_id, key_hash, held_since, address, valid_to
        from altura_item_holders_history
    ) a
    group by target_id, key_hash, held_since
    union all
    select
        target_id,
        key_hash,
        held_since,
        null,
        case when bool_and(valid_to is not null) then max(valid_to) end
    from (
        select target_id, key_hash, held_since, null::timestamptz as valid_to
        from hiro_nft_holdings_current
        union all
        select target_id, key_hash, held_since, valid_to
        from hiro_nft_holdings_history
    ) h
    group by target_id, key_hash, held_since
    union all
    select
        target_id,
        key_hash,
        held_since,
        min(device_id),
        case when bool_and(valid_to is not null) then max(valid_to) end
    from (
        select target_id, key_hash, held_since, device_id, null::timestamptz as valid_to
        from catenis_asset_holders_current
        union all
        select target_id, key_hash, held_since, device_id, valid_to
        from catenis_asset_holders_history
    ) c
    group by target_id, key_hash, held_since
) v
join target t using (target_id)
join (
    select target_id, min(snapshot_at) as first_at, max(snapshot_at) as last_at
    from snapshot
    group by target_id
) f using (target_id);

comment on view mart.stints is 'From when until when each position was held without a break, however its quantity changed meanwhile. One row for each position and unbroken time.';
comment on column mart.stints.provider is 'altura, hiro or catenis.';
comment on column mart.stints.target_id is 'The target; with key_hash and held_since the key.';
comment on column mart.stints.target is 'Identity of the target: provider:subject?options.';
comment on column mart.stints.label is 'Name given to the target by people; may be null.';
comment on column mart.stints.holder is 'Wallet address, Stacks principal or Catenis device.';
comment on column mart.stints.key_hash is 'The position: first 16 bytes of SHA-256 over its key columns, each with its length before it.';
comment on column mart.stints.held_since is 'snapshot_at of the snapshot that first showed it.';
comment on column mart.stints.held_until is 'snapshot_at of the first snapshot that did not show it any more; null: held at the last snapshot.';
comment on column mart.stints.at_least is 'Whether it was there in the first snapshot of the target: it may have begun earlier.';
comment on column mart.stints.held_for is 'How long that is; for what is held still, until the last snapshot.';
comment on column mart.stints.known_until is 'snapshot_at of the last snapshot of the target.';
