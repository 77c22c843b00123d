-- Few targets are taken one after the other: what one holds is sorted by quantity alone, which is two
-- to four times faster than by target and quantity. But each of them reads what the provider's
-- others held then, too, since the index on the range knows no target. So many are taken together,
-- provider by provider, and ranked by all that a query may pick some of them by.
--
-- Not strict: so that a query on it is planned as one. Current and history are two branches,
-- without OR or coalesce; the range is what the index is on.
create or replace function holding_as_of(moment timestamptz, only_target text default null)
returns table (
    provider text,
    target_id integer,
    target text,
    label text,
    holder text,
    asset text,
    token text,
    quantity numeric,
    quantity_of_all numeric,
    one_per_holder boolean,
    rank bigint,
    held_since timestamptz,
    valid_from timestamptz,
    snapshot_id bigint,
    snapshot_at timestamptz
)
language sql
stable
parallel safe
begin atomic
    select
        t.provider,
        t.target_id,
        t.target,
        t.label,
        coalesce(r.holder, w.holder),
        coalesce(r.asset, w.asset),
        coalesce(r.token, w.token),
        r.quantity,
        t.quantity,
        r.one_per_holder,
        r.rank,
        r.held_since,
        r.valid_from,
        t.snapshot_id,
        t.snapshot_at
    from mart.targets_as_of(moment, only_target) t
    join holding_target w using (target_id)
    cross join lateral (
        select
            p.*,
            rank() over (partition by p.one_per_holder order by p.quantity desc) as rank
        from (
            select
                h.holder, h.asset, h.token, h.quantity, h.one_per_holder, h.held_since,
                h.valid_from
            from holding_rows_current h
            where
                h.provider = t.provider
                and h.target_id = t.target_id
                and h.valid_from <= moment
            union all
            select
                h.holder, h.asset, h.token, h.quantity, h.one_per_holder, h.held_since,
                h.valid_from
            from holding_rows_history h
            where
                h.provider = t.provider
                and h.target_id = t.target_id
                and tstzrange(h.valid_from, h.valid_to) @> moment
        ) p
    ) r
    where
        only_target is not null
        or (select count(*) from mart.targets_as_of(moment)) <= 16
    union all
    select
        r.provider,
        r.target_id,
        r.target,
        r.label,
        coalesce(r.holder, w.holder),
        coalesce(r.asset, w.asset),
        coalesce(r.token, w.token),
        r.quantity,
        r.quantity_of_all,
        r.one_per_holder,
        r.rank,
        r.held_since,
        r.valid_from,
        r.snapshot_id,
        r.snapshot_at
    from dataset d
    cross join lateral (
        select
            t.provider,
            t.target_id,
            t.target,
            t.label,
            t.quantity as quantity_of_all,
            t.snapshot_id,
            t.snapshot_at,
            p.holder,
            p.asset,
            p.token,
            p.quantity,
            p.one_per_holder,
            p.held_since,
            p.valid_from,
            rank() over (
                partition by t.target_id, t.target, t.label, t.provider, p.one_per_holder
                order by p.quantity desc
            ) as rank
        from mart.targets_as_of(moment) t
        join (
            select
                h.target_id, h.holder, h.asset, h.token, h.quantity, h.one_per_holder,
                h.held_since, h.valid_from
            from holding_rows_current h
            where h.provider = d.provider and h.valid_from <= moment
            union all
            select
                h.target_id, h.holder, h.asset, h.token, h.quantity, h.one_per_holder,
                h.held_since, h.valid_from
            from holding_rows_history h
            where h.provider = d.provider and tstzrange(h.valid_from, h.valid_to) @> moment
        ) p using (target_id)
        where t.provider = d.provider
    ) r
    join holding_target w using (target_id)
    where
        only_target is null
        and (select count(*) from mart.targets_as_of(moment)) > 16;
end;

comment on function holding_as_of(timestamptz, text) is 'All that was held as known at a moment, in all datasets, with the snapshot that answers: what mart.positions_as_of and mart.holders_as_of rest on. quantity_of_all is the sum of the snapshot, rank the place by quantity among the rows of the target.';
