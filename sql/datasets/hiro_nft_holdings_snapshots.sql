create or replace view hiro_nft_holdings_snapshots as
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name as target,
    c.key_hash,
    c.asset_identifier,
    c.value_hex,
    c.value_repr,
    c.value_type,
    c.token_id,
    c.block_height,
    c.tx_id,
    c.held_since
from snapshot s
join target t on t.target_id = s.target_id
join hiro_nft_holdings_current c on c.target_id = s.target_id and c.valid_from <= s.snapshot_at
union all
select
    s.snapshot_id,
    s.snapshot_at,
    s.target_id,
    t.name,
    h.key_hash,
    h.asset_identifier,
    h.value_hex,
    h.value_repr,
    h.value_type,
    h.token_id,
    h.block_height,
    h.tx_id,
    h.held_since
from snapshot s
join target t on t.target_id = s.target_id
join hiro_nft_holdings_history h
    on h.target_id = s.target_id
    and h.valid_from <= s.snapshot_at
    and h.valid_to > s.snapshot_at;

comment on view hiro_nft_holdings_snapshots is 'Every snapshot in full, one row for each snapshot and key, rebuilt from current and history. Non-fungible tokens held by each watched Stacks principal.';
comment on column hiro_nft_holdings_snapshots.snapshot_id is 'The snapshot.';
comment on column hiro_nft_holdings_snapshots.snapshot_at is 'Earliest moment whose state the rows are.';
comment on column hiro_nft_holdings_snapshots.target_id is 'The target: a Stacks principal, the holder of all these tokens.';
comment on column hiro_nft_holdings_snapshots.target is 'Identity of the target: provider:subject?options.';
comment on column hiro_nft_holdings_snapshots.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column hiro_nft_holdings_snapshots.asset_identifier is 'Token class, ADDRESS.contract-name::class-name.';
comment on column hiro_nft_holdings_snapshots.value_hex is 'Token value in Clarity''s serialised form, 0x….';
comment on column hiro_nft_holdings_snapshots.value_repr is 'Token value as Clarity prints it; not a key.';
comment on column hiro_nft_holdings_snapshots.value_type is 'Clarity type of the value: uint, tuple, buffer, ….';
comment on column hiro_nft_holdings_snapshots.token_id is 'The value where it is an int or uint, else null.';
comment on column hiro_nft_holdings_snapshots.block_height is 'Block in which the principal received the token.';
comment on column hiro_nft_holdings_snapshots.tx_id is 'Transaction by which the principal received the token.';
comment on column hiro_nft_holdings_snapshots.held_since is 'snapshot_at of the first snapshot since which it has been held without a break.';
