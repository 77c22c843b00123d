-- The changes that each snapshot counted, kind by kind, are those that history and current show.
-- Means: versions were lost, added or altered after the snapshot was published, or its counts were.
-- Do: look at that snapshot in the dataset's _changes view, and restore the target's rows from a backup.
with version as (
    select
        target_id,
        key_hash,
        valid_from,
        valid_to,
        {amount} as amount,
        {acquisition} as acquisition
    from {history}
    union all
    select target_id, key_hash, valid_from, null, {amount}, {acquisition}
    from {current}
),
neighbour as (
    select
        target_id,
        valid_from,
        case
            when lag(valid_to) over by_time is distinct from valid_from then 'entered'
            when acquisition <> lag(acquisition) over by_time then 'reacquired'
            when amount > lag(amount) over by_time then 'increased'
            when amount < lag(amount) over by_time then 'decreased'
            else 'profile'
        end as began,
        case when lead(valid_from) over by_time is distinct from valid_to then valid_to end as exited
    from version
    window by_time as (partition by target_id, key_hash order by valid_from)
),
counted as (
    select
        target_id,
        moment,
        count(*) filter (where change = 'entered') as entered,
        count(*) filter (where change = 'exited') as exited,
        count(*) filter (where change = 'increased') as increased,
        count(*) filter (where change = 'decreased') as decreased,
        count(*) filter (where change = 'reacquired') as reacquired,
        count(*) filter (where change = 'profile') as profile
    from neighbour
    cross join lateral (values (valid_from, began), (exited, 'exited')) happened (moment, change)
    where moment is not null
    group by target_id, moment
)
select
    s.target_id,
    null::uuid as key_hash,
    format(
        'snapshot %s counted %s, there are %s (entered, exited, increased, decreased, reacquired,'
        ' profile)',
        s.snapshot_id,
        (s.entered, s.exited, s.increased, s.decreased, s.reacquired, s.profile),
        (k.entered, k.exited, k.increased, k.decreased, k.reacquired, k.profile)
    ) as found
from snapshot s
join target t using (target_id)
left join counted c on c.target_id = s.target_id and c.moment = s.snapshot_at
cross join lateral (
    select
        coalesce(c.entered, 0) as entered,
        coalesce(c.exited, 0) as exited,
        coalesce(c.increased, 0) as increased,
        coalesce(c.decreased, 0) as decreased,
        coalesce(c.reacquired, 0) as reacquired,
        coalesce(c.profile, 0) as profile
) k
where t.provider = {provider}
    and (s.entered, s.exited, s.increased, s.decreased, s.reacquired, s.profile)
    <> (k.entered, k.exited, k.increased, k.decreased, k.reacquired, k.profile)
