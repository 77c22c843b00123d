-- The names that the target says are added to what has changed, not to all that is compared.
create or replace view holding_changes as
select
    t.provider,
    s.target_id,
    t.target,
    t.label,
    t.holds as target_holds,
    d.change,
    d.key_hash,
    coalesce(d.holder, t.holder) as holder,
    coalesce(d.asset, t.asset) as asset,
    coalesce(d.token, t.token) as token,
    d.quantity_before,
    d.quantity_after,
    d.acquisition_before,
    d.acquisition_after,
    d.height_before,
    d.height_after,
    p.snapshot_at as changed_after,
    s.snapshot_until as changed_until,
    s.snapshot_id
from snapshot s
join snapshot p on p.snapshot_id = s.previous_id
join holding_target t on t.target_id = s.target_id
cross join lateral (
    select
        case
            when o.key_hash is null then 'entered'
            when n.key_hash is null then 'exited'
            when n.held_since <> o.held_since then 'reacquired'
            when n.quantity > o.quantity then 'increased'
            when n.quantity < o.quantity then 'decreased'
            else 'profile'
        end as change,
        coalesce(n.key_hash, o.key_hash) as key_hash,
        coalesce(n.holder, o.holder) as holder,
        coalesce(n.asset, o.asset) as asset,
        coalesce(n.token, o.token) as token,
        o.quantity as quantity_before,
        n.quantity as quantity_after,
        o.acquisition as acquisition_before,
        n.acquisition as acquisition_after,
        o.height as height_before,
        n.height as height_after
    from (
        select
            h.key_hash, h.holder, h.asset, h.token, h.quantity, h.acquisition,
            h.height, h.held_since
        from holding_rows_current h
        where
            h.provider = t.provider
            and h.target_id = s.target_id
            and h.valid_from = s.snapshot_at
        union all
        select
            h.key_hash, h.holder, h.asset, h.token, h.quantity, h.acquisition,
            h.height, h.held_since
        from holding_rows_history h
        where
            h.provider = t.provider
            and h.target_id = s.target_id
            and h.valid_from = s.snapshot_at
    ) n
    full join (
        select
            h.key_hash, h.holder, h.asset, h.token, h.quantity, h.acquisition,
            h.height, h.held_since
        from holding_rows_history h
        where
            h.provider = t.provider
            and h.target_id = s.target_id
            and h.valid_to = s.snapshot_at
    ) o using (key_hash)
) d;

comment on view holding_changes is 'What changed from each snapshot of a target to the next, in all datasets; the first snapshot is where they begin.';
comment on column holding_changes.provider is {providers};
comment on column holding_changes.target_id is 'The target that it was seen in.';
comment on column holding_changes.target is 'Identity of the target: provider:subject?options.';
comment on column holding_changes.label is 'Name given to the target by people; may be null.';
comment on column holding_changes.target_holds is 'Whether the target is itself the holder of all its rows.';
comment on column holding_changes.change is 'entered, exited, increased, decreased, reacquired (left and came back in between) or profile (only attributes differ).';
comment on column holding_changes.key_hash is 'First 16 bytes of SHA-256 over the key columns, each with its length before it.';
comment on column holding_changes.holder is {holders};
comment on column holding_changes.asset is {assets};
comment on column holding_changes.token is {tokens};
comment on column holding_changes.quantity_before is 'Quantity before; null for what entered.';
comment on column holding_changes.quantity_after is 'Quantity after; null for what exited.';
comment on column holding_changes.acquisition_before is 'Transaction by which the holder had got it; null where the provider names none.';
comment on column holding_changes.acquisition_after is 'Transaction by which the holder got it; null where the provider names none.';
comment on column holding_changes.height_before is 'Block of the transaction before.';
comment on column holding_changes.height_after is 'Block of the transaction after.';
comment on column holding_changes.changed_after is 'It happened after this moment: snapshot_at of the snapshot before.';
comment on column holding_changes.changed_until is 'It happened not after this moment: snapshot_until of the snapshot that showed it.';
comment on column holding_changes.snapshot_id is 'The snapshot that showed it; with target_id and key_hash the key.';
