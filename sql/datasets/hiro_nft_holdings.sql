create or replace view hiro_nft_holdings as
select
    t.target_id,
    t.name as target,
    c.key_hash,
    c.asset_identifier,
    c.value_hex,
    c.value_repr,
    c.value_type,
    c.token_id,
    c.block_height,
    c.tx_id,
    c.held_since,
    c.valid_from,
    t.retired_at as valid_to
from hiro_nft_holdings_current c
join target t using (target_id)
union all
select
    t.target_id,
    t.name,
    h.key_hash,
    h.asset_identifier,
    h.value_hex,
    h.value_repr,
    h.value_type,
    h.token_id,
    h.block_height,
    h.tx_id,
    h.held_since,
    h.valid_from,
    h.valid_to
from hiro_nft_holdings_history h
join target t using (target_id);

comment on view hiro_nft_holdings is 'All that holds and held, one row a version; valid_to is null for what holds now. Non-fungible tokens held by each watched Stacks principal.';
comment on column hiro_nft_holdings.target_id is 'The target: a Stacks principal, the holder of all these tokens.';
comment on column hiro_nft_holdings.target is 'Identity of the target: provider:subject?options.';
comment on column hiro_nft_holdings.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column hiro_nft_holdings.asset_identifier is 'Token class, ADDRESS.contract-name::class-name.';
comment on column hiro_nft_holdings.value_hex is 'Token value in Clarity''s serialised form, 0x….';
comment on column hiro_nft_holdings.value_repr is 'Token value as Clarity prints it; not a key.';
comment on column hiro_nft_holdings.value_type is 'Clarity type of the value: uint, tuple, buffer, ….';
comment on column hiro_nft_holdings.token_id is 'The value where it is an int or uint, else null.';
comment on column hiro_nft_holdings.block_height is 'Block in which the principal received the token.';
comment on column hiro_nft_holdings.tx_id is 'Transaction by which the principal received the token.';
comment on column hiro_nft_holdings.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
comment on column hiro_nft_holdings.valid_from is 'snapshot_at of the first snapshot that showed the row so.';
comment on column hiro_nft_holdings.valid_to is 'snapshot_at of the first snapshot that did not show it so any more. Null while it holds.';
