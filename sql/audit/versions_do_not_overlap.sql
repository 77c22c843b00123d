-- No two versions of a key hold at the same time.
-- Means: for some moments a holding has two answers, and sums over them count it twice.
-- Do: find out what wrote to these tables beside Holdfast, and restore the target's rows from a backup.
with version as (
    select target_id, key_hash, valid_from, valid_to from {history}
    union all
    select target_id, key_hash, valid_from, null from {current}
),
neighbour as (
    select
        target_id,
        key_hash,
        valid_from,
        coalesce(valid_to, 'infinity') as valid_to,
        lead(valid_from) over (partition by target_id, key_hash order by valid_from) as next_from
    from version
)
select
    target_id,
    key_hash,
    format('holds from %s until %s, and again from %s', valid_from, valid_to, next_from) as found
from neighbour
where next_from < valid_to
