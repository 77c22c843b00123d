-- Every snapshot has a proof, and it is one that holds for its provider.
-- Means: nothing says that these rows were ever one true state of the provider.
-- Do: don't rely on that snapshot; find out what wrote or altered its row.
select
    s.target_id,
    null::uuid as key_hash,
    format('snapshot %s has the proof %L', s.snapshot_id, s.proof) as found
from snapshot s
join target t using (target_id)
where t.provider = {provider} and (s.proof = any (array[{proofs}])) is not true
