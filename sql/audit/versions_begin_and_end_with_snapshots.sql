-- held_since, valid_from and valid_to are each the snapshot_at of a snapshot of that target.
-- Means: nothing that was observed says so: the version was altered, or a snapshot's row was deleted.
-- Do: find the snapshot that is missing, or restore the target's rows from a backup.
with moment as (
    select target_id, key_hash, 'held_since' as bound, held_since as stands from {history}
    union all
    select target_id, key_hash, 'valid_from', valid_from from {history}
    union all
    select target_id, key_hash, 'valid_to', valid_to from {history}
    union all
    select target_id, key_hash, 'held_since', held_since from {current}
    union all
    select target_id, key_hash, 'valid_from', valid_from from {current}
)
select
    m.target_id,
    m.key_hash,
    format('%s is %s, when no snapshot was taken', m.bound, m.stands) as found
from moment m
where not exists (
    select from snapshot s where s.target_id = m.target_id and s.snapshot_at = m.stands
)
