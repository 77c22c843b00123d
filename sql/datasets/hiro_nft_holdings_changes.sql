create or replace view hiro_nft_holdings_changes as
select
    s.snapshot_id,
    s.target_id,
    t.name as target,
    p.snapshot_at as changed_after,
    s.snapshot_until as changed_until,
    d.change,
    d.key_hash,
    d.asset_identifier,
    d.value_hex,
    d.tx_id_before,
    d.tx_id_after,
    d.value_repr_before,
    d.value_repr_after,
    d.value_type_before,
    d.value_type_after,
    d.token_id_before,
    d.token_id_after,
    d.block_height_before,
    d.block_height_after
from snapshot s
join snapshot p on p.snapshot_id = s.previous_id
join target t on t.target_id = s.target_id
cross join lateral (
    select
        case
            when o.key_hash is null then 'entered'
            when n.key_hash is null then 'exited'
            when n.tx_id <> o.tx_id then 'reacquired'
            else 'profile'
        end as change,
        coalesce(n.key_hash, o.key_hash) as key_hash,
        coalesce(n.asset_identifier, o.asset_identifier) as asset_identifier,
        coalesce(n.value_hex, o.value_hex) as value_hex,
        o.tx_id as tx_id_before,
        n.tx_id as tx_id_after,
        o.value_repr as value_repr_before,
        n.value_repr as value_repr_after,
        o.value_type as value_type_before,
        n.value_type as value_type_after,
        o.token_id as token_id_before,
        n.token_id as token_id_after,
        o.block_height as block_height_before,
        n.block_height as block_height_after
    from (
        select c.key_hash, c.asset_identifier, c.value_hex, c.tx_id, c.value_repr, c.value_type, c.token_id, c.block_height
        from hiro_nft_holdings_current c
        where c.target_id = s.target_id and c.valid_from = s.snapshot_at
        union all
        select h.key_hash, h.asset_identifier, h.value_hex, h.tx_id, h.value_repr, h.value_type, h.token_id, h.block_height
        from hiro_nft_holdings_history h
        where h.target_id = s.target_id and h.valid_from = s.snapshot_at
    ) n
    full join (
        select h.key_hash, h.asset_identifier, h.value_hex, h.tx_id, h.value_repr, h.value_type, h.token_id, h.block_height
        from hiro_nft_holdings_history h
        where h.target_id = s.target_id and h.valid_to = s.snapshot_at
    ) o using (key_hash)
) d;

comment on view hiro_nft_holdings_changes is 'What changed from each snapshot of a target to the next; the first snapshot is where they begin.';
comment on column hiro_nft_holdings_changes.snapshot_id is 'The snapshot that showed the change.';
comment on column hiro_nft_holdings_changes.target_id is 'The target: a Stacks principal, the holder of all these tokens.';
comment on column hiro_nft_holdings_changes.target is 'Identity of the target: provider:subject?options.';
comment on column hiro_nft_holdings_changes.changed_after is 'The change happened after this moment: snapshot_at of the snapshot before.';
comment on column hiro_nft_holdings_changes.changed_until is 'The change happened not after this moment: snapshot_until of this snapshot.';
comment on column hiro_nft_holdings_changes.change is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column hiro_nft_holdings_changes.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column hiro_nft_holdings_changes.asset_identifier is 'Token class, ADDRESS.contract-name::class-name.';
comment on column hiro_nft_holdings_changes.value_hex is 'Token value in Clarity''s serialised form, 0x….';
comment on column hiro_nft_holdings_changes.tx_id_before is 'Before: Transaction by which the principal received the token.';
comment on column hiro_nft_holdings_changes.tx_id_after is 'After: Transaction by which the principal received the token.';
comment on column hiro_nft_holdings_changes.value_repr_before is 'Before: Token value as Clarity prints it; not a key.';
comment on column hiro_nft_holdings_changes.value_repr_after is 'After: Token value as Clarity prints it; not a key.';
comment on column hiro_nft_holdings_changes.value_type_before is 'Before: Clarity type of the value: uint, tuple, buffer, ….';
comment on column hiro_nft_holdings_changes.value_type_after is 'After: Clarity type of the value: uint, tuple, buffer, ….';
comment on column hiro_nft_holdings_changes.token_id_before is 'Before: The value where it is an int or uint, else null.';
comment on column hiro_nft_holdings_changes.token_id_after is 'After: The value where it is an int or uint, else null.';
comment on column hiro_nft_holdings_changes.block_height_before is 'Before: Block in which the principal received the token.';
comment on column hiro_nft_holdings_changes.block_height_after is 'After: Block in which the principal received the token.';
