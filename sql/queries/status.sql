-- How is each target: when was it last seen, is it late, and what has failed since?
-- A target that is watched again stays retired until a snapshot of it is published; mart.freshness
-- leaves it out until something fails. known_at is when the warehouse last had news of the target.
-- Parameter: watched (names of targets; null: all that are not retired).
-- With psql: -v watched=null
select
    t.target,
    t.label,
    coalesce(f.state, 'retired') as state,
    f.due_at,
    f.late_by,
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
    f.message,
    greatest(t.created_at, t.snapshot_at, t.retired_at) as known_at
from mart.targets t
left join mart.freshness f using (target_id)
left join mart.snapshots s using (snapshot_id)
where coalesce(t.target = any(cast(:watched as text[])), t.retired_at is null)
order by t.provider, t.target;
