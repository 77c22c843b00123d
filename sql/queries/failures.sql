-- Why did snapshots fail?
-- transient: another attempt may succeed by itself. Parameter: since.
-- With psql: -v since="'2026-10-01'"
select
    t.provider,
    f.reason,
    f.transient,
    count(*) as attempts,
    count(distinct f.target_id) as targets,
    max(f.failed_at) as last_at,
    (array_agg(coalesce(t.label, t.target) order by f.failed_at desc, f.failure_id desc))[1]
        as last_target,
    (array_agg(f.message order by f.failed_at desc, f.failure_id desc))[1] as last_message
from walk_failure f
join mart.targets t using (target_id)
where f.failed_at > cast(:since as timestamptz)
group by t.provider, f.reason, f.transient
order by attempts desc, t.provider, f.reason;
