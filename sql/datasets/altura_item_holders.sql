create or replace view altura_item_holders as
select
    t.target_id,
    t.name as target,
    c.key_hash,
    c.address,
    c.balance,
    c.name,
    c.profile_pic,
    c.profile_pic_url,
    c.held_since,
    c.valid_from,
    t.retired_at as valid_to
from altura_item_holders_current c
join target t using (target_id)
union all
select
    t.target_id,
    t.name,
    h.key_hash,
    h.address,
    h.balance,
    h.name,
    h.profile_pic,
    h.profile_pic_url,
    h.held_since,
    h.valid_from,
    h.valid_to
from altura_item_holders_history h
join target t using (target_id);

comment on view altura_item_holders is 'All that holds and held, one row a version; valid_to is null for what holds now. Holders of each watched Altura item and their balances.';
comment on column altura_item_holders.target_id is 'The target: an item, with what is listed counted as its option says.';
comment on column altura_item_holders.target is 'Identity of the target: provider:subject?options.';
comment on column altura_item_holders.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column altura_item_holders.address is 'Wallet address of the holder, in lower case.';
comment on column altura_item_holders.balance is 'Units of the item held, a whole number up to 2^256-1.';
comment on column altura_item_holders.name is 'Display name chosen by the holder, as it came.';
comment on column altura_item_holders.profile_pic is 'Profile picture as the holder set it, often on IPFS.';
comment on column altura_item_holders.profile_pic_url is 'Copy of the profile picture kept by Altura.';
comment on column altura_item_holders.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column altura_item_holders.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column altura_item_holders.valid_to is 'snapshot_at of the first snapshot that did not show it so any more. Null while it holds.';
