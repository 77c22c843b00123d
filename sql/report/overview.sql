-- Every target ever configured, with how it is and what has changed lately: those that need a look
-- come first, those that are retired last.
select
    t.provider,
    t.target_id,
    t.target,
    t.label,
    t.retired_at,
    case when t.retired_at is null then f.state else 'retired' end as state,
    t.snapshot_at,
    now() - t.snapshot_at as age,
    f.due_at,
    f.late_by,
    coalesce(f.unproven_ticks, 0) as unproven_ticks,
    f.reason,
    f.message,
    t.proof,
    t.rows,
    t.quantity,
    coalesce(s.snapshots, 0) as snapshots,
    s.first_at,
    coalesce(s.changes_lately, 0) as changes_lately
from mart.targets t
left join mart.freshness f using (target_id)
left join (
    select
        target_id,
        count(*) as snapshots,
        min(snapshot_at) as first_at,
        sum(entered + exited + increased + decreased + reacquired)
            filter (where snapshot_at > now() - make_interval(days => :days)) as changes_lately
    from mart.supply_and_holders
    group by target_id
) s using (target_id)
order by
    array_position(array['failing', 'never taken', 'late', 'on time'], f.state),
    t.retired_at,
    coalesce(t.label, t.target),
    t.target_id;
