-- No foreign key to target: it would be checked row by row at every load, and the only way in
-- is the publish transaction, whose snapshot row has one.
create table altura_item_holders_current (
    target_id integer not null,
    key_hash uuid not null,
    address text collate "C" not null,
    balance numeric not null
        check (balance >= 0 and balance < 'infinity' and scale(balance) = 0),
    name text collate "C",
    profile_pic text collate "C",
    profile_pic_url text collate "C",
    held_since timestamptz not null,
    valid_from timestamptz not null,
    primary key (target_id, key_hash),
    check (held_since <= valid_from)
) with (fillfactor = 90);

create index on altura_item_holders_current (target_id, valid_from);


create table altura_item_holders_history (
    target_id integer not null,
    key_hash uuid not null,
    address text collate "C" not null,
    balance numeric not null
        check (balance >= 0 and balance < 'infinity' and scale(balance) = 0),
    name text collate "C",
    profile_pic text collate "C",
    profile_pic_url text collate "C",
    held_since timestamptz not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    primary key (target_id, key_hash, valid_from),
    check (held_since <= valid_from),
    check (valid_to > valid_from)
);

create index on altura_item_holders_history (target_id, valid_from);
create index on altura_item_holders_history (target_id, valid_to);


comment on table altura_item_holders_current is 'Rows that hold now. Holders of each watched Altura item and their balances.';
comment on column altura_item_holders_current.target_id is 'The target: an item, with what is listed counted as its option says.';
comment on column altura_item_holders_current.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column altura_item_holders_current.address is 'Wallet address of the holder, in lower case.';
comment on column altura_item_holders_current.balance is 'Units of the item held, a whole number up to 2^256-1.';
comment on column altura_item_holders_current.name is 'Display name chosen by the holder, as it came.';
comment on column altura_item_holders_current.profile_pic is 'Profile picture as the holder set it, often on IPFS.';
comment on column altura_item_holders_current.profile_pic_url is 'Copy of the profile picture kept by Altura.';
comment on column altura_item_holders_current.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column altura_item_holders_current.valid_from is 'snapshot_at of the first snapshot that showed the row so.';

comment on table altura_item_holders_history is 'Rows that held, with the time until which. Holders of each watched Altura item and their balances.';
comment on column altura_item_holders_history.target_id is 'The target: an item, with what is listed counted as its option says.';
comment on column altura_item_holders_history.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column altura_item_holders_history.address is 'Wallet address of the holder, in lower case.';
comment on column altura_item_holders_history.balance is 'Units of the item held, a whole number up to 2^256-1.';
comment on column altura_item_holders_history.name is 'Display name chosen by the holder, as it came.';
comment on column altura_item_holders_history.profile_pic is 'Profile picture as the holder set it, often on IPFS.';
comment on column altura_item_holders_history.profile_pic_url is 'Copy of the profile picture kept by Altura.';
comment on column altura_item_holders_history.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column altura_item_holders_history.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column altura_item_holders_history.valid_to is 'snapshot_at of the first snapshot that did not show it so any more.';
