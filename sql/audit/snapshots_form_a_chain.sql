-- previous_id of every snapshot is the target's snapshot before it in time; only the first has none.
-- Means: changes are shown between the wrong snapshots, or not at all: a row was deleted or altered.
-- Do: find the snapshot that is missing, or restore the target's snapshots from a backup.
select
    target_id,
    null::uuid as key_hash,
    format(
        'snapshot %s comes after %s, and says after %s',
        snapshot_id,
        coalesce(expected::text, 'none'),
        coalesce(previous_id::text, 'none')
    ) as found
from (
    select
        s.target_id,
        s.snapshot_id,
        s.previous_id,
        lag(s.snapshot_id) over (partition by s.target_id order by s.snapshot_at) as expected
    from snapshot s
    join target t using (target_id)
    where t.provider = {provider}
) chained
where previous_id is distinct from expected
