-- A walk began after the one published before it had ended, and its own times are in order.
-- Means: two walks overlapped, so that the later one may show an older state: a publish was not refused.
-- Do: don't rely on what changed between the two; find out what wrote or altered their rows.
select
    target_id,
    null::uuid as key_hash,
    format(
        'snapshot %s: %s, %s, %s, %s (started, at, until, finished); the one before ended at %s',
        snapshot_id,
        started_at,
        snapshot_at,
        snapshot_until,
        finished_at,
        coalesce(ended::text, 'no time')
    ) as found
from (
    select
        s.*,
        lag(s.finished_at) over (partition by s.target_id order by s.snapshot_at) as ended
    from snapshot s
    join target t using (target_id)
    where t.provider = {provider}
) chained
where started_at < ended
    or started_at > snapshot_at
    or snapshot_at > snapshot_until
    or snapshot_until > finished_at
