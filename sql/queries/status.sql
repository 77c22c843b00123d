-- How is each target: when was it last seen, and what has failed since?
-- A target that is watched again stays retired until a snapshot of it is published; mart.freshness
-- leaves it out until then. Parameter: watched (names of targets; null: all that are not retired).
-- With psql: -v watched=null
select
    t.target,
    t.label,
    t.snapshot_at,
    date_trunc('second', clock_timestamp() - t.snapshot_at) as age,
    t.rows,
    t.proof,
    s.entered,
    s.exited,
    s.increased,
    s.decreased,
    s.reacquired,
    s.profile,
    coalesce(f.failures, 0) as failures,
    f.reason,
    f.message
from mart.targets t
left join mart.snapshots s using (snapshot_id)
left join lateral (
    select
        count(distinct w.run_key) as failures,
        (array_agg(w.reason order by w.failed_at desc))[1] as reason,
        (array_agg(w.message order by w.failed_at desc))[1] as message
    from walk_failure w
    where w.target_id = t.target_id and w.failed_at > coalesce(t.published_at, '-infinity')
) f on f.failures > 0
where coalesce(t.target = any(cast(:watched as text[])), t.retired_at is null)
order by t.provider, t.target;
