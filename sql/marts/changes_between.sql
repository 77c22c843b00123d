-- Reads only versions that began or ended between the two snapshots. Planned once a session (before
-- Postgres 18: at each call): planning takes longer than reading what a day has changed, and the plan
-- is the same for any two moments.
create or replace function mart.changes_between(
    earlier timestamptz,
    later timestamptz,
    only_target text default null
)
returns table (
    provider text,
    target_id integer,
    target text,
    label text,
    kind text,
    holder text,
    asset text,
    token text,
    quantity_before numeric,
    quantity_after numeric,
    delta numeric,
    changed_after timestamptz,
    changed_until timestamptz,
    earlier_snapshot_id bigint,
    later_snapshot_id bigint,
    key_hash uuid
)
language sql
stable
parallel safe
set plan_cache_mode = force_generic_plan
begin atomic
    with compared as not materialized (
        select
            t.provider,
            t.target_id,
            t.name as target,
            t.label,
            t.subject,
            a.snapshot_at as changed_after,
            b.snapshot_at as changed_at,
            b.snapshot_until as changed_until,
            a.snapshot_id as earlier_snapshot_id,
            b.snapshot_id as later_snapshot_id
        from target t
        cross join lateral (
            select s.snapshot_id, s.snapshot_at
            from snapshot s
            where s.target_id = t.target_id and s.snapshot_at <= earlier
            order by s.snapshot_at desc
            limit 1
        ) a
        cross join lateral (
            select s.snapshot_id, s.snapshot_at, s.snapshot_until
            from snapshot s
            where s.target_id = t.target_id and s.snapshot_at <= later
            order by s.snapshot_at desc
            limit 1
        ) b
        where
            b.snapshot_at > a.snapshot_at
            and (only_target is null or only_target in (t.name, t.label))
    )
    select
        p.provider,
        p.target_id,
        p.target,
        p.label,
        case
            when d.quantity_before is null then 'entered'
            when d.quantity_after is null then 'exited'
            when d.quantity_after > d.quantity_before then 'increased'
            when d.quantity_after < d.quantity_before then 'decreased'
            when d.again then 'reacquired'
            else 'profile'
        end,
        d.holder,
        split_part(p.subject, '/', 1),
        split_part(p.subject, '/', 2),
        d.quantity_before,
        d.quantity_after,
        coalesce(d.quantity_after, 0) - coalesce(d.quantity_before, 0),
        p.changed_after,
        p.changed_until,
        p.earlier_snapshot_id,
        p.later_snapshot_id,
        d.key_hash
    from compared p
    cross join lateral (
        select
            key_hash,
            coalesce(n.address, o.address) as holder,
            o.balance as quantity_before,
            n.balance as quantity_after,
            n.held_since <> o.held_since as again
        from (
            select c.key_hash, c.address, c.balance, c.name, c.profile_pic, c.profile_pic_url,
                c.held_since
            from altura_item_holders_current c
            where
                c.target_id = p.target_id
                and c.valid_from > p.changed_after
                and c.valid_from <= p.changed_at
            union all
            select h.key_hash, h.address, h.balance, h.name, h.profile_pic, h.profile_pic_url,
                h.held_since
            from altura_item_holders_history h
            where
                h.target_id = p.target_id
                and h.valid_from > p.changed_after
                and h.valid_from <= p.changed_at
                and h.valid_to > p.changed_at
        ) n
        full join (
            select h.key_hash, h.address, h.balance, h.name, h.profile_pic, h.profile_pic_url,
                h.held_since
            from altura_item_holders_history h
            where
                h.target_id = p.target_id
                and h.valid_to > p.changed_after
                and h.valid_to <= p.changed_at
                and h.valid_from <= p.changed_after
        ) o using (key_hash)
        where
            (n.balance, n.name, n.profile_pic, n.profile_pic_url, n.held_since)
            is distinct from (o.balance, o.name, o.profile_pic, o.profile_pic_url, o.held_since)
    ) d
    where p.provider = 'altura'
    union all
    select
        p.provider,
        p.target_id,
        p.target,
        p.label,
        case
            when d.quantity_before is null then 'entered'
            when d.quantity_after is null then 'exited'
            when d.again then 'reacquired'
            else 'profile'
        end,
        p.subject,
        d.asset,
        d.token,
        d.quantity_before,
        d.quantity_after,
        coalesce(d.quantity_after, 0) - coalesce(d.quantity_before, 0),
        p.changed_after,
        p.changed_until,
        p.earlier_snapshot_id,
        p.later_snapshot_id,
        d.key_hash
    from compared p
    cross join lateral (
        select
            key_hash,
            coalesce(n.asset_identifier, o.asset_identifier) as asset,
            coalesce(n.value_repr, o.value_repr) as token,
            case when o.tx_id is not null then 1::numeric end as quantity_before,
            case when n.tx_id is not null then 1::numeric end as quantity_after,
            n.held_since <> o.held_since as again
        from (
            select c.key_hash, c.asset_identifier, c.value_repr, c.value_type, c.token_id,
                c.block_height, c.tx_id, c.held_since
            from hiro_nft_holdings_current c
            where
                c.target_id = p.target_id
                and c.valid_from > p.changed_after
                and c.valid_from <= p.changed_at
            union all
            select h.key_hash, h.asset_identifier, h.value_repr, h.value_type, h.token_id,
                h.block_height, h.tx_id, h.held_since
            from hiro_nft_holdings_history h
            where
                h.target_id = p.target_id
                and h.valid_from > p.changed_after
                and h.valid_from <= p.changed_at
                and h.valid_to > p.changed_at
        ) n
        full join (
            select h.key_hash, h.asset_identifier, h.value_repr, h.value_type, h.token_id,
                h.block_height, h.tx_id, h.held_since
            from hiro_nft_holdings_history h
            where
                h.target_id = p.target_id
                and h.valid_to > p.changed_after
                and h.valid_to <= p.changed_at
                and h.valid_from <= p.changed_after
        ) o using (key_hash)
        where
            (n.value_repr, n.value_type, n.token_id, n.block_height, n.tx_id, n.held_since)
            is distinct from
            (o.value_repr, o.value_type, o.token_id, o.block_height, o.tx_id, o.held_since)
    ) d
    where p.provider = 'hiro'
    union all
    select
        p.provider,
        p.target_id,
        p.target,
        p.label,
        case
            when d.quantity_before is null then 'entered'
            when d.quantity_after is null then 'exited'
            when d.quantity_after > d.quantity_before then 'increased'
            when d.quantity_after < d.quantity_before then 'decreased'
            when d.again then 'reacquired'
            else 'profile'
        end,
        d.holder,
        p.subject,
        null,
        d.quantity_before,
        d.quantity_after,
        coalesce(d.quantity_after, 0) - coalesce(d.quantity_before, 0),
        p.changed_after,
        p.changed_until,
        p.earlier_snapshot_id,
        p.later_snapshot_id,
        d.key_hash
    from compared p
    cross join lateral (
        select
            key_hash,
            coalesce(n.device_id, o.device_id) as holder,
            o.total as quantity_before,
            n.total as quantity_after,
            n.held_since <> o.held_since as again
        from (
            select c.key_hash, c.device_id, c.total, c.unconfirmed, c.name, c.prod_unique_id,
                c.held_since
            from catenis_asset_holders_current c
            where
                c.target_id = p.target_id
                and c.valid_from > p.changed_after
                and c.valid_from <= p.changed_at
            union all
            select h.key_hash, h.device_id, h.total, h.unconfirmed, h.name, h.prod_unique_id,
                h.held_since
            from catenis_asset_holders_history h
            where
                h.target_id = p.target_id
                and h.valid_from > p.changed_after
                and h.valid_from <= p.changed_at
                and h.valid_to > p.changed_at
        ) n
        full join (
            select h.key_hash, h.device_id, h.total, h.unconfirmed, h.name, h.prod_unique_id,
                h.held_since
            from catenis_asset_holders_history h
            where
                h.target_id = p.target_id
                and h.valid_to > p.changed_after
                and h.valid_to <= p.changed_at
                and h.valid_from <= p.changed_after
        ) o using (key_hash)
        where
            (n.total, n.unconfirmed, n.name, n.prod_unique_id, n.held_since)
            is distinct from (o.total, o.unconfirmed, o.name, o.prod_unique_id, o.held_since)
    ) d
    where p.provider = 'catenis';
end;

comment on function mart.changes_between(timestamptz, timestamptz, text) is 'The net effect of all changes between two moments: what the snapshot that answers the later one shows otherwise than the one that answers the earlier. What came and went in between is not in it. Nothing for a target without a snapshot as old as the earlier moment. earlier_snapshot_id and later_snapshot_id are the two that answer. The third argument picks a target by its name or label. One row for each position that differs; columns as in mart.changes.';
