-- How each target is: its last snapshot, and how many runs have failed since, the last one why.
-- Parameter: watched (names of targets; null: all that are not retired). With psql: -v watched=null
select
    t.name as target,
    t.label,
    s.snapshot_at,
    date_trunc('second', clock_timestamp() - s.snapshot_at) as age,
    s.rows,
    s.proof,
    s.entered,
    s.exited,
    s.increased,
    s.decreased,
    s.reacquired,
    s.profile,
    coalesce(f.failures, 0) as failures,
    f.reason,
    f.message
from target t
left join lateral (
    select s.*
    from snapshot s
    where s.target_id = t.target_id
    order by s.snapshot_at desc
    limit 1
) s on true
left join lateral (
    select
        count(distinct f.run_key) as failures,
        (array_agg(f.reason order by f.failed_at desc))[1] as reason,
        (array_agg(f.message order by f.failed_at desc))[1] as message
    from walk_failure f
    where f.target_id = t.target_id and f.failed_at > coalesce(s.published_at, '-infinity')
) f on f.failures > 0
where coalesce(t.name = any(cast(:watched as text[])), t.retired_at is null)
order by t.provider, t.name;
