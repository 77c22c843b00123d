create or replace view altura_item_holders_changes as
select
    s.snapshot_id,
    s.target_id,
    t.name as target,
    p.snapshot_at as changed_after,
    s.snapshot_until as changed_until,
    d.change,
    d.key_hash,
    d.address,
    d.balance_before,
    d.balance_after,
    d.name_before,
    d.name_after,
    d.profile_pic_before,
    d.profile_pic_after,
    d.profile_pic_url_before,
    d.profile_pic_url_after
from snapshot s
join snapshot p on p.snapshot_id = s.previous_id
join target t on t.target_id = s.target_id
cross join lateral (
    select
        case
            when o.key_hash is null then 'entered'
            when n.key_hash is null then 'exited'
            when n.balance > o.balance then 'increased'
            when n.balance < o.balance then 'decreased'
            else 'profile'
        end as change,
        coalesce(n.key_hash, o.key_hash) as key_hash,
        coalesce(n.address, o.address) as address,
        o.balance as balance_before,
        n.balance as balance_after,
        o.name as name_before,
        n.name as name_after,
        o.profile_pic as profile_pic_before,
        n.profile_pic as profile_pic_after,
        o.profile_pic_url as profile_pic_url_before,
        n.profile_pic_url as profile_pic_url_after
    from (
        select c.key_hash, c.address, c.balance, c.name, c.profile_pic, c.profile_pic_url
        from altura_item_holders_current c
        where c.target_id = s.target_id and c.valid_from = s.snapshot_at
        union all
        select h.key_hash, h.address, h.balance, h.name, h.profile_pic, h.profile_pic_url
        from altura_item_holders_history h
        where h.target_id = s.target_id and h.valid_from = s.snapshot_at
    ) n
    full join (
        select h.key_hash, h.address, h.balance, h.name, h.profile_pic, h.profile_pic_url
        from altura_item_holders_history h
        where h.target_id = s.target_id and h.valid_to = s.snapshot_at
    ) o using (key_hash)
) d;

comment on view altura_item_holders_changes is 'What changed from each snapshot of a target to the next; the first snapshot is where they begin.';
comment on column altura_item_holders_changes.snapshot_id is 'The snapshot that showed the change.';
comment on column altura_item_holders_changes.target_id is 'The target: an item, with what is listed counted as its option says.';
comment on column altura_item_holders_changes.target is 'Identity of the target: provider:subject?options.';
comment on column altura_item_holders_changes.changed_after is 'The change happened after this moment: snapshot_at of the snapshot before.';
comment on column altura_item_holders_changes.changed_until is 'The change happened not after this moment: snapshot_until of this snapshot.';
comment on column altura_item_holders_changes.change is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column altura_item_holders_changes.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column altura_item_holders_changes.address is 'Wallet address of the holder, in lower case.';
comment on column altura_item_holders_changes.balance_before is 'Before: Units of the item held, a whole number up to 2^256-1.';
comment on column altura_item_holders_changes.balance_after is 'After: Units of the item held, a whole number up to 2^256-1.';
comment on column altura_item_holders_changes.name_before is 'Before: Display name chosen by the holder, as it came.';
comment on column altura_item_holders_changes.name_after is 'After: Display name chosen by the holder, as it came.';
comment on column altura_item_holders_changes.profile_pic_before is 'Before: Profile picture as the holder set it, often on IPFS.';
comment on column altura_item_holders_changes.profile_pic_after is 'After: Profile picture as the holder set it, often on IPFS.';
comment on column altura_item_holders_changes.profile_pic_url_before is 'Before: Copy of the profile picture kept by Altura.';
comment on column altura_item_holders_changes.profile_pic_url_after is 'After: Copy of the profile picture kept by Altura.';
