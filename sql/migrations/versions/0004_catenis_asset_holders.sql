-- No foreign key to target: it would be checked row by row at every load, and the only way in
-- is the publish transaction, whose snapshot row has one.
create table catenis_asset_holders_current (
    target_id integer not null,
    key_hash uuid not null,
    device_id text collate "C" not null,
    total numeric not null check (total >= 0 and total < 'infinity'),
    unconfirmed numeric not null
        check (unconfirmed >= 0 and unconfirmed < 'infinity'),
    name text collate "C",
    prod_unique_id text collate "C",
    held_since timestamptz not null,
    valid_from timestamptz not null,
    primary key (target_id, key_hash),
    check (held_since <= valid_from)
) with (fillfactor = 90);

create index on catenis_asset_holders_current (target_id, valid_from);


create table catenis_asset_holders_history (
    target_id integer not null,
    key_hash uuid not null,
    device_id text collate "C" not null,
    total numeric not null check (total >= 0 and total < 'infinity'),
    unconfirmed numeric not null
        check (unconfirmed >= 0 and unconfirmed < 'infinity'),
    name text collate "C",
    prod_unique_id text collate "C",
    held_since timestamptz not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    primary key (target_id, key_hash, valid_from),
    check (held_since <= valid_from),
    check (valid_to > valid_from)
);

create index on catenis_asset_holders_history (target_id, valid_from);
create index on catenis_asset_holders_history (target_id, valid_to);


comment on table catenis_asset_holders_current is 'Rows that hold now. Virtual devices that hold each watched Catenis asset.';
comment on column catenis_asset_holders_current.target_id is 'The target: an asset.';
comment on column catenis_asset_holders_current.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column catenis_asset_holders_current.device_id is 'Id of the virtual device that holds the asset.';
comment on column catenis_asset_holders_current.total is 'Amount held, the unconfirmed part included.';
comment on column catenis_asset_holders_current.unconfirmed is 'Part of the amount not yet confirmed.';
comment on column catenis_asset_holders_current.name is 'Last known name of the device; shown only by permission.';
comment on column catenis_asset_holders_current.prod_unique_id is 'Last known product id; shown only by permission.';
comment on column catenis_asset_holders_current.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column catenis_asset_holders_current.valid_from is 'snapshot_at of the first snapshot that showed the row so.';

comment on table catenis_asset_holders_history is 'Rows that held, with the time until which. Virtual devices that hold each watched Catenis asset.';
comment on column catenis_asset_holders_history.target_id is 'The target: an asset.';
comment on column catenis_asset_holders_history.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column catenis_asset_holders_history.device_id is 'Id of the virtual device that holds the asset.';
comment on column catenis_asset_holders_history.total is 'Amount held, the unconfirmed part included.';
comment on column catenis_asset_holders_history.unconfirmed is 'Part of the amount not yet confirmed.';
comment on column catenis_asset_holders_history.name is 'Last known name of the device; shown only by permission.';
comment on column catenis_asset_holders_history.prod_unique_id is 'Last known product id; shown only by permission.';
comment on column catenis_asset_holders_history.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column catenis_asset_holders_history.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column catenis_asset_holders_history.valid_to is 'snapshot_at of the first snapshot that did not show it so any more.';
