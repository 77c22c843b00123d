-- How is each target: when was it last seen, and what has failed since?
-- Parameter: watched (names of targets; null: all that are not retired).
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
    coalesce(f.unproven_ticks, 0) as failures,
    f.reason,
    f.message
from mart.targets t
left join mart.snapshots s using (snapshot_id)
left join mart.freshness f on f.target_id = t.target_id
where coalesce(t.target = any(cast(:watched as text[])), t.retired_at is null)
order by t.provider, t.target;
