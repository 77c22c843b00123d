-- Every row belongs to a target of the dataset's own provider.
-- Means: no view shows these rows, or they are shown as somebody else's.
-- Do: find out what wrote them or deleted the target, and restore the target's row or delete these.
select
    v.target_id,
    v.key_hash,
    format('target %s is %s', v.target_id, coalesce('of ' || t.provider, 'missing')) as found
from (
    select target_id, key_hash from {history}
    union all
    select target_id, key_hash from {current}
) v
left join target t using (target_id)
where t.provider is distinct from {provider}
