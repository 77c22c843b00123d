-- Every version ends after it began, and is held since then or earlier.
-- Means: the version never held: it was altered, or the table's check constraints are gone.
-- Do: find out what wrote to the table beside Holdfast, and restore the target's rows from a backup.
select
    target_id,
    key_hash,
    format('held since %s, from %s until %s', held_since, valid_from, valid_to) as found
from {history}
where valid_to <= valid_from or held_since > valid_from
union all
select
    target_id,
    key_hash,
    format('held since %s, but from %s on', held_since, valid_from)
from {current}
where held_since > valid_from
