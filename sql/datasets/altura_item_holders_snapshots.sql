create or replace view altura_item_holders_snapshots as
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name as target,
    c.key_hash,
    c.address,
    c.balance,
    c.name,
    c.profile_pic,
    c.profile_pic_url,
    c.held_since
from snapshot s
join target t on t.target_id = s.target_id
join altura_item_holders_current c on c.target_id = s.target_id and c.valid_from <= s.snapshot_at
union all
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name,
    h.key_hash,
    h.address,
    h.balance,
    h.name,
    h.profile_pic,
    h.profile_pic_url,
    h.held_since
from snapshot s
join target t on t.target_id = s.target_id
join altura_item_holders_history h
    on h.target_id = s.target_id
    and h.valid_from <= s.snapshot_at
    and h.valid_to > s.snapshot_at;

comment on view altura_item_holders_snapshots is 'Every snapshot in full, one row for each snapshot and key, rebuilt from current and history. Holders of each watched Altura item and their balances.';
comment on column altura_item_holders_snapshots.snapshot_id is 'The snapshot.';
comment on column altura_item_holders_snapshots.snapshot_at is 'Earliest moment whose state the rows are.';
comment on column altura_item_holders_snapshots.target_id is 'The target: an item, with what is listed counted as its option says.';
comment on column altura_item_holders_snapshots.target is 'Identity of the target: provider:subject?options.';
comment on column altura_item_holders_snapshots.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column altura_item_holders_snapshots.address is 'Wallet address of the holder, in lower case.';
comment on column altura_item_holders_snapshots.balance is 'Units of the item held, a whole number up to 2^256-1.';
comment on column altura_item_holders_snapshots.name is 'Display name chosen by the holder, as it came.';
comment on column altura_item_holders_snapshots.profile_pic is 'Profile picture as the holder set it, often on IPFS.';
comment on column altura_item_holders_snapshots.profile_pic_url is 'Copy of the profile picture kept by Altura.';
comment on column altura_item_holders_snapshots.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
