-- A key stands once among the rows that hold now, and no two of its versions begin at the same time.
-- Means: the holding is counted twice; the table's primary key is gone or its index is damaged.
-- Do: delete the row that should not be there, and make the primary key again (or reindex the table).
select
    target_id,
    key_hash,
    format('%s rows hold now', count(*)) as found
from {current}
group by target_id, key_hash
having count(*) > 1
union all
select
    target_id,
    key_hash,
    format('%s versions begin at %s', count(*), valid_from)
from {history}
group by target_id, key_hash, valid_from
having count(*) > 1
