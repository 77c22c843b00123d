-- Where are the gaps in our snapshots?
-- Where the time since the snapshot before is so many times the usual one (the median of its
-- target) or more. begun_late_by says that the schedule wanted it sooner.
-- Parameters: times, target (its name or label; null: all).
-- With psql: -v times=3 -v target=null
select
    coalesce(s.label, s.target) as target,
    s.previous_at as gap_from,
    s.snapshot_at as gap_until,
    s.since_previous as gap,
    u.usual,
    round(extract(epoch from s.since_previous) / extract(epoch from u.usual), 1) as times_usual,
    s.begun_late_by
from mart.snapshots s
join (
    select target_id, percentile_cont(0.5) within group (order by since_previous) as usual
    from mart.snapshots
    group by target_id
) u using (target_id)
where s.since_previous >= u.usual * cast(:times as double precision)
    and (cast(:target as text) is null or :target in (s.target, s.label))
order by s.since_previous desc, 1, s.snapshot_at;
