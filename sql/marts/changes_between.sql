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
            t.target,
            t.label,
            t.holder,
            t.asset,
            t.token,
            a.snapshot_at as changed_after,
            b.snapshot_at as changed_at,
            b.snapshot_until as changed_until,
            a.snapshot_id as earlier_snapshot_id,
            b.snapshot_id as later_snapshot_id
        from holding_target t
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
            and (only_target is null or only_target in (t.target, t.label))
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
        coalesce(d.holder, p.holder),
        coalesce(d.asset, p.asset),
        coalesce(d.token, p.token),
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
            coalesce(n.holder, o.holder) as holder,
            coalesce(n.asset, o.asset) as asset,
            coalesce(n.token, o.token) as token,
            o.quantity as quantity_before,
            n.quantity as quantity_after,
            n.held_since <> o.held_since as again
        from (
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.attributes,
                h.held_since
            from holding_rows_current h
            where
                h.provider = p.provider
                and h.target_id = p.target_id
                and h.valid_from > p.changed_after
                and h.valid_from <= p.changed_at
            union all
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.attributes,
                h.held_since
            from holding_rows_history h
            where
                h.provider = p.provider
                and h.target_id = p.target_id
                and h.valid_from > p.changed_after
                and h.valid_from <= p.changed_at
                and h.valid_to > p.changed_at
        ) n
        full join (
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.attributes,
                h.held_since
            from holding_rows_history h
            where
                h.provider = p.provider
                and h.target_id = p.target_id
                and h.valid_to > p.changed_after
                and h.valid_to <= p.changed_at
                and h.valid_from <= p.changed_after
        ) o using (key_hash)
        where
            (n.quantity, n.held_since, n.attributes)
            is distinct from (o.quantity, o.held_since, o.attributes)
    ) d;
end;

comment on function mart.changes_between(timestamptz, timestamptz, text) is 'The net effect of all changes between two moments: what the snapshot that answers the later one shows otherwise than the one that answers the earlier. What came and went in between is not in it. Nothing for a target without a snapshot as old as the earlier moment. earlier_snapshot_id and later_snapshot_id are the two that answer. The third argument picks a target by its name or label. One row for each position that differs; columns as in mart.changes.';
