-- The key of a row is computed as it was on the way in, so that its index finds it. Planned once a
-- session (before Postgres 18: at each call): planning takes ten times as long as reading the few
-- versions of one holder.
create or replace function mart.holder_history(only_holder text)
returns table (
    provider text,
    target_id integer,
    target text,
    label text,
    holder text,
    asset text,
    token text,
    kind text,
    quantity_before numeric,
    quantity_after numeric,
    delta numeric,
    changed_after timestamptz,
    changed_until timestamptz,
    held_since timestamptz,
    snapshot_id bigint,
    key_hash uuid
)
language sql
stable
parallel safe
set plan_cache_mode = force_generic_plan
begin atomic
    with named as (
        select
            d.provider,
            d.target_holds,
            d.holder_is_key,
            case when d.lower_case then lower(only_holder) else only_holder end as holder
        from dataset d
    ),
    wanted as (
        select
            t.target_id,
            n.provider,
            n.holder_is_key,
            n.holder,
            encode(
                substring(
                    sha256(
                        int4send(octet_length(convert_to(n.holder, 'UTF8')))
                        || convert_to(n.holder, 'UTF8')
                    ) for 16
                ),
                'hex'
            )::uuid as key_hash
        from named n
        join target t on t.provider = n.provider
        where not n.target_holds or t.subject = n.holder
    ),
    version as (
        select w.target_id, h.*
        from wanted w
        cross join lateral (
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.held_since, h.valid_from,
                null::timestamptz as valid_to
            from holding_current h
            where
                h.provider = w.provider
                and h.target_id = w.target_id
                and h.key_hash = w.key_hash
            union all
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.held_since, h.valid_from,
                h.valid_to
            from holding_history h
            where
                h.provider = w.provider
                and h.target_id = w.target_id
                and h.key_hash = w.key_hash
        ) h
        where w.holder_is_key
        union all
        select w.target_id, h.*
        from wanted w
        cross join lateral (
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.held_since, h.valid_from,
                null::timestamptz as valid_to
            from holding_current h
            where h.provider = w.provider and h.target_id = w.target_id and h.holder = w.holder
            union all
            select
                h.key_hash, h.holder, h.asset, h.token, h.quantity, h.held_since, h.valid_from,
                h.valid_to
            from holding_history h
            where h.provider = w.provider and h.target_id = w.target_id and h.holder = w.holder
        ) h
        where not w.holder_is_key
    ),
    neighboured as (
        select
            v.*,
            lag(v.valid_to) over w as ended_before,
            lag(v.quantity) over w as quantity_before,
            lag(v.held_since) over w as held_before,
            lead(v.valid_from) over w as next_from
        from version v
        window w as (partition by v.target_id, v.key_hash order by v.valid_from)
    ),
    event as (
        select
            v.*,
            v.valid_from as happened,
            case
                when v.ended_before is distinct from v.valid_from then 'entered'
                when v.quantity > v.quantity_before then 'increased'
                when v.quantity < v.quantity_before then 'decreased'
                when v.held_since <> v.held_before then 'reacquired'
                else 'profile'
            end as kind
        from neighboured v
        union all
        select v.*, v.valid_to, 'exited'
        from neighboured v
        where v.valid_to is not null and v.next_from is distinct from v.valid_to
    )
    select
        t.provider,
        t.target_id,
        t.name,
        t.label,
        e.holder,
        e.asset,
        e.token,
        case when s.previous_id is null then 'first seen' else e.kind end,
        q.before,
        q.after,
        coalesce(q.after, 0) - coalesce(q.before, 0),
        p.snapshot_at,
        s.snapshot_until,
        e.held_since,
        s.snapshot_id,
        e.key_hash
    from event e
    join target t using (target_id)
    join snapshot s on s.target_id = e.target_id and s.snapshot_at = e.happened
    left join snapshot p on p.snapshot_id = s.previous_id
    cross join lateral (
        select
            case e.kind
                when 'exited' then e.quantity
                when 'entered' then null
                else e.quantity_before
            end as before,
            case when e.kind <> 'exited' then e.quantity end as after
    ) q
    order by s.snapshot_until, t.name, e.asset, e.token, e.key_hash;
end;

comment on function mart.holder_history(text) is 'Everything that one wallet, principal or device did, in all targets, oldest first: in a millisecond at a million holders. One row for each change of a position; columns as in mart.changes. kind is also first seen: it held that in the first snapshot of the target, nobody knows since when (changed_after is null).';
