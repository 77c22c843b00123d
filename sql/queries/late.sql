-- Which targets are late, failing or were never taken?
select
    coalesce(label, target) as target,
    state,
    last_snapshot_at,
    due_at,
    late_by,
    unproven_ticks,
    last_failure_at,
    reason,
    message
from mart.freshness
where state <> 'on time'
order by state, late_by desc nulls last, 1;
