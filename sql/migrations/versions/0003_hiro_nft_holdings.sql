-- No foreign key to target: it would be checked row by row at every load, and the only way in
-- is the publish transaction, whose snapshot row has one.
create table hiro_nft_holdings_current (
    target_id integer not null,
    key_hash uuid not null,
    asset_identifier text collate "C" not null,
    value_hex text collate "C" not null,
    value_repr text collate "C" not null,
    value_type text collate "C" not null,
    token_id numeric check (scale(token_id) = 0),
    block_height bigint not null check (block_height >= 0),
    tx_id text collate "C" not null,
    held_since timestamptz not null,
    valid_from timestamptz not null,
    primary key (target_id, key_hash),
    check (held_since <= valid_from)
) with (fillfactor = 90);

create index on hiro_nft_holdings_current (target_id, valid_from);


create table hiro_nft_holdings_history (
    target_id integer not null,
    key_hash uuid not null,
    asset_identifier text collate "C" not null,
    value_hex text collate "C" not null,
    value_repr text collate "C" not null,
    value_type text collate "C" not null,
    token_id numeric check (scale(token_id) = 0),
    block_height bigint not null check (block_height >= 0),
    tx_id text collate "C" not null,
    held_since timestamptz not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    primary key (target_id, key_hash, valid_from),
    check (held_since <= valid_from),
    check (valid_to > valid_from)
);

create index on hiro_nft_holdings_history (target_id, valid_from);
create index on hiro_nft_holdings_history (target_id, valid_to);


comment on table hiro_nft_holdings_current is 'Rows that hold now. Non-fungible tokens held by each watched Stacks principal.';
comment on column hiro_nft_holdings_current.target_id is 'The target: a Stacks principal, the holder of all these tokens.';
comment on column hiro_nft_holdings_current.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column hiro_nft_holdings_current.asset_identifier is 'Token class, ADDRESS.contract-name::class-name.';
comment on column hiro_nft_holdings_current.value_hex is 'Token value in Clarity''s serialised form, 0x….';
comment on column hiro_nft_holdings_current.value_repr is 'Token value as Clarity prints it; not a key.';
comment on column hiro_nft_holdings_current.value_type is 'Clarity type of the value: uint, tuple, buffer, ….';
comment on column hiro_nft_holdings_current.token_id is 'The value where it is an int or uint, else null.';
comment on column hiro_nft_holdings_current.block_height is 'Block in which the principal received the token.';
comment on column hiro_nft_holdings_current.tx_id is 'Transaction by which the principal received the token.';
comment on column hiro_nft_holdings_current.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column hiro_nft_holdings_current.valid_from is 'snapshot_at of the first snapshot that showed the row so.';

comment on table hiro_nft_holdings_history is 'Rows that held, with the time until which. Non-fungible tokens held by each watched Stacks principal.';
comment on column hiro_nft_holdings_history.target_id is 'The target: a Stacks principal, the holder of all these tokens.';
comment on column hiro_nft_holdings_history.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column hiro_nft_holdings_history.asset_identifier is 'Token class, ADDRESS.contract-name::class-name.';
comment on column hiro_nft_holdings_history.value_hex is 'Token value in Clarity''s serialised form, 0x….';
comment on column hiro_nft_holdings_history.value_repr is 'Token value as Clarity prints it; not a key.';
comment on column hiro_nft_holdings_history.value_type is 'Clarity type of the value: uint, tuple, buffer, ….';
comment on column hiro_nft_holdings_history.token_id is 'The value where it is an int or uint, else null.';
comment on column hiro_nft_holdings_history.block_height is 'Block in which the principal received the token.';
comment on column hiro_nft_holdings_history.tx_id is 'Transaction by which the principal received the token.';
comment on column hiro_nft_holdings_history.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column hiro_nft_holdings_history.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column hiro_nft_holdings_history.valid_to is 'snapshot_at of the first snapshot that did not show it so any more.';
