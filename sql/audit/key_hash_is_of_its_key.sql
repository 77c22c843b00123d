-- key_hash is the first 16 bytes of SHA-256 over the key columns, each with its length before it.
-- Means: the next snapshot will take this row for one that left and the true one for one that entered.
-- Do: find out what changed the key columns or their hash, and restore the row from a backup.
select
    target_id,
    key_hash,
    format('its key has the hash %s', expected) as found
from (
    select target_id, key_hash, {hash_of_key} as expected from {history}
    union all
    select target_id, key_hash, {hash_of_key} from {current}
) version
where key_hash <> expected
